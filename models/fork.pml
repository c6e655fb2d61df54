/*
 * Forks: the word of a fork that somebody else has taken, src/sched/fork.h, fork.c.
 *
 *   parent      pl_fork_push(), pl_fork_join(), pl_fork_await(); the record is in its frame, and gone after the join
 *   thief       pl_sched_task_of(), run_taken()
 *
 * Checked: the call is made exactly once; the parent has its result; nobody touches the record after the join; the
 * parent does not sleep for ever and is not woken when it does not sleep; a thief reads the scope of the fork, not the
 * one that the parent is in by now.
 *
 * Left out: the deque (deque.pml), the wait's word (wait.pml): taking is one step, waking a counter.
 *
 * BUG 1  the parent sleeps without a look at what was there when it said so
 *     2  the thief writes the result after it has said that it is done
 *     3  the thief asks the parent for its scope
 */
#ifndef BUG
#define BUG 0
#endif

#define PENDING 0
#define AWAITED 1
#define DONE    2

byte word = PENDING;
bool offered;       /* on the deque */
bool gone;          /* the parent's frame */
byte calls, result;
byte wakes;
byte parents_scope = 1;
byte forks_scope;

proctype parent()
{
        byte before;
        bool own;

        forks_scope = parents_scope;
        offered = true;
        /* the first call opens and closes a scope of its own */
        parents_scope = 2;
        parents_scope = 1;
        atomic { own = offered; offered = false };
        if
        :: own ->
                calls++;
                result = 1
        :: else ->
                atomic { before = word; word = word | AWAITED };
                if
                :: (before & DONE) && BUG != 1
                :: else -> atomic { wakes == 1 -> wakes = 0 }
                fi
        fi;
        assert(result == 1 && calls == 1);
        gone = true
}

proctype thief()
{
        byte before, scope;
        bool mine;

        atomic { mine = offered; offered = false };
        if
        :: mine ->
                assert(!gone);
                scope = (BUG == 3 -> parents_scope : forks_scope);
                assert(scope == 1);
                calls++;
                if
                :: BUG == 2
                :: else -> assert(!gone); result = 1
                fi;
                atomic { assert(!gone); before = word; word = word | DONE };
                if
                :: BUG == 2 -> assert(!gone); result = 1
                :: else
                fi;
                if
                :: before & AWAITED -> wakes++
                :: else
                fi
        :: else
        fi
}

init
{
        atomic {
                run parent();
                run thief();
                run thief()
        };
        gone;
        _nr_pr == 1;
        assert(wakes == 0)
}
