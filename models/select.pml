/*
 * Waiting in several queues at once: plait_select(), src/sync/select.c and sync/selectable.h.
 *
 *   flow 0     cases: send to channel A, receive from channel B, a descriptor is ready. wait_watching(): it stands at the
 *              descriptor, then locks and tries once more
 *   flow 1     cases: send to B, receive from A, a permit of a semaphore. round_queued()
 *   reporter   claims whoever stands at the descriptor: first by a report that comes late and means nothing, maybe; then
 *              because it is ready
 *   releaser   plait_semaphore_release() of one permit
 *   deadline   of the wait of flow 0's select; it comes whenever it likes, or not
 *   gate       ends the next wait of each flow, which has nothing to do with the select
 *
 * The channels have no room, so a send happens only together with a receive. Each flow is in the queues of both, on
 * opposite sides, and names them in the opposite order. The order in which cases are tried is open.
 *
 * Checked: exactly one case of each select happens, and both sides agree on which; the permit is there or has been taken
 * once; nobody is passed by (no two flows that can be claimed are on opposite sides of one channel); nobody waits for
 * ever; after a select no node of it is in any queue, and nothing of it ends the flow's next wait.
 *
 * What a lock protects is few steps, CAS loops are one. The word of a wait is the business of wait.pml: here it is one
 * variable, and only a wait that sleeps meets its deadline.
 *
 * BUG 1  the locks are taken in the order of the cases
 *     2  after it has stood at the descriptor, a select does not try again before it queues
 *     3  the locks are taken one after the other, to try and to queue
 *     4  a waker hands over though it lost the claim
 *     5  nodes in other queues than the one through which the wait was claimed stay there
 *     6  a select that has taken something after it stood at the descriptor does not end its wait
 *     7  a waker says through which node only after it has made the flow ready
 *     8  a case that happens while the nodes are being queued leaves those that are queued already
 *     9  a report about the descriptor counts as its case
 */
#ifndef BUG
#define BUG 0
#endif

mtype = { IDLE, CLAIMABLE, WOKEN, TIMED_OUT };                 /* of a flow's wait */
mtype = { NOTHING, SEND, RECEIVE, PERMIT, READY, TIME, GATE }; /* cases, and nodes */

#define A 0 /* channels, and their locks */
#define B 1
#define S 2 /* the semaphore's */
#define SENDS_TO(f)      (f)
#define RECEIVES_FROM(f) (1 - (f))
#define PLACE(c, f)      ((c) * 2 + (f))

bool locked[3], watch_lock;
bool senders[4], receivers[4]; /* PLACE(channel, flow): its node is queued there */
bool permit_queued;            /* flow 1's node */
bool standing;                 /* flow 0's node at the descriptor */
bool ready;                    /* the descriptor */
byte permits;
bool waiters; /* the semaphore's bit */

mtype state[2] = IDLE;
mtype via[2] = NOTHING; /* wait.node.link.prev: through which node it was claimed */
byte runnable[2];
bool sleeps[2]; /* in the wait of its select */
bool second[2]; /* in the wait after that */
mtype chosen[2] = NOTHING;
byte sent[2]; /* items that went through each channel */
byte n_ended;

inline lock(which)
{
        atomic { !which -> which = true }
}

inline make_ready(g)
{
        atomic {
                runnable[g]++;
                assert(runnable[g] == 1)
        }
}

/* pl_sync_claim_node() */
inline claim(g, node, won)
{
        atomic {
                won = (state[g] == CLAIMABLE);
                if
                :: won ->
                        assert(!second[g] || node == GATE);
                        state[g] = WOKEN
                :: else
                fi
        };
        if
        :: won && BUG != 7 -> via[g] = node
        :: else
        fi
}

/* pl_sched_wake_ready(), after the locks' release. */
inline wake(g, node)
{
        make_ready(g);
        if
        :: BUG == 7 -> via[g] = node
        :: else
        fi
}

