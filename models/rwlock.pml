/*
 * The reader-writer lock: src/sync/rwlock.c. Its word and its queues, and what a flow does with them:
 *
 *   fast paths    take_read(), take_write(); plait_rwlock_unlock_read(), plait_rwlock_unlock_write(); spinning and
 *                 trylock are the first of these again
 *   slowly        lock_slowly() with take_or_announce(), enqueue() and give_up(); plait_rwlock_downgrade()
 *   leaving       leave() with leave_to_next(), pass_to_readers() and pass_to_writer(); wake_readers()
 *
 * Each time a flow reads, writes, or writes and then reads on. How many there are and what they do is one of three
 * sets, and PL_SYNC_BATCH and WOKEN_MOST are so small that they matter. A wait has no deadline, or ends at any moment,
 * which stands for a cancellation, too. Who was woken and is too late starves or does not yet. Some read until nothing
 * else can happen.
 *
 * Checked: a writer is alone. Nobody is forgotten: the lock is not free while somebody waits and nobody is on his way;
 * nor does a reader wait for others who read and do not leave, unless a writer waits. Whenever the queues' lock is
 * left, the bits say what is in the queues, and *woken* how many are on their way. The lock is passed on only by its
 * only holder. Nobody touches it once it has been freed: a flow that goes gives its reference back while it writes, or,
 * since others may read with it, after it has read; who sees, while he holds the lock, that his reference is the last
 * one frees it when his unlocking has returned.
 *
 * A CAS loop is one step, together with what is decided by the value that it compares; so is a load. What only the
 * queues' lock lets one see (the second word) changes with the CAS or load of the first word next to it, and taking
 * that lock is one step with what comes first under it. Leaving it is a step of its own where the lock may be freed by
 * then. Accesses are sequentially consistent.
 *
 * BUG 1  a reader finds that another one reads, and leaves by a CAS that does not know of that look
 *     2  a waiter announces himself without looking whether the lock is still held
 *     3  a reader who is not the last, or sees no waiter, leaves by a subtraction, not by a CAS
 *     4  who was woken and is too late remains counted among those on their way
 *     5  a writer who gives up does not let the readers in who wait because of him
 *     6  a reader who was woken does not let the others in
 *     7  a downgrade looks for waiters before it lets readers join
 *     8  who leaves makes those ready whom he has claimed before he unlocks the queues
 *     9  who leaves makes all of them ready before he comes back for more
 *     10 a reader who leaves relies on having been the last before he had the queues' lock
 *     11 who starves does not close the lock to readers
 *     12 one whose wait has timed out counts as woken
 */
#ifndef BUG
#define BUG 0
#endif

#define FLOWS 4
#define NONE  255

/* How a flow waits; the last two: claimed, to try, or with the lock. */
mtype = { IDLE, BEGUN, TIMED_OUT, TRY, PASSED };

/* What a flow comes for. */
mtype = { ANYTHING, READS, WRITES };

/* What becomes of the lock in leave(). */
mtype = { STAY, FREE, TO_READERS, TO_WRITER };

/* The first word. */
byte writer; /* the flow, counted from 1; 0: none */
byte readers;
bool waiters, closed;

/* The second word. */
bool busy; /* the queues' lock */
chan writers_queue = [FLOWS] of { byte };
chan readers_queue = [FLOWS] of { byte };
bool readers_starve, writers_starve;
byte woken;

byte batch, woken_most; /* PL_SYNC_BATCH and WOKEN_MOST */
bool at_leisure;        /* waits may time out, and reading may take long */
mtype wait[FLOWS] = IDLE;
byte ready; /* a set of flows */
byte write_now, read_now; /* how many are between locking and unlocking */
byte references; /* to what the lock is a part of */
bool freed;

byte who, n, tries; /* used within one step */

