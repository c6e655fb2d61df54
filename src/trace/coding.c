/* Events as bytes, and back. The format is told in coding.h. */
#include "trace/coding.h"

#include <string.h>

enum { KIND_MASK = 63, HAS_SMALL = 64, HAS_B = 128 };

void pl_trace_coder_begin(struct pl_trace_coder *coder, uint64_t ticks)
{
        memset(coder, 0, sizeof *coder);
        coder->time = ticks >> PL_TRACE_UNIT_SHIFT;
}

size_t pl_trace_get_varint(const uint8_t *in, size_t bytes, uint64_t *ret)
{
        uint64_t value = 0;
        size_t most = bytes < PL_TRACE_VARINT_MOST ? bytes : PL_TRACE_VARINT_MOST;

        for (size_t n = 0; n < most; n++) {
                uint64_t part = in[n] & 0x7f;

                if (n == PL_TRACE_VARINT_MOST - 1 && part > 1)
                        return 0;
                value |= part << (7 * n);
                if (!(in[n] & 0x80)) {
                        *ret = value;
                        return n + 1;
                }
        }
        return 0;
}

/* --- what comes again: twice its index when it is in the table, else the difference and a 1 --- */

static inline unsigned place_of(uint64_t value)
{
        return (unsigned)((value ^ value >> 6 ^ value >> 14) % PL_TRACE_RECENT);
}

/* The difference loses its highest bit: values that need it are written whole (ESCAPE). */
enum { ESCAPE = PL_TRACE_RECENT << 1 };

static inline size_t put_recent(struct pl_trace_recent *recent, uint64_t value, uint8_t *out)
{
        unsigned place = place_of(value);

        if (recent->of[place] == value) {
                recent->last = value;
                out[0] = (uint8_t)(place << 1);
                return 1;
        }
        uint64_t difference = pl_trace_zigzag(value - recent->last);

        recent->of[place] = value;
        recent->last = value;
        if (difference >> 62) {
                size_t n = pl_trace_put_varint(out, ESCAPE);

                return n + pl_trace_put_varint(out + n, value);
        }
        return pl_trace_put_varint(out, difference << 1 | 1);
}

static size_t get_recent(struct pl_trace_recent *recent, const uint8_t *in, size_t bytes, uint64_t *ret)
{
        uint64_t code, value;
        size_t n = pl_trace_get_varint(in, bytes, &code);

        if (!n)
                return 0;
        if (code < ESCAPE && !(code & 1)) {
                *ret = recent->last = recent->of[code >> 1];
                return n;
        }
        if (code == ESCAPE) {
                size_t more = pl_trace_get_varint(in + n, bytes - n, &value);

                if (!more)
                        return 0;
                n += more;
        } else if (code & 1) {
                value = recent->last + pl_trace_unzigzag(code >> 1);
        } else {
                return 0;
        }
        recent->of[place_of(value)] = value;
        *ret = recent->last = value;
        return n;
}

/* --- arguments --- */

static inline size_t put_arg(struct pl_trace_coder *coder, unsigned class, uint64_t value, uint8_t *out)
{
        switch (class) {
        case PL_TRACE_FLOW: return put_recent(&coder->flows, value, out);
        case PL_TRACE_PLACE: return put_recent(&coder->places, value, out);
        case PL_TRACE_SIGNED: return pl_trace_put_varint(out, pl_trace_zigzag(value));
        case PL_TRACE_DOUBLE: /* whole numbers have their set bits on top */
                return pl_trace_put_varint(out, __builtin_bswap64(value));
        case PL_TRACE_PLAIN:
        case PL_TRACE_NAME: return pl_trace_put_varint(out, value);
        default: return 0;
        }
}

