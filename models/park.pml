/*
 * Parking and waking: src/sched/park.c, the ends of pl_sched_enqueue() (queue.c), pl_sched_find() and pl_sched_serve()
 * (pick.c), and the handshake of notify() (src/io/backend.h, backend.c).
 *
 *   worker     pl_sched_find(), pl_sched_park() with its stages, pl_sched_stop_searching(); a task it runs may queue
 *              another one (pl_sched_offer()) and may then compute for ever
 *   thread     pl_sched_enqueue() by a thread that is no worker: injector, pl_sched_wake_any()
 *   memory     makes stores visible: what a worker has queued for itself stands in its store buffer until then, or
 *              until its next read-modify-write
 *   monitor    no lost wake-up: when everybody sleeps until he is woken or computes, nothing that could run is left
 *
 * Time: a nap ends at any moment. A sleep that is cut to WATCH_NS because another worker is awake ends only after the
 * stores that were on their way when it began have become visible: that is what stands for the fence that queueing
 * does without. What ends a sleep early (late writes to the eventfd, a signal) does so SPURIOUS times.
 *
 * Left out: sleeping on the word, which is woken by the same rules (sleep.pml); timers and news from the kernel; how the
 * deque works (deque.pml); tasks that thieves leave to their worker; bound tasks; the pauses of thieves. Sections under
 * idle_lock are single steps; so is a look into one queue. Which sleeper is woken is open.
 *
 * BUG 1  the thread's store to the injector may become visible after it has read n_parked
 *     2  a sound sleep does not end after WATCH_NS while another worker is awake
 *     3  the sleeper looks for work before it counts itself in n_parked
 *     4  notify() does nothing for a worker that is not in the kernel yet
 */
#ifndef BUG
#define BUG 0
#endif

#define WORKERS  2
#define INJECTED 1
#define LOCAL    1
#define SPURIOUS 1

#define AWAKE 0 /* enum pl_idle_stage */
#define LIGHT 1
#define DEEP  2

#define RUNNING  0 /* enum pl_io_sleep */
#define PARKED   1
#define NOTIFIED 2

byte ready[WORKERS], buffered[WORKERS]; /* queued by a worker: visible, and not yet */
byte injector, injector_buffered;
byte n_parked, n_idle, n_searching;
byte stage[WORKERS];
bool searching[WORKERS];
byte sleep[WORKERS];
bool event[WORKERS];
bool asleep[WORKERS];    /* in the kernel */
bool computes[WORKERS];  /* and will never come back */
bool watches[WORKERS];   /* sleeps for WATCH_NS only, since somebody is awake */
bool under_way[WORKERS]; /* stores that were when this worker lay down */
byte to_queue = LOCAL;
byte spurious = SPURIOUS;
bool injected_all;

#define OTHER (1 - me)

/* In an atomic step: a read-modify-write of this worker. */
inline flush(w)
{
        ready[w] = ready[w] + buffered[w];
        buffered[w] = 0;
        under_way[1 - w] = false
}

inline get_up(w)
{
        n_parked--;
        n_idle = n_idle - (stage[w] == DEEP -> 1 : 0);
        stage[w] = AWAKE
}

/* wake(): *woken* is scratch. */
inline wake(least, woken)
{
        atomic {
                woken = WORKERS;
                if
                :: stage[0] >= least -> woken = 0
                :: stage[1] >= least -> woken = 1
                :: stage[0] < least && stage[1] < least
                fi;
                if
                :: woken < WORKERS ->
                        get_up(woken);
                        searching[woken] = true;
                        n_searching++
                :: else
                fi
        };
        if
        :: woken < WORKERS ->
                atomic {
                        event[woken] = event[woken] || sleep[woken] == PARKED;
                        sleep[woken] = (BUG == 4 && sleep[woken] == RUNNING -> RUNNING : NOTIFIED);
                        woken = WORKERS
                }
        :: else
        fi
}

/* pl_sched_offer(), pl_sched_wake_one() */
inline offer(me, woken)
{
        if
        :: n_idle > 0 ->
                if
                :: n_searching == 0 ->
                        atomic { flush(me) };
                        wake(DEEP, woken)
                :: else
                fi
        :: else
        fi
}

