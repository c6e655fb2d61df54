/*
 * Deadlocks that have happened.
 *
 * A flow that is about to wait without end for somebody in particular (the holder of a lock, a task, the tasks of a
 * scope) looks whether that one, in the end, waits for it. The last one to close a circle finds it, before it sleeps.
 * Whoever waits for a mutex that is held by somebody who does not wait has to look no further: that is what an ordinary
 * wait costs.
 *
 * The search goes from flow to flow, breadth first, by what each waits for:
 *      mutex   its holder, as its word says
 *      rwlock  its writer, as its word says, or those whose lists of what they hold have it
 *      task    that task
 *      scope   its tasks that have ever waited, and the openers of scopes inside
 * and from a task that runs another one, which it joins, on its own stack, to that one. Waits with a deadline lead
 * nowhere, since they end; nor do conditions, channels and the like, since anybody may wake them.
 *
 * Nobody is stopped meanwhile, so what is read may change and go away: foreign objects are read by pl_plat_peek(),
 * which cannot fault. A circle counts only if, when all of it is looked at a second time, each flow is still in the
 * very same wait (its number says so) and each mutex has the same holder: then all of it was true at once, at the
 * moment between the two looks, and as everybody in it waits for the next, it stays true, unless one of them is
 * cancelled.
 *
 * Joins: an owner that begins to wait for its scope looks only if it holds a lock, or if a task of the scope is tied
 * up: waits for a lock or a task, or for a scope of which that is true (pl_wait.endless is TIED then).
 *
 * When all workers sleep, no timer is set, no descriptor is watched, no job of an executor is under way and no other
 * thread exists, then nobody is left who could wake anybody; that is reported, too, whatever they wait for.
 *
 * The search lock guards the table of stops.
 */
#include "sync/deadlock.h"

#include <stdlib.h>
#include <string.h>

#include "mem/stack.h"
#include "plait/scope.h"
#include "plait/task.h"
#include "plat/panic.h"
#include "plat/sys.h"
#include "sched/flow.h"
#include "sched/held.h"
#include "sched/tie.h"

enum { VISITED_SLOTS = 2 * PL_DEADLOCK_MOST, CHILDREN_MOST = 20000, SURVEY_MOST = 10000 };

enum { RWLOCK_WRITER = 1 }; /* as in rwlock.c */

enum setting { UNREAD, OFF, WARN, ABORT };

static struct pl_lock search_lock;
static struct pl_deadlock_stop stops[PL_DEADLOCK_MOST];
static uint32_t n_stops;
static uint16_t visited[VISITED_SLOTS]; /* a stop's number plus 1 */
static struct pl_deadlock_stop said;    /* a stop of the last report; what it is in is no news */

static enum setting get_setting(void)
{
        static _Atomic uint32_t setting;
        enum setting found = atomic_load_explicit(&setting, memory_order_relaxed);

        if (found != UNREAD)
                return found;
        const char *text = getenv("PLAIT_DEADLOCK");
        found = WARN;
        if (text && strcmp(text, "off") == 0)
                found = OFF;
        else if (text && strcmp(text, "abort") == 0)
                found = ABORT;
        else if (text && *text && strcmp(text, "warn") != 0)
                pl_warn("PLAIT_DEADLOCK=%s is none of off, warn and abort: ignored", text);
        atomic_store_explicit(&setting, found, memory_order_relaxed);
        return found;
}

/* --- what can be seen --- */

static bool is_lock(enum pl_wait_cause cause)
{
        return cause == PL_WAIT_MUTEX || cause == PL_WAIT_RWLOCK_READ || cause == PL_WAIT_RWLOCK_WRITE;
}

/* It waits, without a deadline, for somebody in particular. */
static bool is_tied(const struct pl_wait *flow, enum pl_wait_cause cause)
{
        uint8_t endless = __atomic_load_n(&flow->endless, __ATOMIC_RELAXED);

        return endless && (is_lock(cause) || cause == PL_WAIT_TASK || cause == PL_WAIT_JOIN);
}

static struct pl_wait *holder_of(const void *mutex)
{
        uint64_t word;

        return pl_plat_peek(&word, mutex, sizeof word) == 0 ? (struct pl_wait *)(word & PL_SCHED_FLOW_BITS) : NULL;
}

