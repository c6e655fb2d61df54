/*
 * What plait_select() needs to know of an object, so that layers above this one can have cases, too. There are two
 * kinds.
 *
 * A *queued* object hands something over (an item, a permit) to one flow in its queue, under a spin lock.
 * plait_select() takes the locks of all its queued objects, in the order of their addresses, so nobody can meet it at
 * one of them while it is not yet at the others: either one can be had, or it is in all queues. It waits there with one
 * wait and a node per case; who claims the wait through one of the nodes says through which (pl_sync_claim_node()).
 *
 * A *watched* object is a descriptor whose readiness is a state. A report from it only says that it is worth looking
 * again; only if it is chosen, something may be taken from it (settle), and if somebody was faster, plait_select()
 * begins anew. Waiting for descriptors is the business of src/io, which brings a struct pl_select_watcher.
 */
#ifndef PL_SYNC_SELECTABLE_H
#define PL_SYNC_SELECTABLE_H

#include <stdbool.h>

#include "plait/select.h"
#include "sync/waiters.h"

/* What remains to be done when all locks have been released. */
struct pl_select_after {
        struct pl_wait *wake; /* a claimed flow, to be made ready; NULL: none */
        void *unneeded;       /* to be freed */
};

struct pl_select_watcher {
        /* Whether *entry* is ready; if so, with what result. Not *sure*: it may miss what stand() would find. */
        bool (*look)(struct plait_case *entry, bool sure);
        /* In a task: have *wait* claimed when it may be ready. 0; 1: it may be by now; -errno. */
        int (*stand)(struct plait_case *entry, struct pl_wait *wait);
        /* After stand(), in whatever way that ended: nobody claims through *entry* any more. True: closed meanwhile. */
        bool (*unqueue)(struct plait_case *entry);
        /* After unqueue() of all; may suspend. */
        void (*let_go)(struct plait_case *entry);
        /* In a plain thread: before the wait begins, and after it has ended. An eventfd for its waker, or -errno. */
        int (*prepare)(void);
        void (*finish)(int notify_fd);
        /* And in between, instead of pl_sched_wait_finish(). As that; or 1: something may be ready; or -errno. */
        int (*block)(const struct plait_case *cases, size_t count, struct pl_wait *wait, int notify_fd,
                     int64_t deadline_ns);
};

struct plait_selectable {
        /* A queued object: */
        struct pl_spin *(*lock)(const struct plait_case *entry);
        /* With all locks held: do it if it can be done without waiting. */
        bool (*take)(struct plait_case *entry, struct pl_select_after *after);
        /* The same; if it cannot be done, queue the node. take() has just failed. */
        bool (*take_or_queue)(struct plait_case *entry);
        /* With the lock held: take the node out if it is still queued. */
        void (*withdraw)(struct plait_case *entry);
        /* Somebody has claimed the wait through this node: say what came of it. */
        void (*won)(struct plait_case *entry);

        /* A watched one: */
        const struct pl_select_watcher *watcher;
        bool (*settle)(struct plait_case *entry); /* NULL: looking is all. False: somebody else was faster */
};

/* plait_select() by something that has a cause of its own to wait. */
PL_WARN_UNUSED int pl_sync_select(struct plait_case *cases, size_t count, int64_t deadline_ns,
                                  enum pl_wait_cause cause);

static inline struct pl_wait_node *pl_select_node(struct plait_case *entry)
{
        return (struct pl_wait_node *)(void *)&entry->pl_node;
}

_Static_assert(sizeof(struct pl_wait_node) == sizeof(((struct plait_case *)0)->pl_node), "a case has room for a node");

/* Queue the node of *entry*, with *slot*, last in *head*. */
static inline void pl_select_push(void **head, struct plait_case *entry, void *slot)
{
        struct pl_wait_node *node = pl_select_node(entry);

        node->slot = slot;
        pl_sync_push_back(head, node);
}

#endif