inline lock_all(f)
{
        if
        :: BUG == 3
        :: BUG == 1 && f == 1 ->
                lock(locked[B]);
                lock(locked[A]);
                lock(locked[S])
        :: else ->
                lock(locked[A]);
                lock(locked[B]);
                if
                :: f == 1 -> lock(locked[S])
                :: else
                fi
        fi
}

inline unlock_all(f)
{
        atomic {
                assert(state[0] != CLAIMABLE || state[1] != CLAIMABLE ||
                       (!(senders[PLACE(A, 0)] && receivers[PLACE(A, 1)]) &&
                        !(senders[PLACE(B, 1)] && receivers[PLACE(B, 0)])));
                if
                :: BUG != 3 ->
                        locked[A] = false;
                        locked[B] = false;
                        if
                        :: f == 1 -> locked[S] = false
                        :: else
                        fi
                :: else
                fi
        };
        if
        :: partner ->
                wake(1 - f, partner_node);
                partner = false;
                partner_node = NOTHING
        :: else
        fi
}

/* Only with BUG 3. */
inline lock_one(which)
{
        if
        :: BUG == 3 -> lock(which)
        :: else
        fi
}

inline unlock_one(which)
{
        if
        :: BUG == 3 -> which = false
        :: else
        fi
}

/* If the other flow is queued on the other side of the channel, with its node *other*, then *mine* happens. */
inline meet(f, is_queued, channel, mine, other)
{
        lock_one(locked[channel]);
        if
        :: is_queued ->
                is_queued = false;
                claim(1 - f, other, won);
                if
                :: won || BUG == 4 ->
                        sent[channel]++;
                        chosen[f] = mine;
                        partner = won;
                        partner_node = other
                :: else
                fi;
                won = false
        :: else
        fi;
        unlock_one(locked[channel])
}

/* take() of the semaphore */
inline take_permit(f)
{
        atomic {
                if
                :: permits > 0 && !waiters ->
                        permits--;
                        chosen[f] = PERMIT
                :: else
                fi
        }
}

inline try_all(f)
{
        do
        :: chosen[f] == NOTHING && !tried[0] ->
                tried[0] = true;
                meet(f, receivers[PLACE(SENDS_TO(f), 1 - f)], SENDS_TO(f), SEND, RECEIVE)
        :: chosen[f] == NOTHING && !tried[1] ->
                tried[1] = true;
                meet(f, senders[PLACE(RECEIVES_FROM(f), 1 - f)], RECEIVES_FROM(f), RECEIVE, SEND)
        :: chosen[f] == NOTHING && !tried[2] ->
                tried[2] = true;
                if
                :: f == 1 -> take_permit(f)
                :: f == 0 && seen -> chosen[f] = READY
                :: f == 0 && !seen
                fi
        :: chosen[f] != NOTHING || (tried[0] && tried[1] && tried[2]) -> break
        od;
        atomic {
                tried[0] = false;
                tried[1] = false;
                tried[2] = false
        }
}

inline queue_in_channels(f)
{
        lock_one(locked[SENDS_TO(f)]);
        senders[PLACE(SENDS_TO(f), f)] = true;
        queued[0] = true;
        unlock_one(locked[SENDS_TO(f)]);
        lock_one(locked[RECEIVES_FROM(f)]);
        receivers[PLACE(RECEIVES_FROM(f), f)] = true;
        queued[1] = true;
        unlock_one(locked[RECEIVES_FROM(f)])
}

/* take_or_announce() of the semaphore */
inline queue_for_permit(f)
{
        lock_one(locked[S]);
        atomic {
                if
                :: permits > 0 && !waiters ->
                        permits--;
                        chosen[f] = PERMIT
                :: else -> waiters = true
                fi
        };
        if
        :: chosen[f] == NOTHING ->
                permit_queued = true;
                queued[2] = true
        :: else
        fi;
        unlock_one(locked[S])
}

