/* The channel: order, room, meeting, deadlines, cancellation, closing, misuse. */
#include <plait/plait.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "api/alone.h"

struct flow {
        struct plait_channel *channel;
        int64_t deadline_ns;
        int item;
        int result; /* 1: still waiting */
};

static int send_one(void *arg)
{
        struct flow *flow = arg;

        flow->result = plait_channel_send(flow->channel, &flow->item, flow->deadline_ns);
        return 0;
}

static int receive_one(void *arg)
{
        struct flow *flow = arg;

        flow->result = plait_channel_receive(flow->channel, &flow->item, flow->deadline_ns);
        return 0;
}

static struct plait_channel *channel_of_int(size_t capacity)
{
        struct plait_channel *channel = NULL;

        CHECK_OK(plait_channel_new(sizeof(int), capacity, &channel));
        CHECK_UINT(plait_channel_capacity(channel), ==, capacity);
        return channel;
}

static int received(struct plait_channel *channel)
{
        int item = -1;

        CHECK_OK(plait_channel_receive(channel, &item, 0));
        return item;
}

/* Starts one flow and lets it wait. */
static void start(struct plait_scope *scope, int (*fn)(void *), struct flow *flow)
{
        CHECK_OK(plait_scope_go(scope, fn, flow));
        let_others_run();
        CHECK_INT(flow->result, ==, 1);
}

TEST(channel_new_checks_its_sizes)
{
        char elsewhere;
        struct plait_channel *const untouched = (struct plait_channel *)(void *)&elsewhere;
        struct plait_channel *channel = untouched;

        CHECK_INT(plait_channel_new(0, 1, &channel), ==, -EINVAL);
        CHECK_INT(plait_channel_new(SIZE_MAX, 2, &channel), ==, -ENOMEM);
        CHECK_INT(plait_channel_new(1, SIZE_MAX - 1, &channel), ==, -ENOMEM);
        CHECK_PTR(channel, ==, untouched);
        plait_channel_free(NULL);
}

TEST(channel_keeps_order_and_wraps)
{
        struct plait_channel *channel = channel_of_int(3);
        int next = 0;

        for (int i = 0; i < 20; i++) {
                CHECK_OK(plait_channel_send(channel, &i, 0));
                CHECK_UINT(plait_channel_count(channel), ==, (size_t)(i + 1 - next));
                if (i % 3 != 0)
                        CHECK_INT(received(channel), ==, next++);
                while (plait_channel_count(channel) == 3)
                        CHECK_INT(received(channel), ==, next++);
        }
        plait_channel_free(channel);
}

TEST(channel_copies_items_of_any_size)
{
        static const size_t sizes[] = {1, 3, 8, 16, 17, 1000};

        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
                struct plait_channel *channel = NULL;
                char sent[1001], got[1001];

                CHECK_OK(plait_channel_new(sizes[i], 2, &channel));
                memset(got, '?', sizeof got);
                for (size_t n = 0; n < 5; n++) {
                        memset(sent, (int)('a' + n), sizeof sent);
                        CHECK_OK(plait_channel_send(channel, sent, 0));
                        CHECK_OK(plait_channel_receive(channel, got, 0));
                        CHECK_MEM(sent, got, sizes[i]);
                        CHECK_INT(got[sizes[i]], ==, '?');
                }
                plait_channel_free(channel);
        }
}

TEST(channel_full_or_empty_times_out)
{
        struct plait_channel *channel = channel_of_int(1);
        int item = 7;
        int64_t deadline_ns = plait_in_ms(5);

        CHECK_INT(plait_channel_receive(channel, &item, 0), ==, -ETIMEDOUT);
        CHECK_INT(plait_channel_receive(channel, &item, deadline_ns), ==, -ETIMEDOUT);
        CHECK_INT(plait_now_ns(), >=, deadline_ns);
        CHECK_INT(item, ==, 7);
        CHECK_OK(plait_channel_send(channel, &item, 0));
        CHECK_INT(plait_channel_send(channel, &item, 0), ==, -ETIMEDOUT);
        CHECK_INT(plait_channel_send(channel, &item, plait_in_ms(5)), ==, -ETIMEDOUT);
        CHECK_UINT(plait_channel_count(channel), ==, 1);
        plait_channel_free(channel);
}

