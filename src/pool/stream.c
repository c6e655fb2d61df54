/*
 * Maps in chunks: of processes, which do not see the caller's memory, and lazy ones. The caller fills chunks, submits
 * each as a job, and takes them back in order; a few per worker are out at a time. How many items a chunk has follows
 * from how long the last ones took.
 *
 * A chunk stays in its place until all its items have been reported. When its worker dies in it, the items before that
 * are reported, the one that was being worked on is blamed (or made again, alone, if the executor retries), and the
 * rest is submitted again.
 *
 * All of this is the caller's alone; there is no lock.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "plait/future.h"
#include "plait/time.h"
#include "plat/sys.h"
#include "pool/map.h"
#include "pool/width.h"
#include "sync/future.h"

enum {
        CHUNK_MOST = 1 << 20,
        CHUNK_NS = 200000,    /* how long a chunk is to take */
        CHUNK_BYTES = 8192,   /* and how large it may be, if it has more than one item */
        FILL_NS = 100000,     /* how long a chunk is waited for that a producer fills */
        DEPTH_PER_WORKER = 2, /* chunks that are out */
};

struct chunk {
        struct pl_job *job; /* with a reference to its future; NULL: none */
        size_t number;      /* of its first item */
        size_t count;       /* items in it */
        size_t reported;    /* of those */
        size_t under_way;   /* those that follow and are in the job */
        size_t room;        /* items that there is memory for; 0: it stands in the user's arrays */
        char *args;
        char *results;
        int *codes;
        size_t codes_room;
};

struct stream {
        const struct pl_map *map;
        struct chunk *chunks;     /* a ring */
        size_t room;              /* for so many chunks */
        size_t depth, first, out; /* chunks: may be out; the first; are out */
        size_t items_out, limit;
        size_t taken; /* items so far */
        size_t size;  /* of the next chunk */
        bool exhausted;
        int error;
        size_t failed;
};

static bool is_lazy(const struct stream *stream)
{
        return stream->map->flow.next != NULL;
}

/* --- reporting --- */

static void fail(struct stream *stream, int error)
{
        if (stream->error == 0)
                stream->error = error;
}

static int result_of(enum plait_job_status status, int code)
{
        switch (status) {
        case PLAIT_JOB_CRASHED: return -EOWNERDEAD;
        case PLAIT_JOB_TIMED_OUT: return -ETIMEDOUT;
        case PLAIT_JOB_CANCELLED: return -ECANCELED;
        default: return code;
        }
}

/* The next item of *chunk*, of which *end* is what its job says. */
static void report(struct stream *stream, struct chunk *chunk, struct plait_job_end end)
{
        const struct plait_executor_flow *flow = &stream->map->flow;
        size_t i = chunk->reported++;

        end.result = result_of(end.status, end.result);
        if (end.status != PLAIT_JOB_CRASHED) {
                end.signal = 0;
                end.exit_code = -1;
                end.report = NULL;
        }
        end.data = chunk->results ? chunk->results + i * flow->result_bytes : NULL;
        end.bytes = flow->result_bytes;
        stream->items_out--;
        if (end.result < 0) {
                stream->failed++;
                if (!pl_map_collects(stream->map))
                        fail(stream, pl_map_error(stream->map, end.result));
        }
        if (stream->map->opts->codes)
                stream->map->opts->codes[chunk->number + i] = end.result;
        int r = flow->done ? flow->done(flow->context, chunk->args + i * flow->arg_bytes, &end) : 0;
        if (r < 0)
                fail(stream, r);
}

static void report_rest(struct stream *stream, struct chunk *chunk, enum plait_job_status status, int code)
{
        while (chunk->reported < chunk->count)
                report(stream, chunk, (struct plait_job_end){.status = status, .result = code, .exit_code = -1});
}

/* --- submitting --- */

static int submit(struct stream *stream, struct chunk *chunk, size_t count, unsigned tries)
{
        const struct pl_map *map = stream->map;
        const struct plait_executor_flow *flow = &map->flow;
        struct pl_job *job;
        int r = pl_job_new(map->executor, 0, &job);

        if (r < 0)
                return r;
        job->fn = flow->fn;
        job->arg_bytes = flow->arg_bytes;
        job->arg = chunk->args ? chunk->args + chunk->reported * flow->arg_bytes : NULL;
        job->result_bytes = flow->result_bytes;
        job->result = chunk->results ? chunk->results + chunk->reported * flow->result_bytes : NULL;
        job->count = count;
        job->codes = chunk->codes;
        job->stop_at_error = !pl_map_collects(map);
        job->name = map->opts->name;
        job->timeout_ns = map->executor->job_timeout_ns;
        job->deadline_ns = map->deadline_ns;
        job->end.tries = tries;
        job->end.bytes = flow->result_bytes;
        r = pl_job_submit(job, true);
        if (r < 0) {
                plait_future_unref(job->future);
                return r;
        }
        chunk->job = job;
        chunk->under_way = count;
        return 0;
}

