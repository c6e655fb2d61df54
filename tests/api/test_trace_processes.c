/* Recordings of several processes: of those that were killed, of children, and made from outside. */
#include <dirent.h>
#include <errno.h>
#include <plait/plait.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/recorded.h"

static int nothing(void *arg)
{
        (void)arg;
        return 0;
}

/* --- processes --- */

static int tell_and_die(void *arg)
{
        (void)arg;
        for (int i = 0; i < 100000; i++)
                PLAIT_INSTANT("before", i);
        PLAIT_INSTANT("the last words", 1);
        plait_trace_message("and a text");
        kill(getpid(), SIGKILL);
        return 0;
}

TEST(what_was_told_before_a_kill_can_be_read)
{
        new_path();
        pid_t child = CHECK_SYS(fork());
        if (child == 0) {
                (void)!plait_trace_start(path, NULL);
                (void)!plait_run(tell_and_die, NULL, NULL);
                _exit(1);
        }
        int status;
        CHECK_SYS(waitpid(child, &status, 0));
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        struct plait_recording *recording = opened();
        struct plait_recording_info info = info_of(recording);
        CHECK(!info.live);
        CHECK(!plait_recording_get_process(recording, 0)->ended);
        CHECK_UINT(count(recording, PLAIT_RECORDING_INSTANT, "before") + info.dropped, ==, 100000);
        struct plait_recording_event last = first(recording, PLAIT_RECORDING_INSTANT, "the last words");
        CHECK_INT(last.value, ==, 1);
        CHECK(find(recording, PLAIT_RECORDING_INSTANT, "and a text", &last));
        CHECK_INT(info.duration_ns - last.time_ns, <, INT64_C(60000000000));
        plait_recording_close(recording);
        /* The next recording in that file removes what is left in shared memory. */
        CHECK_INT(plait_trace_start(path, NULL), ==, 0);
        CHECK_INT(plait_trace_stop(NULL), ==, 0);
        unlink(path);
}

/* Whether all threads of *pid* sleep, but for the caller. */
static bool all_sleep(pid_t pid)
{
        char path_of[64];
        bool sleep = true;

        snprintf(path_of, sizeof path_of, "/proc/%d/task", (int)pid);
        DIR *threads = opendir(path_of);
        CHECK(threads);
        for (struct dirent *thread; sleep && (thread = readdir(threads));) {
                char stat_of[384], text[512] = "";

                if (thread->d_name[0] == '.' || atoi(thread->d_name) == (int)gettid())
                        continue;
                snprintf(stat_of, sizeof stat_of, "%s/%s/stat", path_of, thread->d_name);
                FILE *stat = fopen(stat_of, "r");
                if (!stat)
                        continue; /* it has ended */
                char *end = fgets(text, sizeof text, stat) ? strrchr(text, ')') : NULL;
                sleep = end && end[2] == 'S';
                fclose(stat);
        }
        closedir(threads);
        return sleep;
}

/* The child is to use threads of its own. */
static void skip_with_tsan(void)
{
        if (TEST_WITH_TSAN)
                SKIP("ThreadSanitizer knows no threads after a fork in a process with threads");
}

/* The recorder's thread must not be inside the allocator meanwhile: what AddressSanitizer has locked stays locked in
 * the child. */
static pid_t fork_beside_the_recorder(void)
{
        while (!all_sleep(getpid()))
                sched_yield();
        return CHECK_SYS(fork());
}

TEST(a_child_does_not_record_what_its_parent_did)
{
        skip_with_tsan();
        CHECK_INT(plait_trace_start(new_path(), NULL), ==, 0);
        PLAIT_INSTANT("parent", 1);
        pid_t child = fork_beside_the_recorder();
        if (child == 0) {
                PLAIT_INSTANT("child", 1);
                _exit(plait_run(nothing, NULL, NULL) != 0 || plait_trace_stop(NULL) != -EALREADY);
        }
        int status;
        CHECK_SYS(waitpid(child, &status, 0));
        CHECK_INT(status, ==, 0);
        PLAIT_INSTANT("parent", 2);
        CHECK_INT(plait_trace_stop(NULL), ==, 0);
        struct plait_recording *recording = opened();
        CHECK_UINT(count(recording, PLAIT_RECORDING_INSTANT, "parent"), ==, 2);
        CHECK_UINT(count(recording, PLAIT_RECORDING_INSTANT, "child"), ==, 0);
        CHECK_UINT(info_of(recording).n_processes, ==, 1);
        done(recording);
}

