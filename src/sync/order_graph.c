/*
 * The graph of lock orders.
 *
 * Nodes are locks, or classes of locks; an edge says that somebody took one while holding the other. A cycle of edges
 * is a deadlock waiting to happen, if each edge can be taken by another flow at the same time. It cannot
 * - if two of the edges were always taken under a common lock (a gate), or
 * - if at one of the locks both sides only read.
 * It is not certain, and the report is weak,
 * - if all edges were taken by one and the same flow, or
 * - if an edge was only taken when one of its locks may have been known to nobody else: when it was new.
 *
 * So an edge remembers the first flow and whether there were others, the intersection of what else was held, and if it
 * is FRESH. Each can only change towards danger, and each change looks for cycles again. An edge that has nothing left
 * to change is settled, which its slot in the hash table says: there ends what an ordinary nested lock has to do.
 *
 * Bounds: so many nodes and edges as order_graph.h says. When they are used up, all is forgotten and learnt anew, so
 * the cost of an edge stays what it is; a cycle whose parts are far apart in time may then go unseen. A search looks at
 * SEARCH_MOST edges. Gates beyond PL_ORDER_GATES are not remembered, which may cause a report of what a gate prevents.
 */
#include "sync/order_graph.h"

#include <string.h>

#include "mem/stack.h"
#include "plat/unwind.h"
#include "sched/task.h"

enum {
        SEARCH_MOST = 20000,
        SIGNATURES = 1024,
        KEY_BITS = 34,
        INDEX_SHIFT = 40,
};

#define SETTLED ((uint64_t)1 << KEY_BITS)
#define KEY_MASK (SETTLED - 1)

struct by_address {
        const void *_Atomic lock;
        _Atomic uint32_t node;
};

struct pl_lock pl_order_lock;
struct pl_order_node pl_order_nodes[PL_ORDER_NODES];
_Atomic uint32_t pl_order_epoch;
static struct pl_order_edge edges[PL_ORDER_EDGES]; /* the first is unused */
static uint32_t n_edges = 1;
static uint32_t next_lock = PL_ORDER_FIRST_LOCK;
static _Atomic uint64_t slots[PL_ORDER_SLOTS]; /* key, SETTLED, index of the edge */
static struct by_address addresses[PL_ORDER_NODES];
static uint64_t reported[SIGNATURES];
static uint32_t stamps[PL_ORDER_NODES][2]; /* last search that came there, by how it was taken */
static uint32_t stamp;

static uint32_t hash(uint64_t key)
{
        return (uint32_t)(key * 0x9e3779b97f4a7c15 >> 32);
}

static uint64_t key_of(uint16_t from, bool from_shared, uint16_t to, bool to_shared)
{
        return (uint64_t)from << 18 | (uint64_t)to << 2 | (uint64_t)from_shared << 1 | to_shared;
}

/* The slot of *key*, or the free one where it belongs; NULL in a full table. */
static _Atomic uint64_t *slot_of(uint64_t key)
{
        uint32_t at = hash(key);

        for (uint32_t i = 0; i < PL_ORDER_SLOTS; i++) {
                _Atomic uint64_t *slot = &slots[(at + i) % PL_ORDER_SLOTS];
                uint64_t value = atomic_load_explicit(slot, memory_order_acquire);

                if (!value || (value & KEY_MASK) == key)
                        return slot;
        }
        return NULL;
}

const struct pl_order_edge *pl_order_find(uint16_t from, bool from_shared, uint16_t to, bool to_shared, bool *settled)
{
        const _Atomic uint64_t *slot = slot_of(key_of(from, from_shared, to, to_shared));
        uint64_t value = PL_LIKELY(slot != NULL) ? atomic_load_explicit(slot, memory_order_acquire) : 0;

        *settled = value & SETTLED;
        return value ? &edges[value >> INDEX_SHIFT] : NULL;
}

/* --- nodes --- */

/* There is no room: begin anew. */
static void forget_all(void)
{
        for (uint32_t i = 0; i < PL_ORDER_SLOTS; i++)
                atomic_store_explicit(&slots[i], 0, memory_order_relaxed);
        for (uint32_t i = 0; i < PL_ORDER_NODES; i++) {
                atomic_store_explicit(&addresses[i].lock, NULL, memory_order_relaxed);
                atomic_store_explicit(&addresses[i].node, 0, memory_order_relaxed);
                pl_order_nodes[i].first_edge = 0;
                if (i >= PL_ORDER_FIRST_LOCK)
                        atomic_store_explicit(&pl_order_nodes[i].lock, NULL, memory_order_relaxed);
        }
        n_edges = 1;
        next_lock = PL_ORDER_FIRST_LOCK;
        atomic_fetch_add_explicit(&pl_order_epoch, 1, memory_order_relaxed);
        memset(reported, 0, sizeof reported);
}

static struct by_address *address_slot(const void *lock)
{
        uint32_t at = hash((uintptr_t)lock >> 3);

