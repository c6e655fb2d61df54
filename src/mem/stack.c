/*
 * The pool of stacks of each class, behind the workers' caches. See mem/stack.h.
 *
 * Locking: a pool's lock guards the pool, its lists, and of its slabs what stack_slab.h says. System calls are made
 * without it: a slot that is being carved counts as used; stacks whose pages are being given back are in no list.
 *
 * Lists: a slab with a warm free stack is in *warm*, one with only cold or uncarved ones in *cold*, any other in none.
 */
#include "mem/stack.h"

#include <stdatomic.h>

#include "mem/pools.h"
#include "mem/stack_slab.h"
#include "plat/lock.h"
#include "plat/sys.h"

struct pool {
        struct pl_lock lock;
        struct pl_list warm, cold;
        struct pl_stack_stats stats;
        size_t peak;             /* the most in use since the last trim */
        size_t surplus;          /* how many warm ones the trim that is under way may still take */
        _Atomic int64_t trim_ns; /* when to trim next; 0: there is nothing to give back */
} PL_LINE_ALIGNED;

#define POOL(class) \
        [class] = {.warm = {&pools[class].warm, &pools[class].warm}, .cold = {&pools[class].cold, &pools[class].cold}}
static struct pool pools[PL_STACK_CLASSES] = {
        POOL(PL_STACK_16K), POOL(PL_STACK_64K), POOL(PL_STACK_256K), POOL(PL_STACK_1M), POOL(PL_STACK_8M),
};

/* At most 64 (PL_MEM_GUARD_BATCH). A cache holds two batches, and they may be dirty to their full depth. */
#if PL_WITH_TSAN /* each has a fiber, and TSan has room for some 8,000 */
const uint8_t pl_mem_stack_batch[PL_STACK_CLASSES] = {8, 8, 4, 2, 1};
#else
const uint8_t pl_mem_stack_batch[PL_STACK_CLASSES] = {64, 64, 16, 4, 1};
#endif

enum { FIRST_CARVE = 8 };

static struct pl_stack_slab *slab_at(struct pl_list *link)
{
        return PL_CONTAINER_OF(link, struct pl_stack_slab, link);
}

/* Put the slab into the list where it belongs. */
static void file_slab(struct pool *pool, struct pl_stack_slab *slab)
{
        bool to_warm = slab->warm != NULL;

        if (pl_list_linked(&slab->link) && slab->in_warm == to_warm &&
            (to_warm || slab->cold || slab->carved < slab->slots))
                return;
        pl_list_remove(&slab->link);
        slab->in_warm = to_warm;
        if (to_warm)
                pl_list_push_front(&pool->warm, &slab->link);
        else if (slab->cold || slab->carved < slab->slots)
                pl_list_push_front(&pool->cold, &slab->link);
}

static void count_use(struct pool *pool, struct pl_stack_slab *slab, uint32_t n)
{
        slab->used += n;
        pool->stats.in_use += n;
        if (pool->stats.in_use > pool->peak)
                pool->peak = pool->stats.in_use;
}

/* Up to *n* stacks from one of a slab's lists in front of *ret*. Returns how many. */
static uint32_t pop(struct pl_stack **list, struct pl_stack_list *ret, uint32_t n)
{
        uint32_t got = 0;

        for (; got < n && *list; got++) {
                struct pl_stack *stack = *list;

                *list = stack->next;
                stack->next = ret->head;
                ret->head = stack;
        }
        ret->n += got;
        return got;
}

static void take_warm(struct pool *pool, struct pl_stack_list *ret, uint32_t n)
{
        while (ret->n < n && !pl_list_empty(&pool->warm)) {
                struct pl_stack_slab *slab = slab_at(pool->warm.next);
                uint32_t got = pop(&slab->warm, ret, n - ret->n);

                slab->n_warm -= got;
                pool->stats.warm -= got;
                count_use(pool, slab, got);
                file_slab(pool, slab);
        }
}

