/* Fork-join and parallel loops: every call is made exactly once, whoever makes it. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "harness/task.h"
#include "harness/test.h"

static int return_it(void *result)
{
        return (int)(intptr_t)result;
}

static int add_one(void *counter)
{
        atomic_fetch_add((atomic_int *)counter, 1);
        return 0;
}

TEST(both_calls_are_made, .run = in_task)
{
        atomic_int a = 0, b = 0;

        for (int i = 0; i < 1000; i++)
                CHECK_INT(plait_fork_join(add_one, &a, add_one, &b), ==, 0);
        CHECK_INT(a, ==, 1000);
        CHECK_INT(b, ==, 1000);
}

TEST(the_first_calls_error_comes_before_the_seconds, .run = in_task)
{
        CHECK_INT(plait_fork_join(return_it, (void *)5, return_it, (void *)7), ==, 0);
        CHECK_INT(plait_fork_join(return_it, (void *)-5, return_it, (void *)7), ==, -5);
        CHECK_INT(plait_fork_join(return_it, (void *)5, return_it, (void *)-7), ==, -7);
        CHECK_INT(plait_fork_join(return_it, (void *)-5, return_it, (void *)-7), ==, -5);
}

TEST(a_plain_thread_makes_the_calls_in_turn)
{
        atomic_int a = 0, b = 0;

        CHECK_INT(plait_fork_join(add_one, &a, add_one, &b), ==, 0);
        CHECK_INT(a + b, ==, 2);
        CHECK_INT(plait_fork_join(return_it, (void *)-5, return_it, (void *)-7), ==, -5);
}

static int fib(void *arg)
{
        intptr_t *value = arg;
        intptr_t a = *value - 1, b = *value - 2;

        if (*value < 2)
                return 0;
        int r = plait_fork_join(fib, &a, fib, &b);
        *value = a + b;
        return r;
}

TEST(forks_compute_fibonacci_numbers, .run = in_task)
{
        intptr_t n = 24;

        CHECK_OK(fib(&n));
        CHECK_INT(n, ==, 46368);
}

/* Calls that wait are resumed anywhere, with forks of theirs left in another worker's deque. */
static int fib_that_waits(void *arg)
{
        intptr_t *value = arg;
        intptr_t a = *value - 1, b = *value - 2;

        if (*value % 3 == 0)
                CHECK_OK(plait_sleep(plait_in_ns(20000)));
        if (*value % 4 == 0)
                plait_yield();
        if (*value < 2)
                return 0;
        int r = plait_fork_join(fib_that_waits, &a, fib_that_waits, &b);
        *value = a + b;
        return r;
}

TEST(forked_calls_may_wait, .run = in_task, .timeout_ms = 120000)
{
        intptr_t n = 14;

        CHECK_OK(fib_that_waits(&n));
        CHECK_INT(n, ==, 377);
}

static int start_and_fork(void *counter)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < 400; i++) {
                CHECK_OK(plait_scope_go(&scope, add_one, counter));
                if (i % 3 == 0)
                        CHECK_OK(plait_fork_join(add_one, counter, add_one, counter));
        }
        return plait_scope_join(&scope);
}

/* The deque is full of tasks again and again; forks have to get along. */
TEST(forks_and_tasks_mix, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        atomic_int counter = 0;

        for (int i = 0; i < 50; i++)
                CHECK_OK(plait_scope_go(&scope, start_and_fork, &counter));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        CHECK_INT(counter, ==, 50 * (400 + 134 * 2));
}

static int wait_for_ever(void *arg)
{
        (void)arg;
        return plait_sleep(PLAIT_NEVER);
}

TEST(cancellation_reaches_forked_calls, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        scope.deadline_ns = plait_in_ms(10);
        CHECK_OK(plait_scope_open(&scope));
        CHECK_INT(plait_fork_join(wait_for_ever, NULL, wait_for_ever, NULL), ==, -ETIMEDOUT);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

enum { ITEMS = 100000 };

static _Atomic unsigned char seen[ITEMS];

static int mark(size_t begin, size_t end, void *arg)
{
        (void)arg;
        CHECK_UINT(begin, <, end);
        CHECK_UINT(end, <=, ITEMS);
        for (size_t i = begin; i < end; i++)
                atomic_fetch_add(&seen[i], 1);
        return 0;
}

static void check_marks(size_t n)
{
        for (size_t i = 0; i < ITEMS; i++)
                CHECK_INT(seen[i], ==, i < n);
        memset((void *)seen, 0, sizeof seen);
}

TEST(a_loop_visits_each_index_once, .run = in_task)
{
        static const size_t sizes[] = {0, 1, 2, 3, 7, 100, 4096, ITEMS};

        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                CHECK_INT(plait_parallel_for(sizes[i], mark, NULL), ==, 0);
                check_marks(sizes[i]);
        }
}

