/*
 * The registry. See sched/registry.h and, for readers from outside, plait/registry.h.
 *
 * Locking: none, but for a task's name. A thread's record is taken and given back by the thread itself; the pool that
 * it is from never gives its memory to anything else.
 */
#include "sched/registry.h"

#include <string.h>

#include "plait/mutex.h"
#include "plait/registry.h"
#include "plait/time.h"
#include "plait/tuner.h"
#include "sched/compact.h"
#include "sched/flow.h"
#include "sched/held.h"
#include "sched/worker.h"
#include "trace/trace.h"

static struct pl_slab_pool thread_pool = PL_SLAB_POOL_INIT("thread", sizeof(struct pl_thread_record));
static struct pl_slab_pool tuner_pool = PL_SLAB_POOL_INIT("tuner", sizeof(struct pl_tuner_record));

static const char *const causes[] = {
        [PL_WAIT_NONE] = "nothing",
        [PL_WAIT_SLEEP] = "sleep",
        [PL_WAIT_JOIN] = "join",
        [PL_WAIT_TASK] = "task",
        [PL_WAIT_MUTEX] = "mutex",
        [PL_WAIT_CONDITION] = "condition",
        [PL_WAIT_SEMAPHORE] = "semaphore",
        [PL_WAIT_EVENT] = "event",
        [PL_WAIT_CHANNEL_SEND] = "send",
        [PL_WAIT_CHANNEL_RECEIVE] = "receive",
        [PL_WAIT_FD_READ] = "read",
        [PL_WAIT_FD_WRITE] = "write",
        [PL_WAIT_BLOCKING_CALL] = "call",
        [PL_WAIT_HTTP] = "http",
        [PL_WAIT_RWLOCK_READ] = "read lock",
        [PL_WAIT_RWLOCK_WRITE] = "write lock",
        [PL_WAIT_BARRIER] = "barrier",
        [PL_WAIT_ONCE] = "once",
        [PL_WAIT_LATCH] = "latch",
        [PL_WAIT_BROADCAST_SEND] = "broadcast send",
        [PL_WAIT_BROADCAST_RECEIVE] = "broadcast receive",
        [PL_WAIT_QUEUE_PUT] = "queue put",
        [PL_WAIT_QUEUE_GET] = "queue get",
        [PL_WAIT_QUEUE_JOIN] = "queue join",
        [PL_WAIT_FUTURE] = "future",
        [PL_WAIT_SELECT] = "select",
        [PL_WAIT_SIGNAL] = "signal",
        [PL_WAIT_CHILD] = "child",
        [PL_WAIT_POLL] = "poll",
        [PL_WAIT_LIMITER] = "limiter",
};

_Static_assert(PL_ARRAY_SIZE(causes) == PL_WAIT_CAUSES, "each cause of a wait needs a name here");

const char *const pl_registry_tuner_reasons[PLAIT_TUNER_REASONS] = {
        [PLAIT_TUNER_INITIAL] = "nothing is known yet",
        [PLAIT_TUNER_DOUBLED] = "all goes well: doubled",
        [PLAIT_TUNER_GREW] = "no sign of a queue",
        [PLAIT_TUNER_SLOWER] = "first bytes came later",
        [PLAIT_TUNER_NO_GAIN] = "more got no more done",
        [PLAIT_TUNER_REFUSALS] = "refused",
        [PLAIT_TUNER_TIMEOUTS] = "timed out",
        [PLAIT_TUNER_TRYING] = "trying whether fewer do",
        [PLAIT_TUNER_FEWER_DO] = "fewer did as much",
        [PLAIT_TUNER_FEWER_LOSE] = "fewer did less",
        [PLAIT_TUNER_BLOCKED] = "jobs block",
        [PLAIT_TUNER_UNBLOCKED] = "jobs block less",
        [PLAIT_TUNER_PROCESSORS] = "processors came or went",
};

/* --- for readers outside --- */

_Static_assert((int)PLAIT_REGISTRY_IDLE == PL_WAIT_IDLE && (int)PLAIT_REGISTRY_BEGUN == PL_WAIT_BEGUN &&
                       (int)PLAIT_REGISTRY_WAITING == PL_WAIT_WAITING && (int)PLAIT_REGISTRY_WOKEN == PL_WAIT_WOKEN &&
                       (int)PLAIT_REGISTRY_TIMED_OUT == PL_WAIT_TIMED_OUT &&
                       (int)PLAIT_REGISTRY_CANCELED == PL_WAIT_CANCELED && (int)PLAIT_REGISTRY_READY == PL_WAIT_READY &&
                       (int)PLAIT_REGISTRY_STATE_MASK == PL_WAIT_STATE_MASK,
               "the public names of a wait's states are those inside");

