/*
 * The loop of a driver: orders from tasks, sockets that are ready and libcurl's timer go in, news of transfers come
 * out. Tasks are woken at the end of a round, when libcurl has been left: many news of one transfer wake its task once,
 * and what the task does next cannot get in libcurl's way.
 */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>

#include "http/driver.h"
#include "plait/task.h"
#include "plait/time.h"
#include "plat/panic.h"

enum { READY_AT_ONCE = 128, CONNECTIONS_KEPT = 256 };

static void must(CURLMcode code, const char *what)
{
        if (code != CURLM_OK)
                pl_panic("libcurl's %s failed: %s. The state of its transfers is unknown.", what,
                         curl_multi_strerror(code));
}

/* --- what libcurl calls --- */

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
        struct pl_http_driver *driver = arg;

        (void)easy, (void)unused;
        return pl_http_sockets_want(&driver->sockets, fd, what) < 0 ? -1 : 0;
}

static int want_timer(CURLM *multi, long ms, void *arg)
{
        struct pl_http_driver *driver = arg;

        (void)multi;
        driver->timer_ns = ms < 0 ? PLAIT_NEVER : ms == 0 ? 0 : plait_in_ms(ms);
        return 0;
}

/* --- transfers by their easy handle --- */

static struct pl_http_transfer **bucket_of(struct pl_http_driver *driver, const CURL *easy)
{
        return &driver->by_easy[((uintptr_t)easy >> 6) % PL_HTTP_BUCKETS];
}

static void remember(struct pl_http_driver *driver, struct pl_http_transfer *transfer)
{
        struct pl_http_transfer **bucket = bucket_of(driver, transfer->easy);

        transfer->same_bucket = *bucket;
        *bucket = transfer;
        driver->in_flight++;
}

static struct pl_http_transfer *forget(struct pl_http_driver *driver, const CURL *easy)
{
        struct pl_http_transfer **place = bucket_of(driver, easy);
        struct pl_http_transfer *transfer;

        while ((*place)->easy != easy)
                place = &(*place)->same_bucket;
        transfer = *place;
        *place = transfer->same_bucket;
        driver->in_flight--;
        return transfer;
}

/* --- news --- */

static void tell(struct pl_http_driver *driver, struct pl_http_transfer *transfer, unsigned news)
{
        transfer->fresh |= news;
        if (!pl_list_linked(&transfer->round_link))
                pl_list_push_back(&driver->round, &transfer->round_link);
}

void pl_http_transfer_tell(struct pl_http_transfer *transfer)
{
        tell(transfer->driver, transfer, PL_HTTP_NEWS);
}

/* Wake the tasks of all transfers that have news. A transfer may be gone as soon as its lock is released. */
static bool tell_all(struct pl_http_driver *driver)
{
        struct pl_list *link;
        bool told = false;

        while ((link = pl_list_pop_front(&driver->round))) {
                struct pl_http_transfer *transfer = PL_CONTAINER_OF(link, struct pl_http_transfer, round_link);
                unsigned fresh = transfer->fresh;
                struct pl_wait *waiter;

                transfer->fresh = 0;
                pl_lock_acquire(&transfer->lock);
                transfer->news |= fresh;
                waiter = pl_sched_wake_take(&transfer->waiter);
                pl_lock_release(&transfer->lock);
                if (waiter)
                        pl_sched_wake_ready(waiter);
                told = true;
        }
        return told;
}

static void drain_messages(struct pl_http_driver *driver)
{
        CURLMsg *message;
        int left;

        while ((message = curl_multi_info_read(driver->multi, &left))) {
                CURL *easy = message->easy_handle;
                CURLcode result = message->data.result; /* the message goes with the handle */
                struct pl_http_transfer *transfer;

                if (message->msg != CURLMSG_DONE)
                        continue;
                must(curl_multi_remove_handle(driver->multi, easy), "curl_multi_remove_handle");
                transfer = forget(driver, easy);
                transfer->added = false;
                transfer->result = result;
                tell(driver, transfer, PL_HTTP_DONE);
        }
}

/* --- orders --- */

static void act(struct pl_http_driver *driver, curl_socket_t fd, int what)
{
        int running;

        must(curl_multi_socket_action(driver->multi, fd, what, &running), "curl_multi_socket_action");
}

/* Enough for every connection in use to be kept; libcurl's own default changes with the number of transfers. */
static void keep_connections(struct pl_http_driver *driver, unsigned n)
{
        while (driver->connections_kept < n)
                driver->connections_kept *= 2;
        curl_multi_setopt(driver->multi, CURLMOPT_MAXCONNECTS, (long)driver->connections_kept);
}

static void add(struct pl_http_driver *driver, struct pl_http_transfer *transfer)
{
        CURLMcode code;

        if (driver->multi && driver->in_flight >= driver->connections_kept)
                keep_connections(driver, driver->in_flight + 1);
        code = driver->multi ? curl_multi_add_handle(driver->multi, transfer->easy) : CURLM_OUT_OF_MEMORY;
        if (code == CURLM_OK) {
                transfer->added = true;
                remember(driver, transfer);
                return;
        }
        transfer->result = code == CURLM_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY : CURLE_BAD_FUNCTION_ARGUMENT;
        tell(driver, transfer, PL_HTTP_DONE);
}

static void drop(struct pl_http_driver *driver, struct pl_http_transfer *transfer)
{
        if (transfer->added) {
                must(curl_multi_remove_handle(driver->multi, transfer->easy), "curl_multi_remove_handle");
                forget(driver, transfer->easy);
                transfer->added = false;
        }
        tell(driver, transfer, PL_HTTP_ABANDONED);
}

