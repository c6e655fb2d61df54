/*
 * A recording that never was, of as many events as wanted, made while it is read: tasks on four workers that compute,
 * yield, sleep, read, and meet at locks and channels. In place of libplait's reader (plait/recording.h), so that the
 * page of 100 million events can be made without a file of them.
 *
 * usage: synthetic EVENTS TASKS OUT.html     writes the page, and says on one line of JSON what it was made of
 */
#include "trace/page.h"

#include <errno.h>
#include <plait/recording.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WORKERS 4
#define LOCKS 48
#define FUNCTIONS 5
#define COUNTER_EVERY 2000 /* events */

enum cause { CAUSE_SLEEP = 1, CAUSE_MUTEX, CAUSE_READ, CAUSE_CHANNEL, CAUSES };

static const char *const cause_names[CAUSES] = {"", "sleep", "mutex", "read", "channel"};
static const char *const functions[FUNCTIONS] = {"serve_client", "compress_block", "write_journal", "poll_sensors",
                                                 "tidy"};

struct task {
        int64_t wakes_ns; /* when its sleep or its read ends */
        uint8_t function, lock, in_span, holds;
};

struct plait_recording {
        uint64_t seed, events, wanted;
        uint32_t n_tasks;
        struct task *tasks;
        uint32_t *ready, ready_head, ready_count; /* a ring */
        uint32_t *timers, n_timers;               /* a heap by wakes_ns */
        uint32_t holder[LOCKS];                   /* task + 1; 0: free */
        uint32_t *queue[LOCKS], queue_head[LOCKS], queue_count[LOCKS];
        struct {
                int64_t until_ns;
                uint32_t task; /* + 1; 0: idle */
        } workers[WORKERS];
        struct plait_recording_event pending[8];
        uint32_t n_pending, at_pending, spawned, since_counter;
        int64_t now_ns;
};

/* The size of the recording that plait_recording_open() makes. */
static uint64_t wanted_events = 1000000;
static uint32_t wanted_tasks = 1000;

static uint32_t dice(struct plait_recording *r, uint32_t n)
{
        r->seed = r->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (uint32_t)((r->seed >> 33) % n);
}

static void tell(struct plait_recording *r, enum plait_recording_kind kind, uint32_t lane, uint64_t flow,
                 struct plait_recording_event rest)
{
        rest.time_ns = r->now_ns;
        rest.kind = (uint16_t)kind;
        rest.lane = lane;
        rest.flow = flow;
        r->pending[r->n_pending++] = rest;
}

static void make_ready(struct plait_recording *r, uint32_t task)
{
        r->ready[(r->ready_head + r->ready_count++) % r->n_tasks] = task;
}

static void add_timer(struct plait_recording *r, uint32_t task)
{
        uint32_t at = r->n_timers++;

        for (; at > 0 && r->tasks[r->timers[(at - 1) / 2]].wakes_ns > r->tasks[task].wakes_ns; at = (at - 1) / 2)
                r->timers[at] = r->timers[(at - 1) / 2];
        r->timers[at] = task;
}

static uint32_t take_timer(struct plait_recording *r)
{
        uint32_t first = r->timers[0], moved = r->timers[--r->n_timers], at = 0;

        for (;;) {
                uint32_t child = 2 * at + 1;
                if (child + 1 < r->n_timers &&
                    r->tasks[r->timers[child + 1]].wakes_ns < r->tasks[r->timers[child]].wakes_ns)
                        child++;
                if (child >= r->n_timers || r->tasks[r->timers[child]].wakes_ns >= r->tasks[moved].wakes_ns)
                        break;
                r->timers[at] = r->timers[child];
                at = child;
        }
        r->timers[at] = moved;
        return first;
}

/* A worker takes the next task, or is idle until there is one. */
static void begin_turn(struct plait_recording *r, uint32_t worker)
{
        if (r->ready_count == 0) {
                r->workers[worker].task = 0;
                return;
        }
        uint32_t task = r->ready[r->ready_head];
        r->ready_head = (r->ready_head + 1) % r->n_tasks;
        r->ready_count--;
        uint32_t length = r->tasks[task].function == 1 ? 20000 : 1500;
        r->workers[worker].task = task + 1;
        r->workers[worker].until_ns = r->now_ns + 200 + dice(r, length) + (dice(r, 4000) == 0 ? 2000000 : 0);
        tell(r, PLAIT_RECORDING_RUNS, worker, task + 1, (struct plait_recording_event){0});
        if (r->tasks[task].in_span == 0 && dice(r, 8) == 0) {
                r->tasks[task].in_span = 1;
                tell(r, PLAIT_RECORDING_SPAN_BEGIN, worker, task + 1, (struct plait_recording_event){.text = "handle"});
        }
}

