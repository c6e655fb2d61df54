/*
 * Calls as they complete. Each that ends is appended to a list, and the semaphore then has one permit more: who takes
 * one finds at least one call in the list, and takes the first.
 */
#include "plait/as_completed.h"

#include "plat/spin.h"
#include "sync/calls.h"

static struct pl_spin *list_lock(struct plait_as_completed *each)
{
        return (struct pl_spin *)(void *)&each->pl_lock;
}

static void append(struct plait_as_completed *each, struct plait_call *call)
{
        call->pl_next = NULL;
        pl_spin_lock(list_lock(each));
        if (each->pl_first)
                each->pl_last->pl_next = call;
        else
                each->pl_first = call;
        each->pl_last = call;
        pl_spin_unlock(list_lock(each));
}

static struct plait_call *take_first(struct plait_as_completed *each)
{
        pl_spin_lock(list_lock(each));
        struct plait_call *call = each->pl_first;
        each->pl_first = call->pl_next;
        pl_spin_unlock(list_lock(each));
        return call;
}

/* An error is the call's and not the scope's. There is room for a permit: no more calls than permits can be started. */
static int make_call(void *arg)
{
        struct plait_call *call = arg;
        struct plait_as_completed *each = call->pl_all;

        pl_sync_call_make(call);
        append(each, call);
        (void)plait_semaphore_release(&each->pl_ended, 1);
        return 0;
}

int plait_as_completed_start(struct plait_as_completed *each, struct plait_call *calls, size_t n,
                             const struct plait_gather_opts *opts)
{
        int r = n > PLAIT_SEMAPHORE_MAX ? -EINVAL : pl_sync_calls_check(calls, n, opts, 0);

        if (r < 0)
                return r;
        *each = (struct plait_as_completed){.pl_scope = {.deadline_ns = opts ? opts->deadline_ns : 0,
                                                         .limit = opts ? opts->limit : 0,
                                                         .pl_where = "plait_as_completed_start()"},
                                            .pl_left = n};
        r = plait_scope_open(&each->pl_scope);
        if (r < 0)
                return r;
        r = pl_sync_calls_start(&each->pl_scope, calls, n, make_call, each);
        if (r < 0)
                plait_as_completed_finish(each);
        return r;
}

int plait_as_completed_next(struct plait_as_completed *each, int64_t deadline_ns, struct plait_call **ret_call)
{
        if (!each->pl_left)
                return 0;
        int r = plait_semaphore_acquire(&each->pl_ended, deadline_ns);
        if (r < 0)
                return r;
        *ret_call = take_first(each);
        each->pl_left--;
        return 1;
}

void plait_as_completed_finish(struct plait_as_completed *each)
{
        plait_scope_cancel_because(&each->pl_scope, "the iteration over the calls has been left");
        (void)plait_scope_join(&each->pl_scope);
}
