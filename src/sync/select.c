/*
 * plait_select(). What it asks of objects, and why nothing is lost or done twice, is told in sync/selectable.h.
 *
 * A round looks at all watched objects, shuffles the cases, and with all locks of the queued ones held tries one after
 * the other. If none can happen, it puts a node into each queue before it releases the locks. If there are watched
 * objects, it first stands at those, which takes system calls, and then locks and tries once more: a claim by one of
 * those only means that another round is due.
 *
 * Whatever ended the wait, all nodes are out of all queues before the flow may wait for anything else: a claim does not
 * say which wait it means. The object that claimed the wait is not touched any more, since it may be gone.
 */
#include "plait/select.h"

#include <errno.h>
#include <stdlib.h>

#include "plat/sys.h"
#include "sched/runtime.h"
#include "sync/selectable.h"

static const struct plait_selectable time_kind = {0}; /* neither queued nor watched: the wait's deadline does it */

struct selection {
        struct plait_case *cases;
        size_t count;
        const struct pl_select_watcher *watcher; /* NULL: nothing is watched */
        bool in_task;
        enum pl_wait_cause cause;
        unsigned n_active; /* cases that can happen; their indices are the first so many pl_order ... */
        unsigned n_locks;  /* ... and those of queued objects the pl_lock_order, by the address of the lock */
        int64_t first_ns;  /* the earliest time among the cases */
        struct pl_select_after after;
};

enum { NOTHING = -EAGAIN }; /* inside: no case has happened; that is no result of plait_select() */

static bool is_queued(const struct plait_case *entry)
{
        return entry->pl_kind->lock != NULL;
}

static struct pl_spin *lock_of(const struct plait_case *entry)
{
        return entry->pl_kind->lock(entry);
}

/* --- orders --- */

static PL_NOINLINE uint32_t next_random(void)
{
        static __thread uint64_t state;

        if (PL_UNLIKELY(!state))
                state = pl_plat_random_u64() | 1;
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return (uint32_t)(state >> 32);
}

static void shuffle(struct selection *s)
{
        struct plait_case *cases = s->cases;

        for (unsigned i = 1; i < s->n_active; i++) {
                unsigned j = (unsigned)((uint64_t)next_random() * (i + 1) >> 32);
                unsigned short order = cases[i].pl_order;

                cases[i].pl_order = cases[j].pl_order;
                cases[j].pl_order = order;
        }
}

static uintptr_t rank(const struct selection *s, unsigned i)
{
        return (uintptr_t)lock_of(&s->cases[s->cases[i].pl_lock_order]);
}

static void sift_down(struct selection *s, unsigned at, unsigned n)
{
        for (unsigned child; (child = 2 * at + 1) < n; at = child) {
                if (child + 1 < n && rank(s, child + 1) > rank(s, child))
                        child++;
                if (rank(s, at) >= rank(s, child))
                        return;

                unsigned short order = s->cases[at].pl_lock_order;

                s->cases[at].pl_lock_order = s->cases[child].pl_lock_order;
                s->cases[child].pl_lock_order = order;
        }
}

/* A heap sort, which needs no memory. */
static void sort_locks(struct selection *s)
{
        for (unsigned i = s->n_locks / 2; i-- > 0;)
                sift_down(s, i, s->n_locks);
        for (unsigned n = s->n_locks; n-- > 1;) {
                unsigned short largest = s->cases[0].pl_lock_order;

                s->cases[0].pl_lock_order = s->cases[n].pl_lock_order;
                s->cases[n].pl_lock_order = largest;
                sift_down(s, 0, n);
        }
}

static int prepare(struct selection *s)
{
        unsigned n_watched = 0;

        for (size_t i = 0; i < s->count; i++) {
                struct plait_case *entry = &s->cases[i];

                if (!entry->pl_kind)
                        continue;
                s->cases[s->n_active++].pl_order = (unsigned short)i;
                entry->pl_ready = 0;
                entry->pl_queued = 0;
                if (is_queued(entry)) {
                        s->cases[s->n_locks++].pl_lock_order = (unsigned short)i;
                } else if (entry->pl_kind == &time_kind) {
                        if (entry->pl_at_ns < s->first_ns)
                                s->first_ns = entry->pl_at_ns;
                } else {
                        s->watcher = entry->pl_kind->watcher;
                        n_watched++;
                }
        }
        sort_locks(s);
        return s->in_task || n_watched <= PLAIT_SELECT_THREAD_FDS ? 0 : -EINVAL;
}

/* --- one attempt --- */

/* Several cases may be about one object. */
static void lock_all(const struct selection *s) PL_NO_LOCK_CHECK
{
        struct pl_spin *before = NULL;

        for (unsigned i = 0; i < s->n_locks; i++) {
                struct pl_spin *lock = lock_of(&s->cases[s->cases[i].pl_lock_order]);

                if (lock != before)
                        pl_spin_lock(lock);
                before = lock;
        }
}

