/* Deadlocks that have happened: who waits for whom. See deadlock.c. */
#ifndef PL_SYNC_DEADLOCK_H
#define PL_SYNC_DEADLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "plat/context.h"
#include "sched/registry.h"

enum {
        PL_DEADLOCK_MOST = 4096, /* flows that a search looks at */
        PL_DEADLOCK_SHOWN = 32,
};

/* A flow that a search has come to. */
struct pl_deadlock_stop {
        struct pl_wait *flow;
        struct pl_registry_view seen;
        uint32_t from;  /* who waits for it */
        bool runs_here; /* it does not wait itself: a task that it joins runs on its stack */
};

/* Ask *may_wake*, besides, before it is said that nobody can wake anybody: whether others than tasks still may. */
void pl_deadlock_ask(bool (*may_wake)(void));

/* Write a report of a circle of *n* stops, each waiting for the next and the last for the first. *here*: the caller. */
void pl_deadlock_report_circle(const struct pl_deadlock_stop *stops, unsigned n, const struct pl_wait *self,
                               const struct pl_context *here);

/* Write a report that everybody waits and nobody can wake them. */
void pl_deadlock_report_all(const struct pl_deadlock_stop *stops, unsigned n, unsigned tasks);

#endif