/* Stacks without pages from *slab* into *ret*, or slots to carve: their number, and the first in *ret_first*. */
static uint32_t take_cold(struct pool *pool, struct pl_stack_slab *slab, struct pl_stack_list *ret, uint32_t n,
                          uint32_t *ret_first)
{
        uint32_t got = pop(&slab->cold, ret, n);
        uint32_t carve = 0;

        count_use(pool, slab, got);
        if (got == 0) {
                if (n > slab->carved && n > FIRST_CARVE) /* a program with few tasks needs few guards */
                        n = slab->carved > FIRST_CARVE ? slab->carved : FIRST_CARVE;
                carve = slab->slots - slab->carved < n ? slab->slots - slab->carved : n;
                *ret_first = slab->carved;
                slab->carved += carve;
                pool->stats.carved += carve;
                count_use(pool, slab, carve);
        }
        file_slab(pool, slab);
        return carve;
}

static bool add_slab(struct pool *pool, enum pl_stack_class class)
{
        struct pl_stack_slab *slab = pl_mem_stack_slab_new(class);

        if (!slab)
                return false;
        pl_lock_acquire(&pool->lock);
        pool->stats.slabs++;
        file_slab(pool, slab);
        pl_lock_release(&pool->lock);
        return true;
}

/* Some stacks from the pool, up to a batch. An empty list when there is no memory. */
static struct pl_stack_list take(enum pl_stack_class class)
{
        struct pool *pool = &pools[class];
        struct pl_stack_list list = {0};
        uint32_t n = pl_mem_stack_batch[class];

        do {
                struct pl_stack_slab *slab = NULL;
                uint32_t first = 0;
                uint32_t carve = 0;

                pl_lock_acquire(&pool->lock);
                take_warm(pool, &list, n);
                if (list.n == 0 && !pl_list_empty(&pool->cold)) {
                        slab = slab_at(pool->cold.next);
                        carve = take_cold(pool, slab, &list, n, &first);
                }
                pl_lock_release(&pool->lock);
                if (carve > 0) {
                        list.head = pl_mem_stack_slab_carve(slab, first, carve);
                        list.n = carve;
                }
        } while (list.n == 0 && add_slab(pool, class));
        return list;
}

struct pl_stack *pl_mem_stack_refill(struct pl_stack_cache *cache, enum pl_stack_class class)
{
        struct pl_stack_list *hot = &cache->of[class].hot;
        struct pl_stack_list *spare = &cache->of[class].spare;
        struct pl_stack *stack;

        if (spare->n > 0) {
                *hot = *spare;
                *spare = (struct pl_stack_list){0};
        } else {
                *hot = take(class);
                if (hot->n == 0)
                        return NULL;
        }
        stack = hot->head;
        hot->head = stack->next;
        hot->n--;
        return stack;
}

static void give(struct pool *pool, struct pl_stack_list list)
{
        struct pl_stack *next;
        enum pl_stack_class class = (enum pl_stack_class)(pool - pools);
        int64_t now;

        pl_lock_acquire(&pool->lock);
        for (struct pl_stack *stack = list.head; stack; stack = next) {
                struct pl_stack_slab *slab = pl_mem_stack_slab_of(stack);

                next = stack->next;
                stack->next = slab->warm;
                slab->warm = stack;
                slab->n_warm++;
                slab->used--;
                file_slab(pool, slab);
        }
        pool->stats.in_use -= list.n;
        pool->stats.warm += list.n;
        if (pool->stats.warm <= pl_mem_stack_batch[class]) {
                pl_lock_release(&pool->lock);
                return;
        }
        now = pl_plat_now_ns();
        if (atomic_load_explicit(&pool->trim_ns, memory_order_relaxed) == 0) {
                pool->peak = pool->stats.in_use + list.n;
                atomic_store_explicit(&pool->trim_ns, now + PL_MEM_TRIM_NS, memory_order_relaxed);
        }
        pl_lock_release(&pool->lock);
        if (now >= atomic_load_explicit(&pool->trim_ns, memory_order_relaxed))
                pl_mem_stack_trim(class, now);
}

