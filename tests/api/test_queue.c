/* The queue: orders, room, finishing, shutting down, deadlines, cancellation, misuse. */
#include <plait/plait.h>
#include <pthread.h>
#include <signal.h>

#include "api/alone.h"

struct flow {
        struct plait_queue *queue;
        int64_t deadline_ns;
        int item;
        int result; /* 1: still waiting */
};

static int put_one(void *arg)
{
        struct flow *flow = arg;

        flow->result = plait_queue_put(flow->queue, &flow->item, flow->deadline_ns);
        return 0;
}

static int get_one(void *arg)
{
        struct flow *flow = arg;

        flow->result = plait_queue_get(flow->queue, &flow->item, flow->deadline_ns);
        return 0;
}

static int join_it(void *arg)
{
        struct flow *flow = arg;

        flow->result = plait_queue_join(flow->queue, flow->deadline_ns);
        return 0;
}

static struct plait_queue *queue_of_int(size_t maxsize, enum plait_queue_order order)
{
        struct plait_queue_opts opts = {.size = sizeof opts, .order = order};
        struct plait_queue *queue = NULL;

        CHECK_OK(plait_queue_new(sizeof(int), maxsize, &opts, &queue));
        CHECK_UINT(plait_queue_maxsize(queue), ==, maxsize);
        return queue;
}

static void put(struct plait_queue *queue, int item)
{
        CHECK_INT(plait_queue_put(queue, &item, 0), ==, 0);
}

static int gotten(struct plait_queue *queue)
{
        int item = -1;

        CHECK_OK(plait_queue_get(queue, &item, 0));
        return item;
}

/* Starts one flow and lets it wait. */
static void start(struct plait_scope *scope, int (*fn)(void *), struct flow *flow)
{
        CHECK_OK(plait_scope_go(scope, fn, flow));
        let_others_run();
        CHECK_INT(flow->result, ==, 1);
}

TEST(queue_new_checks_what_it_is_given)
{
        struct plait_queue_opts opts = {.size = sizeof opts};
        char elsewhere;
        struct plait_queue *const untouched = (struct plait_queue *)(void *)&elsewhere;
        struct plait_queue *queue = untouched;

        CHECK_INT(plait_queue_new(0, 1, NULL, &queue), ==, -EINVAL);
        CHECK_INT(plait_queue_new(SIZE_MAX, 2, NULL, &queue), ==, -ENOMEM);
        CHECK_INT(plait_queue_new(1, SIZE_MAX, NULL, &queue), ==, -ENOMEM);
        opts.order = PLAIT_QUEUE_PRIORITY;
        CHECK_INT(plait_queue_new(SIZE_MAX, 0, &opts, &queue), ==, -ENOMEM);
        opts.order = (enum plait_queue_order)3;
        CHECK_INT(plait_queue_new(1, 1, &opts, &queue), ==, -EINVAL);
        opts = (struct plait_queue_opts){.size = 1};
        CHECK_INT(plait_queue_new(1, 1, &opts, &queue), ==, -EINVAL);
        CHECK_PTR(queue, ==, untouched);
        plait_queue_free(NULL);
}

TEST(queue_gives_the_oldest)
{
        struct plait_queue *queue = queue_of_int(3, PLAIT_QUEUE_FIFO);
        int next = 0;

        for (int i = 0; i < 20; i++) {
                put(queue, i);
                CHECK_UINT(plait_queue_count(queue), ==, (size_t)(i + 1 - next));
                if (i % 3 != 0)
                        CHECK_INT(gotten(queue), ==, next++);
                while (plait_queue_count(queue) == 3)
                        CHECK_INT(gotten(queue), ==, next++);
        }
        plait_queue_free(queue);
}

TEST(queue_gives_the_newest)
{
        struct plait_queue *queue = queue_of_int(0, PLAIT_QUEUE_LIFO);

        for (int round = 0; round < 3; round++) {
                for (int i = 0; i < 100; i++)
                        put(queue, i);
                for (int i = 99; i >= 50; i--)
                        CHECK_INT(gotten(queue), ==, i);
                put(queue, 1000);
                CHECK_INT(gotten(queue), ==, 1000);
                for (int i = 49; i >= 0; i--)
                        CHECK_INT(gotten(queue), ==, i);
        }
        plait_queue_free(queue);
}

