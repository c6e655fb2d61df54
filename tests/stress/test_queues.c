/* Queue and broadcast under tasks and plain threads at once. The sums at the end are exact. */
#include <plait/plait.h>
#include <pthread.h>
#include <stdlib.h>

#include "stress/flows.h"

enum { TASKS = 8, THREADS = 4, FLOWS = TASKS + THREADS };

static int rounds(int n)
{
        return n / test_slowness() + 1;
}

static int64_t deadline_of(bool some, uint32_t *random)
{
        return some ? some_deadline(random) : PLAIT_NEVER;
}

/* --- queue --- */

struct line {
        struct plait_queue *queue;
        int rounds;
        bool deadlines;
        unsigned producers; /* the last one joins and shuts down */
        uint64_t put, gotten, dropped, n_put, n_gotten, n_dropped;
};

static int produce(struct line *line, unsigned number)
{
        uint32_t random = number;
        uint64_t sum = 0, n = 0;
        int r = 0;

        for (int i = 0; i < line->rounds && r != -EPIPE; i++) {
                uint64_t item = (uint64_t)(i + 1) << 8 | number;

                do
                        r = plait_queue_put(line->queue, &item, deadline_of(line->deadlines, &random));
                while (r == -ETIMEDOUT);
                sum += r == 0 ? item : 0;
                n += r == 0;
        }
        __atomic_fetch_add(&line->put, sum, __ATOMIC_RELAXED);
        __atomic_fetch_add(&line->n_put, n, __ATOMIC_RELAXED);
        if (__atomic_sub_fetch(&line->producers, 1, __ATOMIC_ACQ_REL) == 0) {
                do
                        r = plait_queue_join(line->queue, deadline_of(line->deadlines, &random));
                while (r == -ETIMEDOUT);
                CHECK_INT(r, ==, 0);
                CHECK_UINT(plait_queue_unfinished(line->queue), ==, 0);
                CHECK_UINT(__atomic_load_n(&line->n_gotten, __ATOMIC_RELAXED) + line->n_dropped, ==, line->n_put);
                plait_queue_shutdown(line->queue, 0);
        }
        return 0;
}

static int consume(struct line *line, unsigned number)
{
        uint32_t random = number;
        uint64_t item;
        int r = 0;

        while (r != -EPIPE) {
                r = plait_queue_get(line->queue, &item, deadline_of(line->deadlines, &random));
                if (r < 0)
                        continue;
                __atomic_fetch_add(&line->gotten, item, __ATOMIC_RELAXED);
                __atomic_fetch_add(&line->n_gotten, 1, __ATOMIC_RELAXED);
                if (next_random(&random) % 64 == 0)
                        plait_yield();
                CHECK_OK(plait_queue_task_done(line->queue));
        }
        return 0;
}

static int produce_or_consume(void *arg)
{
        struct flow *flow = arg;

        return flow->number % 2 ? produce(flow->arg, flow->number) : consume(flow->arg, flow->number);
}

static struct line *line_drop;

static void count_dropped(void *item)
{
        line_drop->dropped += *(uint64_t *)item;
        line_drop->n_dropped++;
}

static void make_line(struct line *line, size_t maxsize, enum plait_queue_order order)
{
        struct plait_queue_opts opts = {.size = sizeof opts, .order = order, .drop = count_dropped};

        line->producers = FLOWS / 2;
        line_drop = line;
        CHECK_OK(plait_queue_new(sizeof(uint64_t), maxsize, &opts, &line->queue));
}

static void pass_items(size_t maxsize, enum plait_queue_order order, int n, bool deadlines)
{
        struct line line = {.rounds = n, .deadlines = deadlines};

        make_line(&line, maxsize, order);
        run_flows(TASKS, THREADS, produce_or_consume, &line);
        CHECK_UINT(line.n_put, ==, (uint64_t)n * FLOWS / 2);
        CHECK_UINT(line.n_gotten, ==, line.n_put);
        CHECK_UINT(line.gotten, ==, line.put);
        plait_queue_free(line.queue);
        CHECK_UINT(line.n_dropped, ==, 0);
}

TEST(queue_passes_all, .run = in_task)
{
        pass_items(1, PLAIT_QUEUE_FIFO, rounds(2000), false);
        pass_items(7, PLAIT_QUEUE_FIFO, rounds(5000), false);
        pass_items(0, PLAIT_QUEUE_FIFO, rounds(20000), false);
}

TEST(queue_of_the_newest_passes_all, .run = in_task)
{
        pass_items(7, PLAIT_QUEUE_LIFO, rounds(5000), false);
        pass_items(0, PLAIT_QUEUE_LIFO, rounds(10000), false);
}

TEST(queue_with_priorities_passes_all, .run = in_task)
{
        pass_items(7, PLAIT_QUEUE_PRIORITY, rounds(5000), false);
        pass_items(0, PLAIT_QUEUE_PRIORITY, rounds(10000), false);
}

