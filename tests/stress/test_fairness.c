/*
 * Nobody starves: everybody goes on until everybody has had his share, so a case ends only if each flow gets on. The
 * mutex and the reader-writer lock have theirs in test_locking.c and test_turns.c.
 */
#include <plait/plait.h>

#include "stress/flows.h"

enum { TASKS = 8, THREADS = 2, FLOWS = TASKS + THREADS };

struct shares {
        int share;       /* how often each is to get on */
        unsigned behind; /* flows that have not yet */
        struct plait_semaphore permits;
        struct plait_channel *channel;
        struct plait_queue *queue;
        struct plait_mutex mutex;
        struct plait_condition changed;
        int tokens; /* guarded by mutex */
};

static int share(int n)
{
        return n / test_slowness() + 1;
}

static bool all_have_theirs(const struct shares *shares)
{
        return __atomic_load_n(&shares->behind, __ATOMIC_RELAXED) == 0;
}

static void got_on(struct shares *shares, int times)
{
        if (times == shares->share)
                __atomic_fetch_sub(&shares->behind, 1, __ATOMIC_RELAXED);
}

static int use_permit(void *arg)
{
        struct flow *flow = arg;
        struct shares *shares = flow->arg;

        for (int i = 1; !all_have_theirs(shares); i++) {
                CHECK_INT(plait_semaphore_acquire(&shares->permits, PLAIT_NEVER), ==, 0);
                got_on(shares, i);
                if (i % 16 == 0)
                        plait_yield();
                CHECK_OK(plait_semaphore_release(&shares->permits, 1));
        }
        return 0;
}

TEST(semaphore_starves_nobody, .run = in_task)
{
        struct shares shares = {.share = share(500), .behind = FLOWS, .permits = PLAIT_SEMAPHORE_INIT(2)};

        run_flows(TASKS, THREADS, use_permit, &shares);
        CHECK_UINT(plait_semaphore_count(&shares.permits), ==, 2);
}

/* Each sends and receives by turns. With time-outs, so that the last ones need no partner. */
static int send_and_receive(void *arg)
{
        struct flow *flow = arg;
        struct shares *shares = flow->arg;
        int received = 0, item = 0;

        while (!all_have_theirs(shares)) {
                (void)!plait_channel_send(shares->channel, &item, plait_in_ms(20));
                if (plait_channel_receive(shares->channel, &item, plait_in_ms(20)) == 0)
                        got_on(shares, ++received);
        }
        return 0;
}

TEST(channel_starves_nobody, .run = in_task)
{
        struct shares shares = {.share = share(500), .behind = FLOWS};

        CHECK_OK(plait_channel_new(sizeof(int), 2, &shares.channel));
        run_flows(TASKS, THREADS, send_and_receive, &shares);
        plait_channel_free(shares.channel);
}

static int put_and_get(void *arg)
{
        struct flow *flow = arg;
        struct shares *shares = flow->arg;
        int gotten = 0, item = 0;

        while (!all_have_theirs(shares)) {
                (void)!plait_queue_put(shares->queue, &item, plait_in_ms(20));
                if (plait_queue_get(shares->queue, &item, plait_in_ms(20)) < 0)
                        continue;
                CHECK_OK(plait_queue_task_done(shares->queue));
                got_on(shares, ++gotten);
        }
        return 0;
}

TEST(queue_starves_nobody, .run = in_task)
{
        struct shares shares = {.share = share(500), .behind = FLOWS};

        CHECK_OK(plait_queue_new(sizeof(int), 2, NULL, &shares.queue));
        run_flows(TASKS, THREADS, put_and_get, &shares);
        plait_queue_free(shares.queue);
}

/* Signals go to who has waited longest. */
static int take_token(void *arg)
{
        struct flow *flow = arg;
        struct shares *shares = flow->arg;

        for (int i = 1; !all_have_theirs(shares); i++) {
                CHECK_INT(plait_mutex_lock(&shares->mutex, PLAIT_NEVER), ==, 0);
                while (shares->tokens == 0)
                        CHECK_INT(plait_condition_wait(&shares->changed, &shares->mutex, PLAIT_NEVER), ==, 0);
                shares->tokens--;
                plait_mutex_unlock(&shares->mutex);
                got_on(shares, i);
                plait_yield();
                CHECK_INT(plait_mutex_lock(&shares->mutex, PLAIT_NEVER), ==, 0);
                shares->tokens++;
                plait_condition_signal(&shares->changed);
                plait_mutex_unlock(&shares->mutex);
        }
        return 0;
}

TEST(condition_starves_nobody, .run = in_task)
{
        struct shares shares = {.share = share(200), .behind = FLOWS, .tokens = 2};

        run_flows(TASKS, THREADS, take_token, &shares);
        CHECK_INT(shares.tokens, ==, 2);
}
