/*
 * The fork server: a process that makes the worker processes, and reaps them.
 *
 * It is either a copy of the program as it was when plait_fork_server_start() was called, or the program started anew
 * (from /proc/self/exe) and stopped before main(): then it has what the linker and the constructors have made, and
 * nothing else. It never has a thread, so what it forks is whole.
 *
 * It ends when the process that it serves ends or closes the connection, and takes all its descendants with it: it is
 * their reaper (PR_SET_CHILD_SUBREAPER). A worker is killed by the kernel if the server ends first
 * (PR_SET_PDEATHSIG). Each worker is a process group, which is killed when the worker has died.
 *
 * The connection is a socket of packets, one struct each.
 */
#ifndef PL_POOL_SERVER_H
#define PL_POOL_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attributes.h"

/* To the server: make a worker. With these descriptors: */
enum pl_server_fd {
        PL_FD_SHARE, /* struct pl_share */
        PL_FD_BELL,  /* struct pl_bell */
        PL_FD_SETUP, /* struct pl_setup */
        PL_FD_EVENT, /* an eventfd that goes with the bell */
        PL_FD_OUT,
        PL_FD_ERR,
        PL_FD_CWD,
        PL_SERVER_FDS
};

struct pl_server_request {
        uint64_t number;
        uint32_t index; /* among the workers of its pool */
        uint32_t reserved;
};

enum pl_server_news {
        PL_SERVER_READY,   /* it is up */
        PL_SERVER_SPAWNED, /* with a pidfd */
        PL_SERVER_FAILED,  /* error */
        PL_SERVER_EXITED,  /* a worker has died; its process group is dead, too */
};

struct pl_server_reply {
        uint64_t number;
        uint32_t news;
        int32_t pid;
        int32_t error;
        int32_t exit_code; /* -1: a signal ended it */
        int32_t signal;
        uint32_t reserved;
        uint64_t rss_most; /* bytes */
};

/* A server, as its client knows it. */
struct pl_server {
        int socket; /* -1: there is none */
        int pidfd;
        pid_t pid;
        bool copied; /* by plait_fork_server_start() */
};

/*
 * Start the program anew as a server, with the environment *environment*. Never in the program's way: nothing of it is
 * run in this process. 0; -EPERM: this is a set-user-ID program; -ENOEXEC: the program does not load this library at
 * its start, so it cannot be stopped before main(); or what making a process says.
 */
PL_WARN_UNUSED int pl_server_start(struct pl_server *ret, char *const environment[]);

/* The server of plait_fork_server_start(), if there is one, until it is given back. */
bool pl_server_borrow(struct pl_server *ret);
void pl_server_give_back(void);

/* Close the connection and reap the server, which ends with all its workers. */
void pl_server_stop(struct pl_server *server);

/* Ask for a worker. 0, or -errno: -EAGAIN: too many requests are under way; -EPIPE: the server is gone. */
PL_WARN_UNUSED int pl_server_ask(const struct pl_server *server, const struct pl_server_request *request,
                                 const int fds[PL_SERVER_FDS]);

/* The next news; *ret_pidfd* is -1 if none came with it. 1; 0: there are none; -EPIPE: the server is gone. */
PL_WARN_UNUSED int pl_server_listen(const struct pl_server *server, struct pl_server_reply *ret, int *ret_pidfd);

/* The server's own main program, on its end of the connection. */
PL_NORETURN void pl_server_main(int socket);

#endif
