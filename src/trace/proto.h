/*
 * Protobuf messages, written field by field into a growing buffer.
 */
#ifndef PL_TRACE_PROTO_H
#define PL_TRACE_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed: empty. */
struct pl_trace_proto {
        uint8_t *bytes;
        size_t used, room;
        bool failed; /* out of memory: what is there is not whole */
};

void pl_trace_proto_number(struct pl_trace_proto *proto, uint32_t field, uint64_t value);
void pl_trace_proto_fixed64(struct pl_trace_proto *proto, uint32_t field, uint64_t value);
void pl_trace_proto_double(struct pl_trace_proto *proto, uint32_t field, double value);
void pl_trace_proto_bytes(struct pl_trace_proto *proto, uint32_t field, const void *bytes, size_t n);

/* As UTF-8: bytes that are none become "?". */
void pl_trace_proto_text(struct pl_trace_proto *proto, uint32_t field, const char *text);

/* *inner* as a message of its own, which is empty afterwards. */
void pl_trace_proto_message(struct pl_trace_proto *proto, uint32_t field, struct pl_trace_proto *inner);

void pl_trace_proto_done(struct pl_trace_proto *proto);

#endif
