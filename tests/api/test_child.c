/* Child processes: starting, pipes, exits, ends with their scope; nothing is left behind. */
#include <fcntl.h>
#include <plait/plait.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/alone.h"

static const char *const sleeps[] = {"sleep", "1000", NULL};

static struct plait_child *start(struct plait_scope *scope, const char *const argv[],
                                 const struct plait_child_opts *opts)
{
        struct plait_child *child;

        CHECK_OK(plait_child_start(scope, argv, opts, &child));
        CHECK_INT(plait_child_pid(child), >, 0);
        return child;
}

static struct plait_child *shell(struct plait_scope *scope, const char *script, const struct plait_child_opts *opts)
{
        const char *const argv[] = {"sh", "-c", script, NULL};

        return start(scope, argv, opts);
}

static struct plait_child_status wait_for(struct plait_child *child)
{
        struct plait_child_status status = {.exit_code = -2};

        CHECK_OK(plait_child_wait(child, PLAIT_NEVER, &status));
        return status;
}

/* What comes through a pipe, as text. */
static const char *output(struct plait_child *child, int which)
{
        static char text[4096];
        ssize_t n = CHECK_OK(plait_read_full(plait_child_pipe(child, which), text, sizeof text - 1, PLAIT_NEVER));

        text[n] = '\0';
        return text;
}

static void check_no_zombies(void)
{
        siginfo_t info;

        CHECK_INT(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), ==, -1);
        CHECK_INT(errno, ==, ECHILD);
}

/* --- exits --- */

TEST(child_exit_code_is_told, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_child *child = shell(&scope, "exit 7", NULL);
        struct plait_child_status status = wait_for(child);

        CHECK_INT(status.exit_code, ==, 7);
        CHECK_INT(status.signal, ==, 0);
        CHECK(!status.core_dumped);
        CHECK_INT(status.user_ns + status.system_ns, >=, 0);
        CHECK_INT(status.max_rss_bytes, >, 100 << 10);
        CHECK_OK(plait_child_wait(child, 0, NULL)); /* and again */
        CHECK_OK(plait_scope_join(&scope));
        plait_child_free(child);
        plait_child_free(NULL);
        check_no_zombies();
}

TEST(child_killed_by_a_signal_says_so, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_child *child = shell(&scope, "kill -USR1 $$", NULL);
        struct plait_child_status status = wait_for(child);

        CHECK_INT(status.exit_code, ==, -1);
        CHECK_INT(status.signal, ==, SIGUSR1);
        plait_child_free(child);
        CHECK_OK(plait_scope_join(&scope));
}

TEST(child_wait_times_out, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_child *child = start(&scope, sleeps, NULL);

        CHECK_INT(plait_child_wait(child, 0, NULL), ==, -ETIMEDOUT);
        CHECK_INT(plait_child_wait(child, plait_in_ms(2), NULL), ==, -ETIMEDOUT);
        CHECK_OK(plait_child_signal(child, 0));
        CHECK_OK(plait_child_signal(child, SIGKILL));
        CHECK_INT(wait_for(child).signal, ==, SIGKILL);
        CHECK_INT(plait_child_signal(child, 0), ==, -ESRCH);
        plait_child_free(child);
        CHECK_OK(plait_scope_join(&scope));
}

TEST(child_signal_that_does_not_exist, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_child *child = start(&scope, sleeps, NULL);

        CHECK_INT(plait_child_signal(child, 1000), ==, -EINVAL);
        plait_child_stop(child);
        CHECK_INT(wait_for(child).signal, ==, SIGTERM);
        plait_child_free(child);
        CHECK_OK(plait_scope_join(&scope));
}

TEST(child_status_taken_by_others_is_missed, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        signal(SIGCHLD, SIG_IGN);
        struct plait_child *child = start(&scope, sleeps, NULL);

        CHECK_OK(plait_child_signal(child, SIGKILL));
        CHECK_INT(plait_child_wait(child, PLAIT_NEVER, NULL), ==, -ECHILD);

        struct plait_case cases[] = {plait_case_child(child)};

        CHECK_INT(plait_select(cases, 1, 0), ==, 0);
        CHECK_INT(cases[0].result, ==, -ECHILD);
        plait_child_free(child);
        CHECK_OK(plait_scope_join(&scope));
}

