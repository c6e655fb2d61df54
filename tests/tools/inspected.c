/*
 * A program for `plait ps` and the like to look at. It brings its tasks into a known state, says so on standard output,
 * and ends when standard input does.
 *
 * usage: inspected SCENE [COUNT]
 * - states    tasks that wait for one thing each, one that computes, and a thread that waits
 * - crowd     COUNT tasks that wait for an event, in 10 scopes
 * - compact   the same, of compact tasks in one scope
 * - remains   COUNT tasks that wait for an event, and nine of ten have ended
 * - churn     COUNT tasks that come, go and talk to each other all the time
 * - tuned     a limit that is found by measurement: 9 under way, and the tenth was refused
 * - abort     as states, then it ends with a core file
 */
#include <plait/plait.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct plait_event never;
static struct plait_event go_on;
static struct plait_mutex stock_lock;
static struct plait_channel *orders;
static _Atomic int arrived;
static _Atomic int stop;
static int count = 1000;

/* The tasks of this process have come as far as they will. */
static void wait_for_all(int many)
{
        while (atomic_load(&arrived) < many)
                if (plait_sleep(plait_in_ms(1)) < 0)
                        exit(1);
        if (plait_sleep(plait_in_ms(50)) < 0) /* the last of them is just about to wait */
                exit(1);
}

static int wait_for_input(void)
{
        char byte;

        printf("ready %d\n", getpid());
        fflush(stdout);
        while (plait_read(STDIN_FILENO, &byte, 1, PLAIT_NEVER) > 0)
                ;
        return 0;
}

/* --- states --- */

__attribute__((noinline)) static int wait_for_event(void *event)
{
        atomic_fetch_add(&arrived, 1);
        return plait_event_wait(event, PLAIT_NEVER);
}

static int wait_for_stock(void *arg)
{
        (void)arg;
        atomic_fetch_add(&arrived, 1);
        int r = plait_mutex_lock(&stock_lock, PLAIT_NEVER);
        if (r == 0)
                plait_mutex_unlock(&stock_lock);
        return r;
}

static int wait_to_read(void *arg)
{
        const int *fd = arg;
        char byte;

        atomic_fetch_add(&arrived, 1);
        ssize_t r = plait_read(*fd, &byte, 1, PLAIT_NEVER);
        return r == -ECANCELED ? 0 : (int)r;
}

static int take_order(void *arg)
{
        void *item;

        (void)arg;
        atomic_fetch_add(&arrived, 1);
        int r = plait_channel_receive(orders, &item, PLAIT_NEVER);
        return r == -ECANCELED ? 0 : r;
}

static int sleep_long(void *arg)
{
        (void)arg;
        atomic_fetch_add(&arrived, 1);
        return plait_sleep(plait_in_s(3600));
}

static int wait_for_task(void *task)
{
        atomic_fetch_add(&arrived, 1);
        return plait_task_wait(task, PLAIT_NEVER, NULL);
}

static int compute(void *arg)
{
        (void)arg;
        atomic_fetch_add(&arrived, 1);
        while (!atomic_load(&stop))
                ;
        return 0;
}

static int with_scope(void *arg)
{
        struct plait_scope inner = PLAIT_SCOPE_INIT;
        struct plait_task_opts opts = {.size = sizeof opts, .name = "inner child"};

        (void)arg;
        inner.deadline_ns = plait_in_s(7200);
        int r = plait_scope_start(&inner, wait_for_event, &never, &opts, NULL);
        if (r < 0)
                return r;
        plait_yield(); /* or the child would run on this task's stack */
        atomic_fetch_add(&arrived, 1);
        return plait_scope_join(&inner);
}

static void *thread_waits(void *arg)
{
        (void)arg;
        atomic_fetch_add(&arrived, 1);
        return plait_event_wait(&go_on, PLAIT_NEVER) < 0 ? arg : NULL;
}

static int start(struct plait_scope *scope, const char *name, int (*fn)(void *), void *arg, struct plait_task **ret)
{
        struct plait_task_opts opts = {.size = sizeof opts, .name = name};

        return plait_scope_start(scope, fn, arg, &opts, ret);
}

static int show_states(bool then_abort)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_task *sleeper = NULL;
        pthread_t thread;
        int pair[2];

        if (plait_channel_new(sizeof(void *), 1, &orders) < 0 || plait_pipe(pair) < 0 ||
            plait_mutex_trylock(&stock_lock) < 0 || pthread_create(&thread, NULL, thread_waits, NULL))
                return -1;
        start(&scope, "for an event", wait_for_event, &never, NULL);
        start(&scope, "for the lock", wait_for_stock, NULL, NULL);
        start(&scope, "to read", wait_to_read, &pair[0], NULL);
        start(&scope, "for an order", take_order, NULL, NULL);
        start(&scope, "asleep", sleep_long, NULL, &sleeper);
        start(&scope, "for a task", wait_for_task, sleeper, NULL);
        start(&scope, "with a scope", with_scope, NULL, NULL);
        start(&scope, "", wait_for_event, &never, NULL);
        start(&scope, "computes", compute, NULL, NULL);
        wait_for_all(11);
        printf("fd %d\n", pair[0]);
        fflush(stdout);
        if (then_abort)
                abort();
        wait_for_input();
        atomic_store(&stop, 1);
        plait_event_set(&go_on);
        plait_mutex_unlock(&stock_lock);
        plait_scope_cancel(&scope);
        plait_scope_join(&scope);
        pthread_join(thread, NULL);
        plait_task_unref(sleeper);
        plait_channel_free(orders);
        plait_close(pair[0]);
        plait_close(pair[1]);
        return 0;
}

