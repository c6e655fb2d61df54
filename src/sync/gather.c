/* Gathering: a task for each call, in a scope that waits for all. */
#include "plait/gather.h"

#include <stdbool.h>

#include "plait/future.h"
#include "plait/scope.h"
#include "sync/calls.h"

static bool in_range(const struct plait_gather_opts *opts, unsigned flags)
{
        return !opts || (opts->size == sizeof *opts && !(opts->flags & ~flags) && opts->deadline_ns >= 0);
}

int pl_sync_calls_check(const struct plait_call *calls, size_t n, const struct plait_gather_opts *opts, unsigned flags)
{
        if (!in_range(opts, flags))
                return -EINVAL;
        for (size_t i = 0; i < n; i++)
                if (!calls[i].fn)
                        return -EINVAL;
        return 0;
}

void pl_sync_call_make(struct plait_call *call)
{
        int r = plait_cancelled();

        call->result = r < 0 ? r : call->fn(call->arg);
}

int pl_sync_calls_start(struct plait_scope *scope, struct plait_call *calls, size_t n, int (*make)(void *call),
                        void *all)
{
        int r = 0;

        for (size_t i = 0; i < n; i++) {
                calls[i].pl_all = all;
                calls[i].result = r < 0 ? -ECANCELED : 0;
                if (r == 0 && (r = plait_scope_go(scope, make, &calls[i])) < 0)
                        calls[i].result = r;
        }
        return r;
}

int plait_call_future(void *future)
{
        int result;
        int r = plait_future_wait(future, PLAIT_NEVER, &result, NULL);

        if (r == 0)
                return result;
        plait_future_cancel(future);
        return r;
}

static int make_call(void *arg)
{
        struct plait_call *call = arg;

        pl_sync_call_make(call);
        return call->result;
}

static int make_call_and_collect(void *arg)
{
        pl_sync_call_make(arg);
        return 0;
}

/* Of as many as an int can hold. */
static int count_failed(const struct plait_call *calls, size_t n)
{
        int failed = 0;

        for (size_t i = 0; i < n && failed < INT_MAX; i++)
                failed += calls[i].result < 0;
        return failed;
}

int plait_gather(struct plait_call *calls, size_t n, const struct plait_gather_opts *opts)
{
        bool collect = opts && (opts->flags & PLAIT_GATHER_COLLECT);
        struct plait_scope scope = {.deadline_ns = opts ? opts->deadline_ns : 0,
                                    .limit = opts ? opts->limit : 0,
                                    .pl_where = "plait_gather()"};
        int r = pl_sync_calls_check(calls, n, opts, PLAIT_GATHER_COLLECT);

        if (r == 0)
                r = plait_scope_open(&scope);
        if (r < 0)
                return r;
        r = pl_sync_calls_start(&scope, calls, n, collect ? make_call_and_collect : make_call, NULL);
        if (r < 0)
                plait_scope_cancel(&scope);
        int joined = plait_scope_join(&scope);
        return r < 0 ? r : collect ? count_failed(calls, n) : joined;
}
