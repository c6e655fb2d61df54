/*
 * Joining a scope: src/sched/scope.c, pl_owed, pl_pending, OWNER_WAITS.
 *
 *   owner       launch() by the owner, run_own_children(), wait_for_children()
 *   child       started by the owner or by another child (count_in()); ends elsewhere: pl_sched_scope_ended()
 *
 * Each child may start another one, in any place, as long as there are fewer than CHILDREN. The owner takes a child that
 * nobody has started and runs it inline, whoever started that.
 *
 * Checked: join returns only when every child has ended; the owner is woken exactly once, and not at all if it did not
 * have to wait; nobody touches the scope after join has returned; the owner does not sleep for ever.
 *
 * Left out: the word of the owner's wait (wait.pml); lists for cancellation. Atomic operations are single steps.
 *
 * BUG 1  an ending child reads the scope after it has subtracted itself
 *     2  the owner says that it waits, and then adds what it is owed, in two steps
 *     3  the owner sleeps without a look at the sum
 *     4  a child is counted only after it can be run
 */
#ifndef BUG
#define BUG 0
#endif

#define CHILDREN 4
#define ONE_TASK 2
#define OWNER_WAITS 1

int owed, pending;
bool gone;         /* join has returned */
byte n_started, n_ended;
byte unstarted;    /* children in some deque */
byte wakes;
bool reserved;     /* somebody is about to start one, so that CHILDREN holds */

inline touch_scope()
{
        assert(!gone)
}

inline start_by_other()
{
        if
        :: BUG == 4 ->
                atomic { n_started++; unstarted++ };
                touch_scope();
                pending = pending + ONE_TASK
        :: else ->
                atomic { touch_scope(); pending = pending + ONE_TASK; n_started++ };
                unstarted++
        fi
}

/* What a child does: it may start another one. */
inline body()
{
        if
        :: atomic { n_started < CHILDREN && !reserved -> reserved = true };
           start_by_other();
           reserved = false
        :: true
        fi
}

proctype thief()
{
        int now;

        do
        :: atomic { unstarted > 0 -> unstarted-- };
                body();
                atomic { n_ended++ };
                atomic {
                        touch_scope();
                        pending = pending - ONE_TASK;
                        now = pending
                };
                if
                :: BUG == 1 -> touch_scope()
                :: else
                fi;
                if
                :: now == OWNER_WAITS -> atomic { wakes++; assert(wakes == 1) }
                :: else
                fi;
                now = 0
        :: gone -> break
        od
}

proctype owner()
{
        int moved, now;

        /* launch() */
        do
        :: atomic { n_started < CHILDREN && !reserved -> n_started++; owed++ };
           unstarted++
        :: break
        od;
        /* run_own_children() */
        do
        :: atomic { owed > 0 && unstarted > 0 -> unstarted-- };
                body();
                atomic { n_ended++; owed-- }
        :: break
        od;
        /* wait_for_children() */
        if
        :: owed == 0 && pending == 0
        :: else ->
                moved = owed * ONE_TASK + OWNER_WAITS;
                owed = 0;
                if
                :: BUG == 2 ->
                        pending = pending + OWNER_WAITS;
                        moved = moved - OWNER_WAITS
                :: else
                fi;
                atomic {
                        pending = pending + moved;
                        now = pending
                };
                if
                :: now == OWNER_WAITS && BUG != 3 -> assert(wakes == 0)
                :: else -> wakes == 1
                fi;
                pending = 0
        fi;
        assert(n_ended == n_started);
        gone = true
}

init
{
        atomic {
                run owner();
                run thief();
                run thief()
        };
        gone
}
