/*
 * Cancellation at every wait in turn: PLAIT_DEBUG=cancel=N cancels at the N-th. Each step of the scenario runs again
 * and again, cancelled at its first wait, its second and so on, until there is none left; after each run nothing may be
 * held, lost, open or allocated. (AddressSanitizer looks for leaked memory at the end of each case, the harness for
 * descriptors.)
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/task.h"
#include "harness/test.h"

enum { WAITS_MOST = 400, UNDISTURBED = 3 };

static atomic_int injected;       /* waits that were seen to end so */
static atomic_int started, ended; /* tasks */
static atomic_int made, freed;    /* items */
static atomic_int resources;      /* descriptors and the like that are in use */
static struct plait_mutex mutex;  /* all of these are to be free after each run */
static struct plait_rwlock rwlock;
static struct plait_condition condition;
static bool flag;

/* What each wait of the scenario returned goes through this. */
static int seen(int r)
{
        char reason[PLAIT_REASON_BYTES];

        if (r == -ECANCELED && plait_cancel_reason(reason, sizeof reason) == -ECANCELED && strstr(reason, "injected"))
                atomic_fetch_add(&injected, 1);
        return r;
}

struct start {
        int (*fn)(void *arg);
        void *arg;
};

static int counted(void *arg)
{
        struct start start = *(struct start *)arg;

        free(arg);
        int r = start.fn(start.arg);
        atomic_fetch_add(&ended, 1);
        return r;
}

static void go(struct plait_scope *scope, int (*fn)(void *), void *arg)
{
        struct start *start = malloc(sizeof *start);

        CHECK(start);
        *start = (struct start){fn, arg};
        atomic_fetch_add(&started, 1);
        CHECK_OK(plait_scope_go(scope, counted, start));
}

static int join(struct plait_scope *scope, int r)
{
        if (r < 0)
                plait_scope_cancel(scope);
        int joined = plait_scope_join(scope);
        return r < 0 ? r : joined;
}

