/* The keeper: one thread for the worker processes of all pools. See pool/keeper.h. */
#include "pool/keeper.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "plat/sys.h"
#include "pool/output.h"
#include "pool/process.h"
#include "trace/trace.h"

enum { EVENTS_MOST = 64 };

static struct {
        struct pl_lock life; /* guards the thread's beginning and end */
        unsigned n_kept;
        struct pl_thread thread;

        struct pl_lock lock; /* guards the list */
        struct pl_list pools;

        int epoll, event;
        _Atomic bool quit;
        _Atomic uint32_t poked;  /* *event* has been written to */
        _Atomic uint32_t dozing; /* it sleeps without an end, or is about to */

        /* The thread's. */
        struct pl_server server; /* socket -1: none */
        bool borrowed;
        struct pl_keeper_source woken, server_news, server_death;
} keeper = {.epoll = -1, .event = -1, .server.socket = -1};

/* --- the server --- */

static void lose_server(void)
{
        pl_keeper_unwatch(keeper.server.socket);
        pl_keeper_unwatch(keeper.server.pidfd);
        if (!keeper.borrowed)
                pl_server_stop(&keeper.server);
        keeper.server.socket = -1;
        pl_lock_acquire(&keeper.lock);
        for (struct pl_list *link = keeper.pools.next; link != &keeper.pools; link = link->next)
                pl_processes_lose_server(PL_CONTAINER_OF(link, struct pl_processes, link));
        pl_lock_release(&keeper.lock);
}

static void on_server_news(struct pl_keeper_source *source, uint32_t events)
{
        struct pl_server_reply reply;
        int pidfd, r = 0;

        (void)source;
        (void)events;
        while (keeper.server.socket >= 0 && (r = pl_server_listen(&keeper.server, &reply, &pidfd)) > 0) {
                bool heard = false;

                pl_lock_acquire(&keeper.lock);
                for (struct pl_list *link = keeper.pools.next; link != &keeper.pools && !heard; link = link->next)
                        heard = pl_processes_hear(PL_CONTAINER_OF(link, struct pl_processes, link), &reply, pidfd);
                pl_lock_release(&keeper.lock);
                if (!heard && pidfd >= 0)
                        close(pidfd);
        }
        if (r < 0 && keeper.server.socket >= 0)
                lose_server();
}

static void on_server_death(struct pl_keeper_source *source, uint32_t events)
{
        on_server_news(source, events); /* its last words */
        if (keeper.server.socket >= 0)
                lose_server();
}

static int have_server(char *const environment[])
{
        int r;

        if (keeper.server.socket >= 0)
                return 0;
        if (keeper.borrowed)
                return -EPIPE; /* it has died, and with it what the program had prepared: nothing can replace it */
        keeper.borrowed = pl_server_borrow(&keeper.server);
        r = keeper.borrowed ? 0 : pl_server_start(&keeper.server, environment);
        if (r < 0)
                return r;
        keeper.server_news.ready = on_server_news;
        keeper.server_death.ready = on_server_death;
        r = pl_keeper_watch(keeper.server.socket, &keeper.server_news, EPOLLIN);
        if (r == 0)
                r = pl_keeper_watch(keeper.server.pidfd, &keeper.server_death, EPOLLIN);
        if (r < 0)
                lose_server();
        return r;
}

int pl_keeper_ask(const struct pl_server_request *request, const int fds[], char *const environment[])
{
        int r = have_server(environment);

        if (r == 0)
                r = pl_server_ask(&keeper.server, request, fds);
        if (r == -EPIPE && keeper.server.socket >= 0) { /* it has just died: there may be another one */
                lose_server();
                r = keeper.borrowed ? -EPIPE : -EOWNERDEAD;
        }
        return r;
}

/* --- the loop --- */