#define HELD          (writer || readers)
#define WRITERS_WAIT  (len(writers_queue) > 0)
#define READERS_WAIT  (len(readers_queue) > 0)
#define STARVING      (readers_starve || writers_starve)
#define ON_THEIR_WAY  ((wait[0] == TRY) + (wait[1] == TRY) + (wait[2] == TRY) + (wait[3] == TRY))
#define me            (_pid - 1)
#define CLAIMED       ((claimed & 1) + (claimed >> 1 & 1) + (claimed >> 2 & 1) + (claimed >> 3 & 1))
#define CAN_TAKE      (write -> !HELD : !writer && (!closed || was_woken || !readers))
#define MUST_WAIT     (HELD && (write || writer || (closed && !was_woken)))

/* --- inside atomic steps --- */

inline touch()
{
        assert(!freed)
}

/* pack(), and the bits of the first word: a part of each CAS under the queues' lock. */
inline set_bits()
{
        touch();
        readers_starve = readers_starve && READERS_WAIT;
        writers_starve = writers_starve && WRITERS_WAIT;
        waiters = READERS_WAIT || WRITERS_WAIT;
        closed = WRITERS_WAIT || (BUG != 11 && STARVING);
        who = 0;
        n = 0
}

inline enter()
{
        if
        :: write -> write_now++
        :: else -> read_now++
        fi;
        assert(write_now + (read_now > 0) <= 1)
}

inline take()
{
        if
        :: write -> writer = _pid
        :: else -> readers++
        fi;
        enter()
}

inline take_slowly()
{
        touch();
        take();
        woken = woken - (was_woken && BUG == 4);
        others = was_woken && !write && READERS_WAIT && !WRITERS_WAIT && BUG != 6
}

/* pl_sync_claim() of who is first in *queue*; who: NONE if there is nobody. */
inline claim(queue, what)
{
        who = NONE;
        do
        :: who == NONE && len(queue) > 0 ->
                queue?who;
                if
                :: wait[who] == BEGUN || BUG == 12 ->
                        wait[who] = what;
                        claimed = claimed | 1 << who;
                        newest = who
                :: else -> who = NONE
                fi
        :: else -> break
        od
}

/* n: how many. */
inline claim_readers(what)
{
        n = 0;
        who = 0;
        do
        :: n < batch && who != NONE ->
                claim(readers_queue, what);
                n = n + (who != NONE)
        :: else -> break
        od
}

/* pl_sync_claimed_ready(): all but the last if *keep_last*. */
inline make_ready(keep_last)
{
        if
        :: keep_last ->
                ready = ready | (claimed & ~(1 << newest));
                claimed = claimed & 1 << newest
        :: else ->
                ready = ready | claimed;
                claimed = 0;
                newest = 0
        fi
}

/* Put *me* in front. */
inline push_front(queue)
{
        queue!me;
        n = len(queue) - 1;
        do
        :: n > 0 ->
                queue?who;
                queue!who;
                n--
        :: else -> break
        od
}

/* Before it is unlocked. */
inline note_left()
{
        if
        :: write -> write_now--
        :: else -> read_now--
        fi;
        if
        :: rounds == 0 && (write || references == 1) ->
                references--;
                last = references == 0
        :: else
        fi
}

inline lock_queues()
{
        !busy -> busy = true;
        touch()
}

inline unlock_queues()
{
        touch();
        assert(waiters == (READERS_WAIT || WRITERS_WAIT));
        assert(closed == (WRITERS_WAIT || STARVING) || BUG == 11);
        assert(woken == ON_THEIR_WAY);
        assert(HELD || !waiters || woken > 0);
        busy = false
}

/* --- steps --- */

inline wake_readers()
{
        do
        :: true ->
                atomic {
                        lock_queues();
                        n = 0;
                        if
                        :: woken < woken_most -> claim_readers(TRY)
                        :: else
                        fi;
                        woken = woken + n;
                        more = n == batch && READERS_WAIT;
                        set_bits()
                };
                atomic {
                        unlock_queues();
                        make_ready(more)
                };
                if
                :: more
                :: else -> break
                fi
        od
}