void pl_mem_stack_spill(struct pl_stack_cache *cache, enum pl_stack_class class)
{
        struct pl_stack_list *hot = &cache->of[class].hot;
        struct pl_stack_list *spare = &cache->of[class].spare;

        if (spare->n > 0)
                give(&pools[class], *spare);
        *spare = *hot;
        *hot = (struct pl_stack_list){0};
}

void pl_mem_stack_cache_flush(struct pl_stack_cache *cache)
{
        for (size_t i = 0; i < PL_STACK_CLASSES; i++) {
                if (cache->of[i].hot.n > 0)
                        give(&pools[i], cache->of[i].hot);
                if (cache->of[i].spare.n > 0)
                        give(&pools[i], cache->of[i].spare);
        }
        *cache = (struct pl_stack_cache){0};
}

/* At the end of an interval: how much is to go, and when to look again. */
static void plan(struct pool *pool, enum pl_stack_class class, int64_t now)
{
        size_t keep = pool->peak - pool->stats.in_use; /* as many as were needed in the interval */

        if (keep < pl_mem_stack_batch[class])
                keep = pl_mem_stack_batch[class];
        pool->surplus = pool->stats.warm > keep ? pool->stats.warm - keep : 0;
        pool->peak = pool->stats.in_use;
        atomic_store_explicit(&pool->trim_ns, pool->stats.warm > pl_mem_stack_batch[class] ? now + PL_MEM_TRIM_NS : 0,
                              memory_order_relaxed);
}

/* Give back the free stacks of one slab. True: there is more to give back. Called with the lock, which it drops. */
static bool trim_slab(struct pool *pool) PL_RELEASE(pool->lock)
{
        struct pl_stack_slab *slab = slab_at(pool->warm.prev); /* the one that was warm first */
        struct pl_stack *list = slab->warm;
        struct pl_stack *last = list;
        uint32_t n = slab->n_warm;
        bool unmap = slab->used == 0 && pool->stats.slabs > 1;
        bool more;

        pool->surplus -= n < pool->surplus ? n : pool->surplus;
        pool->stats.warm -= n;
        slab->used += n; /* until they are back, nobody unmaps it */
        slab->n_warm = 0;
        slab->warm = NULL;
        if (unmap) {
                pl_list_remove(&slab->link);
                pool->stats.slabs--;
                pool->stats.carved -= slab->carved;
        } else {
                file_slab(pool, slab);
        }
        more = pool->surplus > 0 && !pl_list_empty(&pool->warm);
        pl_lock_release(&pool->lock);
        if (unmap) {
                pl_mem_stack_slab_free(slab);
                return more;
        }
        pl_mem_stack_slab_drop(slab, list);
        while (last->next)
                last = last->next;
        pl_lock_acquire(&pool->lock);
        last->next = slab->cold;
        slab->cold = list;
        slab->used -= n;
        file_slab(pool, slab);
        pl_lock_release(&pool->lock);
        return more;
}

int64_t pl_mem_stack_trim(enum pl_stack_class class, int64_t now)
{
        struct pool *pool = &pools[class];
        int64_t due = atomic_load_explicit(&pool->trim_ns, memory_order_relaxed);

        if (due == 0)
                return PL_PLAT_NEVER;
        pl_lock_acquire(&pool->lock);
        due = atomic_load_explicit(&pool->trim_ns, memory_order_relaxed);
        if (due != 0 && now >= due && pool->surplus == 0)
                plan(pool, class, now);
        if (pool->surplus > 0 && !pl_list_empty(&pool->warm)) {
                if (trim_slab(pool))
                        return now;
        } else {
                pool->surplus = 0;
                pl_lock_release(&pool->lock);
        }
        due = atomic_load_explicit(&pool->trim_ns, memory_order_relaxed);
        return due == 0 ? PL_PLAT_NEVER : due;
}

void pl_mem_stack_stats(enum pl_stack_class class, struct pl_stack_stats *ret)
{
        struct pool *pool = &pools[class];

        pl_lock_acquire(&pool->lock);
        *ret = pool->stats;
        pl_lock_release(&pool->lock);
}
