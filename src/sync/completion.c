/*
 * Futures in the order in which they are set. Each has an entry with a callback, which puts it into the queue of those
 * that are set and then gives a permit.
 *
 * The lock guards both lists and the counts. It is not held where a future's functions are called. Entries that are
 * pending hold the completion in being, as does its user: a callback may come in while it is being freed, and is then
 * the last to touch it.
 *
 * Who waits: *n* counts the futures that nobody has taken, *taking* those who wait for one. There may be more of them
 * than futures, so each is let go on when there are none left for him.
 */
#include "plait/completion.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/list.h"
#include "plat/panic.h"
#include "sync/waiters.h"

struct plait_completion {
        struct pl_spin lock;
        struct pl_list pending; /* entries whose futures are not set */
        struct pl_list ready;   /* and those that are, the first first */
        size_t n;               /* entries in both lists, and those between them */
        void *waiters;
        _Atomic size_t refs;
};

struct entry {
        struct pl_list link;
        struct plait_completion *completion;
        struct plait_future *future;
        uint64_t number;
        struct plait_future_callback callback;
};

static struct entry *entry_of(struct pl_list *link)
{
        return PL_CONTAINER_OF(link, struct entry, link);
}

static void let_go(struct plait_completion *completion, size_t refs)
{
        if (atomic_fetch_sub_explicit(&completion->refs, refs, memory_order_acq_rel) == refs)
                free(completion);
}

static void free_entry(struct entry *entry)
{
        plait_future_unref(entry->future);
        free(entry);
}

int plait_completion_new(struct plait_completion **ret_completion)
{
        struct plait_completion *completion = calloc(1, sizeof *completion);

        if (!completion)
                return -ENOMEM;
        pl_list_init(&completion->pending);
        pl_list_init(&completion->ready);
        completion->refs = 1;
        *ret_completion = completion;
        return 0;
}

/* Its future is set. */
static void on_set(struct plait_future_callback *callback, void *arg) PL_NO_LOCK_CHECK
{
        struct entry *entry = arg;
        struct plait_completion *completion = entry->completion;

        (void)callback;
        pl_spin_lock(&completion->lock);
        bool wanted = pl_list_linked(&entry->link);
        struct pl_wait_node *node = NULL;
        if (wanted) {
                pl_list_remove(&entry->link);
                pl_list_push_back(&completion->ready, &entry->link);
                node = pl_sync_claim(&completion->waiters);
        }
        pl_spin_unlock(&completion->lock);
        if (node)
                pl_sched_wake_ready(node->wait);
        if (!wanted) /* it is being freed, and has left this one to its callback */
                free_entry(entry);
        let_go(completion, 1);
}

int plait_completion_add(struct plait_completion *completion, struct plait_future *future, uint64_t number)
{
        struct entry *entry = calloc(1, sizeof *entry);

        if (!entry)
                return -ENOMEM;
        entry->completion = completion;
        entry->future = plait_future_ref(future);
        entry->number = number;
        atomic_fetch_add_explicit(&completion->refs, 1, memory_order_relaxed);
        pl_spin_lock(&completion->lock);
        pl_list_push_back(&completion->pending, &entry->link);
        completion->n++;
        pl_spin_unlock(&completion->lock);
        (void)!plait_future_on_set(entry->future, &entry->callback, on_set, entry);
        return 0;
}

/* Locked: the first that is set; NULL: none. Everybody goes on when it was the last of all. */
static struct entry *take(struct plait_completion *completion, struct pl_list *all)
{
        struct pl_list *link = pl_list_pop_front(&completion->ready);

        pl_list_init(all);
        if (!link)
                return NULL;
        if (--completion->n == 0)
                pl_sync_take_all(&completion->waiters, all);
        return entry_of(link);
}

/* Until there may be something for the caller. */
static int wait_for_one(struct plait_completion *completion, int64_t deadline_ns) PL_NO_LOCK_CHECK
{
        if (deadline_ns <= 0) {
                pl_spin_unlock(&completion->lock);
                return pl_sync_refuse();
        }
        struct pl_wait *wait = pl_sync_enqueue(&completion->waiters, PL_WAIT_FUTURE, completion, NULL);
        pl_spin_unlock(&completion->lock);
        int r = pl_sched_wait_finish(wait, deadline_ns, 0);
        pl_spin_lock(&completion->lock);
        if (r < 0)
                pl_sync_remove(&completion->waiters, &wait->node);
        bool there = !pl_list_empty(&completion->ready);
        pl_spin_unlock(&completion->lock);
        return there ? 0 : r;
}

int plait_completion_next(struct plait_completion *completion, int64_t deadline_ns, struct plait_future **ret_future,
                          uint64_t *ret_number) PL_NO_LOCK_CHECK
{
        for (;;) {
                struct pl_list all;

                pl_spin_lock(&completion->lock);
                struct entry *entry = take(completion, &all);
                bool none = completion->n == 0;
                if (!entry && !none) {
                        int r = wait_for_one(completion, deadline_ns);

                        if (r < 0)
                                return r;
                        continue;
                }
                pl_sync_wake_all(&completion->lock, &all);
                if (!entry)
                        return 0;
                if (ret_number)
                        *ret_number = entry->number;
                if (ret_future)
                        *ret_future = entry->future;
                else
                        plait_future_unref(entry->future);
                free(entry);
                return 1;
        }
}

/*
 * The first entry whose future is not set, taken out; NULL: none. Under the lock, so that a callback that is on its way
 * does not free it meanwhile: that one will find it in no list. *ret_removed*: it will not come.
 */
static struct entry *withdraw(struct plait_completion *completion, bool *ret_removed) PL_NO_LOCK_CHECK
{
        pl_spin_lock(&completion->lock);
        struct pl_list *link = pl_list_pop_front(&completion->pending);
        struct entry *entry = link ? entry_of(link) : NULL;
        if (entry)
                *ret_removed = plait_future_remove(entry->future, &entry->callback);
        pl_spin_unlock(&completion->lock);
        return entry;
}

void plait_completion_free(struct plait_completion *completion)
{
        struct entry *entry;
        struct pl_list *link;
        bool removed = false;
        size_t refs = 1;

        if (!completion)
                return;
        if (completion->waiters)
                pl_panic("completion %p is freed while somebody waits for its futures", (void *)completion);
        while ((entry = withdraw(completion, &removed))) {
                if (!removed)
                        continue; /* its callback frees it */
                free_entry(entry);
                refs++;
        }
        while ((link = pl_list_pop_front(&completion->ready))) /* nobody adds to it any more */
                free_entry(entry_of(link));
        let_go(completion, refs);
}