#define FIELD(type, member)                                                              \
        {                                                                                \
                .offset = offsetof(type, member), .size = sizeof(((type *)NULL)->member) \
        }
#define TASK(member) FIELD(struct plait_task, member)
#define THREAD(member) FIELD(struct pl_thread_record, member)
#define WORKER(member) FIELD(struct pl_worker, member)
#define RUN(member) FIELD(struct pl_run, member)
#define SCOPE(member) FIELD(struct plait_scope, member)
#define STACK(member) FIELD(struct pl_stack, member)
#define TUNER(member) FIELD(struct pl_tuner_record, member)

extern const struct plait_registry pl_sched_registry;

/* NOLINTBEGIN(bugprone-sizeof-expression): the sizes of members that are pointers */
const struct plait_registry pl_sched_registry = {
        .magic = PLAIT_REGISTRY_MAGIC,
        .version = PLAIT_REGISTRY_VERSION,
        .size = sizeof(struct plait_registry),
        .library = PLAIT_VERSION,
        .run = &pl_sched_the_run,
        .task_pool = &pl_sched_task_pool,
        .thread_pool = &thread_pool,
        .causes = causes,
        .n_causes = PL_WAIT_CAUSES,
        .slab =
                {
                        .slab_bytes = PL_SLAB_BYTES,
                        .header_bytes = PL_SLAB_HEADER_BYTES,
                        .slabs_per_chunk = PL_SLAB_CHUNK_BYTES / PL_SLAB_BYTES,
                        .object_bytes = FIELD(struct pl_slab_pool, object_bytes),
                        .n_slabs = FIELD(struct pl_slab_pool, n_slabs),
                        .chunks = FIELD(struct pl_slab_pool, chunks),
                        .carved = FIELD(struct pl_slab, carved),
                },
        .run_at =
                {
                        .bytes = sizeof(struct pl_run),
                        .id = RUN(id),
                        .workers = RUN(workers),
                        .n_workers = RUN(n_serving),
                        .clock_ms = RUN(clock_ms),
                        .injector = RUN(injector.n),
                        .started_ns = RUN(started_ns),
                        .started_real_ns = RUN(started_real_ns),
                        .root = RUN(root),
                        .n_stuck = RUN(n_stuck),
                },
        .worker =
                {
                        .bytes = sizeof(struct pl_worker),
                        .next = WORKER(next),
                        .tid = WORKER(tid),
                        .current = WORKER(current),
                        .ticks = WORKER(ticks),
                        .idle = WORKER(idle),
                        .ready = WORKER(ready.n),
                        .bound = WORKER(bound.n),
                        .fresh_top = WORKER(fresh.pl_top),
                        .fresh_bottom = WORKER(fresh.pl_bottom),
                        .spare = WORKER(spare),
                },
        .task =
                {
                        .bytes = sizeof(struct plait_task),
                        .fn = TASK(fn),
                        .arg = TASK(arg),
                        .saved = TASK(saved),
                        .id = TASK(id),
                        .name = TASK(name),
                        .sp = TASK(context.sp),
                        .fp = TASK(context.fp),
                        .pc = TASK(context.pc),
                        .stack = TASK(stack),
                        .scope = TASK(scope),
                        .home = TASK(home),
                        .on_cpu = TASK(on_cpu),
                        .compact = TASK(compact),
                        .bound = TASK(bound),
                        .worker = TASK(worker),
                        .deadline_ns = TASK(timer.deadline_ns),
                        .wheel = TASK(timer.wheel),
                        .wait =
                                {
                                        .state = TASK(wait.state),
                                        .cause = TASK(wait.cause),
                                        .object = TASK(wait.object),
                                        .since_ms = TASK(since_ms),
                                },
                },
        .thread =
                {
                        .bytes = sizeof(struct pl_thread_record),
                        .tid = THREAD(tid),
                        .sp = THREAD(place.sp),
                        .fp = THREAD(place.fp),
                        .pc = THREAD(place.pc),
                        .wait =
                                {
                                        .state = THREAD(wait.state),
                                        .cause = THREAD(wait.cause),
                                        .object = THREAD(wait.object),
                                        .since_ms = THREAD(since_ms),
                                },
                },
        .scope =
                {
                        .bytes = sizeof(struct plait_scope),
                        .deadline_ns = SCOPE(deadline_ns),
                        .flags = SCOPE(flags),
                        .state = SCOPE(pl_state),
                        .parent = SCOPE(pl_parent),
                        .owner = SCOPE(pl_owner),
                        .opened_at = SCOPE(pl_opened_at),
                        .owed = SCOPE(pl_owed),
                        .pending = SCOPE(pl_pending),
                        .error = SCOPE(pl_error),
                        .cancelled = SCOPE(pl_cancelled),
                },
        .stack =
                {
                        .top = STACK(top),
                        .owner = STACK(owner),
                        .bytes = STACK(bytes),
                        .saved_data = offsetof(struct saved, data),
                        .saved_bytes = FIELD(struct saved, bytes),
                },
        .fd = {.number = {.offset = PL_REGISTRY_FD_NUMBER, .size = sizeof(int)}},
        .mutex =
                {
                        .holder = FIELD(struct plait_mutex, pl_holder),
                        .of_task = FIELD(struct pl_wait, of_task),
                        .mask = PL_SCHED_FLOW_BITS,
                        .task_wait = offsetof(struct plait_task, wait),
                        .thread_wait = offsetof(struct pl_thread_record, wait),
                },
        .tuner_pool = &tuner_pool,
        .tuner_reasons = pl_registry_tuner_reasons,
        .n_tuner_reasons = PLAIT_TUNER_REASONS,
        .tuner =
                {
                        .bytes = sizeof(struct pl_tuner_record),
                        .used = TUNER(used),
                        .kind = TUNER(kind),
                        .limit = TUNER(limit),
                        .in_flight = TUNER(in_flight),
                        .was = TUNER(was),
                        .reason = TUNER(reason),
                        .changed_ns = TUNER(changed_ns),
                        .milli_rate = TUNER(milli_rate),
                        .refused = TUNER(refused),
                        .name = TUNER(name),
                },
        .trace = &pl_trace_mailbox,
};
/* NOLINTEND(bugprone-sizeof-expression) */