/* --- filling --- */

static size_t smaller(size_t a, size_t b)
{
        return a < b ? a : b;
}

/* How many items the next chunk may have. */
static size_t wanted(const struct stream *stream)
{
        size_t size = smaller(stream->size, stream->limit - stream->items_out);

        if (is_lazy(stream) || stream->map->opts->chunk)
                return smaller(size, stream->map->n - stream->taken);
        size_t left = stream->map->n - stream->taken;
        size_t share = left / stream->depth;
        return smaller(size, share ? share : left ? 1 : 0);
}

static bool grow(struct chunk *chunk, const struct plait_executor_flow *flow, size_t room)
{
        char *args = calloc(room, flow->arg_bytes ? flow->arg_bytes : 1);
        char *results = calloc(room, flow->result_bytes ? flow->result_bytes : 1);

        if (!args || !results) {
                free(args);
                free(results);
                return false;
        }
        free(chunk->args);
        free(chunk->results);
        chunk->args = args;
        chunk->results = results;
        chunk->room = room;
        return true;
}

static bool grow_codes(struct chunk *chunk, size_t room)
{
        int *codes = chunk->codes_room >= room ? chunk->codes : calloc(room, sizeof *codes);

        if (!codes)
                return false;
        if (codes != chunk->codes)
                free(chunk->codes);
        chunk->codes_room = chunk->codes_room >= room ? chunk->codes_room : room;
        chunk->codes = codes;
        return true;
}

/* Have the producer fill *chunk* with up to *size* items, or fewer if that takes long. */
static void produce(struct stream *stream, struct chunk *chunk, size_t size)
{
        const struct plait_executor_flow *flow = &stream->map->flow;
        int64_t start_ns = pl_plat_now_ns();

        while (chunk->count < size && (chunk->count == 0 || pl_plat_now_ns() - start_ns < FILL_NS)) {
                int r = flow->next(flow->context, chunk->args + chunk->count * flow->arg_bytes);

                if (r <= 0) {
                        stream->exhausted = true;
                        if (r < 0)
                                fail(stream, r);
                        break;
                }
                chunk->count++;
        }
        memset(chunk->results, 0, chunk->count * flow->result_bytes);
}

/* 0, or -ENOMEM. A chunk without items: there are none left. */
static int fill(struct stream *stream, struct chunk *chunk)
{
        const struct pl_map *map = stream->map;
        size_t size = wanted(stream);

        chunk->count = chunk->reported = 0;
        chunk->number = stream->taken;
        while (!grow_codes(chunk, size ? size : 1) ||
               (is_lazy(stream) && chunk->room < size && !grow(chunk, &map->flow, size))) {
                if (size <= 1)
                        return -ENOMEM;
                stream->size = size = (size + 1) / 2;
        }
        if (is_lazy(stream)) {
                produce(stream, chunk, size);
        } else {
                chunk->args = map->args ? map->args + stream->taken * map->flow.arg_bytes : NULL;
                chunk->results = map->results ? map->results + stream->taken * map->flow.result_bytes : NULL;
                chunk->count = size;
                stream->exhausted = stream->taken + size == map->n;
        }
        stream->taken += chunk->count;
        stream->items_out += chunk->count;
        return 0;
}

/* Fill and submit one more chunk. False: there is none, or it could not be done, and the stream has failed. */
static bool send(struct stream *stream)
{
        struct chunk *chunk = &stream->chunks[(stream->first + stream->out) % stream->room];
        int r = fill(stream, chunk);

        if (r == 0 && chunk->count) {
                stream->out++;
                /* What the producer has handed out before it failed is reported, but not begun. */
                r = stream->error ? 0 : submit(stream, chunk, chunk->count, 0);
        }
        if (r < 0)
                fail(stream, r);
        return r == 0 && chunk->count && !stream->error;
}

/* --- taking back --- */

/* So many items are to be in a chunk that it takes as long as it should. */
static void adapt(struct stream *stream, const struct pl_job *job)
{
        const struct plait_executor_flow *flow = &stream->map->flow;
        size_t bytes = flow->arg_bytes > flow->result_bytes ? flow->arg_bytes : flow->result_bytes;

        if (stream->map->opts->chunk || !job->progress)
                return;
        uint64_t each_ns = (uint64_t)job->took_ns / job->progress;
        size_t size = (size_t)(CHUNK_NS / (each_ns ? each_ns : 1));
        if (bytes && size > CHUNK_BYTES / bytes)
                size = CHUNK_BYTES / bytes;
        size = smaller(size, smaller(stream->size * 4, CHUNK_MOST));
        size = smaller(size, stream->limit / stream->depth);
        stream->size = size ? size : 1;
}