/* Each item tells its priority and when it was put, so the right order can be checked in any mix. */
TEST(queue_gives_the_smallest_priority_and_of_equals_the_oldest)
{
        enum { N = 5000, PRIORITIES = 40, SHIFT = 16 };
        struct plait_queue *queue = queue_of_int(0, PLAIT_QUEUE_PRIORITY);
        uint32_t random = 1;
        int last = -1;

        for (int i = 0; i < N; i++) {
                random = random * 1664525U + 1013904223U;
                int priority = (int)(random >> 16) % PRIORITIES;
                CHECK_OK(plait_queue_put_with_priority(queue, &(int){priority << SHIFT | i}, priority, 0));
        }
        for (int i = 0; i < N; i++) {
                int item = gotten(queue);
                CHECK_INT(item, >, last);
                last = item;
        }
        put(queue, 5); /* with priority 0 */
        CHECK_OK(plait_queue_put_with_priority(queue, &(int){6}, INT64_MAX, 0));
        CHECK_OK(plait_queue_put_with_priority(queue, &(int){4}, INT64_MIN, 0));
        CHECK_OK(plait_queue_try_put(queue, &(int){7}));
        CHECK_INT(gotten(queue), ==, 4);
        CHECK_INT(gotten(queue), ==, 5);
        CHECK_INT(gotten(queue), ==, 7);
        CHECK_INT(gotten(queue), ==, 6);
        plait_queue_free(queue);
}

TEST(queue_priorities_are_for_queues_that_have_them)
{
        struct plait_queue *queue = queue_of_int(0, PLAIT_QUEUE_FIFO);

        CHECK_INT(plait_queue_put_with_priority(queue, &(int){1}, 1, 0), ==, -EINVAL);
        CHECK_UINT(plait_queue_count(queue), ==, 0);
        plait_queue_free(queue);
}

struct record {
        char text[37]; /* no multiple of anything */
};

TEST(queue_items_of_any_size_go_through_whole)
{
        enum { N = 100 };
        struct plait_queue_opts opts = {.size = sizeof opts, .order = PLAIT_QUEUE_PRIORITY};

        for (int order = PLAIT_QUEUE_FIFO; order <= PLAIT_QUEUE_PRIORITY; order++) {
                struct plait_queue *queue = NULL;

                opts.order = (enum plait_queue_order)order;
                CHECK_OK(plait_queue_new(sizeof(struct record), 0, &opts, &queue));
                for (int i = 0; i < N; i++) {
                        struct record record;

                        for (size_t k = 0; k < sizeof record.text; k++)
                                record.text[k] = (char)(i + (int)k);
                        CHECK_OK(plait_queue_put(queue, &record, 0));
                }
                for (int i = 0; i < N; i++) {
                        struct record record;

                        CHECK_OK(plait_queue_get(queue, &record, 0));
                        CHECK_INT(record.text[0], ==, (char)(order == PLAIT_QUEUE_LIFO ? N - 1 - i : i));
                        for (size_t k = 0; k < sizeof record.text; k++)
                                CHECK_INT(record.text[k], ==, (char)(record.text[0] + (int)k));
                }
                plait_queue_free(queue);
        }
}

TEST(queue_without_a_maximum_grows_while_it_wraps)
{
        enum { N = 100000 };
        struct plait_queue *queue = queue_of_int(0, PLAIT_QUEUE_FIFO);
        int put_so_far = 0, next = 0;

        for (int round = 0; round < 2; round++) {
                for (int i = 0; i < 10; i++)
                        put(queue, put_so_far++);
                for (int i = 0; i < 9; i++)
                        CHECK_INT(gotten(queue), ==, next++);
                for (int i = 0; i < N; i++)
                        put(queue, put_so_far++);
                while (next < put_so_far)
                        CHECK_INT(gotten(queue), ==, next++);
        }
        plait_queue_free(queue);
}