/* As queue_all() in the source: in every queue, or in none. */
inline queue_all(f)
{
        if
        :: f == 0 -> queue_in_channels(f)
        :: f == 1 ->
                queue_for_permit(f);
                if
                :: chosen[f] == NOTHING -> queue_in_channels(f)
                :: else
                fi
        :: f == 1 ->
                queue_in_channels(f);
                queue_for_permit(f);
                if
                :: chosen[f] != NOTHING && BUG != 8 ->
                        senders[PLACE(SENDS_TO(f), f)] = false;
                        receivers[PLACE(RECEIVES_FROM(f), f)] = false;
                        queued[0] = false;
                        queued[1] = false
                :: else
                fi
        fi
}

inline begin(f)
{
        atomic {
                via[f] = NOTHING;
                state[f] = CLAIMABLE
        }
}

/* pl_sched_wait_finish(), with a deadline that has passed or with that of the process below. */
inline finish(f, at_once)
{
        atomic {
                if
                :: at_once && state[f] == CLAIMABLE ->
                        state[f] = TIMED_OUT;
                        runnable[f]++
                :: else
                fi;
                sleeps[f] = true
        };
        atomic {
                runnable[f] > 0 -> runnable[f]--;
                sleeps[f] = false
        }
}

inline withdraw(which, node_is_queued)
{
        lock(which);
        node_is_queued = false;
        which = false
}

inline leave_queues(f)
{
        claimed = via[f];
        if
        :: queued[0] && claimed != SEND && BUG != 5 -> withdraw(locked[SENDS_TO(f)], senders[PLACE(SENDS_TO(f), f)])
        :: else
        fi;
        if
        :: queued[1] && claimed != RECEIVE && BUG != 5 ->
                withdraw(locked[RECEIVES_FROM(f)], receivers[PLACE(RECEIVES_FROM(f), f)])
        :: else
        fi;
        if
        :: queued[2] && claimed != PERMIT && BUG != 5 ->
                lock(locked[S]);
                if
                :: permit_queued ->
                        permit_queued = false;
                        waiters = false
                :: else
                fi;
                locked[S] = false
        :: else
        fi;
        atomic {
                queued[0] = false;
                queued[1] = false;
                queued[2] = false;
                if
                :: claimed != NOTHING ->
                        assert(chosen[f] == NOTHING);
                        chosen[f] = claimed
                :: else
                fi;
                claimed = NOTHING
        }
}

/* The end of a round: the case, or another round. */
inline conclude(f)
{
        leave_queues(f);
        if
        :: stood -> withdraw(watch_lock, standing)
        :: else
        fi;
        atomic {
                if
                :: chosen[f] != NOTHING
                :: chosen[f] == NOTHING && state[f] == TIMED_OUT && !stopped -> chosen[f] = TIME
                :: chosen[f] == NOTHING && state[f] == WOKEN && BUG == 9 -> chosen[f] = READY
                :: else
                fi;
                state[f] = IDLE;
                stood = false;
                stopped = false
        }
}

