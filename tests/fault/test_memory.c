/*
 * Each allocation fails in turn, once or with all that come after it: a program gets -ENOMEM (or goes on, where plait
 * can do without), nothing crashes, hangs, or stays open. Each try is a process of its own.
 */
#include <netinet/in.h>
#include <pthread.h>

#include <plait/plait.h>

#include "attempt.h"

/* --- what programs do; each returns 0 or the first error --- */

static int nap(void *arg)
{
        (void)arg;
        return plait_sleep(plait_in_ns(100000));
}

static int named(void *arg)
{
        int r = plait_task_set_name("renamed");

        (void)arg;
        return r < 0 ? r : nap(NULL);
}

static int tasks(void *arg)
{
        struct plait_task_opts opts = {.size = sizeof opts, .name = "named", .stack_bytes = 128 << 10};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_task *task = NULL;
        int r = 0;

        (void)arg;
        for (int i = 0; i < 40 && r == 0; i++)
                r = plait_scope_go(&scope, i % 2 ? nap : named, NULL);
        if (r == 0)
                r = plait_scope_start(&scope, named, NULL, &opts, &task);
        if (task) {
                int result;

                r = plait_task_wait(task, PLAIT_NEVER, &result);
                plait_task_unref(task);
        }
        if (r < 0)
                plait_scope_cancel(&scope);
        int joined = plait_scope_join(&scope); /* the first error: what came after is that the scope was cancelled */
        return joined ? joined : r;
}

static int feed(void *arg)
{
        struct plait_channel *channel = arg;
        int r = 0;

        for (int i = 0; i < 100 && r == 0; i++)
                r = plait_channel_send(channel, &i, PLAIT_NEVER);
        plait_channel_close(channel);
        return r;
}

static int drain(struct plait_channel *channel)
{
        int item, r;

        while ((r = plait_channel_receive(channel, &item, PLAIT_NEVER)) == 0) {}
        return r == -EPIPE ? 0 : r;
}

static int channels(void *arg)
{
        static const size_t capacities[] = {0, 3, PLAIT_CHANNEL_UNBOUNDED};
        int result = 0;

        (void)arg;
        for (int i = 0; i < 3 && result == 0; i++) {
                struct plait_scope scope = PLAIT_SCOPE_INIT;
                struct plait_channel *channel;
                int r = plait_channel_new(sizeof(int), capacities[i], &channel);

                if (r < 0)
                        return r;
                r = plait_scope_go(&scope, feed, channel);
                result = r < 0 ? r : drain(channel);
                int joined = plait_scope_join(&scope);
                result = joined ? joined : result;
                plait_channel_free(channel);
        }
        return result;
}

static int queue(void *arg)
{
        struct plait_queue *queue;
        int r = plait_queue_new(sizeof(int), 0, NULL, &queue);

        (void)arg;
        if (r < 0)
                return r;
        for (int i = 0; i < 100 && r == 0; i++)
                r = plait_queue_put(queue, &i, PLAIT_NEVER);
        for (int i = 0, item; i < 100 && r == 0; i++)
                r = plait_queue_get(queue, &item, PLAIT_NEVER);
        plait_queue_free(queue);
        return r;
}

static int pipe_and_socket(void *arg)
{
        struct plait_address address;
        char text[64], byte;
        int ends[2], server = -1, client = -1, listener;
        int r = plait_pipe(ends);

        (void)arg;
        if (r < 0)
                return r;
        r = (int)plait_write_full(ends[1], "x", 1, PLAIT_NEVER);
        if (r >= 0)
                r = (int)plait_read(ends[0], &byte, 1, PLAIT_NEVER);
        plait_close(ends[0]);
        plait_close(ends[1]);
        if (r < 0)
                return r;
        listener = plait_listen("127.0.0.1:0", NULL);
        if (listener < 0)
                return listener;
        r = plait_local_address(listener, &address);
        if (r >= 0)
                client = r = plait_dial(plait_address_text(&address, text, sizeof text), PLAIT_NEVER);
        if (r >= 0)
                server = r = plait_accept(listener, NULL, PLAIT_NEVER);
        if (r >= 0)
                r = (int)plait_write_full(client, "y", 1, PLAIT_NEVER);
        if (r >= 0)
                r = (int)plait_read(server, &byte, 1, PLAIT_NEVER);
        if (client >= 0)
                plait_close(client);
        if (server >= 0)
                plait_close(server);
        plait_close(listener);
        return r < 0 ? r : 0;
}

static int call(void *arg)
{
        return *(int *)arg == 5 ? 0 : -EINVAL;
}

static int calls(void *arg)
{
        struct plait_call some[4];
        int five = 5;
        int r = plait_blocking(call, &five, PLAIT_NEVER);

        (void)arg;
        for (int i = 0; i < 4; i++)
                some[i] = (struct plait_call){.fn = call, .arg = &five};
        return r < 0 ? r : plait_gather(some, 4, NULL);
}

static int names(void *arg)
{
        struct plait_addresses *addresses;
        int r = plait_resolve("127.0.0.1", "80", PLAIT_NEVER, &addresses);

        (void)arg;
        if (r == 0)
                plait_addresses_free(addresses);
        return r;
}

static void tick(void *event)
{
        plait_event_set(event);
}

static void keep(void *value)
{
        (void)value;
}

static int waits(void *arg)
{
        static struct plait_local local = PLAIT_LOCAL_INIT(keep);
        struct plait_event event = PLAIT_EVENT_INIT;
        struct plait_future *future;
        struct plait_timer timer;
        int r = plait_local_set(&local, &event);

        (void)arg;
        if (r < 0 || (r = plait_future_new(NULL, &future)) < 0)
                return r;
        memset(&timer, 0, sizeof timer);
        r = plait_timer_start(&timer, plait_in_ns(50000), tick, &event);
        if (r == 0) {
                struct plait_case cases[] = {plait_case_event(&event), plait_case_future(future)};

                r = plait_select(cases, 2, PLAIT_NEVER);
        }
        plait_future_unref(future);
        return r;
}

static int (*const scenarios[])(void *) = {tasks, channels, queue, pipe_and_socket, calls, names, waits};

/* --- trying --- */

static void attempt(int (*scenario)(void *), long number, bool for_good)
{
        struct plait_run_opts opts = {.size = sizeof opts, .workers = 2};
        int before = descriptors();

        alarm(HANG_S);
        atomic_store(&starve_for_good, for_good);
        atomic_store(&starve_in, number);
        int r = plait_run(scenario, NULL, &opts);
        atomic_store(&starve_in, 0);
        if (!allowed(r)) {
                fprintf(stderr, "allocation %ld fails: %d\n", number, r);
                _exit(WRONG);
        }
        if (descriptors() != before) {
                fprintf(stderr, "a descriptor stays open\n");
                _exit(WRONG);
        }
        /* Memory is there again: so must everything be. */
        r = plait_run(scenario, NULL, &opts);
        if (r != 0)
                fprintf(stderr, "after the failure of allocation %ld: %d\n", number, r);
        _exit(r ? WRONG : atomic_load(&starved) ? 0 : UNTOUCHED);
}

#define STARVED(number, name)                                   \
        TEST(name##_without_memory, .timeout_ms = 120000)       \
        {                                                       \
                starve_each(attempt, scenarios[number], false); \
                starve_each(attempt, scenarios[number], true);  \
        }

STARVED(0, tasks)
STARVED(1, channels)
STARVED(2, queue)
STARVED(3, sockets)
STARVED(4, calls)
STARVED(5, names)
STARVED(6, waits)
