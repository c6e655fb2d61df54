/*
 * Ctrl-C and its like: the first one cancels a scope, the second ends the program on the spot.
 */
#ifndef FETCH_SIGNALS_H
#define FETCH_SIGNALS_H

#include <pthread.h>
#include <stdbool.h>

#include <plait/scope.h>

struct signals {
        pthread_t thread;
        pthread_mutex_t lock; /* guards what follows */
        struct plait_scope *scope;
        int received; /* the first signal; 0: none */
        int64_t received_ns;
        bool ended;
};

/*
 * Blocks SIGINT, SIGTERM and SIGHUP in this thread and those it starts, and waits for them in a thread of its own:
 * that works when every worker is stuck. To be called before plait_run(). Returns 0 or a negative errno.
 */
int signals_start(struct signals *signals);

/* The scope to cancel, as long as it is open; NULL: none. Returns the signal that came already, if any. */
int signals_watch(struct signals *signals, struct plait_scope *scope);

/* Ends the thread; returns the signal that came, or 0. */
int signals_stop(struct signals *signals);

#endif