TEST(queue_without_a_maximum_tells_when_there_is_no_memory)
{
        struct plait_queue *queue = NULL;
        static char item;

        CHECK_OK(plait_queue_new(SIZE_MAX / 2, 0, NULL, &queue));
        CHECK_INT(plait_queue_put(queue, &item, PLAIT_NEVER), ==, -ENOMEM);
        CHECK_INT(plait_queue_try_put(queue, &item), ==, -ENOMEM);
        CHECK_UINT(plait_queue_unfinished(queue), ==, 0);
        plait_queue_free(queue);
}

TEST(queue_try_variants_never_wait)
{
        struct plait_queue *queue = queue_of_int(1, PLAIT_QUEUE_FIFO);
        int item = 5;

        CHECK_INT(plait_queue_try_get(queue, &item), ==, -EAGAIN);
        CHECK_INT(plait_queue_try_put(queue, &item), ==, 0);
        CHECK_INT(plait_queue_try_put(queue, &item), ==, -EAGAIN);
        item = 0;
        CHECK_INT(plait_queue_try_get(queue, &item), ==, 0);
        CHECK_INT(item, ==, 5);
        CHECK_OK(plait_queue_try_put(queue, &item));
        plait_queue_shutdown(queue, 0);
        CHECK_INT(plait_queue_try_put(queue, &item), ==, -EPIPE);
        CHECK_INT(plait_queue_try_get(queue, &item), ==, 0);
        CHECK_INT(plait_queue_try_get(queue, &item), ==, -EPIPE);
        plait_queue_free(queue);
}

TEST(queue_waits_of_a_thread_time_out)
{
        struct plait_queue *queue = queue_of_int(1, PLAIT_QUEUE_FIFO);
        int item = 7;

        CHECK_INT(plait_queue_get(queue, &item, 0), ==, -ETIMEDOUT);
        CHECK_INT(plait_queue_get(queue, &item, plait_in_ms(5)), ==, -ETIMEDOUT);
        CHECK_INT(item, ==, 7);
        put(queue, 1);
        CHECK_INT(plait_queue_put(queue, &item, 0), ==, -ETIMEDOUT);
        CHECK_INT(plait_queue_put(queue, &item, plait_in_ms(5)), ==, -ETIMEDOUT);
        CHECK_INT(plait_queue_join(queue, 0), ==, -ETIMEDOUT);
        CHECK_INT(plait_queue_join(queue, plait_in_ms(5)), ==, -ETIMEDOUT);
        CHECK_UINT(plait_queue_unfinished(queue), ==, 1);
        CHECK_INT(gotten(queue), ==, 1);
        plait_queue_free(queue);
}

TEST(queue_serves_who_waits_in_order, .run = alone)
{
        enum { N = 5 };
        struct plait_queue *queue = queue_of_int(1, PLAIT_QUEUE_FIFO);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow getters[N], putters[N];

        for (int i = 0; i < N; i++) {
                getters[i] = (struct flow){queue, PLAIT_NEVER, -1, 1};
                start(&scope, get_one, &getters[i]);
        }
        for (int i = 0; i < N; i++) {
                put(queue, i);
                let_others_run();
                CHECK_INT(getters[i].result, ==, 0);
                CHECK_INT(getters[i].item, ==, i);
        }
        put(queue, 100);
        for (int i = 0; i < N; i++) {
                putters[i] = (struct flow){queue, PLAIT_NEVER, i, 1};
                start(&scope, put_one, &putters[i]);
        }
        CHECK_UINT(plait_queue_count(queue), ==, 1);
        CHECK_INT(gotten(queue), ==, 100);
        for (int i = 0; i < N; i++) {
                let_others_run();
                CHECK_INT(putters[i].result, ==, 0);
                CHECK(i + 1 == N || putters[i + 1].result == 1);
                CHECK_INT(gotten(queue), ==, i);
        }
        CHECK_OK(plait_scope_join(&scope));
        plait_queue_free(queue);
}