TEST(channel_without_room_needs_a_receiver, .run = alone)
{
        struct plait_channel *channel = channel_of_int(0);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow sender = {channel, PLAIT_NEVER, 42, 1};

        CHECK_INT(plait_channel_send(channel, &sender.item, 0), ==, -ETIMEDOUT);
        start(&scope, send_one, &sender);
        CHECK_UINT(plait_channel_count(channel), ==, 0);
        CHECK_INT(received(channel), ==, 42);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(sender.result, ==, 0);
        plait_channel_free(channel);
}

TEST(channel_hands_items_to_receivers_in_order, .run = alone)
{
        enum { N = 5 };
        struct plait_channel *channel = channel_of_int(2);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow receivers[N];

        for (int i = 0; i < N; i++) {
                receivers[i] = (struct flow){channel, PLAIT_NEVER, -1, 1};
                start(&scope, receive_one, &receivers[i]);
        }
        for (int i = 0; i < N; i++)
                CHECK_OK(plait_channel_send(channel, &i, 0));
        CHECK_UINT(plait_channel_count(channel), ==, 0);
        CHECK_OK(plait_scope_join(&scope));
        for (int i = 0; i < N; i++)
                CHECK_INT(receivers[i].item, ==, i);
        plait_channel_free(channel);
}

TEST(channel_serves_senders_in_order, .run = alone)
{
        enum { N = 5 };
        struct plait_channel *channel = channel_of_int(2);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow senders[N];

        for (int i = 0; i < 2; i++)
                CHECK_OK(plait_channel_send(channel, &i, 0));
        for (int i = 0; i < N; i++) {
                senders[i] = (struct flow){channel, PLAIT_NEVER, i + 2, 1};
                start(&scope, send_one, &senders[i]);
        }
        for (int i = 0; i < N + 2; i++)
                CHECK_INT(received(channel), ==, i);
        CHECK_OK(plait_scope_join(&scope));
        for (int i = 0; i < N; i++)
                CHECK_INT(senders[i].result, ==, 0);
        plait_channel_free(channel);
}

TEST(channel_cancelled_sender_sends_nothing, .run = alone)
{
        struct plait_channel *channel = channel_of_int(0);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow sender = {channel, PLAIT_NEVER, 42, 1};
        int item;

        start(&scope, send_one, &sender);
        plait_scope_cancel(&scope);
        CHECK_INT(plait_channel_receive(channel, &item, 0), ==, -ECANCELED); /* the caller is inside, too */
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(sender.result, ==, -ECANCELED);
        CHECK_INT(plait_channel_receive(channel, &item, 0), ==, -ETIMEDOUT);
        plait_channel_free(channel);
}

TEST(channel_receipt_before_cancellation_counts, .run = alone)
{
        struct plait_channel *channel = channel_of_int(1);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow receiver = {channel, PLAIT_NEVER, -1, 1};
        int item = 42;

        start(&scope, receive_one, &receiver);
        CHECK_OK(plait_channel_send(channel, &item, 0));
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(receiver.result, ==, 0);
        CHECK_INT(receiver.item, ==, 42);
        plait_channel_free(channel);
}

TEST(channel_item_goes_past_a_cancelled_receiver, .run = alone)
{
        struct plait_channel *channel = channel_of_int(1);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow receiver = {channel, PLAIT_NEVER, -1, 1};
        int item = 42;

        start(&scope, receive_one, &receiver);
        plait_scope_cancel(&scope);
        CHECK_OK(plait_channel_send(channel, &item, 0)); /* it is still in the queue */
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(receiver.result, ==, -ECANCELED);
        CHECK_INT(receiver.item, ==, -1);
        CHECK_INT(received(channel), ==, 42);
        plait_channel_free(channel);
}

TEST(channel_timed_out_waiters_leave_nothing_behind, .run = alone)
{
        struct plait_channel *channel = channel_of_int(1);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow flow = {channel, plait_in_ms(5), 1, 1};
        int item = 2;

        CHECK_OK(plait_scope_go(&scope, receive_one, &flow));
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(flow.result, ==, -ETIMEDOUT);
        CHECK_OK(plait_channel_send(channel, &item, 0));
        scope = (struct plait_scope)PLAIT_SCOPE_INIT;
        flow = (struct flow){channel, plait_in_ms(5), 1, 1};
        CHECK_OK(plait_scope_go(&scope, send_one, &flow));
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(flow.result, ==, -ETIMEDOUT);
        CHECK_INT(received(channel), ==, 2);
        CHECK_UINT(plait_channel_count(channel), ==, 0);
        plait_channel_free(channel);
}

