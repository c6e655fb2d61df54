/*
 * The harness's way into a task.
 */
#include "harness/task.h"

TEST(body_runs_in_a_task, .run = in_task)
{
        CHECK_PTR(plait_task_self(), !=, NULL);
        CHECK_INT(plait_sleep(plait_in_ms(1)), ==, 0);
}

TEST(body_runs_in_no_task_unless_asked)
{
        CHECK_PTR(plait_task_self(), ==, NULL);
}
