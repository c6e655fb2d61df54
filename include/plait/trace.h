/**
 * @file plait/trace.h
 * Recording what tasks, threads and processes do: who runs where, who waits for what, who wakes whom.
 *
 * A program needs no change to be recorded: `PLAIT_TRACE=out.pftrace ./program` records it from its first to its last
 * moment, `plait trace --pid` a part of one that runs. The scheduler, locks, input and output, pools and HTTP tell what
 * they do by themselves. This header is for what only the program knows, its own spans, instants, counters and flows;
 * and for programs that begin and end a recording themselves. `plait trace` shows what was recorded, plait/recording.h
 * reads it, and a file whose name ends in .pftrace can be opened in the Perfetto UI, too.
 *
 * While nothing is recorded, each call below costs a load and a branch. While something is, an event goes into a ring
 * of the calling thread's, without a lock and, as good as always, without a system call; a thread of the library's own
 * takes it from there to the file. When that thread cannot follow, events are dropped, counted, and the count is shown:
 * the program is never held up. The rings are in shared memory, so what a program recorded up to the moment when it
 * crashed or was killed can be read.
 *
 * PLAIT_TRACE names the file; %p in it stands for the process number. A process that is started while another one
 * records into that file, a child for example, joins the recording. A recording begins with the first thing there is to
 * record, so of several processes that run one after the other, started by one that uses nothing of plait (a shell),
 * each begins anew: use %p there. PLAIT_TRACE_RING is plait_trace_opts.ring_bytes in KiB.
 *
 * Worker processes of a pool (plait_executor_processes()) join any recording of their program, with the first job that
 * is submitted while it is under way, and leave it when that ends.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <plait/recording.h>
 * #include <plait/trace.h>
 * #include <stdio.h>
 * #include <stdlib.h>
 * #include <string.h>
 * #include <unistd.h>
 *
 * static int parse(void *arg)
 * {
 *         PLAIT_SPAN("parse"); // until the end of the block
 *         int *lines = arg;
 *
 *         *lines += 100;
 *         PLAIT_COUNTER("lines", *lines);
 *         return plait_sleep(plait_in_ms(1));
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *         int lines = 0;
 *
 *         (void)arg;
 *         PLAIT_INSTANT("begin", 0);
 *         plait_scope_go(&scope, parse, &lines);
 *         return plait_scope_join(&scope);
 * }
 *
 * int main(void)
 * {
 *         struct plait_trace_status status = {.size = sizeof status};
 *         char path[] = "/tmp/plait-example-XXXXXX";
 *         int fd = mkstemp(path);
 *
 *         if (fd < 0 || plait_trace_start(path, NULL) < 0)
 *                 return EXIT_FAILURE;
 *         plait_run(app, NULL, NULL);
 *         plait_trace_stop(&status);
 *         printf("%llu events, %llu dropped\n", (unsigned long long)status.events, (unsigned long long)status.dropped);
 *         unlink(path);
 *         close(fd);
 *         return status.events > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
 * }
 * @endcode
 */
#ifndef PLAIT_TRACE_H
#define PLAIT_TRACE_H

#include <plait/base.h>
#include <stdbool.h>
#include <string.h>

PLAIT_BEGIN_DECLS

/* --- recording --- */

/** plait_trace_opts.flags: if another process makes a recording in that file, add this process to it. */
#define PLAIT_TRACE_JOIN 1U

/** How to record. Zero: as is usual. */
struct plait_trace_opts {
        size_t size;       /**< sizeof(struct plait_trace_opts) */
        size_t ring_bytes; /**< of a worker's ring, 64 KiB to 1 GiB, made a power of two; 0: 4 MiB. Other threads have a
                              sixteenth, but at least 64 KiB */
        int64_t sample_ns; /**< how often the counters (tasks, run queue, CPU, memory) are read, and the rings emptied:
                              at least 100 us; 0: 10 ms */
        unsigned flags;    /**< #PLAIT_TRACE_JOIN */
};

/** What has become of a recording. */
struct plait_trace_status {
        size_t size;      /**< sizeof(struct plait_trace_status) */
        bool recording;   /**< it is under way */
        uint64_t events;  /**< of this process that are in the file */
        uint64_t dropped; /**< that are not, because a ring or the disk was full */
        uint64_t bytes;   /**< of the file that they take */
};

/**
 * Begin a recording of this process. There can be one at a time.
 * @param path  the file; one that is there is replaced
 * @param opts  NULL: as is usual
 * @return 0, or
 *   - -EINVAL        an option is out of range, or *path* is no regular file
 *   - -EBUSY         this process makes a recording already; or another one does, into this file
 *   - -ENAMETOOLONG  *path* has more than 511 bytes
 *   - -ENOSPC, -ENOMEM, -EAGAIN  no room, memory or thread for it
 *   - what open() fails with
 *
 * Threads: any. Suspends: never (but makes files and a thread). Cancellation: not affected. Since: 0.1.
 */
