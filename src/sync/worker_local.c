/*
 * Per-worker values. A local has, for the run that is under way, a place for each worker: the shared value, made
 * through a plait_once, and a list of those that were borrowed and given back there. The local's lock guards the making
 * of the places; each list has a lock of its own. All is destroyed by a hook at the end of the run, when no other task
 * is left.
 */
#include "plait/worker_local.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "plait/once.h"
#include "plait/run.h"
#include "plait/time.h"
#include "plat/panic.h"
#include "plat/spin.h"
#include "sched/runtime.h"

struct idle {
        struct idle *next;
        void *value;
};

struct place {
        PL_LINE_ALIGNED struct plait_once once;
        void *shared; /* when *once* is done */
        struct pl_spin lock;
        struct idle *idle; /* guarded by lock */
};

struct values {
        struct plait_worker_local *local;
        _Atomic size_t borrowed;
        unsigned n;
        struct place places[];
};

static void destroy_value(const struct plait_worker_local *local, void *value)
{
        if (local->destroy)
                local->destroy(value);
}

/* The run is over. */
static void destroy_values(void *arg)
{
        struct values *values = arg;
        struct plait_worker_local *local = values->local;

        if (values->borrowed)
                pl_panic("%zu values of worker-local %p were borrowed and not given back when the run ended: call "
                         "plait_worker_local_give_back() for each that was borrowed",
                         (size_t)values->borrowed, (void *)local);
        for (unsigned i = 0; i < values->n; i++) {
                struct idle *idle;

                while ((idle = values->places[i].idle)) {
                        values->places[i].idle = idle->next;
                        destroy_value(local, idle->value);
                        free(idle);
                }
                if (values->places[i].shared)
                        destroy_value(local, values->places[i].shared);
        }
        local->pl_values = NULL;
        __atomic_store_n(&local->pl_run, 0, __ATOMIC_RELAXED);
        free(values);
}

static struct values *make_values(struct plait_worker_local *local)
{
        const unsigned n = plait_workers();
        const size_t bytes = (sizeof(struct values) + n * sizeof(struct place) + PL_CACHE_LINE - 1) &
                             ~(size_t)(PL_CACHE_LINE - 1);
        struct values *values = aligned_alloc(PL_CACHE_LINE, bytes);

        if (!values)
                return NULL;
        memset(values, 0, bytes);
        values->local = local;
        values->n = n;
        if (pl_sched_at_end(destroy_values, values) < 0) {
                free(values);
                return NULL;
        }
        return values;
}

/* This run's places; 0, -EINVAL or -ENOMEM. */
static int values_of(struct plait_worker_local *local, struct values **ret_values)
{
        const uint64_t run = pl_sched_run_id();
        struct pl_spin *lock = (struct pl_spin *)&local->pl_lock;

        if (PL_UNLIKELY(!pl_sched_in_task()))
                return -EINVAL;
        if (PL_UNLIKELY(__atomic_load_n(&local->pl_run, __ATOMIC_ACQUIRE) != run)) {
                pl_spin_lock(lock);
                if (local->pl_run != run) {
                        local->pl_values = make_values(local);
                        if (local->pl_values)
                                __atomic_store_n(&local->pl_run, run, __ATOMIC_RELEASE);
                }
                pl_spin_unlock(lock);
                if (!local->pl_values)
                        return -ENOMEM;
        }
        *ret_values = local->pl_values;
        return 0;
}

/* A new value; what is wrong with NULL is told by -EINVAL. */
static int make(const struct plait_worker_local *local, void **ret_value)
{
        void *value = NULL;
        int r = local->make(local->arg, &value);

        if (r < 0)
                return r;
        if (!value)
                return -EINVAL;
        *ret_value = value;
        return 0;
}

/* Where the caller runs. A spare worker, which stands in for one that is held up, has no place of its own. */
static unsigned own_place(const struct values *values)
{
        return pl_sched_worker_index() % values->n;
}

struct sharing {
        const struct plait_worker_local *local;
        struct place *place;
};

static int make_shared(void *arg)
{
        struct sharing *sharing = arg;

        return make(sharing->local, &sharing->place->shared);
}

int plait_worker_local_get(struct plait_worker_local *local, void **ret_value)
{
        struct values *values;
        int r = values_of(local, &values);

        if (r < 0)
                return r;
        struct place *place = &values->places[own_place(values)];
        struct sharing sharing = {.local = local, .place = place};
        r = plait_once_do(&place->once, make_shared, &sharing, PLAIT_NEVER);
        if (r == 0)
                *ret_value = place->shared;
        return r;
}

static struct idle *take_idle(struct place *place)
{
        if (!__atomic_load_n(&place->idle, __ATOMIC_RELAXED))
                return NULL;
        pl_spin_lock(&place->lock);
        struct idle *idle = place->idle;
        if (idle)
                __atomic_store_n(&place->idle, idle->next, __ATOMIC_RELAXED);
        pl_spin_unlock(&place->lock);
        return idle;
}

/* An idle value, this worker's first; NULL: all are in use. */
static struct idle *find_idle(struct values *values)
{
        const unsigned own = own_place(values);

        for (unsigned i = 0; i < values->n; i++) {
                struct idle *idle = take_idle(&values->places[(own + i) % values->n]);

                if (idle)
                        return idle;
        }
        return NULL;
}

int plait_worker_local_borrow(struct plait_worker_local *local, struct plait_worker_lease *ret_lease)
{
        struct values *values;
        int r = values_of(local, &values);

        if (r < 0)
                return r;
        struct idle *entry = find_idle(values);
        if (!entry) {
                entry = calloc(1, sizeof *entry);
                r = entry ? make(local, &entry->value) : -ENOMEM;
                if (r < 0) {
                        free(entry);
                        return r;
                }
        }
        atomic_fetch_add_explicit(&values->borrowed, 1, memory_order_relaxed);
        *ret_lease = (struct plait_worker_lease){.value = entry->value, .pl_entry = entry, .pl_values = values};
        return 0;
}

void plait_worker_local_give_back(struct plait_worker_lease *lease)
{
        struct values *values = lease->pl_values;
        struct idle *entry = lease->pl_entry;

        if (!entry)
                return;
        if (!pl_sched_in_task())
                pl_panic("a worker's value was given back by what is no task: give it back in a task of the run");
        *lease = (struct plait_worker_lease){0};
        struct place *place = &values->places[own_place(values)];

        pl_spin_lock(&place->lock);
        entry->next = place->idle;
        __atomic_store_n(&place->idle, entry, __ATOMIC_RELAXED);
        pl_spin_unlock(&place->lock);
        atomic_fetch_sub_explicit(&values->borrowed, 1, memory_order_relaxed);
}
