/*
 * Runs the body of a case in a task: TEST(name, .run = in_task).
 */
#ifndef HARNESS_TASK_H
#define HARNESS_TASK_H

#include "harness/test.h"

#include <plait/plait.h>

struct in_task_body {
        void (*body)(void);
};

static inline int in_task_main(void *arg)
{
        const struct in_task_body *task = arg;
        task->body();
        return 0;
}

static inline void in_task(void (*body)(void))
{
        struct in_task_body task = {.body = body};
        CHECK_INT(plait_run(in_task_main, &task, NULL), ==, 0);
}

#endif
