/* Once: the first does it, failures, deadlines, cancellation, misuse. */
#include <plait/plait.h>
#include <pthread.h>

#include "api/alone.h"

struct job {
        struct plait_once *once;
        struct plait_event *go; /* waited for inside; NULL: nothing */
        int inside;             /* what the function returns */
        int64_t deadline_ns;
        int calls;
        int result; /* 1: still at it */
};

static int inside(void *arg)
{
        struct job *job = arg;

        job->calls++;
        if (job->go) {
                int r = plait_event_wait(job->go, PLAIT_NEVER);
                if (r < 0)
                        return r;
        }
        return job->inside;
}

static int do_once(void *arg)
{
        struct job *job = arg;

        job->result = plait_once_do(job->once, inside, job, job->deadline_ns);
        return 0;
}

static struct job job_of(struct plait_once *once, struct plait_event *go)
{
        return (struct job){.once = once, .go = go, .deadline_ns = PLAIT_NEVER, .result = 1};
}

static void start(struct plait_scope *scope, struct job *job)
{
        CHECK_OK(plait_scope_go(scope, do_once, job));
        let_others_run();
        CHECK_INT(job->result, ==, 1);
}

TEST(once_is_done_once)
{
        struct plait_once once = {0};
        struct job first = job_of(&once, NULL), second = job_of(&once, NULL);

        first.inside = 7; /* a success, too */
        CHECK(!plait_once_is_done(&once));
        do_once(&first);
        CHECK(plait_once_is_done(&once));
        do_once(&second);
        CHECK_INT(first.result, ==, 0);
        CHECK_INT(first.calls, ==, 1);
        CHECK_INT(second.result, ==, 0);
        CHECK_INT(second.calls, ==, 0);
        CHECK_INT(sizeof once, ==, 2 * sizeof(void *));
}

TEST(once_that_failed_is_tried_again)
{
        struct plait_once once = PLAIT_ONCE_INIT;
        struct job job = job_of(&once, NULL);

        job.inside = -EIO;
        do_once(&job);
        CHECK_INT(job.result, ==, -EIO);
        CHECK(!plait_once_is_done(&once));
        job.inside = 0;
        job.deadline_ns = 0; /* it is for waiting, and nobody is at it */
        do_once(&job);
        CHECK_INT(job.result, ==, 0);
        CHECK_INT(job.calls, ==, 2);
}

TEST(once_the_others_wait_until_it_is_done, .run = alone)
{
        enum { N = 150 }; /* more than are woken in one go */
        static struct job others[N];
        struct plait_once once = PLAIT_ONCE_INIT;
        struct plait_event go = PLAIT_EVENT_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct job first = job_of(&once, &go);

        start(&scope, &first);
        for (int i = 0; i < N; i++) {
                others[i] = job_of(&once, NULL);
                start(&scope, &others[i]);
        }
        plait_event_set(&go);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(first.result, ==, 0);
        for (int i = 0; i < N; i++) {
                CHECK_INT(others[i].result, ==, 0);
                CHECK_INT(others[i].calls, ==, 0);
        }
}

TEST(once_a_waiter_tries_after_a_failure, .run = alone)
{
        struct plait_once once = PLAIT_ONCE_INIT;
        struct plait_event go = PLAIT_EVENT_INIT, go_on = PLAIT_EVENT_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct job first = job_of(&once, &go), second = job_of(&once, &go_on), third = job_of(&once, NULL);

        first.inside = -EIO;
        start(&scope, &first);
        start(&scope, &second);
        start(&scope, &third);
        plait_event_set(&go);
        let_others_run();
        CHECK_INT(first.result, ==, -EIO);
        CHECK_INT(second.calls, ==, 1);
        CHECK_INT(third.calls, ==, 0);
        plait_event_set(&go_on);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(second.result, ==, 0);
        CHECK_INT(third.result, ==, 0);
        CHECK_INT(third.calls, ==, 0);
}

