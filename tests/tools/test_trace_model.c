/*
 * The model of a recording, on events made by hand: a reader of its own stands in for the library's.
 */
#include "trace/model.h"

#include <stdlib.h>
#include <string.h>

#include "harness/test.h"

enum { JOIN = 1, MUTEX, READ, MOST = 64 };

struct plait_recording {
        size_t at;
};

static const struct plait_recording_event *events;
static size_t n_events;

int plait_recording_open(struct plait_recording **ret, const char *path)
{
        (void)path;
        *ret = calloc(1, sizeof **ret);
        return *ret ? 0 : -1;
}

void plait_recording_close(struct plait_recording *recording)
{
        free(recording);
}

int plait_recording_get_info(const struct plait_recording *recording, struct plait_recording_info *ret)
{
        (void)recording;
        *ret = (struct plait_recording_info){.size = sizeof *ret, .n_processes = 1, .n_lanes = 2};
        return 0;
}

const struct plait_recording_process *plait_recording_get_process(const struct plait_recording *recording,
                                                                  uint32_t index)
{
        static const struct plait_recording_process process = {.pid = 1, .ended = true, .ended_ns = INT64_MAX};

        (void)recording;
        return index == 0 ? &process : NULL;
}

const struct plait_recording_lane *plait_recording_get_lane(const struct plait_recording *recording, uint32_t index)
{
        static const struct plait_recording_lane lanes[2] = {{.tid = 1}, {.tid = 2, .number = 1}};

        (void)recording;
        return index < 2 ? &lanes[index] : NULL;
}

const char *plait_recording_cause(const struct plait_recording *recording, uint32_t process, uint32_t cause)
{
        static const char *const causes[] = {"nothing", "join", "mutex", "read"};

        (void)recording;
        (void)process;
        return cause <= READ ? causes[cause] : "?";
}

int plait_recording_next(struct plait_recording *recording, struct plait_recording_event *ret)
{
        if (recording->at == n_events)
                return 0;
        *ret = events[recording->at++];
        return 1;
}

void plait_recording_rewind(struct plait_recording *recording)
{
        recording->at = 0;
}

/* --- what it was told --- */

static struct {
        struct model_slice slices[MOST];
        uint64_t of[MOST];
        size_t n, n_begun, n_ended, n_spans, n_wakes;
        struct model_span spans[MOST];
} told;

static int on_begins(void *arg, struct model_flow *flow)
{
        (void)arg;
        (void)flow;
        told.n_begun++;
        return 0;
}

static int on_ends(void *arg, const struct model_flow *flow)
{
        (void)arg;
        (void)flow;
        told.n_ended++;
        return 0;
}

static int on_slice(void *arg, const struct model_slice *slice)
{
        (void)arg;
        CHECK(told.n < MOST);
        told.of[told.n] = slice->flow->id;
        told.slices[told.n++] = *slice;
        return 0;
}

static int on_span(void *arg, const struct model_span *span)
{
        (void)arg;
        CHECK(told.n_spans < MOST);
        told.spans[told.n_spans++] = *span;
        return 0;
}

static int on_wake(void *arg, const struct model_wake *wake)
{
        (void)arg;
        (void)wake;
        told.n_wakes++;
        return 0;
}

static void read_events(const struct plait_recording_event *from, size_t n, struct model *model)
{
        const struct model_reader reader = {
                .begins = on_begins, .slice = on_slice, .ends = on_ends, .span = on_span, .wake = on_wake};
        char message[128];

        events = from;
        n_events = n;
        memset(&told, 0, sizeof told);
        CHECK_OK(model_open(model, "by hand", message, sizeof message));
        CHECK_OK(model_read(model, &reader));
        CHECK_UINT(told.n_begun, ==, told.n_ended);
}

#define READ_EVENTS(...)                                                    \
        do {                                                                \
                const struct plait_recording_event made_[] = {__VA_ARGS__}; \
                struct model model_;                                        \
                read_events(made_, sizeof made_ / sizeof *made_, &model_);  \
                model_close(&model_);                                       \
        } while (0)
#define EVENT(time, what, of, ...)                                                           \
        {                                                                                    \
                .time_ns = (time), .kind = PLAIT_RECORDING_##what, .flow = (of), __VA_ARGS__ \
        }

/* The slice number *i* that was told is that. */
static void check_slice(size_t i, uint64_t flow, enum model_state state, int64_t start_ns, int64_t end_ns)
{
        CHECK_UINT(i, <, told.n);
        CHECK_UINT(told.of[i], ==, flow);
        CHECK_INT(told.slices[i].state, ==, state);
        CHECK_INT(told.slices[i].start_ns, ==, start_ns);
        CHECK_INT(told.slices[i].end_ns, ==, end_ns);
}

