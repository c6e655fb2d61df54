/* The same with each of many items. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "harness/task.h"
#include "harness/test.h"

enum { N = 300 };

struct job {
        int next, last, error_at; /* the producer's; error_at: it fails there */
        atomic_int producing, reporting, working, most, worked, reported, out, most_out;
        int in_order;
        int fail_at; /* the item that fn fails with */
        int wait_at; /* this one and the later ones wait until they are cancelled */
        int results[N];
};

static void note_most(atomic_int *most, int now)
{
        int seen = atomic_load(most);

        while (now > seen && !atomic_compare_exchange_weak(most, &seen, now))
                ;
}

static int next_item(void *arg, void **ret_item)
{
        struct job *job = arg;

        CHECK_INT(atomic_fetch_add(&job->producing, 1), ==, 0);
        plait_yield();
        int number = job->next++;
        CHECK_INT(number, <=, job->last);
        CHECK_INT(atomic_fetch_sub(&job->producing, 1), ==, 1);
        if (number == job->error_at)
                return -EBADF;
        if (number == job->last)
                return 0;
        note_most(&job->most_out, atomic_fetch_add(&job->out, 1) + 1);
        *ret_item = (void *)(intptr_t)(number + 1);
        return 1;
}

static int work(void *item, void *arg)
{
        struct job *job = arg;
        int number = (int)(intptr_t)item - 1;

        note_most(&job->most, atomic_fetch_add(&job->working, 1) + 1);
        int r = number >= job->wait_at ? plait_sleep(PLAIT_NEVER)
                : number % 3           ? plait_sleep(plait_in_ms(number % 4))
                                       : 0;
        atomic_fetch_sub(&job->working, 1);
        atomic_fetch_add(&job->worked, 1);
        return r < 0 ? r : number == job->fail_at ? -EDOM : number;
}

static int report(void *item, int result, void *arg)
{
        struct job *job = arg;
        int number = (int)(intptr_t)item - 1;

        CHECK_INT(atomic_fetch_add(&job->reporting, 1), ==, 0);
        plait_yield();
        if (number != job->reported)
                job->in_order = 0;
        CHECK_INT(job->results[number], ==, 77);
        job->results[number] = result;
        job->reported++;
        atomic_fetch_sub(&job->out, 1);
        CHECK_INT(atomic_fetch_sub(&job->reporting, 1), ==, 1);
        return 0;
}

static void begin(struct job *job)
{
        *job = (struct job){.last = N, .error_at = -1, .fail_at = -1, .wait_at = N, .in_order = 1};
        for (int i = 0; i < N; i++)
                job->results[i] = 77;
}

static struct plait_map_opts reporting(unsigned limit, unsigned flags)
{
        return (struct plait_map_opts){
                .size = sizeof(struct plait_map_opts), .limit = limit, .flags = flags, .done = report};
}

TEST(a_map_works_on_every_item_once, .run = in_task)
{
        static struct job job;
        struct plait_map_opts opts = reporting(7, 0);

        begin(&job);
        CHECK_INT(plait_map(next_item, work, &job, &opts), ==, 0);
        CHECK_INT(job.worked, ==, N);
        CHECK_INT(job.most, <=, 7);
        CHECK_INT(job.most, >, 1);
        for (int i = 0; i < N; i++)
                CHECK_INT(job.results[i], ==, i);
}

TEST(a_map_takes_items_only_as_it_needs_them, .run = in_task)
{
        static struct job job;
        struct plait_map_opts opts = reporting(5, 0);

        begin(&job);
        CHECK_INT(plait_map(next_item, work, &job, &opts), ==, 0);
        CHECK_INT(job.most_out, <=, 5);
}

TEST(a_map_without_options_has_one_task_per_worker_at_most, .run = in_task)
{
        static struct job job;

        begin(&job);
        CHECK_INT(plait_map(next_item, work, &job, NULL), ==, 0);
        CHECK_INT(job.worked, ==, N);
        CHECK_INT(job.most, <=, (int)plait_workers());
}

TEST(an_ordered_map_reports_in_order_and_keeps_few_results, .run = in_task)
{
        static struct job job;
        struct plait_map_opts opts = reporting(8, PLAIT_MAP_ORDERED);

        begin(&job);
        CHECK_INT(plait_map(next_item, work, &job, &opts), ==, 0);
        CHECK_INT(job.in_order, ==, 1);
        CHECK_INT(job.reported, ==, N);
        CHECK_INT(job.most_out, <=, 16);
}

TEST(a_map_over_nothing_succeeds, .run = in_task)
{
        static struct job job;

        begin(&job);
        job.last = 0;
        CHECK_INT(plait_map(next_item, work, &job, NULL), ==, 0);
        CHECK_INT(job.worked, ==, 0);
}

/* Whatever happens, what was handed out is reported. */
static void everything_was_reported(const struct job *job)
{
        CHECK_INT(job->out, ==, 0);
        CHECK_INT(job->reported, ==, job->worked);
}

