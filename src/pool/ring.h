/*
 * A ring of messages in shared memory, for one writer and one reader, who may be different processes.
 *
 * Positions only grow; a message's place is its position modulo the size. A message lies in one piece: where it does
 * not fit before the end, a message of the kind PL_RING_PAD fills the rest. The reader leaves messages where they are
 * until it moves on, so they can be used in place.
 *
 * Each side keeps its own position privately and believes the other's only as far as it makes sense: a process that
 * writes at random into the ring makes it useless (-EBADMSG), but cannot make the other one read or write outside.
 *
 * The reader sleeps on *asleep*, the writer on *starved*: who is going to sleep sets it, looks once more, and sleeps
 * while it is set; who has moved its position looks at it. The fence between writing and looking, on both sides, is
 * what makes one of them see the other.
 */
#ifndef PL_POOL_RING_H
#define PL_POOL_RING_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

enum { PL_RING_GRAIN = 16, PL_RING_PAD = 0xffff };

struct pl_ring_message {
        uint32_t bytes; /* with this head; a multiple of PL_RING_GRAIN */
        uint16_t kind;
        uint16_t flags;
};

/* What is shared. */
struct pl_ring {
        PL_LINE_ALIGNED _Atomic uint64_t tail; /* the writer's: up to here there are messages */
        PL_LINE_ALIGNED _Atomic uint64_t head; /* the reader's: from here on */
        PL_LINE_ALIGNED _Atomic uint32_t asleep;
        PL_LINE_ALIGNED _Atomic uint32_t starved;
};

/* One side's. */
struct pl_ring_end {
        struct pl_ring *shared;
        char *data;
        uint32_t bytes;    /* a power of two */
        uint64_t position; /* its own */
        uint64_t other;    /* the other side's, when last looked at */
};

static inline void pl_ring_attach(struct pl_ring_end *end, struct pl_ring *shared, void *data, uint32_t bytes)
{
        *end = (struct pl_ring_end){.shared = shared, .data = data, .bytes = bytes};
}

static inline uint32_t pl_ring_round(size_t bytes)
{
        return (uint32_t)((bytes + PL_RING_GRAIN - 1) / PL_RING_GRAIN * PL_RING_GRAIN);
}

static inline void *pl_ring_at(const struct pl_ring_end *end, uint64_t position)
{
        return end->data + (position & (end->bytes - 1));
}

/*
 * Writer: room for a message of *bytes* (rounded) in one piece. NULL: there is none now. Nothing is published before
 * pl_ring_commit(), which may be given fewer bytes.
 */
static inline struct pl_ring_message *pl_ring_reserve(struct pl_ring_end *end, uint32_t bytes)
{
        uint32_t to_end = end->bytes - (uint32_t)(end->position & (end->bytes - 1));
        uint32_t needed = bytes <= to_end ? bytes : to_end + bytes;

        if (needed > end->bytes)
                return NULL;
        if (end->position + needed - end->other > end->bytes) {
                uint64_t head = atomic_load_explicit(&end->shared->head, memory_order_acquire);

                if (head < end->other || head > end->position)
                        return NULL; /* nonsense: the reader's side will find out */
                end->other = head;
                if (end->position + needed - head > end->bytes)
                        return NULL;
        }
        if (bytes > to_end) {
                struct pl_ring_message *pad = pl_ring_at(end, end->position);

                *pad = (struct pl_ring_message){.bytes = to_end, .kind = PL_RING_PAD};
                end->position += to_end; /* published together with the message */
        }
        return pl_ring_at(end, end->position);
}

static inline void pl_ring_commit(struct pl_ring_end *end, uint32_t bytes)
{
        end->position += bytes;
        atomic_store_explicit(&end->shared->tail, end->position, memory_order_release);
}

/* Reader: whether there may be a message. Any thread of the reader's may look. */
static inline bool pl_ring_ready(const struct pl_ring_end *end)
{
        return atomic_load_explicit(&end->shared->tail, memory_order_acquire) != end->position;
}

/* Reader: skip what has been used. */
static inline void pl_ring_consume(struct pl_ring_end *end, uint32_t bytes)
{
        end->position += bytes;
        atomic_store_explicit(&end->shared->head, end->position, memory_order_release);
}

/* Reader: the next message, of at least *least* bytes. 1, or 0: there is none; -EBADMSG: what is there is nonsense. */
static inline int pl_ring_peek(struct pl_ring_end *end, uint32_t least, struct pl_ring_message **ret,
                               uint32_t *ret_bytes)
{
        for (;;) {
                if (end->position == end->other) {
                        uint64_t tail = atomic_load_explicit(&end->shared->tail, memory_order_acquire);

                        if (tail == end->position)
                                return 0;
                        if (tail < end->position || tail - end->position > end->bytes)
                                return -EBADMSG;
                        end->other = tail;
                }
                struct pl_ring_message *message = pl_ring_at(end, end->position);
                uint32_t bytes = *(volatile uint32_t *)&message->bytes; /* once: the other side may change it */
                uint32_t to_end = end->bytes - (uint32_t)(end->position & (end->bytes - 1));

                if (bytes < sizeof *message || bytes % PL_RING_GRAIN || bytes > to_end ||
                    bytes > end->other - end->position)
                        return -EBADMSG;
                if (message->kind != PL_RING_PAD) {
                        if (bytes < least)
                                return -EBADMSG;
                        *ret = message;
                        *ret_bytes = bytes;
                        return 1;
                }
                pl_ring_consume(end, bytes);
        }
}

#endif
