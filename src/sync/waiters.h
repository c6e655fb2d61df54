/*
 * The queue of those who wait for an object: a ring of pl_wait_node, entered through one pointer to the first, NULL
 * when empty. It is guarded by the object's lock. A node outside of a queue has link.next == NULL.
 *
 * How an object of this layer wakes (what every *_release, *_set and *_unlock follows):
 *
 * - A node is unqueued and claimed under the object's lock. A lost claim leaves the node unqueued; its flow, timed out
 *   or cancelled, takes the object's lock before it returns, so it is still there.
 * - pl_sched_wake_ready() comes after the lock's release, so that the woken do not run into it.
 * - An object may be freed as soon as the flow it let through comes back. So whatever lets a flow through is the last
 *   access to the object, unless a waiter that has been claimed but not made ready holds the object in being: it
 *   cannot have returned, and so nobody can rightly have freed what it waits for.
 */
#ifndef PL_SYNC_WAITERS_H
#define PL_SYNC_WAITERS_H

#include <stdbool.h>
#include <stddef.h>

#include "plat/spin.h"
#include "sched/wait.h"

enum { PL_SYNC_BATCH = 64 }; /* how many are claimed in one section */

static inline struct pl_wait_node *pl_sync_node_of(struct pl_list *link)
{
        return PL_CONTAINER_OF(link, struct pl_wait_node, link);
}

static inline void pl_sync_push_back(void **head, struct pl_wait_node *node)
{
        struct pl_list *first = *head;

        if (first) {
                pl_list_insert_before(first, &node->link);
        } else {
                pl_list_init(&node->link);
                *head = &node->link;
        }
}

static inline void pl_sync_push_front(void **head, struct pl_wait_node *node)
{
        pl_sync_push_back(head, node);
        *head = &node->link;
}

/* Take *node* out of the queue it is in. */
static inline void pl_sync_unlink(void **head, struct pl_wait_node *node)
{
        struct pl_list *next = node->link.next;

        if (PL_LIKELY(next == &node->link)) {
                *head = NULL;
        } else {
                if (*head == &node->link)
                        *head = next;
                next->prev = node->link.prev;
                node->link.prev->next = next;
        }
        node->link.next = NULL;
}

/* Take *node* out if it is still queued. */
static inline void pl_sync_remove(void **head, struct pl_wait_node *node)
{
        if (node->link.next)
                pl_sync_unlink(head, node);
}

/*
 * Try to be the one that wakes who waits with *node*, which is not queued any more. A flow that waits in several queues
 * at once (sync/selectable.h) finds in its wait's own node, which is then in none, which one it was.
 */
static inline bool pl_sync_claim_node(struct pl_wait_node *node)
{
        if (PL_UNLIKELY(!pl_sched_wake_claim(node->wait)))
                return false;
        node->wait->node.link.prev = &node->link;
        return true;
}

/* Unqueue until somebody lets himself be claimed; NULL when there is nobody left. */
static inline struct pl_wait_node *pl_sync_claim(void **head)
{
        while (*head) {
                struct pl_wait_node *node = pl_sync_node_of(*head);

                pl_sync_unlink(head, node);
                if (PL_LIKELY(pl_sync_claim_node(node)))
                        return node;
        }
        return NULL;
}

/* The caller's flow begins to wait, last in the queue. */
static inline struct pl_wait *pl_sync_enqueue(void **head, enum pl_wait_cause cause, const void *object, void *slot)
{
        struct pl_wait *wait = pl_sched_wait_begin(cause, object);

        wait->node.slot = slot;
        pl_sync_push_back(head, &wait->node);
        return wait;
}

/* Flows that have been claimed, chained by link.next, to be made ready outside the lock. */
struct pl_sync_claimed {
        struct pl_list *first;
        struct pl_list *last;
};

static inline void pl_sync_claimed_add(struct pl_sync_claimed *claimed, struct pl_wait_node *node)
{
        node->link.next = NULL;
        if (claimed->first)
                claimed->last->next = &node->link;
        else
                claimed->first = &node->link;
        claimed->last = &node->link;
}

/* Make them ready, in order, but for the last if *keep_last*: it keeps the object in being. */
void pl_sync_claimed_ready(struct pl_sync_claimed *claimed, bool keep_last);

/*
 * Move everybody in *head* to the ring of *all*, where they remain under the object's lock: pl_sync_remove() on *head*
 * works for them there.
 */
static inline void pl_sync_take_all(void **head, struct pl_list *all)
{
        struct pl_list *first = *head;

        pl_list_init(all);
        if (!first)
                return;
        pl_list_insert_before(first, all);
        *head = NULL;
}

/*
 * Claim everybody in the ring of *all* and make them ready, with their slots NULL. Called with *lock* held, returns
 * with it released; releases it now and then, so that others get on.
 */
void pl_sync_wake_all(struct pl_spin *lock, struct pl_list *all) PL_RELEASE(lock);

/*
 * The same, with *what* in the slots. It is there before the first is woken, and in the slots of those whose claim is
 * lost, too: who was in the ring when this was called learns it in any case, once he has the lock.
 */
void pl_sync_wake_told(struct pl_spin *lock, struct pl_list *all, void *what) PL_RELEASE(lock);

/* What a wait that is not to wait says: *deadline_ns* is <= 0 and the object could not be had. */
int pl_sync_refuse(void);

#endif
