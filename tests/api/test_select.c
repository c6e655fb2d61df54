/* plait_select(): each kind of case, fairness, exactly one, deadlines, cancellation, tasks and threads. */
#include <fcntl.h>
#include <plait/plait.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/alone.h"

static struct plait_channel *new_channel(size_t capacity)
{
        struct plait_channel *channel;

        CHECK_OK(plait_channel_new(sizeof(int), capacity, &channel));
        return channel;
}

static struct plait_future *new_future(void)
{
        struct plait_future *future;

        CHECK_OK(plait_future_new(NULL, &future));
        return future;
}

static void send_now(struct plait_channel *channel, int item)
{
        CHECK_OK(plait_channel_send(channel, &item, 0));
}

/* A select in another task or thread. */
struct selecting {
        struct plait_case *cases;
        size_t count;
        int64_t deadline_ns;
        int chosen; /* -1000: it has not returned */
};

static int do_select(void *arg)
{
        struct selecting *s = arg;

        s->chosen = plait_select(s->cases, s->count, s->deadline_ns);
        return 0;
}

static void *select_in_thread(void *arg)
{
        (void)do_select(arg);
        return NULL;
}

#define SELECTING(cases_)                                                                               \
        {                                                                                               \
                .cases = cases_, .count = sizeof cases_ / sizeof cases_[0], .deadline_ns = PLAIT_NEVER, \
                .chosen = -1000                                                                         \
        }

/* --- nothing to wait for --- */

TEST(select_without_cases_waits_for_its_deadline)
{
        struct plait_case none[2] = {{0}};
        int64_t deadline_ns = plait_in_ms(5);

        CHECK_INT(plait_select(NULL, 0, 0), ==, -ETIMEDOUT);
        CHECK_INT(plait_select(none, 2, 0), ==, -ETIMEDOUT);
        CHECK_INT(plait_select(none, 2, deadline_ns), ==, -ETIMEDOUT);
        CHECK_INT(plait_now_ns(), >=, deadline_ns);
        CHECK_INT(plait_select(none, (size_t)PLAIT_SELECT_MAX + 1, 0), ==, -EINVAL);
}

TEST(select_without_cases_waits_for_its_deadline_in_a_task, .run = in_task)
{
        struct plait_case none = {0};
        int64_t deadline_ns = plait_in_ms(5);

        CHECK_INT(plait_select(&none, 1, deadline_ns), ==, -ETIMEDOUT);
        CHECK_INT(plait_now_ns(), >=, deadline_ns);
}

/* --- channels --- */

TEST(select_receives_what_is_there)
{
        struct plait_channel *empty = new_channel(1), *full = new_channel(1);
        int a = -1, b = -1;
        struct plait_case cases[] = {plait_case_receive(empty, &a), plait_case_receive(full, &b)};

        send_now(full, 7);
        CHECK_INT(plait_select(cases, 2, 0), ==, 1);
        CHECK_INT(cases[1].result, ==, 0);
        CHECK_INT(b, ==, 7);
        CHECK_INT(a, ==, -1);
        CHECK_INT(plait_select(cases, 2, 0), ==, -ETIMEDOUT);
        plait_channel_free(empty);
        plait_channel_free(full);
}

TEST(select_sends_where_there_is_room)
{
        struct plait_channel *full = new_channel(1), *roomy = new_channel(2);
        int a = 1, b = 2, item;
        struct plait_case cases[] = {plait_case_send(full, &a), plait_case_send(roomy, &b)};

        send_now(full, 0);
        CHECK_INT(plait_select(cases, 2, PLAIT_NEVER), ==, 1);
        CHECK_INT(plait_select(cases, 2, PLAIT_NEVER), ==, 1);
        CHECK_INT(plait_select(cases, 2, 0), ==, -ETIMEDOUT);
        CHECK_UINT(plait_channel_count(roomy), ==, 2);
        CHECK_UINT(plait_channel_count(full), ==, 1);
        CHECK_OK(plait_channel_receive(roomy, &item, 0));
        CHECK_INT(item, ==, 2);
        plait_channel_free(full);
        plait_channel_free(roomy);
}

