/* What the files about scopes share: scope.c, cancel.c, record.c. */
#ifndef PL_SCHED_SCOPE_H
#define PL_SCHED_SCOPE_H

#include "plait/scope.h"
#include "plat/lock.h"
#include "sched/task.h"

enum pl_scope_state {
        PL_SCOPE_CLOSED,
        PL_SCOPE_OPEN,
        PL_SCOPE_WATCHED, /* open, and each start and end of a task is to be looked at: see record.c */
};

struct pl_following;

/*
 * More than a scope has room for: made when one with a limit is opened, when one is cancelled for a reason, or when
 * something follows it (follow.h).
 */
struct pl_scope_more {
        const char *where; /* what pl_where was before */
        void *queue;       /* tasks that the limit holds back; under the scope's lock, as is the next */
        struct pl_following *following;
        _Atomic int has_reason;
        char reason[PLAIT_REASON_BYTES];
};

_Static_assert(
        sizeof(struct plait_scope) <= 120,
        "compilers clear up to 15 words fast; from 16 on that takes twice as long here, and scopes are made often");

/* pl_where is either what it is called, or the address of the above with the highest bit set, which no address has. */
static const uintptr_t pl_scope_more_bit = (uintptr_t)1 << 63;

/* It may be added at any time: each of these looks once. */
static inline struct pl_scope_more *pl_scope_more(const struct plait_scope *scope)
{
        uintptr_t word = (uintptr_t)__atomic_load_n(&scope->pl_where, __ATOMIC_ACQUIRE);

        return word & pl_scope_more_bit ? (struct pl_scope_more *)(word & ~pl_scope_more_bit) : NULL;
}

static inline const char *pl_scope_name(const struct plait_scope *scope)
{
        uintptr_t word = (uintptr_t)__atomic_load_n(&scope->pl_where, __ATOMIC_ACQUIRE);

        return word & pl_scope_more_bit ? ((struct pl_scope_more *)(word & ~pl_scope_more_bit))->where
                                        : (const char *)word;
}

static inline struct pl_lock *pl_scope_lock(struct plait_scope *scope)
{
        return (struct pl_lock *)(void *)&scope->pl_lock;
}

static inline bool pl_scope_is_cancelled(const struct plait_scope *scope)
{
        return __atomic_load_n(&scope->pl_cancelled, __ATOMIC_SEQ_CST);
}

/* --- cancel.c --- */

/*
 * Cancel *scope*, which fails with *error* unless it has failed already. *reason* may be NULL. This may call functions
 * of the user's, which may wait.
 */
void pl_sched_scope_cancel(struct plait_scope *scope, int error, const char *reason);

/* The same with a lock held: what is returned is to be handed to pl_sched_following_cancel() without it. */
PL_WARN_UNUSED struct pl_following *pl_sched_scope_cancel_tasks(struct plait_scope *scope, int error,
                                                                const char *reason);

/* The same because *task*, whose scope it is, has returned *error*. */
void pl_sched_scope_fail(struct plait_scope *scope, const struct plait_task *task, int error);

/* Take *task*, which is on its home scope's list, off it. */
void pl_sched_scope_unlink_task(struct plait_task *task);

/* The same for a scope that is on its parent's list. */
void pl_sched_scope_unlink(struct plait_scope *scope);

/*
 * With PLAIT_DEBUG=cancel=N: from now on count the waits of tasks inside *scope*, and cancel at the N-th. Disarm before
 * the scope is closed.
 */
void pl_sched_cancel_arm(const struct plait_scope *scope);
void pl_sched_cancel_disarm(void);

/* Why *scope* was cancelled; NULL: nobody said. */
const char *pl_sched_scope_reason(const struct plait_scope *scope);

/* --- record.c --- */

/* Give a scope that has none its struct pl_scope_more. 0 or -ENOMEM. */
int pl_sched_scope_add_more(struct plait_scope *scope);

/* Whether *scope*, about to be opened, is to be PL_SCOPE_WATCHED. */
static inline bool pl_scope_is_watched(const struct plait_scope *scope)
{
        return scope->limit || scope->record || (scope->flags & PLAIT_SCOPE_SUPERVISOR);
}

/* *task* is being started in a watched scope. False: the limit does not let it begin yet, and it has been queued. */
bool pl_sched_scope_admit(struct plait_scope *scope, struct plait_task *task);

/*
 * *task* of a watched scope has ended with *result*. The return value is the task that may begin in its place, or NULL.
 * A failure is recorded, but does not cancel here.
 */
struct plait_task *pl_sched_scope_dismiss(struct plait_scope *scope, const struct plait_task *task, int result);

/* A watched scope is being joined, and its tasks have ended: settle the record. */
void pl_sched_scope_settle(struct plait_scope *scope);

/* --- scope.c --- */

/* Where *scope*, which *task* is said to have opened, stands in the source: into *buf*, which is returned. */
const char *pl_sched_scope_where(const struct plait_scope *scope, const struct plait_task *task, char *buf,
                                 size_t bytes);

#endif