TEST(channel_closed_is_drained_before_the_end)
{
        struct plait_channel *channel = channel_of_int(4);
        int item = 99;

        for (int i = 0; i < 3; i++)
                CHECK_OK(plait_channel_send(channel, &i, 0));
        plait_channel_close(channel);
        plait_channel_close(channel);
        CHECK_INT(plait_channel_send(channel, &item, PLAIT_NEVER), ==, -EPIPE);
        for (int i = 0; i < 3; i++)
                CHECK_INT(received(channel), ==, i);
        CHECK_INT(plait_channel_receive(channel, &item, PLAIT_NEVER), ==, -EPIPE);
        CHECK_INT(plait_channel_receive(channel, &item, 0), ==, -EPIPE);
        CHECK_INT(item, ==, 99);
        plait_channel_free(channel);
}

TEST(channel_close_wakes_receivers, .run = alone)
{
        enum { N = 100 }; /* more than are woken in one go */
        struct plait_channel *channel = channel_of_int(1);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow receivers[N];

        for (int i = 0; i < N; i++) {
                receivers[i] = (struct flow){channel, PLAIT_NEVER, -1, 1};
                start(&scope, receive_one, &receivers[i]);
        }
        plait_channel_close(channel);
        CHECK_OK(plait_scope_join(&scope));
        for (int i = 0; i < N; i++)
                CHECK_INT(receivers[i].result, ==, -EPIPE);
        plait_channel_free(channel);
}

TEST(channel_close_turns_senders_away, .run = alone)
{
        struct plait_channel *channel = channel_of_int(1);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow senders[3];
        int item = 0;

        CHECK_OK(plait_channel_send(channel, &item, 0));
        for (int i = 0; i < 3; i++) {
                senders[i] = (struct flow){channel, PLAIT_NEVER, i + 1, 1};
                start(&scope, send_one, &senders[i]);
        }
        plait_channel_close(channel);
        CHECK_OK(plait_scope_join(&scope));
        for (int i = 0; i < 3; i++)
                CHECK_INT(senders[i].result, ==, -EPIPE);
        CHECK_INT(received(channel), ==, 0);
        CHECK_INT(plait_channel_receive(channel, &item, 0), ==, -EPIPE);
        plait_channel_free(channel);
}

TEST(channel_may_be_freed_with_items)
{
        struct plait_channel *channel = channel_of_int(2);
        int item = 1;

        CHECK_OK(plait_channel_send(channel, &item, 0));
        plait_channel_free(channel);
}

TEST(channel_freed_while_somebody_waits_is_named, .run = alone, .signal = SIGABRT,
     .stderr_match = "channel .* was freed while somebody waits to receive")
{
        struct plait_channel *channel = channel_of_int(2);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow receiver = {channel, PLAIT_NEVER, -1, 1};

        start(&scope, receive_one, &receiver);
        plait_channel_free(channel);
}

static void *send_in_thread(void *arg)
{
        send_one(arg);
        return NULL;
}

TEST(channel_thread_sends_to_a_task, .run = in_task)
{
        struct plait_channel *channel = channel_of_int(0);
        struct flow sender = {channel, PLAIT_NEVER, 42, 1};
        pthread_t thread;
        int item = -1;

        CHECK_INT(pthread_create(&thread, NULL, send_in_thread, &sender), ==, 0);
        CHECK_OK(plait_channel_receive(channel, &item, PLAIT_NEVER));
        CHECK_INT(item, ==, 42);
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
        CHECK_INT(sender.result, ==, 0);
        plait_channel_free(channel);
}