TEST(select_sends_to_an_unbounded_channel)
{
        struct plait_channel *channel = new_channel(PLAIT_CHANNEL_UNBOUNDED);
        int item = 0;
        struct plait_case to = plait_case_send(channel, &item), from = plait_case_receive(channel, &item);

        for (item = 0; item < 100000; item++)
                CHECK_INT(plait_select(&to, 1, 0), ==, 0);
        for (int i = 0; i < 100000; i++) {
                CHECK_INT(plait_select(&from, 1, 0), ==, 0);
                CHECK_INT(item, ==, i);
        }
        CHECK_INT(plait_select(&from, 1, 0), ==, -ETIMEDOUT);
        plait_channel_free(channel);
}

TEST(select_finds_closed_channels_ready)
{
        struct plait_channel *channel = new_channel(2);
        int item = 3, got = 0;
        struct plait_case to = plait_case_send(channel, &item), from = plait_case_receive(channel, &got);

        send_now(channel, 3);
        plait_channel_close(channel);
        CHECK_INT(plait_select(&to, 1, PLAIT_NEVER), ==, 0);
        CHECK_INT(to.result, ==, -EPIPE);
        CHECK_INT(plait_select(&from, 1, PLAIT_NEVER), ==, 0);
        CHECK_INT(from.result, ==, 0);
        CHECK_INT(got, ==, 3);
        CHECK_INT(plait_select(&from, 1, PLAIT_NEVER), ==, 0);
        CHECK_INT(from.result, ==, -EPIPE);
        plait_channel_free(channel);
}

TEST(select_picks_at_random_among_the_ready)
{
        enum { N = 8, ROUNDS = 8000 };
        struct plait_channel *channels[N];
        struct plait_case cases[N];
        int item, chosen[N] = {0};

        for (int i = 0; i < N; i++) {
                channels[i] = new_channel(1);
                cases[i] = plait_case_receive(channels[i], &item);
                send_now(channels[i], i);
        }
        for (int round = 0; round < ROUNDS; round++) {
                int i = plait_select(cases, N, 0);

                CHECK_INT(i, >=, 0);
                CHECK_INT(item, ==, i);
                chosen[i]++;
                send_now(channels[i], i);
        }
        /* 1,000 each on average; a deviation of 300 has a probability far below 10^-20. */
        for (int i = 0; i < N; i++) {
                CHECK_INT(chosen[i], >, 700);
                CHECK_INT(chosen[i], <, 1300);
                plait_channel_free(channels[i]);
        }
}

TEST(select_waiting_to_receive_takes_one_item, .run = alone)
{
        struct plait_channel *a = new_channel(0), *b = new_channel(1);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int from_a = -1, from_b = -1;
        struct plait_case cases[] = {plait_case_receive(a, &from_a), plait_case_receive(b, &from_b)};
        struct selecting s = SELECTING(cases);

        CHECK_OK(plait_scope_go(&scope, do_select, &s));
        let_others_run();
        CHECK_INT(s.chosen, ==, -1000);
        send_now(a, 5); /* it is claimed, and cannot take the next one */
        send_now(b, 6);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(s.chosen, ==, 0);
        CHECK_INT(from_a, ==, 5);
        CHECK_INT(from_b, ==, -1);
        CHECK_UINT(plait_channel_count(b), ==, 1);
        plait_channel_free(a); /* would abort if anybody were in its queue */
        plait_channel_free(b);
}

TEST(select_waiting_to_send_gives_one_item, .run = alone)
{
        struct plait_channel *a = new_channel(0), *b = new_channel(0);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int to_a = 5, to_b = 6, item = -1;
        struct plait_case cases[] = {plait_case_send(a, &to_a), plait_case_send(b, &to_b)};
        struct selecting s = SELECTING(cases);

        CHECK_OK(plait_scope_go(&scope, do_select, &s));
        let_others_run();
        CHECK_OK(plait_channel_receive(b, &item, 0));
        CHECK_INT(item, ==, 6);
        CHECK_INT(plait_channel_receive(a, &item, 0), ==, -ETIMEDOUT);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(s.chosen, ==, 1);
        plait_channel_free(a);
        plait_channel_free(b);
}

TEST(select_does_not_meet_itself, .run = alone)
{
        struct plait_channel *channel = new_channel(0);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int out = 4, in = -1, item = -1;
        struct plait_case cases[] = {plait_case_send(channel, &out), plait_case_receive(channel, &in),
                                     plait_case_receive(channel, &in)};
        struct selecting s = SELECTING(cases);

        CHECK_INT(plait_select(cases, 3, 0), ==, -ETIMEDOUT);
        CHECK_OK(plait_scope_go(&scope, do_select, &s));
        let_others_run();
        CHECK_INT(s.chosen, ==, -1000);
        CHECK_OK(plait_channel_receive(channel, &item, 0));
        CHECK_INT(item, ==, 4);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(s.chosen, ==, 0);
        plait_channel_free(channel);
}

