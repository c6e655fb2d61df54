/*
 * Runs the body of a case in a task on one worker: TEST(name, .run = alone). Tasks then run one at a time and change
 * only where one waits or yields, so a test knows who waits for what.
 */
#ifndef API_ALONE_H
#define API_ALONE_H

#include <plait/plait.h>
#include <stdlib.h>

#include "harness/task.h"
#include "harness/test.h"

static inline void alone(void (*body)(void))
{
        struct in_task_body task = {.body = body};

        CHECK_SYS(setenv("PLAIT_WORKERS", "1", 1));
        CHECK_INT(plait_run(in_task_main, &task, NULL), ==, 0);
}

/* Let the other tasks of this worker run until they wait for something (there are few of them). */
static inline void let_others_run(void)
{
        for (int i = 0; i < 200; i++)
                plait_yield();
}

#endif