PLAIT_API PLAIT_MUST_CHECK int plait_trace_start(const char *path, const struct plait_trace_opts *opts);

/**
 * End the recording and write what there is of it. A process that exits does so by itself.
 * @param ret_status  what has become of it; NULL: of no interest
 * @return 0, or
 *   - -EALREADY  none was under way, or somebody else has just ended it
 *   - -EINVAL    *ret_status* has another size
 *   - a negative errno of write(): the recording is not whole
 *
 * Threads: any, but blocks the calling one. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_trace_stop(struct plait_trace_status *ret_status);

/**
 * How the recording that is under way, or the last one, is doing.
 * @param ret_status  filled in
 * @return 0, or
 *   - -EINVAL  *ret_status* is NULL or has another size
 *
 * Threads: any. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
PLAIT_API int plait_trace_get_status(struct plait_trace_status *ret_status);

/* --- the program's own events --- */

/** What an event is called. Static: it lasts as long as the program. Events whose name is NULL are left out. */
struct plait_trace_name {
        /** @cond private */
        const char *pl_text;
        uint32_t pl_id;
        /** @endcond */
};

/* clang-format off */
/** A name; *text* is a constant. */
#define PLAIT_TRACE_NAME(text) {(text), 0}
/* clang-format on */

/** @cond private */
enum plait_trace_what {
        PLAIT_TRACE_SPAN_BEGIN,
        PLAIT_TRACE_SPAN_END,
        PLAIT_TRACE_INSTANT,
        PLAIT_TRACE_COUNTER,
        PLAIT_TRACE_FLOW_OUT,
        PLAIT_TRACE_FLOW_IN,
};

PLAIT_API extern uint32_t plait_trace_on;
PLAIT_API void plait_trace_emit(unsigned what, struct plait_trace_name *name, uint64_t value);
PLAIT_API void plait_trace_emit_text(const char *text);

static inline bool plait_trace_wanted(void)
{
        return __builtin_expect(__atomic_load_n(&plait_trace_on, __ATOMIC_ACQUIRE) != 0, 0);
}
/** @endcond */

/**
 * A span begins: from here to plait_span_end() the calling task (or thread) is at *name*. Spans of a task are nested,
 * and go with it when it waits or moves to another thread.
 * @param name  what it is at
 *
 * Threads: any; signal handlers, too. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
static inline void plait_span_begin(struct plait_trace_name *name)
{
        if (plait_trace_wanted())
                plait_trace_emit(PLAIT_TRACE_SPAN_BEGIN, name, 0);
}

/**
 * The span that began last ends.
 * @param name  the one that it began with
 *
 * Threads: any; signal handlers, too. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
static inline void plait_span_end(struct plait_trace_name *name)
{
        if (plait_trace_wanted())
                plait_trace_emit(PLAIT_TRACE_SPAN_END, name, 0);
}

/**
 * Something has happened.
 * @param name   what
 * @param value  a number that belongs to it
 *
 * Threads: any; signal handlers, too. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
static inline void plait_trace_instant(struct plait_trace_name *name, int64_t value)
{
        if (plait_trace_wanted())
                plait_trace_emit(PLAIT_TRACE_INSTANT, name, (uint64_t)value);
}

/**
 * The same with a text that is made at run time.
 * @param text  copied; cut after 255 bytes; NULL is an empty one
 *
 * Threads: any; signal handlers, too. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
static inline void plait_trace_message(const char *text)
{
        if (plait_trace_wanted())
                plait_trace_emit_text(text);
}

/**
 * A quantity has changed.
 * @param name   what
 * @param value  how much it is from now on
 *
 * Threads: any; signal handlers, too. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
static inline void plait_trace_counter(struct plait_trace_name *name, double value)
{
        if (plait_trace_wanted()) {
                uint64_t bits;

                memcpy(&bits, &value, sizeof bits);
                plait_trace_emit(PLAIT_TRACE_COUNTER, name, bits);
        }
}

/**
 * An arrow goes out from here, to where plait_trace_flow_in() is called with the same name and number: by whatever
 * task, thread or process. A flow shows where something goes that the program hands on.
 * @param name  what goes there
 * @param id    which one
 *
 * Threads: any; signal handlers, too. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
static inline void plait_trace_flow_out(struct plait_trace_name *name, uint64_t id)
{
        if (plait_trace_wanted())
                plait_trace_emit(PLAIT_TRACE_FLOW_OUT, name, id);
}

/**
 * An arrow comes in here, see plait_trace_flow_out().
 * @param name  what comes
 * @param id    which one
 *
 * Threads: any; signal handlers, too. Suspends: never. Cancellation: not affected. Since: 0.1.
 */
