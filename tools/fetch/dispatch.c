/*
 * Who is next. One lock guards all of it; it is held for moments, and for a read or write of 16 KiB in the file that
 * long queues spill to.
 *
 * Tasks that take jobs wait for `work`, and get one signal for each thing that can be begun. Time is the clock's: it
 * moves jobs from the heap of those that wait for another attempt to their hosts.
 */
#include "fetch/dispatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <plait/scope.h>
#include <plait/task.h>
#include <plait/time.h>

#include "fetch/host.h"
#include "fetch/limits.h"
#include "fetch/lock.h"

#define TOTAL_FIRST 64  /* downloads at once to begin with, where that is to be found */
#define WAITING_MIN 256 /* jobs that may wait for another attempt, however few run at once */

int dispatch_init(struct dispatch *dispatch, const struct dispatch_limits *limits, int64_t interval_ns)
{
        const unsigned parallel = limits->parallel;

        *dispatch = (struct dispatch){
                .parallel = parallel,
                .per_host = limits->per_host,
                .tunes_hosts = limits->tunes_hosts,
                .interval_ns = interval_ns,
                .waiting_max = 2 * (size_t)parallel > WAITING_MIN ? 2 * (size_t)parallel : WAITING_MIN,
                .spill = SPILL_INIT,
        };
        dispatch->ready_end = &dispatch->ready;
        /* Those that run when the limit is reached may still come to wait, and hosts go on with what is queued. */
        dispatch->waiting_room = dispatch->waiting_max + parallel;
        dispatch->waiting = calloc(dispatch->waiting_room, sizeof(struct job *));
        if (!dispatch->waiting)
                return -ENOMEM;
        if (!limits->tunes)
                return 0;
        struct plait_tuner_opts opts = {
                .size = sizeof opts,
                .kind = PLAIT_TUNER_GOODPUT,
                .name = "all hosts",
                .first = parallel < TOTAL_FIRST ? parallel : TOTAL_FIRST,
                .most = parallel,
        };
        return plait_tuner_new(&dispatch->tuner, &opts);
}

void dispatch_done(struct dispatch *dispatch)
{
        host_free_all(dispatch);
        plait_tuner_free(dispatch->tuner);
        free(dispatch->waiting);
        spill_done(&dispatch->spill);
}

static void heap_up(struct job **heap, size_t i)
{
        while (i > 0 && heap[(i - 1) / 2]->due_ns > heap[i]->due_ns) {
                struct job *other = heap[(i - 1) / 2];
                heap[(i - 1) / 2] = heap[i];
                heap[i] = other;
                i = (i - 1) / 2;
        }
}

static struct job *heap_pop(struct job **heap, size_t *count)
{
        struct job *top = heap[0];
        struct job *moved = heap[--*count];
        size_t i = 0;

        for (size_t child; (child = 2 * i + 1) < *count; i = child) {
                if (child + 1 < *count && heap[child + 1]->due_ns < heap[child]->due_ns)
                        child++;
                if (heap[child]->due_ns >= moved->due_ns)
                        break;
                heap[i] = heap[child];
        }
        heap[i] = moved;
        return top;
}

/* How many can be begun with regard to all limits. One host alone has a limit of its own, which knows more. */
static uint64_t can_begin(const struct dispatch *dispatch)
{
        if (!dispatch->tuner || (dispatch->tunes_hosts && dispatch->busy_hosts < 2))
                return dispatch->startable;
        uint64_t room = plait_tuner_room(dispatch->tuner, PLAIT_NEVER);
        return dispatch->startable < room ? dispatch->startable : room;
}

/* To be called after every change of a host; wakes as many as can now begin something. */
static void changed(struct dispatch *dispatch, struct dispatch_host *host)
{
        host_changed(dispatch, host);
        uint64_t before = dispatch->signalled;
        uint64_t now = can_begin(dispatch);
        for (uint64_t i = before; i < now && i < before + dispatch->parallel; i++)
                plait_condition_signal(&dispatch->work);
        dispatch->signalled = now;
}

/* --- attempts --- */

static void begin_attempt(struct dispatch *dispatch, struct job *job)
{
        int64_t now_ns = dispatch->tuner || job->host->tuner ? plait_now_ns() : 0;

        dispatch->running++;
        job->host->running++;
        job->sample = (struct plait_tuner_sample){.outcome = PLAIT_TUNER_FAILED};
        if (dispatch->tuner)
                plait_tuner_begin(dispatch->tuner, &job->call, now_ns);
        if (job->host->tuner)
                plait_tuner_begin(job->host->tuner, &job->host_call, now_ns);
}

