/*
 * plait_executor_map() and plait_executor_stream().
 *
 * Where workers see the caller's memory, an array is spread over them: each worker has one job, which takes chunks off
 * a counter that all share, until there are none left. How many items a chunk has, each finds out by measuring, so that
 * one takes some microseconds: then neither the counter nor the clock counts, and no worker waits long for the others
 * at the end. All else goes in chunks that are jobs (stream.c).
 */
#include "pool/map.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "plait/future.h"
#include "plait/time.h"
#include "plat/sys.h"
#include "sync/future.h"

enum {
        CHUNK_MOST = 1 << 20,
        CHUNK_MIN_US = 4,
        CHUNK_MAX_US = 40,
};

struct spread {
        const struct pl_map *map;
        unsigned width;
        uint64_t ticks_per_us;
        _Atomic int error; /* the first one; stops everybody */
        _Atomic size_t failed;
        _Atomic size_t made;
        PL_LINE_ALIGNED _Atomic size_t next;
};

static void fail(struct spread *spread, int error)
{
        int none = 0;

        atomic_compare_exchange_strong(&spread->error, &none, error);
}

static bool has_failed(struct spread *spread)
{
        return atomic_load_explicit(&spread->error, memory_order_relaxed) != 0;
}

/*
 * Items from *begin* on until one fails; returns its number, or *end*. There is as little as can be in the loop: with
 * more branches, processors no longer foresee the end of a short loop in *fn*.
 */
static size_t make_plain(const struct pl_map *map, size_t begin, size_t end, int *ret_error)
{
        int (*fn)(void *arg, void *result) = map->flow.fn;
        size_t arg_bytes = map->flow.arg_bytes;
        size_t result_bytes = map->flow.result_bytes;
        char *arg = map->args + begin * arg_bytes;
        char *result = map->results + begin * result_bytes;
        int r = 0;

        for (; begin < end && (r = fn(arg, result)) >= 0; begin++) {
                arg += arg_bytes;
                result += result_bytes;
        }
        *ret_error = r;
        return begin;
}

/* The same where something is missing, or each result is wanted. */
static size_t make_any(const struct pl_map *map, size_t begin, size_t end, int *ret_error)
{
        int r = 0;

        for (; begin < end; begin++) {
                r = map->flow.fn(map->args ? map->args + begin * map->flow.arg_bytes : NULL,
                                 map->results ? map->results + begin * map->flow.result_bytes : NULL);
                if (map->opts->codes)
                        map->opts->codes[begin] = r;
                if (r < 0)
                        break;
        }
        *ret_error = r;
        return begin;
}

/* Returns how many were made: all, unless one failed and that ends all. */
static size_t make_chunk(struct spread *spread, size_t begin, size_t end)
{
        const struct pl_map *map = spread->map;
        bool plain = map->args && map->results && !map->opts->codes;
        size_t i = begin;

        while (i < end) {
                int r = 0;

                i = plain ? make_plain(map, i, end, &r) : make_any(map, i, end, &r);
                if (i == end)
                        break;
                i++;
                atomic_fetch_add_explicit(&spread->failed, 1, memory_order_relaxed);
                if (!pl_map_collects(map)) {
                        fail(spread, pl_map_error(map, r));
                        break;
                }
        }
        return i - begin;
}

static size_t next_size(const struct spread *spread, size_t size, uint64_t ticks)
{
        if (spread->map->opts->chunk)
                return size;
        if (ticks < CHUNK_MIN_US * spread->ticks_per_us && size < CHUNK_MOST)
                return size * 2;
        if (ticks > CHUNK_MAX_US * spread->ticks_per_us && size > 1)
                return size / 2;
        return size;
}

/* Not so much at the end that one works while the others have nothing left. */
static size_t take(struct spread *spread, size_t size)
{
        size_t n = spread->map->n;
        size_t taken = atomic_load_explicit(&spread->next, memory_order_relaxed);
        size_t most = taken < n ? (n - taken) / (2 * (size_t)spread->width) : 0;

        if (!spread->map->opts->chunk && size > most)
                size = most ? most : 1;
        return size;
}

static int work(void *arg, void *result)
{
        struct spread *spread = arg;
        size_t n = spread->map->n, size = spread->map->opts->chunk ? spread->map->opts->chunk : 1, made = 0;

        (void)result;
        while (!has_failed(spread)) {
                size_t count = take(spread, size);
                size_t begin = atomic_fetch_add_explicit(&spread->next, count, memory_order_relaxed);
                if (begin >= n)
                        break;
                uint64_t start = pl_plat_ticks();
                made += make_chunk(spread, begin, begin + count < n ? begin + count : n);
                uint64_t ticks = pl_plat_ticks() - start;
                if (count == size)
                        size = next_size(spread, size, ticks);
                if (pl_map_is_over(spread->map))
                        fail(spread, -ETIMEDOUT);
                if (plait_job_cancelled())
                        fail(spread, -ECANCELED);
        }
        atomic_fetch_add_explicit(&spread->made, made, memory_order_relaxed);
        return 0;
}

static int start_one(struct spread *spread, struct plait_future **ret_future)
{
        struct pl_job *job;
        int r = pl_job_new(spread->map->executor, 0, &job);

        if (r < 0)
                return r;
        job->fn = work;
        job->arg = (char *)spread;
        job->name = spread->map->opts->name;
        job->timeout_ns = spread->map->executor->job_timeout_ns;
        job->deadline_ns = spread->map->deadline_ns;
        struct plait_future *future = job->future;
        r = pl_job_submit(job, true);
        if (r < 0)
                plait_future_unref(future);
        else
                *ret_future = future;
        return r;
}