static void *wait_in_thread(void *arg)
{
        CHECK_INT(wait_for(arg).exit_code, ==, 3);
        return NULL;
}

TEST(child_is_waited_for_by_a_thread, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_child_opts opts = {.size = sizeof opts, .in = PLAIT_CHILD_PIPE};
        struct plait_child *child = shell(&scope, "read x; exit 3", &opts);
        pthread_t thread;

        CHECK_INT(pthread_create(&thread, NULL, wait_in_thread, child), ==, 0);
        plait_child_close_pipe(child, 0);
        CHECK_INT(wait_for(child).exit_code, ==, 3);
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
        plait_child_free(child);
        CHECK_OK(plait_scope_join(&scope));
}

TEST(child_is_a_case_of_select, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_child *never = start(&scope, sleeps, NULL), *soon = shell(&scope, "exit 0", NULL);
        struct plait_case cases[] = {plait_case_child(never), plait_case_child(soon)};

        CHECK_INT(plait_select(cases, 2, PLAIT_NEVER), ==, 1);
        CHECK_INT(cases[1].result, ==, 0);
        CHECK_INT(wait_for(soon).exit_code, ==, 0);
        plait_child_stop(never);
        CHECK_INT(plait_select(cases, 1, PLAIT_NEVER), ==, 0);
        plait_child_free(never);
        plait_child_free(soon);
        CHECK_OK(plait_scope_join(&scope));
}

/* --- what it is given --- */

TEST(child_has_pipes, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_child_opts opts = {
                .size = sizeof opts, .in = PLAIT_CHILD_PIPE, .out = PLAIT_CHILD_PIPE, .err = PLAIT_CHILD_PIPE};
        struct plait_child *child = shell(&scope, "read a; echo out $a; echo err $a >&2", &opts);

        CHECK_INT(plait_write_full(plait_child_pipe(child, 0), "one\n", 4, PLAIT_NEVER), ==, 4);
        CHECK_STR(output(child, 1), "out one\n");
        CHECK_STR(output(child, 2), "err one\n");
        CHECK_INT(plait_child_pipe(child, 3), ==, -EBADF);
        CHECK_INT(plait_child_pipe(child, -1), ==, -EBADF);
        plait_child_close_pipe(child, 1);
        CHECK_INT(plait_child_pipe(child, 1), ==, -EBADF);
        plait_child_close_pipe(child, 1);
        CHECK_INT(wait_for(child).exit_code, ==, 0);
        plait_child_free(child);
        CHECK_OK(plait_scope_join(&scope));
}

TEST(child_error_goes_where_its_output_goes, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_child_opts opts = {
                .size = sizeof opts, .in = PLAIT_CHILD_NULL, .out = PLAIT_CHILD_PIPE, .err = PLAIT_CHILD_TO_OUT};
        struct plait_child *child = shell(&scope, "cat; echo a; echo b >&2", &opts);

        CHECK_STR(output(child, 1), "a\nb\n");
        CHECK_INT(plait_child_pipe(child, 2), ==, -EBADF);
        plait_child_free(child);
        CHECK_OK(plait_scope_join(&scope));
}

TEST(child_writes_to_a_given_descriptor, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int ends[2];
        char text[8] = "";

        CHECK_OK(plait_pipe(ends));
        struct plait_child_opts opts = {.size = sizeof opts, .out = ends[1], .err = PLAIT_CHILD_NULL};
        struct plait_child *child = shell(&scope, "echo hi; echo no >&2", &opts);

        CHECK_INT(plait_read(ends[0], text, sizeof text, PLAIT_NEVER), ==, 3);
        CHECK_STR(text, "hi\n");
        CHECK_INT(wait_for(child).exit_code, ==, 0);
        plait_child_free(child);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_OK(plait_close(ends[0]));
        CHECK_OK(plait_close(ends[1]));
}

