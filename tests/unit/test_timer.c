/* The timer wheel, driven by hand: no clock, no runtime. */
#include <stdlib.h>

#include "harness/test.h"
#include "sched/timer.h"

enum { TICK_NS = 1 << 14 };

struct alarm {
        struct pl_timer timer;
        int fired;
};

static int64_t fire_time_ns; /* what the wheel was told when it fired */

static bool due(struct pl_timer *timer)
{
        (void)timer;
        return true;
}

static void fire(struct pl_timer *timer)
{
        struct alarm *alarm = PL_CONTAINER_OF(timer, struct alarm, timer);

        CHECK_INT(timer->deadline_ns, <=, fire_time_ns);
        alarm->fired++;
}

static const struct pl_timer_kind kind = {.due = due, .fire = fire};

static void set(struct pl_timers *wheel, struct alarm *alarm, int64_t deadline_ns)
{
        *alarm = (struct alarm){.timer = {.deadline_ns = deadline_ns, .kind = &kind}};
        pl_timers_insert(wheel, &alarm->timer);
}

static void come_to(struct pl_timers *wheel, int64_t now_ns)
{
        fire_time_ns = now_ns;
        pl_timers_fire(wheel, now_ns);
}

static int64_t next_ns(struct pl_timers *wheel)
{
        return atomic_load(&wheel->next_ns);
}

TEST(an_empty_wheel_has_no_next_time)
{
        struct pl_timers wheel;

        pl_timers_init(&wheel, 12345);
        CHECK_INT(next_ns(&wheel), ==, INT64_MAX);
        come_to(&wheel, INT64_C(1) << 60);
        CHECK_INT(next_ns(&wheel), ==, INT64_MAX);
}

TEST(a_timer_fires_once_and_not_before_its_time)
{
        struct pl_timers wheel;
        struct alarm alarm;

        pl_timers_init(&wheel, 0);
        set(&wheel, &alarm, 1000000);
        come_to(&wheel, 999999);
        CHECK_INT(alarm.fired, ==, 0);
        come_to(&wheel, 1000000 + TICK_NS);
        CHECK_INT(alarm.fired, ==, 1);
        come_to(&wheel, 5000000);
        CHECK_INT(alarm.fired, ==, 1);
        CHECK(!pl_timers_remove(&alarm.timer));
}

TEST(a_removed_timer_does_not_fire_and_leaves_the_wheel_empty)
{
        struct pl_timers wheel;
        struct alarm near, far;

        pl_timers_init(&wheel, 0);
        set(&wheel, &near, 1000000);
        set(&wheel, &far, INT64_C(1) << 50);
        CHECK(pl_timers_remove(&near.timer));
        CHECK(pl_timers_remove(&far.timer));
        CHECK(!pl_timers_remove(&far.timer));
        come_to(&wheel, INT64_C(1) << 51);
        CHECK_INT(near.fired + far.fired, ==, 0);
        CHECK_INT(next_ns(&wheel), ==, INT64_MAX);
}

TEST(a_timer_that_is_past_fires_at_the_next_tick)
{
        struct pl_timers wheel;
        struct alarm alarm;

        pl_timers_init(&wheel, INT64_C(1) << 40);
        set(&wheel, &alarm, 5);
        come_to(&wheel, (INT64_C(1) << 40) + 2 * TICK_NS);
        CHECK_INT(alarm.fired, ==, 1);
}

TEST(the_next_time_is_exact_for_a_lone_timer_however_far)
{
        struct pl_timers wheel;
        struct alarm alarm;

        for (int shift = 15; shift < 62; shift++) {
                int64_t deadline_ns = (INT64_C(1) << shift) + 12345;

                pl_timers_init(&wheel, 777);
                set(&wheel, &alarm, deadline_ns);
                come_to(&wheel, 778); /* computes next_ns anew */
                CHECK_INT(next_ns(&wheel), >=, deadline_ns);
                CHECK_INT(next_ns(&wheel), <=, deadline_ns + TICK_NS);
                come_to(&wheel, next_ns(&wheel));
                CHECK_INT(alarm.fired, ==, 1);
        }
}

