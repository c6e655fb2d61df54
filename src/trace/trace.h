/*
 * Telling what happens, for the layers above. Where something happens:
 *
 *      pl_trace(PLAIT_RECORDING_RUNS, 0, task->id, 0);
 *
 * While nothing is recorded that is one branch. What takes more than that to find out belongs into a function of its
 * own behind pl_trace_is_on(). The arguments of each kind are in kinds.c.
 *
 * An event may be told anywhere, in signal handlers, too, and under any lock but this layer's: it takes no lock once
 * the thread has told one before, and no system call but a futex's wake now and then.
 */
#ifndef PL_TRACE_TRACE_H
#define PL_TRACE_TRACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "trace/event.h"

/* Not 0: events are wanted. Read by everybody, written by session.c. */
__attribute__((visibility("hidden"))) extern _Atomic uint32_t pl_trace_on;

static PL_ALWAYS_INLINE bool pl_trace_is_on(void)
{
        return PL_UNLIKELY(atomic_load_explicit(&pl_trace_on, memory_order_acquire) != 0);
}

/* *head*: the kind, and small << PL_TRACE_SMALL_SHIFT. */
void pl_trace_record(unsigned head, uint64_t a, uint64_t b);

/* The same with a text, which is copied; NULL: none. At most PL_TRACE_TEXT_BYTES - 1 of it. */
void pl_trace_record_text(unsigned head, uint64_t a, uint64_t b, const char *text);

static PL_ALWAYS_INLINE void pl_trace(unsigned kind, unsigned small, uint64_t a, uint64_t b)
{
        if (pl_trace_is_on())
                pl_trace_record(kind | small << PL_TRACE_SMALL_SHIFT, a, b);
}

static PL_ALWAYS_INLINE void pl_trace_text(unsigned kind, unsigned small, uint64_t a, uint64_t b, const char *text)
{
        if (pl_trace_is_on())
                pl_trace_record_text(kind | small << PL_TRACE_SMALL_SHIFT, a, b, text);
}

enum { PL_TRACE_WORKER_BITS = 12 }; /* in STUCK: of a worker's number */

/* In CALL_BEGIN. */
enum pl_trace_call { PL_TRACE_CALL, PL_TRACE_FILE, PL_TRACE_HOST };

/* A number that no other request or job of the recording has. */
uint64_t pl_trace_number(void);

/* A run begins: if PLAIT_TRACE asks for a recording that has not begun, begin it, while there is a large stack. */
void pl_trace_prepare(void);

/* The calling thread is worker *number* from now on. What it does as another thread is told as that thread's flow. */
void pl_trace_worker(unsigned number);

/* The calling thread is the library's own: what it does is nobody's. Before it tells anything. */
void pl_trace_service(void);

/* What this process is in a recording, such as "pool worker"; a static string. Before it tells anything. */
void pl_trace_role(const char *role);

/* --- what the scheduler knows --- */

/* The calling thread. */
struct pl_trace_who {
        unsigned kind;   /* enum plait_recording_lane_kind */
        unsigned number; /* of the worker */
        uint64_t flow;   /* of the task that it runs; 0: none */
};

struct pl_trace_sample {
        uint64_t queued; /* tasks that could run */
};

struct pl_trace_hooks {
        const char *const *causes; /* of waits, by their numbers */
        unsigned n_causes;
        void (*who)(struct pl_trace_who *ret);
        /* False: no run is under way. */
        bool (*sample)(struct pl_trace_sample *ret);
        /* Tell EXISTS, and NAMED and PL_TRACE_WAITS_SINCE if there is one, of each task; call room() after each. */
        void (*snapshot)(void (*room)(void));
};

/* Static; set once, before anything is recorded. */
void pl_trace_hook(const struct pl_trace_hooks *hooks);

/* --- asking from outside (plait_registry.trace) --- */

struct plait_trace_mailbox;
extern struct plait_trace_mailbox pl_trace_mailbox;

/* Whether somebody asks for something; and do it. Workers look now and then. */
bool pl_trace_is_asked(void);
void pl_trace_answer(void);

static PL_ALWAYS_INLINE void pl_trace_look(void)
{
        if (PL_UNLIKELY(pl_trace_is_asked()))
                pl_trace_answer();
}

/* A descriptor (an eventfd) that wakes a worker; -1: there is none any more. */
void pl_trace_wake_by(int fd);

#endif
