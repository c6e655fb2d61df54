/**
 * @file plait/tuner.h
 * How many at once? A limit that is found by measurement, and goes on being found while conditions change.
 *
 * Whoever has work to do asks a tuner how much of it may be under way, tells it when a piece begins and how it went,
 * and gets a limit that grows as long as that does good. A tuner has no clock and makes no threads: the time of each
 * event is the caller's, so it works the same in a simulation. docs/internals/tuning.md tells how it decides and what
 * was measured.
 *
 * - #PLAIT_TUNER_IO, for requests to one server: Gradient2 on the time to the first byte. The limit doubles while all
 *   goes well, shrinks when first bytes come later than they used to, and is cut by a tenth when the server refuses
 *   (status 429 or 503, a time-out). From time to time a fifth less is tried: if that does as much, it is kept.
 * - #PLAIT_TUNER_GOODPUT, for everything together: the same, but all that counts is how much gets done.
 * - #PLAIT_TUNER_CPU, for workers that compute: as many as processors (affinity and cgroup quota), more only when jobs
 *   block and fewer do less, fewer when the processor time of a job grows by more than a fifth and fewer do as much.
 *
 * Each decision can be seen: plait_tuner_look(), a callback, and `plait top`.
 *
 * The example simulates a server that answers within 10 ms and refuses a request that finds 40 others there.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <assert.h>
 *
 * enum { SERVED = 40, MOST = 1000 };
 *
 * int main(void)
 * {
 *         static struct plait_tuner_call calls[MOST];
 *         struct plait_tuner_opts opts = {.size = sizeof opts, .name = "simulated", .most = MOST};
 *         struct plait_tuner *tuner;
 *         struct plait_tuner_view view;
 *         int64_t now_ns = 0;
 *
 *         if (plait_tuner_new(&tuner, &opts) < 0)
 *                 return 1;
 *         for (int round = 0; round < 200; round++, now_ns += 10000000) {
 *                 unsigned n = plait_tuner_room(tuner, now_ns);
 *
 *                 for (unsigned i = 0; i < n; i++)
 *                         plait_tuner_begin(tuner, &calls[i], now_ns);
 *                 for (unsigned i = 0; i < n; i++) {
 *                         struct plait_tuner_sample sample = {
 *                                 .outcome = i < SERVED ? PLAIT_TUNER_OK : PLAIT_TUNER_REFUSED,
 *                                 .first_byte_ns = 10000000,
 *                         };
 *                         plait_tuner_end(tuner, &calls[i], &sample, now_ns + 10000000);
 *                 }
 *         }
 *         plait_tuner_look(tuner, &view);
 *         assert(view.limit > SERVED * 8 / 10 && view.limit <= SERVED + 1);
 *         assert(view.refused < view.ok / 20);
 *         plait_tuner_free(tuner);
 *         return 0;
 * }
 * @endcode
 */
#ifndef PLAIT_TUNER_H
#define PLAIT_TUNER_H

#include <plait/advise.h>
#include <plait/base.h>
#include <plait/errno.h>
#include <plait/time.h>

PLAIT_BEGIN_DECLS

/** A tuner; opaque. */
struct plait_tuner;

/** What a tuner goes by. */
enum plait_tuner_kind {
        PLAIT_TUNER_IO,      /**< the time to the first byte, goodput, refusals: requests to one server */
        PLAIT_TUNER_GOODPUT, /**< goodput alone: requests to many servers */
        PLAIT_TUNER_CPU,     /**< processors, blocking, processor time per job: jobs that compute */
};

/** How a piece of work went. */
enum plait_tuner_outcome {
        PLAIT_TUNER_OK,        /**< well */
        PLAIT_TUNER_REFUSED,   /**< it was turned away: status 429 or 503, a connection refused or reset */
        PLAIT_TUNER_TIMED_OUT, /**< it took too long */
        PLAIT_TUNER_FAILED,    /**< it failed in a way that says nothing of how much is under way */
};

/** Why a limit is what it is; plait_tuner_reason_name() puts it in words. */
enum plait_tuner_reason {
        PLAIT_TUNER_INITIAL,    /**< nothing is known yet */
        PLAIT_TUNER_DOUBLED,    /**< all went well at the beginning: twice as many */
        PLAIT_TUNER_GREW,       /**< no sign of a queue: a few more */
        PLAIT_TUNER_SLOWER,     /**< first bytes came later: fewer */
        PLAIT_TUNER_NO_GAIN,    /**< more did not get more done: back */
        PLAIT_TUNER_REFUSALS,   /**< the server refused: nine tenths, or what it took before */
        PLAIT_TUNER_TIMEOUTS,   /**< requests timed out: nine tenths */
        PLAIT_TUNER_TRYING,     /**< a fifth fewer, to see whether they do as much */
        PLAIT_TUNER_FEWER_DO,   /**< they did: it stays at that */
        PLAIT_TUNER_FEWER_LOSE, /**< they did not: as before */
        PLAIT_TUNER_BLOCKED,    /**< jobs block: more workers than processors */
        PLAIT_TUNER_UNBLOCKED,  /**< jobs block less than before: fewer workers */
        PLAIT_TUNER_PROCESSORS, /**< there are more processors to use than before, or fewer */
        PLAIT_TUNER_REASONS,    /**< how many there are */
};

/** The most that a tuner allows unless told otherwise. */
#define PLAIT_TUNER_MOST 1024U

/** A piece of work under way. The caller keeps it from plait_tuner_begin() to plait_tuner_end(). */
struct plait_tuner_call {
        int64_t begin_ns; /**< when it began */
        /** @cond private */
        uint32_t pl_epoch;
        uint32_t pl_cuts;
        unsigned pl_in_flight;
        /** @endcond */
};

