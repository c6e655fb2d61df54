/*
 * The model: what the events of a recording mean. One pass over them tells a reader of each slice of each task's and
 * thread's life (it ran, could have run, waited for what), of who woke whom, of requests, spans and counters, in the
 * order in which they end; and adds up the totals that the summary shows.
 *
 * Memory grows with the tasks that are alive at a time and with the names, not with the events.
 */
#ifndef TRACE_MODEL_H
#define TRACE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <plait/recording.h>

enum model_state { MODEL_RUNNING, MODEL_RUNNABLE, MODEL_WAITING, MODEL_STATES };

#define MODEL_NO_LANE UINT32_MAX

/*
 * A task, or a thread that is no worker. It is gone when reader.ends() has returned; *number* stays its own for good.
 * Texts (here and below) are valid until the recording is closed, and the same text of a process is the same pointer.
 */
struct model_flow {
        uint64_t id; /* plait_task_id(), or PLAIT_RECORDING_THREAD | tid; unique in its process */
        uint32_t process;
        uint32_t number;      /* counts flows of the whole recording from 0 on */
        const char *name;     /* its name, or its function's; NULL: not known */
        const char *function; /* NULL: not known, or a thread */
        uint64_t parent;      /* id of who spawned it; 0: not known */
        int64_t born_ns;      /* spawned; or first seen */
        int64_t busy_ns[MODEL_STATES];
        void *user; /* the reader's own */

        /* What it does now: */
        enum model_state state;
        bool known;       /* it is in *state* for certain; false after a drop, until it is seen again */
        int64_t since_ns; /* it is in that state from then on */
        uint32_t lane;    /* running: there; else where it last ran */
        uint16_t cause;   /* waiting: plait_recording_cause() */
        uint64_t object;
        uint64_t other;   /* waiting: the holder, or the task waited for; runnable: who woke it; 0: nobody known */
        int64_t value;    /* waiting: the descriptor, or the deadline of a sleep */
        uint64_t request; /* its open HTTP request; 0: none */

        /* The model's own: */
        const char *other_name;
        const char *request_text;
        int64_t unwoken_ns;      /* it last ran without having been woken; then */
        struct open_span *spans; /* open ones, the innermost first */
        uint32_t n_spans;
        struct model_flow *next;
};

/* A slice of a flow's life. Slices of a flow follow each other without gaps (but for drops) and overlaps. */
struct model_slice {
        const struct model_flow *flow;
        int64_t start_ns, end_ns;
        enum model_state state;
        bool open;     /* the recording ended before the slice did */
        uint32_t lane; /* running: where */
        /* waiting: */
        uint16_t cause;
        uint64_t object; /* an address, stable; 0: none */
        const char
                *object_name; /* of that object, such as a lock's class, or the request that it is about; NULL: none */
        int64_t value;        /* descriptor (causes "read" and "write"), deadline (cause "sleep") */
        uint64_t holder; /* flow: the lock's holder, the task waited for, else who ended the wait; 0: nobody known */
        const char *holder_name;
        uint64_t waker; /* flow: who ended the wait; 0: the poller, a timer, the kernel; or not ended */
        enum plait_recording_wake how;
};

/* What a lane (a worker, or a thread) did. */
enum model_lane_state { MODEL_LANE_RUNS, MODEL_LANE_SLEEPS };

struct model_lane_slice {
        uint32_t lane;
        enum model_lane_state state;
        const struct model_flow *flow; /* RUNS: whom */
        int64_t start_ns, end_ns;
        bool open;
};

/* From waker to wakee. */
struct model_wake {
        int64_t time_ns;
        uint32_t process;
        uint32_t lane;                  /* where the waker was */
        const struct model_flow *waker; /* NULL: the poller, a timer, the kernel */
        const struct model_flow *wakee;
        enum plait_recording_wake how;
        const char *why; /* of a cancellation; may be NULL */
};

