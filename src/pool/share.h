/*
 * What a process pool and its worker processes share: for each worker a block of memory with a ring of jobs to it and
 * one of results from it, and for all of them a bell.
 *
 * The worker works off its jobs in order. A job's state says who has it:
 *
 *      QUEUED   the pool may take it back (REVOKED), the worker may claim it; one compare-and-swap decides
 *      CLAIMED  it runs. If the worker dies now, and its result is not in the ring, it is the one that is lost
 *      DONE     its result is in the ring. So nothing is delivered twice, and nothing is lost after it was done
 *
 * To end a job the pool kills the worker. So that this never hits the job after it, the pool first sets *hold* and then
 * looks whether the job is still CLAIMED; a worker claims first and then looks at *hold*, and does not begin while it
 * is set. Both are ordered by fences: one of them sees the other.
 *
 * All that a worker writes here may be nonsense, if its job writes at random. The pool copies before it checks.
 */
#ifndef PL_POOL_SHARE_H
#define PL_POOL_SHARE_H

#include <stdatomic.h>
#include <stdint.h>

#include "plat/order.h"
#include "pool/memory.h"
#include "pool/module.h"
#include "pool/ring.h"
#include "trace/lead.h"

enum {
        PL_RING_BYTES = 1 << 18,
        PL_INLINE_MOST = 1 << 16, /* what does not fit into so much, head and all, goes to memory of its own */
        PL_CRASH_FRAMES = 32,
        PL_WHY_BYTES = 200,
};

enum pl_share_phase {
        PL_PHASE_STARTING,
        PL_PHASE_INITIALIZING, /* it is in the program's initializer */
        PL_PHASE_READY,
        PL_PHASE_REFUSED, /* the start failed: start_error, why */
        PL_PHASE_ENDED,   /* in an orderly way */
};

enum pl_slot_state { PL_SLOT_QUEUED = 1, PL_SLOT_CLAIMED, PL_SLOT_REVOKED, PL_SLOT_DONE };

/* Kinds of messages. */
enum {
        PL_SAY_JOB = 1,    /* to the worker: struct pl_job_message */
        PL_SAY_MODULE = 2, /* to it: the next module's number is known from now on; struct pl_module_message */
        PL_SAY_END = 3,    /* to it: end */
        PL_SAY_RESULT = 4, /* from it: struct pl_result_message */
        PL_SAY_FOLLOW = 5, /* to it: join a recording; struct pl_follow_message */
};

/* pl_ring_message.flags of jobs */
enum {
        PL_JOB_IN_MEMORY = 1,   /* argument, codes and results are in *memory* */
        PL_JOB_WANTS_CODES = 2, /* of each item */
        PL_JOB_STOPS = 4,       /* at the first error */
        PL_JOB_COUNT_CPU = 8,   /* it is probably long enough for measuring its processor time */
};

struct pl_job_message {
        struct pl_ring_message head;
        _Atomic uint32_t state; /* enum pl_slot_state */
        int32_t cpu;            /* where the pool was when it sent this */
        uint64_t number;
        uint64_t trace_number; /* in a recording; 0: in none */
        struct pl_pool_code fn;
        uint64_t count;
        uint64_t arg_bytes, result_bytes; /* of each item */
        /* Then, unless in memory, all arguments. */
        char data[] __attribute__((aligned(16)));
};

/* Follows the head of a job that is in memory. There: arguments, results, codes, each aligned to 64 bytes. */
struct pl_job_memory {
        struct pl_pool_memory_id id;
};

struct pl_module_message {
        struct pl_ring_message head;
        struct pl_pool_module module;
};

struct pl_follow_message {
        struct pl_ring_message head;
        struct pl_trace_lead lead;
};

struct pl_result_message {
        struct pl_ring_message head;
        uint64_t number;
        int32_t result;
        int32_t cpu;       /* where the worker was */
        uint64_t progress; /* how many items were made */
        uint64_t bytes;    /* of the only item's result */
        uint64_t took_ns, cpu_ns;
        int64_t ended_ns; /* CLOCK_MONOTONIC */
        /* Then, unless in memory, all results, and codes at PL_RESULT_CODES. */
        char data[] __attribute__((aligned(16)));
};

static inline uint64_t pl_share_align(uint64_t bytes, uint64_t grain)
{
        return (bytes + grain - 1) / grain * grain;
}

/* Written in a signal handler of the worker that crashes. */
struct pl_crash_frame {
        uint64_t pc, offset, extent; /* in its module, which is that large */
        char module[40];
};

struct pl_crash {
        _Atomic uint32_t complete;
        int32_t signal, code;
        uint32_t n_frames;
        uint64_t address;
        struct pl_crash_frame frames[PL_CRASH_FRAMES];
};

struct pl_share {
        /* The worker's. */
        _Atomic uint32_t phase;
        int32_t start_error;
        _Atomic uint64_t claimed_ns; /* CLOCK_MONOTONIC: when the job that is being made began */
        _Atomic uint64_t progress;   /* how many of its items have been made */
        _Atomic uint64_t result_at;  /* where in the ring its results are put, a position; UINT64_MAX: nowhere */
        _Atomic uint64_t rss_bytes;  /* private resident memory, when last looked at */
        _Atomic int64_t used_ns;     /* if the setup *measures*: processor time, */
        _Atomic int64_t blocked_ns;  /* and for how long it was blocked in jobs, as far as that has been read */
        /* The pool's. */
        PL_LINE_ALIGNED _Atomic uint32_t hold;
        struct pl_ring jobs, results;
        struct pl_crash crash;
        char why[PL_WHY_BYTES];
        PL_LINE_ALIGNED char job_data[PL_RING_BYTES];
        char result_data[PL_RING_BYTES];
};

/* One per pool. */
enum { PL_BELL_FUTEX = 1, PL_BELL_EVENT = 2 };

struct pl_bell {
        /* Who wants to be woken by the next result: bits. Who takes them away wakes. */
        PL_LINE_ALIGNED _Atomic uint32_t waiting;
        /* The worker that may spin while it waits for jobs, its number plus 1; 0: none does. */
        PL_LINE_ALIGNED _Atomic uint32_t spinner;
        /* Jobs wait in the pool's queue: a worker that has none left rings the event before it sleeps. */
        PL_LINE_ALIGNED _Atomic uint32_t hungry;
};

/* What all workers of a pool start with, in memory that is only read. */
struct pl_setup {
        uint64_t bytes;
        char name[16];
        struct pl_order order;
        uint32_t pin; /* on one processor of *order* each */
        uint32_t has_initializer, has_finaliser;
        uint32_t measures;      /* what workers use is to be known */
        uint32_t n_environment; /* strings, at environment_at, one after the other */
        struct pl_pool_module modules[2];
        uint64_t offsets[2]; /* of initializer and finaliser in those */
        uint64_t arg_bytes;  /* at arg_at */
        uint64_t arg_at, environment_at;
        uint64_t rss_most; /* 0: nobody wants to know */
};

#endif