/* --- crowd --- */

static int open_some(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_task_opts opts = {.size = sizeof opts, .name = "one of many"};

        (void)arg;
        for (int i = 0; i < count / 10; i++)
                if (plait_scope_start(&scope, wait_for_event, &go_on, &opts, NULL) < 0)
                        return -1;
        return plait_scope_join(&scope);
}

static int show_crowd(void)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < 10; i++)
                plait_scope_go(&scope, open_some, NULL);
        wait_for_all(count / 10 * 10);
        printf("tasks %d\n", count / 10 * 10 + 11); /* and the ten that opened the scopes, and the first one */
        wait_for_input();
        plait_event_set(&go_on);
        return plait_scope_join(&scope);
}

static int show_compact(void)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_task_opts opts = {.size = sizeof opts, .flags = PLAIT_TASK_COMPACT};

        for (int i = 0; i < count; i++)
                if (plait_scope_start(&scope, wait_for_event, &go_on, &opts, NULL) < 0)
                        return -1;
        wait_for_all(count);
        printf("tasks %d\n", count + 1);
        wait_for_input();
        plait_event_set(&go_on);
        return plait_scope_join(&scope);
}

/* --- remains --- */

static int show_remains(void)
{
        struct plait_scope stay = PLAIT_SCOPE_INIT, leave = PLAIT_SCOPE_INIT;
        struct plait_event left = {0};
        int r = 0;

        for (int i = 0; r == 0 && i < count; i++)
                r = i % 10 ? plait_scope_go(&leave, wait_for_event, &left)
                           : plait_scope_go(&stay, wait_for_event, &go_on);
        if (r < 0)
                return r;
        wait_for_all(count);
        plait_event_set(&left);
        r = plait_scope_join(&leave);
        printf("tasks %d\n", (count + 9) / 10 + 1);
        wait_for_input();
        plait_event_set(&go_on);
        int joined = plait_scope_join(&stay);
        return r < 0 ? r : joined;
}

/* --- churn --- */

static int short_lived(void *arg)
{
        (void)arg;
        plait_yield();
        plait_task_set_name("short-lived");
        return plait_sleep(plait_in_ns(1000));
}

static int restless(void *arg)
{
        (void)arg;
        atomic_fetch_add(&arrived, 1);
        while (!atomic_load(&stop)) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;

                for (int i = 0; i < 10; i++)
                        plait_scope_go(&scope, short_lived, NULL);
                if (plait_scope_join(&scope) < 0)
                        return -1;
        }
        return 0;
}

static int show_churn(void)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < count; i++)
                plait_scope_go(&scope, restless, NULL);
        wait_for_all(count);
        wait_for_input();
        atomic_store(&stop, 1);
        return plait_scope_join(&scope);
}

/* --- tuned --- */

static int show_tuned(void)
{
        struct plait_tuner_opts opts = {.size = sizeof opts, .name = "stock.example:80", .first = 20};
        const struct plait_tuner_sample refused = {.outcome = PLAIT_TUNER_REFUSED};
        struct plait_tuner_call calls[10];
        struct plait_tuner *tuner;

        if (plait_tuner_new(&tuner, &opts) < 0)
                return -1;
        for (int i = 0; i < 10; i++)
                plait_tuner_begin(tuner, &calls[i], plait_now_ns());
        plait_tuner_end(tuner, &calls[9], &refused, plait_now_ns());
        wait_for_input();
        for (int i = 0; i < 9; i++)
                plait_tuner_end(tuner, &calls[i], &refused, plait_now_ns());
        plait_tuner_free(tuner);
        return 0;
}

static int app(void *arg)
{
        const char *scene = arg;

        if (strcmp(scene, "states") == 0)
                return show_states(false);
        if (strcmp(scene, "abort") == 0)
                return show_states(true);
        if (strcmp(scene, "crowd") == 0)
                return show_crowd();
        if (strcmp(scene, "compact") == 0)
                return show_compact();
        if (strcmp(scene, "remains") == 0)
                return show_remains();
        if (strcmp(scene, "tuned") == 0)
                return show_tuned();
        return strcmp(scene, "churn") == 0 ? show_churn() : -1;
}

int main(int argc, char **argv)
{
        struct plait_run_opts opts = {.size = sizeof opts, .workers = 2, .name = "first"};

        if (argc < 2)
                return 2;
        if (argc > 2)
                count = (int)strtol(argv[2], NULL, 10);
        return plait_run(app, argv[1], &opts) < 0;
}
