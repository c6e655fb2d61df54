/*
 * The future: a result, a queue of those who wait for it, and two lists of callbacks, under one lock.
 *
 * SET changes once, under the lock, after result and value have been written; it is a release, so that who sees it
 * without the lock sees them. Once it is set nobody queues and no callback is registered. CANCEL_REQUESTED changes
 * once, under the lock, and only before SET.
 *
 * Callbacks are taken off their list under the lock, one at a time, and called without it. A link that is in no list is
 * {NULL, NULL}, so the public struct is valid when zeroed.
 *
 * Whoever sets or cancels holds a reference, so a future does not go while it is being used, unlike the other objects
 * of this layer.
 */
#include "sync/future.h"

#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "plat/panic.h"
#include "sync/selectable.h"
#include "sync/waiters.h"

enum { SET = 1, CANCEL_REQUESTED = 2 };

struct plait_future {
        struct pl_spin lock;
        _Atomic uint32_t state;
        void *waiters;
        struct pl_list on_set;
        struct pl_list on_cancel;
        void *value;
        void (*destroy)(void *value);
        struct pl_future_source *source; /* NULL: whoever sets it comes by himself */
        int result;
        _Atomic uint32_t refs;
        alignas(max_align_t) char room[];
};

struct callback {
        struct pl_list link;
        void (*fn)(struct plait_future_callback *callback, void *arg);
        void *arg;
};

_Static_assert(sizeof(struct callback) == sizeof(struct plait_future_callback), "the public callback is this one");
_Static_assert(_Alignof(struct callback) == _Alignof(struct plait_future_callback), "and is placed like it");

typedef void callback_fn(struct plait_future_callback *callback, void *arg);

static bool is(const struct plait_future *future, unsigned flag)
{
        return atomic_load_explicit(&future->state, memory_order_acquire) & flag;
}

void *pl_sync_future_room(struct plait_future *future)
{
        return future->room;
}

int pl_sync_future_new(size_t bytes, void (*destroy)(void *value), struct plait_future **ret_future)
{
        struct plait_future *future = calloc(1, sizeof *future + bytes);

        if (!future)
                return -ENOMEM;
        future->destroy = destroy;
        future->refs = 1;
        pl_list_init(&future->on_set);
        pl_list_init(&future->on_cancel);
        *ret_future = future;
        return 0;
}

int plait_future_new(void (*destroy)(void *value), struct plait_future **ret_future)
{
        return pl_sync_future_new(0, destroy, ret_future);
}

struct plait_future *plait_future_ref(struct plait_future *future)
{
        atomic_fetch_add_explicit(&future->refs, 1, memory_order_relaxed);
        return future;
}

void plait_future_unref(struct plait_future *future)
{
        if (!future || atomic_fetch_sub_explicit(&future->refs, 1, memory_order_acq_rel) != 1)
                return;
        if (future->waiters || !pl_list_empty(&future->on_set) || !pl_list_empty(&future->on_cancel))
                pl_panic("the last reference to future %p was given back while somebody %s: who waits or is to be "
                         "called has to hold one",
                         (void *)future, future->waiters ? "waits for it" : "has a callback registered");
        if (future->destroy && future->value)
                future->destroy(future->value);
        if (future->source)
                future->source->release(future->source);
        free(future);
}

void pl_sync_future_set_source(struct plait_future *future, struct pl_future_source *source)
{
        future->source = source;
}

bool pl_sync_future_is_set(const struct plait_future *future)
{
        return is(future, SET);
}

/* --- callbacks --- */

static bool linked(const struct callback *callback)
{
        return callback->link.next != NULL;
}

/* With the lock held. */
static void unlink_callback(struct callback *callback)
{
        pl_list_remove(&callback->link);
        callback->link = (struct pl_list){NULL, NULL};
}

static void call_all(struct plait_future *future, struct pl_list *list) PL_NO_LOCK_CHECK
{
        for (;;) {
                pl_spin_lock(&future->lock);
                if (pl_list_empty(list))
                        break;

                struct callback *callback = PL_CONTAINER_OF(list->next, struct callback, link);
                callback_fn *fn = callback->fn;
                void *arg = callback->arg;

                unlink_callback(callback);
                pl_spin_unlock(&future->lock);
                fn((struct plait_future_callback *)(void *)callback, arg);
        }
        pl_spin_unlock(&future->lock);
}

/* Callbacks that will not be called any more; with the lock held. */
static void forget_all(struct pl_list *list)
{
        struct pl_list *link;

        while ((link = pl_list_pop_front(list)))
                *link = (struct pl_list){NULL, NULL};
}

/* Register in *list*; if *flag* is there already, *fn* is due at once, and this returns 1. */
static int add(struct plait_future *future, struct pl_list *list, unsigned flag,
               struct plait_future_callback *public_callback, callback_fn *fn, void *arg)
{
        struct callback *callback = (struct callback *)(void *)public_callback;
        int r = 0;

        if (!fn)
                return -EINVAL;
        pl_spin_lock(&future->lock);
        if (linked(callback)) {
                r = -EBUSY;
        } else if (is(future, SET)) {
                r = flag == SET ? 1 : -EALREADY;
        } else if (is(future, flag)) {
                r = 1;
        } else {
                callback->fn = fn;
                callback->arg = arg;
                pl_list_push_back(list, &callback->link);
                if (future->source && flag == SET)
                        future->source->want(future->source);
        }
        pl_spin_unlock(&future->lock);
        return r;
}

