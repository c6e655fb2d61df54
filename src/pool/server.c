/*
 * Having a fork server: starting the program anew as one, the explicit early one, and talking to it.
 *
 * The program started anew is stopped before main() like this: the environment variable tells this library's
 * constructor what it is in for. Other constructors, of libraries and of the program, are to run all the same, as jobs
 * may need what they make. So the last entry of the program's own list of constructors is replaced by the server's main
 * program, which calls that entry first.
 */
#include "pool/server.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plait/fork_server.h"
#include "plat/lock.h"
#include "plat/panic.h"
#include "plat/sys.h"
#include "pool/program.h"
#include "sched/runtime.h"

#define VARIABLE "PLAIT_FORK_SERVER"

enum { SERVER_SOCKET = 3 };

typedef void constructor_fn(int argc, char **argv, char **environment);

/* --- in the program started anew --- */

static int inherited_socket = -1;
static constructor_fn *replaced;

static void serve_instead_of_main(int argc, char **argv, char **environment)
{
        if (replaced)
                replaced(argc, argv, environment);
        pl_server_main(inherited_socket);
}

struct constructors {
        constructor_fn **list;
        size_t n;
};

static int find_constructors(struct dl_phdr_info *info, size_t size, void *arg)
{
        struct constructors *ret = arg;

        (void)size;
        for (unsigned i = 0; i < info->dlpi_phnum; i++) {
                if (info->dlpi_phdr[i].p_type != PT_DYNAMIC)
                        continue;
                for (const ElfW(Dyn) *entry = (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
                     entry->d_tag != DT_NULL; entry++) {
                        if (entry->d_tag == DT_INIT_ARRAY)
                                ret->list = (void *)(info->dlpi_addr + entry->d_un.d_ptr);
                        if (entry->d_tag == DT_INIT_ARRAYSZ)
                                ret->n = entry->d_un.d_val / sizeof *ret->list;
                }
        }
        return 1; /* the first is the program */
}

static bool replace_last_constructor(void)
{
        struct constructors found = {0};
        uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

        dl_iterate_phdr(find_constructors, &found);
        if (!found.list || !found.n)
                return false;
        constructor_fn **last = &found.list[found.n - 1];
        uintptr_t start = (uintptr_t)last & ~(page - 1);
        if (mprotect((void *)start, (uintptr_t)(last + 1) - start, PROT_READ | PROT_WRITE) < 0)
                return false;
        replaced = *last;
        *last = serve_instead_of_main;
        return true;
}

static bool in_program(const void *address)
{
        Dl_info here, program;

        return dladdr(address, &here) && dladdr((const void *)getauxval(AT_PHDR), &program) &&
               here.dli_fbase == program.dli_fbase;
}

__attribute__((constructor)) static void take_over(int argc, char **argv, char **environment)
{
        const char *text = secure_getenv(VARIABLE);
        char *end;

        pl_program_note(argc);
        if (PL_LIKELY(!text))
                return;
        long client = strtol(text, &end, 10);
        unsetenv(VARIABLE);
        if (*end || client != getppid())
                return; /* somebody else's variable */
        inherited_socket = SERVER_SOCKET;
        if (!replace_last_constructor() || (in_program((const void *)take_over) && replaced == take_over)) {
                replaced = NULL;
                serve_instead_of_main(argc, argv, environment);
        }
}

/* --- starting it --- */

/* Whether this library is there from the program's start on, so that take_over() will be called. */
static bool is_loaded_at_start(void)
{
        void *program;
        bool found;

        if (in_program((const void *)take_over))
                return true;
        program = dlopen(NULL, RTLD_NOW);
        found = program && dlsym(program, "plait_fork_server_start") != NULL;
        if (program)
                dlclose(program);
        return found;
}

static char **environment_with(char *const environment[], char *variable)
{
        size_t n = 0, to = 0;

        while (environment[n])
                n++;
        char **copy = calloc(n + 2, sizeof *copy);
        for (size_t i = 0; copy && i < n; i++)
                if (strncmp(environment[i], VARIABLE "=", sizeof VARIABLE) != 0)
                        copy[to++] = environment[i];
        if (copy)
                copy[to] = variable;
        return copy;
}

static int spawn_program(pid_t *ret, int socket, char **environment)
{
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none, all;
        char **argv;

        int r = pl_program_arguments(&argv);
        if (r < 0)
                return r;
        if (posix_spawn_file_actions_init(&actions) != 0) {
                free(argv);
                return -ENOMEM;
        }
        r = posix_spawnattr_init(&attributes);
        if (r == 0) {
                sigemptyset(&none);
                sigfillset(&all);
                posix_spawnattr_setsigmask(&attributes, &none);
                posix_spawnattr_setsigdefault(&attributes, &all);
                posix_spawnattr_setpgroup(&attributes, 0); /* a session would be scheduled as a group of its own */
                posix_spawnattr_setflags(&attributes, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                              POSIX_SPAWN_SETPGROUP));
                r = posix_spawn_file_actions_adddup2(&actions, socket, SERVER_SOCKET);
                if (r == 0)
                        r = posix_spawn_file_actions_addclosefrom_np(&actions, SERVER_SOCKET + 1);
                if (r == 0)
                        r = posix_spawn(ret, "/proc/self/exe", &actions, &attributes, argv, environment);
                posix_spawnattr_destroy(&attributes);
        }
        posix_spawn_file_actions_destroy(&actions);
        free(argv);
        return -r;
}

