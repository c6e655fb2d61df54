/*
 * Adding up: a reader of the model that keeps the longest of each kind.
 */
#include "trace/summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ALIKE_MOST = 1 << 20 }; /* groups of waits that are kept apart */

/* --- heaps: the *limit* longest; the shortest of them is on top --- */

static void sift_waits(struct summary_wait *waits, size_t n, size_t at)
{
        for (;;) {
                size_t child = 2 * at + 1;

                if (child >= n)
                        return;
                if (child + 1 < n && waits[child + 1].duration_ns < waits[child].duration_ns)
                        child++;
                if (waits[at].duration_ns <= waits[child].duration_ns)
                        return;
                struct summary_wait other = waits[at];
                waits[at] = waits[child];
                waits[child] = other;
                at = child;
        }
}

static void keep_wait(struct summary *summary, const struct summary_wait *wait)
{
        struct summary_wait *waits = summary->waits;

        if (summary->n_waits < summary->limit) {
                waits[summary->n_waits++] = *wait;
                if (summary->n_waits == summary->limit)
                        for (size_t i = summary->limit / 2; i-- > 0;)
                                sift_waits(waits, summary->n_waits, i);
        } else if (wait->duration_ns > waits[0].duration_ns) {
                waits[0] = *wait;
                sift_waits(waits, summary->n_waits, 0);
        }
}

static int64_t duration_of(const struct model_request *request)
{
        return request->end_ns - request->start_ns;
}

/* Requests are few, beside other events. */
static void keep_request(struct summary *summary, const struct model_request *request)
{
        size_t at = summary->n_requests;

        if (at == summary->limit) {
                if (duration_of(&summary->requests[at - 1]) >= duration_of(request))
                        return;
                at--;
        } else {
                summary->n_requests++;
        }
        for (; at > 0 && duration_of(&summary->requests[at - 1]) < duration_of(request); at--)
                summary->requests[at] = summary->requests[at - 1];
        summary->requests[at] = *request;
}

/* --- what is alike --- */

static bool is_lock(const char *cause)
{
        return strcmp(cause, "mutex") == 0 || strcmp(cause, "read lock") == 0 || strcmp(cause, "write lock") == 0;
}

/* Whether the object says more than that there was one: descriptors and scopes come and go. */
static bool is_lasting(const char *cause)
{
        static const char *const passing[] = {"sleep", "join", "task", "read",  "write",
                                              "poll",  "call", "http", "select"};

        for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
                if (strcmp(cause, passing[i]) == 0)
                        return false;
        return true;
}

static uint64_t mix(uint64_t hash, uint64_t more)
{
        return ((hash ^ more) * UINT64_C(0xff51afd7ed558ccd)) ^ hash >> 29;
}

static int add_alike(struct summary *summary, const struct summary_wait *wait, const char *cause)
{
        uint64_t key = mix(mix((uintptr_t)wait->flow_name, wait->cause), is_lasting(cause) ? wait->object : 0);
        struct summary_alike *alike = pl_id_map_get(&summary->alike, wait->process, key);

        if (!alike && summary->alike.n == ALIKE_MOST) {
                summary->not_alike++;
                return 0;
        }
        if (!alike) {
                alike = calloc(1, sizeof *alike);
                if (!alike || pl_id_map_put(&summary->alike, wait->process, key, alike) < 0) {
                        free(alike);
                        return -ENOMEM;
                }
        }
        if (!alike->count++ || wait->duration_ns > alike->longest.duration_ns)
                alike->longest = *wait;
        alike->total_ns += wait->duration_ns;
        return 0;
}

static int add_lock(struct summary *summary, const struct summary_wait *wait)
{
        struct summary_lock *lock = pl_id_map_get(&summary->locks, wait->process, wait->object);

        if (!lock) {
                lock = calloc(1, sizeof *lock);
                if (!lock || pl_id_map_put(&summary->locks, wait->process, wait->object, lock) < 0) {
                        free(lock);
                        return -ENOMEM;
                }
        }
        if (!lock->count++ || wait->duration_ns > lock->longest.duration_ns)
                lock->longest = *wait;
        lock->total_ns += wait->duration_ns;
        return 0;
}

/* --- the reader --- */

static int on_slice(void *arg, const struct model_slice *slice)
{
        struct summary *summary = arg;
        const struct model_flow *flow = slice->flow;

        if (slice->state != MODEL_WAITING)
                return 0;
        const char *cause = plait_recording_cause(summary->model.recording, flow->process, slice->cause);
        struct summary_wait wait = {
                .process = flow->process,
                .cause = slice->cause,
                .flow = flow->id,
                .flow_name = flow->name,
                .holder = slice->holder,
                .holder_name = slice->holder_name,
                .object = slice->object,
                .object_name = slice->object_name,
                .value = slice->value,
                .start_ns = slice->start_ns,
                .duration_ns = slice->end_ns - slice->start_ns,
        };
        keep_wait(summary, &wait);
        int r = add_alike(summary, &wait, cause);
        return r == 0 && is_lock(cause) ? add_lock(summary, &wait) : r;
}

