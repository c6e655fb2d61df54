/*
 * The program's own events. A name gets a number when it is first used: its place among all names of the process, which
 * stand in the shared memory of the rings, too, so that they can be read after a crash.
 *
 * Locking: names.lock guards the table; who may be a signal handler tries for it only so long.
 */
#include <sched.h>
#include <string.h>

#include "plait/trace.h"
#include "trace/session.h"

enum { LOCK_TRIES = 1000, NO_NUMBER = 0, UNNAMED = 1 };

static struct {
        struct pl_lock lock;
        uint32_t used;
        struct pl_trace_mapping *mapping; /* where they are shared; NULL: nowhere */
        char texts[PL_TRACE_NAMES_BYTES];
} names;

static void share(uint32_t from)
{
        if (!names.mapping)
                return;
        memcpy(names.mapping->names + from, names.texts + from, names.used - from);
        atomic_store_explicit(&names.mapping->image->names_bytes, names.used, memory_order_release);
}

/* Number UNNAMED is what names are called that there is no room for. */
static void add(const char *text, size_t bytes)
{
        memcpy(names.texts + names.used, text, bytes);
        names.used += (uint32_t)bytes + 1;
        names.used += names.used % 2; /* each begins at an even place */
}

static void add_first(void)
{
        static const char unnamed[] = "(a name too many)";

        if (!names.used)
                add(unnamed, sizeof unnamed - 1);
}

void pl_trace_names_share(struct pl_trace_mapping *mapping)
{
        pl_lock_acquire(&names.lock);
        add_first();
        names.mapping = mapping;
        share(0);
        pl_lock_release(&names.lock);
}

void pl_trace_names_lock(void) PL_NO_LOCK_CHECK
{
        pl_lock_acquire(&names.lock);
}

void pl_trace_names_unlock(void) PL_NO_LOCK_CHECK
{
        pl_lock_release(&names.lock);
}

static uint32_t find(const char *text)
{
        for (uint32_t at = 0; at < names.used;) {
                size_t bytes = strlen(names.texts + at) + 1;

                if (strcmp(names.texts + at, text) == 0)
                        return at + 1;
                at += (uint32_t)(bytes + bytes % 2);
        }
        return NO_NUMBER;
}

static uint32_t number_text(const char *text)
{
        char cut[PL_TRACE_TEXT_BYTES];
        size_t bytes = strnlen(text, sizeof cut - 1);

        memcpy(cut, text, bytes);
        cut[bytes] = '\0';
        add_first();
        uint32_t number = find(cut);
        if (number)
                return number;
        if (names.used + bytes + 2 > sizeof names.texts)
                return UNNAMED;
        number = names.used + 1;
        add(cut, bytes);
        share(number - 1);
        return number;
}

static PL_NOINLINE uint32_t number_name(struct plait_trace_name *name)
{
        uint32_t number = NO_NUMBER;

        for (int i = 0; i < LOCK_TRIES && !number; i++) {
                if (!pl_lock_try(&names.lock)) {
                        sched_yield();
                        continue;
                }
                number = number_text(name->pl_text ? name->pl_text : "(null)");
                pl_lock_release(&names.lock);
        }
        __atomic_store_n(&name->pl_id, number, __ATOMIC_RELAXED); /* 0: it is tried again */
        return number ? number : UNNAMED;
}

static const uint8_t kinds[] = {
        [PLAIT_TRACE_SPAN_BEGIN] = PLAIT_RECORDING_SPAN_BEGIN, [PLAIT_TRACE_SPAN_END] = PLAIT_RECORDING_SPAN_END,
        [PLAIT_TRACE_INSTANT] = PLAIT_RECORDING_INSTANT,       [PLAIT_TRACE_COUNTER] = PLAIT_RECORDING_COUNTER,
        [PLAIT_TRACE_FLOW_OUT] = PLAIT_RECORDING_FLOW_OUT,     [PLAIT_TRACE_FLOW_IN] = PLAIT_RECORDING_FLOW_IN,
};

/* Without a name nothing is told: a program must not end by being recorded. */
void plait_trace_emit(unsigned what, struct plait_trace_name *name, uint64_t value)
{
        if (PL_UNLIKELY(!name))
                return;
        uint32_t number = __atomic_load_n(&name->pl_id, __ATOMIC_RELAXED);

        if (PL_UNLIKELY(!number))
                number = number_name(name);
        pl_trace_record(kinds[what], number, value);
}

void plait_trace_emit_text(const char *text)
{
        pl_trace_record_text(PL_TRACE_MESSAGE, 0, 0, text);
}
