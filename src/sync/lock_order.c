/*
 * The lock-order detector: what is done each time that a flow takes a lock while it holds another. Mostly that is a
 * look into a table (pl_order_known()), once for each lock held.
 *
 * PLAIT_LOCKORDER=off|warn|abort is read at the first such lock.
 */
#include "sync/lock_order.h"

#include <stdlib.h>
#include <string.h>

#include "plat/panic.h"
#include "plat/unwind.h"
#include "sync/order_graph.h"
#include "sync/report.h"

enum setting { UNREAD, OFF, WARN, ABORT };

#define NODE_SHIFT 48

static _Atomic uint32_t setting;

static PL_NOINLINE enum setting read_setting(void)
{
        const char *text = getenv("PLAIT_LOCKORDER");
        enum setting found = WARN;

        if (text && strcmp(text, "off") == 0)
                found = OFF;
        else if (text && strcmp(text, "abort") == 0)
                found = ABORT;
        else if (text && *text && strcmp(text, "warn") != 0)
                pl_warn("PLAIT_LOCKORDER=%s is none of off, warn and abort: ignored", text);
        atomic_store_explicit(&setting, found, memory_order_relaxed);
        return found;
}

static inline enum setting get_setting(void)
{
        enum setting found = atomic_load_explicit(&setting, memory_order_relaxed);

        return PL_LIKELY(found != UNREAD) ? found : read_setting();
}

/* --- which node a lock is --- */

static const void *address_of(uintptr_t lock)
{
        return (const void *)(lock & ~(uintptr_t)PL_HELD_MODE_MASK);
}

static uint64_t *word_of(uintptr_t lock)
{
        return (uint64_t *)(lock & ~(uintptr_t)PL_HELD_MODE_MASK);
}

/* 0: none yet. */
static uint16_t known_node(uintptr_t lock, unsigned level)
{
        uint16_t node = (uint16_t)(__atomic_load_n(word_of(lock), __ATOMIC_RELAXED) >> NODE_SHIFT);

        if (node < PL_ORDER_FIRST_LOCK)
                return node ? (uint16_t)(node + level) : 0;
        /* The bits may be of a time before all was forgotten. */
        const void *there = atomic_load_explicit(&pl_order_nodes[node].lock, memory_order_relaxed);
        return PL_LIKELY(there == address_of(lock)) ? node : 0;
}

