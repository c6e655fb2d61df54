/* Recordings of programs whose jobs run in worker processes; and of the library's own threads. */
#include <plait/plait.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/recorded.h"

enum { JOBS = 12, WORKERS = 2 };

static int get_pid(void *arg, void *result)
{
        *(int *)result = (int)getpid();
        return *(const int *)arg;
}

static struct plait_executor *open_executor(void)
{
        struct plait_executor_opts opts = {.size = sizeof opts, .workers = WORKERS};
        struct plait_executor *executor;

        if (TEST_WITH_TSAN)
                SKIP("ThreadSanitizer knows no threads after a fork");
        CHECK_INT(plait_executor_processes(&opts, &executor), ==, 0);
        return executor;
}

/* A job that returns *number*; the process it was made in. */
static int call(struct plait_executor *executor, int number)
{
        int pid = 0;
        struct plait_job job = {
                .fn = get_pid, .arg = &number, .arg_bytes = sizeof number, .result = &pid, .result_bytes = sizeof pid};

        CHECK_INT(plait_executor_call(executor, &job, PLAIT_NEVER, NULL), ==, number);
        return pid;
}

/* --- what the recording says of a job --- */

struct life {
        uint64_t number;
        struct plait_recording_event submitted, begin, end;
};

static bool find_end(struct plait_recording *recording, enum plait_recording_kind kind, uint64_t number,
                     struct plait_recording_event *ret)
{
        plait_recording_rewind(recording);
        while (find(recording, kind, NULL, ret))
                if (ret->object == number)
                        return true;
        return false;
}

/* Of the job that has returned *result*, made in *pid*: it is told whole, in order, and by whom it should be. */
static void check_life(struct plait_recording *recording, int result, int pid)
{
        struct plait_recording_event submitted, begin, end = {0};
        bool found = false;

        plait_recording_rewind(recording);
        while (!found && find(recording, PLAIT_RECORDING_JOB_END, NULL, &end))
                found = end.value == result;
        if (!found)
                FAIL("the end of job %d is not in the recording", result);
        CHECK(find_end(recording, PLAIT_RECORDING_JOB_BEGIN, end.object, &begin));
        CHECK(find_end(recording, PLAIT_RECORDING_JOB_SUBMITTED, end.object, &submitted));
        CHECK_UINT(begin.process, ==, end.process);
        CHECK_UINT(begin.lane, ==, end.lane);
        CHECK_UINT(begin.process, !=, submitted.process);
        const struct plait_recording_process *worker = plait_recording_get_process(recording, begin.process);
        CHECK_UINT(worker->pid, ==, (unsigned)pid);
        CHECK_STR(worker->role, "pool worker");
        CHECK_UINT(plait_recording_get_process(recording, submitted.process)->pid, ==, (unsigned)getpid());
        CHECK_INT(submitted.time_ns, <=, begin.time_ns);
        CHECK_INT(begin.time_ns, <=, end.time_ns);
}

/* --- worker processes --- */

TEST(jobs_of_worker_processes_are_on_the_same_timeline)
{
        static struct plait_trace_name called = PLAIT_TRACE_NAME("called");
        static struct plait_trace_name returned = PLAIT_TRACE_NAME("returned");
        struct plait_executor *executor = open_executor();
        int pids[JOBS];

        CHECK_INT(plait_trace_start(new_path(), NULL), ==, 0);
        for (int i = 0; i < JOBS; i++) {
                plait_trace_instant(&called, i);
                pids[i] = call(executor, i + 1);
                plait_trace_instant(&returned, i);
        }
        plait_executor_free(executor);
        CHECK_INT(plait_trace_stop(NULL), ==, 0);

        struct plait_recording *recording = opened();
        CHECK_UINT(count(recording, PLAIT_RECORDING_JOB_BEGIN, NULL), ==, JOBS);
        CHECK_UINT(count(recording, PLAIT_RECORDING_JOB_END, NULL), ==, JOBS);
        for (int i = 0; i < JOBS; i++)
                check_life(recording, i + 1, pids[i]);

        /* One clock: what each worker says lies between what its caller says. */
        struct plait_recording_event event = {0};
        int64_t at = -1;
        plait_recording_rewind(recording);
        while (CHECK_OK(plait_recording_next(recording, &event))) {
                if (event.kind == PLAIT_RECORDING_INSTANT && event.text && strcmp(event.text, "called") == 0)
                        at = event.value;
                else if (event.kind == PLAIT_RECORDING_INSTANT)
                        at = -1;
                else if (event.kind == PLAIT_RECORDING_JOB_END)
                        CHECK_INT(event.value, ==, at + 1);
        }
        /* Who ended in an orderly way has said so. */
        for (uint32_t i = 0; i < info_of(recording).n_processes; i++)
                CHECK(plait_recording_get_process(recording, i)->ended);
        done(recording);
}

