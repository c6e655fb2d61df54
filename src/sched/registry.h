/*
 * The registry: all tasks, and the plain threads that have waited for something of plait's. Tools read it from outside
 * by the description in plait/registry.h; what reports deadlocks walks it here.
 *
 * Nothing is listed anywhere: tasks stand in slabs, and one whose *fn* is set is alive. So starting and ending a task
 * costs the registry nothing but the store that clears it.
 *
 * A walk stops nobody. What it sees of a flow is a copy that was true at one moment (pl_registry_look()); the flow may
 * have gone on since. A task's memory never becomes anything else, so its address may be kept and looked at again, as
 * long as its number (id) is compared.
 */
#ifndef PL_SCHED_REGISTRY_H
#define PL_SCHED_REGISTRY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plait/tuner.h"
#include "sched/task.h"
#include "sched/wait.h"

/* A plain thread. Its wait is here, so that others find it. */
struct pl_thread_record {
        struct pl_wait wait;
        _Atomic uint32_t tid; /* 0: free */
        _Atomic uint32_t since_ms;
        struct pl_context place; /* where it waits, for its stack */
};

static inline struct pl_thread_record *pl_registry_thread(const struct pl_wait *wait)
{
        return PL_CONTAINER_OF((struct pl_wait *)(uintptr_t)wait, struct pl_thread_record, wait);
}

/* A limit that a tuner has found (src/pool/tuner.c), as others see it. */
struct pl_tuner_record {
        _Atomic uint32_t used; /* 0: free */
        _Atomic uint32_t kind;
        _Atomic uint32_t limit;
        _Atomic uint32_t in_flight;
        _Atomic uint32_t was;        /* the limit before the last change */
        _Atomic uint32_t reason;     /* of that change */
        _Atomic int64_t changed_ns;  /* when it was */
        _Atomic uint64_t milli_rate; /* a thousand times what gets done in a second */
        _Atomic uint64_t refused;
        char name[48];
};

/* A record, which is not shown before *used* is set; NULL: no memory. And its return. */
struct pl_tuner_record *pl_registry_tuner_new(void);
void pl_registry_tuner_free(struct pl_tuner_record *record);

/* What plait_tuner_reason_name() returns, by reason. */
extern const char *const pl_registry_tuner_reasons[PLAIT_TUNER_REASONS];

/* Where a descriptor's record has its number: asserted in src/io, which this layer does not see. */
enum { PL_REGISTRY_FD_NUMBER = 52 };

/* What a flow did at one moment. */
struct pl_registry_view {
        uint64_t id;              /* of the task; 0: a thread */
        uint32_t tid;             /* of the thread; 0: a task */
        uint32_t word;            /* pl_wait.state: the same word later means the same wait */
        enum pl_wait_cause cause; /* PL_WAIT_NONE: it does not wait, or has been woken */
        const void *object;
        uint32_t since_ms; /* clock_ms when the wait began */
        bool timed;        /* a deadline will end the wait, or may */
};

/* The task whose wait this is; NULL: it is a thread's. */
static inline struct plait_task *pl_registry_task(const struct pl_wait *wait)
{
        return pl_sched_wait_task(wait);
}

/* The flow that waits with *wait*. False: it is gone, or it was changing all the time. */
bool pl_registry_look(const struct pl_wait *wait, struct pl_registry_view *ret);

/*
 * Call *visit* for the wait of every task that is alive, and of every plain thread known; of those that begin or end
 * meanwhile, maybe. Stops when *visit* returns false.
 */
void pl_registry_for_each(bool (*visit)(struct pl_wait *wait, void *arg), void *arg);

/* Copy the name of a task that may end meanwhile into *buf*; "" if it has none, or is another than number *id* now. */
void pl_registry_name(struct plait_task *task, uint64_t id, char *buf, size_t n);

/* "mutex" and so on. */
const char *pl_registry_cause(enum pl_wait_cause cause);

/* All of them, by number; *ret_n*: how many. */
const char *const *pl_registry_causes(unsigned *ret_n);

/* For how long, with a view's since_ms. A few ms too long; longer when no worker has looked at a clock before that. */
uint32_t pl_registry_age_ms(uint32_t since_ms);

/* The calling thread's wait, which is no worker's. */
struct pl_wait *pl_registry_thread_wait(void);

/* Whether that stays the calling thread's until it ends. */
bool pl_registry_thread_lasts(void);

/* Whether *task* is one that has been started and has not ended. */
static inline bool pl_registry_alive(const struct plait_task *task)
{
        return __atomic_load_n(&task->fn, __ATOMIC_ACQUIRE) != NULL;
}

#endif
