/*
 * The keeper: a thread that looks after the worker processes of all pools, and after the fork server. It is there as
 * long as there is a process pool.
 *
 * Locking: its lock guards the list of pools. Everything else is the thread's own.
 */
#ifndef PL_POOL_KEEPER_H
#define PL_POOL_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"

struct pl_processes;
struct pl_server_request;

/* A descriptor that it watches. */
struct pl_keeper_source {
        void (*ready)(struct pl_keeper_source *source, uint32_t events);
};

/* Have *pool* kept; 0, -EAGAIN, -ENOMEM, -EMFILE. */
PL_WARN_UNUSED int pl_keeper_add(struct pl_processes *pool);

/* A pool is gone, as pl_processes_serve() has said: with the last one the thread ends, and this waits for that. */
void pl_keeper_remove(void);

/* In a process that the program has forked: there is no keeper, and the program's is none of its business. */
void pl_keeper_forget(void);

/* Something is to be done for some pool. Any thread. */
void pl_keeper_wake(void);

/* Jobs are under way: it is to look after them now and then. Wakes it only if it sleeps for good. */
void pl_keeper_stir(void);

/* --- for what runs in its thread --- */

/* 0 or -errno. */
PL_WARN_UNUSED int pl_keeper_watch(int fd, struct pl_keeper_source *source, uint32_t events);
void pl_keeper_unwatch(int fd);

/* Ask the server for a worker; it is started if there is none. As pl_server_start() and pl_server_ask(). */
PL_WARN_UNUSED int pl_keeper_ask(const struct pl_server_request *request, const int fds[], char *const environment[]);

#endif
