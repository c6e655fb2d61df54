/*
 * Loops in parallel.
 *
 * A range is cut in two only when this worker's deque is empty, that is, when whatever it had offered has been taken:
 * then somebody is out of work (lazy binary splitting, Tzannes et al., PPoPP 2010). In between it works through chunks
 * that take tens of microseconds each, so that what goes on around the body does not count, and less towards the end.
 * How many items that is, is measured as it goes.
 *
 * To other tasks a chunk is a turn: after each, the worker counts it and looks around as it would between two tasks,
 * and whoever waits there has a turn, too. The half that it offers it takes back first, and offers again when it goes
 * on: else that would become a task as if the worker had nothing to do, offer a half of its own, and so on until all
 * parts of the loop wait for turns.
 */
#include "plait/parallel.h"

#include "plait/time.h"
#include "sched/fork.h"
#include "sched/turn.h"

enum {
        CHUNK_MIN_US = 12,
        CHUNK_MAX_US = 40,
        CHUNK_SHRINKS = 8, /* the last ones are smaller by this */
};

struct loop {
        int (*body)(size_t begin, size_t end, void *arg);
        void *arg;
        _Atomic int error; /* the first one; stops everybody */
};

struct offer {
        struct plait_fork fork;
        bool withdrawn; /* there was no room for it any more */
};

struct range {
        struct loop *loop;
        size_t begin, end;
        size_t chunk;
        struct offer *offer; /* the last one; those before it have been taken, or are withdrawn */
};

static void fail(struct loop *loop, int error)
{
        int none = 0;

        atomic_compare_exchange_strong(&loop->error, &none, error);
}

static bool offered_nothing(void)
{
        return pl_deque_empty(&pl_sched_self_get()->fresh);
}

static size_t smallest_chunk(const struct range *range)
{
        return range->chunk / CHUNK_SHRINKS + 1;
}

/* Towards the end they get smaller, so that all end together. */
static size_t chunk_of(const struct range *range, size_t left)
{
        size_t n = left / 4;

        if (n >= range->chunk)
                return range->chunk;
        if (n < smallest_chunk(range))
                n = smallest_chunk(range);
        return n < left ? n : left;
}

/* The next chunk, and how large the one after should be. */
static void run_chunk(struct range *range)
{
        size_t n = chunk_of(range, range->end - range->begin);
        uint64_t start = pl_plat_ticks();
        int r = range->loop->body(range->begin, range->begin + n, range->loop->arg);

        if (r >= 0)
                r = pl_sched_wait_check();
        if (PL_UNLIKELY(r < 0))
                fail(range->loop, r);
        range->begin += n;
        uint64_t took = pl_plat_ticks() - start;
        if (took < CHUNK_MIN_US * pl_sched_the_run.ticks_per_us && n == range->chunk)
                range->chunk *= 2;
        else if (took > CHUNK_MAX_US * pl_sched_the_run.ticks_per_us && range->chunk > 1)
                range->chunk /= 2;
}

/* It was the only one when it was offered first, so it is the oldest, with what the body has started on top; or it has
 * been offered again, on top of others. False: it has been taken. */
static bool take_back(struct plait_deque *deque, void *offered)
{
        if (pl_deque_youngest(deque) == offered)
                return pl_deque_pop(deque);
        if (pl_deque_oldest(deque) != offered)
                return false;
        void *work = pl_deque_steal(deque);
        if (work && work != offered)
                pl_deque_push(deque, work); /* there is room: it has just left */
        return work == offered;
}

static void let_others_on(struct offer *offer)
{
        struct pl_worker *worker = pl_sched_self_get();

        if (PL_LIKELY(!pl_sched_others_wait(worker))) {
                if (PL_UNLIKELY(pl_sched_tick(worker)))
                        pl_sched_look_if_time(worker);
                return;
        }
        void *offered = offer ? pl_fork_as_work(&offer->fork) : NULL;
        bool withdrawn = offered && take_back(&worker->fresh, offered);
        pl_sched_end_turn();
        if (!withdrawn)
                return;
        if (pl_deque_push(&pl_sched_self_get()->fresh, offered))
                pl_sched_offer();
        else
                offer->withdrawn = true;
}

static int run_range(void *arg)
{
        struct range *range = arg;

        while (range->begin < range->end && !atomic_load_explicit(&range->loop->error, memory_order_relaxed)) {
                size_t left = range->end - range->begin;

                if (left <= smallest_chunk(range) || !offered_nothing()) {
                        run_chunk(range);
                        let_others_on(range->offer);
                        continue;
                }
                size_t middle = range->begin + left / 2;
                struct range upper = {.loop = range->loop, .begin = middle, .end = range->end, .chunk = range->chunk};
                struct offer offer = {.withdrawn = false};
                if (!pl_fork_push(pl_sched_self_get(), &offer.fork, run_range, &upper)) {
                        run_chunk(range);
                        continue;
                }
                range->end = middle; /* upper is another worker's, maybe */
                range->offer = &offer;
                run_range(range);
                range->offer = NULL;
                return offer.withdrawn ? run_range(&upper) : pl_fork_join(&offer.fork);
        }
        return 0;
}

int plait_parallel_for(size_t n, int (*body)(size_t begin, size_t end, void *arg), void *arg)
{
        struct loop loop = {.body = body, .arg = arg};
        struct range all = {.loop = &loop, .end = n, .chunk = 1};

        if (!body)
                return -EINVAL;
        if (!n)
                return 0;
        struct plait_task *self = plait_task_self();
        if (!self || self->compact) { /* nobody may take what is in a compact task's frames */
                int r = body(0, n, arg);

                return r < 0 ? r : 0;
        }
        run_range(&all);
        return atomic_load(&loop.error);
}