TEST(select_on_both_sides_is_woken_by_close, .run = alone)
{
        struct plait_channel *channel = new_channel(0);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int out = 4, in = -1;
        struct plait_case cases[] = {plait_case_send(channel, &out), plait_case_receive(channel, &in)};
        struct selecting s = SELECTING(cases);

        CHECK_OK(plait_scope_go(&scope, do_select, &s));
        let_others_run();
        plait_channel_close(channel);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(s.chosen, >=, 0);
        CHECK_INT(cases[s.chosen].result, ==, -EPIPE);
        plait_channel_free(channel);
}

TEST(select_meets_select, .run = alone)
{
        struct plait_channel *a = new_channel(0), *b = new_channel(0);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int to_a = 1, from_b = -1, to_b = 2, from_a = -1;
        struct plait_case one[] = {plait_case_send(a, &to_a), plait_case_receive(b, &from_b)};
        struct plait_case two[] = {plait_case_send(b, &to_b), plait_case_receive(a, &from_a)};
        struct selecting first = SELECTING(one), second = SELECTING(two);

        CHECK_OK(plait_scope_go(&scope, do_select, &first));
        let_others_run();
        CHECK_OK(plait_scope_go(&scope, do_select, &second));
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(first.chosen, ==, 1 - second.chosen);
        CHECK_INT(from_a, ==, first.chosen == 0 ? 1 : -1);
        CHECK_INT(from_b, ==, first.chosen == 0 ? -1 : 2);
        plait_channel_free(a);
        plait_channel_free(b);
}

/* --- events, semaphores, futures --- */

