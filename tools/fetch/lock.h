/*
 * A mutex that is locked whatever happens: book-keeping has to be done in cancelled tasks too.
 */
#ifndef FETCH_LOCK_H
#define FETCH_LOCK_H

#include <plait/mutex.h>
#include <plait/task.h>

static inline void lock_always(struct plait_mutex *mutex)
{
        while (plait_mutex_lock(mutex, PLAIT_NEVER) < 0)
                plait_yield();
}

#endif
