/*
 * Several locks at once. They are sorted by address and taken in that order; when one cannot be had in time, those that
 * have been taken are given back.
 *
 * The detector of lock orders is told of each lock as usual, and that it is one of a set: the order of addresses says
 * nothing about classes, so what is taken of two classes within a set is no order between these.
 */
#include "plait/lock_all.h"

#include <errno.h>

#include "base/attributes.h"
#include "sched/flow.h"
#include "sched/held.h"
#include "sync/mutex.h"
#include "sync/rwlock.h"

static const void *address_of(const struct plait_lock *lock)
{
        if (lock->mutex)
                return lock->mutex;
        return lock->read ? lock->read : lock->write;
}

static bool is_valid(const struct plait_lock *lock)
{
        return (lock->mutex != NULL) + (lock->read != NULL) + (lock->write != NULL) == 1;
}

static bool comes_first(const struct plait_lock *a, const struct plait_lock *b)
{
        return (uintptr_t)address_of(a) < (uintptr_t)address_of(b);
}

static void swap(struct plait_lock *a, struct plait_lock *b)
{
        struct plait_lock c = *a;

        *a = *b;
        *b = c;
}

/* Heap sort: no memory, no recursion, no bad case. */
static void sift(struct plait_lock *locks, size_t at, size_t n)
{
        for (;;) {
                size_t child = 2 * at + 1;

                if (child >= n)
                        return;
                if (child + 1 < n && comes_first(&locks[child], &locks[child + 1]))
                        child++;
                if (!comes_first(&locks[at], &locks[child]))
                        return;
                swap(&locks[at], &locks[child]);
                at = child;
        }
}

static void sort(struct plait_lock *locks, size_t n)
{
        for (size_t i = n / 2; i-- > 0;)
                sift(locks, i, n);
        for (size_t end = n; end-- > 1;) {
                swap(&locks[0], &locks[end]);
                sift(locks, 0, end);
        }
}

static int take(struct plait_lock *lock, int64_t deadline_ns, unsigned n_before)
{
        if (lock->mutex)
                return pl_sync_mutex_lock_of_set(lock->mutex, deadline_ns, n_before);
        return pl_sync_rwlock_lock_of_set(lock->read ? lock->read : lock->write, deadline_ns, lock->write, n_before);
}

int plait_lock_all(size_t n, struct plait_lock *locks, int64_t deadline_ns)
{
        for (size_t i = 0; i < n; i++)
                if (!is_valid(&locks[i]))
                        return -EINVAL;
        sort(locks, n);
        for (size_t i = 1; i < n; i++)
                if (address_of(&locks[i - 1]) == address_of(&locks[i]))
                        return -EINVAL;

        const unsigned n_before = pl_sched_held_count(pl_sched_flow());

        for (size_t i = 0; i < n; i++) {
                int r = take(&locks[i], deadline_ns, n_before);

                if (PL_UNLIKELY(r < 0)) {
                        plait_unlock_all(i, locks);
                        return r;
                }
        }
        return 0;
}

void plait_unlock_all(size_t n, const struct plait_lock *locks)
{
        for (size_t i = n; i-- > 0;) {
                if (locks[i].mutex)
                        plait_mutex_unlock(locks[i].mutex);
                else if (locks[i].read)
                        plait_rwlock_unlock_read(locks[i].read);
                else
                        plait_rwlock_unlock_write(locks[i].write);
        }
}
