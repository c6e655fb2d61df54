/* The broadcast: who gets what, both ways to deal with who lags behind, closing, deadlines, cancellation, misuse. */
#include <plait/plait.h>
#include <pthread.h>
#include <signal.h>

#include "api/alone.h"

struct flow {
        struct plait_broadcast *broadcast;
        struct plait_subscriber *subscriber;
        int64_t deadline_ns;
        int item;
        int result; /* 1: still waiting */
};

static int send_one(void *arg)
{
        struct flow *flow = arg;

        flow->result = plait_broadcast_send(flow->broadcast, &flow->item, flow->deadline_ns);
        return 0;
}

static int receive_one(void *arg)
{
        struct flow *flow = arg;

        flow->result = plait_broadcast_receive(flow->subscriber, &flow->item, flow->deadline_ns);
        return 0;
}

static struct plait_broadcast *broadcast_of_int(size_t capacity, enum plait_broadcast_lag lag)
{
        struct plait_broadcast *broadcast = NULL;

        CHECK_OK(plait_broadcast_new(sizeof(int), capacity, lag, &broadcast));
        return broadcast;
}

static void send_now(struct plait_broadcast *broadcast, int item)
{
        CHECK_INT(plait_broadcast_send(broadcast, &item, 0), ==, 0);
}

static int received(struct plait_subscriber *subscriber)
{
        int item = -1;

        CHECK_OK(plait_broadcast_receive(subscriber, &item, 0));
        return item;
}

/* Starts one flow and lets it wait. */
static void start(struct plait_scope *scope, int (*fn)(void *), struct flow *flow)
{
        CHECK_OK(plait_scope_go(scope, fn, flow));
        let_others_run();
        CHECK_INT(flow->result, ==, 1);
}

TEST(broadcast_new_checks_what_it_is_given)
{
        char elsewhere;
        struct plait_broadcast *const untouched = (struct plait_broadcast *)(void *)&elsewhere;
        struct plait_broadcast *broadcast = untouched;

        CHECK_INT(plait_broadcast_new(0, 1, PLAIT_BROADCAST_WAIT, &broadcast), ==, -EINVAL);
        CHECK_INT(plait_broadcast_new(1, 0, PLAIT_BROADCAST_WAIT, &broadcast), ==, -EINVAL);
        CHECK_INT(plait_broadcast_new(1, 1, (enum plait_broadcast_lag)2, &broadcast), ==, -EINVAL);
        CHECK_INT(plait_broadcast_new(1, SIZE_MAX, PLAIT_BROADCAST_WAIT, &broadcast), ==, -ENOMEM);
        CHECK_INT(plait_broadcast_new(SIZE_MAX, 2, PLAIT_BROADCAST_DROP, &broadcast), ==, -ENOMEM);
        CHECK_PTR(broadcast, ==, untouched);
        plait_broadcast_free(NULL);
}

TEST(broadcast_every_subscriber_gets_all_since_he_is_one)
{
        struct plait_broadcast *broadcast = broadcast_of_int(5, PLAIT_BROADCAST_WAIT);
        struct plait_subscriber early, late;
        int item;

        send_now(broadcast, 100); /* to nobody */
        plait_broadcast_subscribe(broadcast, &early);
        CHECK_INT(plait_broadcast_receive(&early, &item, 0), ==, -ETIMEDOUT);
        send_now(broadcast, 0);
        plait_broadcast_subscribe(broadcast, &late);
        CHECK_UINT(plait_broadcast_subscribers(broadcast), ==, 2);
        for (int i = 1; i < 30; i++) {
                send_now(broadcast, i);
                CHECK_INT(received(&early), ==, i - 1);
                CHECK_INT(received(&late), ==, i);
        }
        CHECK_INT(received(&early), ==, 29);
        CHECK_INT(plait_broadcast_try_receive(&early, &item), ==, -EAGAIN);
        CHECK_INT(plait_broadcast_try_receive(&late, &item), ==, -EAGAIN);
        plait_broadcast_unsubscribe(&early);
        plait_broadcast_unsubscribe(&late);
        CHECK_UINT(plait_broadcast_subscribers(broadcast), ==, 0);
        plait_broadcast_free(broadcast);
}