static size_t get_arg(struct pl_trace_coder *coder, unsigned class, const uint8_t *in, size_t bytes, uint64_t *ret)
{
        size_t n;

        switch (class) {
        case PL_TRACE_FLOW: return get_recent(&coder->flows, in, bytes, ret);
        case PL_TRACE_PLACE: return get_recent(&coder->places, in, bytes, ret);
        case PL_TRACE_SIGNED:
                n = pl_trace_get_varint(in, bytes, ret);
                *ret = n ? pl_trace_unzigzag(*ret) : 0;
                return n;
        case PL_TRACE_DOUBLE:
                n = pl_trace_get_varint(in, bytes, ret);
                *ret = n ? __builtin_bswap64(*ret) : 0;
                return n;
        default: return pl_trace_get_varint(in, bytes, ret);
        }
}

size_t pl_trace_encode(struct pl_trace_coder *coder, const struct pl_trace_event *event, uint64_t ticks, uint32_t text,
                       uint8_t *out)
{
        unsigned kind = pl_trace_kind_of(event) & KIND_MASK;
        unsigned small = pl_trace_small_of(event);
        const struct pl_trace_shape *shape = &pl_trace_shapes[kind];
        uint64_t time = ticks >> PL_TRACE_UNIT_SHIFT;
        uint64_t passed = (int64_t)(time - coder->time) > 0 ? time - coder->time : 0;
        bool has_b = shape->b != PL_TRACE_NONE && event->b;
        size_t n = 0;

        coder->time += passed;
        out[n++] = (uint8_t)(kind | (small ? HAS_SMALL : 0U) | (has_b ? HAS_B : 0U));
        n += pl_trace_put_varint(out + n, passed);
        if (small)
                out[n++] = (uint8_t)small;
        n += put_arg(coder, shape->a, event->a, out + n);
        if (has_b)
                n += put_arg(coder, shape->b, event->b, out + n);
        if (shape->text)
                n += pl_trace_put_varint(out + n, text);
        return n;
}

/* One piece after the other from *in; false: there is no more. */
static bool take(size_t n, const uint8_t **in, size_t *bytes)
{
        *in += n;
        *bytes -= n;
        return n > 0;
}

static bool decode_args(struct pl_trace_coder *coder, const struct pl_trace_shape *shape, bool has_b,
                        const uint8_t **in, size_t *bytes, struct pl_trace_event *event, uint64_t *ret_text)
{
        if (shape->a != PL_TRACE_NONE && !take(get_arg(coder, shape->a, *in, *bytes, &event->a), in, bytes))
                return false;
        if (has_b && !take(get_arg(coder, shape->b, *in, *bytes, &event->b), in, bytes))
                return false;
        return !shape->text || take(pl_trace_get_varint(*in, *bytes, ret_text), in, bytes);
}

size_t pl_trace_decode(struct pl_trace_coder *coder, const uint8_t *in, size_t bytes, struct pl_trace_event *ret_event,
                       uint64_t *ret_ticks, uint32_t *ret_text)
{
        const uint8_t *at = in;
        struct pl_trace_event event = {0};
        uint64_t passed, text = 0;
        unsigned small = 0;

        if (bytes < 2)
                return 0;
        unsigned head = *at;
        const struct pl_trace_shape *shape = &pl_trace_shapes[head & KIND_MASK];
        bool has_b = head & HAS_B;
        (void)take(1, &at, &bytes);
        if (!shape->known || (has_b && shape->b == PL_TRACE_NONE) ||
            !take(pl_trace_get_varint(at, bytes, &passed), &at, &bytes))
                return 0;
        if (head & HAS_SMALL) {
                if (!bytes)
                        return 0;
                small = *at;
                (void)take(1, &at, &bytes);
        }
        if (!decode_args(coder, shape, has_b, &at, &bytes, &event, &text) || text > UINT32_MAX)
                return 0;
        coder->time += passed;
        event.word = (uint64_t)small << PL_TRACE_SMALL_SHIFT | (head & KIND_MASK);
        *ret_event = event;
        *ret_ticks = coder->time << PL_TRACE_UNIT_SHIFT;
        *ret_text = (uint32_t)text;
        return (size_t)(at - in);
}
