/* Cancellation at every wait of locks, messages, permits, scopes and calls at once (injection.h). */
#include "api/injection.h"

/* --- locks --- */

static struct plait_mutex mutex;
static struct plait_rwlock rwlock;
static struct plait_condition condition;
static bool flag;

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
        r = seen(plait_sleep(plait_in_ms(20))); /* not over before it begins: the other one is to wait */
        plait_rwlock_unlock_read(&rwlock);
        return r;
}

static int locks(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        (void)arg;
        flag = false;
        CHECK_OK(plait_scope_open(&scope));
        int r = join(&scope, hold_locks(&scope));
        CHECK_INT(plait_mutex_trylock(&mutex), ==, 0);
        plait_mutex_unlock(&mutex);
        CHECK_INT(plait_rwlock_trylock_write(&rwlock), ==, 0);
        plait_rwlock_unlock_write(&rwlock);
        return r;
}

TEST(locks_are_let_go, .timeout_ms = 120000)
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

TEST(items_are_never_lost, .timeout_ms = 120000)
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

TEST(jobs_of_a_queue_are_done_or_still_in_it, .timeout_ms = 120000)
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

TEST(permits_and_futures_are_not_lost, .timeout_ms = 120000)
{
        inject_everywhere(permits, 1);
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

TEST(nested_scopes_end_and_shields_hold, .timeout_ms = 120000)
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

TEST(calls_at_once_all_end, .timeout_ms = 120000)
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
                CHECK(call->result <= 0);
        plait_as_completed_finish(&each);
        return r;
}

TEST(an_iteration_that_is_cancelled_leaves_no_task, .timeout_ms = 120000)
{
        inject_everywhere(iterate, 3);
}

/* --- the facility itself --- */

static int sleep_three_times(void *arg)
{
        int *results = arg;

        for (int i = 0; i < 3; i++)
                results[i] = plait_sleep(plait_in_ms(100)); /* not over before it begins */
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