int plait_future_on_set(struct plait_future *future, struct plait_future_callback *callback, callback_fn *fn, void *arg)
{
        int r = add(future, &future->on_set, SET, callback, fn, arg);

        if (r > 0)
                fn(callback, arg);
        return r < 0 ? r : 0;
}

int plait_future_on_cancel(struct plait_future *future, struct plait_future_callback *callback, callback_fn *fn,
                           void *arg)
{
        int r = add(future, &future->on_cancel, CANCEL_REQUESTED, callback, fn, arg);

        if (r > 0)
                fn(callback, arg);
        return r < 0 ? r : 0;
}

bool plait_future_remove(struct plait_future *future, struct plait_future_callback *public_callback)
{
        struct callback *callback = (struct callback *)(void *)public_callback;

        pl_spin_lock(&future->lock);
        bool was_linked = linked(callback);
        if (was_linked)
                unlink_callback(callback);
        pl_spin_unlock(&future->lock);
        return was_linked;
}

/* --- setting and waiting --- */

int plait_future_set(struct plait_future *future, int result, void *value) PL_NO_LOCK_CHECK
{
        struct pl_list all;

        pl_spin_lock(&future->lock);
        if (is(future, SET)) {
                pl_spin_unlock(&future->lock);
                return -EALREADY;
        }
        future->result = result;
        future->value = value;
        atomic_fetch_or_explicit(&future->state, SET, memory_order_release);
        forget_all(&future->on_cancel);
        pl_sync_take_all(&future->waiters, &all);
        pl_sync_wake_all(&future->lock, &all);
        call_all(future, &future->on_set);
        return 0;
}

bool plait_future_is_set(const struct plait_future *future)
{
        if (!is(future, SET) && future->source)
                future->source->look(future->source);
        return is(future, SET);
}

/* Let the source bring it. */
static void ask_source(struct plait_future *future, int64_t deadline_ns)
{
        if (deadline_ns <= 0)
                future->source->look(future->source);
        else
                future->source->wait(future->source, future, deadline_ns);
}

static int wait_for(struct plait_future *future, int64_t deadline_ns, unsigned flags) PL_NO_LOCK_CHECK
{
        if (is(future, SET))
                return 0;
        if (future->source)
                ask_source(future, deadline_ns);
        if (is(future, SET))
                return 0;
        if (deadline_ns <= 0)
                return pl_sync_refuse();

        pl_spin_lock(&future->lock);
        if (is(future, SET)) {
                pl_spin_unlock(&future->lock);
                return 0;
        }
        struct pl_wait *wait = pl_sync_enqueue(&future->waiters, PL_WAIT_FUTURE, future, NULL);
        pl_spin_unlock(&future->lock);

        int r = pl_sched_wait_finish(wait, deadline_ns, flags);

        if (r < 0) {
                pl_spin_lock(&future->lock);
                pl_sync_remove(&future->waiters, &wait->node);
                pl_spin_unlock(&future->lock);
        }
        return r;
}

int plait_future_wait(struct plait_future *future, int64_t deadline_ns, int *ret_result, void **ret_value)
{
        int r = wait_for(future, deadline_ns, 0);

        if (r < 0)
                return r;
        if (ret_result)
                *ret_result = future->result;
        if (ret_value)
                *ret_value = future->value;
        return 0;
}

void pl_sync_future_await(struct plait_future *future)
{
        (void)!wait_for(future, PLAIT_NEVER, PL_WAIT_UNINTERRUPTIBLE | PL_WAIT_LENDS);
}

/* --- cancelling --- */

void plait_future_cancel(struct plait_future *future)
{
        pl_spin_lock(&future->lock);
        bool first = !is(future, SET | CANCEL_REQUESTED);
        if (first)
                atomic_fetch_or_explicit(&future->state, CANCEL_REQUESTED, memory_order_release);
        pl_spin_unlock(&future->lock);
        if (first)
                call_all(future, &future->on_cancel);
}

bool plait_future_cancel_requested(const struct plait_future *future)
{
        return is(future, CANCEL_REQUESTED);
}

/* --- as a case of plait_select() --- */

static struct pl_spin *case_lock(const struct plait_case *entry)
{
        return &((struct plait_future *)entry->pl_object)->lock;
}

static bool case_take(struct plait_case *entry, struct pl_select_after *after)
{
        const struct plait_future *future = entry->pl_object;

        (void)after;
        if (!is(future, SET))
                return false;
        entry->result = future->result;
        return true;
}

static bool case_queue(struct plait_case *entry)
{
        struct plait_future *future = entry->pl_object;

        pl_select_push(&future->waiters, entry, NULL);
        if (future->source)
                future->source->want(future->source);
        return false;
}

static void case_withdraw(struct plait_case *entry)
{
        pl_sync_remove(&((struct plait_future *)entry->pl_object)->waiters, pl_select_node(entry));
}

/* The caller's reference keeps it. */
static void case_won(struct plait_case *entry)
{
        entry->result = ((struct plait_future *)entry->pl_object)->result;
}

static const struct plait_selectable case_kind = {
        .lock = case_lock, .take = case_take, .take_or_queue = case_queue, .withdraw = case_withdraw, .won = case_won};

struct plait_case plait_case_future(struct plait_future *future)
{
        return (struct plait_case){.pl_kind = &case_kind, .pl_object = future};
}
