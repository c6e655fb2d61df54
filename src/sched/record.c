/*
 * Scopes that look at each start and end of a task: those with a limit, with a record, and supervisors. All of it is
 * under the scope's lock.
 *
 * The queue of tasks that the limit holds back is a ring through their links, entered at the last. While it is not
 * empty, as many tasks run as may, and each that ends hands its place to the first in the queue: pl_running stays as it
 * is then. A supervisor counts its failures in pl_error, which is no error there.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "sched/follow.h"
#include "sched/scope.h"

int pl_sched_scope_add_more(struct plait_scope *scope)
{
        struct pl_scope_more *more = calloc(1, sizeof *more);
        const char *where = __atomic_load_n(&scope->pl_where, __ATOMIC_RELAXED);

        if (!more)
                return -ENOMEM;
        more->where = where;
        const char *tagged = (const char *)((uintptr_t)more | pl_scope_more_bit);
        if (((uintptr_t)where & pl_scope_more_bit) ||
            !__atomic_compare_exchange_n(&scope->pl_where, &where, tagged, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
                free(more); /* somebody else has done it */
        return 0;
}

static void push(struct pl_scope_more *more, struct plait_task *task)
{
        struct pl_list *last = more->queue;

        if (last)
                pl_list_insert_before(last->next, &task->link);
        else
                pl_list_init(&task->link);
        more->queue = &task->link;
}

static struct plait_task *pop(struct plait_scope *scope)
{
        struct pl_scope_more *more = scope->limit ? pl_scope_more(scope) : NULL;
        struct pl_list *last = more ? more->queue : NULL;

        if (!last)
                return NULL;
        struct pl_list *first = last->next;
        if (first == last)
                more->queue = NULL;
        else
                pl_list_remove(first);
        return PL_CONTAINER_OF(first, struct plait_task, link);
}

bool pl_sched_scope_admit(struct plait_scope *scope, struct plait_task *task)
{
        struct plait_scope_record *record = scope->record;

        pl_lock_acquire(pl_scope_lock(scope));
        bool admitted = !scope->limit || scope->pl_running < scope->limit;
        if (admitted)
                scope->pl_running++;
        else
                push(pl_scope_more(scope), task);
        if (record) {
                record->started++;
                if (admitted)
                        record->running++;
                else
                        record->queued++;
        }
        pl_lock_release(pl_scope_lock(scope));
        return admitted;
}

static void record_error(struct plait_scope_record *record, const struct plait_task *task, int error)
{
        if (error == -ECANCELED) {
                record->cancelled++;
                return;
        }
        if (error == -ETIMEDOUT)
                record->timed_out++;
        else
                record->failed++;
        if (record->n_errors < PLAIT_SCOPE_ERRORS) {
                struct plait_scope_error *entry = &record->errors[record->n_errors++];

                entry->task_id = task->id;
                entry->error = error;
                snprintf(entry->task_name, sizeof entry->task_name, "%s", plait_task_name(task));
        }
}

struct plait_task *pl_sched_scope_dismiss(struct plait_scope *scope, const struct plait_task *task, int result)
{
        struct plait_scope_record *record = scope->record;

        pl_lock_acquire(pl_scope_lock(scope));
        struct plait_task *next = pop(scope);
        if (!next)
                scope->pl_running--;
        if (result < 0 && (scope->flags & PLAIT_SCOPE_SUPERVISOR) && scope->pl_error < INT_MAX)
                scope->pl_error++;
        if (record) {
                record->finished++;
                if (next)
                        record->queued--;
                else
                        record->running--;
                if (result < 0)
                        record_error(record, task, result);
        }
        pl_lock_release(pl_scope_lock(scope));
        return next;
}

void pl_sched_scope_settle(struct plait_scope *scope)
{
        struct pl_scope_more *more = pl_scope_more(scope);
        const char *reason = pl_sched_scope_reason(scope);

        if (scope->record && reason)
                snprintf(scope->record->reason, sizeof scope->record->reason, "%s", reason);
        if (!more)
                return;
        pl_sched_following_close(more->following);
        scope->pl_where = more->where;
        free(more);
}

int plait_scope_stats(struct plait_scope *scope, struct plait_scope_record *ret)
{
        if (__atomic_load_n(&scope->pl_state, __ATOMIC_ACQUIRE) != PL_SCOPE_WATCHED || !scope->record)
                return -EINVAL;
        pl_lock_acquire(pl_scope_lock(scope));
        *ret = *scope->record;
        pl_lock_release(pl_scope_lock(scope));
        const char *reason = pl_sched_scope_reason(scope);
        if (reason)
                snprintf(ret->reason, sizeof ret->reason, "%s", reason);
        return 0;
}