static void unlock_all(struct selection *s) PL_NO_LOCK_CHECK
{
        struct pl_spin *before = NULL;

        for (unsigned i = 0; i < s->n_locks; i++) {
                struct pl_spin *lock = lock_of(&s->cases[s->cases[i].pl_lock_order]);

                if (lock != before)
                        pl_spin_unlock(lock);
                before = lock;
        }
        if (s->after.wake)
                pl_sched_wake_ready(s->after.wake);
        free(s->after.unneeded);
        s->after = (struct pl_select_after){0};
}

static void look_at_all(const struct selection *s, bool sure)
{
        for (size_t i = 0; s->watcher && i < s->count; i++) {
                struct plait_case *entry = &s->cases[i];

                if (entry->pl_kind && entry->pl_kind->watcher)
                        entry->pl_ready = entry->pl_kind->watcher->look(entry, sure);
        }
}

static bool happens(struct selection *s, struct plait_case *entry, int64_t now_ns)
{
        if (is_queued(entry))
                return entry->pl_kind->take(entry, &s->after);
        if (entry->pl_kind->watcher)
                return entry->pl_ready;
        return entry->pl_at_ns <= now_ns;
}

/* With all locks held: the index of the case that has happened, or NOTHING. */
static int try_all(struct selection *s)
{
        int64_t now_ns = s->first_ns == PLAIT_NEVER ? PLAIT_NEVER - 1 : pl_plat_now_ns();

        for (unsigned i = 0; i < s->n_active; i++) {
                unsigned index = s->cases[i].pl_order;

                if (happens(s, &s->cases[index], now_ns))
                        return (int)index;
        }
        return NOTHING;
}

/* --- waiting --- */

static struct pl_wait *begin(const struct selection *s)
{
        struct pl_wait *wait = pl_sched_wait_begin(s->cause, s->cases);

        wait->node.link.prev = NULL;
        return wait;
}

/* With all locks held, and no case could happen: be in all queues. Or one has happened after all, then in none. */
static int queue_all(struct selection *s, struct pl_wait *wait)
{
        for (unsigned i = 0; i < s->n_active; i++) {
                unsigned index = s->cases[i].pl_order;
                struct plait_case *entry = &s->cases[index];

                if (!is_queued(entry))
                        continue;
                pl_select_node(entry)->wait = wait;
                if (!entry->pl_kind->take_or_queue(entry)) {
                        entry->pl_queued = 1;
                        continue;
                }
                for (size_t j = 0; j < s->count; j++) {
                        if (s->cases[j].pl_kind && s->cases[j].pl_queued)
                                s->cases[j].pl_kind->withdraw(&s->cases[j]);
                        s->cases[j].pl_queued = 0;
                }
                return (int)index;
        }
        return NOTHING;
}

/* After the wait: leave all queues. The index of the case through which it was claimed, or NOTHING. */
static int leave_queues(struct selection *s, const struct pl_wait *wait) PL_NO_LOCK_CHECK
{
        const struct pl_list *claimed = wait->node.link.prev;
        int won = NOTHING;

        for (size_t i = 0; i < s->count; i++) {
                struct plait_case *entry = &s->cases[i];

                if (!entry->pl_kind || !entry->pl_queued)
                        continue;
                entry->pl_queued = 0;
                if (&pl_select_node(entry)->link == claimed) {
                        entry->pl_kind->won(entry);
                        won = (int)i;
                        continue;
                }
                pl_spin_lock(lock_of(entry));
                entry->pl_kind->withdraw(entry);
                pl_spin_unlock(lock_of(entry));
        }
        return won;
}