/* The task that runs on *task*'s stack while *task* joins it; NULL: none. */
static struct plait_task *runs_on_stack_of(const struct plait_task *task)
{
        struct plait_task copy, other;
        struct pl_stack stack;

        if (pl_plat_peek(&copy, task, sizeof copy) < 0 || !copy.stack || copy.compact ||
            pl_plat_peek(&stack, copy.stack, sizeof stack) < 0 || !stack.owner || stack.owner == task ||
            pl_plat_peek(&other, stack.owner, sizeof other) < 0 || other.stack != copy.stack)
                return NULL;
        return stack.owner;
}

/* --- the search --- */

struct search {
        struct pl_wait *start;
        uint32_t from; /* the stop that is being looked at */
        bool found;
        unsigned children;
};

static uint32_t slot_of(const struct pl_wait *flow)
{
        uint32_t at = (uint32_t)((uintptr_t)flow * 0x9e3779b97f4a7c15 >> 40);

        for (;; at++) {
                uint16_t stop = visited[at % VISITED_SLOTS];

                if (!stop || stops[stop - 1].flow == flow)
                        return at % VISITED_SLOTS;
        }
}

/* The stop that is being looked at waits for *flow*. False: enough. */
static bool reach(struct search *search, struct pl_wait *flow)
{
        struct pl_deadlock_stop stop = {.flow = flow, .from = search->from};

        if (flow == search->start && n_stops > 0) {
                search->found = true;
                return false;
        }
        uint32_t slot = slot_of(flow);
        if (visited[slot])
                return true;
        if (n_stops == PL_DEADLOCK_MOST)
                return false;
        if (!pl_registry_look(flow, &stop.seen))
                return true;
        if (!is_tied(flow, stop.seen.cause)) {
                if (stop.seen.cause != PL_WAIT_NONE || !pl_registry_task(flow))
                        return true; /* nobody in particular has to wake it */
                stop.runs_here = runs_on_stack_of(pl_registry_task(flow)) != NULL;
                if (!stop.runs_here)
                        return true;
        }
        stops[n_stops] = stop;
        visited[slot] = (uint16_t)++n_stops;
        return true;
}

static bool reach_task(struct search *search, struct plait_task *task)
{
        return reach(search, &task->wait);
}

/* The tasks of an open scope, and the openers of the scopes in it. */
static bool reach_children(struct search *search, const struct plait_scope *place)
{
        struct plait_scope scope, inner;
        struct plait_task child;

        if (pl_plat_peek(&scope, place, sizeof scope) < 0)
                return true;
        for (struct plait_task *task = scope.pl_tasks; task && search->children++ < CHILDREN_MOST;
             task = child.scope_next) {
                if (pl_plat_peek(&child, task, sizeof child) < 0 || child.home != place || !child.fn)
                        break; /* the list has changed */
                if (!reach_task(search, task))
                        return false;
        }
        for (const void *at = scope.pl_children; at && search->children++ < CHILDREN_MOST; at = inner.pl_next) {
                if (pl_plat_peek(&inner, at, sizeof inner) < 0 || inner.pl_parent != place || !inner.pl_owner)
                        break;
                if (inner.pl_owner != scope.pl_owner && !reach_task(search, inner.pl_owner))
                        return false;
        }
        return true;
}

struct holders {
        struct search *search;
        const void *lock;
        bool go_on;
};

static bool reach_if_holder(struct pl_wait *flow, void *arg)
{
        struct holders *holders = arg;
        struct pl_held held[PL_HELD_MOST];
        unsigned n = pl_sched_held_list(flow, held, PL_HELD_MOST);

        for (unsigned i = 0; i < n && holders->go_on; i++) {
                uintptr_t lock = atomic_load_explicit(&held[i].lock, memory_order_relaxed);

                if ((lock & ~(uintptr_t)PL_HELD_MODE_MASK) == (uintptr_t)holders->lock)
                        holders->go_on = reach(holders->search, flow);
        }
        return holders->go_on;
}

static bool reach_holders(struct search *search, const void *rwlock)
{
        struct holders holders = {.search = search, .lock = rwlock, .go_on = true};
        uint64_t word;

        if (pl_plat_peek(&word, rwlock, sizeof word) == 0 && word & RWLOCK_WRITER)
                return !(word & PL_SCHED_FLOW_BITS) || reach(search, (struct pl_wait *)(word & PL_SCHED_FLOW_BITS));
        pl_registry_for_each(reach_if_holder, &holders);
        return holders.go_on;
}

