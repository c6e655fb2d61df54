/*
 * A program for `plait trace` to record, whose waits are known.
 *
 * usage: traced SCENE [COUNT]
 * - planted   a lock held 30 ms, a sleep of 50 ms, a server that takes 80 ms, a queue that stays empty for 70 ms; COUNT
 * is what it ends with
 * - busy      tasks that come, go, wait and wake each other until standard input ends
 * - killed    the same until it has made some events; then it kills itself
 * - many      COUNT events and as many turns of its tasks, as fast as it can
 *
 * planted has one worker: a task goes on without the others until it waits, so that they wait at least as long as
 * planned.
 */
#include <plait/plait.h>
#include <plait/trace.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct plait_mutex stock_lock;
static struct plait_queue *orders;
static struct plait_event turn;
static _Atomic int stop, rounds;
static int listener;
static long count = 1000;

static int start(struct plait_scope *scope, const char *name, int (*fn)(void *), void *arg)
{
        struct plait_task_opts opts = {.size = sizeof opts, .name = name};

        return plait_scope_start(scope, fn, arg, &opts, NULL);
}

/* --- planted --- */

static int hold(void *arg)
{
        (void)arg;
        int r = plait_mutex_lock(&stock_lock, PLAIT_NEVER);
        if (r < 0)
                return r;
        plait_event_set(&turn);
        plait_yield(); /* the one that waits for its turn comes to want the lock */
        PLAIT_SPAN("stocktaking");
        r = plait_sleep(plait_in_ms(30));
        plait_mutex_unlock(&stock_lock);
        return r;
}

static int lose(void *arg)
{
        (void)arg;
        int r = plait_event_wait(&turn, PLAIT_NEVER);
        if (r == 0)
                r = plait_mutex_lock(&stock_lock, PLAIT_NEVER);
        if (r == 0)
                plait_mutex_unlock(&stock_lock);
        return r;
}

static int nap(void *arg)
{
        (void)arg;
        return plait_sleep(plait_in_ms(50));
}

static int take_order(void *arg)
{
        int order = 0;

        (void)arg;
        return plait_queue_get(orders, &order, PLAIT_NEVER);
}

static int bring_order(void *arg)
{
        const int order = 7;

        (void)arg;
        int r = plait_sleep(plait_in_ms(70));
        PLAIT_INSTANT("an order at last", order);
        return r < 0 ? r : plait_queue_put(orders, &order, PLAIT_NEVER);
}

static int serve_slowly(void *arg)
{
        static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        char request[4096];

        (void)arg;
        int fd = plait_accept(listener, NULL, PLAIT_NEVER);
        if (fd < 0)
                return fd;
        ssize_t n = plait_read(fd, request, sizeof request, PLAIT_NEVER);
        if (n > 0)
                n = plait_sleep(plait_in_ms(80));
        if (n >= 0)
                n = plait_write_full(fd, answer, sizeof answer - 1, PLAIT_NEVER);
        plait_close(fd);
        return n < 0 ? (int)n : 0;
}

static int download(void *arg)
{
        struct plait_session_opts opts = {.size = sizeof opts, .proxy = ""};
        struct plait_response page = PLAIT_RESPONSE_INIT;
        struct plait_session *session = NULL;
        struct plait_address address;
        char text[PLAIT_ADDRESS_TEXT], url[PLAIT_ADDRESS_TEXT + 32];

        (void)arg;
        int r = plait_local_address(listener, &address);
        if (r == 0)
                r = plait_session_new(&session, &opts);
        if (r < 0)
                return r;
        snprintf(url, sizeof url, "http://%s/slow", plait_address_text(&address, text, sizeof text));
        r = plait_session_get(session, url, &page, NULL);
        plait_response_done(&page);
        plait_session_free(session);
        return r;
}

static int show_planted(void)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        plait_mutex_init(&stock_lock, "stock_lock");
        listener = plait_listen("127.0.0.1:0", NULL);
        if (listener < 0 || plait_queue_new(sizeof(int), 4, NULL, &orders) < 0)
                return -1;
        start(&scope, "loser", lose, NULL);
        start(&scope, "holder", hold, NULL);
        start(&scope, "sleeper", nap, NULL);
        start(&scope, "consumer", take_order, NULL);
        start(&scope, "producer", bring_order, NULL);
        start(&scope, "server", serve_slowly, NULL);
        start(&scope, "client", download, NULL);
        int r = plait_scope_join(&scope);
        plait_queue_free(orders);
        plait_close(listener);
        return r < 0 ? r : (int)count;
}

/* --- busy, killed, many --- */

static int come_and_go(void *arg)
{
        (void)arg;
        PLAIT_SPAN("step");
        plait_yield();
        return plait_sleep(plait_in_ms(5));
}

static int be_busy(void *arg)
{
        (void)arg;
        while (!atomic_load(&stop)) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;

                for (int i = 0; i < 10; i++)
                        start(&scope, "short-lived", come_and_go, NULL);
                int r = plait_scope_join(&scope);
                if (r < 0)
                        return r;
                PLAIT_COUNTER("rounds", 1.0);
                atomic_fetch_add(&rounds, 1);
        }
        return 0;
}

static int show_busy(bool killed)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        char byte;

        for (int i = 0; i < 4; i++)
                start(&scope, "restless", be_busy, NULL);
        while (atomic_load(&rounds) < 20)
                if (plait_sleep(plait_in_ms(5)) < 0)
                        return -1;
        if (killed) {
                plait_trace_message("the end");
                kill(getpid(), SIGKILL);
        }
        printf("ready %d\n", getpid());
        fflush(stdout);
        while (plait_read(STDIN_FILENO, &byte, 1, PLAIT_NEVER) > 0)
                ;
        atomic_store(&stop, 1);
        return plait_scope_join(&scope);
}

static int take_turns(void *arg)
{
        long *turns = arg;

        while (*turns > 0) {
                PLAIT_INSTANT("turn", *turns); /* whoever is alone on a worker yields to nobody */
                (*turns)--;
                plait_yield();
        }
        return 0;
}

static int show_many(void)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        static long turns[8];

        for (int i = 0; i < 8; i++) {
                turns[i] = count / 8;
                start(&scope, "in turn", take_turns, &turns[i]);
        }
        return plait_scope_join(&scope);
}

static int app(void *arg)
{
        const char *scene = arg;

        if (strcmp(scene, "planted") == 0)
                return show_planted();
        if (strcmp(scene, "busy") == 0)
                return show_busy(false);
        if (strcmp(scene, "killed") == 0)
                return show_busy(true);
        return strcmp(scene, "many") == 0 ? show_many() : -1;
}

int main(int argc, char **argv)
{
        struct plait_run_opts opts = {.size = sizeof opts, .workers = 2, .name = "first"};

        if (argc < 2)
                return 2;
        if (strcmp(argv[1], "planted") == 0)
                opts.workers = 1;
        count = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
        int r = plait_run(app, argv[1], &opts);
        return r < 0 ? 1 : r;
}