static void end_attempt(struct dispatch *dispatch, struct job *job)
{
        int64_t now_ns = dispatch->tuner || job->host->tuner ? plait_now_ns() : 0;

        dispatch->running--;
        job->host->running--;
        if (dispatch->tuner)
                plait_tuner_end(dispatch->tuner, &job->call, &job->sample, now_ns);
        if (job->host->tuner)
                plait_tuner_end(job->host->tuner, &job->host_call, &job->sample, now_ns);
}

static bool wants_more(const struct dispatch *dispatch)
{
        return dispatch->startable < dispatch->parallel && dispatch->waiting_count < dispatch->waiting_max;
}

static bool is_over(const struct dispatch *dispatch)
{
        return dispatch->error || (dispatch->complete && dispatch->active == 0 && dispatch->queued == 0);
}

static void wake_all_if_over(struct dispatch *dispatch)
{
        if (!is_over(dispatch))
                return;
        plait_condition_broadcast(&dispatch->work);
        plait_condition_broadcast(&dispatch->room);
        plait_condition_broadcast(&dispatch->tick);
}

/* An entry of a backlog. */
struct entry {
        uint64_t line;
        char url[URL_BYTES_MAX + 1];
};

static int push(struct dispatch *dispatch, const char *name, const char *url, uint64_t line)
{
        struct entry entry = {.line = line};
        size_t bytes = strlen(url) + 1;

        struct dispatch_host *host = host_get(dispatch, name);
        if (!host)
                return -ENOMEM;
        memcpy(entry.url, url, bytes);
        int r = backlog_push(&host->backlog, &dispatch->spill, &entry, offsetof(struct entry, url) + bytes);
        if (r == 0)
                dispatch->queued++;
        changed(dispatch, host);
        return r;
}

int dispatch_offer(struct dispatch *dispatch, const char *host, const char *url, uint64_t line)
{
        int r = 0;

        lock_always(&dispatch->lock);
        while (!wants_more(dispatch) && !dispatch->error && r == 0)
                r = plait_condition_wait(&dispatch->room, &dispatch->lock, PLAIT_NEVER);
        if (r == 0)
                r = dispatch->error;
        if (r == 0)
                r = push(dispatch, host, url, line);
        /* No room for a longer queue: go on when it has become shorter. */
        while (r < 0 && r != -ECANCELED && r != -ETIMEDOUT && !dispatch->error && dispatch->queued > 0) {
                r = plait_condition_wait(&dispatch->room, &dispatch->lock, PLAIT_NEVER);
                if (r == 0)
                        r = push(dispatch, host, url, line);
        }
        plait_mutex_unlock(&dispatch->lock);
        return r;
}

void dispatch_complete(struct dispatch *dispatch)
{
        lock_always(&dispatch->lock);
        dispatch->complete = true;
        wake_all_if_over(dispatch);
        plait_mutex_unlock(&dispatch->lock);
}

static struct job *new_job(struct dispatch *dispatch, struct dispatch_host *host)
{
        struct entry entry;
        struct job *job = calloc(1, sizeof *job);

        int r = job ? backlog_pop(&host->backlog, &dispatch->spill, &entry) : -ENOMEM;
        if (r >= 0) {
                dispatch->queued--;
                job->url = strdup(entry.url);
                r = job->url ? 0 : -ENOMEM;
        }
        if (r < 0) {
                free(job);
                dispatch->error = r;
                wake_all_if_over(dispatch);
                return NULL;
        }
        job->line = entry.line;
        job->host = host;
        host->in_flight++;
        dispatch->active++;
        return job;
}

static struct job *pick(struct dispatch *dispatch)
{
        struct dispatch_host *host = can_begin(dispatch) > 0 ? host_next(dispatch) : NULL;
        struct job *job = host ? host->retries : NULL;

        if (!host)
                return NULL;
        if (job) {
                host->retries = job->next;
                host->retry_count--;
        } else {
                job = new_job(dispatch, host);
        }
        if (job)
                begin_attempt(dispatch, job);
        host_changed(dispatch, host);
        dispatch->signalled = can_begin(dispatch);
        return job;
}