/* Against the plain definition: after each step exactly those are fired whose time has come, give or take a tick. */
TEST(random_timers_fire_when_a_sorted_list_says_so)
{
        enum { N = 2000, STEPS = 4000 };
        static struct alarm alarms[N];
        static bool set_before[N];
        struct pl_timers wheel;
        int64_t now_ns = 1000;
        unsigned seed = 42;

        pl_timers_init(&wheel, now_ns);
        for (int step = 0; step < STEPS; step++) {
                int i = rand_r(&seed) % N;

                if (set_before[i] && !alarms[i].fired)
                        CHECK(pl_timers_remove(&alarms[i].timer));
                set(&wheel, &alarms[i], now_ns + (INT64_C(1) << (rand_r(&seed) % 36)) + rand_r(&seed) % 1000);
                set_before[i] = true;
                if (step % 3 == 0)
                        now_ns += INT64_C(1) << (rand_r(&seed) % 32);
                come_to(&wheel, now_ns);
                for (int j = 0; j < N; j++) {
                        if (!set_before[j])
                                continue;
                        if (alarms[j].timer.deadline_ns + 2 * TICK_NS <= now_ns)
                                CHECK_INT(alarms[j].fired, ==, 1);
                        if (alarms[j].timer.deadline_ns > now_ns)
                                CHECK_INT(alarms[j].fired, ==, 0);
                }
        }
}

TEST(the_end_of_time_is_a_time_like_any_other)
{
        struct pl_timers wheel;
        struct alarm last, never;

        pl_timers_init(&wheel, 777);
        set(&wheel, &last, INT64_MAX - 1);
        set(&wheel, &never, INT64_MAX);
        come_to(&wheel, INT64_C(1) << 62);
        CHECK_INT(last.fired + never.fired, ==, 0);
        CHECK_INT(next_ns(&wheel), >, INT64_C(1) << 62);
        CHECK(pl_timers_remove(&last.timer));
        CHECK(pl_timers_remove(&never.timer));
}

static bool refuse(struct pl_timer *timer)
{
        struct alarm *alarm = PL_CONTAINER_OF(timer, struct alarm, timer);

        alarm->fired = -1;
        return false;
}

TEST(fire_is_not_called_when_due_declines)
{
        static const struct pl_timer_kind declining = {.due = refuse, .fire = fire};
        struct pl_timers wheel;
        struct alarm alarm = {.timer = {.deadline_ns = 100, .kind = &declining}};

        pl_timers_init(&wheel, 0);
        pl_timers_insert(&wheel, &alarm.timer);
        come_to(&wheel, 1000000);
        CHECK_INT(alarm.fired, ==, -1);
        CHECK_INT(next_ns(&wheel), ==, INT64_MAX);
}

TEST(more_timers_than_fire_at_once_are_due_until_all_have_fired)
{
        enum { N = 3 * PL_TIMERS_AT_ONCE / 2 };
        struct pl_timers wheel;
        struct alarm *alarms = calloc(N, sizeof *alarms);
        int fired = 0;

        CHECK(alarms != NULL);
        pl_timers_init(&wheel, 0);
        for (int i = 0; i < N; i++)
                set(&wheel, &alarms[i], 1000000 + i % 1000);
        come_to(&wheel, 2000000);
        for (int i = 0; i < N; i++)
                fired += alarms[i].fired;
        CHECK_INT(fired, ==, PL_TIMERS_AT_ONCE);
        CHECK(pl_timers_due(&wheel, 2000000));
        come_to(&wheel, 2000000);
        for (int i = 0; i < N; i++)
                CHECK_INT(alarms[i].fired, ==, 1);
        CHECK_INT(next_ns(&wheel), ==, INT64_MAX);
        free(alarms);
}