TEST(a_loop_in_a_plain_thread_visits_each_index_once)
{
        CHECK_INT(plait_parallel_for(ITEMS, mark, NULL), ==, 0);
        check_marks(ITEMS);
        CHECK_INT(plait_parallel_for(1, NULL, NULL), ==, -EINVAL);
}

static int mark_and_wait(size_t begin, size_t end, void *arg)
{
        if (begin % 7 == 0)
                CHECK_OK(plait_sleep(plait_in_ns(10000)));
        plait_yield();
        return mark(begin, end, arg);
}

TEST(the_body_of_a_loop_may_wait, .run = in_task)
{
        CHECK_INT(plait_parallel_for(2000, mark_and_wait, NULL), ==, 0);
        check_marks(2000);
}

static int mark_rows(size_t begin, size_t end, void *arg)
{
        (void)arg;
        for (size_t i = begin; i < end; i++)
                CHECK_INT(plait_parallel_for(1000, mark, NULL), ==, 0);
        return 0;
}

TEST(loops_nest, .run = in_task)
{
        CHECK_INT(plait_parallel_for(100, mark_rows, NULL), ==, 0);
        for (size_t i = 0; i < 1000; i++)
                CHECK_INT(seen[i], ==, 100);
}

/* Long enough for parts to stay small, and without a wait: at each, the loop goes on elsewhere with another part. */
static int spin_a_little(size_t begin, size_t end, void *arg)
{
        int64_t until_ns = plait_now_ns() + 20000;

        (void)begin, (void)end, (void)arg;
        while (plait_now_ns() < until_ns)
                ;
        return 0;
}

static int fail_at_500(size_t begin, size_t end, void *calls)
{
        atomic_fetch_add((atomic_int *)calls, 1);
        spin_a_little(begin, end, NULL);
        return begin <= 500 && 500 < end ? -EIO : 0;
}

TEST(an_error_ends_a_loop_early, .run = in_task)
{
        atomic_int calls = 0;

        CHECK_INT(plait_parallel_for(1000000, fail_at_500, &calls), ==, -EIO);
        CHECK_INT(calls, <, 500000);
}

TEST(a_scopes_deadline_ends_a_loop_early, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        scope.deadline_ns = plait_in_ms(20);
        CHECK_OK(plait_scope_open(&scope));
        CHECK_INT(plait_parallel_for(100000000, spin_a_little, NULL), ==, -ETIMEDOUT);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

enum { TURNS = 10 };

static struct {
        _Atomic int turns; /* of one that yields */
        _Atomic bool started, slept;
        struct plait_task *loop;
} beside;

static int yield_often(void *unused)
{
        (void)unused;
        while (beside.turns < TURNS) {
                beside.turns++;
                plait_yield();
        }
        return 0;
}

static int sleep_once(void *unused)
{
        (void)unused;
        int r = plait_sleep(plait_in_ms(1));
        beside.slept = true;
        return r;
}

static int start(void *unused)
{
        (void)unused;
        beside.started = true;
        return 0;
}

/* Ends the loop when all others have had what they wanted; else it takes 20 s and ends by itself. */
static int until_all_had_turns(size_t begin, size_t end, void *scope)
{
        CHECK_PTR(plait_task_self(), ==, beside.loop); /* no part has become a task that would wait for turns, too */
        if (begin == 0 && beside.turns == 0) {
                CHECK_OK(plait_scope_go(scope, yield_often, NULL));
                CHECK_OK(plait_scope_go(scope, sleep_once, NULL));
        }
        if (beside.turns == TURNS && !beside.started)
                CHECK_OK(plait_scope_go(scope, start, NULL));
        spin_a_little(begin, end, NULL);
        return beside.turns == TURNS && beside.started && beside.slept ? -EXFULL : 0;
}

static int loop_beside_others(void *unused)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        (void)unused;
        beside.loop = plait_task_self();
        CHECK_OK(plait_scope_open(&scope));
        CHECK_INT(plait_parallel_for(1000000, until_all_had_turns, &scope), ==, -EXFULL);
        return plait_scope_join(&scope);
}

TEST(each_part_of_a_loop_is_a_turn_to_other_tasks)
{
        CHECK_OK(plait_run(loop_beside_others, NULL,
                           &(struct plait_run_opts){.size = sizeof(struct plait_run_opts), .workers = 1}));
}
