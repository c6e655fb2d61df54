/* Recordings: what is told of tasks, threads and the program's own events; what can be read. */
#include <errno.h>
#include <plait/plait.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/alone.h"
#include "api/recorded.h"

/* --- tasks --- */

static struct plait_mutex mutex = PLAIT_MUTEX_INIT;
static struct plait_event event_locked = PLAIT_EVENT_INIT;

static int hold(void *arg)
{
        (void)arg;
        int r = plait_mutex_lock(&mutex, PLAIT_NEVER);

        if (r < 0)
                return r;
        plait_event_set(&event_locked);
        let_others_run();
        plait_mutex_unlock(&mutex);
        return 0;
}

static int want(void *arg)
{
        (void)arg;
        int r = plait_event_wait(&event_locked, PLAIT_NEVER);

        if (r == 0)
                r = plait_mutex_lock(&mutex, PLAIT_NEVER);
        if (r == 0)
                plait_mutex_unlock(&mutex);
        return r;
}

/* With one worker the waiter gets to wait before the holder goes on. */
static int lock_twice(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_task_opts holder = {.size = sizeof holder, .name = "holder"};
        struct plait_task_opts waiter = {.size = sizeof waiter, .name = "waiter"};

        CHECK_INT(plait_scope_start(&scope, hold, arg, &holder, NULL), ==, 0);
        CHECK_INT(plait_scope_start(&scope, want, arg, &waiter, NULL), ==, 0);
        return plait_scope_join(&scope);
}

TEST(a_wait_for_a_lock_names_the_lock_and_its_holder)
{
        CHECK_SYS(setenv("PLAIT_WORKERS", "1", 1));
        struct plait_recording *recording = record(lock_twice, NULL);
        struct plait_recording_event holder = first(recording, PLAIT_RECORDING_NAMED, "holder");
        struct plait_recording_event waiter = first(recording, PLAIT_RECORDING_NAMED, "waiter");
        struct plait_recording_event event;

        plait_recording_rewind(recording);
        do
                CHECK(find(recording, PLAIT_RECORDING_WAITS, NULL, &event));
        while (strcmp(cause_of(recording, &event), "mutex") != 0);
        CHECK_UINT(event.flow, ==, waiter.flow);
        CHECK_UINT(event.other, ==, holder.flow);
        CHECK_UINT(event.object, ==, (uintptr_t)&mutex);
        int64_t since_ns = event.time_ns;
        event = next_of(recording, PLAIT_RECORDING_WAKES, waiter.flow);
        CHECK_UINT(event.other, ==, holder.flow);
        CHECK_INT(event.value, ==, PLAIT_RECORDING_BY_WAKER);
        CHECK_INT(event.time_ns, >, since_ns);
        done(recording);
}

TEST(a_task_is_known_by_its_function_its_parent_and_its_result)
{
        struct plait_recording *recording = record(lock_twice, NULL);
        struct plait_recording_event app = first(recording, PLAIT_RECORDING_SPAWNED, "lock_twice");
        struct plait_recording_event child = first(recording, PLAIT_RECORDING_SPAWNED, "hold");
        struct plait_recording_event event;

        CHECK_UINT(child.other, ==, app.flow);
        CHECK_UINT(child.object, ==, (uintptr_t)hold);
        event = next_of(recording, PLAIT_RECORDING_FINISHED, child.flow);
        CHECK_INT(event.value, ==, 0);
        CHECK_UINT(count(recording, PLAIT_RECORDING_SPAWNED, NULL), ==,
                   count(recording, PLAIT_RECORDING_FINISHED, NULL));
        done(recording);
}

/* Each flow's events are in an order that makes sense. Those of several lanes need not be: their clocks may differ. */
TEST(flows_run_wait_and_are_woken_in_order)
{
        CHECK_SYS(setenv("PLAIT_WORKERS", "1", 1));
        struct plait_recording *recording = record(lock_twice, NULL);
        struct plait_recording_event event = {0};
        struct {
                bool runs, waits;
        } flows[64] = {0};
        int64_t before_ns = 0;

        while (CHECK_OK(plait_recording_next(recording, &event))) {
                CHECK_INT(event.time_ns, >=, before_ns);
                before_ns = event.time_ns;
                if (event.flow >= 64 || !event.flow)
                        continue;
                if (event.kind == PLAIT_RECORDING_RUNS) {
                        CHECK(!flows[event.flow].runs);
                        flows[event.flow].runs = true;
                        flows[event.flow].waits = false;
                } else if (event.kind == PLAIT_RECORDING_WAITS || event.kind == PLAIT_RECORDING_YIELDS ||
                           event.kind == PLAIT_RECORDING_FINISHED) {
                        CHECK(flows[event.flow].runs);
                        flows[event.flow].runs = false;
                        flows[event.flow].waits = event.kind == PLAIT_RECORDING_WAITS;
                } else if (event.kind == PLAIT_RECORDING_WAKES) {
                        CHECK(flows[event.flow].waits);
                }
        }
        done(recording);
}

