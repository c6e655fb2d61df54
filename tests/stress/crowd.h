/* A crowd of tasks, each blocked on the same event, and the memory that is left when it has gone. */
#ifndef STRESS_CROWD_H
#define STRESS_CROWD_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/task.h"
#include "harness/test.h"

enum { CROWD_LEFT_BYTES = 64 << 20, CROWD_GONE_MS = 10000 }; /* it takes about a second on an idle machine */

struct crowd {
        struct plait_event go;
        atomic_long there, woken;
};

static inline int64_t crowd_resident_bytes(void)
{
        long pages = 0;
        FILE *file = fopen("/proc/self/statm", "r");

        CHECK(file);
        CHECK_INT(fscanf(file, "%*s %ld", &pages), ==, 1);
        fclose(file);
        return pages * sysconf(_SC_PAGESIZE);
}

static inline int crowd_member(void *arg)
{
        struct crowd *crowd = arg;

        atomic_fetch_add(&crowd->there, 1);
        CHECK_OK(plait_event_wait(&crowd->go, PLAIT_NEVER));
        atomic_fetch_add(&crowd->woken, 1);
        return 0;
}

/* In a task: *n* tasks alive at once, all woken. Returns what was resident then. */
static inline int64_t crowd_gathers(long n)
{
        struct crowd crowd = {.there = 0};
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (long i = 0; i < n; i++)
                CHECK_OK(plait_scope_go(&scope, crowd_member, &crowd));
        while (atomic_load(&crowd.there) < n)
                plait_yield();
        CHECK_INT(crowd.woken, ==, 0);
        int64_t bytes = crowd_resident_bytes();
        plait_event_set(&crowd.go);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        CHECK_INT(crowd.woken, ==, n);
        return bytes;
}

/* In a task: what is resident falls below CROWD_LEFT_BYTES within CROWD_GONE_MS of now, while the run goes on. */
static inline void crowd_is_gone(void)
{
        int64_t start_ns = plait_now_ns();
        int64_t end_ns = start_ns + INT64_C(1000000) * CROWD_GONE_MS * test_slowness();
        int64_t bytes;

        while ((bytes = crowd_resident_bytes()) >= CROWD_LEFT_BYTES) {
                CHECK_INT(plait_now_ns(), <, end_ns);
                CHECK_OK(plait_sleep(plait_in_ms(5)));
        }
        printf("%lld bytes resident after %.0f ms\n", (long long)bytes, (double)(plait_now_ns() - start_ns) * 1e-6);
}

#endif