/*
 * What leave() sees, and whom it claims: claim_next(), pass_to_readers(), pass_to_writer(). The third try of
 * claim_next() is left out, since the first one has emptied that queue; a writer is no full batch, even if that is one.
 */
inline look()
{
        n = 0;
        tries = 0;
        does = STAY;
        if
        :: !write && readers != 1 && BUG != 10 -> does = (BUG == 1 -> FREE : STAY)
        :: else ->
                if
                :: !STARVING && woken > 0 -> does = FREE
                :: else ->
                        do
                        :: n == 0 && tries < 2 && write == (tries == 0) ->
                                claim_readers((STARVING -> PASSED : TRY));
                                does = (n == 0 -> STAY : (STARVING -> TO_READERS : FREE));
                                more = READERS_WAIT && (STARVING || n == batch);
                                tries++
                        :: n == 0 && tries < 2 && write != (tries == 0) ->
                                claim(writers_queue, (STARVING -> PASSED : TRY));
                                n = (who != NONE);
                                does = (n == 0 -> STAY : (STARVING -> TO_WRITER : FREE));
                                tries++
                        :: else -> break
                        od;
                        woken = (does == FREE -> n : woken)
                fi
        fi;
        who = 0;
        n = 0;
        tries = 0
}

/* Then the CAS: update(), set_free() or publish(). */
inline change_word()
{
        assert(does == STAY || does == FREE || (write -> writer == _pid : !writer && readers == 1));
        if
        :: does == STAY
        :: does != STAY && write -> writer = 0
        :: does != STAY && !write -> readers--
        fi;
        if
        :: does == TO_READERS ->
                readers = CLAIMED;
                readers_starve = false
        :: does == TO_WRITER ->
                writer = 1 + newest;
                writers_starve = false
        :: else
        fi;
        set_bits()
}