/* Who ran there before has said what he does now, or goes on; who waits or ends is who runs there. */
TEST(a_lane_has_one_flow_at_a_time)
{
        struct plait_recording *recording = record(lock_twice, NULL);
        struct plait_recording_event event = {0};
        uint64_t flows[64] = {0}, n_runs = 0;
        int64_t before_ns = 0;

        while (CHECK_OK(plait_recording_next(recording, &event))) {
                CHECK_INT(event.time_ns, >=, before_ns);
                before_ns = event.time_ns;
                if (event.flow & PLAIT_RECORDING_THREAD)
                        continue;
                CHECK_UINT(event.lane, <, 64);
                if (event.kind == PLAIT_RECORDING_RUNS) {
                        CHECK(!flows[event.lane] || flows[event.lane] == event.flow);
                        flows[event.lane] = event.flow;
                        n_runs++;
                } else if (event.kind == PLAIT_RECORDING_WAITS || event.kind == PLAIT_RECORDING_YIELDS ||
                           event.kind == PLAIT_RECORDING_FINISHED) {
                        CHECK_UINT(flows[event.lane], ==, event.flow);
                        flows[event.lane] = 0;
                } else if (event.kind == PLAIT_RECORDING_IDLE) {
                        flows[event.lane] = 0; /* who yielded last went to another one */
                }
        }
        CHECK_UINT(n_runs, >=, 3);
        done(recording);
}

static struct plait_event event_asleep = PLAIT_EVENT_INIT;

static int sleep_and_fail(void *arg)
{
        (void)arg;
        int r = plait_event_wait(&event_asleep, PLAIT_NEVER);

        if (r == 0)
                r = plait_sleep(plait_in_ms(1));
        return r < 0 ? r : -EIO;
}

static int sleep_for_ever(void *arg)
{
        (void)arg;
        plait_event_set(&event_asleep); /* with one worker nobody runs before it sleeps */
        return plait_sleep(PLAIT_NEVER);
}

static int fail(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        plait_scope_go(&scope, sleep_for_ever, arg);
        plait_scope_go(&scope, sleep_and_fail, arg);
        CHECK_INT(plait_scope_join(&scope), ==, -EIO);
        return 0;
}

TEST(a_cancellation_says_why_and_by_whom)
{
        struct plait_run_opts opts = {.size = sizeof opts, .workers = 1};

        CHECK_INT(plait_trace_start(new_path(), NULL), ==, 0);
        CHECK_INT(plait_run(fail, NULL, &opts), ==, 0);
        CHECK_INT(plait_trace_stop(NULL), ==, 0);
        struct plait_recording *recording = opened();
        struct plait_recording_event victim = first(recording, PLAIT_RECORDING_SPAWNED, "sleep_for_ever");
        struct plait_recording_event failing = first(recording, PLAIT_RECORDING_SPAWNED, "sleep_and_fail");
        struct plait_recording_event event;

        plait_recording_rewind(recording);
        event = next_of(recording, PLAIT_RECORDING_WAKES, victim.flow);
        CHECK_INT(event.value, ==, PLAIT_RECORDING_BY_CANCEL);
        CHECK_UINT(event.other, ==, failing.flow);
        CHECK(event.text && strstr(event.text, "failed: -5"));
        plait_recording_rewind(recording);
        do
                event = next_of(recording, PLAIT_RECORDING_WAKES, failing.flow);
        while (event.value != PLAIT_RECORDING_BY_DEADLINE);
        CHECK_UINT(event.other, ==, 0);
        done(recording);
}

static int read_clock(void *arg)
{
        *(int64_t *)arg = plait_now_ns();
        return 0;
}

static int call(void *arg)
{
        int64_t now_ns;

        (void)arg;
        return plait_blocking(read_clock, &now_ns, PLAIT_NEVER);
}

