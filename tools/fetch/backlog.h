/*
 * A queue of byte strings that takes little memory however long it is: what is in the middle goes to a file.
 */
#ifndef FETCH_BACKLOG_H
#define FETCH_BACKLOG_H

#include <stddef.h>
#include <stdint.h>

#define BACKLOG_CHUNK 16384 /* an item has to fit into one */

/* The file that all backlogs of a run share: chunks, used again when they are read. It has no name. */
struct spill {
        int fd; /* -1 until it is needed */
        uint32_t slots;
        uint32_t *free_slots; /* a stack; as large as the most chunks that were ever on disk at once, 4 bytes each */
        size_t free_count, free_room;
};

/* A queue: chunks in the file between the head, which is read, and the tail, which is written. Zeroed: empty. */
struct backlog {
        struct chunk *head, *tail;
        uint32_t first, last; /* slots of the chunks in the file: each begins with the number of the next */
        uint64_t count;       /* items */
        uint64_t spilled;     /* chunks in the file */
};

#define SPILL_INIT       \
        {                \
                .fd = -1 \
        }

void spill_done(struct spill *spill);

/* Appends; returns 0, -ENOMEM, -EMSGSIZE, or the error of writing the file: the item is then not in the queue. */
int backlog_push(struct backlog *backlog, struct spill *spill, const void *item, size_t bytes);

/* Takes the oldest; *item* has room for the largest there is. Returns its size, -ENODATA when empty, or the file's
 * error. */
int backlog_pop(struct backlog *backlog, struct spill *spill, void *item);

void backlog_done(struct backlog *backlog);

#endif
