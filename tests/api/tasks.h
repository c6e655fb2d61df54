/*
 * What tasks do that a test of scopes is about.
 */
#ifndef API_TASKS_H
#define API_TASKS_H

#include <plait/plait.h>
#include <stdatomic.h>
#include <stdint.h>

static atomic_int count; /* of those that add_one() and sleep_forever() have begun */

static inline int add_one(void *arg)
{
        (void)arg;
        atomic_fetch_add(&count, 1);
        return 0;
}

static inline int sleep_forever(void *arg)
{
        (void)arg;
        atomic_fetch_add(&count, 1);
        return plait_sleep(PLAIT_NEVER);
}

static inline int return_it(void *result)
{
        return (int)(intptr_t)result;
}

static inline int yield_then_return_it(void *result)
{
        plait_yield();
        return (int)(intptr_t)result;
}

#endif