proctype flow(byte f)
{
        bool tried[3], queued[3], seen, stood, stopped, won, partner;
        mtype claimed = NOTHING;
        mtype partner_node = NOTHING;

        do
        :: chosen[f] == NOTHING && f == 1 -> /* round_queued() */
                lock_all(f);
                try_all(f);
                if
                :: chosen[f] == NOTHING ->
                        begin(f);
                        queue_all(f);
                        unlock_all(f);
                        if
                        :: chosen[f] == NOTHING ->
                                finish(f, false);
                                conclude(f)
                        :: else -> /* pl_sched_wait_abandon() */
                                assert(state[f] == CLAIMABLE);
                                state[f] = IDLE
                        fi
                :: else -> unlock_all(f)
                fi
        :: chosen[f] == NOTHING && f == 0 -> /* round_watching() */
                seen = ready;
                lock_all(f);
                try_all(f);
                unlock_all(f);
                seen = false;
                if
                :: chosen[f] == NOTHING ->
                        begin(f);
                        lock(watch_lock);
                        stood = true;
                        stopped = ready;
                        standing = !ready;
                        watch_lock = false;
                        if
                        :: !stopped ->
                                lock_all(f);
                                if
                                :: BUG != 2 -> try_all(f)
                                :: else
                                fi;
                                if
                                :: chosen[f] == NOTHING -> queue_all(f)
                                :: else
                                fi;
                                unlock_all(f)
                        :: else
                        fi;
                        if
                        :: BUG == 6 && chosen[f] != NOTHING
                        :: else -> finish(f, stopped || chosen[f] != NOTHING)
                        fi;
                        conclude(f)
                :: else
                fi
        :: chosen[f] != NOTHING -> break
        od;

        atomic {
                assert(!senders[PLACE(SENDS_TO(f), f)] && !receivers[PLACE(RECEIVES_FROM(f), f)]);
                assert(f == 1 || !standing);
                assert(f == 0 || !permit_queued);
                assert(chosen[f] != READY || ready);
                assert(state[f] == IDLE && runnable[f] == 0)
        };

        atomic { /* another wait */
                via[f] = NOTHING;
                second[f] = true;
                state[f] = CLAIMABLE
        };
        atomic { runnable[f] > 0 -> runnable[f]-- };
        assert(via[f] == GATE);
        n_ended++
}

inline report()
{
        lock(watch_lock);
        if
        :: standing ->
                standing = false;
                atomic { /* pl_sched_wake_claim() */
                        won = (state[0] == CLAIMABLE);
                        assert(!won || !second[0]);
                        if
                        :: won -> state[0] = WOKEN
                        :: else
                        fi
                }
        :: else -> won = false
        fi;
        watch_lock = false;
        if
        :: won -> make_ready(0)
        :: else
        fi
}

proctype reporter()
{
        bool won;

        if
        :: report()
        :: skip
        fi;
        ready = true;
        report();
        n_ended++
}

proctype releaser()
{
        bool won;

        do
        :: atomic { !waiters -> permits++ };
                break
        :: waiters -> /* release_to_waiters() */
                lock(locked[S]);
                if
                :: waiters ->
                        permits++;
                        if
                        :: permit_queued ->
                                permit_queued = false;
                                claim(1, PERMIT, won);
                                if
                                :: won || BUG == 4 -> permits--
                                :: else
                                fi
                        :: else
                        fi;
                        waiters = false;
                        locked[S] = false;
                        if
                        :: won -> wake(1, PERMIT)
                        :: else
                        fi;
                        break
                :: else -> locked[S] = false
                fi
        od;
        n_ended++
}

proctype deadline()
{
        do
        :: atomic {
                sleeps[0] && state[0] == CLAIMABLE ->
                state[0] = TIMED_OUT;
                runnable[0]++
           };
           break
        :: second[0] -> break
        od
}

proctype gate()
{
        bool won;

        second[0] && second[1];
        claim(0, GATE, won);
        assert(won);
        wake(0, GATE);
        claim(1, GATE, won);
        assert(won);
        wake(1, GATE)
}

init
{
        atomic {
                run flow(0);
                run flow(1);
                run reporter();
                run releaser();
                run deadline();
                run gate()
        };
        atomic {
                n_ended == 4 ->
                assert((chosen[0] == SEND) == (chosen[1] == RECEIVE));
                assert((chosen[0] == RECEIVE) == (chosen[1] == SEND));
                assert(chosen[1] == PERMIT || chosen[1] == SEND || chosen[1] == RECEIVE);
                assert(sent[A] == (chosen[0] == SEND -> 1 : 0));
                assert(sent[B] == (chosen[1] == SEND -> 1 : 0));
                assert(permits == (chosen[1] == PERMIT -> 0 : 1))
        }
}