TEST(queue_with_deadlines_passes_all, .run = in_task)
{
        pass_items(1, PLAIT_QUEUE_FIFO, rounds(2000), true);
        pass_items(3, PLAIT_QUEUE_LIFO, rounds(2000), true);
        pass_items(0, PLAIT_QUEUE_PRIORITY, rounds(2000), true);
}

/* Shut down at once at any moment: what was put was gotten or dropped, and nothing is unfinished. */
static int produce_consume_or_shut(void *arg)
{
        struct flow *flow = arg;
        struct line *line = flow->arg;

        if (flow->number == 0) {
                for (int i = 0; i < line->rounds; i++)
                        plait_yield();
                plait_queue_shutdown(line->queue, PLAIT_QUEUE_NOW);
                return 0;
        }
        if (flow->number % 2 == 0)
                return consume(line, flow->number);
        for (uint64_t item = 1;; item++) {
                int r = plait_queue_put(line->queue, &item, PLAIT_NEVER);

                if (r < 0) {
                        CHECK_INT(r, ==, -EPIPE);
                        return 0;
                }
                __atomic_fetch_add(&line->put, item, __ATOMIC_RELAXED);
                if (item % 16 == 0)
                        plait_yield(); /* putting does not wait where there is always room */
        }
}

TEST(queue_shut_down_at_once_loses_nothing, .run = in_task)
{
        for (int i = 0; i < rounds(200); i++) {
                struct line line = {.rounds = i % 50};

                make_line(&line, (size_t)i % 5, i % 2 ? PLAIT_QUEUE_FIFO : PLAIT_QUEUE_PRIORITY);
                run_flows(4, 2, produce_consume_or_shut, &line);
                CHECK_UINT(line.gotten + line.dropped, ==, line.put);
                CHECK_UINT(plait_queue_unfinished(line.queue), ==, 0);
                CHECK_INT(plait_queue_join(line.queue, 0), ==, 0);
                plait_queue_free(line.queue);
        }
}

/* Each item is put or not, gotten or not: a cancellation never leaves it in between. */
static int pass_until_cancelled(void *arg)
{
        struct line *line = arg;
        uint64_t item = plait_task_id(NULL);
        uint64_t gotten;
        int r;

        for (;;) {
                if ((r = plait_queue_put(line->queue, &item, PLAIT_NEVER)) < 0)
                        break;
                __atomic_fetch_add(&line->put, item, __ATOMIC_RELAXED);
                plait_yield();
                if ((r = plait_queue_get(line->queue, &gotten, PLAIT_NEVER)) < 0)
                        break;
                __atomic_fetch_add(&line->gotten, gotten, __ATOMIC_RELAXED);
                CHECK_OK(plait_queue_task_done(line->queue));
                if ((r = plait_cancelled()) < 0)
                        break;
        }
        CHECK_INT(r, ==, -ECANCELED);
        return 0;
}

static int cancel_passers(void *arg)
{
        struct flow *flow = arg;
        struct line *line = flow->arg;

        cancel_again_and_again(line->rounds, pass_until_cancelled, line);
        return 0;
}

TEST(queue_cancellation_loses_nothing, .run = in_task)
{
        struct line line = {.rounds = rounds(200)};
        uint64_t item;

        make_line(&line, 3, PLAIT_QUEUE_FIFO);
        run_flows(4, 0, cancel_passers, &line);
        while (plait_queue_try_get(line.queue, &item) == 0) {
                line.gotten += item;
                CHECK_OK(plait_queue_task_done(line.queue));
        }
        CHECK_UINT(line.gotten, ==, line.put);
        CHECK_INT(plait_queue_join(line.queue, 0), ==, 0);
        plait_queue_free(line.queue);
}

/* Whoever has joined frees it. */
static int finish_one(void *queue)
{
        uint64_t item;

        CHECK_INT(plait_queue_get(queue, &item, PLAIT_NEVER), ==, 0);
        return plait_queue_task_done(queue);
}

TEST(queue_is_freed_by_who_joined, .run = in_task)
{
        for (int i = 0; i < rounds(5000); i++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;
                struct plait_queue *queue = NULL;
                uint64_t item = 1;

                CHECK_OK(plait_queue_new(sizeof item, 1, NULL, &queue));
                CHECK_OK(plait_scope_go(&scope, finish_one, queue));
                CHECK_INT(plait_queue_put(queue, &item, PLAIT_NEVER), ==, 0);
                CHECK_INT(plait_queue_join(queue, PLAIT_NEVER), ==, 0);
                plait_queue_free(queue);
                CHECK_OK(plait_scope_join(&scope));
        }
}

/* --- broadcast --- */

struct news {
        struct plait_broadcast *broadcast;
        struct plait_latch ready;
        bool drops, deadlines;
        int rounds;
        unsigned senders; /* the last one closes */
};

