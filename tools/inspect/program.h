/*
 * A program that uses plait, looked at from outside: its registry (plait/registry.h), and pictures of its tasks.
 *
 * A picture is taken while the program runs on, slab by slab. Each task in it is shown as it was at one moment: its
 * memory is read, then what it points to, then its memory again; if the task has changed in between, what was read
 * through pointers is dropped. Different tasks are seen at moments up to a second apart.
 */
#ifndef INSPECT_PROGRAM_H
#define INSPECT_PROGRAM_H

#include <string.h>

#include <plait/registry.h>

#include "inspect/intern.h"
#include "inspect/memory.h"

enum inspect_state {
        INSPECT_NEW,     /* it can run, and has not yet */
        INSPECT_READY,   /* it has run, and can go on */
        INSPECT_RUNNING, /* on a worker */
        INSPECT_WAITING,
        INSPECT_STATES,
};

/* What is known of a task, or of a plain thread that waits. */
struct inspect_task {
        uint64_t address; /* of its control block */
        uint64_t id;      /* 0: a thread */
        uint64_t fn;
        uint64_t scope;            /* the innermost one that it is in */
        uint64_t home;             /* the one that it was started in */
        uint64_t object;           /* what it waits for */
        uint64_t holder;           /* number of the task that can end the wait; 0: not known */
        uint32_t holder_tid;       /* the same, if it is a thread */
        uint32_t tid;              /* of a thread */
        uint32_t cause;            /* index of a name, see inspect_cause() */
        uint32_t age_ms;           /* how long it has waited */
        uint32_t name;             /* in program.names; INTERN_NONE: none */
        uint32_t stack;            /* in picture.stacks; INTERN_NONE: not known */
        int32_t fd;                /* what it waits for, if that is a descriptor; -1: none */
        int32_t left_ms;           /* until its wait times out; -1: never */
        int16_t worker;            /* that runs it, or that it is bound to; -1: none */
        uint8_t state;             /* enum inspect_state */
        bool bound, compact, aged; /* aged: age_ms is known */
};

struct inspect_scope {
        uint64_t address, parent, opened_at;
        uint64_t owner; /* address of the task that opened it */
        int64_t deadline_ns;
        int64_t tasks; /* how many it counts */
        int32_t error;
        bool shield, cancelled, open;
};

struct inspect_worker {
        uint64_t current; /* address of its task; 0: none */
        uint32_t tid, ticks;
        uint32_t ready, bound, fresh; /* tasks in its queues */
        bool idle, spare;
};

struct inspect_program {
        struct inspect_memory memory;
        struct plait_registry layout;
        char (*causes)[24];
        struct intern names;
};

/* What of the program is to be in a picture. */
enum {
        PICTURE_STACKS = 1,
        PICTURE_SCOPES = 2,
        PICTURE_THREADS = 4,
};

struct inspect_picture {
        int64_t now_ns; /* of the program: CLOCK_MONOTONIC when it was taken, or when the core was written */
        uint64_t run;   /* number of the run; 0: none is under way */
        struct inspect_worker *workers;
        size_t n_workers;
        uint32_t injected;
        uint64_t stuck; /* how often a worker was held up */
        struct inspect_task *tasks;
        size_t n_tasks;
        size_t n_threads; /* of those, how many are threads; they come last */
        size_t counts[INSPECT_STATES];
        struct inspect_scope *scopes;
        struct intern scope_index; /* address -> index in scopes */
        size_t scopes_room;
        struct intern stacks; /* each an array of 64-bit addresses, the innermost first */
        size_t changed;       /* tasks that moved on while they were looked at */
        size_t lost_stacks;   /* whose memory cannot be read; and scopes, which are on stacks, too */
        size_t lost_scopes;
        double seconds; /* how long it took */
};

struct unwinder;

/* 0, or -1 with *error* filled in. */
int inspect_program_open(struct inspect_program *program, const char *target, struct inspect_error *error);
void inspect_program_close(struct inspect_program *program);

/* Take a picture. *unwinder* is needed for PICTURE_STACKS only. 0, or -1 with *error* filled in. */
int inspect_take(struct inspect_program *program, unsigned what, struct unwinder *unwinder, struct inspect_picture *ret,
                 struct inspect_error *error);
void inspect_picture_done(struct inspect_picture *picture);

/* The run and its workers alone, which is cheap: into a picture that has none yet, or again into one that has. */
int inspect_take_workers(struct inspect_program *program, struct inspect_picture *picture, struct inspect_error *error);

/* What a core file lacks that is in the picture, and why, in sentences for people; "" if it is whole. */
const char *inspect_gaps(const struct inspect_program *program, const struct inspect_picture *picture, char *buffer,
                         size_t size);

/* "mutex" and the like. */
const char *inspect_cause(const struct inspect_program *program, uint32_t cause);

/* Its name, or NULL. */
const char *inspect_name(const struct inspect_program *program, const struct inspect_task *task);

/* "waiting" and the like. */
const char *inspect_state_name(enum inspect_state state);

/* A scope of a picture by its address, or NULL. */
struct inspect_scope *inspect_find_scope(const struct inspect_picture *picture, uint64_t address);

/* The value of a member in a copy of its structure; 0 when it has no such member. Signed ones are extended. */
static inline uint64_t inspect_get(const void *object, struct plait_registry_field field)
{
        const char *at = (const char *)object + field.offset;
        uint64_t value = 0;
        uint32_t half;

        if (field.size == sizeof value) {
                memcpy(&value, at, sizeof value);
        } else if (field.size == sizeof half) {
                memcpy(&half, at, sizeof half);
                value = half;
        } else if (field.size < sizeof value) {
                memcpy(&value, at, field.size);
        }
        return value;
}
int64_t inspect_get_signed(const void *object, struct plait_registry_field field);

/* --- scopes.c --- */
int inspect_take_scopes(struct inspect_program *program, struct inspect_picture *picture);

/* --- registry.c --- */
int inspect_find_registry(struct inspect_memory *memory, struct plait_registry *ret, struct inspect_error *error);

#endif