TEST(a_child_can_join_a_recording)
{
        struct plait_trace_opts join = {.size = sizeof join, .flags = PLAIT_TRACE_JOIN};

        skip_with_tsan();
        CHECK_INT(plait_trace_start(new_path(), NULL), ==, 0);
        PLAIT_FLOW_OUT("to the child", 5);
        pid_t child = fork_beside_the_recorder();
        if (child == 0) {
                if (plait_trace_start(path, NULL) != -EBUSY || plait_trace_start(path, &join) != 0)
                        _exit(1);
                PLAIT_FLOW_IN("to the child", 5);
                _exit(plait_trace_stop(NULL) != 0);
        }
        int status;
        CHECK_SYS(waitpid(child, &status, 0));
        CHECK_INT(status, ==, 0);
        CHECK_INT(plait_trace_stop(NULL), ==, 0);
        struct plait_recording *recording = opened();
        struct plait_recording_event out = first(recording, PLAIT_RECORDING_FLOW_OUT, "to the child");
        struct plait_recording_event in = first(recording, PLAIT_RECORDING_FLOW_IN, "to the child");
        CHECK_UINT(out.object, ==, in.object);
        CHECK_UINT(out.process, !=, in.process);
        CHECK_INT(out.time_ns, <=, in.time_ns);
        CHECK_PTR(out.text, ==, in.text);
        CHECK_UINT(plait_recording_get_process(recording, in.process)->parent_pid, ==, (unsigned)getpid());
        done(recording);
}

/* --- from outside --- */

/* Wait for the end of the pipe at *arg*. */
static int wait_for_end(void *arg)
{
        char byte;

        PLAIT_SPAN("a span from before the recording");
        return plait_read(*(int *)arg, &byte, 1, PLAIT_NEVER) == 0 ? 0 : -EIO;
}

static int run_until_end(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_task_opts opts = {.size = sizeof opts, .name = "sleeper"};

        CHECK_INT(plait_scope_start(&scope, wait_for_end, arg, &opts, NULL), ==, 0);
        return plait_scope_join(&scope);
}

static void copy(pid_t pid, void *own, const void *theirs, size_t bytes, bool from_them)
{
        struct iovec here = {.iov_base = own, .iov_len = bytes};
        struct iovec there = {.iov_base = (void *)(uintptr_t)theirs, .iov_len = bytes};
        ssize_t n = from_them ? process_vm_readv(pid, &here, 1, &there, 1, 0)
                              : process_vm_writev(pid, &here, 1, &there, 1, 0);

        if (n < 0 && (errno == EPERM || errno == ENOSYS))
                SKIP("the memory of another process cannot be read or written here");
        CHECK_INT(n, ==, (ssize_t)bytes);
}

/* Ask process *pid*, a copy of this one, for *command*; its answer. */
static int ask(pid_t pid, enum plait_trace_command command)
{
        const struct plait_trace_mailbox *theirs = plait_registry.trace;
        struct plait_trace_mailbox box;

        copy(pid, &box, theirs, sizeof box, true);
        while (box.wake_fd < 0) { /* its run has not begun */
                sched_yield();
                copy(pid, &box, theirs, sizeof box, true);
        }
        box.command = command;
        box.watcher = getpid();
        snprintf(box.path, sizeof box.path, "%s", path);
        copy(pid, &box, theirs, sizeof box, false);
        uint32_t asked = box.asked + 1;
        copy(pid, &asked, &theirs->asked, sizeof asked, false);

        int pidfd = (int)CHECK_SYS(syscall(SYS_pidfd_open, pid, 0));
        int wake_fd = (int)syscall(SYS_pidfd_getfd, pidfd, box.wake_fd, 0);
        uint64_t one = 1;
        if (wake_fd >= 0) {
                CHECK_INT(write(wake_fd, &one, sizeof one), ==, sizeof one);
                close(wake_fd);
        }
        close(pidfd);
        if (wake_fd < 0)
                SKIP("pidfd_getfd() is refused here");
        do {
                sched_yield();
                copy(pid, &box, theirs, sizeof box, true);
        } while (box.answered != asked);
        return box.result;
}