proctype flow(byte rounds; mtype comes_for)
{
        byte claimed, newest; /* a set of flows, and who was claimed last */
        bool write, downgrades, was_woken, patient, more, others, last;
        mtype does = STAY;

next:
        atomic {
                rounds--;
                if
                :: comes_for != READS -> write = true
                :: comes_for != READS ->
                        write = true;
                        downgrades = true
                :: comes_for != WRITES -> write = false
                fi
        };
        atomic {
                touch();
                if
                :: CAN_TAKE ->
                        take();
                        goto held
                :: else
                fi
        };

slowly:
        atomic {
                lock_queues();
                if
                :: was_woken ->
                        wait[me] = IDLE;
                        woken = woken - (BUG != 4)
                :: else
                fi;
                if
                :: CAN_TAKE ->
                        take_slowly();
                        goto taken
                :: else
                fi
        };
        if /* take_or_announce() */
        :: atomic {
                CAN_TAKE && BUG != 2 ->
                take_slowly();
                goto taken
           }
        :: atomic {
                MUST_WAIT || BUG == 2 ->
                touch();
                waiters = true;
                closed = closed || write
           }
        fi;
        atomic { /* enqueue() */
                wait[me] = BEGUN;
                if
                :: write && was_woken -> push_front(writers_queue)
                :: write && !was_woken -> writers_queue!me
                :: !write && was_woken -> push_front(readers_queue)
                :: !write && !was_woken -> readers_queue!me
                fi;
                if
                :: was_woken && write -> writers_starve = true
                :: was_woken && !write -> readers_starve = true
                :: true
                fi;
                set_bits();
                unlock_queues();
                if
                :: patient = true
                :: at_leisure -> patient = false
                fi
        };
        if
        :: atomic {
                ready & 1 << me ->
                ready = ready & ~(1 << me)
           }
        :: atomic {
                !patient && wait[me] == BEGUN ->
                wait[me] = TIMED_OUT
           }
        fi;
        atomic {
                patient = false;
                if
                :: wait[me] == TRY ->
                        was_woken = true;
                        goto slowly
                :: wait[me] == PASSED ->
                        wait[me] = IDLE;
                        assert(write -> writer == _pid : !writer && readers > 0);
                        enter();
                        goto held
                :: wait[me] == TIMED_OUT
                fi
        };

        /* give_up() */
        atomic {
                lock_queues();
                others = readers > 0 && !writer
        };
        atomic {
                if
                :: write && writers_queue??[eval(me)] ->
                        writers_queue??eval(me);
                        others = others && !WRITERS_WAIT && READERS_WAIT && BUG != 5;
                        set_bits()
                :: !write && readers_queue??[eval(me)] ->
                        readers_queue??eval(me);
                        others = false;
                        set_bits()
                :: else -> others = false
                fi;
                unlock_queues();
                wait[me] = IDLE;
                was_woken = false;
                downgrades = false
        };
        if
        :: others ->
                wake_readers();
                others = false
        :: else
        fi;
        goto over;

taken:
        atomic {
                set_bits();
                unlock_queues()
        };
        if
        :: others -> wake_readers()
        :: else
        fi;

held:
        atomic {
                was_woken = false;
                others = false;
                if
                :: downgrades
                :: !downgrades ->
                        note_left();
                        goto unlock
                :: !downgrades && !write && at_leisure -> goto reads_long
                fi
        };
#if BUG == 7
        others = waiters;
#endif
        atomic { /* plait_rwlock_downgrade() */
                touch();
                assert(writer == _pid);
                downgrades = false;
                write = false;
                write_now--;
                read_now++;
                writer = 0;
                readers = 1;
                others = (BUG == 7 -> others : waiters)
        };
        if
        :: others -> wake_readers()
        :: else
        fi;
        goto held;

reads_long:
        atomic {
                timeout -> /* nothing else can happen */
                assert(!READERS_WAIT || WRITERS_WAIT);
                note_left()
        };

unlock:
        atomic {
                touch();
                assert(write -> writer == _pid : !writer && readers > 0);
                if
                :: write && !waiters ->
                        writer = 0;
                        goto out
                :: !write && (!waiters || readers != 1) ->
#if BUG == 3
                        goto subtract
#else
                        readers--;
                        goto out
#endif
                :: else
                fi
        };

        /* leave() */
        atomic {
                lock_queues();
                look()
        };
        atomic {
                change_word()
        };
#if BUG == 8
        atomic {
                make_ready(more)
        };
#endif
        atomic {
                unlock_queues();
                make_ready(more && BUG != 9)
        };
        if
        :: more -> wake_readers()
        :: else
        fi;
        atomic {
                more = false;
                if
                :: does == STAY -> goto unlock
                :: else -> does = STAY
                fi
        };

#if BUG == 3
subtract:
        atomic {
                touch();
                readers--
        };
#endif
out:
        atomic {
                if
                :: rounds == 0 && !write && !last -> references--
                :: else
                fi;
                freed = freed || last
        };
over:
        if
        :: rounds > 0 -> goto next
        :: else
        fi
}

init
{
        atomic {
                if
                :: batch = 1; woken_most = 1
                :: batch = 1; woken_most = FLOWS
                :: batch = 2; woken_most = FLOWS
                fi;
                if
                :: references = 3;
                   at_leisure = true;
                   run flow(2, ANYTHING);
                   run flow(1, ANYTHING);
                   run flow(1, ANYTHING)
                :: references = 4;
                   run flow(2, WRITES);
                   run flow(1, READS);
                   run flow(1, READS);
                   run flow(1, READS)
                :: references = 4;
                   run flow(1, WRITES);
                   run flow(1, WRITES);
                   run flow(1, READS);
                   run flow(1, READS)
                fi
        };
        _nr_pr == 1;
        assert(!HELD && !waiters && !closed && !READERS_WAIT && !WRITERS_WAIT && woken == 0)
}