static void mark(uintptr_t lock, uint16_t node)
{
        uint64_t word = __atomic_load_n(word_of(lock), __ATOMIC_RELAXED);

        while (!__atomic_compare_exchange_n(word_of(lock), &word,
                                            (word & (((uint64_t)1 << NODE_SHIFT) - 1)) | (uint64_t)node << NODE_SHIFT,
                                            0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
                ;
}

/*
 * With the lock. One at a known address without the mark is another one than before: memory that was freed and
 * cleared.
 */
static uint16_t make_node(uintptr_t lock, unsigned level, uint64_t flow_id) PL_REQUIRES(pl_order_lock)
{
        uint16_t node = known_node(lock, level);

        if (node)
                return node;
        pl_order_drop_node(address_of(lock));
        node = pl_order_node_at(address_of(lock), flow_id);
        mark(lock, node);
        return node;
}

static bool is_class(uint16_t node)
{
        return node < PL_ORDER_FIRST_LOCK;
}

static bool same_class(uint16_t a, uint16_t b)
{
        return is_class(a) && is_class(b) && a / PL_ORDER_LEVELS == b / PL_ORDER_LEVELS;
}

/* --- freshness --- */

/* What plait_mutex_init() leaves in the second word until somebody waits: the flow that called it, and NEW. */
static bool is_new_to_others(uintptr_t lock, const struct pl_wait *flow)
{
        const uintptr_t *second = (const uintptr_t *)address_of(lock) + 1;
        uintptr_t word = __atomic_load_n(second, __ATOMIC_RELAXED);

        return (word & ~(uintptr_t)PL_HELD_MODE_MASK) == (uintptr_t)flow && (word & 2);
}

static void see(uint16_t node, uint64_t flow_id)
{
        struct pl_order_node *entry = &pl_order_nodes[node];

        if (!is_class(node) && entry->flow != flow_id)
                atomic_store_explicit(&entry->shared, 1, memory_order_relaxed);
}

static bool is_fresh(uint16_t node, uintptr_t lock, const struct pl_wait *flow)
{
        if (!is_class(node))
                return !atomic_load_explicit(&pl_order_nodes[node].shared, memory_order_relaxed);
        return is_new_to_others(lock, flow);
}

/* --- taking a lock --- */

/* All that an order depends on, but for the gates. False: there is nothing to learn from it. */
static bool describe(struct pl_order_taking *taking, struct pl_wait *flow, const struct pl_held *held, uint16_t from,
                     uintptr_t lock, uint16_t to)
{
        uintptr_t from_lock = atomic_load_explicit(&held->lock, memory_order_relaxed);

        if (address_of(from_lock) == address_of(lock) || from == to)
                return false;
        *taking = (struct pl_order_taking){
                .from = from,
                .to = to,
                .from_shared = from_lock & PL_HELD_SHARED,
                .to_shared = lock & PL_HELD_SHARED,
                .from_lock = address_of(from_lock),
                .to_lock = address_of(lock),
                .flow = flow,
                .flow_id = pl_sched_flow_id(flow),
                .fresh = is_fresh(from, from_lock, flow) || is_fresh(to, lock, flow),
        };
        return true;
}

static uint16_t node_of_held(const struct pl_held *held)
{
        uintptr_t lock = atomic_load_explicit(&held->lock, memory_order_relaxed);

        return held->node ? (uint16_t)held->node : known_node(lock, 0);
}

/* Two of one class at one level are told apart by their addresses; locks without a class nest by level as they like. */
static bool pair_up(uint16_t *from, uint16_t *to, const struct pl_held *held, uintptr_t lock, unsigned level,
                    uint64_t flow_id) PL_REQUIRES(pl_order_lock)
{
        if (!is_class(*to) && !is_class(*from))
                return !level;
        if (*from == *to && same_class(*from, *to)) {
                *from = pl_order_node_at(address_of(atomic_load_explicit(&held->lock, memory_order_relaxed)), flow_id);
                *to = pl_order_node_at(address_of(lock), flow_id);
        }
        return true;
}

/* Two that are taken in the order of their addresses, which says nothing of their classes. */
static bool is_order_by_chance(uint16_t from, uint16_t to)
{
        return from != to && (is_class(from) || is_class(to));
}

static void find_gates(struct pl_order_taking *taking, const struct pl_held *held, const uint16_t *nodes, unsigned n)
{
        for (unsigned i = 0; i < n && taking->n_gates < PL_ORDER_GATES; i++) {
                uintptr_t lock = atomic_load_explicit(&held[i].lock, memory_order_relaxed);

                /* A class is no gate: two tasks can hold two of it. */
                if (address_of(lock) != taking->from_lock && !(lock & PL_HELD_SHARED) && !is_class(nodes[i]))
                        taking->gates[taking->n_gates++] = nodes[i];
        }
}

static bool holds_node(const struct pl_held_block *block, uint16_t node)
{
        uint32_t n = block ? atomic_load_explicit(&block->n, memory_order_relaxed) : 0;

        for (uint32_t i = 0; i < n; i++)
                if (node_of_held(&block->locks[i]) == node)
                        return true;
        return false;
}

/* Whether an edge that is not settled stays what it is if *flow*, holding *all*, takes that order. */
static bool brings_nothing(const struct pl_order_edge *edge, const struct pl_wait *flow,
                           const struct pl_held_block *all, uintptr_t from_lock, uintptr_t to_lock, bool *maybe_new)
{
        uint8_t flags = atomic_load_explicit(&edge->flags, memory_order_relaxed);
        uint8_t n_gates = atomic_load_explicit(&edge->n_gates, memory_order_relaxed);

        if (!(flags & PL_ORDER_MANY) &&
            atomic_load_explicit(&edge->flow, memory_order_relaxed) != pl_sched_flow_id(flow))
                return false;
        for (uint8_t i = 0; i < n_gates; i++)
                if (!holds_node(all, atomic_load_explicit(&edge->gates[i], memory_order_relaxed)))
                        return false;
        if (!(flags & PL_ORDER_FRESH))
                return true;
        *maybe_new = true;
        return is_fresh(edge->from, from_lock, flow) || is_fresh(edge->to, to_lock, flow);
}

/* The long way: something is new. */
static PL_NOINLINE uint16_t learn(struct pl_wait *flow, uintptr_t lock, unsigned level, unsigned n_before)
{
        struct pl_held held[PL_HELD_MOST];
        uint16_t nodes[PL_HELD_MOST];
        unsigned n = pl_sched_held_list(flow, held, PL_HELD_MOST);
        uint64_t flow_id = pl_sched_flow_id(flow);
        bool found = false;

        pl_lock_acquire(&pl_order_lock);
        uint16_t node = make_node(lock, level, flow_id);
        see(node, flow_id);
        for (unsigned i = 0; i < n; i++) {
                nodes[i] = held[i].node
                                   ? (uint16_t)held[i].node
                                   : make_node(atomic_load_explicit(&held[i].lock, memory_order_relaxed), 0, flow_id);
                see(nodes[i], flow_id);
        }
        for (unsigned i = 0; i < n; i++) {
                uint16_t from = nodes[i], to = node;
                struct pl_order_taking taking;
                struct pl_order_cycle cycle;

                if ((i >= n_before && is_order_by_chance(from, to)) ||
                    !pair_up(&from, &to, &held[i], lock, level, flow_id) ||
                    !describe(&taking, flow, &held[i], from, lock, to))
                        continue;
                find_gates(&taking, held, nodes, n);
                if (!pl_order_learn(&taking, &cycle))
                        continue;
                pl_order_report(&cycle);
                found |= !cycle.one_flow && !cycle.fresh;
        }
        pl_lock_release(&pl_order_lock);
        if (found && get_setting() == ABORT)
                abort();
        return node;
}

/* Whether taking *lock* after *held*, one of those in *all*, is nothing new. */
static inline bool is_known(const struct pl_wait *flow, const struct pl_held *held, const struct pl_held_block *all,
                            uintptr_t lock, uint16_t node, unsigned level, bool of_set, bool *maybe_new)
{
        uintptr_t held_lock = atomic_load_explicit(&held->lock, memory_order_relaxed);
        uint16_t from = node_of_held(held);
        bool settled;

        if (PL_UNLIKELY(!from))
                return false;
        if (!is_class(node) && !is_class(from) && level)
                return true;
        if (of_set && is_order_by_chance(from, node))
                return true;
        if (PL_UNLIKELY(address_of(held_lock) == address_of(lock)))
                return true;
        if (from == node) {
                from = pl_order_find_node(address_of(held_lock));
                node = pl_order_find_node(address_of(lock));
                if (!from || !node)
                        return false;
        }
        const struct pl_order_edge *edge = pl_order_find(from, held_lock & PL_HELD_SHARED, node, lock & PL_HELD_SHARED,
                                                         &settled);
        return PL_LIKELY(settled) || (edge && brings_nothing(edge, flow, all, held_lock, lock, maybe_new));
}

/* All of it. False: there is something to learn. */
static bool all_known(const struct pl_wait *flow, uintptr_t word, uintptr_t lock, uint16_t node, unsigned level,
                      unsigned n_before, bool *maybe_new)
{
        const struct pl_held_block *block = pl_held_block_of(word);

        if (!block) {
                const struct pl_held only = {.lock = word};

                return is_known(flow, &only, NULL, lock, node, level, !n_before, maybe_new);
        }
        uint32_t n = atomic_load_explicit(&block->n, memory_order_relaxed);
        for (uint32_t i = 0; i < n; i++)
                if (!is_known(flow, &block->locks[i], block, lock, node, level, i >= n_before, maybe_new))
                        return false;
        return true;
}

/*
 * What this thread has looked up lately and found known: who took which lock holding which others. Orders that depend
 * on whether an object is new are not kept here; of all others, what is known stays known.
 */
enum { LATELY = 64 };

static __attribute__((tls_model("initial-exec"))) __thread uint64_t lately[LATELY];

static uint64_t key_of(const struct pl_wait *flow, uintptr_t word, uintptr_t lock)
{
        const struct pl_held_block *block = pl_held_block_of(word);
        uint64_t held = block ? block->sum : pl_held_mark(word);
        uint64_t key = held << 32 | pl_held_mark(lock);

        key ^= pl_sched_flow_id(flow) * 0xd6e8feb86659fd93;
        key += atomic_load_explicit(&pl_order_epoch, memory_order_relaxed);
        return (key ^ key >> 29) * 0x9e3779b97f4a7c15 | 1;
}

/* A thread does not change in here. */
static PL_NOINLINE uint32_t look_up(struct pl_wait *flow, uintptr_t lock, unsigned level, unsigned n_before)
{
        uintptr_t word = atomic_load_explicit(&flow->held, memory_order_relaxed);
        uint64_t key = key_of(flow, word, lock);
        uint64_t *place = &lately[key >> 58];

        if (PL_LIKELY(*place == key && !level))
                return 0; /* whoever needs the node finds it in the lock */

        uint16_t node = known_node(lock, level);
        bool maybe_new = false;

        if (PL_UNLIKELY(!node || !all_known(flow, word, lock, node, level, n_before, &maybe_new)))
                return learn(flow, lock, level, n_before);
        if (!maybe_new && n_before == PL_ORDER_NO_SET)
                *place = key;
        return node;
}

uint32_t pl_order_acquire_of_set(struct pl_wait *flow, uintptr_t lock, unsigned level, unsigned n_before)
{
        return get_setting() == OFF ? 0 : look_up(flow, lock, level, n_before);
}

/* --- classes --- */

static uint32_t n_classes;

uint16_t pl_order_class(const char *name)
{
        uint32_t i = 0;

        pl_lock_acquire(&pl_order_lock);
        while (i < n_classes && strcmp(pl_order_nodes[PL_ORDER_FIRST_CLASS + i * PL_ORDER_LEVELS].name, name) != 0)
                i++;
        if (i == n_classes && n_classes < PL_ORDER_CLASSES) {
                struct pl_order_node *class = &pl_order_nodes[PL_ORDER_FIRST_CLASS + i * PL_ORDER_LEVELS];

                for (unsigned level = 0; level < PL_ORDER_LEVELS; level++)
                        class[level] = (struct pl_order_node){.name = name};
                n_classes++;
        }
        uint32_t known = n_classes;
        pl_lock_release(&pl_order_lock);
        return i < known ? (uint16_t)(PL_ORDER_FIRST_CLASS + i * PL_ORDER_LEVELS) : 0;
}

const char *pl_order_class_name(uint16_t class)
{
        const char *name = NULL;

        pl_lock_acquire(&pl_order_lock);
        if (class >= PL_ORDER_FIRST_CLASS && class < PL_ORDER_FIRST_CLASS + n_classes * PL_ORDER_LEVELS)
                name = pl_order_nodes[class].name;
        pl_lock_release(&pl_order_lock);
        return name;
}

void pl_order_forget(const void *lock)
{
        if (!pl_order_find_node(lock))
                return;
        pl_lock_acquire(&pl_order_lock);
        pl_order_drop_node(lock);
        pl_lock_release(&pl_order_lock);
}
