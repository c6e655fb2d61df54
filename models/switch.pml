/*
 * Leaving and being resumed: on_cpu, src/sched/switch.c and task.h.
 *
 *   worker         a task that suspends: pl_sched_suspend(), leave(), settle(), and the loop of pl_sched_resume()
 *   waker          whoever makes a waiting task runnable, on either worker's queue, at any moment from the one where it
 *                  can be woken, which is before it has left its stack (pl_sched_wake_ready(), thieves)
 *
 * Checked: a task's context is loaded only after it has been saved; never two workers on one stack; no deadlock, also
 * when each of two workers picks the task that the other one is leaving.
 *
 * Left out: how queues work (a set per worker); tasks that have not started; flows that end; inline children, which
 * are suspended with the task whose stack they are on.
 *
 * BUG 1  a picked task is switched to without a look at on_cpu
 *     2  a worker waits for on_cpu to be cleared before it has left its own task's stack
 *     3  on_cpu is cleared before the context has been saved
 */
#ifndef BUG
#define BUG 0
#endif

#define WORKERS 2
#define TASKS   3
#define ROUNDS  2 /* waits of each task */
#define NOBODY  255

bool on_cpu[TASKS];
bool saved[TASKS] = true;     /* its context is complete */
byte stack_of[TASKS] = NOBODY; /* who stands on its stack */
bool waiting[TASKS];
bool queued[WORKERS * TASKS];
byte rounds[TASKS];
byte n_ended;

#define QUEUED(w, t) queued[(w) * TASKS + (t)]

/* The next one from the worker's own queue; NOBODY: none. */
inline pick(w, next)
{
        atomic {
                next = NOBODY;
                if
                :: QUEUED(w, 0) -> next = 0
                :: QUEUED(w, 1) -> next = 1
                :: QUEUED(w, 2) -> next = 2
                :: !QUEUED(w, 0) && !QUEUED(w, 1) && !QUEUED(w, 2)
                fi;
                if
                :: next != NOBODY -> QUEUED(w, next) = false
                :: else
                fi
        }
}

/* prepare() and the load of the context. */
inline go_to(w, next)
{
        on_cpu[next] = true;
        atomic {
                assert(saved[next]);
                assert(stack_of[next] == NOBODY);
                saved[next] = false;
                stack_of[next] = w
        }
}

/* The save of the context, and what settle() does on the other side. */
inline left(self)
{
        if
        :: BUG == 3 -> on_cpu[self] = false
        :: else
        fi;
        atomic {
                saved[self] = true;
                stack_of[self] = NOBODY
        };
        on_cpu[self] = false
}

proctype worker(byte me)
{
        byte current = NOBODY;
        byte next = NOBODY;
        bool ready;

        do
        :: current == NOBODY -> /* the scheduler's loop */
                if
                :: next == NOBODY ->
                        pick(me, next);
                        if
                        :: next == NOBODY -> /* parked until there is something, or all is over */
                                (QUEUED(me, 0) || QUEUED(me, 1) || QUEUED(me, 2) || n_ended == TASKS);
                                if
                                :: n_ended == TASKS -> break
                                :: else
                                fi
                        :: else
                        fi
                :: else -> /* pl_sched_resume() */
                        (BUG == 1 || !on_cpu[next]);
                        go_to(me, next);
                        current = next;
                        next = NOBODY
                fi
        :: current != NOBODY && rounds[current] < ROUNDS -> /* it waits */
                rounds[current]++;
                waiting[current] = true; /* from here on it can be woken */
                pick(me, next);
                if
                :: next == current -> next = NOBODY /* it has been woken meanwhile */
                :: next != current ->
                        if
                        :: next != NOBODY && BUG == 2 -> !on_cpu[next]
                        :: else
                        fi;
                        ready = (next != NOBODY && (BUG == 1 || !on_cpu[next]));
                        if
                        :: ready -> /* straight to it; it settles on the other side */
                                go_to(me, next);
                                left(current);
                                current = next;
                                next = NOBODY
                        :: else -> /* to the scheduler's loop, with next as the hand-off */
                                left(current);
                                current = NOBODY
                        fi
                fi
        :: current != NOBODY && rounds[current] == ROUNDS -> /* it ends, and its flow goes to the loop */
                left(current);
                current = NOBODY;
                n_ended++
        od
}

inline wake(t)
{
        waiting[t] = false;
        if
        :: QUEUED(0, t) = true
        :: QUEUED(1, t) = true
        fi
}

proctype waker()
{
        do
        :: atomic { waiting[0] -> wake(0) }
        :: atomic { waiting[1] -> wake(1) }
        :: atomic { waiting[2] -> wake(2) }
        :: n_ended == TASKS -> break
        od
}

init
{
        atomic {
                QUEUED(0, 0) = true;
                QUEUED(0, 1) = true;
                QUEUED(1, 2) = true;
                run worker(0);
                run worker(1);
                run waker()
        };
        n_ended == TASKS
}