static void reap(pid_t pid)
{
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

/* A connection; both ends are out of the way of 0 to 3. */
static int make_sockets(int ends[2])
{
        int low[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, low) < 0)
                return -errno;
        for (int i = 0; i < 2; i++)
                ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, SERVER_SOCKET + 1);
        int r = ends[0] < 0 || ends[1] < 0 ? -errno : 0;
        for (int i = 0; i < 2; i++) {
                close(low[i]);
                if (r < 0 && ends[i] >= 0)
                        close(ends[i]);
        }
        return r;
}

static int started(struct pl_server *ret, pid_t pid, int socket, bool copied)
{
        int pidfd = pidfd_open(pid, 0);

        if (pidfd < 0) {
                int r = -errno;

                kill(pid, SIGKILL);
                reap(pid);
                return r;
        }
        *ret = (struct pl_server){.socket = socket, .pidfd = pidfd, .pid = pid, .copied = copied};
        return 0;
}

int pl_server_start(struct pl_server *ret, char *const environment[])
{
        char variable[sizeof VARIABLE + 24];
        int ends[2] = {-1, -1};
        pid_t pid = -1;

        if (getauxval(AT_SECURE))
                return -EPERM;
        if (!is_loaded_at_start())
                return -ENOEXEC;
        snprintf(variable, sizeof variable, VARIABLE "=%d", (int)getpid());
        char **with = environment_with(environment, variable);
        if (!with)
                return -ENOMEM;
        int r = make_sockets(ends);
        if (r == 0) {
                r = spawn_program(&pid, ends[1], with);
                close(ends[1]);
                if (r == 0)
                        r = started(ret, pid, ends[0], false);
                if (r < 0)
                        close(ends[0]);
        }
        free(with);
        return r;
}

void pl_server_stop(struct pl_server *server)
{
        if (server->socket < 0)
                return;
        close(server->socket);
        kill(server->pid, SIGCONT);
        reap(server->pid);
        close(server->pidfd);
        *server = (struct pl_server){.socket = -1, .pidfd = -1};
}

/* --- talking to it --- */

int pl_server_ask(const struct pl_server *server, const struct pl_server_request *request, const int fds[PL_SERVER_FDS])
{
        union {
                char bytes[CMSG_SPACE(PL_SERVER_FDS * sizeof(int))];
                struct cmsghdr align;
        } control = {0};
        struct iovec part = {.iov_base = (void *)(uintptr_t)request, .iov_len = sizeof *request};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof control.bytes};
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);

        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(PL_SERVER_FDS * sizeof(int));
        memcpy(CMSG_DATA(head), fds, PL_SERVER_FDS * sizeof(int));
        for (;;) {
                if (sendmsg(server->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
                        return 0;
                if (errno != EINTR)
                        return errno == ECONNRESET ? -EPIPE : -errno;
        }
}

int pl_server_listen(const struct pl_server *server, struct pl_server_reply *ret, int *ret_pidfd)
{
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control;
        struct iovec part = {.iov_base = ret, .iov_len = sizeof *ret};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof control.bytes};
        ssize_t bytes;

        *ret_pidfd = -1;
        do
                bytes = recvmsg(server->socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        while (bytes < 0 && errno == EINTR);
        if (bytes < 0)
                return errno == EAGAIN ? 0 : -EPIPE;
        if (bytes != sizeof *ret)
                return -EPIPE;
        const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
            head->cmsg_len == CMSG_LEN(sizeof(int)))
                memcpy(ret_pidfd, CMSG_DATA(head), sizeof(int));
        return 1;
}

/* --- the explicit early one --- */

static struct pl_lock early_lock; /* guards the next */
static struct pl_server early = {.socket = -1, .pidfd = -1};
static unsigned borrowed;

/* A process that this one forks by itself has nothing to do with its server, and must not keep the connection. */
static void forget(void)
{
        if (early.socket >= 0) {
                close(early.socket);
                close(early.pidfd);
        }
        early = (struct pl_server){.socket = -1, .pidfd = -1};
        early_lock = (struct pl_lock){0};
        borrowed = 0;
}

int plait_fork_server_start(void)
{
        static bool registered;
        int ends[2] = {-1, -1};
        int r = 0;

        if (pl_sched_run_id() || !pl_plat_is_single())
                return -EBUSY;
        if (early.socket >= 0)
                return -EALREADY;
        if (!registered && pthread_atfork(NULL, NULL, forget) != 0)
                return -ENOMEM;
        registered = true;
        r = make_sockets(ends);
        if (r < 0)
                return r;
        fflush(NULL); /* or what stdout holds would be printed by workers, too */
        pid_t pid = fork();
        if (pid == 0) {
                setpgid(0, 0);
                pl_server_main(ends[1]);
        }
        if (pid < 0)
                r = -errno;
        close(ends[1]);
        if (r == 0)
                r = started(&early, pid, ends[0], true);
        if (r < 0)
                close(ends[0]);
        return r;
}

int plait_fork_server_stop(void)
{
        struct pl_server server = {.socket = -1};
        int r = 0;

        pl_lock_acquire(&early_lock);
        if (borrowed)
                r = -EBUSY;
        else {
                server = early;
                early = (struct pl_server){.socket = -1, .pidfd = -1};
        }
        pl_lock_release(&early_lock);
        pl_server_stop(&server);
        return r;
}

bool pl_server_borrow(struct pl_server *ret)
{
        pl_lock_acquire(&early_lock);
        bool there = early.socket >= 0;
        if (there) {
                *ret = early;
                borrowed++;
        }
        pl_lock_release(&early_lock);
        return there;
}

void pl_server_give_back(void)
{
        pl_lock_acquire(&early_lock);
        borrowed--;
        pl_lock_release(&early_lock);
}
