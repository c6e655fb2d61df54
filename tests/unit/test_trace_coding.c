/* How events are coded in a file. */
#include <string.h>

#include "harness/test.h"
#include "trace/coding.h"

enum { EVENTS = 20000 };

static uint64_t next_random(uint64_t *state)
{
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        return *state;
}

/* An event of a known kind; what its kind does not have is 0. */
static struct pl_trace_event make_event(uint64_t *random)
{
        static const uint64_t masks[] = {0x3f, 0xffff, 0xffffffff, UINT64_MAX};
        unsigned kind;

        do
                kind = (unsigned)(next_random(random) % PL_TRACE_KINDS);
        while (!pl_trace_shapes[kind].known);
        struct pl_trace_event event = {.word = kind | (next_random(random) % 4 ? 0 : next_random(random) & 0xff00)};
        if (pl_trace_shapes[kind].a != PL_TRACE_NONE)
                event.a = next_random(random) & masks[next_random(random) % 4];
        if (pl_trace_shapes[kind].b != PL_TRACE_NONE)
                event.b = next_random(random) & masks[next_random(random) % 4];
        return event;
}

TEST(what_is_encoded_is_decoded)
{
        static uint8_t coded[EVENTS * PL_TRACE_CODED_MOST];
        struct pl_trace_coder coder;
        uint64_t random = 88172645463325252, ticks = 1000;
        size_t used = 0;

        pl_trace_coder_begin(&coder, ticks);
        for (int i = 0; i < EVENTS; i++) {
                struct pl_trace_event event = make_event(&random);
                size_t n;

                ticks += (next_random(&random) % 1000) << PL_TRACE_UNIT_SHIFT;
                n = pl_trace_encode(&coder, &event, ticks, (uint32_t)i, coded + used);
                CHECK_UINT(n, <=, PL_TRACE_CODED_MOST);
                used += n;
        }
        size_t all = used;
        random = 88172645463325252, ticks = 1000, used = 0;
        pl_trace_coder_begin(&coder, ticks);
        for (int i = 0; i < EVENTS; i++) {
                struct pl_trace_event event = make_event(&random), found;
                uint64_t at;
                uint32_t text;

                ticks += (next_random(&random) % 1000) << PL_TRACE_UNIT_SHIFT;
                size_t n = pl_trace_decode(&coder, coded + used, all - used, &found, &at, &text);
                CHECK_UINT(n, >, 0);
                used += n;
                CHECK_MEM(&found, &event, sizeof event);
                CHECK_UINT(at, ==, ticks);
                CHECK_UINT(text, ==, pl_trace_shapes[pl_trace_kind_of(&event)].text ? (uint32_t)i : 0);
        }
        CHECK_UINT(used, ==, all);
}

/* Not a byte is read beyond the end: sanitizers see to that. */
TEST(an_event_that_is_cut_off_is_none)
{
        uint64_t random = 42;

        for (int i = 0; i < 1000; i++) {
                struct pl_trace_event event = make_event(&random), found;
                uint8_t coded[PL_TRACE_CODED_MOST];
                struct pl_trace_coder coder;
                uint64_t at;
                uint32_t text;

                pl_trace_coder_begin(&coder, 0);
                size_t n = pl_trace_encode(&coder, &event, 1 << 20, 7, coded);
                for (size_t cut = 0; cut < n; cut++) {
                        pl_trace_coder_begin(&coder, 0);
                        CHECK_UINT(pl_trace_decode(&coder, coded, cut, &found, &at, &text), ==, 0);
                }
        }
}

/* A task that is woken, runs, and waits for something that it has waited for before. */
TEST(what_happens_again_and_again_takes_few_bytes)
{
        struct pl_trace_coder coder;
        uint8_t coded[PL_TRACE_CODED_MOST];
        uint64_t ticks = 1 << 30;
        size_t bytes = 0;

        pl_trace_coder_begin(&coder, ticks);
        for (uint64_t i = 0; i < 1000; i++) {
                const struct pl_trace_event events[] = {
                        {.word = PLAIT_RECORDING_WAKES, .a = 5 + i % 20},
                        {.word = PLAIT_RECORDING_RUNS, .a = 5 + i % 20},
                        {.word = PLAIT_RECORDING_WAITS | 9 << PL_TRACE_SMALL_SHIFT, .a = 0x7f0012345600 + i % 20 * 64},
                };

                for (int k = 0; k < 3; k++)
                        bytes += pl_trace_encode(&coder, &events[k], ticks += 500, 0, coded);
        }
        CHECK_UINT(bytes, <=, 3 * 1000 * 4);
}

TEST(times_of_events_in_a_ring_are_whole_near_a_known_one)
{
        const uint64_t near = (UINT64_C(5) << 48) - 10;

        for (int64_t distance = -1000000; distance <= 1000000; distance += 1000) {
                uint64_t ticks = near + (uint64_t)distance;
                struct pl_trace_event event = {.word = ticks << PL_TRACE_TICKS_SHIFT | 0xffff};

                CHECK_UINT(pl_trace_ticks_of(&event, near), ==, ticks);
        }
}