/* Go on to whom this one waits for. False: enough. */
static bool follow(struct search *search, const struct pl_deadlock_stop *stop)
{
        struct plait_task *task = pl_registry_task(stop->flow);
        struct pl_wait *holder;

        if (stop->runs_here) {
                struct plait_task *child = runs_on_stack_of(task);

                return !child || reach_task(search, child);
        }
        switch (stop->seen.cause) {
        case PL_WAIT_MUTEX: holder = holder_of(stop->seen.object); return !holder || reach(search, holder);
        case PL_WAIT_RWLOCK_READ:
        case PL_WAIT_RWLOCK_WRITE: return reach_holders(search, stop->seen.object);
        case PL_WAIT_TASK: return reach_task(search, (struct plait_task *)(uintptr_t)stop->seen.object);
        default: return reach_children(search, stop->seen.object);
        }
}

/* Whether what was seen of a stop still holds, and it waits for *next*. */
static bool still_holds(const struct pl_deadlock_stop *stop, const struct pl_wait *next)
{
        struct pl_registry_view now;

        if (!pl_registry_look(stop->flow, &now) || now.word != stop->seen.word || now.id != stop->seen.id ||
            now.tid != stop->seen.tid)
                return false;
        if (stop->runs_here) {
                const struct plait_task *child = runs_on_stack_of(pl_registry_task(stop->flow));

                return child && &child->wait == next;
        }
        return is_tied(stop->flow, now.cause) && (now.cause != PL_WAIT_MUTEX || holder_of(now.object) == next);
}

/* Make the found circle the first stops, in order; returns how many, 0: it was none. */
static unsigned unroll(const struct search *search, struct pl_deadlock_stop *ret, unsigned most)
{
        unsigned n = 1;

        for (uint32_t at = search->from; at != 0; at = stops[at].from)
                n++;
        if (n > most)
                return 0;
        for (uint32_t at = search->from, i = n; i-- > 0; at = stops[at].from)
                ret[i] = stops[at];
        for (unsigned i = 0; i < n; i++)
                if (!still_holds(&ret[i], ret[(i + 1) % n].flow))
                        return 0;
        return n;
}

/* The circle that *start* is in; 0: none. With the lock. */
static unsigned find_circle(struct pl_wait *start, struct pl_deadlock_stop *ret, unsigned most)
{
        struct search search = {.start = start};

        n_stops = 0;
        memset(visited, 0, sizeof visited);
        if (!reach(&search, start) || !n_stops)
                return 0;
        for (; search.from < n_stops; search.from++) {
                const struct pl_deadlock_stop stop = stops[search.from];

                if (!follow(&search, &stop))
                        break;
        }
        return search.found ? unroll(&search, ret, most) : 0;
}

/* Two who close it at the same time both find it. */
static bool was_said(const struct pl_deadlock_stop *circle, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                if (circle[i].flow == said.flow && circle[i].seen.word == said.seen.word &&
                    circle[i].seen.id == said.seen.id)
                        return true;
        return false;
}

static PL_NOINLINE void search_from(struct pl_wait *start)
{
        static struct pl_deadlock_stop circle[PL_DEADLOCK_SHOWN];
        struct pl_context here;

        pl_context_here(&here);
        pl_lock_acquire(&search_lock);
        unsigned n = find_circle(start, circle, PL_DEADLOCK_SHOWN);
        if (n && !was_said(circle, n)) {
                pl_deadlock_report_circle(circle, n, start, &here);
                said = circle[0];
        }
        pl_lock_release(&search_lock);
        if (n && get_setting() == ABORT)
                abort();
}

/* --- when to search --- */

static bool may_be_stuck(struct pl_wait *flow)
{
        struct pl_registry_view view;
        struct plait_task *task = pl_registry_task(flow);

        if (!pl_registry_look(flow, &view))
                return false;
        return view.cause == PL_WAIT_NONE ? task && runs_on_stack_of(task) : is_tied(flow, view.cause);
}

