/*
 * Events as they stand in a ring: 24 bytes, of fixed size.
 *
 *      word   the lowest 48 bits of the clock's ticks; below them 8 bits of detail ("small"), and the kind
 *      a, b   what the kind says (kinds.c)
 *
 * A kind is one of enum plait_recording_kind, or one of those below, which readers of a recording never see. A text
 * stands before its event, in slots of kind TEXT with 16 bytes each; text and event are published together.
 */
#ifndef PL_TRACE_EVENT_H
#define PL_TRACE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plait/recording.h"

struct pl_trace_event {
        uint64_t word;
        uint64_t a;
        uint64_t b;
};

_Static_assert(sizeof(struct pl_trace_event) == 24, "what a ring's slot takes");

/* Besides enum plait_recording_kind. */
enum pl_trace_kind {
        PL_TRACE_MESSAGE = 60,     /* an instant whose text was made at run time */
        PL_TRACE_SINCE = 61,       /* a: for how long the flow of the next EXISTS has waited, ns */
        PL_TRACE_WAITS_SINCE = 62, /* WAITS, of the flow of the last EXISTS */
        PL_TRACE_TEXT = 63,        /* small: how many bytes of a and b are text */
        PL_TRACE_KINDS = 64,
};

_Static_assert((int)PLAIT_RECORDING_KINDS <= (int)PL_TRACE_MESSAGE, "a kind has six bits");

enum {
        PL_TRACE_SMALL_SHIFT = 8,
        PL_TRACE_TICKS_SHIFT = 16,
        PL_TRACE_TEXT_SLOT = 16,   /* bytes of text in a slot */
        PL_TRACE_TEXT_BYTES = 256, /* of the longest text, with its NUL */
        PL_TRACE_TEXT_SLOTS = (PL_TRACE_TEXT_BYTES - 1 + PL_TRACE_TEXT_SLOT - 1) / PL_TRACE_TEXT_SLOT,
        PL_TRACE_LOOKING = 16, /* in WAKES' small: by a timer or by the kernel, whoever ran before */
};

static inline unsigned pl_trace_kind_of(const struct pl_trace_event *event)
{
        return (unsigned)event->word & 0xff;
}

static inline unsigned pl_trace_small_of(const struct pl_trace_event *event)
{
        return (unsigned)(event->word >> PL_TRACE_SMALL_SHIFT) & 0xff;
}

/* The ticks of an event that was recorded within some hours of *near*. */
static inline uint64_t pl_trace_ticks_of(const struct pl_trace_event *event, uint64_t near)
{
        uint64_t distance = event->word - (near << PL_TRACE_TICKS_SHIFT);

        return near + (uint64_t)((int64_t)distance >> PL_TRACE_TICKS_SHIFT);
}

/* What an argument of an event is; so it is coded. */
enum pl_trace_arg {
        PL_TRACE_NONE,
        PL_TRACE_FLOW,   /* of a task or thread */
        PL_TRACE_PLACE,  /* an address, or another number that is likely to come again */
        PL_TRACE_PLAIN,  /* a number, small ones likely */
        PL_TRACE_SIGNED, /* the same, with a sign */
        PL_TRACE_NAME,   /* of a plait_trace_name; in a file, a string's number */
        PL_TRACE_DOUBLE,
};

struct pl_trace_shape {
        uint8_t a, b; /* enum pl_trace_arg */
        bool known;   /* there is such a kind */
        bool text;    /* it may have one */
};

/* Of each kind. */
extern const struct pl_trace_shape pl_trace_shapes[PL_TRACE_KINDS];

#endif
