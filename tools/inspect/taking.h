/*
 * What the parts of taking a picture share. It goes slab by slab: tasks.c copies the control blocks of the tasks in it,
 * beside.c says what else is to be read of each, and when that has been read the control blocks are copied again.
 * control_block.c tells what those say, beside.c what they led to. picture.c does the rest.
 */
#ifndef INSPECT_TAKING_H
#define INSPECT_TAKING_H

#include <pthread.h>

#include "inspect/program.h"
#include "inspect/slabs.h"
#include "inspect/unwind.h"

enum {
        TAKING_WINDOW = 512, /* of a stack that is read at first, at most; the rest when it is needed */
        TAKING_TRAILS = 8,
        TAKING_PAGE = 4096,
        TAKING_PIECES = 6, /* of a task */
};

/* What is being read of a task besides its control block. */
struct beside {
        size_t index; /* in the slab */
        uint32_t fd_words[2];
        struct inspect_piece *name_piece, *fd_piece, *window_piece, *top_piece, *saved_piece, *owner_piece;
        uint64_t top;   /* of a compact task: where its stack ends */
        uint64_t owner; /* and who is on it */
        uint32_t saved_bytes;
        size_t window; /* bytes */
};

/* The causes that say more than that. */
struct known_causes {
        uint32_t read, write, poll, task, mutex, join;
};

/* Several threads may take in tasks at the same time, each with a taking of its own. */
struct taking {
        struct inspect_program *program;
        struct inspect_picture *picture;
        struct unwinder *unwinder; /* NULL: no stacks */
        pthread_mutex_t *lock;     /* guards the unwinder, program.names and picture.stacks; taken for what is new */
        unsigned what;
        struct known_causes causes;
        struct inspect_task *tasks; /* what has been taken in; there is room for all objects */
        size_t n_tasks;
        size_t counts[INSPECT_STATES], changed, lost_stacks; /* as in a picture */
        uint64_t holder_wait, holder_id;                     /* the last holder of a mutex that was met */
        uint32_t holder_tid;
        struct beside *beside;
        char *windows;
        char *pages; /* with names */
        struct inspect_piece *pieces;
        struct inspect_piece *name_piece; /* the page that the last name is in */
        size_t n_pieces;
        size_t room;                /* objects of a slab that there is room for */
        uint64_t name_at;           /* the last name of this slab; 0: none yet */
        uint32_t name;              /* and its index */
        size_t window;              /* how much of each stack is read at first: what those of the last slab needed */
        size_t reach;               /* how much those of this slab did */
        struct stack_trail *trails; /* the last different stacks, */
        uint32_t trail_stacks[TAKING_TRAILS];
        unsigned next_trail;
};

/* --- tasks.c --- */

/* Room for what is needed besides; false: no memory. */
bool inspect_taking_begin(struct taking *taking);
void inspect_taking_end(struct taking *taking);

/*
 * Put all tasks into the picture, taken in as *like* says. 0, -ENOMEM, or -EIO: the program's memory cannot be read or
 * is damaged.
 */
int inspect_take_tasks(const struct taking *like);

/* --- control_block.c --- */

/* Whether the word of a wait says that it is under way. */
bool inspect_word_waits(uint64_t word);

/* Whether a task has done nothing between two copies of its control block. */
bool inspect_is_same(const struct plait_registry_task *layout, const char *before, const char *after);

/* What the control block says by itself. */
void inspect_describe(const struct taking *taking, const char *copy, uint64_t address, struct inspect_task *task);
void inspect_describe_wait(const struct taking *taking, const char *copy, const struct plait_registry_wait *wait,
                           struct inspect_task *task);

/* --- beside.c --- */

/* Ask for what the control block *task* leads to; then, when it has been read, note what that was. */
void inspect_ask_beside(struct taking *taking, struct beside *beside, const char *task);
void inspect_note_beside(struct taking *taking, const struct beside *beside, const char *copy,
                         struct inspect_task *task);

/* The index in picture.stacks of the stack from *at* outwards. */
uint32_t inspect_keep_stack(struct taking *taking, const struct inspect_registers *at,
                            const struct stack_window *window);

#endif
