/* How the system schedules workers and threads: what is asked for is so, what is not permitted is refused. */
#include <plait/plait.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/alone.h"

/* What a thread sees of itself. */
struct view {
        int nice, policy, priority, cpus;
};

static struct view view_of_self(void)
{
        struct sched_param param;
        cpu_set_t cpus;

        CHECK_SYS(sched_getparam(0, &param));
        CHECK_SYS(sched_getaffinity(0, sizeof cpus, &cpus));
        errno = 0;
        int nice = getpriority(PRIO_PROCESS, 0);

        CHECK_INT(errno, ==, 0);
        return (struct view){.nice = nice,
                             .policy = CHECK_SYS(sched_getscheduler(0)) & ~SCHED_RESET_ON_FORK,
                             .priority = param.sched_priority,
                             .cpus = CPU_COUNT(&cpus)};
}

/* A processor that this process may use. */
static unsigned some_cpu(void)
{
        cpu_set_t cpus;
        unsigned cpu = 0;

        CHECK_SYS(sched_getaffinity(0, sizeof cpus, &cpus));
        while (!CPU_ISSET(cpu, &cpus))
                cpu++;
        return cpu;
}

/* In a process of its own, as each case is. */
static void lose_privileges(void)
{
        struct rlimit none = {0};

        CHECK_SYS(setrlimit(RLIMIT_RTPRIO, &none));
        CHECK_SYS(setrlimit(RLIMIT_NICE, &none));
        if (geteuid() == 0)
                CHECK_SYS(setresuid(65534, 65534, 65534));
}

static int do_nothing(void *arg)
{
        (void)arg;
        return 0;
}

/* A niceness that anybody may choose; another than *nice* unless that is the last. */
static int nicer_than(int nice)
{
        return nice >= 19 ? 19 : nice == -1 ? 1 : nice + 1;
}

/* --- one's own thread --- */

TEST(thread_takes_niceness_policy_and_processors)
{
        const unsigned cpu = some_cpu();
        struct view before = view_of_self();
        struct plait_thread_opts nothing = {.size = sizeof nothing};
        struct plait_thread_opts opts = {.size = sizeof opts,
                                         .nice = nicer_than(before.nice),
                                         .policy = PLAIT_POLICY_BATCH,
                                         .cpus = &cpu,
                                         .cpu_count = 1};

        CHECK_OK(plait_thread_apply(&nothing));
        CHECK_INT(view_of_self().cpus, ==, before.cpus);
        CHECK_INT(view_of_self().policy, ==, before.policy);
        CHECK_OK(plait_thread_apply(&opts));
        CHECK_INT(view_of_self().nice, ==, nicer_than(before.nice));
        CHECK_INT(view_of_self().policy, ==, SCHED_BATCH);
        CHECK_INT(view_of_self().cpus, ==, 1);
        opts = (struct plait_thread_opts){.size = sizeof opts, .policy = PLAIT_POLICY_OTHER};
        CHECK_OK(plait_thread_apply(&opts));
        CHECK_INT(view_of_self().policy, ==, SCHED_OTHER);
        CHECK_INT(view_of_self().nice, ==, nicer_than(before.nice));
        opts.policy = PLAIT_POLICY_IDLE;
        CHECK_OK(plait_thread_apply(&opts));
        CHECK_INT(view_of_self().policy, ==, SCHED_IDLE);
}

TEST(thread_refuses_what_is_out_of_range)
{
        const unsigned far = 1024, absent = 1023;
        struct plait_thread_opts wrong[] = {
                {.nice = 20},
                {.nice = -21},
                {.policy = PLAIT_POLICY_RR + 1},
                {.priority = 1},
                {.policy = PLAIT_POLICY_BATCH, .priority = 1},
                {.policy = PLAIT_POLICY_FIFO},
                {.policy = PLAIT_POLICY_RR, .priority = 100},
                {.cpu_count = 1},
                {.cpus = &far, .cpu_count = 1},
                {.cpus = &absent, .cpu_count = 1},
        };

        CHECK_INT(plait_thread_apply(NULL), ==, -EINVAL);
        CHECK_INT(plait_thread_apply(&wrong[0]), ==, -EINVAL); /* without size */
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
                struct plait_run_opts run = {.size = sizeof run, .threads = &wrong[i]};

                wrong[i].size = sizeof wrong[i];
                CHECK_INT(plait_thread_apply(&wrong[i]), ==, -EINVAL);
                CHECK_INT(plait_run(do_nothing, NULL, &run), ==, -EINVAL);
        }
}

TEST(thread_is_told_what_is_not_permitted)
{
        struct plait_thread_opts wanted[] = {
                {.nice = -5},
                {.policy = PLAIT_POLICY_FIFO, .priority = 1},
                {.policy = PLAIT_POLICY_RR, .priority = 99},
        };

        lose_privileges();
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
                struct plait_run_opts run = {.size = sizeof run, .threads = &wanted[i], .workers = 3};

                wanted[i].size = sizeof wanted[i];
                CHECK_INT(plait_thread_apply(&wanted[i]), ==, -EPERM);
                CHECK_INT(plait_run(do_nothing, NULL, &run), ==, -EPERM);
        }
        CHECK_INT(plait_run(do_nothing, NULL, NULL), ==, 0);
}