/* Output and error change places: who assigned one after the other would lose one. */
TEST(child_gets_descriptors_1_and_2_swapped, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_child_opts opts = {.size = sizeof opts, .out = 2, .err = 1};
        int pipes[2][2], saved[2];
        char text[8] = "";

        for (int i = 0; i < 2; i++) {
                CHECK_SYS(pipe2(pipes[i], O_CLOEXEC));
                saved[i] = CHECK_SYS(fcntl(i + 1, F_DUPFD_CLOEXEC, 10));
                CHECK_SYS(dup2(pipes[i][1], i + 1));
        }
        struct plait_child *child = shell(&scope, "echo out; echo err >&2", &opts);
        int code = wait_for(child).exit_code;

        for (int i = 0; i < 2; i++) {
                CHECK_SYS(dup2(saved[i], i + 1));
                close(saved[i]);
        }
        CHECK_INT(code, ==, 0);
        CHECK_INT(read(pipes[1][0], text, sizeof text), ==, 4);
        CHECK_STR(text, "out\n");
        CHECK_INT(read(pipes[0][0], text, sizeof text), ==, 4);
        CHECK_STR(text, "err\n");
        for (int i = 0; i < 4; i++)
                close(pipes[i / 2][i % 2]);
        plait_child_free(child);
        CHECK_OK(plait_scope_join(&scope));
}

TEST(child_has_its_directory_and_environment, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        const char *const env[] = {"PATH=/usr/bin:/bin", "COLOUR=green", NULL};
        struct plait_child_opts opts = {.size = sizeof opts, .cwd = "/usr", .env = env, .out = PLAIT_CHILD_PIPE};
        struct plait_child *child = shell(&scope, "pwd; env | grep COLOUR; env | grep -c HOME", &opts);

        CHECK_STR(output(child, 1), "/usr\nCOLOUR=green\n0\n");
        plait_child_free(child);
        opts = (struct plait_child_opts){.size = sizeof opts, .out = PLAIT_CHILD_PIPE};
        CHECK_SYS(setenv("SHAPE", "round", 1));
        child = shell(&scope, "echo $SHAPE", &opts);
        CHECK_STR(output(child, 1), "round\n");
        plait_child_free(child);
        CHECK_OK(plait_scope_join(&scope));
}

TEST(child_starts_with_default_signals, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_child_opts opts = {.size = sizeof opts, .out = PLAIT_CHILD_PIPE};
        const char *const argv[] = {"grep", "-E", "Sig(Blk|Ign)", "/proc/self/status", NULL};
        unsigned long long blocked, ignored;

        signal(SIGPIPE, SIG_IGN);
        signal(SIGHUP, SIG_IGN);
        struct plait_child *child = start(&scope, argv, &opts);

        CHECK_INT(sscanf(output(child, 1), "SigBlk: %llx SigIgn: %llx", &blocked, &ignored), ==, 2);
        CHECK_UINT(blocked, ==, 0);
        CHECK_UINT(ignored & ~0x180000000ULL, ==, 0); /* 32 and 33 are the C library's own */
        plait_child_free(child);
        CHECK_OK(plait_scope_join(&scope));
}

TEST(child_has_no_other_descriptors, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_child_opts opts = {.size = sizeof opts, .out = PLAIT_CHILD_PIPE};
        const char *const argv[] = {"ls", "/proc/self/fd", NULL};
        char kept[32];
        int leaky = CHECK_SYS(open("/dev/null", O_RDONLY)); /* would be inherited */
        int high = CHECK_SYS(fcntl(leaky, F_DUPFD, 200));
        struct plait_child *child = start(&scope, argv, &opts);

        CHECK_STR(output(child, 1), "0\n1\n2\n3\n"); /* ls itself has the directory open */
        plait_child_free(child);
        opts.flags = PLAIT_CHILD_KEEP_FDS;
        child = start(&scope, argv, &opts);
        snprintf(kept, sizeof kept, "\n%d\n", high);
        CHECK(strstr(output(child, 1), kept));
        plait_child_free(child);
        CHECK_OK(plait_scope_join(&scope));
        close(leaky);
        close(high);
}

/* --- what can go wrong --- */

static const char *cause;

static int try_start(const char *program, struct plait_child_opts opts)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        const char *const argv[] = {program, NULL};
        struct plait_child *child = NULL;

        cause = "";
        opts.size = sizeof opts;
        opts.ret_cause = &cause;
        int r = plait_child_start(&scope, argv, &opts, &child);

        CHECK_OK(plait_scope_join(&scope));
        CHECK_PTR(child, ==, NULL);
        check_no_zombies();
        return r;
}