TEST(once_cancelled_inside_is_left_to_the_next, .run = alone)
{
        struct plait_once once = PLAIT_ONCE_INIT;
        struct plait_event never = PLAIT_EVENT_INIT;
        struct plait_scope outer = PLAIT_SCOPE_INIT, scope = PLAIT_SCOPE_INIT;
        struct job first = job_of(&once, &never), second = job_of(&once, NULL);

        CHECK_OK(plait_scope_open(&outer));
        start(&scope, &first);
        CHECK_OK(plait_scope_go(&outer, do_once, &second));
        let_others_run();
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_OK(plait_scope_join(&outer));
        CHECK_INT(first.result, ==, -ECANCELED);
        CHECK_INT(second.result, ==, 0);
        CHECK_INT(second.calls, ==, 1);
        CHECK(plait_once_is_done(&once));
}

TEST(once_waiters_that_give_up_take_no_turn, .run = alone)
{
        struct plait_once once = PLAIT_ONCE_INIT;
        struct plait_event go = PLAIT_EVENT_INIT;
        struct plait_scope outer = PLAIT_SCOPE_INIT, scope = PLAIT_SCOPE_INIT;
        struct job first = job_of(&once, &go), early = job_of(&once, NULL), cancelled = job_of(&once, NULL),
                   last = job_of(&once, NULL);

        first.inside = -EIO;
        start(&outer, &first);
        early.deadline_ns = plait_in_ms(5);
        CHECK_OK(plait_scope_go(&scope, do_once, &early));
        CHECK_OK(plait_scope_go(&scope, do_once, &cancelled));
        while (early.result == 1)
                plait_yield();
        let_others_run();
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(early.result, ==, -ETIMEDOUT);
        CHECK_INT(cancelled.result, ==, -ECANCELED);
        CHECK_INT(plait_once_do(&once, inside, &last, 0), ==, -ETIMEDOUT);
        plait_event_set(&go);
        CHECK_OK(plait_scope_join(&outer));
        CHECK(!plait_once_is_done(&once));
        do_once(&last);
        CHECK_INT(last.result, ==, 0);
        CHECK_INT(early.calls + cancelled.calls, ==, 0);
        CHECK_INT(last.calls, ==, 1);
}

static int call_again(void *once)
{
        return plait_once_do(once, call_again, once, PLAIT_NEVER);
}

TEST(once_inside_itself_is_a_deadlock, .run = in_task)
{
        struct plait_once once = PLAIT_ONCE_INIT;

        CHECK_INT(plait_once_do(&once, call_again, &once, PLAIT_NEVER), ==, -EDEADLK);
        CHECK(!plait_once_is_done(&once));
}

TEST(once_inside_itself_is_a_deadlock_in_a_thread)
{
        struct plait_once once = PLAIT_ONCE_INIT;

        CHECK_INT(plait_once_do(&once, call_again, &once, PLAIT_NEVER), ==, -EDEADLK);
}

/* Others wait, so the one inside is remembered elsewhere. */
static struct plait_once crowded;
static int crowded_result;

static int call_again_when_crowded(void *event)
{
        CHECK_OK(plait_event_wait(event, PLAIT_NEVER));
        crowded_result = plait_once_do(&crowded, call_again_when_crowded, event, PLAIT_NEVER);
        return 0;
}

static int call_crowded(void *event)
{
        return plait_once_do(&crowded, call_again_when_crowded, event, PLAIT_NEVER);
}

TEST(once_inside_itself_is_a_deadlock_with_waiters, .run = alone)
{
        struct plait_event go = PLAIT_EVENT_INIT;
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < 3; i++) {
                CHECK_OK(plait_scope_go(&scope, call_crowded, &go));
                let_others_run();
        }
        plait_event_set(&go);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(crowded_result, ==, -EDEADLK);
        CHECK(plait_once_is_done(&crowded));
}

static void *do_in_thread(void *arg)
{
        do_once(arg);
        return NULL;
}

TEST(once_is_for_tasks_and_threads, .run = in_task)
{
        struct plait_once once = PLAIT_ONCE_INIT;
        struct job mine = job_of(&once, NULL), theirs = job_of(&once, NULL);
        pthread_t thread;

        CHECK_INT(pthread_create(&thread, NULL, do_in_thread, &theirs), ==, 0);
        do_once(&mine);
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
        CHECK_INT(mine.result, ==, 0);
        CHECK_INT(theirs.result, ==, 0);
        CHECK_INT(mine.calls + theirs.calls, ==, 1);
}
