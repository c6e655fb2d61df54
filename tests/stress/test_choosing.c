/*
 * plait_select() against itself and against plain operations: tasks and threads, opposite orders, deadlines,
 * cancellations; every item is counted on its way in and on its way out.
 */
#include <plait/plait.h>
#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

#include "stress/flows.h"

enum { CHANNELS = 4, TASKS = 6, THREADS = 2, FLOWS = TASKS + THREADS };

static long rounds(long n)
{
        return n / test_slowness();
}

struct exchange {
        struct plait_channel *channels[CHANNELS];
        struct plait_semaphore permits;
        struct plait_event stop;
        atomic_long sent, received, sum_sent, sum_received, taken, released, busy;
        long rounds;
};

static void open_exchange(struct exchange *x, size_t capacity)
{
        for (int i = 0; i < CHANNELS; i++)
                CHECK_OK(plait_channel_new(sizeof(long), capacity, &x->channels[i]));
}

/* What is left in the channels was sent and not received. */
static void close_exchange(struct exchange *x)
{
        for (int i = 0; i < CHANNELS; i++) {
                long item;

                while (plait_channel_receive(x->channels[i], &item, 0) == 0) {
                        x->received++;
                        x->sum_received += item;
                }
                plait_channel_free(x->channels[i]); /* aborts if somebody is left in a queue */
        }
        CHECK_INT(x->sent, ==, x->received);
        CHECK_INT(x->sum_sent, ==, x->sum_received);
        CHECK_INT(x->released, ==, x->taken + (long)plait_semaphore_count(&x->permits));
        CHECK_INT(x->sent, >, 0);
}

static void sent(struct exchange *x, long item)
{
        atomic_fetch_add(&x->sent, 1);
        atomic_fetch_add(&x->sum_sent, item);
}

static void received(struct exchange *x, long item)
{
        atomic_fetch_add(&x->received, 1);
        atomic_fetch_add(&x->sum_received, item);
}

/*
 * Each flow sends to all channels and receives from all, in an order of its own, and one round in four does one of it
 * without plait_select(). The last one could wait for ever, so everybody has a deadline.
 */
static int exchange_items(void *arg)
{
        const struct flow *flow = arg;
        struct exchange *x = flow->arg;
        uint32_t random = flow->number + 1;

        for (long round = 0; round < x->rounds; round++) {
                struct plait_case cases[2 * CHANNELS + 1];
                long out = round * FLOWS + flow->number, in = 0;
                bool backwards = flow->number % 2;

                for (int i = 0; i < CHANNELS; i++) {
                        struct plait_channel *channel = x->channels[backwards ? CHANNELS - 1 - i : i];

                        cases[2 * i] = plait_case_send(channel, &out);
                        cases[2 * i + 1] = plait_case_receive(channel, &in);
                }
                cases[2 * CHANNELS] = plait_case_acquire(&x->permits);
                if (next_random(&random) % 8 == 0) {
                        CHECK_OK(plait_semaphore_release(&x->permits, 1));
                        atomic_fetch_add(&x->released, 1);
                }

                struct plait_channel *one = x->channels[next_random(&random) % CHANNELS];
                int64_t deadline_ns = plait_in_ns(200000 + next_random(&random) % 64);
                int chosen;

                switch (next_random(&random) % 8) {
                case 0: chosen = plait_channel_send(one, &out, deadline_ns) == 0 ? 0 : -1; break;
                case 1: chosen = plait_channel_receive(one, &in, deadline_ns) == 0 ? 1 : -1; break;
                default: chosen = plait_select(cases, 2 * CHANNELS + 1, deadline_ns); break;
                }
                if (chosen == 2 * CHANNELS)
                        atomic_fetch_add(&x->taken, 1);
                else if (chosen >= 0 && chosen % 2 == 0)
                        sent(x, out);
                else if (chosen >= 0)
                        received(x, in);
        }
        return 0;
}

static void check_exchange(size_t capacity)
{
        struct exchange x = {.rounds = rounds(20000)};

        open_exchange(&x, capacity);
        run_flows(TASKS, THREADS, exchange_items, &x);
        close_exchange(&x);
}

TEST(select_against_select_loses_nothing, .run = in_task, .timeout_ms = 120000)
{
        check_exchange(0);
}

TEST(select_against_select_loses_nothing_with_room, .run = in_task, .timeout_ms = 120000)
{
        check_exchange(2);
}

TEST(select_against_select_loses_nothing_unbounded, .run = in_task, .timeout_ms = 120000)
{
        check_exchange(PLAIT_CHANNEL_UNBOUNDED);
}

/*
 * Two channels, two flows: one sends to A or receives from B, the other the opposite. Nobody has a deadline, so a claim
 * that goes astray stops both.
 */
struct seesaw {
        struct plait_channel *a, *b;
        long a_sent, a_received, b_sent, b_received;
        long rounds;
};

static int swing(void *arg)
{
        const struct flow *flow = arg;
        struct seesaw *s = flow->arg;
        bool left = flow->number == 0;

        for (long round = 0; round < s->rounds; round++) {
                long out = round, in = -1;
                struct plait_case cases[2];
                int to = left ? 0 : 1;

                cases[to] = plait_case_send(left ? s->a : s->b, &out);
                cases[1 - to] = plait_case_receive(left ? s->b : s->a, &in);

                int chosen = plait_select(cases, 2, PLAIT_NEVER);

                CHECK_INT(chosen, >=, 0);
                CHECK_INT(cases[chosen].result, ==, 0);
                if (chosen == to)
                        (*(left ? &s->a_sent : &s->b_sent))++;
                else
                        (*(left ? &s->b_received : &s->a_received))++;
                if (chosen != to)
                        CHECK_INT(in, ==, round); /* both are in the same round */
        }
        return 0;
}

