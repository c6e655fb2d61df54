/*
 * Racing calls. The first that succeeds makes itself the winner by a CAS and cancels the scope; a failure tells the
 * starter, which may be waiting before it makes the next call. The starter's own wait is in the scope, too: a winner
 * ends it.
 */
#include "plait/race.h"

#include <stdbool.h>

#include "plait/scope.h"
#include "plait/semaphore.h"
#include "plait/time.h"
#include "sync/calls.h"

struct race {
        struct plait_scope scope;
        struct plait_semaphore failures;
        struct plait_call *winner;
        int error; /* the first one */
};

static void win(struct race *race, struct plait_call *call)
{
        struct plait_call *nobody = NULL;

        if (__atomic_compare_exchange_n(&race->winner, &nobody, call, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
                plait_scope_cancel_because(&race->scope, "another call has won the race");
}

static void lose(struct race *race, int error)
{
        int none = 0;

        __atomic_compare_exchange_n(&race->error, &none, error, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
        (void)plait_semaphore_release(&race->failures, 1); /* nobody counts on more than it can hold */
}

static int make_call(void *arg)
{
        struct plait_call *call = arg;
        struct race *race = call->pl_all;

        pl_sync_call_make(call);
        if (call->result >= 0)
                win(race, call);
        else
                lose(race, call->result);
        return 0;
}

/* Until it is time for one more call: false when it is not to be made. */
static bool wait_for_turn(struct race *race, int64_t delay_ns)
{
        int r = delay_ns ? plait_semaphore_acquire(&race->failures, plait_in_ns(delay_ns)) : 0;

        return (r == 0 || r == -ETIMEDOUT) && plait_cancelled() == 0;
}

static int start_all(struct race *race, struct plait_call *calls, size_t n, int64_t delay_ns)
{
        for (size_t i = 0; i < n; i++) {
                if (i > 0 && !wait_for_turn(race, delay_ns))
                        return 0;
                int r = pl_sync_calls_start(&race->scope, &calls[i], 1, make_call, race);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int run(struct plait_call *calls, size_t n, int64_t delay_ns, int64_t deadline_ns, size_t *ret_winner)
{
        struct race race = {.scope = {.deadline_ns = deadline_ns | 1, .pl_where = "plait_race()"}};
        int r = n ? pl_sync_calls_check(calls, n, NULL, 0) : -EINVAL;

        if (r == 0)
                r = plait_scope_open(&race.scope);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                calls[i].result = -ECANCELED;
        r = start_all(&race, calls, n, delay_ns);
        (void)plait_scope_join(&race.scope);
        if (race.winner) {
                if (ret_winner)
                        *ret_winner = (size_t)(race.winner - calls);
                return race.winner->result;
        }
        return r < 0 ? r : race.error;
}

int plait_race(struct plait_call *calls, size_t n, int64_t deadline_ns, size_t *ret_winner)
{
        return run(calls, n, 0, deadline_ns, ret_winner);
}

int plait_hedge(struct plait_call *calls, size_t n, int64_t delay_ns, int64_t deadline_ns, size_t *ret_winner)
{
        return delay_ns < 0 ? -EINVAL : run(calls, n, delay_ns, deadline_ns, ret_winner);
}
