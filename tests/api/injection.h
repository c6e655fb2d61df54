/*
 * Cancellation at every wait in turn: PLAIT_DEBUG=cancel=N cancels at the N-th. A step runs again and again, cancelled
 * at its first wait, its second and so on, until there is none left; after each run nothing may be lost, open or
 * allocated. (AddressSanitizer looks for leaked memory at the end of each case, the harness for descriptors.)
 */
#ifndef API_INJECTION_H
#define API_INJECTION_H

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/task.h"
#include "harness/test.h"

enum { WAITS_MOST = 400, UNDISTURBED = 3 };

static atomic_int injected;       /* waits that were seen to end so */
static atomic_int started, ended; /* tasks */
static atomic_int made, freed;    /* items */
static atomic_int resources;      /* descriptors and the like that are in use */

/* What each wait of the scenario returned goes through this. */
static inline int seen(int r)
{
        char reason[PLAIT_REASON_BYTES];

        if (r == -ECANCELED && plait_cancel_reason(reason, sizeof reason) == -ECANCELED && strstr(reason, "injected"))
                atomic_fetch_add(&injected, 1);
        return r;
}

struct start {
        int (*fn)(void *arg);
        void *arg;
};

static inline int counted(void *arg)
{
        struct start start = *(struct start *)arg;

        free(arg);
        int r = start.fn(start.arg);
        atomic_fetch_add(&ended, 1);
        return r;
}

static inline void go(struct plait_scope *scope, int (*fn)(void *), void *arg)
{
        struct start *start = malloc(sizeof *start);

        CHECK(start);
        *start = (struct start){fn, arg};
        atomic_fetch_add(&started, 1);
        CHECK_OK(plait_scope_go(scope, counted, start));
}

static inline int join(struct plait_scope *scope, int r)
{
        if (r < 0)
                plait_scope_cancel(scope);
        int joined = plait_scope_join(scope);
        return r < 0 ? r : joined;
}

static inline long open_descriptors(void)
{
        long n = 0;

        for (int fd = 0; fd < 1024; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

static inline void nothing_is_held(void)
{
        CHECK_INT(started, ==, ended);
        CHECK_INT(made, ==, freed);
        CHECK_INT(resources, ==, 0);
}

/* One run, cancelled at the n-th wait; whether anything came of it. What completes at the same moment counts all the
 * same. */
static inline bool inject_at(int n, int (*step)(void *), unsigned workers)
{
        struct plait_run_opts opts = {.size = sizeof opts, .workers = workers};
        const char *more = getenv("PLAIT_TEST_DEBUG");
        char setting[64];

        snprintf(setting, sizeof setting, "cancel=%d%s%s", n, more ? "," : "", more ? more : "");
        CHECK_INT(setenv("PLAIT_DEBUG", setting, 1), ==, 0);
        injected = 0;
        int r = plait_run(step, NULL, &opts);
        nothing_is_held();
        if (r != -ECANCELED)
                CHECK_INT(r, ==, 0);
        return injected || r == -ECANCELED;
}

static inline int inject_until_none(int (*step)(void *), unsigned workers)
{
        int disturbed = 0, undisturbed = 0;

        for (int n = 1; undisturbed < UNDISTURBED; n++) {
                CHECK_INT(n, <, WAITS_MOST);
                if (inject_at(n, step, workers)) {
                        disturbed++;
                        undisturbed = 0;
                } else {
                        undisturbed++;
                }
        }
        return disturbed;
}

/*
 * Run *step* with a cancellation at each wait in turn: with one worker, where it has to have at least *waits_least*,
 * and with several, where that depends on who is faster.
 */
static inline void inject_everywhere(int (*step)(void *), int waits_least)
{
        const char *debug = getenv("PLAIT_DEBUG");

        if (debug && *debug && !strstr(debug, "cancel="))
                CHECK_INT(setenv("PLAIT_TEST_DEBUG", debug, 1), ==, 0); /* to be kept: migrate, say */
        inject_at(WAITS_MOST, step, 1);                                 /* the first run opens descriptors that stay */
        long before = open_descriptors();
        CHECK_INT(inject_until_none(step, 1), >=, waits_least);
        inject_until_none(step, 3);
        CHECK_INT(open_descriptors(), ==, before);
}

#endif
