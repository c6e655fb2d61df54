/*
 * Forks and tasks that are pushed the short way (include/plait/parallel.h, plait_scope_go()) look at nothing but the
 * deque's limit: pl_sched_deque_open() in src/sched/fork.c, and lie_down() in park.c.
 *
 *   owner     forks FORKS times: while the deque is open inline, else the long way, which offers the work and opens the
 *             deque again; with compact tasks and timers' functions in between, which close it
 *   sleeper   counts itself in n_idle, closes the deque, gets up at any moment or because it was woken; ROUNDS times
 *
 * Checked: while somebody sleeps and nobody is on his way to say so, the deque is closed, so that the next fork offers
 * its work; a deque is opened only by the task whose forks go there.
 *
 * Left out: what becomes of the offer (park.pml). Accesses are sequentially consistent, as they are there, but for the
 * fork's own look at the limit, which may come late as any look at n_idle may (park.c).
 *
 * BUG 1  the owner looks at n_idle before it opens the deque
 *     2  the sleeper closes the deque before it counts itself
 *     3  a fork that a timer's function makes opens the deque
 */
#ifndef BUG
#define BUG 0
#endif

#define FORKS  4
#define ROUNDS 2

bool open;
byte n_idle;
bool asleep;  /* and has closed the deque */
bool opening; /* the owner is in pl_sched_deque_open() */

inline open_deque()
{
        opening = true;
        if
        :: BUG == 1 ->
                idle = n_idle > 0;
                open = !idle
        :: else ->
                open = true;
                idle = n_idle > 0;
                if
                :: idle -> open = false
                :: else
                fi
        fi;
        idle = false;
        opening = false
}

proctype owner()
{
        byte left = FORKS;
        bool idle;

        do
        :: left > 0 ->
                left--;
                if
                :: open
                :: else ->
                        open_deque()
                fi
        :: left > 0 -> /* a timer's function, or a compact task, forks */
                left--;
                open = false;
                if
                :: BUG == 3 -> open_deque()
                :: else
                fi;
                assert(!open)
        :: left == 0 -> break
        od
}

proctype sleeper()
{
        byte left = ROUNDS;

        do
        :: left > 0 ->
                left--;
                if
                :: BUG == 2 ->
                        open = false;
                        n_idle++
                :: else ->
                        n_idle++;
                        open = false
                fi;
                asleep = true;
                atomic { asleep = false; n_idle-- }
        :: else -> break
        od
}

/* At any moment, which is what spin makes of it. */
proctype monitor()
{
end:
        atomic { asleep && !opening && open -> assert(false) }
}

init
{
        atomic {
                run owner();
                run sleeper();
                run monitor()
        }
}
