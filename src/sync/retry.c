/* Trying again, with exponential back-off and full jitter. */
#include "plait/retry.h"

#include "plait/scope.h"
#include "plait/task.h"
#include "plait/within.h"
#include "plat/sys.h"

enum {
        ATTEMPTS = 5,
        FIRST_NS = 100 * 1000 * 1000,
};

static const int64_t most_default_ns = INT64_C(10) * 1000 * 1000 * 1000;

bool plait_is_transient(int error)
{
        switch (-error) {
        case EAGAIN:
        case EBUSY:
        case EINTR:
        case ETIMEDOUT:
        case ECONNREFUSED:
        case ECONNRESET:
        case ECONNABORTED:
        case EPIPE:
        case EHOSTDOWN:
        case EHOSTUNREACH:
        case ENETDOWN:
        case ENETRESET:
        case ENETUNREACH:
        case ENOBUFS: return true;
        default: return false;
        }
}

static bool in_range(const struct plait_retry_opts *opts)
{
        return opts->size == sizeof *opts && opts->first_ns >= 0 && opts->most_ns >= 0 && opts->attempt_ns >= 0 &&
               opts->deadline_ns >= 0;
}

static struct plait_retry_opts with_defaults(const struct plait_retry_opts *opts)
{
        struct plait_retry_opts all = opts ? *opts : (struct plait_retry_opts){.size = sizeof all};

        if (!all.attempts)
                all.attempts = ATTEMPTS;
        if (!all.first_ns)
                all.first_ns = FIRST_NS;
        if (!all.most_ns)
                all.most_ns = most_default_ns;
        return all;
}

static int64_t random_pause_ns(const struct plait_retry_opts *opts, unsigned attempt)
{
        unsigned doublings = attempt - 1;
        int64_t most_ns = doublings < 62 && opts->first_ns <= opts->most_ns >> doublings ? opts->first_ns << doublings
                                                                                         : opts->most_ns;

        return (int64_t)(pl_plat_random_u64() % ((uint64_t)most_ns + 1));
}

static bool is_retryable(const struct plait_retry_opts *opts, int error, unsigned attempt, void *arg)
{
        return opts->retryable ? opts->retryable(error, attempt, arg) : plait_is_transient(error);
}

static int call(const struct plait_retry_opts *opts, int (*fn)(void *arg), void *arg)
{
        return opts->attempt_ns ? plait_call_within(plait_in_ns(opts->attempt_ns), fn, arg) : fn(arg);
}

static int try(const struct plait_retry_opts *opts, int (*fn)(void *arg), void *arg)
{
        for (unsigned attempt = 1;; attempt++) {
                int error = call(opts, fn, arg);

                if (error >= 0)
                        return error;
                int r = plait_cancelled();
                if (r < 0)
                        return r == -ECANCELED ? r : error;
                if (attempt == opts->attempts || !is_retryable(opts, error, attempt, arg))
                        return error;
                int64_t until_ns = plait_in_ns(random_pause_ns(opts, attempt));
                if (opts->deadline_ns && until_ns >= opts->deadline_ns)
                        return error;
                r = plait_sleep(until_ns);
                if (r < 0)
                        return r == -ECANCELED ? r : error;
        }
}

int plait_retry(int (*fn)(void *arg), void *arg, const struct plait_retry_opts *opts)
{
        if (!fn || (opts && !in_range(opts)))
                return -EINVAL;
        struct plait_retry_opts all = with_defaults(opts);
        struct plait_scope scope = {.deadline_ns = all.deadline_ns, .pl_where = "plait_retry()"};
        if (all.attempt_ns || all.deadline_ns) {
                int r = plait_scope_open(&scope);

                if (r < 0)
                        return r;
        }
        int r = try(&all, fn, arg);
        (void)plait_scope_join(&scope);
        return r;
}
