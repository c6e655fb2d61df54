/* Deadlines and shields around a call or a block. */
#include "plait/within.h"

#include "plat/panic.h"
#include "sched/scope.h"

int plait_call_within(int64_t deadline_ns, int (*fn)(void *arg), void *arg)
{
        struct plait_scope scope = {.deadline_ns = deadline_ns | 1,
                                    .pl_where = "plait_call_within()"}; /* 0 has passed */
        int r = fn ? plait_scope_open(&scope) : -EINVAL;

        if (r < 0)
                return r;
        r = fn(arg);
        (void)plait_scope_join(&scope);
        return r;
}

/* The head of a loop that is run through once: true, then false. */
int plait_block_begin(struct plait_scope *scope)
{
        if (scope->pl_state != PL_SCOPE_CLOSED) {
                (void)plait_scope_join(scope);
                return false;
        }
        if (plait_scope_open(scope) < 0)
                pl_panic("the block at %s is entered where no scope can be opened: a deadline or a shield works in a "
                         "task that is not compact",
                         scope->pl_where);
        return true;
}

/* However the block is left. */
void plait_block_end(struct plait_scope *scope)
{
        (void)plait_scope_join(scope);
}
