/**
 * @file plait/recording.h
 * Reading what PLAIT_TRACE, plait_trace_start() or `plait trace` recorded: the events of all processes, in one row.
 *
 * It reads recordings that are complete, those of programs that were killed (what was still in their rings is part of
 * it), and those that are under way. Memory does not grow with the number of events. The file may come from anywhere:
 * nothing in it is trusted.
 *
 * An event is about a *flow*: a task, whose number is plait_task_id(), or a thread, whose number is
 * #PLAIT_RECORDING_THREAD and the thread's number. Flows are told apart within a process. What a flow does:
 *
 *     SPAWNED        it can run
 *     RUNS           it runs, on that lane; who ran there before has said what he does now
 *     WAITS          it waits, for what *cause* and *object* say
 *     YIELDS, WAKES  it can run
 *     FINISHED       it is gone
 *
 * A task that joins its scope runs tasks of it on its own stack: it WAITS before that and RUNS afterwards, without
 * having been woken. A task that was there when recording began comes with EXISTS, and its WAITS if it waits.
 *
 * The example prints who waits for what.
 *
 * @code{.c}
 * #include <plait/recording.h>
 * #include <stdio.h>
 *
 * static int print(const char *path)
 * {
 *         struct plait_recording *recording;
 *         struct plait_recording_event event;
 *         int r = plait_recording_open(&recording, path);
 *
 *         if (r < 0)
 *                 return r;
 *         while ((r = plait_recording_next(recording, &event)) > 0)
 *                 if (event.kind == PLAIT_RECORDING_WAITS)
 *                         printf("%8.3f ms: task %llu waits: %s\n", (double)event.time_ns / 1e6,
 *                                (unsigned long long)event.flow,
 *                                plait_recording_cause(recording, event.process, event.cause));
 *         plait_recording_close(recording);
 *         return r;
 * }
 *
 * int main(int argc, char **argv)
 * {
 *         if (argc < 2) {
 *                 printf("which recording?\n");
 *                 return 0;
 *         }
 *         return print(argv[1]) < 0;
 * }
 * @endcode
 */
#ifndef PLAIT_RECORDING_H
#define PLAIT_RECORDING_H

#include <plait/base.h>
#include <stdbool.h>

PLAIT_BEGIN_DECLS

/** A recording that is read. Opaque; one thread at a time. */
struct plait_recording;

/** What an event says, and with which members of plait_recording_event besides *flow*. */
enum plait_recording_kind {
        PLAIT_RECORDING_NONE,    /**< never */
        PLAIT_RECORDING_EXISTS,  /**< was there when recording began. *object*: its function; *text*: that function's
                                    name; *value*: for how many ns it has waited */
        PLAIT_RECORDING_SPAWNED, /**< a new task. *other*: who spawned it; *object*: its function; *text*: that
                                    function's name */
        PLAIT_RECORDING_NAMED,   /**< *text*: the task's name */
        PLAIT_RECORDING_RUNS,    /**< goes on, on this lane. *value* 1: begins */
        PLAIT_RECORDING_WAITS, /**< *cause*; *object*: the address of what for; *other*: who holds it (mutex, read lock,
                                  write lock) or is to end (task); *value*: the descriptor (read, write), for how many
                                  ns (sleep) */
        PLAIT_RECORDING_YIELDS,   /**< leaves the lane to others */
        PLAIT_RECORDING_WAKES,    /**< can go on. *other*: who woke it, 0: the kernel or a timer; *value*: enum
                                     ::plait_recording_wake; *text*: why it was cancelled, if somebody said so */
        PLAIT_RECORDING_FINISHED, /**< *value*: what it returned */
        PLAIT_RECORDING_CANCELS,  /**< cancels the scope at address *object*; *text*: why, if somebody said so */
        PLAIT_RECORDING_REFUSED,  /**< would have waited (*cause*, *object*), but for *value*: -ECANCELED, -ETIMEDOUT */

        PLAIT_RECORDING_IDLE,  /**< this worker has nothing to run. *value* 1: it naps; 2: it sleeps soundly */
        PLAIT_RECORDING_AWAKE, /**< it looks for something to run */
        PLAIT_RECORDING_STOLE, /**< it has taken *value* tasks, the first of them *flow*, from worker *object* */
        PLAIT_RECORDING_STUCK, /**< worker *object* has been in task *flow* for *value* ns. *cause* 1: it is blocked in
                                  the kernel, 0: it computes */
        PLAIT_RECORDING_RESCUED, /**< this worker has taken over *value* tasks that were stuck behind worker *object* */

