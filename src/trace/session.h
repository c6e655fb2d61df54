/*
 * The recording that this process makes, or none. There is one at a time.
 *
 * Locking: *lock* guards the state and all that is set up when a recording begins. While one is under way the
 * recorder's thread reads that without the lock, for it is taken away only after the thread has ended, or by the thread
 * itself. Whoever tells an event and has no lane tries for the lock only so long: he may be a signal handler in the
 * thread that holds it.
 */
#ifndef PL_TRACE_SESSION_H
#define PL_TRACE_SESSION_H

#include "plat/lock.h"
#include "trace/image.h"
#include "trace/trace.h"
#include "trace/writer.h"

enum pl_trace_state {
        PL_TRACE_OFF,
        PL_TRACE_ARMED, /* PLAIT_TRACE asks for it; it begins with the first event */
        PL_TRACE_RECORDING,
        PL_TRACE_ENDED, /* the recorder's thread has ended the recording by itself, and is to be joined */
};

struct pl_trace_session {
        struct pl_lock lock;
        enum pl_trace_state state;
        uint32_t number; /* of recordings made so far */
        char path[PL_TRACE_PATH_BYTES];
        bool from_environment; /* children are to join it */
        bool inherited;        /* this is such a child */
        _Atomic bool no_room;  /* for another ring */
        bool joining;          /* somebody is waiting for the recorder's end */
        int result;            /* of the recording; written by the recorder */
        _Atomic bool recording;
        bool first;                             /* this process made the file */
        char leader[PL_TRACE_IMAGE_PATH_BYTES]; /* "", or it ends when this file is gone; see lead.h */
        int fd;
        struct pl_trace_mapping mapping;
        uint8_t id[PL_TRACE_ID_BYTES];
        uint64_t ring_events; /* of a worker */
        int64_t sample_ns;
        struct pl_trace_instant begin;
        int64_t begin_real_ns;
        uint32_t next_lane;
        bool snapshot;                 /* it began while a run was under way */
        struct pl_trace_writer writer; /* the recorder's */

        struct pl_thread thread;
        _Atomic uint32_t stopping;
        _Atomic uint32_t wakes; /* the recorder sleeps on it */
        _Atomic uint32_t asleep;

        /* Of one that was asked for from outside. */
        bool for_mailbox;
        int64_t until_ns; /* 0: no end */
        int32_t watcher;

        /* What became of it; written by the recorder. */
        _Atomic uint64_t events, dropped, bytes;
};

extern struct pl_trace_session pl_trace_session;
extern const struct pl_trace_hooks *pl_trace_hooks;
extern const char *pl_trace_own_role;

/* A recording that begins. */
struct pl_trace_wish {
        const char *path;
        size_t ring_bytes;  /* 0: as is usual */
        int64_t sample_ns;  /* 0: as is usual */
        bool join;          /* if another process makes one of that name, join it */
        bool or_replace;    /* ... else make it */
        const char *leader; /* or NULL: as in the session; then the file must be there */
        bool for_mailbox;
        int64_t until_ns;
        int32_t watcher;
};

/* Under the lock. 0 or a negative errno. */
PL_WARN_UNUSED int pl_trace_begin(const struct pl_trace_wish *wish);

/* Its ring may be another's, once what it told is in the file. */
bool pl_trace_thread_is_gone(uint32_t tid);

/* By the recorder, when the last chunk is written: take away what only a recording under way has. */
void pl_trace_end(struct pl_trace_session *session);

/* For the inline halves of plait/trace.h: what pl_trace_on is. */
extern uint32_t plait_trace_on;

/* --- control.c --- */

/* Under the lock, of one that is armed. */
void pl_trace_begin_armed(struct pl_trace_session *session);

/* --- user.c --- */

/* The names that the program uses, for *mapping*; and those to come. NULL: no more. */
void pl_trace_names_share(struct pl_trace_mapping *mapping);

/* Around fork(); and in a child that was made otherwise. */
void pl_trace_names_lock(void);
void pl_trace_names_unlock(void);
/* --- recorder.c --- */

/* Before its thread starts, and while it has the lock: write what stands at a part's beginning. 0 or -ENOMEM, -EIO ...
 */
PL_WARN_UNUSED int pl_trace_recorder_open(struct pl_trace_session *session);

/* The thread. */
void *pl_trace_recorder(void *arg);

/* Whether the process for which a recording is made has ended. 0: there is none. */
bool pl_trace_is_gone(int32_t watcher);

/* --- mailbox.c --- */

/* After fork(), in the child. */
void pl_trace_mailbox_forget(void);

/* The recording has ended. Under the session's lock. */
void pl_trace_mailbox_ended(void);

/* --- symbol.c --- */

/* What the function at *address*, or the variable that is there or around it, is called. False: that is not known. */
bool pl_trace_function_symbol(uint64_t address, char *buf, size_t n);
bool pl_trace_object_symbol(uint64_t address, char *buf, size_t n);
void pl_trace_symbols_done(void);

#endif
