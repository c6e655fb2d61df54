/* Admission of transfers; see limits.h. */
#include "http/limits.h"

#include <errno.h>
#include <stdlib.h>

#include "sched/wait.h"

void pl_http_limits_init(struct pl_http_limits *limits, unsigned total, unsigned per_origin)
{
        *limits = (struct pl_http_limits){.total = total, .per_origin = per_origin};
        pl_list_init(&limits->turns);
}

static struct pl_http_limit **place_of(struct pl_http_limits *limits, const struct pl_http_origin *origin)
{
        struct pl_http_limit **place = &limits->bucket[origin->hash % PL_HTTP_LIMIT_BUCKETS];

        while (*place && !pl_http_origin_same(&(*place)->origin, origin))
                place = &(*place)->same_bucket;
        return place;
}

static struct pl_http_limit *find(struct pl_http_limits *limits, const struct pl_http_origin *origin)
{
        struct pl_http_limit **place = place_of(limits, origin);

        if (!*place) {
                struct pl_http_limit *limit = calloc(1, sizeof *limit);

                if (!limit)
                        return NULL;
                limit->origin = *origin;
                pl_list_init(&limit->waiters);
                pl_list_init(&limit->turn);
                *place = limit;
        }
        return *place;
}

/* Keep *limit*'s place among the turns in accord with its state. */
static void settle_turn(struct pl_http_limits *limits, struct pl_http_limit *limit)
{
        bool may_go = !pl_list_empty(&limit->waiters) && limit->active < limits->per_origin;

        if (may_go && !pl_list_linked(&limit->turn))
                pl_list_push_back(&limits->turns, &limit->turn);
        if (!may_go)
                pl_list_remove(&limit->turn);
}

/* The same, and its existence. */
static void settle(struct pl_http_limits *limits, struct pl_http_limit *limit)
{
        settle_turn(limits, limit);
        if (!limit->active && pl_list_empty(&limit->waiters)) {
                struct pl_http_limit **place = place_of(limits, &limit->origin);

                *place = limit->same_bucket;
                free(limit);
        }
}

/* Let one waiter in; NULL when nobody may go. The caller makes it ready, without the lock. */
static struct pl_wait *admit_next(struct pl_http_limits *limits)
{
        struct pl_list *turn;

        while (limits->active < limits->total && (turn = pl_list_pop_front(&limits->turns))) {
                struct pl_http_limit *limit = PL_CONTAINER_OF(turn, struct pl_http_limit, turn);
                struct pl_wait_node *node = PL_CONTAINER_OF(limit->waiters.next, struct pl_wait_node, link);
                struct pl_wait *wait = node->wait;
                bool claimed = pl_sched_wake_claim(wait);

                pl_list_remove(&node->link);
                if (claimed) {
                        node->slot = limit;
                        limit->active++;
                        limits->active++;
                }
                settle(limits, limit);
                if (claimed)
                        return wait;
        }
        return NULL;
}

int pl_http_limits_enter(struct pl_http_limits *limits, const struct pl_http_origin *origin, int64_t deadline_ns,
                         struct pl_http_limit **ret_limit)
{
        struct pl_http_limit *limit;
        struct pl_wait *wait;
        int r;

        pl_lock_acquire(&limits->lock);
        limit = find(limits, origin);
        if (!limit) {
                pl_lock_release(&limits->lock);
                return -ENOMEM;
        }
        if (limits->active < limits->total && limit->active < limits->per_origin && pl_list_empty(&limit->waiters)) {
                limit->active++;
                limits->active++;
                pl_lock_release(&limits->lock);
                *ret_limit = limit;
                return 0;
        }
        wait = pl_sched_wait_begin(PL_WAIT_HTTP, limits);
        wait->node.wait = wait;
        pl_list_push_back(&limit->waiters, &wait->node.link);
        settle_turn(limits, limit);
        pl_lock_release(&limits->lock);
        r = pl_sched_wait_finish(wait, deadline_ns, PL_WAIT_LENDS);
        if (r >= 0) {
                *ret_limit = wait->node.slot;
                return 0;
        }
        pl_lock_acquire(&limits->lock);
        if (pl_list_linked(&wait->node.link)) {
                pl_list_remove(&wait->node.link);
                settle(limits, limit);
        }
        pl_lock_release(&limits->lock);
        return r;
}

void pl_http_limits_leave(struct pl_http_limits *limits, struct pl_http_limit *limit)
{
        struct pl_wait *next;

        pl_lock_acquire(&limits->lock);
        limit->active--;
        limits->active--;
        settle(limits, limit);
        next = admit_next(limits);
        pl_lock_release(&limits->lock);
        if (next)
                pl_sched_wake_ready(next);
}