/* Whether the recording has a task that existed when it began, and what that waits for. */
static bool shows_the_sleeper(void)
{
        struct plait_recording *recording = opened();
        struct plait_recording_event exists, event = {0};
        bool found = find(recording, PLAIT_RECORDING_EXISTS, "wait_for_end", &exists);

        CHECK(plait_recording_get_process(recording, 0)->ended);
        if (found) {
                CHECK(find(recording, PLAIT_RECORDING_NAMED, "sleeper", &event));
                CHECK_UINT(event.flow, ==, exists.flow);
        }
        while (found && find(recording, PLAIT_RECORDING_WAITS, NULL, &event) && event.flow != exists.flow)
                ;
        found = found && event.kind == PLAIT_RECORDING_WAITS && event.flow == exists.flow;
        if (found)
                CHECK(strcmp(cause_of(recording, &event), "read") == 0 ||
                      strcmp(cause_of(recording, &event), "poll") == 0);
        plait_recording_close(recording);
        return found;
}

TEST(a_process_can_be_recorded_from_outside)
{
        int ends[2];

        if (TEST_WITH_TSAN || TEST_WITH_ASAN)
                SKIP("a sanitizer keeps others from the memory of a process");
        new_path();
        CHECK_SYS(pipe(ends));
        pid_t child = CHECK_SYS(fork());
        if (child == 0) {
                close(ends[1]);
                _exit(plait_run(run_until_end, &ends[0], NULL) != 0);
        }
        close(ends[0]);
        CHECK_INT(ask(child, PLAIT_TRACE_STOP), ==, -EALREADY);
        do { /* until its task waits */
                CHECK_INT(ask(child, PLAIT_TRACE_START), ==, 0);
                CHECK_INT(ask(child, PLAIT_TRACE_START), ==, -EBUSY);
                CHECK_INT(ask(child, PLAIT_TRACE_STOP), ==, 0);
        } while (!shows_the_sleeper());
        close(ends[1]);
        int status;
        CHECK_SYS(waitpid(child, &status, 0));
        CHECK_INT(status, ==, 0);
        unlink(path);
}

static int wait_for_nothing(void *arg)
{
        struct plait_event never = PLAIT_EVENT_INIT;

        (void)arg;
        return plait_event_wait(&never, PLAIT_NEVER);
}

static void record_sleeping(unsigned workers)
{
        enum { ROUNDS = 3 };
        struct plait_run_opts opts = {.size = sizeof opts, .workers = workers};

        new_path();
        pid_t child = CHECK_SYS(fork());
        if (child == 0) {
                CHECK_SYS(prctl(PR_SET_PDEATHSIG, SIGKILL));
                _exit(plait_run(wait_for_nothing, NULL, &opts) != 0);
        }
        for (int round = 0; round < ROUNDS; round++) {
                CHECK_INT(ask(child, PLAIT_TRACE_START), ==, 0);
                while (!all_sleep(child))
                        sched_yield();
                CHECK_INT(ask(child, PLAIT_TRACE_STOP), ==, 0);
                while (!all_sleep(child))
                        sched_yield();
        }
        CHECK_SYS(kill(child, SIGKILL));
        CHECK_SYS(waitpid(child, NULL, 0));
        unlink(path);
}

/* It watches no descriptor. A run of one worker has no watch to hear the question. */
TEST(a_process_in_which_all_sleeps_can_be_recorded_from_outside)
{
        if (TEST_WITH_TSAN || TEST_WITH_ASAN)
                SKIP("a sanitizer keeps others from the memory of a process");
        for (unsigned workers = 1; workers <= 3; workers++)
                record_sleeping(workers);
}