        for (uint32_t i = 0; i < PL_ORDER_NODES; i++) {
                struct by_address *slot = &addresses[(at + i) % PL_ORDER_NODES];
                const void *there = atomic_load_explicit(&slot->lock, memory_order_acquire);

                if (!there || there == lock)
                        return slot;
        }
        return NULL;
}

uint16_t pl_order_find_node(const void *lock)
{
        const struct by_address *slot = address_slot(lock);

        return slot ? (uint16_t)atomic_load_explicit(&slot->node, memory_order_acquire) : 0;
}

/* Whether others than *flow* must know of an object there: a static one, or one on somebody else's stack. */
static bool is_published(const void *lock)
{
        const struct plait_task *self = plait_task_self();
        bool in_guard;
        const struct pl_stack *stack = pl_mem_stack_owner(lock, &in_guard);

        if (stack)
                return !self || self->stack != stack;
        return pl_plat_is_static(lock);
}

uint16_t pl_order_node_at(const void *lock, uint64_t flow_id)
{
        if (next_lock == PL_ORDER_NODES)
                forget_all();
        struct by_address *slot = address_slot(lock);
        uint32_t node = atomic_load_explicit(&slot->node, memory_order_relaxed);

        if (node)
                return (uint16_t)node;
        node = next_lock++;
        struct pl_order_node *entry = &pl_order_nodes[node];
        entry->flow = flow_id;
        entry->first_edge = 0;
        atomic_store_explicit(&entry->shared, is_published(lock), memory_order_relaxed);
        atomic_store_explicit(&entry->lock, lock, memory_order_release);
        atomic_store_explicit(&slot->lock, lock, memory_order_release);
        atomic_store_explicit(&slot->node, node, memory_order_release);
        return (uint16_t)node;
}

void pl_order_drop_node(const void *lock)
{
        struct by_address *slot = address_slot(lock);

        /* The address keeps its place in the table, for when it comes back. */
        if (slot)
                atomic_store_explicit(&slot->node, 0, memory_order_release);
}

/* --- edges --- */

static bool gate_of(const struct pl_order_edge *edge, uint16_t gate)
{
        for (unsigned i = 0; i < edge->n_gates; i++)
                if (edge->gates[i] == gate)
                        return true;
        return false;
}

static void take_stack(struct pl_order_edge *edge, const struct pl_order_taking *taking)
{
        struct pl_context here;

        pl_context_here(&here);
        edge->n_frames = (uint8_t)pl_plat_unwind(&here, true, edge->frames, PL_ORDER_FRAMES);
        pl_sched_flow_name(taking->flow, edge->who, sizeof edge->who);
}

static struct pl_order_edge *new_edge(const struct pl_order_taking *taking, _Atomic uint64_t *slot, uint64_t key)
{
        uint32_t index = n_edges++;
        struct pl_order_edge *edge = &edges[index];
        struct pl_order_node *from = &pl_order_nodes[taking->from];

        *edge = (struct pl_order_edge){
                .from = taking->from,
                .to = taking->to,
                .from_shared = taking->from_shared,
                .to_shared = taking->to_shared,
                .from_lock = taking->from_lock,
                .to_lock = taking->to_lock,
                .flags = taking->fresh ? PL_ORDER_FRESH : 0,
                .n_gates = taking->n_gates,
                .next = from->first_edge,
                .flow = taking->flow_id,
        };
        for (unsigned i = 0; i < taking->n_gates; i++)
                atomic_store_explicit(&edge->gates[i], taking->gates[i], memory_order_relaxed);
        take_stack(edge, taking);
        from->first_edge = index;
        atomic_store_explicit(slot, key | (uint64_t)index << INDEX_SHIFT, memory_order_release);
        return edge;
}

/* An edge that is there, taken once more. True: it has become more dangerous. */
static bool merge(struct pl_order_edge *edge, const struct pl_order_taking *taking)
{
        uint8_t flags = atomic_load_explicit(&edge->flags, memory_order_relaxed), before = flags;
        unsigned n = 0;

        if (edge->flow != taking->flow_id)
                flags |= PL_ORDER_MANY;
        if (!taking->fresh)
                flags &= (uint8_t)~PL_ORDER_FRESH;
        for (unsigned i = 0; i < edge->n_gates; i++)
                for (unsigned k = 0; k < taking->n_gates; k++)
                        if (edge->gates[i] == taking->gates[k]) {
                                edge->gates[n++] = edge->gates[i];
                                break;
                        }
        if (flags == before && n == edge->n_gates)
                return false;
        atomic_store_explicit(&edge->flags, flags, memory_order_relaxed);
        atomic_store_explicit(&edge->n_gates, (uint8_t)n, memory_order_relaxed);
        take_stack(edge, taking);
        return true;
}

static void settle(const struct pl_order_edge *edge, _Atomic uint64_t *slot)
{
        if (edge->flags == PL_ORDER_MANY && !edge->n_gates)
                atomic_fetch_or_explicit(slot, SETTLED, memory_order_release);
}

/* --- cycles --- */