static void wait_for(struct plait_recording *r, uint32_t worker, uint32_t task, enum cause cause,
                     struct plait_recording_event rest)
{
        rest.cause = (uint16_t)cause;
        tell(r, PLAIT_RECORDING_WAITS, worker, task + 1, rest);
}

static void release(struct plait_recording *r, uint32_t worker, uint32_t task)
{
        uint32_t lock = r->tasks[task].lock;

        r->tasks[task].holds = 0;
        r->holder[lock] = 0;
        if (r->queue_count[lock] == 0)
                return;
        uint32_t next = r->queue[lock][r->queue_head[lock]];
        r->queue_head[lock] = (r->queue_head[lock] + 1) % r->n_tasks;
        r->queue_count[lock]--;
        r->holder[lock] = next + 1;
        r->tasks[next].holds = 1;
        tell(r, PLAIT_RECORDING_WAKES, worker, next + 1, (struct plait_recording_event){.other = task + 1});
        make_ready(r, next);
}

/* The task's turn ends: it releases, then waits or yields. */
static void end_turn(struct plait_recording *r, uint32_t worker)
{
        uint32_t task = r->workers[worker].task - 1;
        struct task *self = &r->tasks[task];

        if (self->in_span && dice(r, 3) == 0) {
                self->in_span = 0;
                tell(r, PLAIT_RECORDING_SPAN_END, worker, task + 1, (struct plait_recording_event){.text = "handle"});
        }
        if (self->holds)
                release(r, worker, task);
        uint32_t choice = dice(r, 10);
        if (choice < 2) {
                tell(r, PLAIT_RECORDING_YIELDS, worker, task + 1, (struct plait_recording_event){0});
                make_ready(r, task);
        } else if (choice < 3) {
                self->lock = (uint8_t)dice(r, LOCKS);
                if (r->holder[self->lock] == 0) {
                        r->holder[self->lock] = task + 1;
                        self->holds = 1;
                        tell(r, PLAIT_RECORDING_YIELDS, worker, task + 1, (struct plait_recording_event){0});
                        make_ready(r, task);
                } else {
                        uint32_t lock = self->lock;
                        wait_for(r, worker, task, CAUSE_MUTEX,
                                 (struct plait_recording_event){.object = 0x1000 + lock, .other = r->holder[lock]});
                        r->queue[lock][(r->queue_head[lock] + r->queue_count[lock]++) % r->n_tasks] = task;
                }
        } else {
                enum cause cause = choice < 6 ? CAUSE_SLEEP : choice < 8 ? CAUSE_READ : CAUSE_CHANNEL;
                self->wakes_ns = r->now_ns + 1000 + dice(r, 4000) * (int64_t)r->n_tasks; /* half of the workers' time */
                wait_for(r, worker, task, cause,
                         (struct plait_recording_event){.object = cause == CAUSE_SLEEP ? 0 : 0x2000 + self->function,
                                                        .value = cause == CAUSE_READ ? 7 + self->function : 0});
                add_timer(r, task);
        }
        begin_turn(r, worker);
}

/* What happens next: a task is spawned, a timer runs out, a turn ends. */
static void advance(struct plait_recording *r)
{
        uint32_t soonest = WORKERS;

        if (r->spawned < r->n_tasks) {
                uint32_t task = r->spawned++;
                r->now_ns += 100;
                r->tasks[task].function = (uint8_t)(dice(r, 20) < 16 ? 0 : 1 + dice(r, FUNCTIONS - 1));
                tell(r, PLAIT_RECORDING_SPAWNED, 0, task + 1,
                     (struct plait_recording_event){.other = task ? 1 : 0, .text = functions[r->tasks[task].function]});
                make_ready(r, task);
                return;
        }
        for (uint32_t w = 0; w < WORKERS; w++) {
                if (r->workers[w].task && (soonest == WORKERS || r->workers[w].until_ns < r->workers[soonest].until_ns))
                        soonest = w;
                if (!r->workers[w].task && r->ready_count > 0) {
                        begin_turn(r, w);
                        return;
                }
        }
        if (r->n_timers > 0 && (soonest == WORKERS || r->tasks[r->timers[0]].wakes_ns < r->workers[soonest].until_ns)) {
                uint32_t task = take_timer(r);
                if (r->tasks[task].wakes_ns > r->now_ns)
                        r->now_ns = r->tasks[task].wakes_ns;
                tell(r, PLAIT_RECORDING_WAKES, 0, task + 1, (struct plait_recording_event){0});
                make_ready(r, task);
        } else if (soonest < WORKERS) {
                if (r->workers[soonest].until_ns > r->now_ns)
                        r->now_ns = r->workers[soonest].until_ns;
                end_turn(r, soonest);
        }
}

/* --- the reader's interface, as far as the page needs it --- */

