/* Channel and event under tasks and plain threads at once. The sums at the end are exact. */
#include <plait/plait.h>
#include <pthread.h>
#include <stdlib.h>

#include "stress/flows.h"

enum { TASKS = 8, THREADS = 4 };

static int rounds(int n)
{
        return n / test_slowness() + 1;
}

/* --- channel --- */

struct pipe {
        struct plait_channel *channel;
        int rounds;
        bool deadlines;
        unsigned senders; /* the last one closes */
        uint64_t sent, received, n_sent, n_received;
        uint64_t last[FLOWS_MOST][FLOWS_MOST]; /* by receiver, then sender: the last item it got from there */
};

static int send_or_receive(void *arg)
{
        struct flow *flow = arg;
        struct pipe *pipe = flow->arg;
        uint32_t random = flow->number;
        uint64_t sum = 0, n = 0, item;
        int r = 0;

        if (flow->number % 2) {
                for (int i = 0; i < pipe->rounds && r != -EPIPE; i++) {
                        item = (uint64_t)(i + 1) << 8 | flow->number;
                        do
                                r = plait_channel_send(pipe->channel, &item,
                                                       pipe->deadlines ? some_deadline(&random) : PLAIT_NEVER);
                        while (r == -ETIMEDOUT);
                        sum += r == 0 ? item : 0;
                        n += r == 0;
                }
                __atomic_fetch_add(&pipe->sent, sum, __ATOMIC_RELAXED);
                __atomic_fetch_add(&pipe->n_sent, n, __ATOMIC_RELAXED);
                if (__atomic_sub_fetch(&pipe->senders, 1, __ATOMIC_RELAXED) == 0)
                        plait_channel_close(pipe->channel);
                return 0;
        }
        while (r != -EPIPE) {
                r = plait_channel_receive(pipe->channel, &item, pipe->deadlines ? some_deadline(&random) : PLAIT_NEVER);
                if (r < 0)
                        continue;
                /* What one sender sends comes in order. */
                CHECK_UINT(item, >, pipe->last[flow->number][item & 255]);
                pipe->last[flow->number][item & 255] = item;
                sum += item;
                n++;
        }
        __atomic_fetch_add(&pipe->received, sum, __ATOMIC_RELAXED);
        __atomic_fetch_add(&pipe->n_received, n, __ATOMIC_RELAXED);
        return 0;
}

static void pass_items(size_t capacity, int n, bool deadlines)
{
        static struct pipe pipe;

        pipe = (struct pipe){.rounds = n, .deadlines = deadlines, .senders = (TASKS + THREADS) / 2};
        CHECK_OK(plait_channel_new(sizeof(uint64_t), capacity, &pipe.channel));
        run_flows(TASKS, THREADS, send_or_receive, &pipe);
        CHECK_UINT(pipe.n_sent, ==, (uint64_t)n * (TASKS + THREADS) / 2);
        CHECK_UINT(pipe.n_received, ==, pipe.n_sent);
        CHECK_UINT(pipe.received, ==, pipe.sent);
        plait_channel_free(pipe.channel);
}

TEST(channel_without_room_passes_all, .run = in_task)
{
        pass_items(0, rounds(2000), false);
}

TEST(channel_with_little_room_passes_all, .run = in_task)
{
        pass_items(1, rounds(2000), false);
        pass_items(7, rounds(5000), false);
}

TEST(channel_unbounded_passes_all, .run = in_task)
{
        pass_items(PLAIT_CHANNEL_UNBOUNDED, rounds(20000), false);
        pass_items(PLAIT_CHANNEL_UNBOUNDED, rounds(2000), true);
}

TEST(channel_with_much_room_passes_all, .run = in_task)
{
        pass_items(1024, rounds(50000), false);
}

TEST(channel_with_deadlines_passes_all, .run = in_task)
{
        pass_items(0, rounds(1000), true);
        pass_items(3, rounds(2000), true);
}

static int send_until_closed(void *arg)
{
        struct pipe *pipe = ((struct flow *)arg)->arg;
        unsigned number = ((struct flow *)arg)->number;
        uint64_t item, n = 0;

        if (number == 0) {
                for (int i = 0; i < pipe->rounds; i++)
                        plait_yield();
                plait_channel_close(pipe->channel);
        } else if (number % 2) {
                for (item = 1; plait_channel_send(pipe->channel, &item, PLAIT_NEVER) == 0; item++)
                        n++;
                __atomic_fetch_add(&pipe->n_sent, n, __ATOMIC_RELAXED);
        } else {
                while (plait_channel_receive(pipe->channel, &item, PLAIT_NEVER) == 0)
                        n++;
                __atomic_fetch_add(&pipe->n_received, n, __ATOMIC_RELAXED);
        }
        return 0;
}

TEST(channel_close_loses_nothing, .run = in_task)
{
        static struct pipe pipe;

        for (int i = 0; i < rounds(100); i++) {
                pipe = (struct pipe){.rounds = i};
                CHECK_OK(plait_channel_new(sizeof(uint64_t), (size_t)i % 3, &pipe.channel));
                run_flows(5, 2, send_until_closed, &pipe);
                CHECK_UINT(pipe.n_received, ==, pipe.n_sent);
                plait_channel_free(pipe.channel);
        }
}