static void check_seesaw(unsigned tasks, unsigned threads)
{
        struct seesaw s = {.rounds = rounds(50000)};

        CHECK_OK(plait_channel_new(sizeof(long), 0, &s.a));
        CHECK_OK(plait_channel_new(sizeof(long), 0, &s.b));
        run_flows(tasks, threads, swing, &s);
        CHECK_INT(s.a_sent, ==, s.a_received);
        CHECK_INT(s.b_sent, ==, s.b_received);
        CHECK_INT(s.a_sent + s.b_sent, ==, s.rounds);
        plait_channel_free(s.a);
        plait_channel_free(s.b);
}

TEST(select_in_opposite_orders_does_not_deadlock, .run = in_task, .timeout_ms = 120000)
{
        check_seesaw(2, 0);
}

TEST(select_of_a_task_and_of_a_thread_do_not_deadlock, .run = in_task, .timeout_ms = 120000)
{
        check_seesaw(1, 1);
}

/* --- cancellation at any moment --- */

static int exchange_until_cancelled(void *arg)
{
        struct exchange *x = arg;

        for (long round = 0;; round++) {
                struct plait_case cases[2 * CHANNELS];
                long out = round, in;

                for (int i = 0; i < CHANNELS; i++) {
                        cases[2 * i] = plait_case_send(x->channels[i], &out);
                        cases[2 * i + 1] = plait_case_receive(x->channels[i], &in);
                }
                int chosen = plait_select(cases, 2 * CHANNELS, PLAIT_NEVER);

                if (chosen < 0) {
                        CHECK_INT(chosen, ==, -ECANCELED);
                        return 0;
                }
                if (chosen % 2 == 0)
                        sent(x, out);
                else
                        received(x, in);
                if (plait_cancelled() < 0)
                        return 0;
        }
}

TEST(select_cancelled_at_any_moment_loses_nothing, .run = in_task, .timeout_ms = 120000)
{
        struct exchange x = {0};

        open_exchange(&x, 0);
        for (long round = 0; round < rounds(300); round++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;

                for (int i = 0; i < TASKS; i++)
                        CHECK_OK(plait_scope_go(&scope, exchange_until_cancelled, &x));
                (void)!plait_sleep(plait_in_ns((round % 16) * 20000));
                plait_scope_cancel(&scope);
                CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        }
        close_exchange(&x);
}

/* --- descriptors among them --- */

struct mixture {
        int ends[2];
        struct plait_channel *channel;
        struct plait_future *done;
        atomic_long from_pipe, from_channel, timeouts;
        long each;
        atomic_uint producers;
};

static int consume(void *arg)
{
        const struct flow *flow = arg;
        struct mixture *m = flow->arg;
        uint32_t random = flow->number + 1;

        for (;;) {
                long item;
                char byte;
                struct plait_case cases[] = {plait_case_fd(m->ends[0], POLLIN), plait_case_receive(m->channel, &item),
                                             plait_case_future(m->done), plait_case_at(some_deadline(&random))};
                int chosen = plait_select(cases, 4, PLAIT_NEVER);

                CHECK_INT(chosen, >=, 0);
                if (chosen == 0 && plait_read(m->ends[0], &byte, 1, 0) == 1)
                        atomic_fetch_add(&m->from_pipe, 1);
                else if (chosen == 1)
                        atomic_fetch_add(&m->from_channel, 1);
                else if (chosen == 3)
                        atomic_fetch_add(&m->timeouts, 1);
                if (chosen == 2 && m->from_pipe == 2 * m->each && m->from_channel == 2 * m->each)
                        return 0;
                if (chosen == 2)
                        plait_yield(); /* who has the last item has yet to count it */
        }
}

static int produce(void *arg)
{
        const struct flow *flow = arg;
        struct mixture *m = flow->arg;

        for (long i = 0; i < m->each; i++) {
                char byte = 'x';

                CHECK_OK(plait_channel_send(m->channel, &i, PLAIT_NEVER));
                CHECK_INT(plait_write(m->ends[1], &byte, 1, PLAIT_NEVER), ==, 1);
        }
        if (atomic_fetch_sub(&m->producers, 1) == 1)
                CHECK_OK(plait_future_set(m->done, 0, NULL));
        return 0;
}

static int produce_or_consume(void *arg)
{
        const struct flow *flow = arg;
        bool produces = flow->number == 0 || flow->number == TASKS; /* a task and a thread */

        return produces ? produce(arg) : consume(arg);
}

TEST(select_over_descriptors_and_channels_loses_nothing, .run = in_task, .timeout_ms = 120000)
{
        struct mixture m = {.each = rounds(3000), .producers = 2};

        CHECK_OK(plait_pipe(m.ends));
        CHECK_OK(plait_channel_new(sizeof(long), 1, &m.channel));
        CHECK_OK(plait_future_new(NULL, &m.done));
        run_flows(TASKS, 2, produce_or_consume, &m);
        CHECK_INT(m.from_pipe, ==, 2 * m.each);
        CHECK_INT(m.from_channel, ==, 2 * m.each);
        plait_future_unref(m.done);
        plait_channel_free(m.channel);
        CHECK_OK(plait_close(m.ends[0]));
        CHECK_OK(plait_close(m.ends[1]));
}