TEST(child_start_says_what_is_wrong, .run = in_task)
{
        CHECK_INT(try_start("/does/not/exist", (struct plait_child_opts){0}), ==, -ENOENT);
        CHECK_STR(cause, "program");
        CHECK_INT(try_start("does-not-exist-either", (struct plait_child_opts){0}), ==, -ENOENT);
        CHECK_STR(cause, "program");
        CHECK_INT(try_start("true", (struct plait_child_opts){.cwd = "/does/not/exist"}), ==, -ENOENT);
        CHECK_STR(cause, "working directory");
        CHECK_INT(try_start("true", (struct plait_child_opts){.cwd = "/dev/null"}), <, 0);
        CHECK_STR(cause, "working directory");
        CHECK_INT(try_start("/dev/null", (struct plait_child_opts){0}), ==, -EACCES);
        CHECK_STR(cause, "program");
        CHECK_INT(try_start("/etc/passwd/x", (struct plait_child_opts){0}), ==, -ENOTDIR);
        CHECK_INT(try_start("true", (struct plait_child_opts){.out = 987654}), ==, -EBADF);
        CHECK_STR(cause, "descriptors");
}

TEST(child_start_wants_a_program, .run = in_task)
{
        char name[] = "/tmp/plait-no-program-XXXXXX";
        int fd = CHECK_SYS(mkstemp(name));

        CHECK_INT(write(fd, "no program", 10), ==, 10);
        CHECK_SYS(fchmod(fd, 0700));
        close(fd);
        CHECK_INT(try_start(name, (struct plait_child_opts){0}), ==, -ENOEXEC);
        CHECK_STR(cause, "program");
        unlink(name);
}

TEST(child_start_checks_its_arguments, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_child *child = NULL;
        const char *const none[] = {NULL}, *const empty[] = {"", NULL};
        struct plait_child_opts wrong = {0};

        CHECK_INT(plait_child_start(&scope, NULL, NULL, &child), ==, -EINVAL);
        CHECK_INT(plait_child_start(&scope, none, NULL, &child), ==, -EINVAL);
        CHECK_INT(plait_child_start(&scope, empty, NULL, &child), ==, -EINVAL);
        CHECK_INT(plait_child_start(&scope, sleeps, &wrong, &child), ==, -EINVAL);
        CHECK_INT(try_start("true", (struct plait_child_opts){.in = -3}), ==, -EINVAL);
        CHECK_INT(try_start("true", (struct plait_child_opts){.out = -3}), ==, -EINVAL);
        CHECK_INT(try_start("true", (struct plait_child_opts){.err = -4}), ==, -EINVAL);
        CHECK_INT(try_start("true", (struct plait_child_opts){.flags = 1U << 31}), ==, -EINVAL);
        CHECK_INT(try_start("true", (struct plait_child_opts){.stop_signal = 65}), ==, -EINVAL);
        CHECK_INT(try_start("true", (struct plait_child_opts){.stop_signal = -1}), ==, -EINVAL);
        CHECK_OK(plait_scope_join(&scope));
}

TEST(child_start_with_too_long_arguments, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_child *child;
        char *longest = malloc(1 << 20);

        CHECK(longest);
        memset(longest, 'x', 1 << 20);
        longest[(1 << 20) - 1] = '\0';
        const char *const argv[] = {"true", longest, NULL};

        CHECK_INT(plait_child_start(&scope, argv, NULL, &child), ==, -E2BIG);
        CHECK_OK(plait_scope_join(&scope));
        free(longest);
        check_no_zombies();
}