static int send_for_ever(void *arg)
{
        struct pipe *pipe = arg;
        uint64_t item = 1;

        while (plait_channel_send(pipe->channel, &item, PLAIT_NEVER) == 0)
                __atomic_fetch_add(&pipe->n_sent, 1, __ATOMIC_RELAXED);
        return 0;
}

static int receive_for_ever(void *arg)
{
        struct pipe *pipe = arg;
        uint64_t item;

        while (plait_channel_receive(pipe->channel, &item, PLAIT_NEVER) == 0) {
                __atomic_fetch_add(&pipe->n_received, 1, __ATOMIC_RELAXED);
                if (plait_cancelled())
                        break;
        }
        return 0;
}

TEST(channel_cancellation_loses_nothing, .run = in_task)
{
        for (int i = 0; i < rounds(300); i++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;
                struct pipe *pipe = calloc(1, sizeof *pipe);

                CHECK(pipe != NULL);
                CHECK_OK(plait_channel_new(sizeof(uint64_t), (size_t)i % 3, &pipe->channel));
                for (int k = 0; k < 3; k++) {
                        CHECK_OK(plait_scope_go(&scope, send_for_ever, pipe));
                        CHECK_OK(plait_scope_go(&scope, receive_for_ever, pipe));
                }
                for (int k = 0; k < i % 16; k++)
                        plait_yield();
                plait_scope_cancel(&scope);
                CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
                CHECK_UINT(pipe->n_received + plait_channel_count(pipe->channel), ==, pipe->n_sent);
                plait_channel_free(pipe->channel);
                free(pipe);
        }
}

static int send_last(void *channel)
{
        int item = 1;

        return plait_channel_send(channel, &item, PLAIT_NEVER);
}

TEST(channel_is_freed_by_who_received, .run = in_task)
{
        for (int i = 0; i < rounds(5000); i++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;
                struct plait_channel *channel = NULL;
                int item;

                CHECK_OK(plait_channel_new(sizeof item, (size_t)i % 2, &channel));
                CHECK_OK(plait_scope_go(&scope, send_last, channel));
                CHECK_OK(plait_channel_receive(channel, &item, PLAIT_NEVER));
                plait_channel_free(channel);
                CHECK_OK(plait_scope_join(&scope));
        }
}

/* --- event --- */

struct relay {
        struct plait_event events[TASKS + THREADS];
        int rounds, laps;
};

/* Each waits for his event, clears it and sets the next one's. */
static int run_relay(void *arg)
{
        struct flow *flow = arg;
        struct relay *relay = flow->arg;
        unsigned next = (flow->number + 1) % (TASKS + THREADS);

        for (int i = 0; i < relay->rounds; i++) {
                CHECK_INT(plait_event_wait(&relay->events[flow->number], PLAIT_NEVER), ==, 0);
                plait_event_clear(&relay->events[flow->number]);
                relay->laps += flow->number == 0;
                plait_event_set(&relay->events[next]);
        }
        return 0;
}

TEST(event_goes_round, .run = in_task)
{
        struct relay relay = {.rounds = rounds(500)};

        plait_event_set(&relay.events[0]);
        run_flows(TASKS, THREADS, run_relay, &relay);
        CHECK_INT(relay.laps, ==, relay.rounds);
}

struct signal {
        struct plait_event event;
        int rounds;
        unsigned waiting;
};

/* Sets and clears while others wait with and without deadlines; ends with the event set. */
static int set_or_wait(void *arg)
{
        struct flow *flow = arg;
        struct signal *signal = flow->arg;
        uint32_t random = flow->number;

        if (flow->number < 2) {
                while (__atomic_load_n(&signal->waiting, __ATOMIC_RELAXED)) {
                        plait_event_set(&signal->event);
                        plait_yield();
                        plait_event_clear(&signal->event);
                }
                return 0;
        }
        for (int i = 0; i < signal->rounds; i++) {
                int r = plait_event_wait(&signal->event, some_deadline(&random));

                CHECK(r == 0 || r == -ETIMEDOUT);
        }
        __atomic_sub_fetch(&signal->waiting, 1, __ATOMIC_RELAXED);
        return 0;
}

TEST(event_wakes_all_who_wait, .run = in_task)
{
        struct signal signal = {.rounds = rounds(1000), .waiting = TASKS + THREADS - 2};

        run_flows(TASKS, THREADS, set_or_wait, &signal);
        CHECK_UINT(signal.waiting, ==, 0);
}

static int set(void *event)
{
        plait_event_set(event);
        return 0;
}

TEST(event_is_freed_by_who_waited, .run = in_task)
{
        for (int i = 0; i < rounds(5000); i++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;
                struct plait_event *event = calloc(1, sizeof *event);

                CHECK(event != NULL);
                CHECK_OK(plait_scope_go(&scope, set, event));
                CHECK_INT(plait_event_wait(event, PLAIT_NEVER), ==, 0);
                free(event);
                CHECK_OK(plait_scope_join(&scope));
        }
}

static int wait_for_event(void *event)
{
        return plait_event_wait(event, PLAIT_NEVER);
}

TEST(event_wakes_many_tasks, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_event event = PLAIT_EVENT_INIT;

        for (int i = 0; i < rounds(50000); i++)
                CHECK_OK(plait_scope_go(&scope, wait_for_event, &event));
        plait_yield();
        plait_event_set(&event);
        CHECK_OK(plait_scope_join(&scope));
}