static bool share_a_gate(const struct pl_order_edge *a, const struct pl_order_edge *b)
{
        for (unsigned i = 0; i < a->n_gates; i++)
                if (gate_of(b, a->gates[i]))
                        return true;
        return false;
}

/* Whether the edges can be taken at the same time; and how certain that is. */
static bool judge(struct pl_order_cycle *cycle)
{
        cycle->one_flow = true;
        cycle->fresh = false;
        for (unsigned i = 0; i < cycle->n; i++) {
                const struct pl_order_edge *edge = cycle->edges[i];

                if (edge->flags & PL_ORDER_MANY || edge->flow != cycle->edges[0]->flow)
                        cycle->one_flow = false;
                if (edge->flags & PL_ORDER_FRESH)
                        cycle->fresh = true;
                for (unsigned k = 0; k < i; k++)
                        if (share_a_gate(edge, cycle->edges[k]))
                                return false;
        }
        return true;
}

static bool is_weak(const struct pl_order_cycle *cycle)
{
        return cycle->one_flow || cycle->fresh;
}

/* Whether it has been said before; a weak report may be followed by a strong one. */
static bool said_before(const struct pl_order_cycle *cycle)
{
        uint64_t signature = 0;

        for (unsigned i = 0; i < cycle->n; i++) {
                uint64_t key = key_of(cycle->edges[i]->from, false, cycle->edges[i]->to, false);

                signature += (key + 1) * 0xd6e8feb86659fd93;
        }
        signature = signature << 1 | (is_weak(cycle) ? 0 : 1);
        uint64_t *place = &reported[hash(signature | 1) % SIGNATURES];
        if (*place >> 1 == signature >> 1 && *place >= signature)
                return true;
        *place = signature;
        return false;
}

struct search {
        const struct pl_order_edge *closing; /* the edge that may close cycles */
        bool with_fresh;
        unsigned work;
        unsigned depth;
        uint32_t path[PL_ORDER_CYCLE_MOST]; /* the edges on the way */
};

static bool usable(const struct search *search, const struct pl_order_edge *edge, bool taken_shared)
{
        return !(taken_shared && edge->from_shared) && (search->with_fresh || !(edge->flags & PL_ORDER_FRESH));
}

static bool closes(struct search *search, const struct pl_order_edge *last, struct pl_order_cycle *ret)
{
        if (last->to != search->closing->from || (last->to_shared && search->closing->from_shared))
                return false;
        ret->edges[0] = search->closing;
        for (unsigned i = 0; i < search->depth; i++)
                ret->edges[i + 1] = &edges[search->path[i]];
        ret->n = search->depth + 1;
        return judge(ret);
}

static bool first_visit(const struct pl_order_edge *edge)
{
        uint32_t *mark = &stamps[edge->to][edge->to_shared];

        if (*mark == stamp)
                return false;
        *mark = stamp;
        return true;
}

/* Depth first from the end of the closing edge to its start. */
static bool find_cycle(struct search *search, struct pl_order_cycle *ret)
{
        uint32_t index = pl_order_nodes[search->closing->to].first_edge;
        bool shared = search->closing->to_shared;

        stamp++;
        for (;;) {
                while (!index && search->depth > 0) {
                        const struct pl_order_edge *left = &edges[search->path[--search->depth]];

                        index = left->next;
                        shared = search->depth ? edges[search->path[search->depth - 1]].to_shared
                                               : search->closing->to_shared;
                }
                if (!index || search->work++ > SEARCH_MOST)
                        return false;
                const struct pl_order_edge *edge = &edges[index];

                if (usable(search, edge, shared) && search->depth < PL_ORDER_CYCLE_MOST - 1) {
                        search->path[search->depth++] = index;
                        if (closes(search, edge, ret))
                                return true;
                        if (edge->to != search->closing->from && first_visit(edge)) {
                                index = pl_order_nodes[edge->to].first_edge;
                                shared = edge->to_shared;
                                continue;
                        }
                        search->depth--;
                }
                index = edge->next;
        }
}

bool pl_order_learn(const struct pl_order_taking *taking, struct pl_order_cycle *ret)
{
        uint64_t key = key_of(taking->from, taking->from_shared, taking->to, taking->to_shared);
        _Atomic uint64_t *slot = slot_of(key);

        if (n_edges == PL_ORDER_EDGES || !slot) {
                forget_all();
                return false; /* the nodes are gone, too: next time */
        }
        uint64_t value = atomic_load_explicit(slot, memory_order_relaxed);
        struct pl_order_edge *edge = value ? &edges[value >> INDEX_SHIFT] : NULL;

        if (!edge)
                edge = new_edge(taking, slot, key);
        else if (!merge(edge, taking))
                return false;
        settle(edge, slot);
        for (int with_fresh = edge->flags & PL_ORDER_FRESH ? 1 : 0; with_fresh < 2; with_fresh++) {
                struct search search = {.closing = edge, .with_fresh = with_fresh};

                if (find_cycle(&search, ret))
                        return !said_before(ret);
        }
        return false;
}
