/*
 * Ctrl-C and its like. The lock is a plain one, held for moments and across no wait: a worker may take it.
 */
#include "fetch/signals.h"

#include <signal.h>
#include <unistd.h>

#include <plait/time.h>

static void fill(sigset_t *set)
{
        sigemptyset(set);
        sigaddset(set, SIGINT);
        sigaddset(set, SIGTERM);
        sigaddset(set, SIGHUP);
}

/* One wish can come as two signals: timeout(1) and terminals' hang-ups signal a process and its group. */
#define SAME_WISH_NS 300000000LL

static void *wait_for_signals(void *arg)
{
        struct signals *signals = arg;
        sigset_t set;
        int number = 0;

        fill(&set);
        for (;;) {
                if (sigwait(&set, &number) != 0)
                        continue;
                pthread_mutex_lock(&signals->lock);
                if (signals->ended) {
                        pthread_mutex_unlock(&signals->lock);
                        return NULL;
                }
                if (signals->received && plait_now_ns() - signals->received_ns > SAME_WISH_NS)
                        _exit(128 + number);
                if (!signals->received) {
                        signals->received = number;
                        signals->received_ns = plait_now_ns();
                }
                if (signals->scope)
                        plait_scope_cancel(signals->scope);
                pthread_mutex_unlock(&signals->lock);
        }
}

int signals_start(struct signals *signals)
{
        sigset_t set;

        *signals = (struct signals){.lock = PTHREAD_MUTEX_INITIALIZER};
        fill(&set);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
        return -pthread_create(&signals->thread, NULL, wait_for_signals, signals);
}

int signals_watch(struct signals *signals, struct plait_scope *scope)
{
        pthread_mutex_lock(&signals->lock);
        signals->scope = scope;
        int received = signals->received;
        pthread_mutex_unlock(&signals->lock);
        return received;
}

int signals_stop(struct signals *signals)
{
        pthread_mutex_lock(&signals->lock);
        signals->ended = true;
        int received = signals->received;
        pthread_mutex_unlock(&signals->lock);
        pthread_kill(signals->thread, SIGHUP);
        pthread_join(signals->thread, NULL);
        return received;
}
