/*
 * Task-local values. Each struct plait_local gets a number when it is first set, and each flow that sets one a table
 * by number, which hangs on the pointer that src/sched keeps for it (sched/local.h). Only the flow itself touches its
 * table; numbers are given out by atomic operations and never taken back.
 *
 * What a task inherits is put into its table by whoever starts it, before it runs.
 */
#include "plait/local.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "plat/panic.h"
#include "sched/local.h"

enum {
        FIRST_ENTRIES = 4,
        DESTROY_ROUNDS = 4, /* destructors may set values again, as with pthread_setspecific() */
};

struct entry {
        const struct plait_local *local; /* NULL: never set */
        void *value;
};

struct table {
        size_t n;
        struct entry entries[];
};

/* One round of destroying what the ending flow has. False: there was nothing. */
static bool destroy_round(void **place)
{
        bool any = false;

        for (size_t i = 0; i < ((struct table *)*place)->n; i++) {
                struct entry *entry = &((struct table *)*place)->entries[i]; /* a destructor may have moved it */
                void *value = entry->value;

                if (!value || !entry->local->destroy)
                        continue;
                entry->value = NULL;
                entry->local->destroy(value);
                any = true;
        }
        return any;
}

static void destroy_table(void *pointer)
{
        void **place = pl_sched_local();

        *place = pointer; /* for destructors that look at other values */
        for (int round = 0; destroy_round(place); round++) {
                if (round == DESTROY_ROUNDS)
                        pl_panic("after %d rounds, destructors of local values still set new ones: "
                                 "a destructor must not set what it destroys",
                                 DESTROY_ROUNDS);
        }
        free(*place);
        *place = NULL;
}

static __attribute__((constructor)) void set_up(void)
{
        pl_sched_local_on_end(destroy_table);
}

/* How long a table has to be for what is inherited from *table*; 0: nothing is. */
static size_t inherited_length(const struct table *table)
{
        size_t n = table->n;

        while (n > 0 && !(table->entries[n - 1].value && table->entries[n - 1].local->inherit))
                n--;
        return n;
}

static int inherit_table(const void *pointer, void **ret_pointer)
{
        const struct table *from = pointer;
        const size_t n = inherited_length(from);

        if (!n)
                return 0;
        struct table *table = calloc(1, sizeof *table + n * sizeof *table->entries);
        if (!table)
                return -ENOMEM;
        table->n = n;
        for (size_t i = 0; i < n; i++) {
                const struct plait_local *local = from->entries[i].local;
                void *value = from->entries[i].value;

                if (value && local->inherit)
                        table->entries[i] = (struct entry){.local = local, .value = local->inherit(value)};
        }
        *ret_pointer = table;
        return 0;
}

void *plait_local_share(void *value)
{
        return value;
}

/* The local's number, 1 or more; given to it now if it has none. */
static uint32_t number_of(struct plait_local *local)
{
        static _Atomic uint32_t last;
        uint32_t number = __atomic_load_n(&local->pl_number, __ATOMIC_RELAXED);

        if (PL_UNLIKELY(!number)) {
                uint32_t mine = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;

                if (__atomic_compare_exchange_n(&local->pl_number, &number, mine, 0, __ATOMIC_RELAXED,
                                                __ATOMIC_RELAXED))
                        number = mine;
        }
        return number;
}

/* Make the caller's table have *n* entries or more. 0 or -ENOMEM. */
static PL_NOINLINE int grow(void **place, size_t n)
{
        struct table *old = *place;
        const size_t had = old ? old->n : 0;
        size_t has = had ? had : FIRST_ENTRIES;

        while (has < n)
                has *= 2;

        struct table *table = realloc(old, sizeof *table + has * sizeof *table->entries);

        if (!table)
                return -ENOMEM;
        memset(&table->entries[had], 0, (has - had) * sizeof *table->entries);
        table->n = has;
        *place = table;
        return 0;
}

int plait_local_set(struct plait_local *local, void *value)
{
        void **place = pl_sched_local();
        const size_t i = number_of(local) - 1;
        struct table *table = *place;

        if (!table || i >= table->n) {
                if (!value)
                        return 0;
                int r = grow(place, i + 1);
                if (r < 0)
                        return r;
                table = *place;
        }
        table->entries[i] = (struct entry){.local = local, .value = value};
        if (local->inherit && !atomic_load_explicit(&pl_sched_local_inherited, memory_order_relaxed))
                pl_sched_local_on_start(inherit_table);
        return 0;
}

void *plait_local_get(const struct plait_local *local)
{
        const struct table *table = *pl_sched_local();
        const uint32_t number = __atomic_load_n(&local->pl_number, __ATOMIC_RELAXED);

        return table && number && number <= table->n ? table->entries[number - 1].value : NULL;
}