static int send_news(struct news *news, unsigned number)
{
        uint32_t random = number;
        int r;

        CHECK_INT(plait_latch_wait(&news->ready, PLAIT_NEVER), ==, 0);
        for (int i = 0; i < news->rounds; i++) {
                uint64_t item = (uint64_t)(i + 1) << 8 | number;

                do
                        r = plait_broadcast_send(news->broadcast, &item, deadline_of(news->deadlines, &random));
                while (r == -ETIMEDOUT);
                CHECK_INT(r, ==, 0);
        }
        if (__atomic_sub_fetch(&news->senders, 1, __ATOMIC_ACQ_REL) == 0)
                plait_broadcast_close(news->broadcast);
        return 0;
}

/* From each sender all of its messages, in order; or some are missed and counted. */
static int receive_news(struct news *news, unsigned number)
{
        struct plait_subscriber subscriber;
        uint64_t last[FLOWS] = {0};
        uint32_t random = number;
        uint64_t item, n = 0;
        int r;

        plait_broadcast_subscribe(news->broadcast, &subscriber);
        CHECK_OK(plait_latch_count_down(&news->ready, 1));
        while ((r = plait_broadcast_receive(&subscriber, &item, deadline_of(news->deadlines, &random))) != -EPIPE) {
                if (r < 0) {
                        CHECK(r == -ETIMEDOUT || (news->drops && r == -EOVERFLOW));
                        continue;
                }
                CHECK_UINT(item >> 8, >, last[item & 255]);
                CHECK(news->drops || item >> 8 == last[item & 255] + 1);
                last[item & 255] = item >> 8;
                n++;
        }
        CHECK_UINT(n + plait_broadcast_missed(&subscriber), ==, (uint64_t)news->rounds * FLOWS / 2);
        CHECK(news->drops || plait_broadcast_missed(&subscriber) == 0);
        plait_broadcast_unsubscribe(&subscriber);
        return 0;
}

static int send_or_receive_news(void *arg)
{
        struct flow *flow = arg;

        return flow->number % 2 ? send_news(flow->arg, flow->number) : receive_news(flow->arg, flow->number);
}

static void broadcast_items(size_t capacity, enum plait_broadcast_lag lag, int n, bool deadlines)
{
        struct news news = {.rounds = n,
                            .drops = lag == PLAIT_BROADCAST_DROP,
                            .deadlines = deadlines,
                            .senders = FLOWS / 2,
                            .ready = PLAIT_LATCH_INIT(FLOWS / 2)};

        CHECK_OK(plait_broadcast_new(sizeof(uint64_t), capacity, lag, &news.broadcast));
        run_flows(TASKS, THREADS, send_or_receive_news, &news);
        plait_broadcast_free(news.broadcast);
}

TEST(broadcast_reaches_all, .run = in_task)
{
        broadcast_items(1, PLAIT_BROADCAST_WAIT, rounds(500), false);
        broadcast_items(100, PLAIT_BROADCAST_WAIT, rounds(2000), false);
}

TEST(broadcast_with_deadlines_reaches_all, .run = in_task)
{
        broadcast_items(3, PLAIT_BROADCAST_WAIT, rounds(500), true);
}

TEST(broadcast_that_drops_counts_what_is_missed, .run = in_task)
{
        broadcast_items(5, PLAIT_BROADCAST_DROP, rounds(5000), false);
        broadcast_items(100, PLAIT_BROADCAST_DROP, rounds(2000), true);
}

/* Subscribers come and go; senders are never held up for good. */
static int come_and_go(void *arg)
{
        struct flow *flow = arg;
        struct news *news = flow->arg;
        uint32_t random = flow->number;
        uint64_t item;

        if (flow->number % 4 == 1)
                return send_news(news, flow->number);
        for (;;) {
                struct plait_subscriber subscriber;
                int r = 0;

                plait_broadcast_subscribe(news->broadcast, &subscriber);
                for (uint32_t n = next_random(&random) % 8; n > 0 && r != -EPIPE; n--)
                        r = plait_broadcast_receive(&subscriber, &item, some_deadline(&random));
                if (r != -EPIPE && next_random(&random) % 4 == 0) {
                        do
                                r = plait_broadcast_receive(&subscriber, &item, PLAIT_NEVER);
                        while (r == 0 && next_random(&random) % 4);
                }
                plait_broadcast_unsubscribe(&subscriber);
                if (r == -EPIPE)
                        return 0;
        }
}

TEST(broadcast_subscribers_come_and_go, .run = in_task)
{
        struct news news = {.rounds = rounds(1000), .senders = FLOWS / 4};

        CHECK_OK(plait_broadcast_new(sizeof(uint64_t), 4, PLAIT_BROADCAST_WAIT, &news.broadcast));
        run_flows(TASKS, THREADS, come_and_go, &news);
        CHECK_UINT(plait_broadcast_subscribers(news.broadcast), ==, 0);
        plait_broadcast_free(news.broadcast);
}