/* Room that has been reserved for one who waits is nobody else's, and not lost when he needs none. */
TEST(queue_room_is_kept_for_who_waits, .run = alone)
{
        struct plait_queue *queue = queue_of_int(1, PLAIT_QUEUE_FIFO);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow first = {queue, PLAIT_NEVER, 1, 1}, second = {queue, PLAIT_NEVER, 2, 1},
                    getter = {queue, PLAIT_NEVER, 0, 1};

        put(queue, 0);
        start(&scope, put_one, &first);
        start(&scope, put_one, &second);
        CHECK_INT(gotten(queue), ==, 0); /* the first is admitted, and has not run yet */
        CHECK_INT(plait_queue_try_put(queue, &(int){3}), ==, -EAGAIN);
        CHECK_OK(plait_scope_go(&scope, get_one, &getter));
        let_others_run();
        CHECK_INT(first.result, ==, 0);
        CHECK_INT(second.result, ==, 0);
        CHECK_INT(getter.result, ==, 0);
        CHECK_INT(getter.item + gotten(queue), ==, 3);
        CHECK_OK(plait_scope_join(&scope));
        plait_queue_free(queue);
}

TEST(queue_getter_that_waits_while_room_is_reserved_gets_the_item, .run = alone)
{
        struct plait_queue *queue = queue_of_int(1, PLAIT_QUEUE_FIFO);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow first = {queue, PLAIT_NEVER, 1, 1}, second = {queue, PLAIT_NEVER, 2, 1};
        int item;

        put(queue, 0);
        start(&scope, put_one, &first);
        start(&scope, put_one, &second);
        CHECK_INT(gotten(queue), ==, 0);
        CHECK_OK(plait_queue_get(queue, &item, PLAIT_NEVER)); /* waits: the first runs now, and hands over */
        CHECK_INT(item, ==, 1);
        CHECK_OK(plait_queue_get(queue, &item, PLAIT_NEVER));
        CHECK_INT(item, ==, 2);
        CHECK_OK(plait_scope_join(&scope));
        plait_queue_free(queue);
}

TEST(queue_join_waits_until_all_is_finished, .run = alone)
{
        struct plait_queue *queue = queue_of_int(0, PLAIT_QUEUE_FIFO);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow one = {queue, PLAIT_NEVER, 0, 1}, two = {queue, PLAIT_NEVER, 0, 1};

        CHECK_INT(plait_queue_join(queue, 0), ==, 0);
        CHECK_INT(plait_queue_task_done(queue), ==, -EINVAL);
        put(queue, 1);
        put(queue, 2);
        start(&scope, join_it, &one);
        start(&scope, join_it, &two);
        CHECK_INT(gotten(queue), ==, 1);
        CHECK_INT(gotten(queue), ==, 2);
        CHECK_UINT(plait_queue_count(queue), ==, 0);
        CHECK_UINT(plait_queue_unfinished(queue), ==, 2);
        CHECK_OK(plait_queue_task_done(queue));
        let_others_run();
        CHECK_INT(one.result, ==, 1);
        CHECK_OK(plait_queue_task_done(queue));
        CHECK_INT(plait_queue_task_done(queue), ==, -EINVAL);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(one.result, ==, 0);
        CHECK_INT(two.result, ==, 0);
        plait_queue_free(queue);
}

TEST(queue_shut_down_gives_what_is_there, .run = alone)
{
        struct plait_queue *queue = queue_of_int(2, PLAIT_QUEUE_FIFO);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow putter = {queue, PLAIT_NEVER, 3, 1}, joiner = {queue, PLAIT_NEVER, 0, 1};
        int item = 0;

        put(queue, 1);
        put(queue, 2);
        start(&scope, put_one, &putter);
        start(&scope, join_it, &joiner);
        plait_queue_shutdown(queue, 0);
        let_others_run();
        CHECK_INT(putter.result, ==, -EPIPE);
        CHECK_INT(joiner.result, ==, 1);
        CHECK_INT(plait_queue_put(queue, &item, PLAIT_NEVER), ==, -EPIPE);
        CHECK_INT(gotten(queue), ==, 1);
        CHECK_INT(gotten(queue), ==, 2);
        CHECK_INT(plait_queue_get(queue, &item, PLAIT_NEVER), ==, -EPIPE);
        CHECK_OK(plait_queue_task_done(queue));
        CHECK_OK(plait_queue_task_done(queue));
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(joiner.result, ==, 0);
        plait_queue_free(queue);
}

