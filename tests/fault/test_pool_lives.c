/*
 * What can go wrong in the lives of worker processes: at their beginning, with the fork server, at the end of the
 * program. Nothing hangs, and nothing is left behind.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <plait/plait.h>

#include "fault/pool.h"
#include "harness/deny.h"
#include "harness/test.h"

/* --- starting --- */

static int fail_to_start(void *arg)
{
        return *(const int *)arg;
}

TEST(an_initializer_that_fails_refuses_the_jobs, .stderr_match = "could not start: the initializer")
{
        int error = -EXDEV;
        const struct plait_executor_opts opts = {.size = sizeof opts,
                                                 .workers = 1,
                                                 .initializer = fail_to_start,
                                                 .arg = &error,
                                                 .arg_bytes = sizeof error};
        struct plait_executor *executor = open_with(&opts);
        struct plait_future *future = submit(executor, square, &error, sizeof error);

        CHECK_INT(end_of(future)->status, ==, PLAIT_JOB_REFUSED);
        CHECK_INT(end_of(future)->result, ==, -EXDEV);
        plait_future_unref(future);
        plait_executor_free(executor);
}

static int die_at_start(void *arg)
{
        return raise(*(const int *)arg);
}

/* What stands in *file* so far; freed by the caller. */
static char *contents(FILE *file)
{
        char *text = NULL;
        size_t bytes = 0;

        rewind(file);
        CHECK(getdelim(&text, &bytes, EOF, file) >= 0 || feof(file));
        return text;
}

static unsigned count(const char *text, const char *part)
{
        unsigned n = 0;

        while ((text = strstr(text, part))) {
                text += strlen(part);
                n++;
        }
        return n;
}

/*
 * A pool with an initializer that ends its worker by *sig*; as many jobs as there may be workers, and then, if *rounds*
 * is 2, one more. Returns what is said of it on standard error.
 */
static char *refuse_jobs(int sig, unsigned workers, unsigned rounds)
{
        const struct plait_executor_opts opts = {.size = sizeof opts,
                                                 .workers = workers,
                                                 .initializer = die_at_start,
                                                 .arg = &sig,
                                                 .arg_bytes = sizeof sig};
        FILE *said = tmpfile();
        int number = 1, saved = CHECK_SYS(dup(STDERR_FILENO));

        CHECK(said != NULL);
        CHECK_SYS(dup2(fileno(said), STDERR_FILENO));
        struct plait_executor *executor = open_with(&opts);
        for (unsigned round = 0; round < rounds; round++) {
                struct plait_future *futures[8];
                unsigned n = round ? 1 : workers;

                for (unsigned i = 0; i < n; i++)
                        futures[i] = submit(executor, square, &number, sizeof number);
                for (unsigned i = 0; i < n; i++) {
                        CHECK_INT(end_of(futures[i])->status, ==, PLAIT_JOB_REFUSED);
                        CHECK_INT(end_of(futures[i])->result, ==, -EOWNERDEAD);
                        plait_future_unref(futures[i]);
                }
        }
        struct plait_executor_stats stats = {.size = sizeof stats};
        CHECK_INT(plait_executor_get_stats(executor, &stats), ==, 0);
        if (sig != SIGKILL)
                CHECK_UINT(stats.started, <=, 2 * workers + 2); /* nothing was tried again */
        plait_executor_free(executor);
        CHECK_SYS(dup2(saved, STDERR_FILENO));
        close(saved);
        char *text = contents(said);
        fclose(said);
        return text;
}

TEST(an_initializer_that_crashes_refuses_the_jobs_and_is_told_of_once)
{
        char *said = refuse_jobs(SIGABRT, 4, 2);

        CHECK_UINT(count(said, "the initializer has ended its worker process: jobs are refused"), ==, 1);
        CHECK_UINT(count(said, "was ended by SIGABRT"), ==, 1);
        CHECK_UINT(count(said, "debugger"), ==, 1);
        CHECK(strstr(said, "\n  #0 ")); /* where */
        free(said);
}

/* Memory may have run out: that passes. */
TEST(an_initializer_that_is_killed_is_tried_again_before_jobs_are_refused)
{
        char *said = refuse_jobs(SIGKILL, 1, 1);

        CHECK_UINT(count(said, "the initializer has ended its worker process: it is tried again"), ==, 1);
        free(said);
}

static void die_at_end(void *arg)
{
        (void)arg;
        raise(SIGKILL);
}

TEST(a_finaliser_that_crashes_harms_nobody)
{
        const struct plait_executor_opts opts = {.size = sizeof opts, .workers = 2, .finaliser = die_at_end};
        struct plait_executor *executor = open_with(&opts);

        check_it_works(executor);
        CHECK_INT(plait_executor_shutdown(executor, PLAIT_SHUTDOWN_DRAIN, PLAIT_NEVER), ==, 0);
        plait_executor_free(executor);
}