struct model_request {
        uint32_t process;
        uint64_t id;
        uint64_t flow;
        const char *flow_name;
        const char *text; /* method and URL */
        int64_t start_ns, end_ns;
        int64_t phase_ns[PLAIT_RECORDING_PHASES]; /* from start to the phase's end; -1: it did not happen */
        int64_t status;                           /* or a negative errno */
        const char *problem;                      /* may be NULL */
        bool open;                                /* it had not ended when the recording did */
};

/* A span of the program's own: it belongs to the flow, wherever that runs. */
struct model_span {
        const struct model_flow *flow;
        const char *name;
        int64_t start_ns, end_ns;
        uint32_t depth; /* 0: outermost */
        bool open;
};

/* A job of a pool, or a blocking call, in the lane that does it. */
struct model_job {
        uint32_t process, lane;
        bool is_call;       /* a blocking call; else a pool's job */
        uint64_t id;        /* of a job: unique in the recording; of a call: its address */
        uint64_t submitter; /* flow; of a job in submitter_process; 0: not known */
        uint32_t submitter_process;
        const char *text;
        int64_t submitted_ns; /* -1: not known */
        int64_t start_ns, end_ns;
        int64_t result;
        bool open;
};

/* What a reader is told; members may be NULL. Each returns 0, or a negative errno that ends the pass. */
struct model_reader {
        void *arg;
        int (*begins)(void *arg, struct model_flow *flow); /* name and function may become known later */
        int (*slice)(void *arg, const struct model_slice *slice);
        int (*ends)(void *arg, const struct model_flow *flow); /* after its last slice */
        int (*lane)(void *arg, const struct model_lane_slice *slice);
        int (*wake)(void *arg, const struct model_wake *wake);
        int (*request)(void *arg, const struct model_request *request);
        int (*span)(void *arg, const struct model_span *span);
        int (*job)(void *arg, const struct model_job *job);
        /* COUNTER, INSTANT, FLOW_OUT, FLOW_IN, STOLE, STUCK, RESCUED, CANCELS, REFUSED, DROPPED, as they come */
        int (*event)(void *arg, const struct plait_recording_event *event, const struct model_flow *flow);
};

/* Totals by what was waited for; by name of the cause, since processes may number them differently. */
#define MODEL_CAUSES 64

struct model_cause {
        const char *name;
        int64_t total_ns;
        uint64_t count;
};

struct model {
        struct plait_recording *recording;
        struct plait_recording_info info;
        uint64_t n_events; /* seen */
        uint64_t n_flows;
        int64_t end_ns; /* of the last event */
        int64_t state_ns[MODEL_STATES];
        struct model_cause causes[MODEL_CAUSES]; /* the longest first, after model_read() */
        size_t n_causes;
        struct model_private *own;
};

/*
 * Opens a recording. On failure *message* says what is wrong (with the file's name in it).
 * model_close() is due after success only.
 */
int model_open(struct model *model, const char *path, char *message, size_t size);
int model_read(struct model *model, const struct model_reader *reader);
void model_close(struct model *model);

/* Of a flow that is there now; NULL: none. */
struct model_flow *model_find(const struct model *model, uint32_t process, uint64_t flow);

/* "name", or "task 12", "thread 4711" where there is none. Returns *buffer*, or the name. */
const char *model_flow_name(uint64_t flow, const char *name, char *buffer, size_t size);

/* The worker's or thread's: "worker 3", its name, or "thread 4711". */
const char *model_lane_name(const struct plait_recording_lane *lane, char *buffer, size_t size);

/* Of a negative errno, which may be any number. Returns *buffer*, or a constant. */
const char *model_error_text(int64_t error, char *buffer, size_t size);

/* "mutex stock_lock", "read descriptor 7", "sleep", "http GET https://..." */
const char *model_wait_text(const struct model *model, const struct model_slice *slice, char *buffer, size_t size);

#endif
