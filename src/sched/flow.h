/*
 * A flow, a task or a plain thread, as locks know it: the address of its struct pl_wait. The first word there says what
 * it holds (sync/held.h), and a lock names its holder by that address.
 *
 * plait_flow_tls is the calling flow, for the inline halves of locks. A thread that has not locked anything yet, and
 * the function of a timer, see pl_sched_nobody there, who seems to hold something, so that they take the long way.
 */
#ifndef PL_SCHED_FLOW_H
#define PL_SCHED_FLOW_H

#include <stddef.h>
#include <stdint.h>

#include "plat/tls.h"
#include "sched/wait.h"

extern struct pl_wait pl_sched_nobody;

/* Flows are told apart from other bits of a lock's word by this. */
#define PL_SCHED_FLOW_BITS ((uintptr_t)0x0000fffffffffff8)

static PL_ALWAYS_INLINE void pl_sched_flow_set(struct pl_wait *flow)
{
        PL_TLS_STORE(flow, "plait_flow_tls");
}

/* The calling flow. */
struct pl_wait *pl_sched_flow(void);

enum { PL_FLOW_NAME_BYTES = 72 };

/* "task 'name' (#12)" or "thread 1234", for messages. The flow may be anybody's, and gone. */
void pl_sched_flow_name(const struct pl_wait *flow, char *buf, size_t n);

/* A number for the flow: that of the task, or the thread's with the highest bit set. */
uint64_t pl_sched_flow_id(const struct pl_wait *flow);

#endif