TEST(queue_shut_down_wakes_who_waits_to_get, .run = alone)
{
        struct plait_queue *queue = queue_of_int(2, PLAIT_QUEUE_FIFO);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow getters[3];

        for (int i = 0; i < 3; i++) {
                getters[i] = (struct flow){queue, PLAIT_NEVER, 7, 1};
                start(&scope, get_one, &getters[i]);
        }
        plait_queue_shutdown(queue, 0);
        plait_queue_shutdown(queue, 0);
        CHECK_OK(plait_scope_join(&scope));
        for (int i = 0; i < 3; i++) {
                CHECK_INT(getters[i].result, ==, -EPIPE);
                CHECK_INT(getters[i].item, ==, 7);
        }
        plait_queue_free(queue);
}

/* One has been admitted, but has not put his item in when the queue is shut down. */
TEST(queue_shut_down_turns_the_admitted_away, .run = alone)
{
        struct plait_queue *queue = queue_of_int(1, PLAIT_QUEUE_FIFO);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow putter = {queue, PLAIT_NEVER, 3, 1};

        put(queue, 1);
        start(&scope, put_one, &putter);
        CHECK_INT(gotten(queue), ==, 1);
        plait_queue_shutdown(queue, 0);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(putter.result, ==, -EPIPE);
        CHECK_UINT(plait_queue_count(queue), ==, 0);
        CHECK_UINT(plait_queue_unfinished(queue), ==, 1);
        plait_queue_free(queue);
}

static int dropped; /* the sum */

static void add_to_dropped(void *item)
{
        dropped += *(int *)item;
}

TEST(queue_shut_down_at_once_drops_and_counts_as_finished, .run = alone)
{
        struct plait_queue_opts opts = {.size = sizeof opts, .drop = add_to_dropped};
        struct plait_queue *queue = NULL;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int item = 0;

        for (int order = PLAIT_QUEUE_FIFO; order <= PLAIT_QUEUE_PRIORITY; order++) {
                struct flow joiner = {.deadline_ns = PLAIT_NEVER, .result = 1};

                dropped = 0;
                opts.order = (enum plait_queue_order)order;
                CHECK_OK(plait_queue_new(sizeof(int), 3, &opts, &queue));
                joiner.queue = queue;
                for (int i = 1; i <= 3; i++)
                        put(queue, i);
                CHECK_INT(gotten(queue), ==, order == PLAIT_QUEUE_LIFO ? 3 : 1);
                put(queue, 10);
                start(&scope, join_it, &joiner);
                plait_queue_shutdown(queue, 0);
                plait_queue_shutdown(queue, PLAIT_QUEUE_NOW);
                CHECK_INT(dropped, ==, order == PLAIT_QUEUE_LIFO ? 13 : 15);
                let_others_run();
                CHECK_INT(joiner.result, ==, 1); /* the one that was gotten is unfinished */
                CHECK_UINT(plait_queue_unfinished(queue), ==, 1);
                CHECK_INT(plait_queue_get(queue, &item, PLAIT_NEVER), ==, -EPIPE);
                CHECK_OK(plait_queue_task_done(queue));
                CHECK_OK(plait_scope_join(&scope));
                CHECK_INT(joiner.result, ==, 0);
                plait_queue_free(queue);
        }
}

TEST(queue_shut_down_at_once_lets_join_go_on, .run = alone)
{
        struct plait_queue *queue = queue_of_int(0, PLAIT_QUEUE_FIFO);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow joiner = {queue, PLAIT_NEVER, 0, 1};

        put(queue, 1);
        start(&scope, join_it, &joiner);
        plait_queue_shutdown(queue, PLAIT_QUEUE_NOW);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(joiner.result, ==, 0);
        plait_queue_free(queue);
}

