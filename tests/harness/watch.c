/*
 * The parent's side of a case: starts its process, collects what it prints, enforces the time-out and finds processes
 * that it leaves behind.
 *
 * SIGCHLD is blocked but for the time spent in ppoll, so that the end of a child is never missed. The harness is the
 * reaper of all descendants: what is left after a case becomes its child and is found by waitpid.
 */
#include "harness/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
        TIMEOUT_MS = 60000,
        GRACE_MS = 10000,
};

static sigset_t mask_in_poll;

static void on_sigchld(int signo)
{
        (void)signo;
}

static TEST_NORETURN void die(const char *what)
{
        fprintf(stderr, "test harness: %s: %s\n", what, strerror(errno));
        exit(EXIT_FAILURE);
}

void test_watch_init(void)
{
        struct sigaction action = {.sa_handler = on_sigchld};
        if (sigaction(SIGCHLD, &action, NULL) < 0)
                die("sigaction");
        prctl(PR_SET_CHILD_SUBREAPER, 1); /* qemu-user does not know it: there, processes left behind go unseen */
        sigset_t chld;
        sigemptyset(&chld);
        sigaddset(&chld, SIGCHLD);
        sigprocmask(SIG_BLOCK, &chld, &mask_in_poll);
}

static double now(void)
{
        struct timespec ts;
        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* A death is expected: it goes to the kernel, not to a sanitizer's handler, and leaves no core file. */
static void expect_death(int signo)
{
        const struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(signo, SIG_DFL);
}

static TEST_NORETURN void child(const struct test_case *test, int out, int err)
{
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setpgid(0, 0);
        signal(SIGCHLD, SIG_DFL);
        signal(SIGINT, SIG_DFL); /* a shell ignores both for what it starts in the background */
        signal(SIGQUIT, SIG_DFL);
        sigprocmask(SIG_SETMASK, &mask_in_poll, NULL);

        const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0)
                die("redirecting");
        close(null);
        if (test->signal)
                expect_death(test->signal);
        test_run_here(test);
}

/* Reads what is there; closes the stream at its end. Reading goes on when the buffer is full: nobody is to block. */
static void collect(struct test_output *output)
{
        char spill[4096];
        while (output->fd >= 0) {
                const size_t room = sizeof(output->data) - output->n;
                const ssize_t n = room ? read(output->fd, output->data + output->n, room)
                                       : read(output->fd, spill, sizeof(spill));
                if (n < 0 && errno == EAGAIN)
                        return;
                if (n <= 0) {
                        close(output->fd);
                        output->fd = -1;
                        return;
                }
                *(room ? &output->n : &output->lost) += (size_t)n;
        }
}

/* Sleeps until something is printed, a child ends or the time is up. */
static void wait_for_news(struct test_run *run, double deadline)
{
        double left = deadline - now();
        if (left < 0)
                left = 0;
        const struct timespec ts = {.tv_sec = (time_t)left, .tv_nsec = (long)((left - (double)(time_t)left) * 1e9)};
        struct pollfd fds[2] = {{.fd = run->out.fd, .events = POLLIN}, {.fd = run->err.fd, .events = POLLIN}};
        ppoll(fds, 2, &ts, &mask_in_poll);
        collect(&run->out);
        collect(&run->err);
}

/* Asks gdb, if there is one, where the threads of a case that hangs are. */
static void take_backtrace(struct test_run *run)
{
        if (!getenv("PLAIT_TEST_BACKTRACE"))
                return;
        char command[128];
        snprintf(command, sizeof(command), "timeout 20 gdb -batch -p %d -ex 'thread apply all bt' 2>&1 </dev/null",
                 (int)run->pid);
        FILE *gdb = popen(command, "re");
        if (!gdb)
                return;
        const size_t n = fread(run->backtrace, 1, sizeof(run->backtrace) - 1, gdb);
        run->backtrace[n] = '\0';
        pclose(gdb);
}

static void kill_children(void)
{
        char path[64];
        snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
        FILE *children = fopen(path, "re");
        for (int pid; children && fscanf(children, "%d", &pid) == 1;)
                kill(pid, SIGKILL);
        if (children)
                fclose(children);
}

/* Descendants that the case did not wait for: they may end by themselves within the grace, else they are killed. */
static void end_orphans(struct test_run *run)
{
        const int grace_ms = run->test->grace_ms ? run->test->grace_ms : GRACE_MS;
        const double deadline = now() + grace_ms * 1e-3 * test_slowness();
        for (;;) {
                const pid_t pid = waitpid(-1, NULL, WNOHANG);
                if (pid < 0)
                        return;
                if (pid > 0)
                        continue;
                if (now() < deadline && !run->timed_out) {
                        wait_for_news(run, deadline);
                        continue;
                }
                run->left_processes = !run->timed_out;
                break;
        }

        do
                kill_children();
        while (waitpid(-1, NULL, 0) > 0 || errno == EINTR);
}

static void wait_for_end(struct test_run *run, double deadline)
{
        while (waitpid(run->pid, &run->status, WNOHANG) != run->pid) {
                if (now() >= deadline && !run->timed_out) {
                        run->timed_out = true;
                        take_backtrace(run);
                        kill(-run->pid, SIGKILL);
                        kill(run->pid, SIGKILL);
                        deadline += 3600;
                }
                wait_for_news(run, deadline);
        }
}

static int open_pipe(struct test_output *output)
{
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
                die("pipe");
        output->fd = ends[0];
        return ends[1];
}

static void close_output(struct test_output *output)
{
        collect(output);
        if (output->fd >= 0)
                close(output->fd);
}

void test_watch(struct test_run *run)
{
        const double start = now();
        const int timeout_ms = run->test->timeout_ms ? run->test->timeout_ms : TIMEOUT_MS;
        const int out = open_pipe(&run->out);
        const int err = open_pipe(&run->err);

        fflush(NULL);
        run->pid = fork();
        if (run->pid < 0)
                die("fork");
        if (run->pid == 0) {
                close(run->out.fd);
                close(run->err.fd);
                child(run->test, out, err);
        }
        setpgid(run->pid, run->pid);
        close(out);
        close(err);

        wait_for_end(run, start + timeout_ms * 1e-3 * test_slowness());
        run->seconds = now() - start;
        end_orphans(run);
        kill(-run->pid, SIGKILL);
        close_output(&run->out);
        close_output(&run->err);
}