TEST(channel_try_variants_never_wait)
{
        struct plait_channel *channel = channel_of_int(2);
        int item = 1;

        CHECK_INT(plait_channel_try_receive(channel, &item), ==, -EAGAIN);
        CHECK_INT(item, ==, 1);
        CHECK_INT(plait_channel_try_send(channel, &(int){10}), ==, 0);
        CHECK_INT(plait_channel_try_send(channel, &(int){11}), ==, 0);
        CHECK_INT(plait_channel_try_send(channel, &(int){12}), ==, -EAGAIN);
        CHECK_INT(plait_channel_try_receive(channel, &item), ==, 0);
        CHECK_INT(item, ==, 10);
        plait_channel_close(channel);
        CHECK_INT(plait_channel_try_send(channel, &item), ==, -EPIPE);
        CHECK_INT(plait_channel_try_receive(channel, &item), ==, 0);
        CHECK_INT(item, ==, 11);
        CHECK_INT(plait_channel_try_receive(channel, &item), ==, -EPIPE);
        CHECK_INT(item, ==, 11);
        plait_channel_free(channel);
}

/* In a cancelled scope, too: it is no wait. */
TEST(channel_try_variants_meet_who_waits, .run = alone)
{
        struct plait_channel *channel = channel_of_int(0);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow sender = {channel, PLAIT_NEVER, 7, 1}, receiver = {channel, PLAIT_NEVER, 0, 1};
        int item = 0;

        CHECK_INT(plait_channel_try_send(channel, &item), ==, -EAGAIN);
        start(&scope, send_one, &sender);
        CHECK_INT(plait_channel_try_receive(channel, &item), ==, 0);
        CHECK_INT(item, ==, 7);
        let_others_run();
        CHECK_INT(sender.result, ==, 0);
        start(&scope, receive_one, &receiver);
        CHECK_INT(plait_channel_try_send(channel, &(int){8}), ==, 0);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(receiver.item, ==, 8);
        plait_channel_free(channel);
}

TEST(channel_unbounded_takes_all_and_keeps_order)
{
        enum { N = 300000 };
        struct plait_channel *channel = channel_of_int(PLAIT_CHANNEL_UNBOUNDED);
        int sent = 0, next = 0;

        for (int round = 0; round < 3; round++) {
                for (int i = 0; i < 7; i++) /* so that the ring wraps before it grows */
                        CHECK_OK(plait_channel_send(channel, &(int){sent++}, 0));
                for (int i = 0; i < 5; i++)
                        CHECK_INT(received(channel), ==, next++);
                for (int i = 0; i < N; i++)
                        CHECK_OK(plait_channel_try_send(channel, &(int){sent++}));
                CHECK_UINT(plait_channel_count(channel), ==, (size_t)(sent - next));
                while (next < sent)
                        CHECK_INT(received(channel), ==, next++);
                CHECK_UINT(plait_channel_count(channel), ==, 0);
        }
        CHECK_OK(plait_channel_send(channel, &(int){1}, 0));
        plait_channel_close(channel);
        CHECK_INT(plait_channel_send(channel, &(int){2}, 0), ==, -EPIPE);
        CHECK_INT(received(channel), ==, 1);
        CHECK_INT(plait_channel_receive(channel, &sent, PLAIT_NEVER), ==, -EPIPE);
        plait_channel_free(channel);
}

TEST(channel_unbounded_is_freed_with_what_is_in_it)
{
        struct plait_channel *channel = channel_of_int(PLAIT_CHANNEL_UNBOUNDED);

        for (int i = 0; i < 100; i++)
                CHECK_OK(plait_channel_send(channel, &i, 0));
        plait_channel_free(channel);
}

TEST(channel_unbounded_tells_when_there_is_no_memory)
{
        struct plait_channel *channel = NULL;
        static char item;

        CHECK_OK(plait_channel_new(SIZE_MAX / 2, PLAIT_CHANNEL_UNBOUNDED, &channel));
        CHECK_INT(plait_channel_send(channel, &item, PLAIT_NEVER), ==, -ENOMEM);
        CHECK_INT(plait_channel_try_send(channel, &item), ==, -ENOMEM);
        CHECK_UINT(plait_channel_count(channel), ==, 0);
        plait_channel_free(channel);
}

TEST(channel_unbounded_hands_over_to_who_waits, .run = alone)
{
        struct plait_channel *channel = channel_of_int(PLAIT_CHANNEL_UNBOUNDED);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct flow receiver = {channel, PLAIT_NEVER, 0, 1};

        start(&scope, receive_one, &receiver);
        CHECK_OK(plait_channel_send(channel, &(int){5}, 0));
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(receiver.item, ==, 5);
        plait_channel_free(channel);
}