int plait_recording_open(struct plait_recording **ret, const char *path)
{
        struct plait_recording *r = calloc(1, sizeof *r);

        (void)path;
        if (!r)
                return -ENOMEM;
        r->n_tasks = wanted_tasks;
        r->tasks = calloc(wanted_tasks, sizeof *r->tasks);
        r->ready = calloc(wanted_tasks, sizeof *r->ready);
        r->timers = calloc(wanted_tasks, sizeof *r->timers);
        for (int lock = 0; lock < LOCKS; lock++)
                r->queue[lock] = calloc(wanted_tasks, sizeof *r->queue[lock]);
        *ret = r;
        plait_recording_rewind(r);
        return 0;
}

void plait_recording_rewind(struct plait_recording *r)
{
        struct plait_recording fresh = {.seed = 7,
                                        .wanted = wanted_events,
                                        .n_tasks = r->n_tasks,
                                        .tasks = r->tasks,
                                        .ready = r->ready,
                                        .timers = r->timers};

        memcpy(fresh.queue, r->queue, sizeof fresh.queue);
        *r = fresh;
        memset(r->tasks, 0, r->n_tasks * sizeof *r->tasks);
}

void plait_recording_close(struct plait_recording *r)
{
        if (!r)
                return;
        free(r->tasks);
        free(r->ready);
        free(r->timers);
        for (int lock = 0; lock < LOCKS; lock++)
                free(r->queue[lock]);
        free(r);
}

int plait_recording_next(struct plait_recording *r, struct plait_recording_event *ret)
{
        if (r->events >= r->wanted)
                return 0;
        if (r->at_pending == r->n_pending) {
                r->at_pending = r->n_pending = 0;
                if (++r->since_counter == COUNTER_EVERY) {
                        r->since_counter = 0;
                        tell(r, PLAIT_RECORDING_COUNTER, 0, 0,
                             (struct plait_recording_event){.text = "run queue", .number = r->ready_count});
                }
                while (r->n_pending == 0)
                        advance(r);
        }
        *ret = r->pending[r->at_pending++];
        r->events++;
        return 1;
}

/* The duration is known once all was read: the generator is deterministic. */
static int64_t duration_of_all(void)
{
        static int64_t known_ns;
        struct plait_recording *r;
        struct plait_recording_event event;

        if (!known_ns && plait_recording_open(&r, "") == 0) {
                while (plait_recording_next(r, &event) > 0)
                        known_ns = event.time_ns;
                plait_recording_close(r);
        }
        return known_ns;
}

int plait_recording_get_info(const struct plait_recording *r, struct plait_recording_info *ret)
{
        (void)r;
        *ret = (struct plait_recording_info){.size = sizeof *ret,
                                             .duration_ns = duration_of_all(),
                                             .events = wanted_events,
                                             .n_processes = 1,
                                             .n_lanes = WORKERS};
        return 0;
}

const struct plait_recording_process *plait_recording_get_process(const struct plait_recording *r, uint32_t index)
{
        static const struct plait_recording_process process = {
                .pid = 1, .name = "synthetic", .command = "synthetic", .role = "", .build = "", .ended = true};

        (void)r;
        return index == 0 ? &process : NULL;
}

const struct plait_recording_lane *plait_recording_get_lane(const struct plait_recording *r, uint32_t index)
{
        static struct plait_recording_lane lanes[WORKERS];

        (void)r;
        if (index >= WORKERS)
                return NULL;
        lanes[index] = (struct plait_recording_lane){
                .kind = PLAIT_RECORDING_LANE_WORKER, .tid = 100 + index, .number = index, .name = ""};
        return &lanes[index];
}

const char *plait_recording_cause(const struct plait_recording *r, uint32_t process, uint32_t cause)
{
        (void)r;
        (void)process;
        return cause < CAUSES ? cause_names[cause] : "";
}

const char *plait_recording_kind_name(enum plait_recording_kind kind)
{
        (void)kind;
        return "";
}

int main(int argc, char **argv)
{
        struct page_result result;
        char message[400];
        struct timespec began, ended;

        if (argc != 4) {
                fputs("usage: synthetic EVENTS TASKS OUT.html\n", stderr);
                return 2;
        }
        wanted_events = strtoull(argv[1], NULL, 10);
        wanted_tasks = (uint32_t)strtoul(argv[2], NULL, 10);
        clock_gettime(CLOCK_MONOTONIC, &began);
        int error = trace_page_write("synthetic", argv[3], NULL, &result, message, sizeof message);
        clock_gettime(CLOCK_MONOTONIC, &ended);
        if (error) {
                fprintf(stderr, "synthetic: %s\n", message);
                return 1;
        }
        printf("{\"events\":%llu,\"tasks\":%llu,\"folded\":%llu,\"bytes\":%llu,\"merged_ns\":%lld,\"seconds\":%.1f}\n",
               (unsigned long long)result.events, (unsigned long long)result.tasks,
               (unsigned long long)result.tasks_folded, (unsigned long long)result.bytes, (long long)result.merged_ns,
               (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9);
        return 0;
}
