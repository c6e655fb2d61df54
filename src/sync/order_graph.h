/* What the lock-order detector knows: locks, and in which orders they were taken. See order_graph.c. */
#ifndef PL_SYNC_ORDER_GRAPH_H
#define PL_SYNC_ORDER_GRAPH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "plat/lock.h"
#include "sched/flow.h"
#include "sched/held.h"

enum {
        PL_ORDER_LEVELS = 8,
        PL_ORDER_CLASSES = 1000,
        PL_ORDER_FIRST_CLASS = PL_ORDER_LEVELS,
        PL_ORDER_FIRST_LOCK = 8192, /* nodes below stand for classes and levels, from here on for single locks */
        PL_ORDER_NODES = 65536,
        PL_ORDER_EDGES = 32768,
        PL_ORDER_SLOTS = 2 * PL_ORDER_EDGES,
        PL_ORDER_GATES = 4,
        PL_ORDER_FRAMES = 14,
        PL_ORDER_CYCLE_MOST = 16, /* longer ones go unseen */
};

struct pl_order_node {
        const void *_Atomic lock; /* NULL: a class, or unused */
        const char *name;         /* of a class */
        uint64_t flow;            /* who was first seen to nest with it */
        uint32_t first_edge;      /* 0: none */
        _Atomic uint8_t shared;   /* others have been seen, or must know of it */
};

enum pl_order_flag {
        PL_ORDER_FRESH = 1, /* so far, one of the two may have been known to this flow only */
        PL_ORDER_MANY = 2,  /* more than one flow has taken them in this order */
};

/* Somebody took *to* while holding *from*. */
struct pl_order_edge {
        uint16_t from, to;
        bool from_shared, to_shared;
        _Atomic uint8_t flags;
        _Atomic uint8_t n_gates;
        uint8_t n_frames;
        uint32_t next; /* with the same *from*; 0: none */
        _Atomic uint64_t flow;
        _Atomic uint16_t gates[PL_ORDER_GATES]; /* what else was held, each time */
        const void *from_lock, *to_lock;
        void *frames[PL_ORDER_FRAMES]; /* where, the first time, */
        char who[PL_FLOW_NAME_BYTES];  /* and by whom */
};

/* An order that is being taken now. */
struct pl_order_taking {
        uint16_t from, to;
        bool from_shared, to_shared;
        const void *from_lock, *to_lock;
        struct pl_wait *flow;
        uint64_t flow_id;
        bool fresh;
        uint8_t n_gates;
        uint16_t gates[PL_ORDER_GATES];
};

struct pl_order_cycle {
        const struct pl_order_edge *edges[PL_ORDER_CYCLE_MOST]; /* each ends where the next begins */
        unsigned n;
        bool one_flow; /* weak: all by one flow, */
        bool fresh;    /* or an object may have been new */
};

/* Guards everything here; what is _Atomic may be read without. */
extern struct pl_lock pl_order_lock;
extern struct pl_order_node pl_order_nodes[PL_ORDER_NODES];

/*
 * The edge of that order, NULL: there is none. Without the lock; what may be read of it is _Atomic, and gates.
 * *settled*: nothing can be learnt of it any more.
 */
const struct pl_order_edge *pl_order_find(uint16_t from, bool from_shared, uint16_t to, bool to_shared, bool *settled);

/* How often all has been forgotten. */
extern _Atomic uint32_t pl_order_epoch;

/* Make it known. True: it closes a cycle that has not been reported yet, in *ret*. With the lock. */
bool pl_order_learn(const struct pl_order_taking *taking, struct pl_order_cycle *ret) PL_REQUIRES(pl_order_lock);

/* The node of the lock at that address, made if need be, by its address alone. With the lock. */
uint16_t pl_order_node_at(const void *lock, uint64_t flow_id) PL_REQUIRES(pl_order_lock);

/* The same without the lock; 0: there is none. */
uint16_t pl_order_find_node(const void *lock);

/* Whether any lock is known by its address. Without the lock. */
void pl_order_drop_node(const void *lock) PL_REQUIRES(pl_order_lock);

/* Say it. With the lock, so that two do not speak at once. */
void pl_order_report(const struct pl_order_cycle *cycle) PL_REQUIRES(pl_order_lock);

#endif