proctype worker(byte me)
{
        byte next_stage = LIGHT;
        byte woken = WORKERS;
        byte mine;
        byte lying = AWAKE;
        bool got, in_sight;

        do
        :: /* pl_sched_find() */
                atomic { /* pick(): the owner's pop is seq_cst */
                        flush(me);
                        got = ready[me] > 0;
                        ready[me] = ready[me] - got
                };
                if
                :: !got ->
                        if /* a thief's pause, a look into the poller: it may take note of a notification */
                        :: sleep[me] = RUNNING
                        :: true
                        fi;
                        atomic { got = ready[OTHER] > 0; ready[OTHER] = ready[OTHER] - got }
                :: else
                fi;
                if
                :: got -> /* pl_sched_stop_searching(), and the task */
                        got = false;
                        next_stage = LIGHT;
                        if
                        :: searching[me] ->
                                atomic {
                                        searching[me] = false;
                                        mine = n_searching;
                                        n_searching--
                                };
                                if
                                :: mine == 1 && injector + ready[0] + ready[1] > 0 -> offer(me, woken)
                                :: else
                                fi;
                                mine = 0
                        :: else
                        fi;
                        if
                        :: atomic { to_queue > 0 -> to_queue--; buffered[me]++ };
                                offer(me, woken);
                        :: true
                        fi;
                        if
                        :: atomic { !computes[OTHER] -> computes[me] = true };
                                break
                        :: true
                        fi
                :: else -> /* pl_sched_park() */
                        if
                        :: searching[me] ->
                                atomic { searching[me] = false; n_searching-- };
                                next_stage = LIGHT
                        :: else
                        fi;
                        if
                        :: BUG == 3 -> in_sight = injector > 0
                        :: else
                        fi;
                        lying = (n_parked + 1 >= WORKERS -> DEEP : next_stage); /* is_last_awake() */
                        atomic { /* lie_down() */
                                stage[me] = lying;
                                n_parked++;
                                n_idle = n_idle + (lying == DEEP -> 1 : 0);
                                under_way[me] = lying == DEEP && buffered[OTHER] > 0
                        };
                        if /* work_in_sight() */
                        :: BUG != 3 -> in_sight = injector > 0
                        :: else
                        fi;
                        in_sight = in_sight || ready[OTHER] > 0;
                        if
                        :: !in_sight ->
                                watches[me] = n_parked < WORKERS && BUG != 2; /* sleep_until() */
                                atomic { /* pl_io_poller_park() */
                                        asleep[me] = sleep[me] != NOTIFIED;
                                        sleep[me] = PARKED
                                };
                                if
                                :: asleep[me] ->
end_asleep:                             if
                                        :: atomic { event[me] -> event[me] = false; asleep[me] = false }
                                        :: atomic { lying == LIGHT -> asleep[me] = false }
                                        :: atomic { lying == DEEP && watches[me] && !under_way[me] ->
                                                asleep[me] = false }
                                        :: atomic { spurious > 0 -> spurious--; asleep[me] = false }
                                        fi
                                :: else
                                fi;
                                sleep[me] = RUNNING
                        :: else
                        fi;
                        atomic {
                                under_way[me] = false;
                                watches[me] = false;
                                if
                                :: stage[me] != AWAKE -> get_up(me)
                                :: else
                                fi;
                                next_stage = DEEP;
                                lying = AWAKE;
                                in_sight = false
                        };
                        atomic { /* pl_sched_serve() */
                                got = injector > 0;
                                injector = injector - got;
                                ready[me] = ready[me] + got;
                                got = false
                        }
                fi
        od
}

proctype thread()
{
        byte woken = WORKERS;
        byte left = INJECTED;
        bool parked;

        do
        :: left > 0 ->
                left--;
                if
                :: BUG == 1 ->
                        injector_buffered++;
                        parked = n_parked > 0
                :: else -> /* the RMW of n_parked comes after the store */
                        injector++;
                        parked = n_parked > 0
                fi;
                if
                :: parked ->
                        atomic { injector = injector + injector_buffered; injector_buffered = 0 };
                        wake(LIGHT, woken)
                :: else
                fi;
                parked = false
        :: else -> break
        od;
        injected_all = true
}

proctype memory()
{
end:
        do
        :: atomic { buffered[0] > 0 -> flush(0) }
        :: atomic { buffered[1] > 0 -> flush(1) }
        :: atomic { injector_buffered > 0 -> injector = injector + injector_buffered; injector_buffered = 0 }
        od
}

#define AT_REST(w) (computes[w] || (asleep[w] && stage[w] == DEEP && !event[w] && !watches[w]))

proctype monitor()
{
        atomic {
                injected_all && AT_REST(0) && AT_REST(1) && buffered[0] + buffered[1] + injector_buffered == 0 ->
                assert(injector + ready[0] + ready[1] == 0)
        }
}

init
{
        atomic {
                run worker(0);
                run worker(1);
                run thread();
                run memory();
                run monitor()
        }
}