TEST(broadcast_sending_waits_for_the_slowest, .run = alone)
{
        struct plait_broadcast *broadcast = broadcast_of_int(3, PLAIT_BROADCAST_WAIT);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_subscriber fast, slow;
        struct flow senders[2] = {{broadcast, NULL, PLAIT_NEVER, 3, 1}, {broadcast, NULL, PLAIT_NEVER, 4, 1}};

        plait_broadcast_subscribe(broadcast, &fast);
        plait_broadcast_subscribe(broadcast, &slow);
        for (int i = 0; i < 3; i++) {
                send_now(broadcast, i);
                CHECK_INT(received(&fast), ==, i);
        }
        CHECK_INT(plait_broadcast_try_send(broadcast, &(int){3}), ==, -EAGAIN);
        CHECK_INT(plait_broadcast_send(broadcast, &(int){3}, 0), ==, -ETIMEDOUT);
        start(&scope, send_one, &senders[0]);
        start(&scope, send_one, &senders[1]);
        CHECK_INT(received(&slow), ==, 0);
        let_others_run();
        CHECK_INT(senders[0].result, ==, 0);
        CHECK_INT(senders[1].result, ==, 1);
        CHECK_INT(received(&fast), ==, 3);
        CHECK_INT(received(&slow), ==, 1);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(senders[1].result, ==, 0);
        CHECK_INT(received(&fast), ==, 4);
        for (int i = 2; i < 5; i++)
                CHECK_INT(received(&slow), ==, i);
        plait_broadcast_unsubscribe(&fast);
        plait_broadcast_unsubscribe(&slow);
        plait_broadcast_free(broadcast);
}

TEST(broadcast_who_leaves_holds_nobody_up, .run = alone)
{
        struct plait_broadcast *broadcast = broadcast_of_int(2, PLAIT_BROADCAST_WAIT);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_subscriber fast, slow;
        struct flow senders[3];

        plait_broadcast_subscribe(broadcast, &fast);
        plait_broadcast_subscribe(broadcast, &slow);
        for (int i = 0; i < 2; i++)
                send_now(broadcast, i);
        for (int i = 0; i < 3; i++) {
                senders[i] = (struct flow){broadcast, NULL, PLAIT_NEVER, 2 + i, 1};
                start(&scope, send_one, &senders[i]);
        }
        CHECK_INT(received(&fast), ==, 0);
        CHECK_INT(received(&fast), ==, 1);
        let_others_run();
        CHECK_INT(senders[0].result, ==, 1);
        plait_broadcast_unsubscribe(&slow);
        let_others_run();
        CHECK_INT(senders[1].result, ==, 0);
        CHECK_INT(senders[2].result, ==, 1);
        plait_broadcast_unsubscribe(&fast); /* the last sends to nobody */
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(senders[2].result, ==, 0);
        plait_broadcast_free(broadcast);
}

TEST(broadcast_who_lags_behind_is_told_what_he_missed)
{
        struct plait_broadcast *broadcast = broadcast_of_int(3, PLAIT_BROADCAST_DROP);
        struct plait_subscriber subscriber;
        int item = 77;

        plait_broadcast_subscribe(broadcast, &subscriber);
        for (int i = 0; i < 3; i++)
                send_now(broadcast, i);
        CHECK_INT(received(&subscriber), ==, 0);
        for (int i = 3; i < 10; i++)
                CHECK_INT(plait_broadcast_try_send(broadcast, &i), ==, 0);
        CHECK_UINT(plait_broadcast_missed(&subscriber), ==, 0);
        CHECK_INT(plait_broadcast_receive(&subscriber, &item, PLAIT_NEVER), ==, -EOVERFLOW);
        CHECK_INT(item, ==, 77);
        CHECK_UINT(plait_broadcast_missed(&subscriber), ==, 6);
        for (int i = 7; i < 10; i++)
                CHECK_INT(received(&subscriber), ==, i);
        for (int i = 10; i < 14; i++)
                send_now(broadcast, i);
        CHECK_INT(plait_broadcast_try_receive(&subscriber, &item), ==, -EOVERFLOW);
        CHECK_UINT(plait_broadcast_missed(&subscriber), ==, 7);
        CHECK_INT(received(&subscriber), ==, 11);
        plait_broadcast_unsubscribe(&subscriber);
        plait_broadcast_free(broadcast);
}

