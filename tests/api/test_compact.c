/* Compact tasks: they share a stack, and nobody notices but the memory. */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/task.h"
#include "harness/test.h"

static const struct plait_task_opts compact = {.size = sizeof compact, .flags = PLAIT_TASK_COMPACT};

static void go(struct plait_scope *scope, int (*fn)(void *), void *arg)
{
        CHECK_OK(plait_scope_start(scope, fn, arg, &compact, NULL));
}

/* Frames of many sizes, full of a pattern, across waits of several kinds. */
static int keep_pattern(void *arg)
{
        unsigned seed = (unsigned)(uintptr_t)arg;
        volatile unsigned char pattern[600];
        uint64_t id = plait_task_id(NULL);

        for (size_t i = 0; i < sizeof pattern; i++)
                pattern[i] = (unsigned char)(seed + i);
        for (int round = 0; round < 4; round++) {
                switch ((seed + (unsigned)round) % 3) {
                case 0: plait_yield(); break;
                case 1: CHECK_OK(plait_sleep(plait_in_ns((int64_t)(seed % 50) * 10000))); break;
                default:
                        if (seed % 5) /* deeper and deeper, until the number is a multiple of 5 */
                                CHECK_INT(keep_pattern((void *)(uintptr_t)(seed + 1)), ==, 0);
                        break;
                }
                CHECK_UINT(plait_task_id(NULL), ==, id);
                for (size_t i = 0; i < sizeof pattern; i++)
                        CHECK_INT(pattern[i], ==, (unsigned char)(seed + i));
        }
        return 0;
}

TEST(what_is_on_the_stack_survives_every_wait, .run = in_task, .timeout_ms = 120000)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (uintptr_t i = 0; i < 3000; i++)
                go(&scope, keep_pattern, (void *)i);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

static int ordinary(void *arg)
{
        volatile char frame[500];

        memset((char *)frame, (int)(intptr_t)arg, sizeof frame);
        plait_yield();
        CHECK_OK(plait_sleep(plait_in_ns(100000)));
        CHECK_INT(frame[499], ==, (char)(intptr_t)arg);
        return 0;
}

TEST(compact_and_ordinary_tasks_mix, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (uintptr_t i = 0; i < 2000; i++) {
                go(&scope, keep_pattern, (void *)i);
                CHECK_OK(plait_scope_go(&scope, ordinary, (void *)i));
        }
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

static struct plait_event gate;
static struct plait_mutex mutex;
static struct plait_semaphore semaphore = PLAIT_SEMAPHORE_INIT(3);
static int guarded;

static int use_locks(void *arg)
{
        (void)arg;
        CHECK_OK(plait_event_wait(&gate, PLAIT_NEVER));
        for (int i = 0; i < 20; i++) {
                CHECK_OK(plait_semaphore_acquire(&semaphore, PLAIT_NEVER));
                CHECK_OK(plait_mutex_lock(&mutex, PLAIT_NEVER));
                int before = guarded;
                plait_yield();
                guarded = before + 1;
                plait_mutex_unlock(&mutex);
                CHECK_OK(plait_semaphore_release(&semaphore, 1));
        }
        return 0;
}

static int open_gate(void *arg)
{
        (void)arg;
        CHECK_OK(plait_sleep(plait_in_ms(2)));
        plait_event_set(&gate);
        return 0;
}

TEST(compact_tasks_wait_for_locks_and_events, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < 200; i++)
                go(&scope, use_locks, NULL);
        CHECK_OK(plait_scope_go(&scope, open_gate, NULL));
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        CHECK_INT(guarded, ==, 200 * 20);
}

struct pair {
        int in, out;
};

static int pass_bytes_on(void *arg)
{
        struct pair *pair = arg;
        char byte;
        ssize_t n;

        while ((n = plait_read(pair->in, &byte, 1, PLAIT_NEVER)) == 1)
                CHECK_INT(plait_write(pair->out, &byte, 1, PLAIT_NEVER), ==, 1);
        return (int)n;
}

