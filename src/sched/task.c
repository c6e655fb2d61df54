/* Making and ending tasks; names, numbers, handles. */
#include "plait/task.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "plait/time.h"
#include "plat/sanitizer.h"
#include "sched/local.h"
#include "sched/tell.h"
#include "sched/worker.h"

enum { ID_BLOCK = 1024 };

struct pl_slab_pool pl_sched_task_pool = PL_SLAB_POOL_INIT("task", sizeof(struct plait_task));

/* Numbers are handed to workers in blocks, so that a new task needs no shared counter. */
static uint64_t new_id(struct pl_worker *worker)
{
        if (!worker)
                return atomic_fetch_add_explicit(&pl_sched_the_run.next_id, 1, memory_order_relaxed);
        if (PL_UNLIKELY(worker->next_id == worker->end_id)) {
                worker->next_id = atomic_fetch_add_explicit(&pl_sched_the_run.next_id, ID_BLOCK, memory_order_relaxed);
                worker->end_id = worker->next_id + ID_BLOCK;
        }
        return worker->next_id++;
}

struct plait_task *pl_sched_task_new(struct pl_worker *worker, int (*fn)(void *), void *arg)
{
        struct plait_task *task = worker ? pl_mem_slab_get(&worker->tasks) : pl_mem_slab_pool_get(&pl_sched_task_pool);

        if (PL_LIKELY(task != NULL))
                pl_sched_task_init(task, new_id(worker), fn, arg);
        return task;
}

int pl_sched_task_check_opts(const struct plait_task_opts *opts)
{
        if (!opts)
                return 0;
        if (opts->size != sizeof *opts || (opts->flags & (opts->flags - 1)) || opts->flags > PLAIT_TASK_LOW ||
            ((opts->flags & PLAIT_TASK_COMPACT) && opts->stack_bytes))
                return -EINVAL;
        int class = pl_mem_stack_class(opts->stack_bytes);
        return class < 0 ? class : 0;
}

/* The registry's readers look at it under the lock. */
static void replace_name(struct plait_task *task, char *name)
{
        pl_lock_acquire(&task->lock);
        char *before = task->name;
        __atomic_store_n(&task->name, name, __ATOMIC_RELAXED);
        pl_lock_release(&task->lock);
        free(before);
}

static int set_name(struct plait_task *task, const char *name)
{
        char *copy = NULL;

        if (name && *name) {
                copy = strndup(name, PL_TASK_NAME_BYTES - 1);
                if (!copy)
                        return -ENOMEM;
        }
        replace_name(task, copy);
        return 0;
}

int pl_sched_task_apply_opts(struct plait_task *task, const struct plait_task_opts *opts, bool handle)
{
        int r = opts ? set_name(task, opts->name) : 0;

        if (r < 0)
                return r;
        if (opts && opts->stack_bytes)
                task->stack_class = (uint8_t)pl_mem_stack_class(opts->stack_bytes);
        if (opts && (opts->flags & PLAIT_TASK_COMPACT) && !PL_WITH_SANITIZER)
                task->compact = 1;
        if (opts && (opts->flags & (PLAIT_TASK_HIGH | PLAIT_TASK_LOW))) {
                task->bound = 1;
                task->worker = opts->flags & PLAIT_TASK_HIGH ? PL_HIGH : PL_LOW;
        }
        if (handle) {
                task->flags |= PL_TASK_HANDLE;
                task->ended = false;
                plait_task_ref(task);
        }
        return 0;
}

static void add_waiter(struct plait_task *task, struct pl_list *link)
{
        pl_list_init(link);
        if (task->waiters)
                pl_list_push_back(task->waiters, link);
        else
                task->waiters = link;
}

/* Harmless when it is not among them. */
static void remove_waiter(struct plait_task *task, struct pl_list *link)
{
        if (task->waiters == link)
                task->waiters = pl_list_linked(link) ? link->next : NULL;
        pl_list_remove(link);
}

/* Those in plait_task_wait() go on. */
static void tell_waiters(struct plait_task *task, int result)
{
        pl_lock_acquire(&task->lock);
        task->result = result;
        task->ended = true;
        while (task->waiters) {
                struct pl_list *link = task->waiters;
                struct pl_wait *wait = PL_CONTAINER_OF(link, struct pl_wait_node, link)->wait;

                remove_waiter(task, link);

                if (pl_sched_wake_claim(wait))
                        pl_sched_wake_ready(wait);
        }
        pl_lock_release(&task->lock);
}

static void (*destroy_local)(void *pointer);