TEST(a_blocking_call_is_told_in_its_thread)
{
        struct plait_recording *recording = record(call, NULL);
        struct plait_recording_event task = first(recording, PLAIT_RECORDING_SPAWNED, "call");
        struct plait_recording_event begin = first(recording, PLAIT_RECORDING_CALL_BEGIN, "call");
        struct plait_recording_event end;

        CHECK_UINT(begin.other, ==, task.flow);
        CHECK(begin.flow & PLAIT_RECORDING_THREAD);
        CHECK(find(recording, PLAIT_RECORDING_CALL_END, NULL, &end));
        CHECK_UINT(end.object, ==, begin.object);
        CHECK_UINT(end.flow, ==, begin.flow);
        done(recording);
}

/* Nobody listens at port 1. */
static int request(void *arg)
{
        struct plait_session *session;

        (void)arg;
        CHECK_INT(plait_session_new(&session, NULL), ==, 0);
        CHECK_INT(plait_session_get(session, "http://127.0.0.1:1/page", NULL, NULL), <, 0);
        plait_session_free(session);
        return 0;
}

TEST(a_request_is_told_with_its_url_and_its_end)
{
        struct plait_recording *recording = record(request, NULL);
        struct plait_recording_event begin = first(recording, PLAIT_RECORDING_REQUEST_BEGIN,
                                                   "GET http://127.0.0.1:1/page");
        struct plait_recording_event event;

        CHECK(find(recording, PLAIT_RECORDING_REQUEST_PHASE, NULL, &event));
        CHECK_UINT(event.object, ==, begin.object);
        CHECK_INT(event.cause, ==, PLAIT_RECORDING_QUEUED);
        CHECK(find(recording, PLAIT_RECORDING_REQUEST_END, NULL, &event));
        CHECK_UINT(event.object, ==, begin.object);
        CHECK_INT(event.value, ==, -ECONNREFUSED);
        CHECK(event.text && strstr(event.text, "refused"));
        done(recording);
}

TEST(a_static_lock_is_known_by_its_name)
{
        CHECK_SYS(setenv("PLAIT_WORKERS", "1", 1));
        struct plait_recording *recording = record(lock_twice, NULL);
        struct plait_recording_event event = first(recording, PLAIT_RECORDING_OBJECT, "mutex");

        CHECK_UINT(event.object, ==, (uintptr_t)&mutex);
        done(recording);
}

static int lock_of_class(void *arg)
{
        plait_mutex_init(&mutex, "account");
        return lock_twice(arg);
}

TEST(a_lock_is_known_by_its_class)
{
        CHECK_SYS(setenv("PLAIT_WORKERS", "1", 1));
        struct plait_recording *recording = record(lock_of_class, NULL);
        struct plait_recording_event event = first(recording, PLAIT_RECORDING_OBJECT, "account");

        CHECK_UINT(event.object, ==, (uintptr_t)&mutex);
        done(recording);
}

/* --- the program's own events --- */

static int tell(void *arg)
{
        (void)arg;
        PLAIT_SPAN("outer");
        PLAIT_INSTANT("now", -7);
        {
                PLAIT_SPAN("inner");
                PLAIT_COUNTER("level", 2.5);
                CHECK_INT(plait_sleep(plait_in_ms(1)), ==, 0);
                plait_trace_message("a text of more than sixteen bytes, so that it takes several slots of the ring");
        }
        PLAIT_FLOW_OUT("order", 77);
        return 0;
}

TEST(the_programs_own_events_are_told)
{
        struct plait_recording *recording = record(tell, NULL);
        struct plait_recording_event outer = first(recording, PLAIT_RECORDING_SPAN_BEGIN, "outer");
        struct plait_recording_event event;

        CHECK(find(recording, PLAIT_RECORDING_INSTANT, "now", &event));
        CHECK_INT(event.value, ==, -7);
        CHECK_UINT(event.flow, ==, outer.flow);
        CHECK(find(recording, PLAIT_RECORDING_SPAN_BEGIN, "inner", &event));
        CHECK(find(recording, PLAIT_RECORDING_COUNTER, "level", &event));
        CHECK_INT((int64_t)(event.number * 10), ==, 25);
        CHECK(find(recording, PLAIT_RECORDING_INSTANT,
                   "a text of more than sixteen bytes, so that it takes several slots of the ring", &event));
        CHECK(find(recording, PLAIT_RECORDING_SPAN_END, "inner", &event));
        CHECK(find(recording, PLAIT_RECORDING_FLOW_OUT, "order", &event));
        CHECK_UINT(event.object, ==, 77);
        CHECK(find(recording, PLAIT_RECORDING_SPAN_END, "outer", &event));
        CHECK_UINT(event.flow, ==, outer.flow);
        done(recording);
}