TEST(an_error_of_the_function_ends_a_map, .run = in_task)
{
        static struct job job;
        struct plait_map_opts opts = reporting(4, PLAIT_MAP_ORDERED);

        begin(&job);
        job.fail_at = 40;
        job.wait_at = 41;
        CHECK_INT(plait_map(next_item, work, &job, &opts), ==, -EDOM);
        CHECK_INT(job.next, <, 60);
        everything_was_reported(&job);
}

TEST(a_collecting_map_goes_on_and_counts_the_failed, .run = in_task)
{
        static struct job job;
        struct plait_map_opts opts = reporting(4, PLAIT_MAP_COLLECT);

        begin(&job);
        job.fail_at = 40;
        CHECK_INT(plait_map(next_item, work, &job, &opts), ==, 1);
        CHECK_INT(job.results[40], ==, -EDOM);
        CHECK_INT(job.results[N - 1], ==, N - 1);
        everything_was_reported(&job);
}

TEST(an_error_of_the_producer_ends_a_map_in_both_modes, .run = in_task)
{
        static struct job job;
        struct plait_map_opts opts = reporting(4, 0);

        for (int i = 0; i < 2; i++) {
                begin(&job);
                job.error_at = 50;
                CHECK_INT(plait_map(next_item, work, &job, &opts), ==, -EBADF);
                CHECK_INT(job.next, ==, 51);
                everything_was_reported(&job);
                opts.flags = PLAIT_MAP_COLLECT | PLAIT_MAP_ORDERED;
        }
}

static int refuse_to_report(void *item, int result, void *arg)
{
        CHECK_OK(report(item, result, arg));
        return item == (void *)20 ? -ENOSPC : 0;
}

TEST(an_error_of_the_report_ends_a_map, .run = in_task)
{
        static struct job job;
        struct plait_map_opts opts = reporting(4, 0);

        opts.done = refuse_to_report;
        for (int i = 0; i < 2; i++) {
                begin(&job);
                job.wait_at = 20;
                CHECK_INT(plait_map(next_item, work, &job, &opts), ==, -ENOSPC);
                CHECK_INT(job.next, <, 60);
                everything_was_reported(&job);
                opts.flags = PLAIT_MAP_COLLECT | PLAIT_MAP_ORDERED;
        }
}

static int work_forever(void *item, void *arg)
{
        struct job *job = arg;

        (void)item;
        atomic_fetch_add(&job->worked, 1);
        return plait_sleep(PLAIT_NEVER);
}

TEST(a_deadline_ends_a_map, .run = in_task)
{
        static struct job job;
        struct plait_map_opts opts = reporting(6, PLAIT_MAP_ORDERED);

        for (unsigned ms = 10; !job.worked; ms *= 2) { /* it may come before the first item */
                begin(&job);
                opts.deadline_ns = plait_in_ms(ms);
                CHECK_INT(plait_map(next_item, work_forever, &job, &opts), ==, -ETIMEDOUT);
        }
        CHECK(job.results[0] == -ETIMEDOUT || job.results[0] == -ECANCELED); /* the first to fail cancels the others */
        everything_was_reported(&job);
        CHECK_INT(plait_cancelled(), ==, 0);
}

TEST(cancelling_the_callers_scope_ends_a_map, .run = in_task)
{
        static struct job job;
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        begin(&job);
        CHECK_OK(plait_scope_open(&scope));
        plait_scope_cancel(&scope);
        CHECK_INT(plait_map(next_item, work, &job, NULL), ==, -ECANCELED);
        CHECK_INT(job.worked, ==, 0);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
}

TEST(a_map_refuses_what_is_out_of_range, .run = in_task)
{
        static struct job job;
        struct plait_map_opts opts = reporting(1U << 30, 0);

        begin(&job);
        CHECK_INT(plait_map(NULL, work, &job, NULL), ==, -EINVAL);
        CHECK_INT(plait_map(next_item, NULL, &job, NULL), ==, -EINVAL);
        CHECK_INT(plait_map(next_item, work, &job, &opts), ==, -EINVAL);
        opts = reporting(1, 0x80);
        CHECK_INT(plait_map(next_item, work, &job, &opts), ==, -EINVAL);
        opts = reporting(1, 0);
        opts.deadline_ns = -1;
        CHECK_INT(plait_map(next_item, work, &job, &opts), ==, -EINVAL);
        opts = reporting(1, 0);
        opts.size--;
        CHECK_INT(plait_map(next_item, work, &job, &opts), ==, -EINVAL);
        CHECK_INT(job.next, ==, 0);
}

TEST(a_thread_cannot_map)
{
        static struct job job;
        struct plait_map_opts opts = reporting(1, PLAIT_MAP_ORDERED);

        begin(&job);
        CHECK_INT(plait_map(next_item, work, &job, NULL), ==, -EINVAL);
        CHECK_INT(plait_map(next_item, work, &job, &opts), ==, -EINVAL);
        CHECK_INT(job.next, ==, 0);
}
