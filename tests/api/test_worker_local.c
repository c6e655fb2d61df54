/* Per-worker values: one for each worker, one for each borrower, making, failing, destroying. */
#include <plait/plait.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "api/alone.h"

static int made, destroyed;
static int fail_with;
static struct plait_event *wait_for; /* in make_number(); NULL: nothing */

static int make_number(void *arg, void **ret_value)
{
        if (wait_for) {
                int r = plait_event_wait(wait_for, PLAIT_NEVER);
                if (r < 0)
                        return r;
        }
        if (fail_with)
                return fail_with;
        int *number = malloc(sizeof *number);

        CHECK(number != NULL);
        *number = __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED) + *(int *)arg;
        *ret_value = number;
        return 0;
}

static void destroy_number(void *value)
{
        destroyed++;
        free(value);
}

static int base = 1000;
static struct plait_worker_local numbers = PLAIT_WORKER_LOCAL_INIT(make_number, destroy_number, &base);

static int *get(void)
{
        void *value = NULL;

        CHECK_INT(plait_worker_local_get(&numbers, &value), ==, 0);
        return value;
}

static struct plait_worker_lease borrow(void)
{
        struct plait_worker_lease lease;

        CHECK_INT(plait_worker_local_borrow(&numbers, &lease), ==, 0);
        return lease;
}

static void run_alone(int (*fn)(void *), void *arg)
{
        struct plait_run_opts opts = {.size = sizeof opts, .workers = 1};

        CHECK_INT(plait_run(fn, arg, &opts), ==, 0);
}

/* --- shared --- */

static int get_same(void *first)
{
        CHECK_PTR(get(), ==, first);
        plait_yield();
        CHECK_PTR(get(), ==, first);
        return 0;
}

static int all_get_the_same(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int *first = get();

        (void)arg;
        CHECK_INT(*first, ==, 1001);
        for (int i = 0; i < 10; i++)
                CHECK_OK(plait_scope_go(&scope, get_same, first));
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(made, ==, 1);
        CHECK_INT(destroyed, ==, 0);
        return 0;
}

TEST(worker_local_is_shared_by_the_tasks_of_a_worker)
{
        run_alone(all_get_the_same, NULL);
        CHECK_INT(destroyed, ==, 1);
}

static int get_often(void *arg)
{
        (void)arg;
        for (int i = 0; i < 100; i++) {
                CHECK_INT(*get(), >, base);
                plait_yield();
        }
        return 0;
}

static int many_get(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        (void)arg;
        for (int i = 0; i < 50; i++)
                CHECK_OK(plait_scope_go(&scope, get_often, NULL));
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(made, >=, 1);
        CHECK_INT(made, <=, (int)plait_workers());
        return 0;
}

/* Without spare workers, which come where all others have lost their processors for a while. */
TEST(worker_local_is_made_at_most_once_for_each_worker)
{
        struct plait_run_opts opts = {.size = sizeof opts, .workers = 4};

        CHECK_SYS(setenv("PLAIT_STUCK_MS", "0", 1));
        CHECK_INT(plait_run(many_get, NULL, &opts), ==, 0);
        CHECK_INT(destroyed, ==, made);
}

static int get_one(void *ret_value)
{
        *(int **)ret_value = get();
        return 0;
}

static int others_wait(void *event)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int *values[3];

        for (int i = 0; i < 3; i++)
                CHECK_OK(plait_scope_go(&scope, get_one, &values[i]));
        let_others_run();
        plait_event_set(event);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_PTR(values[0], ==, values[1]);
        CHECK_PTR(values[0], ==, values[2]);
        CHECK_INT(made, ==, 1);
        return 0;
}

TEST(worker_local_that_takes_a_while_to_make_is_made_once)
{
        struct plait_event event = PLAIT_EVENT_INIT;

        wait_for = &event;
        run_alone(others_wait, &event);
        CHECK_INT(destroyed, ==, 1);
}

static int try_to_get(void *ret_r)
{
        void *value = ret_r;

        *(int *)ret_r = plait_worker_local_get(&numbers, &value);
        CHECK_PTR(value, ==, ret_r);
        return 0;
}

static int give_up_waiting(void *event)
{
        struct plait_scope outer = PLAIT_SCOPE_INIT, cancelled = PLAIT_SCOPE_INIT, late = PLAIT_SCOPE_INIT;
        int *value;
        int r1 = 1, r2 = 1;

        CHECK_OK(plait_scope_go(&outer, get_one, &value));
        let_others_run();
        CHECK_OK(plait_scope_go(&cancelled, try_to_get, &r1));
        let_others_run();
        plait_scope_cancel(&cancelled);
        CHECK_INT(plait_scope_join(&cancelled), ==, -ECANCELED);
        CHECK_INT(r1, ==, -ECANCELED);
        late.deadline_ns = plait_in_ms(5);
        CHECK_OK(plait_scope_go(&late, try_to_get, &r2));
        (void)!plait_scope_join(&late);
        CHECK_INT(r2, ==, -ETIMEDOUT);
        plait_event_set(event);
        CHECK_OK(plait_scope_join(&outer));
        CHECK_PTR(get(), ==, value);
        return 0;
}

