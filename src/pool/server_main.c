/*
 * The fork server from the inside: one thread, one loop. It knows its client by the socket and by a pidfd, as a socket
 * may be kept open by others.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plait/trace.h"
#include "plat/panic.h"
#include "pool/server.h"
#include "pool/worker.h"

enum { KILL_ROUNDS = 10000 };

struct child {
        pid_t pid;
        uint64_t number;
};

static struct {
        int socket, client, signals; /* descriptors */
        struct child *children;
        size_t n_children, room;
        char children_path[64];
} self;

/* --- messages --- */

static void tell(const struct pl_server_reply *reply, int fd)
{
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control = {0};
        struct iovec part = {.iov_base = (void *)(uintptr_t)reply, .iov_len = sizeof *reply};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

        if (fd >= 0) {
                message.msg_control = control.bytes;
                message.msg_controllen = sizeof control.bytes;
                struct cmsghdr *head = CMSG_FIRSTHDR(&message);
                head->cmsg_level = SOL_SOCKET;
                head->cmsg_type = SCM_RIGHTS;
                head->cmsg_len = CMSG_LEN(sizeof fd);
                memcpy(CMSG_DATA(head), &fd, sizeof fd);
        }
        while (sendmsg(self.socket, &message, MSG_NOSIGNAL) < 0 && errno == EINTR)
                ;
}

/* How many descriptors came; fewer than were sent if this process cannot have more. */
static unsigned take_fds(struct msghdr *message, int fds[PL_SERVER_FDS])
{
        unsigned n = 0;

        for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
                if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
                        continue;
                n = (unsigned)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
                if (n > PL_SERVER_FDS)
                        n = PL_SERVER_FDS;
                memcpy(fds, CMSG_DATA(head), n * sizeof(int));
        }
        return n;
}

/* --- workers --- */

static int remember(pid_t pid, uint64_t number)
{
        if (self.n_children == self.room) {
                size_t room = self.room ? self.room * 2 : 16;
                struct child *more = realloc(self.children, room * sizeof *more);

                if (!more)
                        return -ENOMEM;
                self.children = more;
                self.room = room;
        }
        self.children[self.n_children++] = (struct child){.pid = pid, .number = number};
        return 0;
}

static PL_NORETURN void become_worker(const int fds[PL_SERVER_FDS], uint32_t index, pid_t server)
{
        sigset_t none;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != server)
                _exit(EXIT_FAILURE);
        setpgid(0, 0);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        close(self.socket);
        close(self.client);
        close(self.signals);
        free(self.children);
        pl_worker_main(fds, index);
}

static void spawn(const struct pl_server_request *request, const int fds[PL_SERVER_FDS])
{
        struct pl_server_reply reply = {.number = request->number, .news = PL_SERVER_SPAWNED};
        pid_t server = getpid();
        pid_t pid = fork();
        int pidfd = -1;

        if (pid == 0)
                become_worker(fds, request->index, server);
        if (pid > 0) {
                setpgid(pid, pid);
                pidfd = pidfd_open(pid, 0);
        }
        if (pid < 0 || pidfd < 0 || remember(pid, request->number) < 0) {
                reply.error = errno ? -errno : -ENOMEM;
                reply.news = PL_SERVER_FAILED;
                if (pid > 0) {
                        kill(pid, SIGKILL);
                        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                                ;
                }
        }
        reply.pid = pid;
        tell(&reply, reply.news == PL_SERVER_SPAWNED ? pidfd : -1);
        if (pidfd >= 0)
                close(pidfd);
}

/* False: the client is gone. */
static bool serve_request(void)
{
        union {
                char bytes[CMSG_SPACE(PL_SERVER_FDS * sizeof(int))];
                struct cmsghdr align;
        } control;
        struct pl_server_request request;
        struct iovec part = {.iov_base = &request, .iov_len = sizeof request};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof control.bytes};
        int fds[PL_SERVER_FDS];
        ssize_t bytes = recvmsg(self.socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

        if (bytes < 0)
                return errno == EINTR || errno == EAGAIN;
        if (bytes != sizeof request)
                return false;
        unsigned n = take_fds(&message, fds);
        if (n == PL_SERVER_FDS) {
                spawn(&request, fds);
        } else {
                struct pl_server_reply reply = {
                        .number = request.number, .news = PL_SERVER_FAILED, .error = -EMFILE, .pid = -1};

                tell(&reply, -1);
        }
        for (unsigned i = 0; i < n; i++)
                close(fds[i]);
        return true;
}