struct pl_worker *pl_sched_task_end_uncommon(struct plait_task *task, int result)
{
        if (PL_UNLIKELY(task->local != NULL)) {
                destroy_local(task->local);
                task->local = NULL;
        }
        pl_sched_scope_ending(task, result);
        pl_trace(PLAIT_RECORDING_FINISHED, 0, 0, (uint64_t)(int64_t)result);
        __atomic_store_n(&task->fn, NULL, __ATOMIC_RELEASE); /* it is no task that is alive any more */
        if (task->flags & PL_TASK_HANDLE)
                tell_waiters(task, result);
        plait_task_unref(task);
        return pl_sched_self_get();
}

struct plait_task *plait_task_ref(struct plait_task *task)
{
        atomic_fetch_add_explicit(&task->refs, 1, memory_order_relaxed);
        return task;
}

void plait_task_unref(struct plait_task *task)
{
        struct pl_worker *worker = pl_sched_self_get();

        if (!task || atomic_fetch_sub_explicit(&task->refs, 1, memory_order_acq_rel) != 1)
                return;
        __atomic_store_n(&task->fn, NULL, __ATOMIC_RELEASE); /* if it never ran */
        if (task->name)
                replace_name(task, NULL);
        if (worker)
                pl_mem_slab_put(&worker->tasks, task);
        else
                pl_mem_slab_pool_put(&pl_sched_task_pool, task);
}

struct plait_task *plait_task_self(void)
{
        struct pl_worker *worker = pl_sched_self_get();

        return worker ? worker->current : NULL;
}

uint64_t plait_task_id(const struct plait_task *task)
{
        if (!task)
                task = plait_task_self();
        return task ? task->id : 0;
}

const char *plait_task_name(const struct plait_task *task)
{
        if (!task)
                task = plait_task_self();
        return task && task->name ? task->name : "";
}

int plait_task_set_name(const char *name)
{
        struct plait_task *self = plait_task_self();

        int r = self ? set_name(self, name) : -EINVAL;

        if (r == 0)
                pl_trace_text(PLAIT_RECORDING_NAMED, 0, self->id, 0, self->name);
        return r;
}

int plait_task_wait(struct plait_task *task, int64_t deadline_ns, int *ret_result)
{
        if (task == plait_task_self())
                return -EDEADLK;

        pl_lock_acquire(&task->lock);
        if (!task->ended) {
                struct pl_wait *wait = pl_sched_wait_begin(PL_WAIT_TASK, task);

                add_waiter(task, &wait->node.link);
                pl_lock_release(&task->lock);
                int r = pl_sched_wait_finish(wait, deadline_ns, 0);
                pl_lock_acquire(&task->lock);
                if (r < 0) {
                        remove_waiter(task, &wait->node.link);
                        pl_lock_release(&task->lock);
                        return r;
                }
        }
        if (ret_result)
                *ret_result = task->result;
        pl_lock_release(&task->lock);
        return 0;
}

/* --- local values --- */

static __thread void *thread_local;
static pthread_key_t thread_end;
static pthread_once_t thread_end_once = PTHREAD_ONCE_INIT;

static PL_NOINLINE void **own_thread_local(void)
{
        return &thread_local;
}

static void end_of_thread(void *pointer)
{
        void **local = own_thread_local();

        (void)pointer;
        if (*local)
                destroy_local(*local);
        *local = NULL;
}

static void make_thread_end(void)
{
        if (pthread_key_create(&thread_end, end_of_thread))
                pl_panic(
                        "no thread-specific key left for task-local values: the process uses all %d (PTHREAD_KEYS_MAX)",
                        PTHREAD_KEYS_MAX);
}

void **pl_sched_local(void)
{
        struct plait_task *self = plait_task_self();

        if (self)
                return &self->local;
        pthread_once(&thread_end_once, make_thread_end);
        pthread_setspecific(thread_end, own_thread_local());
        return own_thread_local();
}

void pl_sched_local_on_end(void (*destroy)(void *pointer))
{
        destroy_local = destroy;
}

_Atomic bool pl_sched_local_inherited;
static int (*_Atomic inherit_local)(const void *pointer, void **ret_pointer);

void pl_sched_local_on_start(int (*inherit)(const void *pointer, void **ret_pointer))
{
        atomic_store_explicit(&inherit_local, inherit, memory_order_relaxed);
        atomic_store_explicit(&pl_sched_local_inherited, true, memory_order_release);
}

int pl_sched_local_hand_down(struct plait_task *task)
{
        const void *pointer = *pl_sched_local();

        atomic_thread_fence(memory_order_acquire);
        return pointer ? atomic_load_explicit(&inherit_local, memory_order_relaxed)(pointer, &task->local) : 0;
}