static void look(struct pl_wait *wait, bool tied_child)
{
        const void *object = wait->object;
        struct pl_wait *next = NULL;

        if (get_setting() == OFF)
                return;
        switch ((enum pl_wait_cause)wait->cause) {
        case PL_WAIT_MUTEX:
                next = (struct pl_wait *)(__atomic_load_n((const uintptr_t *)object, __ATOMIC_ACQUIRE) &
                                          PL_SCHED_FLOW_BITS);
                break;
        case PL_WAIT_TASK: next = &((struct plait_task *)(uintptr_t)object)->wait; break;
        case PL_WAIT_JOIN:
                if (tied_child || atomic_load_explicit(&wait->held, memory_order_relaxed))
                        next = wait;
                break;
        default:
                if (atomic_load_explicit(&wait->held, memory_order_relaxed))
                        next = wait;
                break;
        }
        if (next && (next == wait || may_be_stuck(next)))
                search_from(wait);
}

/* --- everybody waits --- */

struct survey {
        unsigned tasks;
        bool hope; /* somebody waits for something that may still come, or it has been said */
};

static bool can_come_from_tasks_only(enum pl_wait_cause cause)
{
        switch (cause) {
        case PL_WAIT_JOIN:
        case PL_WAIT_TASK:
        case PL_WAIT_MUTEX:
        case PL_WAIT_CONDITION:
        case PL_WAIT_SEMAPHORE:
        case PL_WAIT_EVENT:
        case PL_WAIT_CHANNEL_SEND:
        case PL_WAIT_CHANNEL_RECEIVE:
        case PL_WAIT_RWLOCK_READ:
        case PL_WAIT_RWLOCK_WRITE:
        case PL_WAIT_BARRIER:
        case PL_WAIT_ONCE:
        case PL_WAIT_LATCH:
        case PL_WAIT_BROADCAST_SEND:
        case PL_WAIT_BROADCAST_RECEIVE:
        case PL_WAIT_QUEUE_PUT:
        case PL_WAIT_QUEUE_GET:
        case PL_WAIT_QUEUE_JOIN: return true;
        default: return false;
        }
}

static bool survey_flow(struct pl_wait *flow, void *arg)
{
        struct survey *survey = arg;
        struct pl_deadlock_stop stop = {.flow = flow};
        struct plait_task *task = pl_registry_task(flow);

        if (!task)
                return true; /* workers' own; others have been ruled out */
        survey->hope = survey->tasks == SURVEY_MOST || !pl_registry_look(flow, &stop.seen) || stop.seen.timed ||
                       (stop.seen.cause == PL_WAIT_NONE ? !runs_on_stack_of(task)
                                                        : !can_come_from_tasks_only(stop.seen.cause));
        survey->hope |= flow == said.flow && stop.seen.word == said.seen.word;
        survey->tasks++;
        if (!survey->hope && n_stops < PL_DEADLOCK_SHOWN && stop.seen.cause != PL_WAIT_NONE)
                stops[n_stops++] = stop;
        return !survey->hope;
}

/* With the lock. */
static bool nobody_can_wake(unsigned *ret_tasks)
{
        struct survey survey = {0};

        n_stops = 0;
        pl_registry_for_each(survey_flow, &survey);
        *ret_tasks = survey.tasks;
        return !survey.hope && survey.tasks;
}

static bool (*_Atomic may_others_wake)(void);

void pl_deadlock_ask(bool (*may_wake)(void))
{
        atomic_store(&may_others_wake, may_wake);
}

/* Jobs of executors, that is, which threads of the library's own and other processes make. */
static bool can_others_wake(void)
{
        bool (*may_wake)(void) = atomic_load(&may_others_wake);

        return (may_wake && may_wake()) || pl_plat_has_foreign_threads();
}

/*
 * Called by the last worker to fall asleep, when only others could wake this process. A thread may wake somebody and
 * end in no time, so all is looked at once more when there is no such thread any more.
 */
static void everybody_sleeps(void)
{
        unsigned tasks;

        if (get_setting() == OFF)
                return;
        pl_lock_acquire(&search_lock);
        bool stuck = nobody_can_wake(&tasks) && !can_others_wake() && nobody_can_wake(&tasks);
        if (stuck) {
                pl_deadlock_report_all(stops, n_stops, tasks);
                said = stops[0];
        }
        pl_lock_release(&search_lock);
        if (stuck && get_setting() == ABORT)
                abort();
}

static __attribute__((constructor)) void set_up(void)
{
        pl_sched_on_tie(look);
        pl_sched_on_asleep(everybody_sleeps);
}
