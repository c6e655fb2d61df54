/* Pools of worker processes and fork(): the program's are not its children's, who can have their own. */
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <plait/plait.h>

#include "harness/test.h"

static int next(void *arg, void *result)
{
        *(int *)result = *(const int *)arg + 1;
        return 0;
}

static int call(struct plait_executor *executor)
{
        int number = 41, answer = 0;
        const struct plait_job job = {.fn = next,
                                      .arg = &number,
                                      .arg_bytes = sizeof number,
                                      .result = &answer,
                                      .result_bytes = sizeof answer};
        int r = plait_executor_call(executor, &job, PLAIT_NEVER, NULL);

        return r < 0 ? r : answer;
}

static int use_a_pool(void *arg, void *result)
{
        const struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1};
        struct plait_executor *executor;
        int r = plait_executor_processes(&opts, &executor);

        (void)arg;
        (void)result;
        if (r < 0)
                return r;
        r = call(executor);
        plait_executor_free(executor);
        return r;
}

static int in_a_child(struct plait_executor *inherited)
{
        int r = call(inherited);

        if (r != -EPIPE || plait_executor_shutdown(inherited, PLAIT_SHUTDOWN_DRAIN, PLAIT_NEVER) < 0)
                return 1;
        plait_executor_free(inherited);
        return use_a_pool(NULL, NULL) == 42 ? 0 : 2;
}

TEST(a_forked_child_has_pools_of_its_own)
{
        struct plait_executor *executor;
        int status;

        if (TEST_WITH_TSAN)
                SKIP("ThreadSanitizer lets no thread start after fork() in a program with threads");
        CHECK_INT(plait_executor_processes(NULL, &executor), ==, 0);
        CHECK_INT(call(executor), ==, 42);
        pid_t child = CHECK_SYS(fork());
        if (child == 0)
                _exit(in_a_child(executor));
        CHECK_INT(call(executor), ==, 42);
        CHECK_SYS(waitpid(child, &status, 0));
        CHECK_INT(status, ==, 0);
        CHECK_INT(call(executor), ==, 42);
        plait_executor_free(executor);
}

TEST(a_worker_has_pools_though_the_program_had_one_before_its_server)
{
        const struct plait_job job = {.fn = use_a_pool};
        struct plait_executor *executor;

        CHECK_INT(use_a_pool(NULL, NULL), ==, 42);
        if (TEST_WITH_TSAN)
                SKIP("there is another thread");
        CHECK_INT(plait_fork_server_start(), ==, 0);
        CHECK_INT(plait_executor_processes(NULL, &executor), ==, 0);
        CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, NULL), ==, 42);
        plait_executor_free(executor);
        CHECK_INT(plait_fork_server_stop(), ==, 0);
}
