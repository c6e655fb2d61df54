/* The clock that workers reckon by: beside the kernel's. */
#include "harness/test.h"
#include "plat/sys.h"
#include "sched/clock.h"

enum { ROUNDS = 200000 };

TEST(a_reckoned_time_is_never_on_the_wrong_side_of_the_clock)
{
        struct pl_clock clock;

        pl_sched_clock_init(&clock);
        for (int i = 0; i < ROUNDS; i++) {
                int64_t before_ns = pl_plat_now_ns();
                int64_t later_ns = pl_sched_clock_at_most(&clock);
                int64_t earlier_ns = pl_sched_clock_at_least(&clock);

                CHECK_INT(later_ns, >=, before_ns);
                CHECK_INT(earlier_ns, <=, pl_plat_now_ns());
        }
}

TEST(a_reading_that_is_too_old_is_not_reckoned_from)
{
        struct pl_clock clock;

        pl_sched_clock_init(&clock);
        (void)pl_sched_clock_read(&clock);
        clock.ns -= 1000000000; /* whoever reckons from this will be a second late */
        clock.ticks -= pl_plat_ticks_per_ms();
        int64_t before_ns = pl_plat_now_ns();
        CHECK_INT(pl_sched_clock_at_most(&clock), >=, before_ns);
}

TEST(where_the_clock_is_not_made_from_the_counter_it_is_read)
{
        struct pl_clock clock;

        pl_sched_clock_init(&clock);
        clock.ticks_per_ms = 0;
        for (int i = 0; i < 100; i++) {
                clock.ns = 0;
                CHECK_INT(pl_sched_clock_reckon(&clock), >, 1000);
                CHECK_UINT(clock.good_for, ==, 0);
        }
}