TEST(a_fork_that_fails_refuses_the_jobs)
{
        int number = 1;

        if (TEST_WITH_ASAN)
                SKIP("LeakSanitizer needs that call, too");
        test_deny(SYS_clone, EAGAIN); /* threads and posix_spawn() are made by clone3 */
        struct plait_executor *executor = open_executor(1);
        struct plait_future *future = submit(executor, square, &number, sizeof number);
        CHECK_INT(end_of(future)->status, ==, PLAIT_JOB_REFUSED);
        CHECK_INT(end_of(future)->result, ==, -EAGAIN);
        plait_future_unref(future);
        plait_executor_free(executor);
}

static void limit_descriptors(rlim_t most)
{
        struct rlimit limit;

        CHECK_SYS(getrlimit(RLIMIT_NOFILE, &limit));
        limit.rlim_cur = most;
        CHECK_SYS(setrlimit(RLIMIT_NOFILE, &limit));
}

TEST(no_pool_is_opened_without_descriptors)
{
        const struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1};
        struct plait_executor *executor;

        for (rlim_t most = 3; most < 9; most++) {
                limit_descriptors(most);
                CHECK_INT(plait_executor_processes(&opts, &executor), ==, -EMFILE);
        }
        limit_descriptors(1024);
        executor = open_with(&opts);
        check_it_works(executor);
        plait_executor_free(executor);
}

TEST(jobs_are_refused_when_descriptors_run_out_and_made_when_there_are_some_again)
{
        struct plait_executor *executor = open_executor(1);
        int number = 1;

        limit_descriptors(10);
        struct plait_future *future = submit(executor, square, &number, sizeof number);
        CHECK_INT(end_of(future)->status, ==, PLAIT_JOB_REFUSED);
        CHECK_INT(end_of(future)->result, ==, -EMFILE);
        plait_future_unref(future);
        limit_descriptors(1024);
        check_it_works(executor);
        plait_executor_free(executor);
}

#if !TEST_WITH_ASAN && !TEST_WITH_TSAN
static int limit_memory(void *arg)
{
        const struct rlimit limit = {1 << 28, 1 << 28};

        (void)arg;
        return setrlimit(RLIMIT_AS, &limit) < 0 ? -errno : 0;
}

static int take_memory(void *arg, void *result)
{
        size_t bytes = *(const size_t *)arg;
        void *volatile memory = malloc(bytes);

        (void)result;
        if (!memory)
                return -ENOMEM;
        free(memory);
        return 0;
}

TEST(a_worker_without_memory_says_so)
{
        const struct plait_executor_opts opts = {.size = sizeof opts, .workers = 1, .initializer = limit_memory};
        struct plait_executor *executor = open_with(&opts);
        size_t bytes = (size_t)1 << 30;
        struct plait_job job = {.fn = take_memory, .arg = &bytes, .arg_bytes = sizeof bytes};

        CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, NULL), ==, -ENOMEM);
        /* The argument of this one does not even get into its address space. */
        char *large = calloc(1, bytes);
        CHECK(large);
        *(size_t *)(void *)large = 1;
        job.arg = large;
        job.arg_bytes = ((size_t)1 << 28) + 1;
        struct plait_job_end end;
        CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, &end), ==, -ENOMEM);
        CHECK_INT(end.status, ==, PLAIT_JOB_REFUSED);
        free(large);
        check_it_works(executor);
        plait_executor_free(executor);
}
#endif

/* --- the server --- */

static int get_server(void *arg, void *result)
{
        (void)arg;
        *(int *)result = (int)getppid();
        return 0;
}

static pid_t server_of(struct plait_executor *executor)
{
        int pid = 0;
        struct plait_job job = {.fn = get_server, .result = &pid, .result_bytes = sizeof pid};

        CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, NULL), ==, 0);
        CHECK_INT(pid, >, 1);
        return pid;
}

static int kill_the_server(void *arg, void *result)
{
        kill(getppid(), SIGKILL);
        return hang(arg, result);
}

TEST(another_fork_server_replaces_one_that_dies)
{
        struct plait_executor *executor = open_executor(2);
        pid_t server = server_of(executor);
        struct plait_future *future = submit(executor, kill_the_server, NULL, 0);

        CHECK_INT(end_of(future)->status, ==, PLAIT_JOB_CRASHED);
        plait_future_unref(future);
        check_it_works(executor);
        CHECK_INT(server_of(executor), !=, server);
        plait_executor_free(executor);
}

TEST(jobs_go_on_while_the_fork_server_is_stopped)
{
        struct plait_executor *executor = open_executor(1);
        pid_t server = server_of(executor);

        CHECK_SYS(kill(server, SIGSTOP));
        check_it_works(executor);
        plait_executor_free(executor); /* and it is no obstacle to the end */
}

