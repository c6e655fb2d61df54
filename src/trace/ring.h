/*
 * Rings: where a thread's events stand until the recorder takes them, and what is left of them after a crash.
 *
 * All rings of a process are in one file in shared memory, whose name the recording's chunk PROCESS tells. From its
 * beginning:
 *
 *      struct pl_trace_image   one page
 *      names                   PL_TRACE_NAMES_BYTES: each a text with its NUL; its number is its distance + 1
 *      slots                   for each ring a page (struct pl_trace_slot) and then its events
 *
 * One thread writes a ring, one reads it. *head* counts the events written, *tail* those that are in the recording's
 * file, so what is between them is new. Both only grow. The writer stores head (release) after an event, so a reader
 * that loads it (acquire) sees the event; the recorder stores tail (release) when it has read, so that a writer that
 * loads it (acquire) may write there. *lost* counts what found no room and has not been told by a DROPPED yet.
 *
 * A thread's private half is struct pl_trace_lane. Its addresses stay what they are from one recording to the next: the
 * file of the new one is mapped in place of the old one's, so a thread that is late writes where it does no harm.
 */
#ifndef PL_TRACE_RING_H
#define PL_TRACE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "plat/sys.h"
#include "plat/tls.h"
#include "trace/event.h"

#define PL_TRACE_IMAGE_MAGIC "plait rings"

enum {
        PL_TRACE_IMAGE_VERSION = 1,
        PL_TRACE_PAGE = 4096,
        PL_TRACE_NAMES_BYTES = 64 * 1024,
        PL_TRACE_LANES = 1024 + 512,
        PL_TRACE_ID_BYTES = 16,
        PL_TRACE_THREAD_NAME = 16,
        PL_TRACE_PATH_BYTES = 512,
};

/* Two readings of clocks at one moment. */
struct pl_trace_instant {
        uint64_t ticks;
        int64_t ns; /* CLOCK_MONOTONIC */
};

/* Whose rings these are. */
struct pl_trace_stamp {
        char magic[16];
        uint32_t version;
        uint32_t pid;
        uint8_t id[PL_TRACE_ID_BYTES];  /* of this process' part of the recording */
        char path[PL_TRACE_PATH_BYTES]; /* of the recording */
};

struct pl_trace_image {
        struct pl_trace_stamp stamp;
        _Atomic uint32_t n_slots;
        _Atomic uint32_t names_bytes;
        _Atomic uint64_t latest_ticks; /* a recent pair of readings; written by the recorder */
        _Atomic int64_t latest_ns;
        _Atomic uint64_t dropped; /* so far; by the recorder */
        struct {
                _Atomic uint64_t offset; /* of the slot in this file */
                uint64_t events;         /* there is room for so many */
        } slots[PL_TRACE_LANES];
};

enum { PL_TRACE_IMAGE_BYTES = 8 * PL_TRACE_PAGE };

_Static_assert(sizeof(struct pl_trace_image) <= PL_TRACE_IMAGE_BYTES, "it fits");

struct pl_trace_slot {
        uint32_t lane;           /* its number in the recording */
        _Atomic uint32_t kind;   /* enum plait_recording_lane_kind; it can change, as can what follows */
        _Atomic uint32_t number; /* of the worker */
        uint32_t tid;
        char name[PL_TRACE_THREAD_NAME];
        uint64_t begun; /* events before this one are another thread's */

        PL_LINE_ALIGNED _Atomic uint64_t head;
        _Atomic uint64_t lost;
        PL_LINE_ALIGNED _Atomic uint64_t tail;
};

_Static_assert(sizeof(struct pl_trace_slot) <= PL_TRACE_PAGE, "it fits");

enum pl_trace_lane_state {
        PL_TRACE_LANE_NEW, /* nobody's, has no memory */
        PL_TRACE_LANE_FREE,
        PL_TRACE_LANE_USED,
};

struct pl_trace_lane {
        /* The owner's. */
        struct pl_trace_event *events;
        uint64_t mask;
        uint64_t head;
        uint64_t limit;        /* so far it may write without looking at anything */
        _Atomic uint32_t busy; /* it is writing: what interrupts it must not */
        uint64_t lost;         /* not told yet */
        struct pl_trace_slot *slot;

        /* The recorder's; session.c's while there is none. */
        _Atomic uint32_t
                state; /* enum pl_trace_lane_state: FREE to USED by who takes it, USED to FREE by the recorder */
        _Atomic uint32_t session; /* whose file is mapped */
        uint32_t tid;
        uint32_t number; /* in the recording */
        bool announced;
        uint32_t announced_kind;
        uint64_t taken;      /* events encoded */
        uint64_t last_ticks; /* of the last one */
        uint64_t since_ns;   /* when events were last taken */
};

PL_TLS_DECLARE(struct pl_trace_lane, pl_trace_self);

extern struct pl_trace_lane pl_trace_lanes[PL_TRACE_LANES];
extern _Atomic uint32_t pl_trace_n_lanes;

/* --- clock.c --- */

/* The processor's counter does not tell the time: the kernel's clock is read for each event. */
extern bool pl_trace_slow_clock;

/* Choose the clock; before the first event. */
void pl_trace_clock_init(void);

/* The same moment by both clocks. */
struct pl_trace_instant pl_trace_clock_pair(void);

/* How many ticks a second has, roughly. */
uint64_t pl_trace_clock_rate(void);

/* Now, as events are dated. */
static inline uint64_t pl_trace_ticks(void)
{
        return PL_LIKELY(!pl_trace_slow_clock) ? pl_plat_ticks() : (uint64_t)pl_plat_now_ns();
}

/* --- session.c --- */

/*
 * A lane for the calling thread, which has none; NULL: none can be had now. *recorder*: it is the recorder, who waits
 * for those who begin and end recordings, as a signal handler must not.
 */
struct pl_trace_lane *pl_trace_lane_get(bool recorder);

/* Events that no lane could be had for. */
extern _Atomic uint64_t pl_trace_homeless;

/* --- recorder.c --- */

/* A ring fills up. */
void pl_trace_wake_recorder(void);

#endif
