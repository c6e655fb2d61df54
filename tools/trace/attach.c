/*
 * Recording a part of a program that runs already: a wish is written into its mailbox (plait/trace.h), and a worker of
 * its own answers. Nothing runs in the program but plait; the kernel decides who may write there.
 */
#include "trace/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <plait/time.h>
#include <plait/trace.h>

#include "inspect/program.h"

enum { ASK_AGAIN_MS = 2 };
#define START_NS INT64_C(10000000000) /* to begin: a worker must look at its timers once */
#define STOP_NS INT64_C(600000000000) /* to end: the whole recording is written as a Perfetto trace, if it is to be */

struct target {
        struct inspect_program program;
        uint64_t mailbox; /* its address there */
        int pidfd;
        bool opened; /* program is */
        const struct attach *attach;
        struct inspect_error error;
};

#define MEMBER(name) offsetof(struct plait_trace_mailbox, name)

/* --- its memory --- */

static bool put(struct target *target, size_t offset, const void *from, size_t bytes)
{
        struct iovec local = {.iov_base = (void *)(uintptr_t)from, .iov_len = bytes};
        struct iovec remote = {.iov_base = (void *)(uintptr_t)(target->mailbox + offset), .iov_len = bytes};

        return process_vm_writev(target->program.memory.pid, &local, 1, &remote, 1, 0) == (ssize_t)bytes;
}

static bool get(struct target *target, size_t offset, void *to, size_t bytes)
{
        return inspect_read(&target->program.memory, target->mailbox + offset, to, bytes);
}

static int refuse(struct target *target)
{
        if (!inspect_is_alive(&target->program.memory))
                return inspect_fail(&target->error, "process %d (%s) has ended", target->program.memory.pid,
                                    target->program.memory.command);
        return inspect_explain_refusal(target->program.memory.pid, &target->error);
}

/* --- finding it --- */

static bool is_number(const char *text)
{
        return *text && text[strspn(text, "0123456789")] == '\0';
}

/* It opens the file itself, by a name that must mean the same there as here. */
static int check_root(struct target *target)
{
        char path[48];
        struct stat here, there;

        snprintf(path, sizeof path, "/proc/%d/root/", target->program.memory.pid);
        if (stat("/", &here) == 0 && stat(path, &there) == 0 &&
            (here.st_dev != there.st_dev || here.st_ino != there.st_ino))
                return inspect_fail(&target->error,
                                    "process %d (%s) sees other files than plait does (it is in a container or a "
                                    "chroot): run plait there, or start the program with PLAIT_TRACE=FILE",
                                    target->program.memory.pid, target->program.memory.command);
        return 0;
}

static int find(struct target *target)
{
        const struct plait_registry *layout = &target->program.layout;
        int32_t wake_fd = -1;

        if (!is_number(target->attach->pid))
                return inspect_fail(&target->error, "'%s' is no process number", target->attach->pid);
        target->opened = true;
        int r = inspect_program_open(&target->program, target->attach->pid, &target->error);
        if (r < 0)
                return r;
        if (!target->program.memory.live)
                return inspect_fail(&target->error, "%s is a core file: only a process that runs can be recorded",
                                    target->attach->pid);
        if (layout->size < offsetof(struct plait_registry, trace) + sizeof layout->trace || !layout->trace)
                return inspect_fail(&target->error,
                                    "process %d (%s) uses plait %.15s, which records nothing: it needs a newer library",
                                    target->program.memory.pid, target->program.memory.command, layout->library);
        target->mailbox = (uint64_t)(uintptr_t)layout->trace;
        if (!get(target, MEMBER(wake_fd), &wake_fd, sizeof wake_fd))
                return refuse(target);
        if (wake_fd < 0)
                return inspect_fail(&target->error, "process %d (%s) uses plait, but runs no tasks at the moment",
                                    target->program.memory.pid, target->program.memory.command);
        target->pidfd = pidfd_open(target->program.memory.pid, 0);
        return target->pidfd < 0 ? refuse(target) : check_root(target);
}

/* --- asking --- */

/* Where the kernel cannot do that, a worker looks by itself before long. */
static void wake(struct target *target)
{
        const uint64_t one = 1;
        int32_t wake_fd = -1;
        int fd;

        if (!get(target, MEMBER(wake_fd), &wake_fd, sizeof wake_fd) || wake_fd < 0)
                return;
        fd = pidfd_getfd(target->pidfd, wake_fd, 0);
        if (fd < 0)
                return;
        if (write(fd, &one, sizeof one) < 0)
                errno = 0; /* it is awake, then */
        close(fd);
}

