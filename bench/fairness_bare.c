/*
 * The bare server of bench/fairness: what somebody would write by hand for this one purpose. Two threads compute, and
 * look every 50 us, as a worker of plait does, whether epoll has something for them. When one of them has to compute
 * without a pause, the other knows, and looks for both. What the kernel, other programs and the load itself do to a
 * latency is in its figures as it is in plait's.
 */
#include "fairness.h"

#include <errno.h>
#include <plait/plait.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { LOOK_NS = 50 * 1000, BATCH = 256 };

static bool is_over(struct fairness_bare *bare)
{
        return atomic_load_explicit(&bare->over, memory_order_relaxed);
}

static void echo_all(int epoll_fd)
{
        struct epoll_event events[BATCH];
        char message[FAIRNESS_MESSAGE_BYTES];
        int n = epoll_wait(epoll_fd, events, BATCH, 0);

        for (int i = 0; i < n; i++) {
                ssize_t bytes = read(events[i].data.fd, message, sizeof message);

                if (bytes > 0 && write(events[i].data.fd, message, (size_t)bytes) != bytes) {
                        perror("fairness: write");
                        exit(EXIT_FAILURE);
                }
        }
}

/* Look at the epolls from *first* to *last*, and compute meanwhile. */
static void serve(struct fairness_bare *bare, int first, int last)
{
        while (!is_over(bare)) {
                int64_t until_ns = plait_now_ns() + LOOK_NS;

                while (plait_now_ns() < until_ns) {}
                for (int i = first; i <= last; i++)
                        echo_all(bare->epoll_fds[i]);
        }
}

static void *serve_first(void *bare)
{
        serve(bare, 0, 0);
        return NULL;
}

static void *serve_second(void *bare)
{
        serve(bare, 1, 1);
        return NULL;
}

static void *serve_both(void *bare)
{
        serve(bare, 0, 1);
        return NULL;
}

static void *compute(void *bare)
{
        while (!is_over(bare))
                fairness_hog_is_here();
        fairness_hog_is_gone();
        return NULL;
}

int fairness_bare_open(struct fairness_bare *bare, const int *sockets, int64_t connections)
{
        for (int i = 0; i < FAIRNESS_BARE_THREADS; i++) {
                bare->epoll_fds[i] = epoll_create1(EPOLL_CLOEXEC);
                if (bare->epoll_fds[i] < 0)
                        return -errno;
        }
        for (int64_t i = 0; i < connections; i++) {
                struct epoll_event event = {.events = EPOLLIN, .data.fd = sockets[i]};

                if (epoll_ctl(bare->epoll_fds[i % FAIRNESS_BARE_THREADS], EPOLL_CTL_ADD, sockets[i], &event) < 0)
                        return -errno;
        }
        return 0;
}

int fairness_bare_start(struct fairness_bare *bare, bool hog)
{
        atomic_store(&bare->over, false);
        int r = pthread_create(&bare->threads[0], NULL, hog ? serve_both : serve_first, bare);
        if (r)
                return -r;
        r = pthread_create(&bare->threads[1], NULL, hog ? compute : serve_second, bare);
        if (r) {
                atomic_store(&bare->over, true);
                pthread_join(bare->threads[0], NULL);
        }
        return -r;
}

void fairness_bare_stop(struct fairness_bare *bare)
{
        atomic_store(&bare->over, true);
        for (int i = 0; i < FAIRNESS_BARE_THREADS; i++)
                pthread_join(bare->threads[i], NULL);
}
