/* Priorities of tasks: who goes first, who is not starved, and that nobody is lost. */
#include <plait/plait.h>
#include <stdatomic.h>

#include "api/alone.h"

static struct plait_task_opts with(unsigned flags)
{
        return (struct plait_task_opts){.size = sizeof(struct plait_task_opts), .flags = flags};
}

static void start(struct plait_scope *scope, int (*fn)(void *), void *arg, unsigned flags)
{
        struct plait_task_opts opts = with(flags);

        CHECK_OK(plait_scope_start(scope, fn, arg, &opts, NULL));
}

/* What has run, in order. */
static char trail[12];
static int steps;
static struct plait_event all_marked = PLAIT_EVENT_INIT;

static int leave_a_mark(void *mark)
{
        CHECK_INT(steps, <, 12);
        trail[steps++] = *(const char *)mark;
        if (steps == 12)
                plait_event_set(&all_marked);
        return 0;
}

/* One choice in 16 and one in 64 may go to the others. */
static void check_order(void)
{
        int misplaced = 0;

        CHECK_INT(steps, ==, 12);
        for (int i = 0; i < 12; i++)
                misplaced += trail[i] != "HHHHoooollll"[i];
        CHECK_INT(misplaced, <=, 4);
}

TEST(priority_decides_who_starts_first, .run = alone)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < 4; i++) {
                start(&scope, leave_a_mark, "l", PLAIT_TASK_LOW);
                start(&scope, leave_a_mark, "o", 0);
                start(&scope, leave_a_mark, "H", PLAIT_TASK_HIGH);
        }
        CHECK_OK(plait_event_wait(&all_marked,
                                  PLAIT_NEVER)); /* whoever joins calls what has not started, in his order */
        CHECK_OK(plait_scope_join(&scope));
        check_order();
}

static struct plait_semaphore semaphores[3];
static int waiting;
static struct plait_event all_wait = PLAIT_EVENT_INIT;

static int wait_and_mark(void *mark)
{
        int which = *(const char *)mark == 'H' ? 2 : *(const char *)mark == 'l' ? 0 : 1;

        if (++waiting == 12)
                plait_event_set(&all_wait);
        CHECK_OK(plait_semaphore_acquire(&semaphores[which], PLAIT_NEVER));
        return leave_a_mark((void *)(uintptr_t)mark);
}

TEST(priority_decides_who_goes_on_first, .run = alone)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < 4; i++) {
                start(&scope, wait_and_mark, "l", PLAIT_TASK_LOW);
                start(&scope, wait_and_mark, "o", 0);
                start(&scope, wait_and_mark, "H", PLAIT_TASK_HIGH);
        }
        CHECK_OK(plait_event_wait(&all_wait, PLAIT_NEVER));
        for (int i = 0; i < 3; i++)
                CHECK_OK(plait_semaphore_release(&semaphores[i], 4));
        CHECK_OK(plait_scope_join(&scope));
        check_order();
}

static atomic_bool stop;

static int yield_until_told(void *arg)
{
        (void)arg;
        while (!atomic_load(&stop))
                plait_yield();
        return 0;
}

static int tell(void *arg)
{
        (void)arg;
        atomic_store(&stop, true);
        return 0;
}

/* Ends only if the one of lower priority gets to run. */
static void check_not_starved(unsigned those, unsigned by)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        atomic_store(&stop, false);
        for (int i = 0; i < 5; i++)
                start(&scope, yield_until_told, NULL, by);
        start(&scope, tell, NULL, those);
        CHECK_OK(plait_scope_join(&scope));
}

TEST(priority_starves_nobody, .run = alone)
{
        check_not_starved(0, PLAIT_TASK_HIGH);
        check_not_starved(PLAIT_TASK_LOW, 0);
        check_not_starved(PLAIT_TASK_LOW, PLAIT_TASK_HIGH);
        check_not_starved(PLAIT_TASK_HIGH, PLAIT_TASK_LOW);
        check_not_starved(PLAIT_TASK_HIGH, 0);
}

TEST(priority_starves_nobody_on_several_workers, .run = in_task)
{
        check_not_starved(0, PLAIT_TASK_HIGH);
        check_not_starved(PLAIT_TASK_LOW, 0);
        check_not_starved(PLAIT_TASK_LOW, PLAIT_TASK_HIGH);
        check_not_starved(PLAIT_TASK_HIGH, PLAIT_TASK_LOW);
}

static atomic_int ended;

static int play(void *arg)
{
        struct plait_channel *channel = arg;
        long item = 1;

        for (int i = 0; i < 200; i++) {
                if (i % 7 == 0)
                        plait_yield();
                if (i % 50 == 0)
                        CHECK_OK(plait_sleep(plait_in_ns(50000)));
                struct plait_case cases[] = {plait_case_send(channel, &item), plait_case_receive(channel, &item)};

                CHECK_INT(plait_select(cases, 2, plait_in_ms(1)), >=, -ETIMEDOUT);
        }
        atomic_fetch_add(&ended, 1);
        return 0;
}

TEST(priority_of_all_kinds_together_lose_nobody, .run = in_task, .timeout_ms = 120000)
{
        static const unsigned kinds[] = {0, PLAIT_TASK_HIGH, PLAIT_TASK_LOW};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_channel *channel;

        CHECK_OK(plait_channel_new(sizeof(long), 1, &channel));
        for (int i = 0; i < 90; i++)
                start(&scope, play, channel, kinds[i % 3]);
        CHECK_OK(plait_scope_join(&scope));
        CHECK_INT(ended, ==, 90);
        plait_channel_free(channel);
}

static int nothing(void *arg)
{
        (void)arg;
        return 0;
}

TEST(priority_is_one_of_the_kinds, .run = in_task)
{
        static const unsigned wrong[] = {PLAIT_TASK_HIGH | PLAIT_TASK_LOW, PLAIT_TASK_COMPACT | PLAIT_TASK_HIGH,
                                         PLAIT_TASK_COMPACT | PLAIT_TASK_LOW, 8};
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
                struct plait_task_opts opts = with(wrong[i]);

                CHECK_INT(plait_scope_start(&scope, nothing, NULL, &opts, NULL), ==, -EINVAL);
        }
        CHECK_OK(plait_scope_join(&scope));
}