static void *tell_in_thread(void *arg)
{
        for (int i = 0; i < 1000; i++)
                PLAIT_INSTANT("from a thread", i);
        return arg;
}

TEST(threads_that_run_no_task_tell_too)
{
        struct plait_trace_status status = {.size = sizeof status};
        pthread_t threads[4];

        CHECK_INT(plait_trace_start(new_path(), NULL), ==, 0);
        for (int i = 0; i < 4; i++)
                CHECK_INT(pthread_create(&threads[i], NULL, tell_in_thread, NULL), ==, 0);
        for (int i = 0; i < 4; i++)
                pthread_join(threads[i], NULL);
        CHECK_INT(plait_trace_stop(&status), ==, 0);
        CHECK_UINT(status.dropped, ==, 0);
        struct plait_recording *recording = opened();
        CHECK_UINT(count(recording, PLAIT_RECORDING_INSTANT, "from a thread"), ==, 4000);
        struct plait_recording_event event = first(recording, PLAIT_RECORDING_INSTANT, "from a thread");
        CHECK(event.flow & PLAIT_RECORDING_THREAD);
        done(recording);
}

static int tell_much(void *arg)
{
        for (int64_t i = 0; i < *(int64_t *)arg; i++)
                PLAIT_INSTANT("many", i);
        return 0;
}

/* More than a small ring holds, at once: what is dropped is counted, what is there is in order. */
TEST(what_is_dropped_is_counted)
{
        struct plait_trace_opts opts = {.size = sizeof opts, .ring_bytes = 65536, .sample_ns = 1000000000};
        struct plait_trace_status status = {.size = sizeof status};
        int64_t n = 300000, next = 0, dropped = 0;
        uint64_t there = 0;
        struct plait_recording_event event;

        CHECK_INT(plait_trace_start(new_path(), &opts), ==, 0);
        CHECK_INT(plait_run(tell_much, &n, NULL), ==, 0);
        CHECK_INT(plait_trace_stop(&status), ==, 0);
        struct plait_recording *recording = opened();
        while (CHECK_OK(plait_recording_next(recording, &event))) {
                if (event.kind == PLAIT_RECORDING_DROPPED)
                        dropped += event.value;
                if (event.kind != PLAIT_RECORDING_INSTANT)
                        continue;
                CHECK_INT(event.value, >=, next);
                next = event.value + 1;
                there++;
        }
        CHECK_UINT(there + (uint64_t)dropped, >=, (uint64_t)n);
        CHECK_UINT(status.dropped, ==, (uint64_t)dropped);
        CHECK_UINT(info_of(recording).dropped, ==, (uint64_t)dropped);
        done(recording);
}

/* --- beginning and ending --- */

TEST(nothing_is_recorded_without_being_asked)
{
        struct plait_trace_status status = {.size = sizeof status};

        CHECK_INT(plait_run(tell, NULL, NULL), ==, 0);
        CHECK_INT(plait_trace_get_status(&status), ==, 0);
        CHECK(!status.recording);
        CHECK_UINT(status.events, ==, 0);
        CHECK_INT(plait_trace_stop(&status), ==, -EALREADY);
}

TEST(one_recording_after_the_other)
{
        struct plait_trace_status status = {.size = sizeof status};

        for (int i = 0; i < 3; i++) {
                struct plait_recording *recording = record(tell, NULL);

                CHECK_UINT(count(recording, PLAIT_RECORDING_SPAN_BEGIN, "outer"), ==, 1);
                done(recording);
                CHECK_INT(plait_run(tell, NULL, NULL), ==, 0);
        }
        CHECK_INT(plait_trace_get_status(&status), ==, 0);
        CHECK(!status.recording);
}

static int stand_by(void *event)
{
        return plait_event_wait(event, PLAIT_NEVER);
}

static int record_nothing_but_who_stands_by(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_event end = PLAIT_EVENT_INIT;

        (void)arg;
        CHECK_OK(plait_scope_go(&scope, stand_by, &end));
        for (int i = 0; i < 20; i++) {
                CHECK_INT(plait_trace_start(path, NULL), ==, 0);
                CHECK_INT(plait_trace_stop(NULL), ==, 0);
                struct plait_recording *recording = opened();
                CHECK_UINT(count(recording, PLAIT_RECORDING_EXISTS, "stand_by"), ==, 1);
                plait_recording_close(recording);
        }
        plait_event_set(&end);
        return plait_scope_join(&scope);
}

