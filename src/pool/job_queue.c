/*
 * Jobs that wait for a worker, by their priorities, and those that run, so that all can be cancelled. Who calls has the
 * queue's lock, where executor.h does not say otherwise.
 */
#include "plait/future.h"
#include "pool/executor.h"

static struct pl_job *job_of(struct pl_list *link)
{
        return PL_CONTAINER_OF(link, struct pl_job, link);
}

void pl_job_queue_init(struct pl_job_queue *queue)
{
        pl_list_init(&queue->jobs);
        pl_list_init(&queue->running);
        queue->count = 0;
}

void pl_job_queue_push(struct pl_job_queue *queue, struct pl_job *job)
{
        struct pl_list *place = &queue->jobs;

        while (place->prev != &queue->jobs && job_of(place->prev)->priority < job->priority)
                place = place->prev;
        pl_list_insert_before(place, &job->link);
        job->place = PL_JOB_QUEUED;
        queue->count++;
}

void pl_job_queue_push_front(struct pl_job_queue *queue, struct pl_job *job)
{
        struct pl_list *place = queue->jobs.next;

        while (place != &queue->jobs && job_of(place)->priority > job->priority)
                place = place->next;
        pl_list_insert_before(place, &job->link);
        job->place = PL_JOB_QUEUED;
        queue->count++;
}

struct pl_job *pl_job_queue_pop(struct pl_job_queue *queue)
{
        struct pl_list *link = pl_list_pop_front(&queue->jobs);

        if (!link)
                return NULL;
        queue->count--;
        job_of(link)->place = PL_JOB_NEW;
        return job_of(link);
}

bool pl_job_queue_remove(struct pl_job_queue *queue, struct pl_job *job)
{
        if (job->place != PL_JOB_QUEUED)
                return false;
        pl_list_remove(&job->link);
        job->place = PL_JOB_NEW;
        queue->count--;
        return true;
}

void pl_job_queue_begin(struct pl_job_queue *queue, struct pl_job *job)
{
        pl_list_push_back(&queue->running, &job->link);
        job->place = PL_JOB_RUNNING;
}

void pl_job_queue_end(struct pl_job *job)
{
        pl_list_remove(&job->link);
        job->place = PL_JOB_NEW;
}

/* The future, with a reference, of a job in *list* that nobody has cancelled; NULL: none. */
static struct plait_future *find_uncancelled(struct pl_list *list)
{
        for (struct pl_list *link = list->next; link != list; link = link->next) {
                struct plait_future *future = job_of(link)->future;

                if (!plait_future_cancel_requested(future))
                        return plait_future_ref(future);
        }
        return NULL;
}

/* A job is cancelled without the lock, so others may come and go: each time from the beginning. */
void pl_job_queue_cancel_all(struct pl_job_queue *queue, struct pl_lock *lock)
{
        for (;;) {
                pl_lock_acquire(lock);
                struct plait_future *future = find_uncancelled(&queue->jobs);
                if (!future)
                        future = find_uncancelled(&queue->running);
                pl_lock_release(lock);
                if (!future)
                        return;
                plait_future_cancel(future);
                plait_future_unref(future);
        }
}

void pl_job_queue_refuse_all(struct pl_job_queue *queue, struct pl_lock *lock, int error)
{
        for (;;) {
                pl_lock_acquire(lock);
                struct pl_job *job = pl_job_queue_pop(queue);
                pl_lock_release(lock);
                if (!job)
                        return;
                pl_job_finish(job, PLAIT_JOB_REFUSED, error);
        }
}
