/*
 * The circuit breaker. It is open from the failure that is one too many until pl_open_until_ns has passed and a call
 * has succeeded. From then on one caller at a time is let through, who is the probe (pl_probing). Under the lock.
 */
#include "plait/breaker.h"

#include "plait/retry.h"
#include "plait/scope.h"
#include "plait/within.h"
#include "plat/spin.h"
#include "plat/sys.h"

enum { FAILURES = 5 };

static const int64_t open_default_ns = INT64_C(10) * 1000 * 1000 * 1000;

static struct pl_spin *lock_of(struct plait_breaker *breaker)
{
        return (struct pl_spin *)(void *)&breaker->pl_lock;
}

/* The next three under the lock. */
static bool has_tripped(const struct plait_breaker *breaker)
{
        return breaker->pl_failed >= (breaker->failures ? breaker->failures : FAILURES);
}

static bool is_open(const struct plait_breaker *breaker)
{
        return has_tripped(breaker) && (breaker->pl_probing || pl_plat_now_ns() < breaker->pl_open_until_ns);
}

static void count(struct plait_breaker *breaker, bool failed)
{
        if (!failed) {
                breaker->pl_failed = 0;
                return;
        }
        if (!has_tripped(breaker))
                breaker->pl_failed++;
        if (has_tripped(breaker))
                breaker->pl_open_until_ns = plait_in_ns(breaker->open_ns ? breaker->open_ns : open_default_ns);
}

int plait_breaker_call(struct plait_breaker *breaker, int (*fn)(void *arg), void *arg)
{
        if (!fn || breaker->timeout_ns < 0 || breaker->open_ns < 0)
                return -EINVAL;
        struct plait_scope scope = {.deadline_ns = plait_in_ns(breaker->timeout_ns),
                                    .pl_where = "plait_breaker_call()"};
        int r = breaker->timeout_ns ? plait_scope_open(&scope) : 0;
        if (r < 0)
                return r;

        pl_spin_lock(lock_of(breaker));
        bool open = is_open(breaker);
        bool probe = !open && has_tripped(breaker);
        if (probe)
                breaker->pl_probing = 1;
        pl_spin_unlock(lock_of(breaker));

        r = open ? -EAGAIN : fn(arg);
        (void)plait_scope_join(&scope);
        if (open)
                return r;
        bool counts = r >= 0 || !plait_cancelled();

        pl_spin_lock(lock_of(breaker));
        if (counts)
                count(breaker, plait_is_transient(r));
        if (probe)
                breaker->pl_probing = 0;
        pl_spin_unlock(lock_of(breaker));
        return r;
}

bool plait_breaker_is_open(struct plait_breaker *breaker)
{
        pl_spin_lock(lock_of(breaker));
        bool open = is_open(breaker);
        pl_spin_unlock(lock_of(breaker));
        return open;
}