TEST(select_event_happens_while_it_is_set)
{
        struct plait_event event = PLAIT_EVENT_INIT;
        struct plait_case cases[] = {plait_case_event(&event)};

        CHECK_INT(plait_select(cases, 1, 0), ==, -ETIMEDOUT);
        plait_event_set(&event);
        CHECK_INT(plait_select(cases, 1, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_select(cases, 1, PLAIT_NEVER), ==, 0);
        CHECK_INT(cases[0].result, ==, 0);
        plait_event_clear(&event);
        CHECK_INT(plait_select(cases, 1, 0), ==, -ETIMEDOUT);
}

TEST(select_event_set_and_cleared_meanwhile_happens, .run = alone)
{
        struct plait_event event = PLAIT_EVENT_INIT, other = PLAIT_EVENT_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_case cases[] = {plait_case_event(&other), plait_case_event(&event)};
        struct selecting s = SELECTING(cases);

        CHECK_OK(plait_scope_go(&scope, do_select, &s));
        let_others_run();
        plait_event_set(&event);
        plait_event_clear(&event);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(s.chosen, ==, 1);
        plait_event_set(&other); /* nobody is in its queue */
}

TEST(select_takes_one_permit, .run = alone)
{
        struct plait_semaphore a = {0}, b = {0};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_case cases[] = {plait_case_acquire(&a), plait_case_acquire(&b)};
        struct selecting s = SELECTING(cases);

        CHECK_OK(plait_scope_go(&scope, do_select, &s));
        let_others_run();
        CHECK_OK(plait_semaphore_release(&b, 1));
        CHECK_OK(plait_semaphore_release(&a, 1));
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(s.chosen, ==, 1);
        CHECK_UINT(plait_semaphore_count(&a), ==, 1);
        CHECK_UINT(plait_semaphore_count(&b), ==, 0);
        CHECK_INT(plait_select(cases, 2, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_select(cases, 2, 0), ==, -ETIMEDOUT);
        CHECK_UINT(plait_semaphore_count(&a), ==, 0);
}

TEST(select_timed_out_leaves_permits_to_others, .run = alone)
{
        struct plait_semaphore semaphore = {0};
        struct plait_case cases[] = {plait_case_acquire(&semaphore)};

        CHECK_INT(plait_select(cases, 1, plait_in_ms(2)), ==, -ETIMEDOUT);
        CHECK_OK(plait_semaphore_release(&semaphore, 1));
        CHECK_OK(plait_semaphore_try_acquire(&semaphore));
}

TEST(select_future_has_its_result, .run = alone)
{
        struct plait_future *a = new_future(), *b = new_future();
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_case cases[] = {plait_case_future(a), plait_case_future(b)};
        struct selecting s = SELECTING(cases);

        CHECK_INT(plait_select(cases, 2, 0), ==, -ETIMEDOUT);
        CHECK_OK(plait_scope_go(&scope, do_select, &s));
        let_others_run();
        CHECK_OK(plait_future_set(b, -EIO, NULL));
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(s.chosen, ==, 1);
        CHECK_INT(cases[1].result, ==, -EIO);
        CHECK_OK(plait_future_set(a, 9, NULL));
        cases[1] = (struct plait_case){0};
        CHECK_INT(plait_select(cases, 2, 0), ==, 0);
        CHECK_INT(cases[0].result, ==, 9);
        plait_future_unref(a);
        plait_future_unref(b);
}

/* --- time --- */

static void check_times(void)
{
        int64_t at_ns = plait_in_ms(4);
        struct plait_case cases[] = {plait_case_at(PLAIT_NEVER), plait_case_at(plait_in_s(1000)), plait_case_at(at_ns)};

        CHECK_INT(plait_select(cases, 2, 0), ==, -ETIMEDOUT);
        CHECK_INT(plait_select(cases, 3, PLAIT_NEVER), ==, 2);
        CHECK_INT(plait_now_ns(), >=, at_ns);
        CHECK_INT(cases[2].result, ==, 0);
        CHECK_INT(plait_select(cases, 3, 0), ==, 2);
        CHECK_INT(plait_select(cases, 2, plait_in_ms(2)), ==, -ETIMEDOUT);
}

TEST(select_time_comes)
{
        check_times();
}

TEST(select_time_comes_in_a_task, .run = in_task)
{
        check_times();
}

/* --- descriptors --- */

static void check_descriptors(void)
{
        int ends[2], file = CHECK_SYS(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
        char byte = 'x';

        CHECK_OK(plait_pipe(ends));
        struct plait_case cases[] = {plait_case_fd(ends[0], POLLIN), plait_case_fd(-1, POLLIN)};
        struct plait_case writable = plait_case_fd(ends[1], POLLOUT), always = plait_case_fd(file, POLLIN);

        CHECK_INT(plait_select(cases, 2, 0), ==, -ETIMEDOUT);
        CHECK_INT(plait_select(cases, 2, plait_in_ms(2)), ==, -ETIMEDOUT);
        CHECK_INT(plait_select(&writable, 1, PLAIT_NEVER), ==, 0);
        CHECK_INT(writable.result, ==, POLLOUT);
        CHECK_INT(plait_select(&always, 1, PLAIT_NEVER), ==, 0);
        CHECK_INT(always.result, ==, POLLIN);
        CHECK_INT(plait_write(ends[1], &byte, 1, 0), ==, 1);
        CHECK_INT(plait_select(cases, 2, PLAIT_NEVER), ==, 0);
        CHECK_INT(cases[0].result, ==, POLLIN);
        CHECK_INT(plait_read(ends[0], &byte, 1, 0), ==, 1);
        CHECK_INT(plait_select(cases, 2, 0), ==, -ETIMEDOUT);
        CHECK_OK(plait_close(ends[1]));
        CHECK_INT(plait_select(cases, 2, PLAIT_NEVER), ==, 0);
        CHECK(cases[0].result & POLLHUP);
        CHECK_OK(plait_close(ends[0]));
        CHECK_INT(plait_select(cases, 2, PLAIT_NEVER), ==, 0);
        CHECK_INT(cases[0].result, ==, -EBADF);
        close(file);
}

TEST(select_descriptor_is_ready)
{
        check_descriptors();
}

TEST(select_descriptor_is_ready_in_a_task, .run = in_task)
{
        check_descriptors();
}

struct pipe_and_more {
        int ends[2];
        struct plait_channel *channel;
        struct plait_semaphore semaphore;
        int item;
        struct plait_case cases[3];
        struct selecting selecting;
};

static void set_up(struct pipe_and_more *p, bool owned)
{
        if (owned)
                CHECK_OK(plait_pipe(p->ends));
        else
                CHECK_SYS(pipe2(p->ends, O_CLOEXEC));
        p->channel = new_channel(0);
        p->cases[0] = plait_case_fd(p->ends[0], POLLIN);
        p->cases[1] = plait_case_receive(p->channel, &p->item);
        p->cases[2] = plait_case_acquire(&p->semaphore);
        p->selecting = (struct selecting){p->cases, 3, PLAIT_NEVER, -1000};
}

static void tear_down(struct pipe_and_more *p)
{
        CHECK_OK(plait_close(p->ends[0]));
        CHECK_OK(plait_close(p->ends[1]));
        plait_channel_free(p->channel);
}

static void check_mixed(bool owned)
{
        struct pipe_and_more p = {.item = -1};
        char byte = 'x';

        set_up(&p, owned);
        for (int i = 0; i < 6; i++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;

                p.selecting.chosen = -1000;
                CHECK_OK(plait_scope_go(&scope, do_select, &p.selecting));
                let_others_run();
                CHECK_INT(p.selecting.chosen, ==, -1000);
                if (i % 3 == 0)
                        CHECK_INT(write(p.ends[1], &byte, 1), ==, 1);
                else if (i % 3 == 1)
                        send_now(p.channel, i);
                else
                        CHECK_OK(plait_semaphore_release(&p.semaphore, 1));
                CHECK_OK(plait_scope_join(&scope));
                CHECK_INT(p.selecting.chosen, ==, i % 3);
                if (i % 3 == 0)
                        CHECK_INT(read(p.ends[0], &byte, 1), ==, 1);
                else if (i % 3 == 1)
                        CHECK_INT(p.item, ==, i);
                else
                        CHECK_UINT(plait_semaphore_count(&p.semaphore), ==, 0);
        }
        tear_down(&p);
}

TEST(select_waits_for_a_descriptor_and_others, .run = alone)
{
        check_mixed(true);
}

TEST(select_waits_for_a_foreign_descriptor_and_others, .run = alone)
{
        check_mixed(false);
}

TEST(select_tells_of_a_descriptor_closed_meanwhile, .run = alone)
{
        struct pipe_and_more p = {.item = -1};
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        set_up(&p, true);
        CHECK_OK(plait_scope_go(&scope, do_select, &p.selecting));
        let_others_run();
        CHECK_OK(plait_close(p.ends[0]));
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(p.selecting.chosen, ==, 0);
        CHECK_INT(p.cases[0].result, ==, -EBADF);
        CHECK_OK(plait_close(p.ends[1]));
        plait_channel_free(p.channel);
}

/* --- cancellation --- */

TEST(select_ends_with_its_scope, .run = alone)
{
        struct pipe_and_more p = {.item = -1};
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        set_up(&p, true);
        CHECK_OK(plait_scope_go(&scope, do_select, &p.selecting));
        let_others_run();
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(p.selecting.chosen, ==, -ECANCELED);
        CHECK_OK(plait_semaphore_release(&p.semaphore, 1));
        CHECK_UINT(plait_semaphore_count(&p.semaphore), ==, 1);
        tear_down(&p);
}

TEST(select_case_that_happened_beats_cancellation, .run = alone)
{
        struct plait_semaphore semaphore = {0};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_case cases[] = {plait_case_acquire(&semaphore)};
        struct selecting s = SELECTING(cases);

        CHECK_OK(plait_scope_go(&scope, do_select, &s));
        let_others_run();
        CHECK_OK(plait_semaphore_release(&semaphore, 1));
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(s.chosen, ==, 0);
        CHECK_UINT(plait_semaphore_count(&semaphore), ==, 0);
}

TEST(select_in_a_cancelled_scope_takes_what_is_ready, .run = in_task)
{
        struct plait_semaphore semaphore = PLAIT_SEMAPHORE_INIT(1);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_case cases[] = {plait_case_acquire(&semaphore)};

        CHECK_OK(plait_scope_open(&scope));
        plait_scope_cancel(&scope);
        CHECK_INT(plait_select(cases, 1, PLAIT_NEVER), ==, 0);
        CHECK_INT(plait_select(cases, 1, PLAIT_NEVER), ==, -ECANCELED);
        CHECK_INT(plait_select(cases, 1, 0), ==, -ECANCELED);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
}

TEST(select_ends_with_its_scopes_deadline, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_case cases[] = {plait_case_at(plait_in_s(1000))};

        scope.deadline_ns = plait_in_ms(3);
        CHECK_OK(plait_scope_open(&scope));
        CHECK_INT(plait_select(cases, 1, PLAIT_NEVER), ==, -ETIMEDOUT);
        CHECK_OK(plait_scope_join(&scope));
}

#if !TEST_WITH_ASAN && !TEST_WITH_TSAN /* with them, compact tasks are ordinary ones */
TEST(select_by_a_compact_task_that_has_to_wait_aborts, .run = in_task, .signal = SIGABRT,
     .stderr_match = "PLAIT_TASK_COMPACT")
{
        struct plait_task_opts opts = {.size = sizeof opts, .flags = PLAIT_TASK_COMPACT};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_semaphore semaphore = {0};
        struct plait_case cases[] = {plait_case_acquire(&semaphore)};
        struct selecting s = SELECTING(cases);

        CHECK_OK(plait_scope_start(&scope, do_select, &s, &opts, NULL));
        CHECK_OK(plait_scope_join(&scope));
}
#endif

/* --- plain threads --- */

static int in_thread_sends(void *arg)
{
        struct pipe_and_more *p = arg;
        int item = 8;

        return plait_channel_send(p->channel, &item, PLAIT_NEVER);
}

static void *send_in_run(void *arg)
{
        CHECK_OK(plait_run(in_thread_sends, arg, NULL));
        return NULL;
}

TEST(select_of_a_thread_is_woken_by_a_task)
{
        struct pipe_and_more p = {.item = -1};
        pthread_t thread;

        for (int with_fd = 0; with_fd < 2; with_fd++) {
                set_up(&p, false);
                if (!with_fd)
                        p.cases[0] = (struct plait_case){0};
                CHECK_INT(pthread_create(&thread, NULL, send_in_run, &p), ==, 0);
                CHECK_INT(plait_select(p.cases, 3, PLAIT_NEVER), ==, 1);
                CHECK_INT(p.item, ==, 8);
                CHECK_INT(pthread_join(thread, NULL), ==, 0);
                tear_down(&p);
        }
}

TEST(select_of_a_thread_is_woken_by_a_descriptor)
{
        struct pipe_and_more p = {.item = -1};
        pthread_t thread;
        char byte = 'x';

        set_up(&p, false);
        CHECK_INT(pthread_create(&thread, NULL, select_in_thread, &p.selecting), ==, 0);
        CHECK_INT(write(p.ends[1], &byte, 1), ==, 1);
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
        CHECK_INT(p.selecting.chosen, ==, 0);
        CHECK_INT(p.cases[0].result, ==, POLLIN);
        CHECK_OK(plait_semaphore_release(&p.semaphore, 1));
        CHECK_UINT(plait_semaphore_count(&p.semaphore), ==, 1);
        tear_down(&p);
}

TEST(select_of_a_thread_has_a_deadline)
{
        struct pipe_and_more p = {.item = -1};
        int64_t deadline_ns = plait_in_ms(4);

        set_up(&p, false);
        CHECK_INT(plait_select(p.cases, 3, deadline_ns), ==, -ETIMEDOUT);
        CHECK_INT(plait_now_ns(), >=, deadline_ns);
        tear_down(&p);
}

TEST(select_of_a_thread_takes_so_many_descriptors)
{
        enum { N = PLAIT_SELECT_THREAD_FDS + 1 };
        struct plait_case cases[N];
        int ends[2];

        CHECK_SYS(pipe2(ends, O_CLOEXEC));
        for (int i = 0; i < N; i++)
                cases[i] = plait_case_fd(ends[0], POLLIN);
        CHECK_INT(plait_select(cases, N, 0), ==, -EINVAL);
        CHECK_INT(plait_select(cases, N - 1, plait_in_ms(1)), ==, -ETIMEDOUT);
        cases[3] = plait_case_at(0);
        CHECK_INT(plait_select(cases, N, plait_in_ms(1)), ==, 3);
        close(ends[0]);
        close(ends[1]);
}

TEST(select_of_a_thread_says_when_descriptors_run_out)
{
        struct pipe_and_more p = {.item = -1};
        struct rlimit limit;

        set_up(&p, false);
        CHECK_SYS(getrlimit(RLIMIT_NOFILE, &limit));
        limit.rlim_cur = (rlim_t)p.ends[1] + 1;
        CHECK_SYS(setrlimit(RLIMIT_NOFILE, &limit));
        CHECK_INT(plait_select(p.cases, 3, PLAIT_NEVER), ==, -EMFILE);
        CHECK_INT(plait_select(p.cases, 3, 0), ==, -ETIMEDOUT);
        tear_down(&p);
}
