/*
 * Events as they stand in a file: a few bytes each.
 *
 *      byte     the kind; HAS_SMALL, HAS_B
 *      varint   ticks since the event before, in units of 2^PL_TRACE_UNIT_SHIFT
 *      byte     small, if it is not 0
 *      a        if the kind has one
 *      b        if it is not 0
 *      varint   the text's number (0: none), if the kind may have one
 *
 * Flows and places come again and again: a table of those seen last, one for each value of a hash, turns each into a
 * byte. What is not there is the difference to the last one of its class. Both sides keep the same table, which a chunk
 * begins anew, so each chunk can be read by itself.
 */
#ifndef PL_TRACE_CODING_H
#define PL_TRACE_CODING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/event.h"

enum {
        PL_TRACE_UNIT_SHIFT = 2,
        PL_TRACE_RECENT = 64,
        PL_TRACE_VARINT_MOST = 10,
        PL_TRACE_CODED_MOST = 2 + 4 * PL_TRACE_VARINT_MOST,
};

struct pl_trace_recent {
        uint64_t last;
        uint64_t of[PL_TRACE_RECENT];
};

/* Zero at the beginning of a chunk, but for *time*. */
struct pl_trace_coder {
        uint64_t time; /* of the last event, in units */
        struct pl_trace_recent flows, places;
};

/* Begin a chunk whose first event is not before *ticks*. */
void pl_trace_coder_begin(struct pl_trace_coder *coder, uint64_t ticks);

/*
 * Write *event*, which happened at *ticks*, to *out*, which has room for PL_TRACE_CODED_MOST bytes. *text*: its number.
 * Returns how many bytes it took.
 */
size_t pl_trace_encode(struct pl_trace_coder *coder, const struct pl_trace_event *event, uint64_t ticks, uint32_t text,
                       uint8_t *out);

/*
 * Read an event from *in*, which has *bytes*. The ticks are in *ret_ticks*, the word of *ret_event* has none. Returns
 * how many bytes it took; 0: this is no event.
 */
size_t pl_trace_decode(struct pl_trace_coder *coder, const uint8_t *in, size_t bytes, struct pl_trace_event *ret_event,
                       uint64_t *ret_ticks, uint32_t *ret_text);

/* --- numbers of 7 bits a byte, lowest first; the top bit says that more follow --- */

static inline size_t pl_trace_put_varint(uint8_t *out, uint64_t value)
{
        size_t n = 0;

        while (value >= 0x80) {
                out[n++] = (uint8_t)(value | 0x80);
                value >>= 7;
        }
        out[n++] = (uint8_t)value;
        return n;
}

/* How many bytes it took; 0: there is none, or it has more than 64 bits. */
size_t pl_trace_get_varint(const uint8_t *in, size_t bytes, uint64_t *ret);

/* A number near 0 as a small one without a sign. */
static inline uint64_t pl_trace_zigzag(uint64_t value)
{
        return value << 1 ^ (0 - (value >> 63));
}

static inline uint64_t pl_trace_unzigzag(uint64_t value)
{
        return value >> 1 ^ (0 - (value & 1));
}

#endif
