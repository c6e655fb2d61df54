/* Rate limiters. */
#include <pthread.h>
#include <stdatomic.h>

#include "harness/task.h"
#include "harness/test.h"

static struct plait_limiter limiter;
static atomic_int served;

static int acquire_one(void *arg)
{
        (void)arg;
        int r = plait_limiter_acquire(&limiter, 1, PLAIT_NEVER);

        atomic_fetch_add(&served, 1);
        return r;
}

TEST(a_burst_goes_through_at_once, .run = in_task)
{
        CHECK_OK(plait_limiter_init(&limiter, 0.001, 5));
        for (int i = 0; i < 5; i++)
                CHECK_INT(plait_limiter_acquire(&limiter, 1, 0), ==, 0);
        CHECK_INT(plait_limiter_acquire(&limiter, 1, 0), ==, -ETIMEDOUT);
        CHECK_INT(plait_limiter_try_acquire(&limiter, 1), ==, -EAGAIN);
        CHECK_INT(plait_limiter_try_acquire(&limiter, 0), ==, 0);
}

TEST(no_more_go_through_than_the_rate_allows, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int64_t start_ns = plait_now_ns();

        CHECK_OK(plait_limiter_init(&limiter, 1000, 10));
        for (int i = 0; i < 60; i++)
                plait_scope_go(&scope, acquire_one, NULL);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        CHECK_INT(plait_now_ns() - start_ns, >=, 50 * 1000000);
        CHECK_INT(served, ==, 60);
}

TEST(unused_tokens_beyond_the_burst_are_lost, .run = in_task)
{
        int64_t start_ns, tokens = 0;

        CHECK_OK(plait_limiter_init(&limiter, 1000, 3));
        CHECK_OK(plait_limiter_acquire(&limiter, 3, 0));
        CHECK_OK(plait_sleep(plait_in_ms(50)));
        start_ns = plait_now_ns();
        CHECK_OK(plait_limiter_acquire(&limiter, 3, 0));
        while (plait_limiter_acquire(&limiter, 1, 0) == 0)
                tokens++;
        CHECK_INT(tokens, <=, (plait_now_ns() - start_ns) / 1000000 + 1); /* what has come meanwhile */
}

static int order[3];

static int acquire_and_note(void *arg)
{
        unsigned tokens = (unsigned)(intptr_t)arg;
        int r = plait_limiter_acquire(&limiter, tokens, PLAIT_NEVER);

        order[atomic_fetch_add(&served, 1)] = (int)tokens;
        return r;
}

/* With one worker, a task that has been started waits when plait_yield() returns. */
static void with_one_worker(void (*body)(void))
{
        struct plait_run_opts opts = {.size = sizeof opts, .workers = 1};
        struct in_task_body task = {.body = body};

        CHECK_INT(plait_run(in_task_main, &task, &opts), ==, 0);
}

TEST(who_wants_many_is_not_overtaken, .run = with_one_worker)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int64_t start_ns = plait_now_ns();

        CHECK_OK(plait_limiter_init(&limiter, 100, 10));
        CHECK_OK(plait_limiter_acquire(&limiter, 8, 0)); /* 2 are left; in 70 ms there are 9 */
        plait_scope_go(&scope, acquire_and_note, (void *)9);
        plait_yield();
        int r = plait_limiter_try_acquire(&limiter, 1);
        if (plait_now_ns() - start_ns < 70000000)
                CHECK_INT(r, ==, -EAGAIN);
        plait_scope_go(&scope, acquire_and_note, (void *)1);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        CHECK_INT(order[0], ==, 9);
        CHECK_INT(order[1], ==, 1);
}

static int acquire_until(void *deadline_ns)
{
        return plait_limiter_acquire(&limiter, 1, *(int64_t *)deadline_ns);
}

TEST(who_gives_up_lets_the_next_one_move_up, .run = with_one_worker)
{
        struct plait_scope scope = PLAIT_SCOPE_WITH(.flags = PLAIT_SCOPE_SUPERVISOR);
        int64_t soon_ns = plait_in_ms(10), never_ns = PLAIT_NEVER;

        CHECK_OK(plait_limiter_init(&limiter, 5, 1));
        CHECK_OK(plait_limiter_acquire(&limiter, 1, 0));
        plait_scope_go(&scope, acquire_until, &soon_ns); /* its token would come after 200 ms */
        plait_yield();
        for (int i = 0; i < 3; i++)
                plait_scope_go(&scope, acquire_until, i < 2 ? &soon_ns : &never_ns);
        CHECK_INT(plait_scope_join(&scope), <=, 3);
        CHECK_INT(plait_limiter_acquire(&limiter, 1, PLAIT_NEVER), ==, 0);
}

static atomic_int entered;

static int enter_and_acquire(void *arg)
{
        atomic_fetch_add(&entered, 1);
        return acquire_one(arg);
}

TEST(waits_for_tokens_can_be_cancelled, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_OK(plait_limiter_init(&limiter, 0.001, 1));
        CHECK_OK(plait_limiter_acquire(&limiter, 1, 0));
        for (int i = 0; i < 10; i++)
                plait_scope_go(&scope, enter_and_acquire, NULL);
        while (entered < 10)
                plait_yield();
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(served, ==, 10);
        CHECK_INT(plait_limiter_acquire(&limiter, 1, plait_in_ms(1)), ==, -ETIMEDOUT); /* nobody is left before it */
}

static void *acquire_in_thread(void *arg)
{
        for (int i = 0; i < 20; i++)
                CHECK_OK(acquire_one(arg));
        return NULL;
}

TEST(threads_and_tasks_wait_in_one_queue, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        pthread_t thread;

        CHECK_OK(plait_limiter_init(&limiter, 5000, 1));
        CHECK_INT(pthread_create(&thread, NULL, acquire_in_thread, NULL), ==, 0);
        for (int i = 0; i < 20; i++)
                plait_scope_go(&scope, acquire_one, NULL);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        while (atomic_load(&served) < 40)
                CHECK_OK(plait_sleep(plait_in_ms(1)));
        pthread_join(thread, NULL);
}

TEST(a_limiter_refuses_what_is_out_of_range)
{
        struct plait_limiter untouched = {.pl_burst = 9};

        CHECK_INT(plait_limiter_init(&untouched, 0, 1), ==, -EINVAL);
        CHECK_INT(plait_limiter_init(&untouched, -1, 1), ==, -EINVAL);
        CHECK_INT(plait_limiter_init(&untouched, 1e7, 1), ==, -EINVAL);
        CHECK_INT(plait_limiter_init(&untouched, __builtin_nan(""), 1), ==, -EINVAL);
        CHECK_INT(plait_limiter_init(&untouched, 1, 0), ==, -EINVAL);
        CHECK_INT(plait_limiter_init(&untouched, 1e-6, 4000000000), ==, -EINVAL);
        CHECK_INT((int)untouched.pl_burst, ==, 9);
        CHECK_OK(plait_limiter_init(&limiter, 1, 3));
        CHECK_INT(plait_limiter_acquire(&limiter, 4, PLAIT_NEVER), ==, -EINVAL);
        CHECK_INT(plait_limiter_try_acquire(&limiter, 4), ==, -EINVAL);
}
