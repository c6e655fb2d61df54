/* The queue of waiters that the objects of src/sync have: order, removal, claiming, taking all. */
#include <string.h>

#include "harness/test.h"
#include "sync/waiters.h"

enum { N = 5 };

struct queue {
        void *head;
        struct pl_wait waits[N];
};

/* N waits that can be claimed. */
static void fill(struct queue *queue)
{
        memset(queue, 0, sizeof *queue);
        for (int i = 0; i < N; i++) {
                queue->waits[i].node.wait = &queue->waits[i];
                atomic_store(&queue->waits[i].state, PL_WAIT_WAITING);
                pl_sync_push_back(&queue->head, &queue->waits[i].node);
        }
}

/* Which one it is; -1: none. */
static int index_of(const struct queue *queue, const struct pl_wait_node *node)
{
        for (int i = 0; i < N; i++)
                if (node == &queue->waits[i].node)
                        return i;
        return -1;
}

TEST(waiters_come_in_order)
{
        struct queue queue;

        fill(&queue);
        for (int i = 0; i < N; i++) {
                struct pl_wait_node *node = pl_sync_claim(&queue.head);

                CHECK_INT(index_of(&queue, node), ==, i);
                CHECK_PTR(node->link.next, ==, NULL);
        }
        CHECK_PTR(queue.head, ==, NULL);
        CHECK_PTR(pl_sync_claim(&queue.head), ==, NULL);
}

TEST(waiters_leave_from_anywhere)
{
        for (int gone = 0; gone < N; gone++) {
                struct queue queue;

                fill(&queue);
                pl_sync_remove(&queue.head, &queue.waits[gone].node);
                pl_sync_remove(&queue.head, &queue.waits[gone].node); /* not there: nothing happens */
                for (int i = 0; i < N; i++)
                        if (i != gone)
                                CHECK_INT(index_of(&queue, pl_sync_claim(&queue.head)), ==, i);
                CHECK_PTR(queue.head, ==, NULL);
        }
}

TEST(waiters_whose_claim_is_lost_are_passed_over)
{
        struct queue queue;

        fill(&queue);
        atomic_store(&queue.waits[0].state, PL_WAIT_TIMED_OUT);
        atomic_store(&queue.waits[1].state, PL_WAIT_CANCELED);
        atomic_store(&queue.waits[4].state, PL_WAIT_CANCELED);
        CHECK_INT(index_of(&queue, pl_sync_claim(&queue.head)), ==, 2);
        CHECK_PTR(queue.waits[0].node.link.next, ==, NULL);
        CHECK_INT(index_of(&queue, pl_sync_claim(&queue.head)), ==, 3);
        CHECK_PTR(pl_sync_claim(&queue.head), ==, NULL);
        CHECK_PTR(queue.head, ==, NULL);
}

TEST(waiters_taken_together_can_still_leave)
{
        struct queue queue;
        struct pl_list all;

        fill(&queue);
        pl_sync_take_all(&queue.head, &all);
        CHECK_PTR(queue.head, ==, NULL);
        pl_sync_remove(&queue.head, &queue.waits[0].node);
        pl_sync_remove(&queue.head, &queue.waits[3].node);
        CHECK_PTR(queue.head, ==, NULL);
        CHECK_INT(index_of(&queue, pl_sync_node_of(all.next)), ==, 1);
        CHECK_INT(index_of(&queue, pl_sync_node_of(all.prev)), ==, 4);
        pl_sync_remove(&queue.head, &queue.waits[1].node);
        pl_sync_remove(&queue.head, &queue.waits[2].node);
        pl_sync_remove(&queue.head, &queue.waits[4].node);
        CHECK(pl_list_empty(&all));
}

TEST(waiters_none_taken_is_an_empty_ring)
{
        void *head = NULL;
        struct pl_list all;

        pl_sync_take_all(&head, &all);
        CHECK(pl_list_empty(&all));
}