/* Its thread has mostly not begun when it is to end. */
TEST(the_shortest_recording_tells_which_tasks_exist)
{
        new_path();
        CHECK_INT(plait_run(record_nothing_but_who_stands_by, NULL, NULL), ==, 0);
        unlink(path);
}

TEST(there_is_one_recording_at_a_time)
{
        struct plait_trace_status status = {.size = sizeof status};

        CHECK_INT(plait_trace_start(new_path(), NULL), ==, 0);
        CHECK_INT(plait_trace_start(path, NULL), ==, -EBUSY);
        CHECK_INT(plait_trace_get_status(&status), ==, 0);
        CHECK(status.recording);
        CHECK_INT(plait_trace_stop(NULL), ==, 0);
        CHECK_INT(plait_trace_stop(NULL), ==, -EALREADY);
        unlink(path);
}

TEST(options_that_are_out_of_range_are_refused)
{
        struct plait_trace_opts opts = {.size = 1};

        CHECK_INT(plait_trace_start(NULL, NULL), ==, -EINVAL);
        CHECK_INT(plait_trace_start("", NULL), ==, -EINVAL);
        CHECK_INT(plait_trace_start("/tmp/x", &opts), ==, -EINVAL);
        opts = (struct plait_trace_opts){.size = sizeof opts, .ring_bytes = 1};
        CHECK_INT(plait_trace_start("/tmp/x", &opts), ==, -EINVAL);
        opts = (struct plait_trace_opts){.size = sizeof opts, .flags = 128};
        CHECK_INT(plait_trace_start("/tmp/x", &opts), ==, -EINVAL);
        CHECK_INT(plait_trace_start("/dev/null", NULL), ==, -EINVAL);
        CHECK_INT(plait_trace_start("/nowhere/x", NULL), ==, -ENOENT);
}

static int look_at_itself(void *arg)
{
        PLAIT_INSTANT("so far", 1);
        struct plait_recording *recording = opened();
        CHECK_UINT(count(recording, PLAIT_RECORDING_INSTANT, "so far"), ==, 1);
        CHECK(info_of(recording).live);
        plait_recording_close(recording);
        (void)arg;
        return 0;
}

TEST(a_recording_under_way_can_be_read)
{
        struct plait_recording *recording = record(look_at_itself, NULL);

        CHECK(!info_of(recording).live);
        done(recording);
}

/* --- reading --- */

TEST(what_is_no_recording_is_refused)
{
        struct plait_recording *recording = NULL;

        CHECK_INT(plait_recording_open(&recording, "/nowhere/x"), ==, -ENOENT);
        CHECK_INT(plait_recording_open(&recording, "/dev/null"), ==, -EBADMSG);
        CHECK_INT(plait_recording_open(&recording, "/proc/self/exe"), ==, -EBADMSG);
        new_path();
        CHECK_INT(plait_recording_open(&recording, path), ==, -EBADMSG);
        CHECK_PTR(recording, ==, NULL);
        unlink(path);
}

/* It is as long as its events say, though nothing else tells when it ended. */
static void check_length(struct plait_recording *recording)
{
        struct plait_recording_event event = {0};

        plait_recording_rewind(recording);
        while (CHECK_OK(plait_recording_next(recording, &event)))
                ;
        CHECK_INT(info_of(recording).duration_ns, >=, event.time_ns);
        CHECK_INT(plait_recording_get_process(recording, 0)->ended_ns, >=, event.time_ns);
}

TEST(a_recording_that_is_cut_off_is_read_as_far_as_it_goes)
{
        int64_t n = 20000;
        struct plait_recording *recording = record(tell_much, &n);
        struct stat st;
        uint64_t before = 20001;

        plait_recording_close(recording);
        CHECK_SYS(stat(path, &st));
        for (off_t bytes = st.st_size; bytes > 0; bytes -= st.st_size / 16) {
                CHECK_SYS(truncate(path, bytes));
                if (plait_recording_open(&recording, path) < 0)
                        break; /* not even the first chunk is whole */
                uint64_t there = count(recording, PLAIT_RECORDING_INSTANT, "many");
                CHECK_UINT(there, <=, before);
                CHECK(bytes == st.st_size || there < 20000 || info_of(recording).torn);
                before = there;
                check_length(recording);
                plait_recording_close(recording);
        }
        unlink(path);
}
