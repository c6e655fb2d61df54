/*
 * A thread tells an event: the way into its ring. See ring.h.
 *
 * A lane is busy from before its head is read until it is written, so a signal handler that comes in between, and tells
 * something, finds it busy: that event is counted as lost. All of this is one thread's, so order among the compiler's
 * instructions is all that it takes.
 */
#include <string.h>

#include "trace/ring.h"
#include "trace/trace.h"

PL_TLS_DEFINE(struct pl_trace_lane, pl_trace_self);

static void put(struct pl_trace_lane *lane, uint64_t word, uint64_t a, uint64_t b)
{
        lane->events[lane->head++ & lane->mask] = (struct pl_trace_event){.word = word, .a = a, .b = b};
}

static void lose(struct pl_trace_lane *lane, uint64_t n)
{
        lane->lost += n;
        atomic_store_explicit(&lane->slot->lost, lane->lost, memory_order_relaxed);
}

/* Room for *n* events in *lane*, the caller's, which is busy. False: there is none, and they are counted as lost. */
static bool make_room(struct pl_trace_lane *lane, uint64_t n)
{
        uint64_t size = lane->mask + 1;
        uint64_t used = lane->head - atomic_load_explicit(&lane->slot->tail, memory_order_acquire);
        uint64_t step = size / 8;

        if (used > size / 4)
                pl_trace_wake_recorder();
        if (size - used < n + (lane->lost != 0)) {
                lose(lane, n);
                lane->limit = lane->head;
                return false;
        }
        if (lane->lost) {
                put(lane, pl_trace_ticks() << PL_TRACE_TICKS_SHIFT | PLAIT_RECORDING_DROPPED, lane->lost, 0);
                lane->lost = 0;
                atomic_store_explicit(&lane->slot->lost, 0, memory_order_relaxed);
                used++;
        }
        lane->limit = lane->head + (size - used < step || step < n ? size - used : step);
        return true;
}

/* The calling thread's lane, busy; NULL: it has none, or is busy already. */
static PL_NOINLINE struct pl_trace_lane *enter_slowly(void)
{
        struct pl_trace_lane *lane = pl_trace_self_get();

        if (lane) { /* interrupted in the middle of another event */
                atomic_fetch_add_explicit(&pl_trace_homeless, 1, memory_order_relaxed);
                return NULL;
        }
        lane = pl_trace_lane_get(false);
        if (!lane)
                return NULL;
        atomic_store_explicit(&lane->busy, 1, memory_order_relaxed);
        atomic_signal_fence(memory_order_seq_cst);
        return lane;
}

static inline struct pl_trace_lane *enter(void)
{
        struct pl_trace_lane *lane = pl_trace_self_get();

        if (PL_UNLIKELY(!lane || atomic_load_explicit(&lane->busy, memory_order_relaxed)))
                return enter_slowly();
        atomic_store_explicit(&lane->busy, 1, memory_order_relaxed);
        atomic_signal_fence(memory_order_seq_cst);
        return lane;
}

static inline void leave(struct pl_trace_lane *lane)
{
        atomic_signal_fence(memory_order_seq_cst);
        /* Who sees that it is free may put other memory into the ring's place: nothing may be written after this. */
        atomic_store_explicit(&lane->busy, 0, memory_order_release);
}

void pl_trace_record(unsigned head, uint64_t a, uint64_t b)
{
        struct pl_trace_lane *lane = enter();

        if (PL_UNLIKELY(!lane))
                return;
        if (PL_LIKELY(lane->head != lane->limit) || make_room(lane, 1)) {
                put(lane, pl_trace_ticks() << PL_TRACE_TICKS_SHIFT | head, a, b);
                atomic_store_explicit(&lane->slot->head, lane->head, memory_order_release);
        }
        leave(lane);
}

/* *bytes* of *text*, in slots before their event. */
static void put_text(struct pl_trace_lane *lane, const char *text, size_t bytes)
{
        for (size_t at = 0; at < bytes; at += PL_TRACE_TEXT_SLOT) {
                size_t n = bytes - at < PL_TRACE_TEXT_SLOT ? bytes - at : PL_TRACE_TEXT_SLOT;
                uint64_t words[2] = {0, 0};

                memcpy(words, text + at, n);
                put(lane, PL_TRACE_TEXT | (uint64_t)n << PL_TRACE_SMALL_SHIFT, words[0], words[1]);
        }
}

void pl_trace_record_text(unsigned head, uint64_t a, uint64_t b, const char *text)
{
        size_t bytes = text ? strnlen(text, PL_TRACE_TEXT_BYTES - 1) : 0;
        uint64_t n = (bytes + PL_TRACE_TEXT_SLOT - 1) / PL_TRACE_TEXT_SLOT + 1;
        struct pl_trace_lane *lane = enter();

        if (PL_UNLIKELY(!lane))
                return;
        if (PL_LIKELY(lane->limit - lane->head >= n) || make_room(lane, n)) {
                put_text(lane, text, bytes);
                put(lane, pl_trace_ticks() << PL_TRACE_TICKS_SHIFT | head, a, b);
                atomic_store_explicit(&lane->slot->head, lane->head, memory_order_release);
        }
        leave(lane);
}
