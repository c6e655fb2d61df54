/*
 * Child processes. Each has an attendant: a task in the child's scope, which has it spawned (spawn.c), waits for its
 * exit by pidfd, ends it when the scope or somebody says so, and reaps it. Whoever waits for the child waits for the
 * future that the attendant sets at the end.
 *
 * The handle and the attendant have a reference each. *lock* guards *started*, *starter*, and *reaped* together with
 * the process itself: while it is held and *reaped* is false, *pid* and *pidfd* stand for the child and nothing else.
 */
#include "plait/child.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/offload.h"
#include "io/spawn.h"
#include "plait/event.h"
#include "plait/fd.h"
#include "plait/future.h"
#include "plat/lock.h"
#include "sync/selectable.h"

#define DEFAULT_GRACE_NS INT64_C(5000000000)
#define RETRY_MS 10 /* where the poller cannot watch one more descriptor */

struct plait_child {
        struct pl_lock lock;
        _Atomic uint32_t refs;
        bool started; /* or failed to */
        bool reaped;
        struct pl_wait *starter; /* who waits for that */
        struct pl_io_spawn spawn;
        struct plait_event stop;
        struct plait_future *exited; /* to 0 or -ECHILD */
        struct plait_child_status status;
        int64_t grace_ns;
        int stop_signal;
        bool group;
};

static void unref(struct plait_child *child)
{
        if (atomic_fetch_sub_explicit(&child->refs, 1, memory_order_acq_rel) != 1)
                return;
        plait_future_unref(child->exited);
        free(child);
}

/* --- the process --- */

static int send_signal(struct plait_child *child, int number)
{
        int saved = errno;
        int r = -ESRCH;

        pl_lock_acquire(&child->lock);
        if (!child->reaped)
                r = child->group ? kill(-child->spawn.pid, number)
                                 : pidfd_send_signal(child->spawn.pidfd, number, NULL, 0);
        if (!child->reaped && r < 0)
                r = -errno;
        pl_lock_release(&child->lock);
        errno = saved;
        return r;
}

static int64_t ns_of(struct timeval time)
{
        return (int64_t)time.tv_sec * 1000000000 + (int64_t)time.tv_usec * 1000;
}

static void note_exit(struct plait_child_status *status, const siginfo_t *info, const struct rusage *usage)
{
        bool exited = info->si_code == CLD_EXITED;

        *status = (struct plait_child_status){.exit_code = exited ? info->si_status : -1,
                                              .signal = exited ? 0 : info->si_status,
                                              .core_dumped = info->si_code == CLD_DUMPED,
                                              .user_ns = ns_of(usage->ru_utime),
                                              .system_ns = ns_of(usage->ru_stime),
                                              .max_rss_bytes = (int64_t)usage->ru_maxrss * 1024};
}

/* The process has exited: 0 or -ECHILD. Before, this returns -EAGAIN. */
static int reap(struct plait_child *child)
{
        int saved = errno;
        struct rusage usage = {0};
        siginfo_t info = {0};

        pl_lock_acquire(&child->lock);
        int r = (int)syscall(SYS_waitid, P_PIDFD, child->spawn.pidfd, &info, WEXITED | WNOHANG, &usage);
        r = r < 0 ? -ECHILD : info.si_pid == 0 ? -EAGAIN : 0;
        if (r == 0)
                note_exit(&child->status, &info, &usage);
        child->reaped = r != -EAGAIN;
        pl_lock_release(&child->lock);
        errno = saved;
        return r;
}

/* --- the attendant --- */

/* Until it exits: 0. Or it is to be ended: anything else. */
static int wait_for_exit(struct plait_child *child)
{
        for (;;) {
                struct plait_case cases[] = {plait_case_fd(child->spawn.pidfd, POLLIN), plait_case_event(&child->stop)};
                int r = pl_sync_select(cases, 2, PLAIT_NEVER, PL_WAIT_CHILD);

                if (r >= 0 || r == -ECANCELED || r == -ETIMEDOUT)
                        return r;
                r = plait_sleep(plait_in_ms(RETRY_MS));
                if (r < 0)
                        return r;
        }
}

/* In a shielded scope: whether it has exited by *deadline_ns*. */
static bool exits_by(struct plait_child *child, int64_t deadline_ns)
{
        for (;;) {
                int r = plait_wait_fd(child->spawn.pidfd, POLLIN, deadline_ns);

                if (r > 0 || r == -ETIMEDOUT)
                        return r > 0;
                (void)!plait_sleep(plait_in_ms(RETRY_MS));
        }
}

static void end_it(struct plait_child *child)
{
        struct plait_scope shield = PLAIT_SCOPE_INIT;

        shield.flags = PLAIT_SCOPE_SHIELD;
        (void)!plait_scope_open(&shield);
        (void)!send_signal(child, child->stop_signal);
        (void)!send_signal(child, SIGCONT); /* one that is stopped would not notice */
        if (!exits_by(child, plait_in_ns(child->grace_ns))) {
                (void)!send_signal(child, SIGKILL);
                (void)exits_by(child, PLAIT_NEVER);
        } else if (child->group) {
                (void)!send_signal(child, SIGKILL); /* what it leaves behind; the group exists while it is not reaped */
        }
        (void)!plait_scope_join(&shield);
}