TEST(workers_that_are_there_join_each_recording)
{
        struct plait_executor *executor = open_executor();
        int pid;

        (void)call(executor, 1);

        new_path();
        for (int round = 2; round < 6; round++) {
                CHECK_INT(plait_trace_start(path, NULL), ==, 0);
                pid = call(executor, round);
                CHECK_INT(plait_trace_stop(NULL), ==, 0);
                (void)call(executor, 100 + round);

                struct plait_recording *recording = opened();
                CHECK_UINT(count(recording, PLAIT_RECORDING_JOB_BEGIN, NULL), ==, 1);
                check_life(recording, round, pid);
                plait_recording_close(recording);
        }
        plait_executor_free(executor);
        unlink(path);
}

/* --- threads of the library --- */

static _Atomic int begun;
static _Atomic bool release;

static int compute(void *arg)
{
        (void)arg;
        atomic_fetch_add(&begun, 1);
        while (!atomic_load(&release))
                ;
        return 0;
}

/* Goes on only if the watch has seen that all workers are held up. */
static int let_go(void *arg)
{
        (void)arg;
        while (atomic_load(&begun) < WORKERS)
                CHECK_INT(plait_sleep(plait_in_ms(1)), ==, 0);
        CHECK_INT(plait_sleep(plait_in_ms(1)), ==, 0);
        atomic_store(&release, true);
        return 0;
}

static int hold_up_all(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_INT(plait_scope_start(&scope, let_go, arg, NULL, NULL), ==, 0);
        for (int i = 0; i < WORKERS; i++)
                CHECK_INT(plait_scope_start(&scope, compute, arg, NULL, NULL), ==, 0);
        return plait_scope_join(&scope);
}

static int call_some(void *executor)
{
        for (int i = 1; i <= JOBS; i++)
                (void)call(executor, i);
        return 0;
}

/* Which wakes the task that waits for a job. */
TEST(the_thread_that_looks_after_processes_is_no_flow)
{
        struct plait_executor *executor = open_executor();
        struct plait_recording *recording = record(call_some, executor);
        struct plait_recording_event event = {0};
        bool found = false;

        while (CHECK_OK(plait_recording_next(recording, &event))) {
                const struct plait_recording_lane *lane = plait_recording_get_lane(recording, event.lane);

                if (strcmp(lane->name, "plait-keeper") != 0)
                        continue;
                found = true;
                CHECK_UINT(lane->kind, ==, PLAIT_RECORDING_LANE_SERVICE);
                CHECK_UINT(event.kind, !=, PLAIT_RECORDING_RUNS);
        }
        CHECK(found);
        plait_executor_free(executor);
        done(recording);
}

TEST(the_thread_that_watches_workers_is_no_flow)
{
        struct plait_run_opts opts = {.size = sizeof opts, .workers = WORKERS};

        CHECK_INT(plait_trace_start(new_path(), NULL), ==, 0);
        CHECK_INT(plait_run(hold_up_all, NULL, &opts), ==, 0);
        CHECK_INT(plait_trace_stop(NULL), ==, 0);
        struct plait_recording *recording = opened();
        struct plait_recording_event stuck = first(recording, PLAIT_RECORDING_STUCK, NULL);
        struct plait_recording_event event = {0};
        const struct plait_recording_lane *lane = plait_recording_get_lane(recording, stuck.lane);
        CHECK_STR(lane->name, "plait-watch");
        CHECK_UINT(lane->kind, ==, PLAIT_RECORDING_LANE_SERVICE);
        plait_recording_rewind(recording);
        while (find(recording, PLAIT_RECORDING_RUNS, NULL, &event))
                CHECK_UINT(event.lane, !=, stuck.lane);
        done(recording);
}
