/*
 * Mapping: some tasks that each take an item, work on it, and come back for the next.
 *
 * Two locks. *producing* is held while an item is taken: next() may wait there, and the other tasks then wait for the
 * lock. *reporting* is held while done() is called, and guards the ring. Who holds *producing* may take *reporting*,
 * not the other way round. Both are taken whatever the scopes say: what was taken is reported even so, and where next()
 * waits it is told of a cancellation itself.
 *
 * For keeping the order there is a ring of results, twice the limit long. An item is taken only if there is a place for
 * its result. Who puts down the result that is due reports it and those that follow it.
 */
#include "plait/map.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

#include "plait/condition.h"
#include "plait/mutex.h"
#include "plait/run.h"
#include "plait/scope.h"
#include "sync/mutex.h"

enum { LIMIT_MOST = 1 << 20 };

struct outcome {
        void *item;
        int result;
        bool there;
};

struct map {
        struct plait_scope scope;
        int (*next)(void *arg, void **ret_item);
        int (*fn)(void *item, void *arg);
        int (*done)(void *item, int result, void *arg);
        void *arg;
        bool collect;
        unsigned limit;

        struct plait_mutex producing; /* guards the next three, and next() */
        bool exhausted;
        unsigned started;
        uint64_t taken;

        struct plait_mutex reporting; /* guards the next four, and done() */
        struct plait_condition room;  /* a place in the ring has become free */
        struct outcome *ring;         /* NULL: any order will do */
        uint64_t reported;
        int failed;
};

static int work(void *arg);

static size_t places(const struct map *map)
{
        return (size_t)map->limit * 2;
}

/* Until an item that is taken now has a place in the ring. */
static int wait_for_place(struct map *map)
{
        int r = 0;

        if (!map->ring)
                return 0;
        pl_sync_mutex_relock(&map->reporting);
        while (r == 0 && map->taken - map->reported >= places(map))
                r = plait_condition_wait(&map->room, &map->reporting, PLAIT_NEVER);
        plait_mutex_unlock(&map->reporting);
        return r;
}

/* Under *producing*: 1, 0 or an error, as next(). */
static int take(struct map *map, void **ret_item)
{
        if (map->exhausted)
                return 0;
        int r = wait_for_place(map);
        if (r == 0)
                r = plait_cancelled();
        if (r < 0)
                return r;
        r = map->next(map->arg, ret_item);
        if (r <= 0) {
                map->exhausted = true;
                return r;
        }
        map->taken++;
        if (map->started < map->limit) {
                /* There may be more than one can do: -ENOMEM is seen at the join. */
                map->started++;
                (void)plait_scope_go(&map->scope, work, map);
        }
        return 1;
}

/* Under *reporting*. */
static int report(struct map *map, void *item, int result)
{
        if (result < 0 && map->failed < INT_MAX)
                map->failed++;
        return map->done ? map->done(item, result, map->arg) : 0;
}

/* Report what is due. The first error is returned. */
static int report_in_order(struct map *map)
{
        int first = 0;

        for (;;) {
                struct outcome *due = &map->ring[map->reported % places(map)];

                if (!due->there)
                        break;
                due->there = false;
                int r = report(map, due->item, due->result);
                if (r < 0 && first == 0)
                        first = r;
                map->reported++;
                plait_condition_signal(&map->room);
        }
        return first;
}

static int put_down(struct map *map, uint64_t number, void *item, int result)
{
        int r;

        pl_sync_mutex_relock(&map->reporting);
        if (map->ring) {
                map->ring[number % places(map)] = (struct outcome){.item = item, .result = result, .there = true};
                r = report_in_order(map);
        } else {
                r = report(map, item, result);
        }
        plait_mutex_unlock(&map->reporting);
        return r;
}

static int work(void *arg)
{
        struct map *map = arg;

        for (;;) {
                void *item = NULL;

                pl_sync_mutex_relock(&map->producing);
                int r = take(map, &item);
                uint64_t number = map->taken - 1;
                plait_mutex_unlock(&map->producing);
                if (r <= 0)
                        return r;
                int result = map->fn(item, map->arg);
                r = put_down(map, number, item, result);
                if (result < 0 && !map->collect)
                        return result;
                if (r < 0)
                        return r;
        }
}

static int check(const struct plait_map_opts *opts)
{
        if (!opts)
                return 0;
        bool in_range = opts->size == sizeof *opts && !(opts->flags & ~(PLAIT_MAP_COLLECT | PLAIT_MAP_ORDERED)) &&
                        opts->limit <= LIMIT_MOST && opts->deadline_ns >= 0;
        return in_range ? 0 : -EINVAL;
}

static int run(struct map *map)
{
        int r = plait_scope_open(&map->scope);

        if (r < 0)
                return r;
        map->started = 1;
        (void)plait_scope_go(&map->scope, work, map);
        r = plait_scope_join(&map->scope);
        return r == 0 && map->collect ? map->failed : r;
}

int plait_map(int (*next)(void *arg, void **ret_item), int (*fn)(void *item, void *arg), void *arg,
              const struct plait_map_opts *opts)
{
        struct map map = {.next = next, .fn = fn, .arg = arg, .scope = {.pl_where = "plait_map()"}};
        int r = next && fn ? check(opts) : -EINVAL;

        if (r < 0)
                return r;
        map.limit = opts && opts->limit ? opts->limit : plait_workers();
        if (opts) {
                map.scope.deadline_ns = opts->deadline_ns;
                map.done = opts->done;
                map.collect = opts->flags & PLAIT_MAP_COLLECT;
                if (opts->flags & PLAIT_MAP_ORDERED) {
                        map.ring = calloc(places(&map) ? places(&map) : 1, sizeof *map.ring);
                        if (!map.ring)
                                return -ENOMEM;
                }
        }
        r = run(&map);
        free(map.ring);
        return r;
}
