/*
 * Making a process. Every descriptor that is made here is closed on exec from its first moment, so that processes which
 * other threads start at the same time do not get it. Those that are meant for the child are numbered 3 or higher,
 * because 0 to 2 are assigned one after the other in the child.
 */
#include "io/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/call.h"
#include "io/descriptor.h"
#include "plait/fd.h"

enum { FIRST_FREE = 3 };

extern char **environ;

/* What is open during the making. */
struct making {
        struct pl_io_spawn *spawn;
        int ends[3]; /* the child's; -1: it inherits */
        int cwd;     /* -1: this process's */
};

static int failed(struct pl_io_spawn *spawn, const char *cause, int error)
{
        spawn->cause = cause;
        return error;
}

static void close_it(int *fd)
{
        if (*fd >= 0)
                (void)pl_io_call_close(*fd);
        *fd = -1;
}

/* A copy of *fd* that is out of the way of 0 to 2. */
static int copy_above(int fd)
{
        return pl_io_call_fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE);
}

/* *fd* itself if it is out of the way, else a copy instead of it. */
static int move_above(int fd)
{
        if (fd < 0 || fd >= FIRST_FREE)
                return fd;

        int copy = copy_above(fd);

        (void)pl_io_call_close(fd);
        return copy;
}

static int make_pipe(struct making *making, int which)
{
        int fds[2];
        int mine = which == 0 ? 1 : 0;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        making->ends[which] = move_above(fds[1 - mine]);

        int r = making->ends[which] < 0 ? making->ends[which] : pl_io_call_fcntl(fds[mine], F_SETFL, O_NONBLOCK);

        if (r < 0) {
                (void)pl_io_call_close(fds[mine]);
                return r;
        }
        r = pl_io_own_or_close(fds[mine], 0);
        if (r >= 0)
                making->spawn->pipes[which] = r;
        return r < 0 ? r : 0;
}

static int open_null(int which)
{
        int fd = open("/dev/null", (which == 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC);

        return fd < 0 ? -errno : move_above(fd);
}

static int make_end(struct making *making, int which, int wanted)
{
        switch (wanted) {
        case PLAIT_CHILD_INHERIT: return 0;
        case PLAIT_CHILD_PIPE: return make_pipe(making, which);
        case PLAIT_CHILD_NULL: making->ends[which] = open_null(which); break;
        case PLAIT_CHILD_TO_OUT: making->ends[which] = copy_above(making->ends[1] < 0 ? 1 : making->ends[1]); break;
        default: making->ends[which] = copy_above(wanted); break;
        }
        return making->ends[which] < 0 ? making->ends[which] : 0;
}

static int make_ends(struct making *making, const struct plait_child_opts *opts)
{
        int wanted[3] = {opts ? opts->in : 0, opts ? opts->out : 0, opts ? opts->err : 0};
        int r = 0;

        for (int i = 0; i < 3 && r == 0; i++)
                r = make_end(making, i, wanted[i]);
        return r;
}

/* Opened here, so that its errors are not mistaken for the program's. */
static int open_cwd(struct making *making, const char *path)
{
        if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
                return -errno;

        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

        making->cwd = fd < 0 ? -errno : move_above(fd);
        return making->cwd < 0 ? making->cwd : 0;
}

/* The library's functions return a positive errno. */
static int add_actions(posix_spawn_file_actions_t *actions, const struct making *making, bool keep_fds)
{
        int r = 0;

        for (int i = 0; i < 3 && r == 0; i++)
                if (making->ends[i] >= 0)
                        r = posix_spawn_file_actions_adddup2(actions, making->ends[i], i);
        if (r == 0 && making->cwd >= 0)
                r = posix_spawn_file_actions_addfchdir_np(actions, making->cwd);
        if (r == 0 && !keep_fds)
                r = posix_spawn_file_actions_addclosefrom_np(actions, FIRST_FREE);
        return r;
}

static int set_attributes(posix_spawnattr_t *attributes, bool group)
{
        sigset_t none, all;

        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setsigmask(attributes, &none);
        posix_spawnattr_setsigdefault(attributes, &all);
        posix_spawnattr_setpgroup(attributes, 0);
        return posix_spawnattr_setflags(attributes, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                            (group ? POSIX_SPAWN_SETPGROUP : 0)));
}

static int start_process(struct making *making, unsigned flags)
{
        struct pl_io_spawn *spawn = making->spawn;
        const struct plait_child_opts *opts = spawn->opts;
        char *const *env = opts && opts->env ? (char *const *)(uintptr_t)opts->env : environ;
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        int r = posix_spawn_file_actions_init(&actions);

        if (r)
                return -r;
        r = posix_spawnattr_init(&attributes);
        if (r == 0) {
                r = add_actions(&actions, making, flags & PLAIT_CHILD_KEEP_FDS);
                if (r == 0)
                        r = set_attributes(&attributes, flags & PLAIT_CHILD_GROUP);
                if (r == 0)
                        r = posix_spawnp(&spawn->pid, spawn->argv[0], &actions, &attributes,
                                         (char *const *)(uintptr_t)spawn->argv, env);
                posix_spawnattr_destroy(&attributes);
        }
        posix_spawn_file_actions_destroy(&actions);
        return -r;
}

/* Nobody else reaps it, so the number stands for it still. */
static int open_pidfd(struct pl_io_spawn *spawn)
{
        spawn->pidfd = pidfd_open(spawn->pid, 0);
        if (spawn->pidfd >= 0)
                return 0;

        int error = -errno;

        kill(spawn->pid, SIGKILL);
        while (waitpid(spawn->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        return error;
}

static int make_process(struct making *making)
{
        struct pl_io_spawn *spawn = making->spawn;
        const struct plait_child_opts *opts = spawn->opts;
        int r = opts && opts->cwd ? open_cwd(making, opts->cwd) : 0;

        if (r < 0)
                return failed(spawn, "working directory", r);
        r = make_ends(making, opts);
        if (r < 0)
                return failed(spawn, "descriptors", r);
        r = start_process(making, opts ? opts->flags : 0);
        if (r < 0)
                return failed(spawn, r == -EAGAIN || r == -ENOMEM ? "process" : "program", r);
        r = open_pidfd(spawn);
        return r < 0 ? failed(spawn, "process", r) : 0;
}

static void run(struct pl_io_job *job)
{
        struct pl_io_spawn *spawn = PL_CONTAINER_OF(job, struct pl_io_spawn, job);
        struct making making = {.spawn = spawn, .ends = {-1, -1, -1}, .cwd = -1};
        int saved = errno;

        spawn->result = make_process(&making);
        for (int i = 0; i < 3; i++)
                close_it(&making.ends[i]);
        close_it(&making.cwd);
        for (int i = 0; i < 3 && spawn->result < 0; i++)
                if (spawn->pipes[i] >= 0)
                        (void)plait_close(spawn->pipes[i]);
        errno = saved;
}

void pl_io_spawn_prepare(struct pl_io_spawn *spawn, const char *const *argv, const struct plait_child_opts *opts)
{
        *spawn = (struct pl_io_spawn){
                .job.run = run, .argv = argv, .opts = opts, .pidfd = -1, .pipes = {-1, -1, -1}, .cause = "process"};
}