static inline void plait_trace_flow_in(struct plait_trace_name *name, uint64_t id)
{
        if (plait_trace_wanted())
                plait_trace_emit(PLAIT_TRACE_FLOW_IN, name, id);
}

/** @cond private */
struct plait_span {
        struct plait_trace_name *pl_name;
};

static inline struct plait_span plait_span_enter(struct plait_trace_name *name)
{
        struct plait_span span = {plait_trace_wanted() ? name : NULL};

        if (span.pl_name)
                plait_trace_emit(PLAIT_TRACE_SPAN_BEGIN, name, 0);
        return span;
}

static inline void plait_span_leave(struct plait_span *span)
{
        if (__builtin_expect(span->pl_name != NULL, 0))
                plait_span_end(span->pl_name);
}

#define PLAIT_SPAN_JOIN_(a, b) a##b
#define PLAIT_SPAN_JOIN(a, b) PLAIT_SPAN_JOIN_(a, b)
#define PLAIT_SPAN_AT(text, number)                                                                \
        static struct plait_trace_name PLAIT_SPAN_JOIN(pl_name_, number) = PLAIT_TRACE_NAME(text); \
        __attribute__((cleanup(plait_span_leave), unused)) struct plait_span PLAIT_SPAN_JOIN(      \
                pl_span_, number) = plait_span_enter(&PLAIT_SPAN_JOIN(pl_name_, number))
#define PLAIT_TRACE_WITH_NAME(text, call, value)                                 \
        do {                                                                     \
                static struct plait_trace_name pl_name = PLAIT_TRACE_NAME(text); \
                call(&pl_name, (value));                                         \
        } while (0)
/** @endcond */

/** A span from here to the end of the block. *text* is a constant. */
#define PLAIT_SPAN(text) PLAIT_SPAN_AT(text, __COUNTER__)

/** plait_trace_instant() with a constant. */
#define PLAIT_INSTANT(text, value) PLAIT_TRACE_WITH_NAME(text, plait_trace_instant, value)

/** plait_trace_counter() with a constant. */
#define PLAIT_COUNTER(text, value) PLAIT_TRACE_WITH_NAME(text, plait_trace_counter, value)

/** plait_trace_flow_out() with a constant; plait_trace_flow_in() by another constant of the same text. */
#define PLAIT_FLOW_OUT(text, id) PLAIT_TRACE_WITH_NAME(text, plait_trace_flow_out, id)

/** plait_trace_flow_in() with a constant. */
#define PLAIT_FLOW_IN(text, id) PLAIT_TRACE_WITH_NAME(text, plait_trace_flow_in, id)

/* --- recording from outside --- */

/** plait_trace_mailbox.command */
enum plait_trace_command {
        PLAIT_TRACE_START = 1, /**< begin a recording */
        PLAIT_TRACE_STOP,      /**< end it; answered when the file is complete */
};

/**
 * What somebody outside wants, such as `plait trace --pid`. plait_registry.trace is its address. Whoever may write a
 * process' memory (process_vm_writev(); the kernel refuses it to other users) asks for a recording like this: while
 * *answered* is not *asked*, somebody else is waiting, unless his process, *watcher*, is gone: then take his question
 * back, by writing *asked* to *answered*. Fill in *command* and what it needs; then write *asked* + 1 to *asked*; then
 * wake a worker, by writing 8 bytes, a 1, to the process' descriptor *wake_fd* (pidfd_getfd()). When *answered* is
 * *asked*, *result* says what became of it.
 *
 * A recording begun like this ends by #PLAIT_TRACE_STOP, at *until_ns*, or when the process *watcher* is gone.
 */
struct plait_trace_mailbox {
        uint32_t asked;      /**< the number of the last question */
        uint32_t answered;   /**< the number of the last one that has been answered */
        int32_t result;      /**< 0 or a negative errno, as of plait_trace_start() and plait_trace_stop(); -ESRCH:
                              *watcher* was gone before it began; -EAGAIN: the recording of a watcher who is gone is
                              being ended, so ask again */
        uint32_t command;    /**< enum ::plait_trace_command */
        int32_t wake_fd;     /**< wakes a worker; -1: no run is under way, and nobody would answer */
        int32_t watcher;     /**< a process; 0: none */
        int64_t until_ns;    /**< CLOCK_MONOTONIC; 0: no end */
        uint64_t ring_bytes; /**< as in plait_trace_opts */
        char path[512];      /**< absolute, and as the process sees it */
        uint64_t events;     /**< as in plait_trace_status, of the last recording that was begun like this */
        uint64_t dropped;    /**< the same */
        uint64_t bytes;      /**< the same */
};

PLAIT_END_DECLS

#endif