int pl_keeper_watch(int fd, struct pl_keeper_source *source, uint32_t events)
{
        struct epoll_event event = {.events = events, .data.ptr = source};

        return epoll_ctl(keeper.epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void pl_keeper_unwatch(int fd)
{
        epoll_ctl(keeper.epoll, EPOLL_CTL_DEL, fd, NULL);
}

static void on_woken(struct pl_keeper_source *source, uint32_t events)
{
        eventfd_t count;

        (void)source;
        (void)events;
        (void)!eventfd_read(keeper.event, &count);
        atomic_store(&keeper.poked, 0);
}

static struct pl_list *next_of(const struct pl_list *link)
{
        pl_lock_acquire(&keeper.lock);
        struct pl_list *next = link->next;
        pl_lock_release(&keeper.lock);
        return next;
}

/* Look after all pools; returns until when to sleep. Others only add to the list. */
static int64_t serve_all(void)
{
        struct pl_list gone, *link, *next;
        int64_t until_ns = PL_PLAT_NEVER, now_ns = pl_plat_now_ns();

        pl_list_init(&gone);
        for (link = next_of(&keeper.pools); link != &keeper.pools; link = next) {
                struct pl_processes *pool = PL_CONTAINER_OF(link, struct pl_processes, link);
                bool is_gone = false;
                int64_t pool_ns = pl_processes_serve(pool, now_ns, &is_gone);

                next = next_of(link);
                if (is_gone) {
                        pl_lock_acquire(&keeper.lock);
                        pl_list_remove(link);
                        pl_lock_release(&keeper.lock);
                        pl_list_push_back(&gone, link);
                }
                if (pool_ns < until_ns)
                        until_ns = pool_ns;
        }
        while ((link = pl_list_pop_front(&gone)))
                pl_executor_gone(&PL_CONTAINER_OF(link, struct pl_processes, link)->executor);
        return until_ns;
}

static int timeout_ms(int64_t until_ns)
{
        int64_t left_ns = until_ns - pl_plat_now_ns();

        if (until_ns == PL_PLAT_NEVER)
                return -1;
        return left_ns <= 0 ? 0 : left_ns > INT64_C(1000000000) ? 1000 : (int)((left_ns + 999999) / 1000000);
}

static void *keep(void *arg)
{
        struct epoll_event events[EVENTS_MOST];

        (void)arg;
        pl_trace_service();
        while (!atomic_load(&keeper.quit)) {
                atomic_store(&keeper.dozing, 1);
                int64_t until_ns = serve_all();
                int64_t output_ns = pl_output_retry(pl_plat_now_ns());
                if (output_ns < until_ns)
                        until_ns = output_ns;
                if (until_ns != PL_PLAT_NEVER)
                        atomic_store(&keeper.dozing, 0);
                int n = epoll_wait(keeper.epoll, events, EVENTS_MOST, timeout_ms(until_ns));
                atomic_store(&keeper.dozing, 0);
                for (int i = 0; i < n; i++) {
                        struct pl_keeper_source *source = events[i].data.ptr;

                        source->ready(source, events[i].events);
                }
        }
        if (keeper.borrowed)
                pl_server_give_back();
        else
                pl_server_stop(&keeper.server);
        keeper.server.socket = -1;
        keeper.borrowed = false;
        return NULL;
}

void pl_keeper_wake(void)
{
        if (!atomic_exchange(&keeper.poked, 1))
                pl_plat_eventfd_write(keeper.event);
}

void pl_keeper_stir(void)
{
        if (PL_UNLIKELY(atomic_load(&keeper.dozing)) && atomic_exchange(&keeper.dozing, 0))
                pl_keeper_wake();
}

/* --- beginning and end --- */

static int begin(void)
{
        int r;

        keeper.epoll = epoll_create1(EPOLL_CLOEXEC);
        if (keeper.epoll < 0)
                return -errno;
        keeper.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = keeper.event < 0 ? -errno : 0;
        keeper.woken.ready = on_woken;
        if (r == 0)
                r = pl_keeper_watch(keeper.event, &keeper.woken, EPOLLIN);
        atomic_store(&keeper.quit, false);
        atomic_store(&keeper.poked, 0);
        pl_output_reset();
        pl_list_init(&keeper.pools);
        if (r == 0)
                r = pl_plat_thread_start(&keeper.thread, keep, NULL, 0, "plait-keeper");
        if (r < 0) {
                if (keeper.event >= 0)
                        close(keeper.event);
                close(keeper.epoll);
        }
        return r;
}

static void end(void)
{
        atomic_store(&keeper.quit, true);
        pl_keeper_wake();
        (void)pl_plat_thread_join(&keeper.thread);
        close(keeper.event);
        close(keeper.epoll);
}

int pl_keeper_add(struct pl_processes *pool)
{
        int saved = errno;
        int r = 0;

        pl_lock_acquire(&keeper.life);
        if (!keeper.n_kept)
                r = begin();
        if (r == 0) {
                r = pl_keeper_watch(pool->event, &pool->news, EPOLLIN);
                if (r < 0 && !keeper.n_kept)
                        end();
        }
        if (r == 0) {
                keeper.n_kept++;
                pl_lock_acquire(&keeper.lock);
                pl_list_push_back(&keeper.pools, &pool->link);
                pl_lock_release(&keeper.lock);
                pl_keeper_wake();
        }
        pl_lock_release(&keeper.life);
        errno = saved;
        return r;
}

void pl_keeper_remove(void)
{
        int saved = errno;

        pl_lock_acquire(&keeper.life);
        if (--keeper.n_kept == 0)
                end();
        pl_lock_release(&keeper.life);
        errno = saved;
}

/* Descriptors that it kept would keep the program's server alive after the program. */
void pl_keeper_forget(void)
{
        if (keeper.n_kept) {
                close(keeper.event);
                close(keeper.epoll);
                if (keeper.server.socket >= 0 && !keeper.borrowed) {
                        close(keeper.server.socket);
                        close(keeper.server.pidfd);
                }
        }
        keeper.n_kept = 0;
        keeper.life = keeper.lock = (struct pl_lock){0};
        keeper.server.socket = -1;
        keeper.borrowed = false;
}
