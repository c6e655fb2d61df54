/* Deadlines and shields around a call or a block. */
#include <signal.h>

#include "harness/task.h"
#include "harness/test.h"

static int sleep_forever(void *arg)
{
        (void)arg;
        return plait_sleep(PLAIT_NEVER);
}

static int return_it(void *result)
{
        return (int)(intptr_t)result;
}

TEST(a_call_within_a_deadline_times_out, .run = in_task)
{
        CHECK_INT(plait_call_within(plait_in_ms(5), sleep_forever, NULL), ==, -ETIMEDOUT);
        CHECK_INT(plait_call_within(0, sleep_forever, NULL), ==, -ETIMEDOUT);
        CHECK_INT(plait_call_within(plait_in_s(100), return_it, (void *)7), ==, 7);
        CHECK_INT(plait_call_within(PLAIT_NEVER, NULL, NULL), ==, -EINVAL);
        CHECK_INT(plait_cancelled(), ==, 0);
}

TEST(a_call_within_needs_a_task)
{
        CHECK_INT(plait_call_within(PLAIT_NEVER, return_it, NULL), ==, -EINVAL);
}

static int leave_by_return(void)
{
        PLAIT_WITH_DEADLINE(plait_in_ms(1))
        {
                PLAIT_WITH_DEADLINE(plait_in_s(100))
                {
                        return plait_sleep(PLAIT_NEVER);
                }
        }
        return 0;
}

TEST(a_block_can_be_left_in_any_way, .run = in_task)
{
        int n = 0;

        CHECK_INT(leave_by_return(), ==, -ETIMEDOUT);
        for (int i = 0; i < 3; i++) {
                PLAIT_WITH_DEADLINE(0)
                {
                        CHECK_INT(plait_cancelled(), ==, -ETIMEDOUT);
                        n++;
                        if (i == 0)
                                break;
                        if (i == 1)
                                continue;
                        goto out;
                }
        }
out:
        CHECK_INT(n, ==, 3);
        CHECK_INT(plait_cancelled(), ==, 0);
        PLAIT_WITH_DEADLINE(0)
        PLAIT_SHIELDED
        CHECK_INT(plait_sleep(plait_in_ms(1)), ==, 0);
}

TEST(a_block_outside_of_a_task_says_so, .signal = SIGABRT, .stderr_match = "test_within\\.c:[0-9]+ is entered where no")
{
        PLAIT_SHIELDED
        plait_yield();
}
