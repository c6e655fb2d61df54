/* The deque of tasks that have not started: order, capacity, and owner against thieves. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "harness/test.h"
#include "sched/deque.h"

/* The deque never looks into a task, so numbers will do. */
static struct plait_task *item(uintptr_t n)
{
        return (struct plait_task *)(n + 1);
}

static uintptr_t number(const struct plait_task *task)
{
        return (uintptr_t)task - 1;
}

TEST(the_owner_pops_the_youngest_and_thieves_take_the_oldest)
{
        static struct plait_deque deque;

        CHECK(pl_deque_empty(&deque));
        CHECK(!pl_deque_pop(&deque));
        CHECK(!pl_deque_steal(&deque));
        for (uintptr_t i = 0; i < 4; i++)
                CHECK(pl_deque_push(&deque, item(i)));
        CHECK_UINT(number(pl_deque_pop(&deque)), ==, 3);
        CHECK_UINT(number(pl_deque_steal(&deque)), ==, 0);
        CHECK_UINT(number(pl_deque_pop(&deque)), ==, 2);
        CHECK_UINT(number(pl_deque_pop(&deque)), ==, 1);
        CHECK(!pl_deque_pop(&deque));
        CHECK(pl_deque_empty(&deque));
}

TEST(a_full_deque_refuses_and_takes_again_after_a_theft)
{
        static struct plait_deque deque;

        for (int round = 0; round < 3; round++) {
                for (uintptr_t i = 0; i < PL_DEQUE_SIZE; i++)
                        CHECK(pl_deque_push(&deque, item(i)));
                CHECK(!pl_deque_push(&deque, item(0)));
                CHECK_UINT(number(pl_deque_steal(&deque)), ==, 0);
                CHECK(pl_deque_push(&deque, item(PL_DEQUE_SIZE)));
                CHECK(!pl_deque_push(&deque, item(0)));
                for (uintptr_t i = 0; i < PL_DEQUE_SIZE; i++)
                        CHECK_UINT(number(pl_deque_pop(&deque)), ==, PL_DEQUE_SIZE - i);
        }
}

enum { ITEMS = 200000, THIEVES = 2 };

static struct plait_deque shared;
static _Atomic unsigned char taken[ITEMS];
static atomic_bool over;

static void take(struct plait_task *task)
{
        CHECK_INT(atomic_fetch_add(&taken[number(task)], 1), ==, 0);
}

static void *thief(void *arg)
{
        struct plait_task *task;

        while (!atomic_load(&over))
                if ((task = pl_deque_steal(&shared)))
                        take(task);
        return arg;
}

/* Bursts of every length end in the owner and the thieves fighting for the last item. */
TEST(every_item_is_taken_exactly_once)
{
        pthread_t threads[THIEVES];
        struct plait_task *task;
        uintptr_t next = 0;
        unsigned seed = 7;

        for (int i = 0; i < THIEVES; i++)
                pthread_create(&threads[i], NULL, thief, NULL);
        while (next < ITEMS) {
                for (int burst = rand_r(&seed) % 8; burst >= 0 && next < ITEMS; burst--)
                        if (pl_deque_push(&shared, item(next)))
                                next++;
                for (int burst = rand_r(&seed) % 8; burst >= 0; burst--)
                        if ((task = pl_deque_pop(&shared)))
                                take(task);
        }
        while ((task = pl_deque_pop(&shared)))
                take(task);
        while (!pl_deque_empty(&shared))
                ;
        atomic_store(&over, true);
        for (int i = 0; i < THIEVES; i++)
                pthread_join(threads[i], NULL);
        for (int i = 0; i < ITEMS; i++)
                CHECK_INT(taken[i], ==, 1);
}