extern const struct plait_registry plait_registry __attribute__((alias("pl_sched_registry")));

/* The note that leads to it where there are no symbols. */
__asm__(".pushsection .note.plait, \"a\", %note\n\t"
        ".balign 4\n\t"
        ".long 6\n\t" /* bytes of the owner's name, */
        ".long 8\n\t" /* of the content, */
        ".long 1\n\t" /* and PLAIT_REGISTRY_NOTE */
        ".asciz \"plait\"\n\t"
        ".balign 4\n\t"
        ".quad pl_sched_registry - .\n\t"
        ".popsection");

/* --- threads --- */

static pthread_key_t thread_end;
static pthread_once_t thread_end_once = PTHREAD_ONCE_INIT;
static bool have_thread_end;

/* Used when there is no memory for one that others see, and while the thread ends. */
static __thread struct pl_thread_record unseen;
static __thread struct pl_thread_record *own;
static __thread bool ending;

static void end_of_thread(void *pointer)
{
        struct pl_thread_record *record = pointer;

        own = NULL;
        ending = true;
        pl_sched_held_thread_end();
        pl_sched_flow_set(&pl_sched_nobody);
        atomic_store_explicit(&record->tid, 0, memory_order_release);
        pl_mem_slab_pool_put(&thread_pool, record);
}

static void make_thread_end(void)
{
        have_thread_end = pthread_key_create(&thread_end, end_of_thread) == 0;
}

static PL_COLD struct pl_thread_record *new_record(void)
{
        struct pl_thread_record *record;

        pthread_once(&thread_end_once, make_thread_end);
        if (ending || !have_thread_end)
                return &unseen;
        record = pl_mem_slab_pool_get(&thread_pool);
        if (!record)
                return &unseen;
        if (pthread_setspecific(thread_end, record)) {
                pl_mem_slab_pool_put(&thread_pool, record);
                return &unseen;
        }
        atomic_store_explicit(&record->tid, pl_plat_thread_id(), memory_order_release);
        return own = record;
}

/* A plain thread stays where it is, so thread-local data may be found by address. */
PL_NOINLINE struct pl_wait *pl_registry_thread_wait(void)
{
        return PL_LIKELY(own != NULL) ? &own->wait : &new_record()->wait;
}

PL_NOINLINE bool pl_registry_thread_lasts(void)
{
        return own != NULL;
}

/* --- tuners --- */

struct pl_tuner_record *pl_registry_tuner_new(void)
{
        return pl_mem_slab_pool_get(&tuner_pool);
}