TEST(life_of_a_task_is_a_row_of_slices)
{
        READ_EVENTS(EVENT(10, SPAWNED, 1), EVENT(20, RUNS, 1),
                    EVENT(30, WAITS, 1, .cause = MUTEX, .object = 5, .other = 2), EVENT(50, WAKES, 1, .other = 3),
                    EVENT(60, RUNS, 1), EVENT(65, YIELDS, 1), EVENT(70, RUNS, 1), EVENT(80, FINISHED, 1));
        CHECK_UINT(told.n, ==, 7);
        check_slice(0, 1, MODEL_RUNNABLE, 10, 20);
        check_slice(1, 1, MODEL_RUNNING, 20, 30);
        check_slice(2, 1, MODEL_WAITING, 30, 50);
        CHECK_UINT(told.slices[2].holder, ==, 2);
        CHECK_UINT(told.slices[2].waker, ==, 3);
        check_slice(3, 1, MODEL_RUNNABLE, 50, 60);
        check_slice(4, 1, MODEL_RUNNING, 60, 65);
        check_slice(5, 1, MODEL_RUNNABLE, 65, 70);
        check_slice(6, 1, MODEL_RUNNING, 70, 80);
        CHECK(!told.slices[6].open);
}

TEST(wake_up_that_is_told_late_does_not_end_the_next_wait)
{
        READ_EVENTS(EVENT(10, RUNS, 1), EVENT(20, WAITS, 1, .cause = MUTEX), EVENT(30, RUNS, 1),
                    EVENT(31, WAITS, 1, .cause = READ), EVENT(32, WAKES, 1, .lane = 1), EVENT(500, WAKES, 1, .lane = 1),
                    EVENT(600, RUNS, 1));
        check_slice(1, 1, MODEL_WAITING, 20, 30);
        check_slice(3, 1, MODEL_WAITING, 31, 500);
        check_slice(4, 1, MODEL_RUNNABLE, 500, 600);
        CHECK_UINT(told.n_wakes, ==, 2);
}

TEST(task_that_joins_runs_others_and_is_woken_at_once)
{
        READ_EVENTS(EVENT(10, RUNS, 1), EVENT(20, WAITS, 1, .cause = JOIN), EVENT(30, RUNS, 1),
                    EVENT(31, WAITS, 1, .cause = MUTEX), EVENT(40, WAKES, 1), EVENT(50, RUNS, 1));
        check_slice(3, 1, MODEL_WAITING, 31, 40);
}

TEST(what_is_told_of_a_task_after_its_end_brings_it_not_back)
{
        READ_EVENTS(EVENT(10, RUNS, 7), EVENT(20, FINISHED, 7), EVENT(21, SPAWNED, 7, .lane = 1),
                    EVENT(22, NAMED, 7, .text = "x"), EVENT(23, YIELDS, 7, .lane = 1), EVENT(24, WAKES, 7));
        CHECK_UINT(told.n_begun, ==, 1);
        CHECK_UINT(told.n, ==, 1);
}

TEST(leaving_a_lane_that_is_told_late_does_not_stop_the_task_elsewhere)
{
        READ_EVENTS(EVENT(10, RUNS, 1), EVENT(20, RUNS, 1, .lane = 1), EVENT(21, YIELDS, 1),
                    EVENT(40, FINISHED, 1, .lane = 1));
        CHECK_UINT(told.n, ==, 2);
        check_slice(1, 1, MODEL_RUNNING, 20, 40);
}

TEST(who_runs_is_not_known_after_a_gap)
{
        READ_EVENTS(EVENT(10, RUNS, 1), EVENT(20, DROPPED, 0, .value = 9), EVENT(90, RUNS, 1), EVENT(95, FINISHED, 1));
        CHECK_UINT(told.n, ==, 2);
        check_slice(0, 1, MODEL_RUNNING, 10, 20);
        check_slice(1, 1, MODEL_RUNNING, 90, 95);
}

TEST(spans_end_with_the_one_around_them_and_with_their_task)
{
        static const char outer[] = "outer", inner[] = "inner", other[] = "other";

        READ_EVENTS(EVENT(10, RUNS, 1), EVENT(11, SPAN_BEGIN, 1, .text = outer),
                    EVENT(12, SPAN_BEGIN, 1, .text = inner), EVENT(13, SPAN_END, 1, .text = other),
                    EVENT(20, SPAN_END, 1, .text = outer), EVENT(21, SPAN_BEGIN, 1, .text = other),
                    EVENT(30, FINISHED, 1));
        CHECK_UINT(told.n_spans, ==, 3);
        CHECK_STR(told.spans[0].name, "inner");
        CHECK_INT(told.spans[0].end_ns, ==, 20);
        CHECK_UINT(told.spans[0].depth, ==, 1);
        CHECK_STR(told.spans[1].name, "outer");
        CHECK_STR(told.spans[2].name, "other");
        CHECK_INT(told.spans[2].end_ns, ==, 30);
}

TEST(what_is_open_at_the_end_says_so)
{
        READ_EVENTS(EVENT(10, RUNS, 1), EVENT(20, WAITS, 1, .cause = READ, .value = 3), EVENT(70, INSTANT, 0));
        check_slice(1, 1, MODEL_WAITING, 20, 70);
        CHECK(told.slices[1].open);
}