static void obey(struct pl_http_driver *driver, struct pl_http_transfer *transfer, unsigned orders)
{
        if (orders & PL_HTTP_ORDER_REMOVE) { /* whatever else was ordered is void */
                drop(driver, transfer);
                return;
        }
        if (orders & PL_HTTP_ORDER_ADD)
                add(driver, transfer);
        if (orders & PL_HTTP_ORDER_CONTINUE && transfer->added)
                curl_easy_pause(transfer->easy, CURLPAUSE_CONT); /* its failure ends the transfer, which is told */
}

/* One order at a time: a task whose order has been taken may order again. */
static void obey_all(struct pl_http_driver *driver)
{
        struct pl_list taken;

        pl_list_init(&taken);
        pl_lock_acquire(&driver->lock);
        pl_list_splice_back(&taken, &driver->orders);
        pl_lock_release(&driver->lock);
        for (;;) {
                struct pl_http_transfer *transfer = NULL;
                struct pl_list *link;
                unsigned orders = 0;

                pl_lock_acquire(&driver->lock);
                link = pl_list_pop_front(&taken);
                if (link) {
                        transfer = PL_CONTAINER_OF(link, struct pl_http_transfer, order_link);
                        orders = transfer->orders;
                        transfer->orders = 0;
                }
                pl_lock_release(&driver->lock);
                if (!transfer)
                        return;
                obey(driver, transfer, orders);
        }
}

/* --- the loop --- */

static void serve_sockets(struct pl_http_driver *driver)
{
        struct pl_http_ready ready[READY_AT_ONCE];
        size_t n;
        bool due;

        pl_lock_acquire(&driver->lock);
        due = driver->sockets_ready;
        driver->sockets_ready = false;
        pl_lock_release(&driver->lock);
        if (!due)
                return;
        n = pl_http_sockets_ready(&driver->sockets, ready, READY_AT_ONCE);
        for (size_t i = 0; i < n; i++)
                act(driver, ready[i].fd, ready[i].what);
}

static void serve_timer(struct pl_http_driver *driver)
{
        if (driver->timer_ns == PLAIT_NEVER || (driver->timer_ns && driver->timer_ns > plait_now_ns()))
                return;
        driver->timer_ns = PLAIT_NEVER;
        act(driver, CURL_SOCKET_TIMEOUT, 0);
}

static void on_ready(struct pl_io_watch *watch, unsigned events)
{
        struct pl_http_driver *driver = PL_CONTAINER_OF(watch, struct pl_http_driver, watch);
        struct pl_wait *sleeper;

        (void)events;
        pl_lock_acquire(&driver->lock);
        driver->sockets_ready = true;
        sleeper = pl_sched_wake_take(&driver->sleeper);
        pl_lock_release(&driver->lock);
        if (sleeper)
                pl_sched_wake_ready(sleeper);
}

/* Sleep until there is an order, a socket is ready or the timer is due. -ECANCELED: the run is over. */
static int rest(struct pl_http_driver *driver)
{
        struct pl_wait *wait;
        int r;

        pl_lock_acquire(&driver->lock);
        if (driver->sockets_ready || !pl_list_empty(&driver->orders)) {
                pl_lock_release(&driver->lock);
                return 0;
        }
        wait = pl_sched_wait_begin(PL_WAIT_HTTP, driver);
        driver->sleeper = wait;
        pl_lock_release(&driver->lock);
        r = pl_sched_wait_finish(wait, driver->timer_ns, 0);
        if (r < 0) {
                pl_lock_acquire(&driver->lock);
                driver->sleeper = NULL;
                pl_lock_release(&driver->lock);
        }
        return r;
}

static int open_driver(struct pl_http_driver *driver)
{
        int r;

        driver->watch.fd = -1;
        driver->sockets.set = -1;
        r = pl_http_sockets_init(&driver->sockets);
        if (r < 0)
                return r;
        driver->timer_ns = PLAIT_NEVER;
        driver->connections_kept = CONNECTIONS_KEPT;
        driver->multi = curl_multi_init();
        if (!driver->multi)
                return -ENOMEM;
        curl_multi_setopt(driver->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
        curl_multi_setopt(driver->multi, CURLMOPT_SOCKETDATA, driver);
        curl_multi_setopt(driver->multi, CURLMOPT_TIMERFUNCTION, want_timer);
        curl_multi_setopt(driver->multi, CURLMOPT_TIMERDATA, driver);
        curl_multi_setopt(driver->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
        keep_connections(driver, 0);
        return pl_io_watch_start(&driver->watch, driver->sockets.set, POLLIN, on_ready);
}

static void close_driver(struct pl_http_driver *driver)
{
        pl_io_watch_stop(&driver->watch);
        curl_multi_cleanup(driver->multi);
        driver->multi = NULL;
        pl_http_sockets_done(&driver->sockets);
}

int pl_http_driver_loop(void *arg)
{
        struct pl_http_driver *driver = arg;
        int r = open_driver(driver);

        if (r < 0) { /* without a multi handle every transfer ends with CURLE_OUT_OF_MEMORY */
                pl_warn("HTTP cannot be used: no memory or no file descriptor for libcurl (error %d)", -r);
                curl_multi_cleanup(driver->multi);
                driver->multi = NULL;
        }
        do {
                obey_all(driver);
                if (driver->multi) {
                        serve_sockets(driver);
                        serve_timer(driver);
                        drain_messages(driver);
                }
                if (tell_all(driver))
                        plait_yield(); /* those who were told may have more to do */
                r = rest(driver);
        } while (r != -ECANCELED);
        close_driver(driver);
        return 0;
}