/* A chain of pipes, a compact task at each joint. */
TEST(compact_tasks_wait_for_pipes, .run = in_task)
{
        enum { JOINTS = 50 };
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        static struct pair pairs[JOINTS];
        int ends[JOINTS + 1][2];

        for (int i = 0; i <= JOINTS; i++)
                CHECK_OK(plait_pipe(ends[i]));
        for (int i = 0; i < JOINTS; i++) {
                pairs[i] = (struct pair){.in = ends[i][0], .out = ends[i + 1][1]};
                go(&scope, pass_bytes_on, &pairs[i]);
        }
        for (int i = 0; i < 100; i++) {
                char byte = (char)i;

                CHECK_INT(plait_write(ends[0][1], &byte, 1, PLAIT_NEVER), ==, 1);
                byte = 0;
                CHECK_INT(plait_read(ends[JOINTS][0], &byte, 1, PLAIT_NEVER), ==, 1);
                CHECK_INT(byte, ==, i);
        }
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        for (int i = 0; i <= JOINTS; i++) {
                plait_close(ends[i][0]);
                plait_close(ends[i][1]);
        }
}

static int sleep_forever(void *arg)
{
        (void)arg;
        return plait_sleep(PLAIT_NEVER);
}

TEST(compact_tasks_are_cancelled_like_others, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        scope.deadline_ns = plait_in_ms(20);
        for (int i = 0; i < 5000; i++)
                go(&scope, sleep_forever, NULL);
        CHECK_INT(plait_scope_join(&scope), ==, -ETIMEDOUT);
}

static int start_more(void *scope)
{
        for (int i = 0; i < 300; i++)
                CHECK_OK(plait_scope_start(scope, keep_pattern, (void *)(uintptr_t)i, i % 2 ? &compact : NULL, NULL));
        return 0;
}

TEST(compact_tasks_can_start_others, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < 5; i++)
                go(&scope, start_more, &scope);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

static int add(void *arg)
{
        *(int *)arg += 1;
        return 0;
}

static int break_no_rule(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int a = 0, b = 0;

        (void)arg;
        CHECK_INT(plait_fork_join(add, &a, add, &b), ==, 0);
        CHECK_INT(a + b, ==, 2);
        int r = plait_scope_open(&scope);
        CHECK(r == -EINVAL || plait_scope_join(&scope) == 0); /* with a sanitizer it is an ordinary task */
        return 0;
}

TEST(what_a_compact_task_cannot_do_is_refused, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_task_opts opts = {.size = sizeof opts, .flags = PLAIT_TASK_COMPACT, .stack_bytes = 1 << 20};

        go(&scope, break_no_rule, NULL);
        CHECK_INT(plait_scope_start(&scope, add, NULL, &opts, NULL), ==, -EINVAL);
        opts = (struct plait_task_opts){.size = sizeof opts, .flags = 0x80};
        CHECK_INT(plait_scope_start(&scope, add, NULL, &opts, NULL), ==, -EINVAL);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

/* With a sanitizer they are ordinary tasks, which may do all this. */
#if !TEST_WITH_ASAN && !TEST_WITH_TSAN
static int lend(void *channel)
{
        uint64_t item;

        return plait_channel_receive(channel, &item, PLAIT_NEVER);
}

static int block(void *arg)
{
        (void)arg;
        return 0;
}

static int call_blocking(void *arg)
{
        return plait_blocking(block, arg, PLAIT_NEVER);
}

TEST(an_item_on_the_stack_ends_the_program_with_a_message, .run = in_task, .signal = SIGABRT,
     .stderr_match = "compact task .*PLAIT_TASK_COMPACT")
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_channel *channel;

        CHECK_OK(plait_channel_new(sizeof(uint64_t), 0, &channel));
        go(&scope, lend, channel);
        (void)!plait_scope_join(&scope);
}

TEST(a_blocking_call_ends_the_program_with_a_message, .run = in_task, .signal = SIGABRT,
     .stderr_match = "compact task .*PLAIT_TASK_COMPACT")
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        go(&scope, call_blocking, NULL);
        (void)!plait_scope_join(&scope);
}
#endif