        PLAIT_RECORDING_CALL_BEGIN,    /**< a call that blocks, *object*, begins in this thread on behalf of *other*;
                                        *text*: "call", "file" or "name" */
        PLAIT_RECORDING_CALL_END,      /**< it ends */
        PLAIT_RECORDING_JOB_SUBMITTED, /**< job *object* is given to a pool; *text*: what it is, if known */
        PLAIT_RECORDING_JOB_BEGIN,     /**< it begins, here */
        PLAIT_RECORDING_JOB_END,       /**< *value*: what it returned */

        PLAIT_RECORDING_REQUEST_BEGIN, /**< HTTP request *object*; *text*: its method and URL */
        PLAIT_RECORDING_REQUEST_PHASE, /**< phase *cause* (enum ::plait_recording_phase) of it ended *value* ns after
                                          its begin */
        PLAIT_RECORDING_REQUEST_END,   /**< *value*: the status, or a negative errno; *text*: what went wrong */

        PLAIT_RECORDING_SPAN_BEGIN, /**< *text*: its name. Spans of a flow are nested */
        PLAIT_RECORDING_SPAN_END,   /**< *text*: its name */
        PLAIT_RECORDING_INSTANT,    /**< *text*: its name, or a message; *value* */
        PLAIT_RECORDING_COUNTER,  /**< *text*: its name; *number*: how much. The library's own are of no flow: "tasks",
                                     "run queue", "cpu" (1: one processor's time), "rss" (bytes) */
        PLAIT_RECORDING_FLOW_OUT, /**< *text*: its name; *object*: which one */
        PLAIT_RECORDING_FLOW_IN,  /**< *text*: its name; *object*: which one */

        PLAIT_RECORDING_DROPPED, /**< *value* events of this lane are missing. Who runs there is not known until RUNS */
        PLAIT_RECORDING_OBJECT,  /**< what is at address *object*, and waited for, is called *text* */
        PLAIT_RECORDING_ENDED,   /**< the process has ended its recording */
        PLAIT_RECORDING_KINDS    /**< how many there are */
};

/** How a flow was woken. */
enum plait_recording_wake {
        PLAIT_RECORDING_BY_WAKER,    /**< what it waited for has come */
        PLAIT_RECORDING_BY_DEADLINE, /**< the time that it waits for, or until, has come */
        PLAIT_RECORDING_BY_CANCEL,   /**< its scope was cancelled */
};

/** Phases of a request, in their order; those that did not take place are left out. */
enum plait_recording_phase {
        PLAIT_RECORDING_QUEUED,     /**< it waited for its turn */
        PLAIT_RECORDING_NAME,       /**< the host's name was looked up */
        PLAIT_RECORDING_CONNECT,    /**< the connection was made */
        PLAIT_RECORDING_TLS,        /**< TLS was agreed on */
        PLAIT_RECORDING_SEND,       /**< the request was sent */
        PLAIT_RECORDING_FIRST_BYTE, /**< the answer began */
        PLAIT_RECORDING_BODY,       /**< the answer ended */
        PLAIT_RECORDING_PHASES      /**< how many there are */
};

/** In a flow's number: it is a thread. */
#define PLAIT_RECORDING_THREAD (UINT64_C(1) << 63)

/** An event. What its kind does not have is 0 or NULL. */
struct plait_recording_event {
        int64_t time_ns;  /**< since the recording began; never less than of the event before */
        uint16_t kind;    /**< enum ::plait_recording_kind */
        uint16_t cause;   /**< of a wait: see plait_recording_cause() */
        uint32_t process; /**< see plait_recording_get_process() */
        uint32_t lane;    /**< where it was recorded: see plait_recording_get_lane() */
        uint64_t flow;    /**< whom it is about; 0: nobody */
        uint64_t other;   /**< another flow of the process; 0: none */
        uint64_t object;  /**< an address, or a number. Jobs and requests have different ones in the whole recording */
        int64_t value;    /**< what the kind says */
        double number;    /**< of a counter: its value */
        const char *text; /**< as the program gave it, valid until the recording is closed. Equal ones have the same
                             address */
};

/** A process that recorded. */
struct plait_recording_process {
        uint32_t pid;        /**< its number */
        uint32_t parent_pid; /**< that of its parent */
        const char *name;    /**< of its program */
        const char *command; /**< its arguments, with blanks between them */
        const char *role;    /**< "" or what it is for the library, such as "pool worker" */
        const char *build;   /**< of which plait */
        int64_t began_ns;    /**< when it began to record, since the recording began */
        int64_t ended_ns;    /**< the last moment that is known of it */
        bool ended;          /**< it ended its recording; else it was killed, or still records */
        uint64_t events;     /**< how many of its events there are, about */
        uint64_t dropped;    /**< how many are missing */
};