/** How it went. What is not known is zero. */
struct plait_tuner_sample {
        enum plait_tuner_outcome outcome; /**< well or not */
        int64_t first_byte_ns;            /**< I/O: from the question to the answer's first byte, connecting left out */
        int64_t retry_after_ns; /**< I/O: for how long the server wants to be left alone; 0: it does not say */
        uint64_t bytes;         /**< I/O: received */
        int64_t cpu_ns;         /**< CPU: processor time that it took */
        int64_t blocked_ns;     /**< CPU: how long it was blocked, without waits for a processor */
        uint64_t pieces;        /**< CPU: how many jobs these are the sums of, made one after the other; 0: one */
};

/** A tuner as it is at a moment. */
struct plait_tuner_view {
        unsigned limit;                 /**< how many may be under way */
        unsigned in_flight;             /**< how many are */
        unsigned was;                   /**< the limit before the last change */
        enum plait_tuner_reason reason; /**< of the last change */
        int64_t changed_ns;             /**< when that was, by the caller's clock */
        int64_t hold_until_ns;          /**< nothing may begin before that (Retry-After); 0: it may */
        unsigned ceiling;               /**< the most that the server took; the greatest limit: it has refused none */
        double per_s;                   /**< goodput: pieces that went well in a second, lately */
        double first_byte_s;            /**< mean time to the first byte, lately */
        uint64_t ok;                    /**< how many went well */
        uint64_t refused;               /**< how many were refused or timed out */
};

/** What a tuner is for. Zero means the default in every member but *size*. */
struct plait_tuner_opts {
        size_t size;                /**< sizeof(struct plait_tuner_opts) */
        enum plait_tuner_kind kind; /**< default #PLAIT_TUNER_IO */
        const char *name;           /**< for `plait top`, as "example.org:443"; copied, cut at 47 bytes */
        unsigned least;             /**< default 1 */
        unsigned first;             /**< the limit to begin with; default 8, of CPU: the processors */
        unsigned most;              /**< default #PLAIT_TUNER_MOST, of CPU: 8 for each processor */
        unsigned processors;        /**< of CPU: default what this process may use now */
        /** Called with *arg* after each change of the limit, in the thread that called plait_tuner_end() or
           plait_tuner_set_processors(), without a lock held. May call plait_tuner_look() and plait_tuner_room(), and
           must not suspend. */
        void (*on_change)(void *arg, const struct plait_tuner_view *view);
        void *arg; /**< handed to *on_change* */
};

/**
 * Make a tuner.
 * @param ret   the tuner, to be freed with plait_tuner_free()
 * @param opts  NULL for the defaults
 * @return 0, or
 *   - -EINVAL  an option is out of its range: *least* <= *first* <= *most* <= 1,000,000
 *   - -ENOMEM  no memory
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_tuner_new(struct plait_tuner **ret, const struct plait_tuner_opts *opts);

/**
 * Free a tuner.
 * @param tuner  nothing may be under way; NULL does nothing
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_tuner_free(struct plait_tuner *tuner);

/**
 * How many pieces may begin now.
 * @param tuner   the tuner
 * @param now_ns  the time
 * @return the limit less what is under way; 0 also while the server wants to be left alone
 * (plait_tuner_view.hold_until_ns)
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API unsigned plait_tuner_room(struct plait_tuner *tuner, int64_t now_ns);

/**
 * A piece begins. That is counted whether there is room or not.
 * @param tuner   the tuner
 * @param call    filled in; the caller's until plait_tuner_end()
 * @param now_ns  the time, no earlier than at former calls but for what different threads see of a clock
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_tuner_begin(struct plait_tuner *tuner, struct plait_tuner_call *call, int64_t now_ns);

/**
 * A piece has ended; the limit may change by that.
 * @param tuner   the tuner
 * @param call    as plait_tuner_begin() filled it in
 * @param sample  how it went
 * @param now_ns  the time
 *
 * Threads: any, also another than that which began it. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_tuner_end(struct plait_tuner *tuner, const struct plait_tuner_call *call,
                               const struct plait_tuner_sample *sample, int64_t now_ns);

/**
 * Say that the processors have changed which may be used: a quota was raised, say. The limit changes in proportion, and
 * with it the most that is allowed, if that was not given when the tuner was made.
 * @param tuner       of the kind #PLAIT_TUNER_CPU
 * @param processors  how many there are now, 1 to 125,000; the same as before does nothing
 * @param now_ns      the time
 * @return 0, or
 *   - -EINVAL  *processors* is out of its range, or the tuner is of another kind
 *
 * Threads: any; *on_change* is called in this one. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_tuner_set_processors(struct plait_tuner *tuner, unsigned processors,
                                                          int64_t now_ns);

/**
 * Look at a tuner.
 * @param tuner  the tuner
 * @param ret    filled in
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_tuner_look(struct plait_tuner *tuner, struct plait_tuner_view *ret);

/**
 * What was measured at different limits, for plait_advise().
 * @param tuner  the tuner
 * @param ret    filled in, by rising number at once
 * @param most   how many fit there; 64 are enough for all
 * @return how many were filled in
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API size_t plait_tuner_runs(struct plait_tuner *tuner, struct plait_advise_run *ret, size_t most);

/**
 * A reason in words.
 * @param reason  of a view
 * @return a static string such as "first bytes came later"
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API const char *plait_tuner_reason_name(enum plait_tuner_reason reason);

PLAIT_END_DECLS

#endif
