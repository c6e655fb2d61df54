/*
 * How one worker sleeps and is woken: wait() and notify() of src/io/backend.c and epoll.c, pl_io_fd_arm() by another
 * worker (fd_table.c), and the bell by which another process asks for a recording (spare.c, trace/mailbox.c). When a
 * worker goes to sleep at all is the subject of park.pml.
 *
 *   owner      waits for ever in its poller, on the word *sleep* or in the kernel, again and again
 *   notifier   gives it something to do, then calls notify()
 *   armer      another worker, which arms anew a descriptor that stands in this poller: for a moment it is not counted
 *   kernel     reports news of that descriptor once, to who is in the kernel or gets there
 *   ringer     another process: asks, then writes to a descriptor; it is the poller's eventfd if the owner has the bell,
 *              else the watch's, which may have been written to before
 *   watch      has the bell in runs that have a watch: passes a ring on by notify()
 *   monitor    when all others have done what they will do and the owner sleeps, nothing is left to do
 *
 * A sleep that ends early for no reason (a signal) does so SPURIOUS times.
 *
 * BUG 1  the owner does not look at *armed* again after it has written *sleep*
 *     2  who arms does not look at *sleep*
 *     3  who arms looks at *sleep* before its descriptor is counted
 *     4  notify() wakes by the eventfd an owner that sleeps on the word
 *     5  the owner sleeps on the word although it has the bell
 *     6  the owner sleeps on the word although it has been notified
 *     7  the watch forgets the ring after it has looked for a question
 */
#ifndef BUG
#define BUG 0
#endif

#define SPURIOUS 1
#define NOTIFIES 1

#define RUNNING  0 /* enum pl_io_sleep */
#define PARKED   1
#define ASLEEP   2
#define NOTIFIED 3

byte sleep = RUNNING;
byte armed;
bool has_bell;
byte work;            /* of the notifier */
bool news, reported;  /* of the descriptor */
bool asked, answered; /* by the ringer */
bool event;           /* the poller's eventfd has been written to since it was last reported */
bool rung;            /* the watch's has been, and not read */
bool on_word, woken;  /* the owner is in the futex' queue; has been taken out of it */
bool in_kernel;
bool watch_rests = true;
byte spurious = SPURIOUS;
byte busy; /* processes that have not ended */

inline notify(before)
{
        atomic { before = sleep; sleep = NOTIFIED };
        if
        :: before == ASLEEP && BUG != 4 -> atomic { woken = woken || on_word; on_word = false }
        :: before == PARKED || (before == ASLEEP && BUG == 4) -> event = true
        :: else
        fi;
        before = RUNNING
}

/* epoll_wait(): blocks until there is something. */
inline enter_kernel()
{
        in_kernel = true;
end_kernel:
        if
        :: atomic { event -> event = false; in_kernel = false }
        :: atomic { news -> news = false; reported = true; in_kernel = false }
        :: atomic { spurious > 0 -> spurious--; in_kernel = false }
        fi
}

proctype owner()
{
        byte before;

        do
        :: /* run what there is, pl_trace_look() */
                work = 0;
                if
                :: asked -> answered = true
                :: else
                fi;
                /* wait() */
                if
                :: armed == 0 && (!has_bell || BUG == 5) -> /* pl_io_poller_sleep() */
                        atomic { before = sleep; sleep = ASLEEP };
                        if
                        :: before != NOTIFIED || BUG == 6 ->
                                if
                                :: armed == 0 || BUG == 1 ->
                                        atomic { on_word = sleep == ASLEEP; woken = false };
end_word:                               if
                                        :: atomic { !on_word -> woken = false }
                                        :: atomic { spurious > 0 -> spurious--; on_word = false }
                                        fi;
                                        sleep = RUNNING
                                :: else ->
                                        atomic { before = sleep; sleep = RUNNING };
                                        if
                                        :: before != NOTIFIED -> goto park
                                        :: else
                                        fi
                                fi
                        :: else -> sleep = RUNNING
                        fi
                :: else ->
park:                   atomic { before = sleep; sleep = PARKED };
                        if
                        :: before != NOTIFIED -> enter_kernel()
                        :: else -> /* it only looks */
                                atomic {
                                        event = false;
                                        reported = reported || news;
                                        news = false
                                }
                        fi;
                        sleep = RUNNING
                fi;
                before = RUNNING
        od
}

proctype notifier()
{
        byte before;
        byte left = NOTIFIES;

        do
        :: left > 0 ->
                left--;
                work = 1;
                notify(before)
        :: else -> break
        od;
        atomic { busy-- }
}

proctype armer()
{
        byte before;

        atomic { armed-- };
        if
        :: BUG == 3 -> before = sleep
        :: else
        fi;
        atomic { armed++ };
        if
        :: BUG != 3 -> before = sleep
        :: else
        fi;
        if
        :: before == ASLEEP && BUG != 2 -> notify(before)
        :: else
        fi;
        news = true; /* the kernel: any time from now on */
        atomic { busy-- }
}

proctype ringer()
{
        rung = !has_bell; /* another ring */
        asked = true;
        if
        :: has_bell -> event = true
        :: else -> rung = true
        fi;
        atomic { busy-- }
}

proctype watch()
{
        byte before;
        bool is_asked;

end:
        do
        :: atomic { rung -> watch_rests = false };
                if
                :: BUG == 7 -> is_asked = asked && !answered; rung = false
                :: else -> rung = false; is_asked = asked && !answered
                fi;
                if
                :: is_asked -> notify(before)
                :: else
                fi;
                is_asked = false;
                watch_rests = true
        od
}

proctype monitor()
{
        atomic {
                busy == 0 && watch_rests && !rung && ((on_word && !woken) || (in_kernel && !event && !news)) ->
                assert(work == 0 && !news && (!asked || answered))
        }
}

init
{
        atomic {
                if
                :: has_bell = true
                :: has_bell = false
                fi;
                busy = 2;
                if
                :: armed = 1; busy++; run armer()
                :: true /* it watches nothing */
                fi;
                run owner();
                run notifier();
                run ringer();
                run watch();
                run monitor()
        }
}
