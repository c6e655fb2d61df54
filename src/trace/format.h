/*
 * What stands in a recording's file. A file is a protobuf message Trace of Perfetto's:
 *
 *      0x0A varint TracePacket, and so on
 *
 * A TracePacket with the one field PL_TRACE_FIELD, which Perfetto does not know and passes over, is a chunk of ours:
 *
 *      key (varint PL_TRACE_FIELD << 3 | 2) varint chunk
 *
 * A chunk is a byte that says what it is, then numbers (varints; "signed" ones zigzag) and texts (a varint, so many
 * bytes). *serial* stands for the process: the first 4 bytes of its id, lowest first.
 *
 *      PROCESS    "PLAITREC" version serial id[16] pid parent flags place ticks ns(signed) real_ns(signed) rate
 *                 unit_shift name command role build n (cause)*
 *      LANE       serial lane kind number tid name
 *      STRING     serial number text
 *      FUNCTION   serial address string
 *      EVENTS     serial lane first count ticks (coding.h)*
 *                 *first*: how many slots of its ring were written before; *count*: of how many slots it is made
 *      CLOCK      serial ticks ns(signed)
 *      END        serial ticks ns(signed) events dropped
 *      LOST       (byte)*
 *                 what was left of a chunk whose writer was killed
 *      NOTHING    (byte)*
 *                 what had been told to Perfetto before it was told anew
 *
 * A chunk is written by one write() to a file that is open for appending, so those of several processes stand between
 * each other. What a chunk refers to stands before it. Of a write that was cut short, a part of a chunk is left, and
 * the next chunk may follow it; where there is a moment to do so, that is made a packet with a chunk LOST, or an empty
 * one.
 */
#ifndef PL_TRACE_FORMAT_H
#define PL_TRACE_FORMAT_H

#define PL_TRACE_MAGIC "PLAITREC"

/* Readers take no later time, nor a longer one: what is 73 years from now is damaged. */
#define PL_TRACE_TIME_MOST (INT64_MAX / 4)

enum {
        PL_TRACE_VERSION = 1,
        PL_TRACE_FIELD = 7077,
        PL_TRACE_PACKET_KEY = 0x0a,
        PL_TRACE_FIELD_KEY = PL_TRACE_FIELD << 3 | 2,
        PL_TRACE_FIELD_KEY_BYTES = 3,
        PL_TRACE_COMPRESSED_FIELD = 50, /* Perfetto's: packets, compressed, as export.c makes them */
        PL_TRACE_COMPRESSED_KEY = PL_TRACE_COMPRESSED_FIELD << 3 | 2,
        PL_TRACE_CHUNK_MOST = 1 << 20,     /* bytes; readers take no larger one */
        PL_TRACE_EVENTS_BYTES = 32 * 1024, /* in one chunk, about */
};

enum pl_trace_chunk {
        PL_TRACE_CHUNK_PROCESS = 1,
        PL_TRACE_CHUNK_LANE,
        PL_TRACE_CHUNK_STRING,
        PL_TRACE_CHUNK_FUNCTION,
        PL_TRACE_CHUNK_EVENTS,
        PL_TRACE_CHUNK_CLOCK,
        PL_TRACE_CHUNK_END,
        PL_TRACE_CHUNK_NOTHING = 254,
        PL_TRACE_CHUNK_LOST = 255,
};

/* In PROCESS. */
enum {
        PL_TRACE_FIRST = 1,      /* it made the file */
        PL_TRACE_SLOW_CLOCK = 2, /* its ticks are nanoseconds */
};

#endif