/** What a lane is. */
enum plait_recording_lane_kind {
        PLAIT_RECORDING_LANE_WORKER,  /**< a thread that runs tasks */
        PLAIT_RECORDING_LANE_THREAD,  /**< another thread */
        PLAIT_RECORDING_LANE_SERVICE, /**< one of the library's own, that is nobody's flow */
};

/** A thread that recorded. */
struct plait_recording_lane {
        uint32_t process; /**< see plait_recording_get_process() */
        uint32_t kind;    /**< enum ::plait_recording_lane_kind */
        uint32_t tid;     /**< the thread's number */
        uint32_t number;  /**< the worker's; spare ones come after the others */
        const char *name; /**< the thread's */
        uint64_t events;  /**< how many of its events there are, about */
};

/** About the whole recording. */
struct plait_recording_info {
        size_t size;           /**< sizeof(struct plait_recording_info) */
        int64_t duration_ns;   /**< from its beginning to the last moment that is known of it */
        int64_t began_real_ns; /**< when it began, CLOCK_REALTIME */
        int64_t began_ns;      /**< when it began, CLOCK_MONOTONIC */
        uint64_t events;       /**< how many there are, about */
        uint64_t dropped;      /**< how many are missing */
        uint64_t file_bytes;   /**< of the file, without what is for Perfetto */
        uint32_t n_processes;  /**< see plait_recording_get_process() */
        uint32_t n_lanes;      /**< see plait_recording_get_lane() */
        bool live;             /**< a process is still recording */
        bool torn;             /**< a part was cut off or damaged, and is left out */
};

/**
 * Open a recording. Of one that is under way it has what had been recorded by then.
 * @param ret   to be closed by plait_recording_close()
 * @param path  its file
 * @return 0, or
 *   - -EBADMSG          that is no recording
 *   - -EPROTONOSUPPORT  it was made by a newer plait, in another format
 *   - -ENOMEM           no memory
 *   - what open() or pread() fail with
 *
 * Threads: any. Suspends: never (but reads a file). Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_recording_open(struct plait_recording **ret, const char *path);

/**
 * Close it. What was returned for it is no longer valid.
 * @param recording  NULL: nothing is done
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_recording_close(struct plait_recording *recording);

/**
 * About the whole.
 * @param recording  an open one
 * @param ret        filled in
 * @return 0, or
 *   - -EINVAL  *ret* has another size
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_recording_get_info(const struct plait_recording *recording, struct plait_recording_info *ret);

/**
 * A process of the recording.
 * @param recording  an open one
 * @param index      from 0 on
 * @return the recording's; NULL: there are not so many
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API const struct plait_recording_process *plait_recording_get_process(const struct plait_recording *recording,
                                                                            uint32_t index);

/**
 * A thread of the recording.
 * @param recording  an open one
 * @param index      from 0 on
 * @return the recording's; NULL: there are not so many
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API const struct plait_recording_lane *plait_recording_get_lane(const struct plait_recording *recording,
                                                                      uint32_t index);

/**
 * What the cause of a wait is called, such as "mutex".
 * @param recording  an open one
 * @param process    that of the event
 * @param cause      that of the event
 * @return the recording's; never NULL
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API const char *plait_recording_cause(const struct plait_recording *recording, uint32_t process, uint32_t cause);

/**
 * The next event; at first the first one.
 * @param recording  an open one
 * @param ret        filled in when there is one
 * @return 1: there is one; 0: there are no more; or
 *   - -ENOMEM  no memory
 *   - what pread() fails with
 *
 * Threads: any. Suspends: never (but reads a file). Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_recording_next(struct plait_recording *recording,
                                                    struct plait_recording_event *ret);

/**
 * Begin again with the first event.
 * @param recording  an open one
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API void plait_recording_rewind(struct plait_recording *recording);

/**
 * What a kind of event is called, such as "waits".
 * @param kind  any
 * @return a static string; never NULL
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API const char *plait_recording_kind_name(enum plait_recording_kind kind);

/**
 * Write it as a trace for the Perfetto UI: protobuf, with a track for each process, worker, thread and task. All events
 * are read for that; the next one is the first one again. What is written may be appended to the recording itself, for
 * Perfetto passes over what it does not know; then parts of it that were cut off are first made such, and so is what
 * had been appended like this when the recording was opened.
 * @param recording  an open one
 * @param fd         where it is written to, from its position on; stays open
 * @return 0, or
 *   - -ENOMEM  no memory
 *   - what open() of /proc/self/fd/... fails with, if *fd* is the recording's own file
 *   - what pread() of the recording or write() fail with; what was written is not whole
 *
 * Threads: any, but blocks the calling one. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_recording_perfetto(struct plait_recording *recording, int fd);

PLAIT_END_DECLS

#endif