TEST(queue_that_is_freed_drops_what_is_in_it)
{
        struct plait_queue_opts opts = {.size = sizeof opts, .drop = add_to_dropped};
        struct plait_queue *queue = NULL;

        CHECK_OK(plait_queue_new(sizeof(int), 3, &opts, &queue));
        for (int i = 0; i < 3; i++)
                put(queue, i);
        CHECK_INT(gotten(queue), ==, 0);
        put(queue, 3); /* wrapped */
        plait_queue_free(queue);
        CHECK_INT(dropped, ==, 6);
}

TEST(queue_cancelled_waits_take_and_leave_nothing, .run = alone)
{
        struct plait_queue *full = queue_of_int(1, PLAIT_QUEUE_FIFO), *empty = queue_of_int(1, PLAIT_QUEUE_FIFO);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow putter = {full, PLAIT_NEVER, 2, 1}, getter = {empty, PLAIT_NEVER, 7, 1},
                    joiner = {full, PLAIT_NEVER, 0, 1};

        put(full, 1);
        start(&scope, put_one, &putter);
        start(&scope, get_one, &getter);
        start(&scope, join_it, &joiner);
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(putter.result, ==, -ECANCELED);
        CHECK_INT(getter.result, ==, -ECANCELED);
        CHECK_INT(joiner.result, ==, -ECANCELED);
        CHECK_INT(getter.item, ==, 7);
        CHECK_INT(gotten(full), ==, 1);
        CHECK_UINT(plait_queue_unfinished(full), ==, 1);
        put(full, 3);
        put(empty, 4);
        CHECK_INT(gotten(full), ==, 3);
        CHECK_INT(gotten(empty), ==, 4);
        plait_queue_free(full);
        plait_queue_free(empty);
}

TEST(queue_in_a_cancelled_scope_does_what_needs_no_wait, .run = in_task)
{
        struct plait_queue *queue = queue_of_int(1, PLAIT_QUEUE_FIFO);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int item = 5;

        CHECK_OK(plait_scope_open(&scope));
        plait_scope_cancel(&scope);
        CHECK_INT(plait_queue_join(queue, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_queue_put(queue, &item, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_queue_put(queue, &item, PLAIT_NEVER), ==, -ECANCELED);
        CHECK_INT(plait_queue_join(queue, PLAIT_NEVER), ==, -ECANCELED);
        CHECK_INT(plait_queue_get(queue, &item, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_queue_get(queue, &item, PLAIT_NEVER), ==, -ECANCELED);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        plait_queue_free(queue);
}

static void *get_in_thread(void *arg)
{
        get_one(arg);
        return NULL;
}

TEST(queue_passes_between_tasks_and_threads, .run = in_task)
{
        struct plait_queue *queue = queue_of_int(1, PLAIT_QUEUE_FIFO);
        struct flow getter = {queue, PLAIT_NEVER, 0, 1};
        pthread_t thread;

        CHECK_INT(pthread_create(&thread, NULL, get_in_thread, &getter), ==, 0);
        CHECK_OK(plait_queue_put(queue, &(int){9}, PLAIT_NEVER));
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
        CHECK_INT(getter.item, ==, 9);
        plait_queue_free(queue);
}

static int free_under_waiter(void *queue)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow flow = {queue, PLAIT_NEVER, 0, 1};

        CHECK_OK(plait_scope_go(&scope, get_one, &flow));
        let_others_run();
        plait_queue_free(queue);
        return plait_scope_join(&scope);
}

TEST(queue_freed_under_a_waiter_is_named, .signal = SIGABRT, .stderr_match = "freed while somebody waits to get")
{
        CHECK_SYS(setenv("PLAIT_WORKERS", "1", 1));
        plait_run(free_under_waiter, queue_of_int(1, PLAIT_QUEUE_FIFO), NULL);
}