TEST(child_start_without_descriptors_left, .run = in_task)
{
        struct rlimit limit;
        int first;

        CHECK_INT(try_start("/does/not/exist", (struct plait_child_opts){0}), ==, -ENOENT); /* all threads are there */
        first = CHECK_SYS(dup(0));
        close(first);
        CHECK_SYS(getrlimit(RLIMIT_NOFILE, &limit));
        for (int more = 0; more < 6; more++) {
                struct rlimit low = {.rlim_cur = (rlim_t)(first + more), .rlim_max = limit.rlim_max};

                CHECK_SYS(setrlimit(RLIMIT_NOFILE, &low));
                CHECK_INT(try_start("true", (struct plait_child_opts){.in = PLAIT_CHILD_PIPE,
                                                                      .out = PLAIT_CHILD_PIPE,
                                                                      .err = PLAIT_CHILD_PIPE}),
                          ==, -EMFILE);
                CHECK_STR(cause, "descriptors");
        }
        struct rlimit low = {.rlim_cur = (rlim_t)first, .rlim_max = limit.rlim_max};

        CHECK_SYS(setrlimit(RLIMIT_NOFILE, &low)); /* the process is there, but no descriptor for it */
        CHECK_INT(try_start("true", (struct plait_child_opts){0}), ==, -EMFILE);
        CHECK_STR(cause, "process");
        CHECK_SYS(setrlimit(RLIMIT_NOFILE, &limit));
}

/* --- ends --- */

TEST(child_is_told_to_end_with_its_scope, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_child *child = start(&scope, sleeps, NULL);

        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(wait_for(child).signal, ==, SIGTERM);
        plait_child_free(child);
        check_no_zombies();
}

TEST(child_is_told_to_end_at_its_scopes_deadline, .run = in_task)
{
        struct plait_child *child;
        int r;

        for (int64_t ms = 100;; ms *= 2) { /* until it is started in time */
                struct plait_scope scope = PLAIT_SCOPE_INIT;

                scope.deadline_ns = plait_in_ms(ms);
                CHECK_OK(plait_scope_open(&scope));
                r = plait_child_start(&scope, sleeps, NULL, &child);
                (void)!plait_scope_join(&scope);
                if (r != -ETIMEDOUT)
                        break;
        }
        CHECK_OK(r);
        CHECK_INT(wait_for(child).signal, ==, SIGTERM);
        plait_child_free(child);
        check_no_zombies();
}

TEST(child_that_does_not_end_is_killed, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_child_opts opts = {.size = sizeof opts, .out = PLAIT_CHILD_PIPE, .grace_ns = 20 * 1000 * 1000};
        struct plait_child *child = shell(&scope, "trap '' TERM; echo; while :; do sleep 0.01; done", &opts);
        char byte;

        CHECK_INT(plait_read(plait_child_pipe(child, 1), &byte, 1, PLAIT_NEVER), ==, 1);
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        CHECK_INT(wait_for(child).signal, ==, SIGKILL);
        plait_child_free(child);
        check_no_zombies();
}

TEST(child_may_end_in_its_own_way_when_told, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_child_opts opts = {
                .size = sizeof opts, .out = PLAIT_CHILD_PIPE, .stop_signal = SIGINT, .grace_ns = INT64_C(600000000000)};
        /* It sleeps shortly: a shell that begins to wait just when the signal comes does not see it before the end. */
        struct plait_child *child = shell(&scope, "trap 'exit 9' INT; echo; while :; do sleep 0.01; done", &opts);
        char byte;

        CHECK_INT(plait_read(plait_child_pipe(child, 1), &byte, 1, PLAIT_NEVER), ==, 1);
        plait_child_stop(child);
        plait_child_stop(child);
        CHECK_INT(wait_for(child).exit_code, ==, 9);
        plait_child_stop(child);
        plait_child_free(child);
        CHECK_OK(plait_scope_join(&scope));
}

TEST(child_without_grace_is_killed_at_once, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_child_opts opts = {.size = sizeof opts, .out = PLAIT_CHILD_PIPE, .grace_ns = -1};
        struct plait_child *child = shell(&scope, "trap '' TERM; echo; while :; do sleep 0.01; done", &opts);
        char byte;

        CHECK_INT(plait_read(plait_child_pipe(child, 1), &byte, 1, PLAIT_NEVER), ==, 1);
        plait_child_stop(child);
        CHECK_INT(wait_for(child).signal, ==, SIGKILL);
        plait_child_free(child);
        CHECK_OK(plait_scope_join(&scope));
}

