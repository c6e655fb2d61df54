/*
 * The rate limiter: a token bucket of which only the moment is kept at which it was, or would have been, empty. Tokens
 * are what has passed since then by the interval; taking some moves the moment on.
 *
 * Waiting. One waiter is being served: it simply sleeps until its tokens are there, and nobody else can take any
 * meanwhile. The others stand in the queue. Who has been served, or gives up being served, hands the place on to the
 * first in the queue; pl_served says that somebody has it. All under the lock.
 */
#include "plait/limiter.h"

#include <stdbool.h>

#include "plait/task.h"
#include "plat/sys.h"
#include "sync/waiters.h"

static struct pl_spin *lock_of(struct plait_limiter *limiter)
{
        return (struct pl_spin *)(void *)&limiter->pl_lock;
}

int plait_limiter_init(struct plait_limiter *limiter, double per_second, unsigned burst)
{
        if (!(per_second >= 1e-6 && per_second <= 1e6) || !burst)
                return -EINVAL;
        int64_t interval_ns = (int64_t)(1e9 / per_second + 0.5);
        if (burst > INT64_MAX / 4 / interval_ns)
                return -EINVAL;
        *limiter = (struct plait_limiter){
                .pl_interval_ns = interval_ns, .pl_burst = burst, .pl_empty_ns = INT64_MIN / 2};
        return 0;
}

/* When there will be so many tokens. Tokens beyond the burst are poured away here. */
static int64_t ready_ns(struct plait_limiter *limiter, unsigned tokens, int64_t now_ns)
{
        int64_t full_ns = limiter->pl_interval_ns * limiter->pl_burst;

        if (limiter->pl_empty_ns < now_ns - full_ns)
                limiter->pl_empty_ns = now_ns - full_ns;
        return limiter->pl_empty_ns + limiter->pl_interval_ns * tokens;
}

/* Under the lock. */
static bool take(struct plait_limiter *limiter, unsigned tokens)
{
        int64_t now_ns = pl_plat_now_ns();

        if (ready_ns(limiter, tokens, now_ns) > now_ns)
                return false;
        limiter->pl_empty_ns += limiter->pl_interval_ns * tokens;
        return true;
}

static bool take_unless_waited_for(struct plait_limiter *limiter, unsigned tokens)
{
        return !limiter->pl_served && take(limiter, tokens);
}

/* The caller is not the one that is being served any more. Called with the lock, which it releases. */
static void hand_on(struct plait_limiter *limiter) PL_NO_LOCK_CHECK
{
        struct pl_wait_node *next = pl_sync_claim(&limiter->pl_waiters);

        limiter->pl_served = next != NULL;
        pl_spin_unlock(lock_of(limiter));
        if (next)
                pl_sched_wake_ready(next->wait);
}

/* Be served: it is the caller's turn. */
static int be_served(struct plait_limiter *limiter, unsigned tokens, int64_t deadline_ns) PL_NO_LOCK_CHECK
{
        for (int r = 0;;) {
                pl_spin_lock(lock_of(limiter));
                bool served = take(limiter, tokens);
                int64_t until_ns = served ? 0 : ready_ns(limiter, tokens, pl_plat_now_ns());
                if (served || r < 0) {
                        hand_on(limiter);
                        return served ? 0 : r;
                }
                pl_spin_unlock(lock_of(limiter));
                r = plait_sleep(until_ns < deadline_ns ? until_ns : deadline_ns);
                if (r == 0 && deadline_ns < until_ns)
                        r = -ETIMEDOUT;
        }
}

int plait_limiter_acquire(struct plait_limiter *limiter, unsigned tokens, int64_t deadline_ns)
{
        if (tokens > limiter->pl_burst)
                return -EINVAL;
        pl_spin_lock(lock_of(limiter));
        if (!tokens || take_unless_waited_for(limiter, tokens)) {
                pl_spin_unlock(lock_of(limiter));
                return 0;
        }
        if (deadline_ns <= 0) {
                pl_spin_unlock(lock_of(limiter));
                return pl_sync_refuse();
        }
        if (!limiter->pl_served) {
                limiter->pl_served = 1;
                pl_spin_unlock(lock_of(limiter));
                return be_served(limiter, tokens, deadline_ns);
        }
        struct pl_wait *wait = pl_sync_enqueue(&limiter->pl_waiters, PL_WAIT_LIMITER, limiter, NULL);
        pl_spin_unlock(lock_of(limiter));
        int r = pl_sched_wait_finish(wait, deadline_ns, 0);
        if (r == 0)
                return be_served(limiter, tokens, deadline_ns);
        pl_spin_lock(lock_of(limiter));
        pl_sync_remove(&limiter->pl_waiters, &wait->node);
        pl_spin_unlock(lock_of(limiter));
        return r;
}

int plait_limiter_try_acquire(struct plait_limiter *limiter, unsigned tokens)
{
        if (tokens > limiter->pl_burst)
                return -EINVAL;
        pl_spin_lock(lock_of(limiter));
        bool taken = !tokens || take_unless_waited_for(limiter, tokens);
        pl_spin_unlock(lock_of(limiter));
        return taken ? 0 : -EAGAIN;
}