static long open_descriptors(void)
{
        long n = 0;

        for (int fd = 0; fd < 1024; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

static void nothing_is_held(void)
{
        CHECK_INT(started, ==, ended);
        CHECK_INT(made, ==, freed);
        CHECK_INT(resources, ==, 0);
        CHECK_INT(plait_mutex_trylock(&mutex), ==, 0);
        plait_mutex_unlock(&mutex);
        CHECK_INT(plait_rwlock_trylock_write(&rwlock), ==, 0);
        plait_rwlock_unlock_write(&rwlock);
}

/* One run, cancelled at the n-th wait; whether anything came of it. What completes at the same moment counts all the
 * same. */
static bool inject_at(int n, int (*step)(void *), unsigned workers)
{
        struct plait_run_opts opts = {.size = sizeof opts, .workers = workers};
        const char *more = getenv("PLAIT_TEST_DEBUG");
        char setting[64];

        snprintf(setting, sizeof setting, "cancel=%d%s%s", n, more ? "," : "", more ? more : "");
        CHECK_INT(setenv("PLAIT_DEBUG", setting, 1), ==, 0);
        injected = 0;
        flag = false;
        int r = plait_run(step, NULL, &opts);
        nothing_is_held();
        if (r != -ECANCELED)
                CHECK_INT(r, ==, 0);
        return injected || r == -ECANCELED;
}

static int inject_until_none(int (*step)(void *), unsigned workers)
{
        int disturbed = 0, undisturbed = 0;

        for (int n = 1; undisturbed < UNDISTURBED; n++) {
                CHECK_INT(n, <, WAITS_MOST);
                if (inject_at(n, step, workers)) {
                        disturbed++;
                        undisturbed = 0;
                } else {
                        undisturbed++;
                }
        }
        return disturbed;
}

/*
 * Run *step* with a cancellation at each wait in turn: with one worker, where it has to have at least *waits_least*,
 * and with several, where that depends on who is faster.
 */
static void inject_everywhere(int (*step)(void *), int waits_least)
{
        const char *debug = getenv("PLAIT_DEBUG");

        if (debug && *debug && !strstr(debug, "cancel="))
                CHECK_INT(setenv("PLAIT_TEST_DEBUG", debug, 1), ==, 0); /* to be kept: migrate, say */
        inject_at(WAITS_MOST, step, 1);                                 /* the first run opens descriptors that stay */
        long before = open_descriptors();
        CHECK_INT(inject_until_none(step, 1), >=, waits_least);
        inject_until_none(step, 3);
        CHECK_INT(open_descriptors(), ==, before);
}

/* --- locks --- */

static int lock_it(void *arg)
{
        (void)arg;
        int r = seen(plait_mutex_lock(&mutex, PLAIT_NEVER));

        if (r < 0)
                return r;
        flag = true;
        plait_condition_signal(&condition);
        plait_mutex_unlock(&mutex);
        return 0;
}

static int write_it(void *arg)
{
        (void)arg;
        int r = seen(plait_rwlock_lock_write(&rwlock, PLAIT_NEVER));

        if (r == 0)
                plait_rwlock_unlock_write(&rwlock);
        return r;
}

static int hold_locks(struct plait_scope *scope)
{
        int r = seen(plait_mutex_lock(&mutex, PLAIT_NEVER));

        if (r < 0)
                return r;
        go(scope, lock_it, NULL);
        while (r == 0 && !flag) /* also cancelled, it comes back with the mutex */
                r = seen(plait_condition_wait(&condition, &mutex, PLAIT_NEVER));
        plait_mutex_unlock(&mutex);
        if (r < 0)
                return r;
        r = seen(plait_rwlock_lock_read(&rwlock, PLAIT_NEVER));
        if (r < 0)
                return r;
        go(scope, write_it, NULL);
        r = seen(plait_sleep(plait_in_ms(1)));
        plait_rwlock_unlock_read(&rwlock);
        return r;
}

static int locks(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        (void)arg;
        CHECK_OK(plait_scope_open(&scope));
        return join(&scope, hold_locks(&scope));
}

TEST(locks_are_let_go, .timeout_ms = 60000)
{
        inject_everywhere(locks, 3);
}

/* --- messages --- */

static int produce(void *arg)
{
        int r = 0;

        for (int i = 0; i < 5 && r == 0; i++) {
                void *item = malloc(8);

                CHECK(item);
                atomic_fetch_add(&made, 1);
                r = seen(plait_channel_send(arg, &item, PLAIT_NEVER));
                if (r < 0) { /* it is still ours */
                        free(item);
                        atomic_fetch_add(&freed, 1);
                }
        }
        plait_channel_close(arg);
        return r;
}

static int consume(void *arg)
{
        void *item;
        int r;

        while ((r = seen(plait_channel_receive(arg, &item, PLAIT_NEVER))) == 0) {
                free(item);
                atomic_fetch_add(&freed, 1);
                plait_yield();
        }
        return r == -EPIPE ? 0 : r;
}

static int pass_items(size_t capacity)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_channel *channel;
        void *item;

        CHECK_OK(plait_channel_new(sizeof(void *), capacity, &channel));
        CHECK_OK(plait_scope_open(&scope));
        go(&scope, consume, channel);
        go(&scope, produce, channel);
        int r = join(&scope, 0);
        while (plait_channel_try_receive(channel, &item) == 0) {
                free(item);
                atomic_fetch_add(&freed, 1);
        }
        plait_channel_free(channel);
        return r;
}

static int messages(void *arg)
{
        (void)arg;
        int r = pass_items(0);

        return r < 0 ? r : pass_items(2);
}

TEST(items_are_never_lost, .timeout_ms = 60000)
{
        inject_everywhere(messages, 4);
}

static int count_jobs(void *arg)
{
        struct plait_queue *queue = arg;
        int item, r;

        while ((r = seen(plait_queue_get(queue, &item, PLAIT_NEVER))) == 0) {
                atomic_fetch_sub(&resources, 1);
                CHECK_OK(plait_queue_task_done(queue));
        }
        return r == -EPIPE ? 0 : r;
}

static int put_jobs(struct plait_queue *queue)
{
        for (int i = 0; i < 6; i++) {
                int r = seen(plait_queue_put(queue, &i, PLAIT_NEVER));

                if (r < 0)
                        return r;
                atomic_fetch_add(&resources, 1);
        }
        return seen(plait_queue_join(queue, PLAIT_NEVER));
}

static int queues(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_queue *queue;
        int item;

        (void)arg;
        CHECK_OK(plait_queue_new(sizeof(int), 2, NULL, &queue));
        CHECK_OK(plait_scope_open(&scope));
        go(&scope, count_jobs, queue);
        int r = put_jobs(queue);
        plait_queue_shutdown(queue, 0);
        r = join(&scope, r);
        while (plait_queue_try_get(queue, &item) == 0)
                atomic_fetch_sub(&resources, 1);
        plait_queue_free(queue);
        return r;
}

TEST(jobs_of_a_queue_are_done_or_still_in_it, .timeout_ms = 60000)
{
        inject_everywhere(queues, 3);
}

/* --- permits, events, futures --- */

struct signals {
        struct plait_semaphore semaphore;
        struct plait_event event;
        struct plait_latch latch;
        struct plait_future *future;
};

static int give(void *arg)
{
        struct signals *signals = arg;

        CHECK_OK(plait_semaphore_release(&signals->semaphore, 1));
        plait_event_set(&signals->event);
        CHECK_OK(plait_latch_count_down(&signals->latch, 1));
        void *value = malloc(8);
        CHECK(value);
        atomic_fetch_add(&made, 1);
        CHECK_OK(plait_future_set(signals->future, 3, value));
        return 0;
}

static void free_value(void *value)
{
        free(value);
        atomic_fetch_add(&freed, 1);
}

static int wait_for_signals(struct plait_scope *scope, struct signals *signals)
{
        int result;
        void *value;

        go(scope, give, signals);
        int r = seen(plait_semaphore_acquire(&signals->semaphore, PLAIT_NEVER));
        CHECK_INT((int)plait_semaphore_count(&signals->semaphore), <=, r < 0);
        if (r == 0)
                r = seen(plait_event_wait(&signals->event, PLAIT_NEVER));
        if (r == 0)
                r = seen(plait_latch_wait(&signals->latch, PLAIT_NEVER));
        if (r == 0)
                r = seen(plait_future_wait(signals->future, PLAIT_NEVER, &result, &value));
        return r;
}

static int permits(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct signals signals = {.event = PLAIT_EVENT_INIT};

        (void)arg;
        CHECK_OK(plait_latch_init(&signals.latch, 1));
        CHECK_OK(plait_future_new(free_value, &signals.future));
        CHECK_OK(plait_scope_open(&scope));
        int r = join(&scope, wait_for_signals(&scope, &signals));
        plait_future_unref(signals.future);
        return r;
}

TEST(permits_and_futures_are_not_lost, .timeout_ms = 60000)
{
        inject_everywhere(permits, 1);
}

/* --- descriptors, files, names --- */

static void opened(int fd)
{
        CHECK_INT(fd, >=, 0);
        atomic_fetch_add(&resources, 1);
}

static void closed(int fd)
{
        CHECK_OK(plait_close(fd));
        atomic_fetch_sub(&resources, 1);
}

static int talk(void *arg)
{
        char buf[4];
        int fd = seen(plait_dial(arg, PLAIT_NEVER));

        if (fd < 0)
                return fd;
        opened(fd);
        int r = (int)seen((int)plait_write_full(fd, "ping", 4, PLAIT_NEVER));
        if (r >= 0)
                r = (int)seen((int)plait_read_full(fd, buf, 4, PLAIT_NEVER));
        closed(fd);
        return r < 0 ? r : 0;
}

static int answer(int listener)
{
        char buf[4];
        int fd = seen(plait_accept(listener, NULL, PLAIT_NEVER));

        if (fd < 0)
                return fd;
        opened(fd);
        int r = (int)seen((int)plait_read_full(fd, buf, 4, PLAIT_NEVER));
        if (r >= 0)
                r = (int)seen((int)plait_write_full(fd, "pong", 4, PLAIT_NEVER));
        closed(fd);
        return r < 0 ? r : 0;
}

static int sockets(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_address address;
        char text[80];

        (void)arg;
        int listener = plait_listen("127.0.0.1:0", NULL);
        opened(listener);
        CHECK_OK(plait_local_address(listener, &address));
        CHECK_OK(plait_scope_open(&scope));
        go(&scope, talk, (void *)(uintptr_t)plait_address_text(&address, text, sizeof text));
        int r = join(&scope, answer(listener));
        closed(listener);
        return r;
}

TEST(sockets_are_closed, .timeout_ms = 60000)
{
        inject_everywhere(sockets, 2);
}

static int fill_pipe(void *arg)
{
        static char junk[300000]; /* more than a pipe holds */

        int r = (int)seen((int)plait_write_full(*(int *)arg, junk, sizeof junk, PLAIT_NEVER));
        return r < 0 ? r : 0;
}

static int use_files(struct plait_scope *scope, int *ends)
{
        static char buf[300000];
        char path[] = "/tmp/plait-injection-XXXXXX";

        go(scope, fill_pipe, &ends[1]);
        int r = (int)seen((int)plait_read_full(ends[0], buf, sizeof buf, PLAIT_NEVER));
        if (r < 0)
                return r;
        int fd = mkstemp(path);
        opened(fd);
        unlink(path);
        r = (int)seen((int)plait_pwrite(fd, buf, sizeof buf, 0, PLAIT_NEVER));
        if (r >= 0)
                r = (int)seen((int)plait_pread(fd, buf, sizeof buf, 0, PLAIT_NEVER));
        close(fd);
        atomic_fetch_sub(&resources, 1);
        return r;
}

static int files(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int ends[2];

        (void)arg;
        CHECK_INT(pipe2(ends, O_CLOEXEC), ==, 0);
        atomic_fetch_add(&resources, 2);
        CHECK_OK(plait_scope_open(&scope));
        int r = join(&scope, use_files(&scope, ends));
        closed(ends[0]);
        closed(ends[1]);
        return r < 0 ? r : 0;
}

TEST(pipes_and_files_are_closed, .timeout_ms = 60000)
{
        inject_everywhere(files, 2);
}

static int block(void *arg)
{
        atomic_fetch_add((atomic_int *)arg, 1);
        usleep(1000);
        atomic_fetch_sub((atomic_int *)arg, 1);
        return 0;
}

static int names(void *arg)
{
        struct plait_addresses *addresses = NULL;

        (void)arg;
        int r = seen(plait_resolve("localhost", "80", PLAIT_NEVER, &addresses));
        if (r < 0) {
                CHECK_PTR(addresses, ==, NULL);
                return r;
        }
        plait_addresses_free(addresses);
        r = seen(plait_blocking(block, &resources, PLAIT_NEVER));
        return r < 0 ? r : 0;
}

TEST(names_and_blocking_calls_leave_nothing, .timeout_ms = 60000)
{
        inject_everywhere(names, 1);
}

/* --- scopes in scopes, and calls at once --- */

static int nap(void *arg)
{
        (void)arg;
        return seen(plait_sleep(plait_in_ms(1)));
}

static int clean_up(void)
{
        int r = 0;

        PLAIT_SHIELDED
        {
                r = seen(plait_sleep(plait_in_ms(1)));
        }
        CHECK_INT(r, ==, 0); /* a shield keeps it out */
        return 0;
}

static int nest(void *arg)
{
        intptr_t depth = (intptr_t)arg;
        struct plait_scope scope = PLAIT_SCOPE_WITH(.limit = depth % 2 ? 1 : 0);

        if (!depth)
                return nap(NULL);
        for (int i = 0; i < 2; i++)
                go(&scope, nest, (void *)(depth - 1));
        int r = seen(plait_sleep(plait_in_ms(1)));
        clean_up();
        return join(&scope, r);
}

static int nested(void *arg)
{
        (void)arg;
        return nest((void *)3);
}

TEST(nested_scopes_end_and_shields_hold, .timeout_ms = 60000)
{
        inject_everywhere(nested, 10);
}

static int next_item(void *arg, void **ret_item)
{
        int r = seen(plait_sleep(plait_in_ns(100000)));

        if (r < 0 || ++*(int *)arg > 5)
                return r < 0 ? r : 0;
        *ret_item = malloc(8);
        CHECK(*ret_item);
        atomic_fetch_add(&made, 1);
        return 1;
}

static int nap_over(void *item, void *arg)
{
        (void)item;
        return nap(arg);
}

static int free_item(void *item, int result, void *arg)
{
        (void)result;
        (void)arg;
        free_value(item);
        return 0;
}

static int fail_once(void *arg)
{
        int r = nap(NULL);

        return r < 0 ? r : ++*(int *)arg < 2 ? -EAGAIN : 0;
}

static int many_calls(void *arg)
{
        struct plait_map_opts opts = {.size = sizeof opts, .limit = 2, .flags = PLAIT_MAP_ORDERED, .done = free_item};
        struct plait_retry_opts retry = {.size = sizeof retry, .first_ns = 1000, .attempt_ns = 1000000000};
        struct plait_call calls[3];
        struct plait_limiter limiter;
        int n = 0, failed = 0;

        (void)arg;
        for (int i = 0; i < 3; i++)
                calls[i] = (struct plait_call){.fn = nap};
        int r = plait_gather(calls, 3, NULL);
        if (r >= 0)
                r = plait_hedge(calls, 3, 100000, PLAIT_NEVER, NULL);
        if (r >= 0)
                r = plait_map(next_item, nap_over, &n, &opts);
        if (r >= 0)
                r = plait_retry(fail_once, &failed, &retry);
        CHECK_OK(plait_limiter_init(&limiter, 1000, 1));
        for (int i = 0; i < 3 && r >= 0; i++)
                r = seen(plait_limiter_acquire(&limiter, 1, PLAIT_NEVER));
        return r < 0 ? r : 0;
}

TEST(calls_at_once_all_end, .timeout_ms = 60000)
{
        inject_everywhere(many_calls, 8);
}

static int iterate(void *arg)
{
        struct plait_as_completed each;
        struct plait_call calls[3], *call;
        int r;

        (void)arg;
        for (int i = 0; i < 3; i++)
                calls[i] = (struct plait_call){.fn = nap};
        CHECK_OK(plait_as_completed_start(&each, calls, 3, NULL));
        while ((r = seen(plait_as_completed_next(&each, PLAIT_NEVER, &call))) > 0)
                r = call->result;
        plait_as_completed_finish(&each);
        return r;
}

TEST(an_iteration_that_is_cancelled_leaves_no_task, .timeout_ms = 60000)
{
        inject_everywhere(iterate, 3);
}

/* --- http --- */

static int serve_one(int listener)
{
        static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
        char buf[4096];
        int fd = seen(plait_accept(listener, NULL, PLAIT_NEVER));

        if (fd < 0)
                return fd;
        opened(fd);
        ssize_t r = seen((int)plait_read(fd, buf, sizeof buf, PLAIT_NEVER));
        if (r >= 0)
                r = seen((int)plait_write_full(fd, response, sizeof response - 1, PLAIT_NEVER));
        closed(fd);
        return r == -EPIPE || r == -ECONNRESET || r >= 0 ? 0 : (int)r;
}

static int get(void *url)
{
        struct plait_response response = {0};
        struct plait_session *session;

        CHECK_OK(plait_session_new(&session, NULL));
        int r = seen(plait_session_get(session, url, &response, NULL));
        plait_response_done(&response);
        plait_session_free(session);
        return r < 0 ? r : 0;
}

static int http(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_address address;
        char text[80], url[100];

        (void)arg;
        int listener = plait_listen("127.0.0.1:0", NULL);
        opened(listener);
        CHECK_OK(plait_local_address(listener, &address));
        snprintf(url, sizeof url, "http://%s/", plait_address_text(&address, text, sizeof text));
        CHECK_OK(plait_scope_open(&scope));
        go(&scope, get, url);
        int r = join(&scope, serve_one(listener));
        closed(listener);
        return r;
}

TEST(http_requests_leave_nothing, .timeout_ms = 60000)
{
        inject_everywhere(http, 2);
}

/* --- the facility itself --- */

static int sleep_three_times(void *arg)
{
        int *results = arg;

        for (int i = 0; i < 3; i++)
                results[i] = plait_sleep(plait_in_ns(1000000));
        return plait_cancelled();
}

TEST(the_nth_wait_is_the_one_that_is_cancelled)
{
        int results[3];

        CHECK_INT(setenv("PLAIT_DEBUG", "cancel=2", 1), ==, 0);
        CHECK_INT(plait_run(sleep_three_times, results, NULL), ==, -ECANCELED);
        CHECK_INT(results[0], ==, 0);
        CHECK_INT(results[1], ==, -ECANCELED);
        CHECK_INT(results[2], ==, -ECANCELED);
        CHECK_INT(setenv("PLAIT_DEBUG", "cancel=4", 1), ==, 0);
        CHECK_INT(plait_run(sleep_three_times, results, NULL), ==, 0);
        CHECK_INT(results[2], ==, 0);
}

static int do_nothing(void *arg)
{
        (void)arg;
        return 0;
}

TEST(a_wait_that_is_no_number_is_refused, .stderr_match = "cancel=soon is ignored")
{
        CHECK_INT(setenv("PLAIT_DEBUG", "cancel=soon", 1), ==, 0);
        CHECK_INT(plait_run(do_nothing, NULL, NULL), ==, 0);
}