/* Whether the process ends within that time. */
static bool ends_within(struct target *target, int timeout_ms)
{
        struct pollfd ends = {.fd = target->pidfd, .events = POLLIN};

        return poll(&ends, 1, timeout_ms) > 0;
}

static volatile sig_atomic_t interrupted;

static int refuse_second(struct target *target)
{
        return inspect_fail(&target->error, "somebody else is asking process %d for a recording",
                            target->program.memory.pid);
}

/*
 * The number of the next question; -1: somebody is waiting for the answer to the last one. That of who has gone away
 * without it is taken back, lest it be answered by what the next one wants.
 */
static int number_question(struct target *target, uint32_t *ret)
{
        uint32_t asked, answered;
        int32_t watcher = 0;

        if (!get(target, MEMBER(asked), &asked, sizeof asked) ||
            !get(target, MEMBER(answered), &answered, sizeof answered) ||
            !get(target, MEMBER(watcher), &watcher, sizeof watcher))
                return refuse(target);
        if (asked != answered && watcher != getpid() && (watcher <= 0 || kill(watcher, 0) == 0 || errno != ESRCH))
                return refuse_second(target);
        if (asked != answered && !put(target, MEMBER(answered), &asked, sizeof asked))
                return refuse(target);
        *ret = asked + 1;
        return 0;
}

static int explain_silence(struct target *target, bool is_interrupted)
{
        if (is_interrupted)
                return inspect_fail(&target->error, "interrupted before process %d (%s) has answered",
                                    target->program.memory.pid, target->program.memory.command);
        return inspect_fail(&target->error,
                            "process %d (%s) does not answer: it is stopped, or all its workers are "
                            "held up by what they run",
                            target->program.memory.pid, target->program.memory.command);
}

/*
 * Asks for what stands in the mailbox. 0 and the answer; 1: the process has ended; -1: it does not answer, or may not
 * be written to.
 */
static int ask(struct target *target, enum plait_trace_command command, int64_t limit_ns, int32_t *ret_result)
{
        const int64_t end_ns = plait_now_ns() + limit_ns;
        const sig_atomic_t interrupted_before = command == PLAIT_TRACE_START ? 0 : interrupted;
        uint32_t asked, answered, number = (uint32_t)command;
        int r = number_question(target, &asked);

        if (r < 0)
                return r;
        if (!put(target, MEMBER(command), &number, sizeof number) || !put(target, MEMBER(asked), &asked, sizeof asked))
                return refuse(target);
        for (wake(target); plait_now_ns() < end_ns && interrupted == interrupted_before;) {
                if (!get(target, MEMBER(answered), &answered, sizeof answered) || ends_within(target, ASK_AGAIN_MS))
                        return 1;
                if (answered == asked)
                        return get(target, MEMBER(result), ret_result, sizeof *ret_result) ? 0 : 1;
        }
        return explain_silence(target, interrupted != interrupted_before);
}

static int explain_start(struct target *target, int32_t result)
{
        const char *path = target->attach->recording;

        switch (-result) {
        case EBUSY:
                return inspect_fail(&target->error, "process %d (%s) records already", target->program.memory.pid,
                                    target->program.memory.command);
        case EAGAIN:
                return inspect_fail(&target->error,
                                    "process %d (%s) is still writing the recording of a plait trace that is gone: try "
                                    "again later",
                                    target->program.memory.pid, target->program.memory.command);
        case EACCES:
        case EPERM:
        case EROFS:
                return inspect_fail(&target->error,
                                    "process %d (%s) may not write to %s: give it a place where it may, by -o",
                                    target->program.memory.pid, target->program.memory.command, path);
        default:
                return inspect_fail(&target->error, "process %d (%s) cannot record into %s: %s",
                                    target->program.memory.pid, target->program.memory.command, path,
                                    strerrordesc_np(-result) ? strerrordesc_np(-result) : "for an unknown reason");
        }
}

/* Two that ask at the same moment write into the same mailbox: it is for the one whose question stands there. */
static bool is_answer_to(struct target *target, const struct plait_trace_mailbox *box)
{
        char path[sizeof box->path];
        int32_t watcher;

        return get(target, MEMBER(watcher), &watcher, sizeof watcher) && watcher == box->watcher &&
               get(target, MEMBER(path), path, sizeof path) && memcmp(path, box->path, sizeof path) == 0;
}