/* A child has died that is not reaped yet. */
static void bury(pid_t pid)
{
        struct pl_server_reply reply = {.news = PL_SERVER_EXITED, .pid = pid, .exit_code = -1};
        bool worker = false;
        struct rusage usage;
        int status;

        for (size_t i = 0; i < self.n_children && !worker; i++) {
                if (self.children[i].pid != pid)
                        continue;
                worker = true;
                reply.number = self.children[i].number;
                self.children[i] = self.children[--self.n_children];
        }
        if (worker)
                kill(-pid, SIGKILL); /* whom its jobs have left behind; the number is taken as long as it is a zombie */
        if (wait4(pid, &status, 0, &usage) != pid || !worker)
                return;
        if (WIFEXITED(status))
                reply.exit_code = WEXITSTATUS(status);
        else if (WIFSIGNALED(status))
                reply.signal = WTERMSIG(status);
        reply.rss_most = (uint64_t)usage.ru_maxrss * 1024;
        tell(&reply, -1);
}

static void bury_the_dead(void)
{
        for (;;) {
                siginfo_t info = {0};

                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid)
                        return;
                bury(info.si_pid);
        }
}

/* --- the end --- */

static void kill_children_of_mine(void)
{
        char text[4096], *at = text, *end;
        int fd = open(self.children_path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;

        if (fd >= 0)
                close(fd);
        text[n > 0 ? n : 0] = '\0';
        for (;;) {
                pid_t pid = (pid_t)strtol(at, &end, 10);

                if (end == at || *end != ' ') /* the last may be cut; there will be another round */
                        return;
                kill(pid, SIGKILL);
                kill(-pid, SIGKILL);
                at = end;
        }
}

/* All descendants: those whose parent dies become children of this process. */
static PL_NORETURN void end(void)
{
        for (size_t i = 0; i < self.n_children; i++)
                kill(-self.children[i].pid, SIGKILL);
        for (int round = 0; round < KILL_ROUNDS; round++) {
                kill_children_of_mine();
                if (waitpid(-1, NULL, 0) < 0 && errno == ECHILD)
                        break;
                while (waitpid(-1, NULL, WNOHANG) > 0)
                        ;
        }
        _exit(EXIT_SUCCESS);
}

/* --- the beginning --- */

static void arrange_fds(int socket)
{
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        for (int fd = 0; fd < 3 && null >= 0; fd++)
                if (fd == 0 || fcntl(fd, F_GETFD) < 0)
                        dup2(null, fd);
        self.socket = fcntl(socket, F_DUPFD_CLOEXEC, 3);
        if (self.socket < 0)
                _exit(EXIT_FAILURE);
        if (self.socket != 3 && dup3(self.socket, 3, O_CLOEXEC) == 3)
                self.socket = 3;
        close_range(4, ~0U, 0);
}

static void arrange_signals(void)
{
        sigset_t child;

        for (int sig = 1; sig < NSIG; sig++)
                if (sig != SIGKILL && sig != SIGSTOP && sig != SIGSEGV && sig != SIGBUS && sig != SIGILL &&
                    sig != SIGFPE)
                        signal(sig, SIG_DFL);
        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        sigprocmask(SIG_SETMASK, &child, NULL);
        self.signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

void pl_server_main(int socket)
{
        struct pl_server_reply ready = {.news = PL_SERVER_READY, .pid = getpid()};
        pid_t client = getppid();

        (void)plait_trace_stop(NULL); /* what PLAIT_TRACE asks for is not meant for this process; no other thread */
        arrange_fds(socket);
        arrange_signals();
        prctl(PR_SET_NAME, "plait-server");
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        prctl(PR_SET_PDEATHSIG, SIGCONT); /* even if somebody has stopped it, it learns that its client is gone */
        snprintf(self.children_path, sizeof self.children_path, "/proc/self/task/%d/children", (int)getpid());
        self.client = pidfd_open(client, 0);
        if (self.client < 0 || self.signals < 0 || getppid() != client)
                _exit(EXIT_FAILURE);
        tell(&ready, -1);
        for (;;) {
                struct pollfd fds[] = {{.fd = self.socket, .events = POLLIN},
                                       {.fd = self.client, .events = POLLIN},
                                       {.fd = self.signals, .events = POLLIN}};

                if (poll(fds, PL_ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
                        end();
                if (fds[2].revents) {
                        struct signalfd_siginfo info;

                        while (read(self.signals, &info, sizeof info) > 0)
                                ;
                        bury_the_dead();
                }
                if (fds[1].revents || (fds[0].revents && !serve_request()))
                        end();
        }
}
