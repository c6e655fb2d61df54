/*
 * The work-stealing deque of src/sched/deque.h: one owner, two thieves, a ring of CAPACITY slots that wraps.
 *
 *   owner: PUSH    pl_deque_push(), with top_seen
 *   owner: POP     pl_deque_pop()
 *   thief          pl_deque_steal(); the owner's service() steals like a thief, too, and is covered by POP's races
 *
 * Checked: each item is taken exactly once; none is lost; push says "full" only if it is; a slot is not overwritten
 * while it can still be had.
 *
 * Steps are single memory accesses in any interleaving, i.e. the accesses are taken to be sequentially consistent. That
 * is how bottom and top are accessed where it matters (pop's store and load, steal's loads, the CAS). What a weaker
 * order would do is planted as a bug. Left out: indices wrap at 64 bits; push's release and steal's acquire, which
 * publish what the item points to.
 *
 * BUG 1  pop loads top before its store of bottom is visible (a relaxed store)
 *     2  pop takes the last item without a CAS
 *     3  steal reads the slot after its CAS
 *     4  push allows one item too many
 */
#ifndef BUG
#define BUG 0
#endif

#define CAPACITY 2
#define ITEMS    5

int bottom = 0;
int top = 0;
byte slots[CAPACITY];
byte taken[ITEMS + 1]; /* how often */
byte running = 3;

inline take(what)
{
        atomic {
                assert(what >= 1 && what <= ITEMS);
                taken[what]++;
                assert(taken[what] == 1);
                what = 0
        }
}

proctype owner()
{
        byte next = 1;
        byte work = 0;
        int top_seen = 0;
        int b, t;

        do
        :: next <= ITEMS ->
                /* PUSH */
                b = bottom;
                if
                :: b - top_seen >= CAPACITY + (BUG == 4 -> 1 : 0) ->
                        top_seen = top
                :: else
                fi;
                if
                :: b - top_seen >= CAPACITY + (BUG == 4 -> 1 : 0) ->
                        goto pop /* it is full: the owner works it off */
                :: else
                fi;
                slots[b % CAPACITY] = next;
                bottom = b + 1;
                next++
        :: true ->
pop:            b = bottom - 1;
                if
                :: BUG == 1 ->
                        t = top;
                        bottom = b
                :: else ->
                        bottom = b;
                        t = top
                fi;
                if
                :: t < b ->
                        work = slots[b % CAPACITY];
                        take(work)
                :: t == b ->
                        work = slots[b % CAPACITY];
                        if
                        :: BUG == 2 ->
                                top = t + 1
                        :: else ->
                                atomic {
                                        if
                                        :: top == t -> top = t + 1
                                        :: else -> work = 0
                                        fi
                                }
                        fi;
                        bottom = b + 1;
                        if
                        :: work -> take(work)
                        :: else
                        fi
                :: else ->
                        bottom = b + 1;
                        if
                        :: next > ITEMS -> break
                        :: else
                        fi
                fi
        od;
        running--
}

proctype thief()
{
        byte work = 0;
        int b, t;
        bool won;

        do
        :: t = top;
                b = bottom;
                if
                :: t < b ->
                        work = (BUG == 3 -> 0 : slots[t % CAPACITY]);
                        atomic {
                                won = (top == t);
                                if
                                :: won -> top = t + 1
                                :: else -> work = 0
                                fi
                        };
                        if
                        :: won ->
                                if
                                :: BUG == 3 -> work = slots[t % CAPACITY]
                                :: else
                                fi;
                                take(work)
                        :: else
                        fi
                :: else
                fi;
                b = 0;
                t = 0
        :: break
        od;
        running--
}

init
{
        byte i;

        atomic {
                run owner();
                run thief();
                run thief()
        };
        running == 0;
        for (i : 1 .. ITEMS) {
                assert(taken[i] == 1)
        }
}