TEST(broadcast_wakes_all_who_wait, .run = alone)
{
        enum { N = 150 }; /* more than are woken in one go */
        static struct plait_subscriber subscribers[N];
        static struct flow receivers[N];
        struct plait_broadcast *broadcast = broadcast_of_int(1, PLAIT_BROADCAST_WAIT);
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < N; i++) {
                plait_broadcast_subscribe(broadcast, &subscribers[i]);
                receivers[i] = (struct flow){broadcast, &subscribers[i], PLAIT_NEVER, 0, 1};
                CHECK_OK(plait_scope_go(&scope, receive_one, &receivers[i]));
        }
        let_others_run();
        send_now(broadcast, 5);
        CHECK_OK(plait_scope_join(&scope));
        for (int i = 0; i < N; i++) {
                CHECK_INT(receivers[i].result, ==, 0);
                CHECK_INT(receivers[i].item, ==, 5);
                plait_broadcast_unsubscribe(&subscribers[i]);
        }
        plait_broadcast_free(broadcast);
}

TEST(broadcast_message_goes_to_one_of_those_who_share_a_subscriber, .run = alone)
{
        struct plait_broadcast *broadcast = broadcast_of_int(2, PLAIT_BROADCAST_WAIT);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_subscriber shared;
        struct flow one = {broadcast, &shared, PLAIT_NEVER, 0, 1}, two = {broadcast, &shared, PLAIT_NEVER, 0, 1};

        plait_broadcast_subscribe(broadcast, &shared);
        start(&scope, receive_one, &one);
        start(&scope, receive_one, &two);
        send_now(broadcast, 1);
        let_others_run();
        CHECK_INT((one.result == 0) + (two.result == 0), ==, 1);
        send_now(broadcast, 2);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(one.item + two.item, ==, 3);
        plait_broadcast_unsubscribe(&shared);
        plait_broadcast_free(broadcast);
}

TEST(broadcast_closed_gives_what_is_left, .run = alone)
{
        struct plait_broadcast *broadcast = broadcast_of_int(2, PLAIT_BROADCAST_WAIT);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_subscriber slow, fast, late;
        struct flow sender = {broadcast, NULL, PLAIT_NEVER, 3, 1}, receiver = {broadcast, &fast, PLAIT_NEVER, 0, 1};
        int item = 0;

        plait_broadcast_subscribe(broadcast, &slow);
        plait_broadcast_subscribe(broadcast, &fast);
        for (int i = 1; i <= 2; i++) {
                send_now(broadcast, i);
                CHECK_INT(received(&fast), ==, i);
        }
        start(&scope, receive_one, &receiver);
        start(&scope, send_one, &sender);
        plait_broadcast_close(broadcast);
        plait_broadcast_close(broadcast);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(sender.result, ==, -EPIPE);
        CHECK_INT(receiver.result, ==, -EPIPE);
        CHECK_INT(plait_broadcast_send(broadcast, &item, PLAIT_NEVER), ==, -EPIPE);
        CHECK_INT(plait_broadcast_try_send(broadcast, &item), ==, -EPIPE);
        CHECK_INT(received(&slow), ==, 1);
        CHECK_INT(received(&slow), ==, 2);
        CHECK_INT(plait_broadcast_receive(&slow, &item, PLAIT_NEVER), ==, -EPIPE);
        CHECK_INT(plait_broadcast_try_receive(&slow, &item), ==, -EPIPE);
        plait_broadcast_subscribe(broadcast, &late);
        CHECK_INT(plait_broadcast_receive(&late, &item, PLAIT_NEVER), ==, -EPIPE);
        plait_broadcast_unsubscribe(&slow);
        plait_broadcast_unsubscribe(&fast);
        plait_broadcast_unsubscribe(&late);
        plait_broadcast_free(broadcast);
}

TEST(broadcast_waits_of_a_thread_time_out)
{
        struct plait_broadcast *broadcast = broadcast_of_int(1, PLAIT_BROADCAST_WAIT);
        struct plait_subscriber subscriber;
        int item = 7;

        plait_broadcast_subscribe(broadcast, &subscriber);
        CHECK_INT(plait_broadcast_receive(&subscriber, &item, plait_in_ms(5)), ==, -ETIMEDOUT);
        send_now(broadcast, 1);
        CHECK_INT(plait_broadcast_send(broadcast, &item, plait_in_ms(5)), ==, -ETIMEDOUT);
        CHECK_INT(received(&subscriber), ==, 1);
        CHECK_INT(item, ==, 7);
        plait_broadcast_unsubscribe(&subscriber);
        plait_broadcast_free(broadcast);
}

