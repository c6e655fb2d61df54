/* Objects from slabs: exchange between threads, enumeration, giving memory back. */
#include "harness/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mem/slab.h"
#include "mem/trim.h"
#include "plat/sanitizer.h"
#include "plat/sys.h"

struct thing {
        _Atomic uint64_t alive;
        _Atomic(void *) owner;
        char rest[208];
};

static struct pl_slab_pool pool = PL_SLAB_POOL_INIT("things", sizeof(struct thing));
static struct pl_slab_cache cache;

static struct thing *get(void)
{
        struct thing *thing;

        if (!cache.pool)
                pl_mem_slab_cache_init(&cache, &pool);
        thing = pl_mem_slab_get(&cache);
        CHECK(thing != NULL);
        return thing;
}

static bool count_alive(void *object, void *arg)
{
        struct thing *thing = object;

        *(uint64_t *)arg += atomic_load(&thing->alive);
        return true;
}

TEST(objects_are_aligned_apart_and_zero_at_first)
{
        enum { N = 3000 };
        static struct thing *things[N];
        static const struct thing zero;

        for (int i = 0; i < N; i++) {
                things[i] = get();
                CHECK_UINT((uintptr_t)things[i] % 64, ==, 0);
                CHECK_MEM(things[i], &zero, sizeof(zero));
                memset(things[i], i | 1, sizeof(*things[i]));
        }
        for (int i = 0; i < N; i++)
                for (size_t k = 0; k < sizeof(*things[i]); k++)
                        CHECK_INT(((unsigned char *)things[i])[k], ==, (i | 1) & 255);
}

TEST(last_in_is_first_out)
{
        struct thing *a = get();
        struct thing *b = get();

        pl_mem_slab_put(&cache, a);
        pl_mem_slab_put(&cache, b);
        CHECK_PTR(get(), ==, b);
        CHECK_PTR(get(), ==, a);
}

TEST(free_object_keeps_its_contents)
{
        struct thing *thing = get();

        atomic_store(&thing->alive, 7);
        pl_mem_slab_put(&cache, thing);
        pl_mem_slab_cache_flush(&cache);
        CHECK_UINT(atomic_load(&thing->alive), ==, 7);
}

TEST(every_object_is_enumerated)
{
        enum { N = 100000 };
        static struct thing *things[N];
        uint64_t n = 0;

        for (int i = 0; i < N; i++) {
                things[i] = get();
                atomic_store(&things[i]->alive, 1);
        }
        pl_mem_slab_for_each(&pool, count_alive, &n);
        CHECK_UINT(n, ==, N);
        for (int i = 0; i < N; i += 2) {
                atomic_store(&things[i]->alive, 0);
                pl_mem_slab_put(&cache, things[i]);
        }
        n = 0;
        pl_mem_slab_for_each(&pool, count_alive, &n);
        CHECK_UINT(n, ==, N / 2);
}

static bool stop_at_third(void *object, void *arg)
{
        (void)object;
        return ++*(int *)arg < 3;
}

TEST(enumeration_stops_when_told)
{
        int n = 0;

        for (int i = 0; i < 10; i++)
                get();
        pl_mem_slab_for_each(&pool, stop_at_third, &n);
        CHECK_INT(n, ==, 3);
}

TEST(pool_serves_threads_without_a_cache)
{
        struct thing *a = pl_mem_slab_pool_get(&pool);
        struct thing *b = pl_mem_slab_pool_get(&pool);

        CHECK(a != NULL && b != NULL && a != b);
        pl_mem_slab_pool_put(&pool, a);
        pl_mem_slab_pool_put(&pool, b);
        CHECK_UINT(pool.in_use, ==, 0);
}

static size_t rss_bytes(void)
{
        FILE *file = fopen("/proc/self/statm", "re");
        unsigned long size, resident;

        CHECK(file != NULL);
        CHECK_INT(fscanf(file, "%lu %lu", &size, &resident), ==, 2);
        fclose(file);
        return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void trim_to_the_end(void)
{
        int64_t now = pl_plat_now_ns();
        int64_t start = now;

        for (int calls = 0; now != PL_PLAT_NEVER; calls++) {
                CHECK_INT(calls, <, 10000);
                CHECK_INT(now - start, <=, 500000000);
                now = pl_mem_trim(now);
        }
}

TEST(memory_comes_back_after_a_peak, .timeout_ms = 120000)
{
        size_t n = 500000 / (size_t)test_slowness();
        struct thing **things = calloc(n, sizeof(struct thing *));
        struct thing *survivor = get();
        size_t before, peak, after;
        uint64_t alive = 0;

        CHECK(things != NULL);
        memset(things, 1, n * sizeof(struct thing *));
        atomic_store(&survivor->alive, 1);
        before = rss_bytes();
        for (int round = 0; round < 2; round++) {
                for (size_t i = 0; i < n; i++) {
                        things[i] = get();
                        atomic_store(&things[i]->alive, 1);
                }
                peak = rss_bytes();
                for (size_t i = 0; i < n; i++) {
                        atomic_store(&things[i]->alive, 0);
                        pl_mem_slab_put(&cache, things[i]);
                }
                trim_to_the_end();
                after = rss_bytes();
                printf("%zu objects: rss %zu -> %zu -> %zu KiB\n", n, before / 1024, peak / 1024, after / 1024);
                CHECK_UINT(peak, >, before + n * 100);
                if (test_slowness() == 1) /* a header's page for each slab stays */
                        CHECK_UINT(after, <, before + (12 << 20));
        }
        pl_mem_slab_for_each(&pool, count_alive, &alive);
        CHECK_UINT(alive, ==, 1);
        free(things);
}

/* Threads hold, hand over and return objects; each object is in one hand at a time. */
static _Atomic(struct thing *) hand_over[64];

static void *trade(void *arg)
{
        struct pl_slab_cache mine = {.pool = &pool};
        struct thing *held[300];
        uint64_t random = (uintptr_t)&mine;

        for (int r = 0; r < *(int *)arg; r++) {
                for (int i = 0; i < 300; i++) {
                        held[i] = pl_mem_slab_get(&mine);
                        CHECK(held[i] && atomic_exchange(&held[i]->owner, &mine) == NULL);
                }
                for (int i = 0; i < 300; i++) {
                        struct thing *thing;

                        random = random * 6364136223846793005u + 1;
                        CHECK(atomic_exchange(&held[i]->owner, NULL) == &mine);
                        thing = atomic_exchange(&hand_over[random >> 58], held[i]);
                        if (thing)
                                pl_mem_slab_put(&mine, thing);
                }
                if (r % 10 == 0)
                        pl_mem_trim(pl_plat_now_ns() + (r % 20) * 1000000000LL);
        }
        pl_mem_slab_cache_flush(&mine);
        return NULL;
}

TEST(threads_share_the_pool, .timeout_ms = 120000)
{
        struct pl_thread threads[4];
        int rounds = 3000 / test_slowness();

        for (int i = 0; i < 4; i++)
                CHECK_INT(pl_plat_thread_start(&threads[i], trade, &rounds, 0, "trader"), ==, 0);
        for (int i = 0; i < 4; i++)
                pl_plat_thread_join(&threads[i]);
        for (int i = 0; i < 64; i++)
                if (hand_over[i])
                        pl_mem_slab_pool_put(&pool, hand_over[i]);
        CHECK_UINT(pool.in_use, ==, 0);
}