static void cancel_all(const struct stream *stream)
{
        for (size_t i = 0; i < stream->out; i++) {
                const struct chunk *chunk = &stream->chunks[(stream->first + i) % stream->room];

                if (chunk->job)
                        plait_future_cancel(chunk->job->future);
        }
}

/* Wait for the job of *chunk*, which then is the caller's to let go of. */
static struct pl_job *await(struct stream *stream, struct chunk *chunk)
{
        struct pl_job *job = chunk->job;
        int r = plait_future_wait(job->future, stream->error ? PLAIT_NEVER : stream->map->deadline_ns, NULL, NULL);

        if (r < 0) {
                fail(stream, r);
                cancel_all(stream);
                pl_sync_future_await(job->future);
        }
        chunk->job = NULL;
        return job;
}

/* What has become of the job's items. True: the next one is to be made again. */
static bool settle(struct stream *stream, struct chunk *chunk, const struct pl_job *job)
{
        struct plait_job_end end = job->end;
        size_t made = smaller(job->progress, chunk->under_way);
        bool failed_alone = chunk->under_way == 1;

        for (size_t i = 0; i < made; i++) {
                end.status = PLAIT_JOB_RETURNED;
                end.result = chunk->codes[i];
                report(stream, chunk, end);
        }
        end = job->end;
        if (made == chunk->under_way)
                return false;
        switch (end.status) {
        case PLAIT_JOB_RETURNED: /* an item has failed */ break;
        case PLAIT_JOB_CRASHED:
                if (!failed_alone && stream->map->executor->retries)
                        return true;
                report(stream, chunk, end);
                break;
        case PLAIT_JOB_TIMED_OUT: report(stream, chunk, end); break;
        default: report_rest(stream, chunk, end.status, end.result); break;
        }
        return false;
}

/* The first chunk: until all its items have been reported. */
static void receive(struct stream *stream)
{
        struct chunk *chunk = &stream->chunks[stream->first];

        while (chunk->job) {
                struct pl_job *job = await(stream, chunk);
                adapt(stream, job);
                bool again = settle(stream, chunk, job);
                plait_future_unref(job->future);
                size_t left = chunk->count - chunk->reported;
                if (!left || stream->error)
                        break;
                int r = submit(stream, chunk, again ? 1 : left, again ? 1 : 0);
                if (r < 0)
                        report_rest(stream, chunk, PLAIT_JOB_REFUSED, r);
        }
        report_rest(stream, chunk, PLAIT_JOB_CANCELLED, -ECANCELED);
        stream->first = (stream->first + 1) % stream->room;
        stream->out--;
}

/* --- all of it --- */

/* Workers may have become more, or fewer. */
static void follow_width(struct stream *stream)
{
        struct plait_executor *executor = stream->map->executor;

        stream->depth = smaller(DEPTH_PER_WORKER * (size_t)executor->kind->width(executor), stream->room);
}

static void run(struct stream *stream)
{
        for (;;) {
                if (stream->map->executor->tuner)
                        follow_width(stream);
                while (!stream->exhausted && !stream->error && stream->out < stream->depth &&
                       stream->items_out < stream->limit && send(stream))
                        ;
                if (stream->error)
                        cancel_all(stream);
                if (!stream->out)
                        return;
                receive(stream);
        }
}

static void free_chunks(struct stream *stream)
{
        for (size_t i = 0; i < stream->room; i++) {
                struct chunk *chunk = &stream->chunks[i];

                free(chunk->codes);
                if (chunk->room) {
                        free(chunk->args);
                        free(chunk->results);
                }
        }
        free(stream->chunks);
}

int pl_map_in_chunks(const struct pl_map *map)
{
        struct stream stream = {.map = map, .size = map->opts->chunk ? map->opts->chunk : 1};

        stream.limit = map->opts->limit && map->flow.next ? map->opts->limit : SIZE_MAX;
        stream.room = smaller(DEPTH_PER_WORKER * (size_t)pl_width_most(map->executor), stream.limit);
        stream.depth = stream.room = smaller(stream.room, map->n);
        stream.chunks = calloc(stream.room, sizeof *stream.chunks);
        if (!stream.chunks)
                return -ENOMEM;
        for (size_t i = 0; map->opts->codes && i < map->n; i++)
                map->opts->codes[i] = -ECANCELED;
        run(&stream);
        free_chunks(&stream);
        return stream.error ? stream.error : (int)smaller(stream.failed, INT_MAX);
}