/* The pipe ends when all of the group have: a grandchild that ignores SIGTERM would keep it open. */
TEST(child_group_ends_as_a_whole, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_child_opts opts = {.size = sizeof opts, .out = PLAIT_CHILD_PIPE, .flags = PLAIT_CHILD_GROUP};
        struct plait_child *child = shell(
                &scope, "sh -c \"trap '' TERM; echo; while :; do sleep 0.01; done\" & sleep 1000", &opts);
        char byte;

        CHECK_INT(plait_read(plait_child_pipe(child, 1), &byte, 1, PLAIT_NEVER), ==, 1);
        CHECK_INT(getpgid(plait_child_pid(child)), ==, plait_child_pid(child));
        plait_child_stop(child);
        CHECK_INT(wait_for(child).signal, ==, SIGTERM);
        CHECK_INT(plait_read(plait_child_pipe(child, 1), &byte, 1, PLAIT_NEVER), ==, 0);
        plait_child_free(child);
        CHECK_OK(plait_scope_join(&scope));
}

TEST(child_freed_handle_closes_its_pipes, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_child_opts opts = {.size = sizeof opts, .in = PLAIT_CHILD_PIPE};
        struct plait_child *child = shell(&scope, "cat", &opts);

        plait_child_free(child); /* it reads the end, and exits */
        CHECK_OK(plait_scope_join(&scope));
        check_no_zombies();
}

TEST(child_is_not_started_in_a_cancelled_scope, .run = in_task)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_child *child = NULL;

        CHECK_OK(plait_scope_open(&scope));
        plait_scope_cancel(&scope);
        CHECK_INT(plait_child_start(&scope, sleeps, NULL, &child), ==, -ECANCELED);
        CHECK_PTR(child, ==, NULL);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
        check_no_zombies();
}

TEST(child_start_outside_of_tasks_is_refused)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_child *child;

        CHECK_INT(plait_child_start(&scope, sleeps, NULL, &child), ==, -EINVAL);
}

static int one_of_many(void *arg)
{
        struct plait_child_opts opts = {.size = sizeof opts, .in = PLAIT_CHILD_PIPE, .out = PLAIT_CHILD_PIPE};
        const char *const cat[] = {"cat", NULL};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        char buf[8];

        (void)arg;
        for (int i = 0; i < 3; i++) {
                struct plait_child *child = start(&scope, cat, &opts);

                CHECK_INT(plait_write_full(plait_child_pipe(child, 0), "hello", 5, PLAIT_NEVER), ==, 5);
                plait_child_close_pipe(child, 0); /* if another child had this end, cat would not see the end */
                CHECK_INT(plait_read_full(plait_child_pipe(child, 1), buf, sizeof buf, PLAIT_NEVER), ==, 5);
                CHECK_INT(wait_for(child).exit_code, ==, 0);
                plait_child_free(child);
        }
        return plait_scope_join(&scope);
}

/* Starts processes that keep whatever they inherit, as fast as it can. */
static void *spawn_others(void *arg)
{
        while (!__atomic_load_n((bool *)arg, __ATOMIC_ACQUIRE)) {
                pid_t pid = CHECK_SYS(fork());

                if (pid == 0) {
                        execlp("sleep", "sleep", "0.05", (char *)NULL);
                        _exit(127);
                }
                CHECK_INT(waitpid(pid, NULL, 0), ==, pid);
        }
        return NULL;
}

static void *count_descriptors(void *arg)
{
        int *ret = arg;
        FILE *list = popen("ls /proc/self/fd | wc -l", "re");

        CHECK(list && fscanf(list, "%d", ret) == 1);
        pclose(list);
        return NULL;
}

TEST(child_pipes_do_not_leak_into_other_processes, .run = in_task, .timeout_ms = 120000)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        bool stop = false;
        pthread_t spawner;
        int before, after;

        count_descriptors(&before);
        CHECK_INT(pthread_create(&spawner, NULL, spawn_others, &stop), ==, 0);
        for (int i = 0; i < 8; i++)
                CHECK_OK(plait_scope_go(&scope, one_of_many, NULL));
        count_descriptors(&after);
        CHECK_INT(after, ==, before);
        CHECK_OK(plait_scope_join(&scope));
        __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
        CHECK_INT(pthread_join(spawner, NULL), ==, 0);
        check_no_zombies();
}