TEST(broadcast_cancelled_waits_take_and_leave_nothing, .run = alone)
{
        struct plait_broadcast *broadcast = broadcast_of_int(1, PLAIT_BROADCAST_WAIT);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_subscriber slow, fast;
        struct flow sender = {broadcast, NULL, PLAIT_NEVER, 2, 1}, receiver = {broadcast, &fast, PLAIT_NEVER, 7, 1};

        plait_broadcast_subscribe(broadcast, &slow);
        plait_broadcast_subscribe(broadcast, &fast);
        send_now(broadcast, 1);
        CHECK_INT(received(&fast), ==, 1);
        start(&scope, receive_one, &receiver);
        start(&scope, send_one, &sender);
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(sender.result, ==, -ECANCELED);
        CHECK_INT(receiver.result, ==, -ECANCELED);
        CHECK_INT(receiver.item, ==, 7);
        CHECK_INT(received(&slow), ==, 1);
        send_now(broadcast, 3);
        CHECK_INT(received(&slow), ==, 3);
        CHECK_INT(received(&fast), ==, 3);
        plait_broadcast_unsubscribe(&slow);
        plait_broadcast_unsubscribe(&fast);
        plait_broadcast_free(broadcast);
}

TEST(broadcast_in_a_cancelled_scope_does_what_needs_no_wait, .run = in_task)
{
        struct plait_broadcast *broadcast = broadcast_of_int(1, PLAIT_BROADCAST_WAIT);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_subscriber subscriber;
        int item = 5;

        plait_broadcast_subscribe(broadcast, &subscriber);
        CHECK_OK(plait_scope_open(&scope));
        plait_scope_cancel(&scope);
        CHECK_INT(plait_broadcast_send(broadcast, &item, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_broadcast_send(broadcast, &item, PLAIT_NEVER), ==, -ECANCELED);
        CHECK_INT(plait_broadcast_receive(&subscriber, &item, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_broadcast_receive(&subscriber, &item, PLAIT_NEVER), ==, -ECANCELED);
        CHECK_INT(plait_broadcast_receive(&subscriber, &item, 0), ==, -ECANCELED);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        plait_broadcast_unsubscribe(&subscriber);
        plait_broadcast_free(broadcast);
}

static void *receive_in_thread(void *arg)
{
        receive_one(arg);
        return NULL;
}

TEST(broadcast_reaches_tasks_and_threads, .run = in_task)
{
        struct plait_broadcast *broadcast = broadcast_of_int(1, PLAIT_BROADCAST_WAIT);
        struct plait_subscriber theirs, mine;
        struct flow receiver = {broadcast, &theirs, PLAIT_NEVER, 0, 1};
        pthread_t thread;

        plait_broadcast_subscribe(broadcast, &theirs);
        plait_broadcast_subscribe(broadcast, &mine);
        CHECK_INT(pthread_create(&thread, NULL, receive_in_thread, &receiver), ==, 0);
        CHECK_OK(plait_broadcast_send(broadcast, &(int){9}, PLAIT_NEVER));
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
        CHECK_INT(receiver.item, ==, 9);
        CHECK_INT(received(&mine), ==, 9);
        plait_broadcast_unsubscribe(&theirs);
        plait_broadcast_unsubscribe(&mine);
        plait_broadcast_free(broadcast);
}

TEST(broadcast_freed_with_subscribers_is_named, .signal = SIGABRT, .stderr_match = "freed while it has subscribers")
{
        struct plait_broadcast *broadcast = broadcast_of_int(1, PLAIT_BROADCAST_WAIT);
        struct plait_subscriber subscriber;

        plait_broadcast_subscribe(broadcast, &subscriber);
        plait_broadcast_free(broadcast);
}

static int unsubscribe_under_receiver(void *broadcast)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_subscriber subscriber;
        struct flow receiver = {broadcast, &subscriber, PLAIT_NEVER, 0, 1};

        plait_broadcast_subscribe(broadcast, &subscriber);
        start(&scope, receive_one, &receiver);
        plait_broadcast_unsubscribe(&subscriber);
        return plait_scope_join(&scope);
}

TEST(broadcast_unsubscribed_under_a_receiver_is_named, .signal = SIGABRT, .stderr_match = "was unsubscribed while")
{
        CHECK_SYS(setenv("PLAIT_WORKERS", "1", 1));
        plait_run(unsubscribe_under_receiver, broadcast_of_int(1, PLAIT_BROADCAST_WAIT), NULL);
}
