/*
 * The word of a wait: who ends it, and only once. src/sched/wait.h, wait.c; interrupt_task() in scope.c; timer.c.
 *
 *   task        pl_sched_wait_begin() under the object's lock, pl_sched_wait_finish(), open_to_interruption(), result()
 *   waker       unqueues, pl_sched_wake_claim() under the object's lock, hands over, pl_sched_wake_ready()
 *   deadline    enter_slot(), deadline_due(), deadline_fire(): a worker, maybe another one than the task's
 *   canceller   cancel_with(), interrupt_task(): marks the scope, then looks at the word; once
 *   thread      the same for a plain thread: finish_thread(), pl_sched_wake_ready(); no scopes
 *
 * The flow waits twice: first in the scope that is cancelled, then in a shielded one. Whether a waker and a deadline
 * come to the first wait is open; in the second one a waker does.
 *
 * Checked: a wait is ended by exactly one party, and the task is made runnable exactly once; 0 is returned exactly when
 * something was handed over; nobody ends another wait than the one he looked at; a cancellation is not lost, whenever it
 * comes; a thread goes on only when its waker has done with it; nothing is left on a queue or on the wheel.
 *
 * CAS loops are one step. The accesses are taken to be sequentially consistent; they are, where the order of two
 * different words matters (the state and pl_cancelled). Where they are not (timer->wheel), BUG 4 shows what that needs.
 *
 * BUG 1  the canceller's CAS does not compare the wait's number
 *     2  the task looks at its scope before its word says WAITING
 *     3  a waker makes the task runnable though it lost the claim
 *     4  a timer looks as if it were off the wheel before due() has run
 *     5  a thread goes on as soon as it sees itself claimed
 *     6  the task does not wait for whoever ended its wait before it could
 */
#ifndef BUG
#define BUG 0
#endif

mtype = { IDLE, BEGUN, WAITING, WOKEN, TIMED_OUT, CANCELED, READY };

#define ROUNDS 2

/* The word: both parts change together. */
byte number;
mtype state = IDLE;

byte round;            /* which wait the flow is in; 1 is in the scope that is cancelled */
bool ended;
bool queued;           /* the node is on the object */
bool object_lock, wheel_lock;
byte timer_number;     /* of the wait whose timer is on the wheel; 0: none is */
bool cancelled;        /* the scope of round 1 */
byte runnable;         /* how often the task has been made so */
byte handed_over;      /* to which round */
byte touched;          /* by a waker that has claimed and not yet finished: the round; 0: by none */
bool with_waker, with_deadline; /* whether they come to round 1 */

#define CLAIMABLE (state == BEGUN || state == WAITING)

inline lock(which)
{
        atomic { !which -> which = true }
}

inline make_runnable()
{
        atomic {
                runnable++;
                assert(runnable == 1)
        }
}

/* The flow itself or its deadline. */
inline resolve(to, won)
{
        atomic {
                won = CLAIMABLE;
                if
                :: won -> state = to
                :: else
                fi
        }
}

inline begin()
{
        round++;
        lock(object_lock);
        atomic {
                number++;
                state = BEGUN
        };
        queued = true;
        object_lock = false
}

inline finish(r)
{
        r = state;
        state = IDLE;
        assert(r == TIMED_OUT || r == CANCELED || handed_over == round);
        assert(!(r == TIMED_OUT || r == CANCELED) || handed_over != round);
        assert(r != CANCELED || round == 1);
        assert(r != TIMED_OUT || round == 1);
        if
        :: r == TIMED_OUT || r == CANCELED ->
                lock(object_lock);
                queued = false;
                object_lock = false
        :: else
        fi;
        assert(!queued);
        assert(touched == 0)
}

proctype task()
{
        mtype r;
        bool won, saw;

        do
        :: round < ROUNDS ->
                begin();
                won = false;
                if
                :: BUG == 2 -> saw = cancelled
                :: else
                fi;
                atomic {
                        if
                        :: state == BEGUN -> state = WAITING
                        :: else
                        fi
                };
                if
                :: BUG != 2 -> saw = cancelled
                :: else
                fi;
                if
                :: saw && round == 1 -> resolve(CANCELED, won)
                :: else
                fi;
                if
                :: won || (BUG == 6 && saw && round == 1)
                :: else ->
                        if
                        :: with_deadline && round == 1 ->
                                lock(wheel_lock);
                                timer_number = number;
                                wheel_lock = false
                        :: else
                        fi;
                        atomic { runnable > 0 -> runnable-- }; /* suspended */
                        if
                        :: timer_number != 0 -> /* pl_timers_remove(): no lock if it is off the wheel */
                                lock(wheel_lock);
                                timer_number = 0;
                                wheel_lock = false
                        :: else
                        fi
                fi;
                finish(r);
                saw = false
        :: else -> break
        od;
        assert(runnable == 0 && timer_number == 0);
        ended = true
}

proctype thread()
{
        mtype r;
        bool won;

        do
        :: round < ROUNDS ->
                begin();
                do
                :: state == READY || state == TIMED_OUT || (BUG == 5 && state == WOKEN) -> break
                :: with_deadline && round == 1 && CLAIMABLE -> resolve(TIMED_OUT, won)
                od;
                finish(r)
        :: else -> break
        od;
        ended = true
}

proctype waker(bool of_thread)
{
        bool won;
        byte n;

        do
        :: queued && (round == 2 || with_waker) ->
                lock(object_lock);
                won = false;
                if
                :: queued && (round == 2 || with_waker) ->
                        queued = false;
                        atomic { /* pl_sched_wake_claim() */
                                won = CLAIMABLE;
                                n = number;
                                if
                                :: won ->
                                        state = WOKEN;
                                        touched = round
                                :: else
                                fi
                        }
                :: else
                fi;
                object_lock = false;
                if
                :: won || (BUG == 3 && n) ->
                        if
                        :: won ->
                                assert(number == n);
                                handed_over = touched;
                        :: else
                        fi;
                        atomic {
                                touched = 0;
                                if
                                :: of_thread ->
                                        assert(number == n && state == WOKEN);
                                        state = READY
                                :: else -> make_runnable()
                                fi
                        }
                :: else
                fi;
                n = 0
        :: ended -> break
        od
}

proctype deadline()
{
        bool won;
        byte n;

        do
        :: timer_number != 0 ->
                lock(wheel_lock);
                if
                :: timer_number != 0 ->
                        n = timer_number;
                        if
                        :: BUG == 4 -> timer_number = 0
                        :: else
                        fi;
                        resolve(TIMED_OUT, won);
                        assert(!won || number == n);
                        timer_number = 0
                :: else -> won = false
                fi;
                wheel_lock = false;
                if
                :: won -> make_runnable()
                :: else
                fi;
                n = 0
        :: ended -> break
        od
}

proctype canceller()
{
        mtype s;
        byte n;

        cancelled = true;
        atomic { /* one load */
                s = state;
                n = number
        };
        if
        :: s == WAITING && round == 1 -> /* task->scope is that scope */
                atomic {
                        if
                        :: state == WAITING && (number == n || BUG == 1) ->
                                state = CANCELED;
                                n = 0;
                                make_runnable()
                        :: else
                        fi
                }
        :: else
        fi
}

init
{
        atomic {
                if
                :: with_waker = true
                :: with_waker = false
                fi;
                if
                :: with_deadline = true
                :: with_deadline = false
                fi;
                if
                :: run task();
                   run waker(false);
                   run deadline();
                   run canceller()
                :: with_waker = with_waker || !with_deadline;
                   run thread();
                   run waker(true)
                fi
        };
        ended
}