/* Fills in the mailbox and asks. As ask(); and -1: it was asked by somebody else at the same time. */
static int ask_to_start(struct target *target, const struct plait_trace_mailbox *box, int32_t *ret_result)
{
        uint32_t number;
        int r = number_question(target, &number);

        if (r < 0)
                return r;
        if (!put(target, MEMBER(watcher), &box->watcher, sizeof box->watcher) ||
            !put(target, MEMBER(until_ns), &box->until_ns, sizeof box->until_ns) ||
            !put(target, MEMBER(ring_bytes), &box->ring_bytes, sizeof box->ring_bytes) ||
            !put(target, MEMBER(path), box->path, sizeof box->path))
                return refuse(target);
        r = ask(target, PLAIT_TRACE_START, START_NS, ret_result);
        return r == 0 && !is_answer_to(target, box) ? refuse_second(target) : r;
}

/* Asks again while the process ends the recording of somebody who is gone. */
static int start(struct target *target)
{
        const struct attach *attach = target->attach;
        struct plait_trace_mailbox box = {
                .watcher = getpid(),
                .ring_bytes = attach->ring_kib << 10,
        };
        int32_t result = 0;
        size_t length = strlen(attach->recording);
        int r = 0;

        if (length >= sizeof box.path)
                return inspect_fail(&target->error, "the name of the file is too long: %s", attach->recording);
        memcpy(box.path, attach->recording, length + 1);
        const int64_t end_ns = plait_now_ns() + START_NS;
        do
                r = ask_to_start(target, &box, &result);
        while (r == 0 && result == -EAGAIN && plait_now_ns() < end_ns && !ends_within(target, ASK_AGAIN_MS));
        if (r > 0)
                return refuse(target);
        return r == 0 && result < 0 ? explain_start(target, result) : r;
}

/* --- recording --- */

static void on_signal(int number)
{
        (void)number;
        interrupted = interrupted + 1;
}

/* Until the time is over, the process ends, or somebody has had enough. True: it has ended. */
static bool wait_until_over(struct target *target)
{
        const int64_t end_ns = plait_now_ns() + target->attach->duration_ns;
        int64_t left_ns;

        while (!interrupted && (left_ns = end_ns - plait_now_ns()) > 0) {
                int64_t left_ms = left_ns / 1000000 + 1;

                if (ends_within(target, left_ms < 100 ? (int)left_ms : 100))
                        return true;
        }
        return false;
}

static int record(struct target *target)
{
        struct sigaction action = {.sa_handler = on_signal}, before[3];
        static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
        int32_t result = 0;

        for (size_t i = 0; i < 3; i++)
                if (sigaction(numbers[i], NULL, &before[i]) == 0 && before[i].sa_handler != SIG_IGN)
                        sigaction(numbers[i], &action, NULL);
        int r = start(target);
        if (r == 0 && !wait_until_over(target)) {
                r = ask(target, PLAIT_TRACE_STOP, STOP_NS, &result);
                if (r == 0 && result < 0 && result != -EALREADY)
                        r = inspect_fail(&target->error, "the recording is not whole: %s",
                                         strerrordesc_np(-result) ? strerrordesc_np(-result) : "unknown reason");
        }
        for (size_t i = 0; i < 3; i++)
                sigaction(numbers[i], &before[i], NULL);
        return r < 0 ? r : 0;
}

int attach(const struct attach *attach, char *message, size_t size)
{
        struct target target = {.attach = attach, .pidfd = -1};
        int r = find(&target);

        if (r == 0)
                r = record(&target);
        if (target.pidfd >= 0)
                close(target.pidfd);
        if (target.opened)
                inspect_program_close(&target.program);
        if (r < 0)
                snprintf(message, size, "%s", target.error.text);
        return r;
}

int attach_name(const char *pid, char *name, size_t size, char *message, size_t message_size)
{
        char path[64];
        FILE *file = NULL;

        if (is_number(pid) && strlen(pid) < 16) {
                snprintf(path, sizeof path, "/proc/%s/comm", pid);
                file = fopen(path, "re");
        }
        if (!file || !fgets(name, (int)size, file)) {
                snprintf(message, message_size, "there is no process %s", pid);
                if (file)
                        fclose(file);
                return -1;
        }
        fclose(file);
        name[strcspn(name, "\n")] = '\0';
        for (char *at = name; *at; at++)
                if (*at == '/' || *at <= ' ')
                        *at = '_';
        return 0;
}