TEST(a_copied_server_that_dies_is_not_replaced)
{
        if (TEST_WITH_TSAN)
                SKIP("there is another thread");
        CHECK_INT(plait_fork_server_start(), ==, 0);
        struct plait_executor *executor = open_executor(1);
        CHECK_SYS(kill(server_of(executor), SIGKILL));
        struct plait_future *future = submit(executor, hang, NULL, 0);
        CHECK_INT(end_of(future)->result, <, 0);
        plait_future_unref(future);
        future = submit(executor, hang, NULL, 0);
        CHECK_INT(end_of(future)->status, ==, PLAIT_JOB_REFUSED);
        CHECK_INT(end_of(future)->result, ==, -EPIPE);
        plait_future_unref(future);
        plait_executor_free(executor);
        CHECK_INT(plait_fork_server_stop(), ==, 0);
}

TEST(an_idle_worker_that_is_killed_is_replaced)
{
        struct plait_executor *executor = open_executor(1);
        int pid = 0;
        struct plait_job job = {.fn = get_server, .result = &pid, .result_bytes = sizeof pid};

        for (int i = 0; i < 20; i++) {
                struct plait_future *future = submit(executor, be_killed, NULL, 0);

                CHECK_INT(end_of(future)->status, ==, PLAIT_JOB_CRASHED);
                plait_future_unref(future);
                CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, NULL), ==, 0);
        }
        plait_executor_free(executor);
}

/* --- no orphans --- */

static int leave_a_child(void *arg, void *result)
{
        pid_t child = fork();

        (void)arg;
        if (child == 0) {
                setsid(); /* even out of the worker's group */
                for (;;)
                        pause();
        }
        *(int *)result = (int)child;
        return child < 0 ? -errno : 0;
}

static void wait_for_end(int pidfd)
{
        struct pollfd look = {.fd = pidfd, .events = POLLIN};

        CHECK_INT(poll(&look, 1, -1), ==, 1);
        close(pidfd);
}

TEST(what_jobs_leave_behind_ends_with_the_pool)
{
        struct plait_executor *executor = open_executor(1);
        int pid = 0;
        struct plait_job job = {.fn = leave_a_child, .result = &pid, .result_bytes = sizeof pid};

        CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, NULL), ==, 0);
        int pidfd = CHECK_SYS(pidfd_open(pid, 0));
        plait_executor_free(executor);
        wait_for_end(pidfd);
}

static int tell_and_hang(void *arg, void *result)
{
        printf("%d %d\n", (int)getpid(), (int)getppid());
        return hang(arg, result);
}

TEST(everything_ends_when_the_program_is_killed)
{
        int ends[2], worker = 0, server = 0;
        char text[64] = "";

        CHECK_SYS(pipe(ends));
        pid_t program = CHECK_SYS(fork());
        if (program == 0) {
                dup2(ends[1], STDOUT_FILENO);
                struct plait_executor *executor = open_executor(1);
                plait_future_unref(submit(executor, tell_and_hang, NULL, 0));
                for (;;)
                        pause();
        }
        close(ends[1]);
        CHECK_INT(read(ends[0], text, sizeof text - 1), >, 0);
        CHECK_INT(sscanf(text, "%d %d", &worker, &server), ==, 2);
        int worker_end = CHECK_SYS(pidfd_open(worker, 0)), server_end = CHECK_SYS(pidfd_open(server, 0));
        CHECK_SYS(kill(server, SIGSTOP)); /* it learns of it all the same */
        CHECK_SYS(kill(program, SIGKILL));
        CHECK_SYS(waitpid(program, NULL, 0));
        wait_for_end(worker_end);
        wait_for_end(server_end);
        close(ends[0]);
}

/* --- results that nobody fetches --- */

static int fill(void *arg, void *result)
{
        memset(result, *(const int *)arg, 30000);
        return 0;
}

TEST(results_wait_for_whoever_fetches_them)
{
        enum { JOBS = 100 };
        struct plait_executor *executor = open_executor(1);
        struct plait_future *futures[JOBS];
        int numbers[JOBS];

        for (int i = 0; i < JOBS; i++) {
                numbers[i] = i;
                struct plait_job job = {
                        .fn = fill, .arg = &numbers[i], .arg_bytes = sizeof numbers[i], .result_bytes = 30000};

                CHECK_INT(plait_executor_submit(executor, &job, &futures[i]), ==, 0);
        }
        CHECK_INT(plait_executor_shutdown(executor, PLAIT_SHUTDOWN_DRAIN, PLAIT_NEVER), ==, 0);
        for (int i = 0; i < JOBS; i++) {
                const struct plait_job_end *end = end_of(futures[i]);

                CHECK_UINT(end->bytes, ==, 30000);
                CHECK_INT(((const unsigned char *)end->data)[29999], ==, i);
                plait_future_unref(futures[i]);
        }
        plait_executor_free(executor);
}