int dispatch_take(struct dispatch *dispatch, struct job **ret_job)
{
        struct job *job = NULL;
        int64_t begin_ns = 0;
        int r = 0;

        lock_always(&dispatch->lock);
        while (r == 0 && !is_over(dispatch) && !(job = pick(dispatch)))
                r = plait_condition_wait(&dispatch->work, &dispatch->lock, PLAIT_NEVER);
        if (job && dispatch->interval_ns > 0) {
                begin_ns = plait_now_ns();
                if (begin_ns < dispatch->next_ns)
                        begin_ns = dispatch->next_ns;
                dispatch->next_ns = begin_ns + dispatch->interval_ns;
        }
        if (wants_more(dispatch))
                plait_condition_signal(&dispatch->room);
        if (!job && r == 0)
                r = dispatch->error;
        plait_mutex_unlock(&dispatch->lock);
        if (!job)
                return r;
        if (begin_ns > 0 && (r = plait_sleep(begin_ns)) < 0) {
                dispatch_finish(dispatch, job);
                return r;
        }
        *ret_job = job;
        return 1;
}

void dispatch_finish(struct dispatch *dispatch, struct job *job)
{
        struct dispatch_host *host = job->host;

        lock_always(&dispatch->lock);
        end_attempt(dispatch, job);
        host->in_flight--;
        dispatch->active--;
        changed(dispatch, host);
        plait_condition_signal(&dispatch->room);
        wake_all_if_over(dispatch);
        plait_mutex_unlock(&dispatch->lock);
        free(job->url);
        free(job);
}

static int make_room(struct dispatch *dispatch)
{
        if (dispatch->waiting_count < dispatch->waiting_room)
                return 0;
        struct job **grown = realloc(dispatch->waiting, 2 * dispatch->waiting_room * sizeof(struct job *));
        if (!grown)
                return -ENOMEM;
        dispatch->waiting = grown;
        dispatch->waiting_room *= 2;
        return 0;
}

int dispatch_retry(struct dispatch *dispatch, struct job *job, int64_t due_ns, bool hold)
{
        lock_always(&dispatch->lock);
        if (make_room(dispatch) < 0) {
                plait_mutex_unlock(&dispatch->lock);
                return -ENOMEM;
        }
        end_attempt(dispatch, job);
        job->due_ns = due_ns;
        job->holds = hold;
        job->host->holds += hold;
        dispatch->waiting[dispatch->waiting_count++] = job;
        heap_up(dispatch->waiting, dispatch->waiting_count - 1);
        changed(dispatch, job->host);
        plait_condition_signal(&dispatch->tick);
        plait_mutex_unlock(&dispatch->lock);
        return 0;
}

static void wake_due(struct dispatch *dispatch)
{
        int64_t now = plait_now_ns();

        while (dispatch->waiting_count > 0 && dispatch->waiting[0]->due_ns <= now) {
                struct job *job = heap_pop(dispatch->waiting, &dispatch->waiting_count);
                struct job **end = &job->host->retries;

                while (*end)
                        end = &(*end)->next;
                job->next = NULL;
                *end = job;
                job->host->retry_count++;
                job->host->holds -= job->holds;
                changed(dispatch, job->host);
        }
        if (wants_more(dispatch))
                plait_condition_signal(&dispatch->room);
}

int dispatch_clock(struct dispatch *dispatch)
{
        int r = 0;

        lock_always(&dispatch->lock);
        while (!is_over(dispatch)) {
                int64_t due = dispatch->waiting_count ? dispatch->waiting[0]->due_ns : PLAIT_NEVER;
                r = plait_condition_wait(&dispatch->tick, &dispatch->lock, due);
                if (r == -ECANCELED || (r == -ETIMEDOUT && plait_cancelled() < 0))
                        break;
                r = 0;
                wake_due(dispatch);
        }
        plait_mutex_unlock(&dispatch->lock);
        return r;
}

void dispatch_tell_limits(struct dispatch *dispatch, struct limits *ret)
{
        lock_always(&dispatch->lock);
        for (size_t i = 0; i < dispatch->host_room; i++)
                for (struct dispatch_host *host = dispatch->hosts[i]; host; host = host->next_hash)
                        if (host->tuner)
                                limits_add(ret, host->name, host->tuner);
        if (dispatch->tuner && ret->hosts != 1)
                limits_add(ret, "all hosts", dispatch->tuner);
        plait_mutex_unlock(&dispatch->lock);
}
