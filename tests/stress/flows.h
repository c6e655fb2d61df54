/*
 * Runs a function in several tasks and several plain threads at the same time.
 */
#ifndef STRESS_FLOWS_H
#define STRESS_FLOWS_H

#include <errno.h>
#include <plait/plait.h>
#include <pthread.h>

#include "harness/task.h"
#include "harness/test.h"

enum { FLOWS_MOST = 32 };

struct flow {
        int (*fn)(void *arg);
        void *arg;
        unsigned number;
};

static inline void *flow_in_thread(void *arg)
{
        struct flow *flow = arg;

        CHECK_OK(flow->fn(flow));
        return NULL;
}

static inline int flow_in_task(void *arg)
{
        struct flow *flow = arg;

        return flow->fn(flow);
}

/*
 * Call from a task. *fn* gets a struct flow * with *arg* and a number: 0 to n_tasks - 1 in tasks, from there on in
 * threads. The threads have to end without the help of tasks once all tasks have ended.
 */
static inline void run_flows(unsigned n_tasks, unsigned n_threads, int (*fn)(void *flow), void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow flows[FLOWS_MOST];
        pthread_t threads[FLOWS_MOST];

        CHECK_UINT(n_tasks + n_threads, <=, FLOWS_MOST);
        for (unsigned i = 0; i < n_tasks + n_threads; i++) {
                flows[i] = (struct flow){.fn = fn, .arg = arg, .number = i};
                if (i < n_tasks)
                        CHECK_OK(plait_scope_go(&scope, flow_in_task, &flows[i]));
                else
                        CHECK_INT(pthread_create(&threads[i], NULL, flow_in_thread, &flows[i]), ==, 0);
        }
        CHECK_OK(plait_scope_join(&scope));
        for (unsigned i = n_tasks; i < n_tasks + n_threads; i++)
                CHECK_INT(pthread_join(threads[i], NULL), ==, 0);
}

/* Call from a task. So many times, four tasks do fn(arg) until they are cancelled, sooner or later. */
static inline void cancel_again_and_again(int rounds, int (*fn)(void *arg), void *arg)
{
        for (int i = 0; i < rounds; i++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;

                for (int k = 0; k < 4; k++)
                        CHECK_OK(plait_scope_go(&scope, fn, arg));
                for (int k = 0; k < i % 20; k++)
                        plait_yield();
                plait_scope_cancel(&scope);
                CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        }
}

/* A cheap generator: decisions in a stress test, not the same in all flows. */
static inline uint32_t next_random(uint32_t *state)
{
        *state = *state * 1664525U + 1013904223U;
        return *state >> 16;
}

/* A deadline that comes soon, is there already, or never comes. */
static inline int64_t some_deadline(uint32_t *state)
{
        switch (next_random(state) % 8) {
        case 0: return 0;
        case 1: return plait_in_ns(1000);
        case 2: return plait_in_ns(100000);
        default: return PLAIT_NEVER;
        }
}

#endif