static int on_ends(void *arg, const struct model_flow *flow)
{
        struct summary *summary = arg;
        uint64_t key = mix((uintptr_t)flow->name, flow->id & PLAIT_RECORDING_THREAD);
        struct summary_name *name = pl_id_map_get(&summary->names, flow->process, key);

        if (!name) {
                name = calloc(1, sizeof *name);
                if (!name || pl_id_map_put(&summary->names, flow->process, key, name) < 0) {
                        free(name);
                        return -ENOMEM;
                }
                *name = (struct summary_name){.process = flow->process, .flow = flow->id, .name = flow->name};
        }
        name->count++;
        for (int i = 0; i < MODEL_STATES; i++)
                name->busy_ns[i] += flow->busy_ns[i];
        return 0;
}

static int on_request(void *arg, const struct model_request *request)
{
        struct summary *summary = arg;

        summary->all_requests++;
        keep_request(summary, request);
        return 0;
}

/* --- what leads --- */

static int compare_waits(const void *left, const void *right)
{
        const struct summary_wait *a = left, *b = right;

        return (a->duration_ns < b->duration_ns) - (a->duration_ns > b->duration_ns);
}

static int compare_alike(const void *left, const void *right)
{
        const struct summary_alike *const *a = left, *const *b = right;

        return compare_waits(&(*a)->longest, &(*b)->longest);
}

static int compare_locks(const void *left, const void *right)
{
        const struct summary_lock *const *a = left, *const *b = right;

        return ((*a)->total_ns < (*b)->total_ns) - ((*a)->total_ns > (*b)->total_ns);
}

static int compare_names(const void *left, const void *right)
{
        const struct summary_name *const *a = left, *const *b = right;
        int64_t one = (*a)->busy_ns[MODEL_RUNNING], other = (*b)->busy_ns[MODEL_RUNNING];

        return (one < other) - (one > other);
}

/* All values of a map, sorted; the caller frees the row. */
static void *sorted(const struct pl_id_map *map, int (*compare)(const void *, const void *), size_t limit, size_t *ret)
{
        void **values = calloc(map->n + 1, sizeof *values);
        size_t n = 0;

        if (!values)
                return NULL;
        for (size_t i = 0; i < map->room; i++)
                if (map->entries[i].value)
                        values[n++] = map->entries[i].value;
        qsort(values, n, sizeof *values, compare);
        *ret = n < limit ? n : limit;
        return values;
}

int summary_make(struct summary *summary, const char *path, size_t limit, char *message, size_t size)
{
        const struct model_reader reader = {.arg = summary, .slice = on_slice, .ends = on_ends, .request = on_request};

        *summary = (struct summary){.limit = limit};
        summary->waits = calloc(limit, sizeof *summary->waits);
        summary->requests = calloc(limit, sizeof *summary->requests);
        int r = summary->waits && summary->requests ? 0 : -ENOMEM;
        if (r < 0) {
                snprintf(message, size, "out of memory");
                return r;
        }
        r = model_open(&summary->model, path, message, size);
        if (r < 0)
                return r;
        r = model_read(&summary->model, &reader);
        if (r == 0) {
                qsort(summary->waits, summary->n_waits, sizeof *summary->waits, compare_waits);
                summary->top_alike = sorted(&summary->alike, compare_alike, limit, &summary->n_alike);
                summary->top_locks = sorted(&summary->locks, compare_locks, limit, &summary->n_locks);
                summary->top_names = sorted(&summary->names, compare_names, limit, &summary->n_names);
                if (!summary->top_alike || !summary->top_locks || !summary->top_names)
                        r = -ENOMEM;
        }
        if (r < 0)
                snprintf(message, size, "%s cannot be read: %s", path, strerrordesc_np(-r));
        return r;
}

static void free_map(struct pl_id_map *map)
{
        for (size_t i = 0; i < map->room; i++)
                free(map->entries[i].value);
        pl_id_map_done(map);
}

void summary_done(struct summary *summary)
{
        free_map(&summary->alike);
        free_map(&summary->locks);
        free_map(&summary->names);
        free(summary->top_alike);
        free(summary->top_locks);
        free(summary->top_names);
        free(summary->waits);
        free(summary->requests);
        model_close(&summary->model);
}

const char *summary_wait_text(const struct summary *summary, const struct summary_wait *wait, char *buffer, size_t size)
{
        const struct model_flow flow = {.process = wait->process};
        const struct model_slice slice = {
                .flow = &flow,
                .cause = wait->cause,
                .object = wait->object,
                .object_name = wait->object_name,
                .value = wait->value,
        };

        return model_wait_text(&summary->model, &slice, buffer, size);
}
