/*
 * The barrier between processes. All of its state is one word of 64 bits, changed by CAS, so no party holds anything
 * when it dies. The high half counts those that have arrived; in the low half, which they sleep on, stand
 *
 *   BROKEN  for good
 *   DEAD    it broke because of a process that ended; only with BROKEN
 *   and above these the number of the round, which the last to arrive increments.
 *
 * The places name the processes that wait in a round or have entered (ENTERED). A place is taken before its owner
 * arrives and given back after he has left, so a process that is killed in between is found in it. Those who wait look
 * through the places now and then (PL_POOL_SHARED_LOOK_NS).
 */
#include "plait/shared_barrier.h"

#include <errno.h>
#include <limits.h>

#include "plat/sys.h"
#include "pool/shared_word.h"
#include "sched/wait.h"

#define BROKEN UINT64_C(1)
#define DEAD UINT64_C(2)
#define ROUND UINT64_C(4)
#define LOW UINT64_C(0xffffffff)
#define ONE_ARRIVED (UINT64_C(1) << 32)
#define ENTERED (UINT64_C(1) << 31) /* in a place */

enum { PLACES = 2 * PLAIT_SHARED_BARRIER_MAX };

static uint64_t load(const uint64_t *word)
{
        return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static bool change(uint64_t *word, uint64_t from, uint64_t to)
{
        return __atomic_compare_exchange_n(word, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void wake_all(struct plait_shared_barrier *barrier)
{
        pl_plat_shared_wake(pl_pool_shared_low(&barrier->pl_state), INT_MAX);
}

/* --- places --- */

/* NULL: there is none left. */
static uint64_t *take_place(struct plait_shared_barrier *barrier, uint64_t flag)
{
        const uint64_t self = pl_plat_process_self() | flag;

        for (int i = 0; i < PLACES; i++)
                if (load(&barrier->pl_places[i]) == 0 && change(&barrier->pl_places[i], 0, self))
                        return &barrier->pl_places[i];
        return NULL;
}

static void give_place_back(uint64_t *place)
{
        if (place)
                __atomic_store_n(place, 0, __ATOMIC_RELEASE);
}

static bool somebody_is_dead(const struct plait_shared_barrier *barrier)
{
        uint64_t alive = pl_plat_process_self();

        for (int i = 0; i < PLACES; i++) {
                const uint64_t process = load(&barrier->pl_places[i]) & ~ENTERED;

                if (!process || process == alive)
                        continue;
                if (!pl_plat_process_is_alive(process))
                        return true;
                alive = process;
        }
        return false;
}

/* --- rounds --- */

/* Break it, unless it is broken, or round *low* has been completed. */
static void break_round(struct plait_shared_barrier *barrier, uint32_t low, uint64_t why)
{
        uint64_t state = load(&barrier->pl_state);

        while ((uint32_t)state == low && !(state & BROKEN)) {
                if (change(&barrier->pl_state, state, (state & LOW) | BROKEN | why)) {
                        wake_all(barrier);
                        return;
                }
                state = load(&barrier->pl_state);
        }
}

static int broken_by(uint64_t state)
{
        return state & DEAD ? -EOWNERDEAD : -EPIPE;
}

/* Arrived in round *low*: until it is over. 0, or an error. */
static int wait_for_end(struct plait_shared_barrier *barrier, uint32_t low, int64_t deadline_ns)
{
        uint64_t state = load(&barrier->pl_state);
        int64_t look_ns = pl_plat_now_ns() + PL_POOL_SHARED_LOOK_NS;
        int r = 0;

        while ((uint32_t)state == low) {
                r = pl_pool_shared_wait(pl_pool_shared_low(&barrier->pl_state), low, deadline_ns);
                if (r < 0) {
                        break_round(barrier, low, 0);
                } else if (pl_plat_now_ns() >= look_ns) {
                        if (somebody_is_dead(barrier))
                                break_round(barrier, low, DEAD);
                        look_ns = pl_plat_now_ns() + PL_POOL_SHARED_LOOK_NS;
                }
                state = load(&barrier->pl_state);
        }
        if ((uint32_t)(state & ~(BROKEN | DEAD)) != low)
                return 0; /* completed, and perhaps broken afterwards */
        return r < 0 ? r : broken_by(state);
}

static int refuse(void)
{
        int r = pl_sched_wait_check();

        return r < 0 ? r : -ETIMEDOUT;
}

/* Arrive: the number of those still missing, and the round in *ret_low*; or an error. */
static int arrive(struct plait_shared_barrier *barrier, bool may_wait, uint32_t *ret_low)
{
        for (;;) {
                const uint64_t state = load(&barrier->pl_state);
                const uint64_t missing = barrier->pl_parties - (state >> 32) - 1;

                if (state & BROKEN)
                        return broken_by(state);
                if (!missing) {
                        if (!change(&barrier->pl_state, state, (uint32_t)((state & LOW) + ROUND)))
                                continue;
                        wake_all(barrier);
                        return 0;
                }
                if (!may_wait)
                        return refuse();
                if (change(&barrier->pl_state, state, state + ONE_ARRIVED)) {
                        *ret_low = (uint32_t)state;
                        return (int)missing;
                }
        }
}

int plait_shared_barrier_wait(struct plait_shared_barrier *barrier, int64_t deadline_ns)
{
        const bool may_wait = deadline_ns > 0;
        uint32_t low = 0;

        if (!barrier->pl_parties)
                return -EINVAL;
        uint64_t *place = may_wait ? take_place(barrier, 0) : NULL;
        int missing = arrive(barrier, may_wait, &low);
        int r = missing > 0 ? wait_for_end(barrier, low, deadline_ns) : 0;

        give_place_back(place);
        return r < 0 ? r : missing;
}

/* --- the rest --- */

int plait_shared_barrier_init(struct plait_shared_barrier *barrier, unsigned parties)
{
        if (!parties || parties > PLAIT_SHARED_BARRIER_MAX)
                return -EINVAL;
        *barrier = (struct plait_shared_barrier){.pl_parties = parties};
        return 0;
}

int plait_shared_barrier_enter(struct plait_shared_barrier *barrier)
{
        return take_place(barrier, ENTERED) ? 0 : -ENOSPC;
}

void plait_shared_barrier_leave(struct plait_shared_barrier *barrier)
{
        const uint64_t mine = pl_plat_process_self() | ENTERED;

        for (int i = 0; i < PLACES; i++)
                if (load(&barrier->pl_places[i]) == mine && change(&barrier->pl_places[i], mine, 0))
                        return;
}

void plait_shared_barrier_break(struct plait_shared_barrier *barrier)
{
        uint64_t state = load(&barrier->pl_state);

        while (!(state & BROKEN)) {
                break_round(barrier, (uint32_t)state, 0);
                state = load(&barrier->pl_state);
        }
}

bool plait_shared_barrier_is_broken(const struct plait_shared_barrier *barrier)
{
        return load(&barrier->pl_state) & BROKEN;
}