TEST(thread_apply_is_not_for_tasks, .run = in_task)
{
        struct plait_thread_opts opts = {.size = sizeof opts};

        CHECK_INT(plait_thread_apply(&opts), ==, -EINVAL);
}

TEST(thread_of_real_time_is_had_where_it_is_permitted)
{
        struct plait_thread_opts opts = {.size = sizeof opts, .policy = PLAIT_POLICY_FIFO, .priority = 3};
        int r = plait_thread_apply(&opts);

        if (r == -EPERM)
                SKIP("real-time policies are not permitted here");
        CHECK_OK(r);
        CHECK_INT(view_of_self().policy, ==, SCHED_FIFO);
        CHECK_INT(view_of_self().priority, ==, 3);
        opts.policy = PLAIT_POLICY_RR;
        CHECK_OK(plait_thread_apply(&opts));
        CHECK_INT(view_of_self().policy, ==, SCHED_RR);
}

/* --- the workers of a run --- */

enum { WORKERS = 4 };

struct meeting {
        struct view views[WORKERS];
        int there;
};

/* Holds its worker until each of them has one: by computing, so that none is taken away from it by stealing. */
static int look_at_worker(void *arg)
{
        struct meeting *meeting = arg;
        int index = __atomic_fetch_add(&meeting->there, 1, __ATOMIC_RELAXED);

        meeting->views[index] = view_of_self();
        while (__atomic_load_n(&meeting->there, __ATOMIC_RELAXED) < WORKERS)
                sched_yield();
        return 0;
}

static int meet(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_UINT(plait_workers(), ==, WORKERS);
        for (int i = 0; i < WORKERS; i++)
                CHECK_OK(plait_scope_go(&scope, look_at_worker, arg));
        return plait_scope_join(&scope);
}

static void check_workers(struct plait_run_opts opts, struct view expected)
{
        struct meeting meeting = {.there = 0};

        opts.size = sizeof opts;
        opts.workers = WORKERS;
        CHECK_SYS(unsetenv("PLAIT_WORKERS"));
        CHECK_OK(plait_run(meet, &meeting, &opts));
        for (int i = 0; i < WORKERS; i++) {
                CHECK_INT(meeting.views[i].nice, ==, expected.nice);
                CHECK_INT(meeting.views[i].policy, ==, expected.policy);
                CHECK_INT(meeting.views[i].cpus, ==, expected.cpus);
        }
}

TEST(thread_options_of_a_run_are_all_workers)
{
        struct view before = view_of_self();
        const unsigned cpu = some_cpu();
        struct plait_thread_opts threads = {.size = sizeof threads,
                                            .nice = nicer_than(before.nice),
                                            .policy = PLAIT_POLICY_BATCH,
                                            .cpus = &cpu,
                                            .cpu_count = 1};

        check_workers((struct plait_run_opts){.threads = &threads},
                      (struct view){.nice = nicer_than(before.nice), .policy = SCHED_BATCH, .cpus = 1});
        CHECK_INT(view_of_self().policy, ==, before.policy); /* as it was */
        CHECK_INT(view_of_self().cpus, ==, before.cpus);
}

TEST(thread_pinned_workers_have_one_processor_each)
{
        struct view before = view_of_self();

        check_workers((struct plait_run_opts){.flags = PLAIT_RUN_PIN},
                      (struct view){.nice = before.nice, .policy = before.policy, .cpus = 1});
        CHECK_INT(view_of_self().cpus, ==, before.cpus);
        check_workers((struct plait_run_opts){0},
                      (struct view){.nice = before.nice, .policy = before.policy, .cpus = before.cpus});
}

static int count_cpus(void *arg)
{
        *(int *)arg = view_of_self().cpus;
        return 0;
}

static int call_elsewhere(void *arg)
{
        return plait_blocking(count_cpus, arg, PLAIT_NEVER);
}

TEST(thread_that_blocks_is_not_pinned_with_its_worker)
{
        struct view before = view_of_self();
        struct plait_run_opts opts = {.size = sizeof opts, .flags = PLAIT_RUN_PIN};
        int cpus = 0;

        CHECK_OK(plait_run(call_elsewhere, &cpus, &opts));
        CHECK_INT(cpus, ==, before.cpus);
        opts.flags = 1U << 31;
        CHECK_INT(plait_run(call_elsewhere, &cpus, &opts), ==, -EINVAL);
}

static int count_workers(void *arg)
{
        *(unsigned *)arg = plait_workers();
        return 0;
}

TEST(thread_processors_of_a_run_set_the_number_of_workers)
{
        const unsigned cpu = some_cpu(), cpus[] = {cpu, cpu};
        struct plait_thread_opts threads = {.size = sizeof threads, .cpus = cpus, .cpu_count = 2};
        struct plait_run_opts opts = {.size = sizeof opts, .threads = &threads};
        unsigned workers = 0;

        CHECK_SYS(unsetenv("PLAIT_WORKERS"));
        CHECK_OK(plait_run(count_workers, &workers, &opts));
        CHECK_UINT(workers, ==, 1);
}