static int64_t earlier(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

/* Nothing is watched: try, and if that fails wait. A case that has happened; NOTHING: try again; or how it ended. */
static int round_queued(struct selection *s, int64_t deadline_ns)
{
        lock_all(s);

        int chosen = try_all(s);
        struct pl_wait *wait = NULL;

        if (chosen == NOTHING && deadline_ns > 0) {
                wait = begin(s);
                chosen = queue_all(s, wait);
        }
        unlock_all(s);
        if (chosen != NOTHING) {
                if (wait)
                        pl_sched_wait_abandon(wait);
                return chosen;
        }
        if (!wait)
                return NOTHING;

        int waited = pl_sched_wait_finish(wait, earlier(deadline_ns, s->first_ns), PL_WAIT_LENDS);

        chosen = leave_queues(s, wait);
        return chosen == NOTHING && waited < 0 ? waited : chosen;
}

/* Stand at watched objects, from the first on, until one says that waiting makes no sense. How many; *ret: what it
 * said.
 */
static size_t stand_at_all(const struct selection *s, struct pl_wait *wait, int *ret)
{
        size_t i = 0;

        *ret = 0;
        for (; i < s->count && *ret == 0; i++)
                if (s->in_task && s->cases[i].pl_kind && s->cases[i].pl_kind->watcher)
                        *ret = s->watcher->stand(&s->cases[i], wait);
        return i;
}

/* Leave everything that the first *stood* cases stand at. The index of a case that has been closed, or NOTHING. */
static int stand_down(const struct selection *s, size_t stood)
{
        int closed = NOTHING;

        for (size_t i = 0; s->in_task && i < stood; i++)
                if (s->cases[i].pl_kind && s->cases[i].pl_kind->watcher && s->watcher->unqueue(&s->cases[i]))
                        closed = (int)i;
        for (size_t i = 0; s->in_task && i < stood; i++)
                if (s->cases[i].pl_kind && s->cases[i].pl_kind->watcher)
                        s->watcher->let_go(&s->cases[i]);
        return closed;
}

/* Some cases are watched, and none of all could happen. As round_queued(). */
static int wait_watching(struct selection *s, int notify_fd, int64_t deadline_ns)
{
        struct pl_wait *wait = begin(s);
        int stopped, waited;
        int chosen = NOTHING;

        if (!s->in_task)
                pl_sched_wait_notify(wait, notify_fd);

        size_t stood = stand_at_all(s, wait, &stopped);

        if (!stopped) {
                lock_all(s);
                chosen = try_all(s);
                if (chosen == NOTHING)
                        chosen = queue_all(s, wait);
                unlock_all(s);
        }
        deadline_ns = earlier(deadline_ns, s->first_ns);
        if (stopped || chosen != NOTHING) /* without waiting; but a watched one may have claimed it already */
                waited = pl_sched_wait_finish(wait, 0, PL_WAIT_LENDS | PL_WAIT_UNINTERRUPTIBLE);
        else if (s->in_task)
                waited = pl_sched_wait_finish(wait, deadline_ns, PL_WAIT_LENDS);
        else
                waited = s->watcher->block(s->cases, s->count, wait, notify_fd, deadline_ns);

        int won = leave_queues(s, wait);
        int closed = stand_down(s, stood);

        if (chosen != NOTHING || won != NOTHING)
                return chosen != NOTHING ? chosen : won;
        if (closed != NOTHING || stopped < 0)
                return closed != NOTHING ? closed : stopped;
        return stopped || waited >= 0 ? NOTHING : waited;
}

static int round_watching(struct selection *s, int64_t deadline_ns)
{
        look_at_all(s, deadline_ns <= 0 || !s->in_task);
        lock_all(s);

        int chosen = try_all(s);

        unlock_all(s);
        if (chosen != NOTHING || deadline_ns <= 0)
                return chosen;
        if (s->in_task)
                return wait_watching(s, -1, deadline_ns);

        int notify_fd = s->watcher->prepare();

        if (notify_fd < 0)
                return notify_fd;

        int r = wait_watching(s, notify_fd, deadline_ns);

        s->watcher->finish(notify_fd);
        return r;
}

/* --- the whole --- */

/* A time that has come, maybe the one that ended the wait. */
static int time_case(const struct selection *s)
{
        int64_t now_ns = s->first_ns == PLAIT_NEVER ? 0 : pl_plat_now_ns();

        for (size_t i = 0; s->first_ns <= now_ns && i < s->count; i++)
                if (s->cases[i].pl_kind == &time_kind && s->cases[i].pl_at_ns <= now_ns)
                        return (int)i;
        return NOTHING;
}

static bool settled(struct plait_case *entry)
{
        return !entry->pl_kind->settle || entry->result < 0 || entry->pl_kind->settle(entry);
}

static int select_from(struct selection *s, int64_t deadline_ns)
{
        for (;;) {
                if (deadline_ns != PLAIT_NEVER && deadline_ns > 0 && deadline_ns <= pl_plat_now_ns())
                        deadline_ns = 0;
                shuffle(s);

                int r = s->watcher ? round_watching(s, deadline_ns) : round_queued(s, deadline_ns);

                if (r == -ETIMEDOUT) {
                        r = time_case(s);
                        if (r == NOTHING)
                                return -ETIMEDOUT;
                }
                if (r >= 0 ? settled(&s->cases[r]) : r != NOTHING)
                        return r;
                if (r == NOTHING && deadline_ns <= 0)
                        return pl_sync_refuse();
        }
}

int pl_sync_select(struct plait_case *cases, size_t count, int64_t deadline_ns, enum pl_wait_cause cause)
{
        struct selection s = {
                .cases = cases, .count = count, .in_task = pl_sched_in_task(), .cause = cause, .first_ns = PLAIT_NEVER};

        if (count > PLAIT_SELECT_MAX)
                return -EINVAL;

        int r = prepare(&s);

        return r < 0 ? r : select_from(&s, deadline_ns);
}

struct plait_case plait_case_at(int64_t at_ns)
{
        return (struct plait_case){.pl_kind = &time_kind, .pl_at_ns = at_ns};
}

int plait_select(struct plait_case *cases, size_t count, int64_t deadline_ns)
{
        return pl_sync_select(cases, count, deadline_ns, PL_WAIT_SELECT);
}