void pl_registry_tuner_free(struct pl_tuner_record *record)
{
        atomic_store_explicit(&record->used, 0, memory_order_release);
        pl_mem_slab_pool_put(&tuner_pool, record);
}

/* --- looking around --- */

static bool waits(uint32_t word)
{
        return pl_sched_wait_claimable(word);
}

static void look_once(const struct pl_wait *wait, uint32_t word, struct pl_registry_view *ret)
{
        struct plait_task *task = pl_registry_task(wait);

        *ret = (struct pl_registry_view){.word = word};
        if (waits(word)) {
                ret->cause = (enum pl_wait_cause)__atomic_load_n(&wait->cause, __ATOMIC_RELAXED);
                ret->object = __atomic_load_n(&wait->object, __ATOMIC_RELAXED);
        }
        if (task) {
                ret->id = __atomic_load_n(&task->id, __ATOMIC_RELAXED);
                ret->since_ms = __atomic_load_n(&task->since_ms, __ATOMIC_RELAXED);
                ret->timed = atomic_load_explicit(&task->timer.wheel, memory_order_relaxed) != NULL;
        } else {
                const struct pl_thread_record *record = PL_CONTAINER_OF(wait, struct pl_thread_record, wait);

                ret->tid = atomic_load_explicit(&record->tid, memory_order_relaxed);
                ret->since_ms = atomic_load_explicit(&record->since_ms, memory_order_relaxed);
        }
}

static bool gone(const struct pl_wait *wait)
{
        struct plait_task *task = pl_registry_task(wait);

        if (task)
                return !pl_registry_alive(task);
        return !atomic_load_explicit(&PL_CONTAINER_OF(wait, struct pl_thread_record, wait)->tid, memory_order_acquire);
}

bool pl_registry_look(const struct pl_wait *wait, struct pl_registry_view *ret)
{
        pl_mem_slab_catch_up(&pl_sched_task_pool);
        pl_mem_slab_catch_up(&thread_pool);
        for (int tries = 0; tries < 100; tries++) {
                uint32_t word = atomic_load_explicit(&wait->state, memory_order_acquire);
                struct pl_registry_view view;

                if (gone(wait))
                        return false;
                look_once(wait, word, &view);
                atomic_thread_fence(memory_order_acquire);
                if (atomic_load_explicit(&wait->state, memory_order_relaxed) != word || gone(wait))
                        continue;
                *ret = view;
                return true;
        }
        return false;
}

struct walk {
        bool (*visit)(struct pl_wait *wait, void *arg);
        void *arg;
        bool stopped;
};

static bool visit_task(void *object, void *arg)
{
        struct plait_task *task = object;
        struct walk *walk = arg;

        walk->stopped = pl_registry_alive(task) && !walk->visit(&task->wait, walk->arg);
        return !walk->stopped;
}

static bool visit_thread(void *object, void *arg)
{
        struct pl_thread_record *record = object;
        struct walk *walk = arg;

        walk->stopped = atomic_load_explicit(&record->tid, memory_order_acquire) &&
                        !walk->visit(&record->wait, walk->arg);
        return !walk->stopped;
}

void pl_registry_for_each(bool (*visit)(struct pl_wait *wait, void *arg), void *arg)
{
        struct walk walk = {.visit = visit, .arg = arg};

        pl_mem_slab_for_each(&pl_sched_task_pool, visit_task, &walk);
        if (!walk.stopped)
                pl_mem_slab_for_each(&thread_pool, visit_thread, &walk);
}

void pl_registry_name(struct plait_task *task, uint64_t id, char *buf, size_t n)
{
        if (!n)
                return;
        buf[0] = '\0';
        pl_lock_acquire(&task->lock);
        const char *name = __atomic_load_n(&task->name, __ATOMIC_RELAXED);
        if (name && __atomic_load_n(&task->id, __ATOMIC_RELAXED) == id) {
                size_t length = strnlen(name, n - 1);

                memcpy(buf, name, length);
                buf[length] = '\0';
        }
        pl_lock_release(&task->lock);
}

const char *pl_registry_cause(enum pl_wait_cause cause)
{
        return cause < PL_WAIT_CAUSES ? causes[cause] : "something unknown";
}

const char *const *pl_registry_causes(unsigned *ret_n)
{
        *ret_n = PL_WAIT_CAUSES;
        return causes;
}

uint32_t pl_registry_age_ms(uint32_t since_ms)
{
        return (uint32_t)(pl_plat_now_ns() / 1000000) - since_ms;
}