static void tell_starter(struct plait_child *child)
{
        pl_lock_acquire(&child->lock);

        struct pl_wait *starter = child->starter;

        child->started = true;
        pl_lock_release(&child->lock);
        if (starter && pl_sched_wake_claim(starter))
                pl_sched_wake_ready(starter);
}

static int attend(void *arg)
{
        struct plait_child *child = arg;
        int r = pl_io_offload(PL_IO_POOL_FILES, &child->spawn.job, PLAIT_NEVER);

        if (r < 0)
                child->spawn.result = r;
        r = child->spawn.result;
        tell_starter(child); /* the request is the starter's again */
        if (r == 0) {
                if (wait_for_exit(child) != 0)
                        end_it(child);
                while ((r = reap(child)) == -EAGAIN)
                        (void)!plait_sleep(plait_in_ms(RETRY_MS)); /* POLLIN without an exit: not on any known kernel */
                (void)plait_close(child->spawn.pidfd);
                (void)!plait_future_set(child->exited, r, NULL);
        }
        unref(child);
        return 0;
}

/* --- starting --- */

static int check(const char *const argv[], const struct plait_child_opts *opts)
{
        if (!argv || !argv[0] || !argv[0][0])
                return -EINVAL;
        if (!opts)
                return 0;
        if (opts->size != sizeof *opts || opts->in < PLAIT_CHILD_NULL || opts->out < PLAIT_CHILD_NULL ||
            opts->err < PLAIT_CHILD_TO_OUT || (opts->flags & ~(PLAIT_CHILD_GROUP | PLAIT_CHILD_KEEP_FDS)) ||
            opts->stop_signal < 0 || opts->stop_signal > SIGRTMAX)
                return -EINVAL;
        return 0;
}

static struct plait_child *new_child(const struct plait_child_opts *opts)
{
        struct plait_child *child = calloc(1, sizeof *child);

        if (!child)
                return NULL;
        if (plait_future_new(NULL, &child->exited) < 0) {
                free(child);
                return NULL;
        }
        child->refs = 2;
        child->stop_signal = opts && opts->stop_signal ? opts->stop_signal : SIGTERM;
        child->grace_ns = opts && opts->grace_ns ? opts->grace_ns : DEFAULT_GRACE_NS;
        child->group = opts && opts->flags & PLAIT_CHILD_GROUP;
        return child;
}

static const char *base_name(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash && slash[1] ? slash + 1 : path;
}

/* The attendant reads what is in the caller's frame, so nothing ends this wait. */
static void wait_for_start(struct plait_child *child)
{
        pl_lock_acquire(&child->lock);
        if (child->started) {
                pl_lock_release(&child->lock);
                return;
        }
        child->starter = pl_sched_wait_begin(PL_WAIT_CHILD, child);
        pl_lock_release(&child->lock);
        (void)!pl_sched_wait_finish(child->starter, PLAIT_NEVER, PL_WAIT_UNINTERRUPTIBLE | PL_WAIT_LENDS);
}

int plait_child_start(struct plait_scope *scope, const char *const argv[], const struct plait_child_opts *opts,
                      struct plait_child **ret_child)
{
        int r = check(argv, opts);

        if (r < 0)
                return r;

        char name[32];
        struct plait_task_opts task_opts = {.size = sizeof task_opts, .name = name};
        struct plait_child *child = new_child(opts);

        if (!child)
                return -ENOMEM;
        pl_io_spawn_prepare(&child->spawn, argv, opts);
        snprintf(name, sizeof name, "child %s", base_name(argv[0]));
        r = plait_scope_start(scope, attend, child, &task_opts, NULL);
        if (r < 0) {
                child->refs = 1; /* there is no attendant */
                unref(child);
                return r;
        }
        wait_for_start(child);
        r = child->spawn.result;
        if (r < 0) {
                if (opts && opts->ret_cause)
                        *opts->ret_cause = child->spawn.cause;
                unref(child);
                return r;
        }
        *ret_child = child;
        return 0;
}

void plait_child_free(struct plait_child *child)
{
        if (!child)
                return;
        for (int i = 0; i < 3; i++)
                plait_child_close_pipe(child, i);
        unref(child);
}

int plait_child_pid(const struct plait_child *child)
{
        return child->spawn.pid;
}

int plait_child_pipe(const struct plait_child *child, int which)
{
        return which >= 0 && which < 3 && child->spawn.pipes[which] >= 0 ? child->spawn.pipes[which] : -EBADF;
}

void plait_child_close_pipe(struct plait_child *child, int which)
{
        int fd = plait_child_pipe(child, which);

        if (fd < 0)
                return;
        child->spawn.pipes[which] = -1;
        (void)plait_close(fd);
}

/* --- afterwards --- */

int plait_child_wait(struct plait_child *child, int64_t deadline_ns, struct plait_child_status *ret_status)
{
        int result;
        int r = plait_future_wait(child->exited, deadline_ns, &result, NULL);

        if (r < 0 || result < 0)
                return r < 0 ? r : result;
        if (ret_status)
                *ret_status = child->status;
        return 0;
}

int plait_child_signal(struct plait_child *child, int number)
{
        return send_signal(child, number);
}

void plait_child_stop(struct plait_child *child)
{
        plait_event_set(&child->stop);
}

struct plait_case plait_case_child(struct plait_child *child)
{
        return plait_case_future(child->exited);
}