/* Wait for all; when the caller is cancelled or out of time, they are told, and waited for even so. */
static void wait_for_all(struct spread *spread, struct plait_future *const *futures, unsigned count)
{
        for (unsigned i = 0; i < count; i++) {
                int result = 0;
                int r = plait_future_wait(futures[i], spread->map->deadline_ns, &result, NULL);

                if (r < 0) {
                        fail(spread, r);
                        for (unsigned k = i; k < count; k++)
                                plait_future_cancel(futures[k]);
                        pl_sync_future_await(futures[i]);
                        (void)!plait_future_wait(futures[i], 0, &result, NULL);
                }
                if (result < 0 && atomic_load_explicit(&spread->made, memory_order_relaxed) < spread->map->n)
                        fail(spread, result);
                plait_future_unref(futures[i]);
        }
}

static int spread_out(const struct pl_map *map, bool inside)
{
        struct spread spread = {.map = map, .width = 1, .ticks_per_us = pl_plat_ticks_per_ms() / 1000 + 1};
        struct plait_future **futures = NULL;
        unsigned count = 0;
        int r = 0;

        for (size_t i = 0; map->opts->codes && i < map->n; i++)
                map->opts->codes[i] = -ECANCELED;
        if (inside) {
                struct pl_job_here *here = pl_job_here();
                struct pl_job_here outer = *here;

                here->bytes = here->most = 0; /* plait_job_set_bytes() is not for the job around this */
                (void)work(&spread, NULL);
                *here = outer;
        } else {
                spread.width = map->executor->kind->width(map->executor);
                futures = calloc(spread.width, sizeof(void *));
                if (!futures)
                        return -ENOMEM;
                while (r == 0 && count < spread.width && count < map->n) {
                        r = start_one(&spread, &futures[count]);
                        count += r == 0;
                }
                wait_for_all(&spread, futures, count);
                free(futures);
                if (count == 0)
                        return r;
        }
        r = atomic_load(&spread.error);
        if (r < 0)
                return r;
        size_t failed = atomic_load(&spread.failed);
        return failed < INT_MAX ? (int)failed : INT_MAX;
}

/* --- the same one after the other, in a job of the same executor --- */

static int stream_here(const struct pl_map *map, char *item, char *result)
{
        const struct plait_executor_flow *flow = &map->flow;
        int failed = 0, r;

        while ((r = pl_map_is_over(map) ? -ETIMEDOUT : flow->next(flow->context, item)) > 0) {
                memset(result, 0, flow->result_bytes);
                int code = plait_job_cancelled() ? -ECANCELED : flow->fn(item, result);
                const struct plait_job_end end = {
                        .result = code, .exit_code = -1, .tries = 1, .data = result, .bytes = flow->result_bytes};
                if (code < 0 && failed < INT_MAX)
                        failed++;
                r = flow->done ? flow->done(flow->context, item, &end) : 0;
                if (code < 0 && !pl_map_collects(map))
                        return code;
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : failed;
}

/* --- for users --- */

static bool in_range(const struct plait_executor_map_opts *opts)
{
        return opts->size == sizeof *opts && !(opts->flags & ~PLAIT_EXECUTOR_MAP_COLLECT) && opts->chunk <= CHUNK_MOST;
}

static const struct plait_executor_map_opts defaults = {.size = sizeof defaults};

static struct pl_map make(struct plait_executor *executor, const struct plait_executor_map_opts *opts)
{
        if (!opts)
                opts = &defaults;
        return (struct pl_map){
                .executor = executor, .opts = opts, .deadline_ns = opts->deadline_ns ? opts->deadline_ns : PLAIT_NEVER};
}

int plait_executor_map(struct plait_executor *executor, int (*fn)(void *arg, void *result), void *args,
                       size_t arg_bytes, void *results, size_t result_bytes, size_t n,
                       const struct plait_executor_map_opts *opts)
{
        struct pl_map map = make(executor, opts);

        if (!fn || (arg_bytes && !args) || (result_bytes && !results) || !in_range(map.opts))
                return -EINVAL;
        if (!n)
                return 0;
        map.flow = (struct plait_executor_flow){.fn = fn, .arg_bytes = arg_bytes, .result_bytes = result_bytes};
        map.args = args;
        map.results = result_bytes ? results : NULL;
        map.n = n;
        bool inside = pl_job_is_inside(executor);
        /* Where the number of workers is found by measurement, it is to change in the middle of a map, too. */
        return inside || (executor->kind->in_process && !executor->tuner) ? spread_out(&map, inside)
                                                                          : pl_map_in_chunks(&map);
}

int plait_executor_stream(struct plait_executor *executor, const struct plait_executor_flow *flow,
                          const struct plait_executor_map_opts *opts)
{
        struct pl_map map = make(executor, opts);

        if (!flow || !flow->next || !flow->fn || !in_range(map.opts) || map.opts->codes)
                return -EINVAL;
        if (flow->arg_bytes > SIZE_MAX / 4 || flow->result_bytes > SIZE_MAX / 4)
                return -ENOMEM;
        map.flow = *flow;
        map.n = SIZE_MAX;
        if (!pl_job_is_inside(executor))
                return pl_map_in_chunks(&map);
        char *room = malloc(flow->arg_bytes + flow->result_bytes + 2 * _Alignof(max_align_t));
        if (!room)
                return -ENOMEM;
        size_t at = (flow->arg_bytes + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
        struct pl_job_here *here = pl_job_here();
        struct pl_job_here outer = *here;
        here->bytes = here->most = 0;
        int r = stream_here(&map, room, room + at);
        *here = outer;
        free(room);
        return r;
}