TEST(worker_local_wait_for_who_makes_it_can_end)
{
        struct plait_event event = PLAIT_EVENT_INIT;

        wait_for = &event;
        run_alone(give_up_waiting, &event);
        CHECK_INT(made, ==, 1);
        CHECK_INT(destroyed, ==, 1);
}

/* --- borrowed --- */

static int borrow_some(void *arg)
{
        struct plait_worker_lease one = borrow(), two = borrow();
        int *first = one.value;

        (void)arg;
        CHECK_PTR(one.value, !=, two.value);
        CHECK_PTR(get(), !=, one.value);
        CHECK_INT(made, ==, 3);
        plait_worker_local_give_back(&one);
        CHECK_PTR(one.value, ==, NULL);
        plait_worker_local_give_back(&one); /* nothing */
        one = borrow();
        CHECK_PTR(one.value, ==, first);
        CHECK_INT(made, ==, 3);
        plait_worker_local_give_back(&two);
        plait_worker_local_give_back(&one);
        CHECK_INT(destroyed, ==, 0);
        return 0;
}

TEST(worker_local_is_lent_to_one_at_a_time)
{
        run_alone(borrow_some, NULL);
        CHECK_INT(destroyed, ==, 3);
}

/* Whoever has it writes his number into it, and finds it there after every wait. */
static int use_alone(void *arg)
{
        for (int i = 0; i < 50; i++) {
                struct plait_worker_lease lease = borrow();

                *(int *)lease.value = (int)(intptr_t)arg;
                for (int k = 0; k < 3; k++) {
                        plait_yield();
                        CHECK_INT(*(int *)lease.value, ==, (int)(intptr_t)arg);
                }
                plait_worker_local_give_back(&lease);
        }
        return 0;
}

static int many_borrow(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        (void)arg;
        for (int i = 0; i < 20; i++)
                CHECK_OK(plait_scope_go(&scope, use_alone, (void *)(intptr_t)i));
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(made, <=, 20); /* as many as were borrowed at the same time */
        return 0;
}

TEST(worker_local_that_is_borrowed_goes_with_its_task)
{
        struct plait_run_opts opts = {.size = sizeof opts, .workers = 4};

        CHECK_INT(plait_run(many_borrow, NULL, &opts), ==, 0);
        CHECK_INT(destroyed, ==, made);
}

/* --- failing --- */

static int make_nothing(void *arg, void **ret_value)
{
        (void)arg;
        *ret_value = NULL;
        return 0;
}

static int fail(void *arg)
{
        static struct plait_worker_local nothing = PLAIT_WORKER_LOCAL_INIT(make_nothing, NULL, NULL);
        struct plait_worker_lease lease = {.value = arg};
        void *value = arg;

        fail_with = -EIO;
        CHECK_INT(plait_worker_local_get(&numbers, &value), ==, -EIO);
        CHECK_INT(plait_worker_local_borrow(&numbers, &lease), ==, -EIO);
        fail_with = 0;
        CHECK_PTR(value, ==, arg);
        CHECK_PTR(lease.value, ==, arg);
        CHECK_INT(*get(), ==, 1001); /* it is tried again */
        CHECK_INT(plait_worker_local_get(&nothing, &value), ==, -EINVAL);
        CHECK_INT(plait_worker_local_borrow(&nothing, &lease), ==, -EINVAL);
        CHECK_PTR(value, ==, arg);
        return 0;
}

TEST(worker_local_that_cannot_be_made_is_tried_again)
{
        run_alone(fail, &base);
        CHECK_INT(destroyed, ==, 1);
}

TEST(worker_local_is_for_tasks)
{
        struct plait_worker_lease lease;
        void *value;

        CHECK_INT(plait_worker_local_get(&numbers, &value), ==, -EINVAL);
        CHECK_INT(plait_worker_local_borrow(&numbers, &lease), ==, -EINVAL);
}

TEST(worker_local_begins_anew_with_each_run)
{
        for (int i = 1; i <= 3; i++) {
                made = destroyed = 0;
                run_alone(all_get_the_same, NULL);
                CHECK_INT(destroyed, ==, 1);
        }
}

static int keep_it(void *arg)
{
        (void)arg;
        (void)borrow();
        return 0;
}

TEST(worker_local_that_is_not_given_back_is_named, .signal = SIGABRT, .stderr_match = "borrowed and not given back")
{
        plait_run(keep_it, NULL, NULL);
}

static struct plait_event given;

static void *give_back_in_thread(void *lease)
{
        plait_worker_local_give_back(lease);
        return NULL;
}

static int lend_to_thread(void *arg)
{
        struct plait_worker_lease lease = borrow();
        pthread_t thread;

        (void)arg;
        CHECK_INT(pthread_create(&thread, NULL, give_back_in_thread, &lease), ==, 0);
        return plait_event_wait(&given, PLAIT_NEVER);
}

TEST(worker_local_given_back_by_no_task_is_named, .signal = SIGABRT, .stderr_match = "by what is no task")
{
        plait_run(lend_to_thread, NULL, NULL);
}
