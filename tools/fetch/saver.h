/*
 * The saver: a thread that makes the files of whole bodies and writes the journal.
 *
 * Two processors that make files in one folder mostly wait for each other in the kernel, and a worker that makes a file
 * keeps its transfers waiting. One thread does it faster than all workers, and writes the journal's lines of all files
 * that were waiting for it by one write.
 */
#ifndef FETCH_SAVER_H
#define FETCH_SAVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include <plait/event.h>

#include "fetch/folder.h"
#include "fetch/journal.h"

/* A file to be kept. */
struct save {
        const char *url;
        const char *name; /* the final one */
        struct journal_entry entry;
        int fd;           /* of the file so far, which is closed in any case; -1: it is to be made */
        char *temp;       /* its name, TEMP_SIZE bytes */
        const char *data; /* its end, or all of it */
        size_t bytes;

        int error;            /* what came of it: 0 or a negative errno */
        const char *error_at; /* and what could not be done */

        struct save *next; /* from here on the saver's */
        struct plait_event ended;
};

struct saver {
        struct folder *folder;
        struct journal *journal;
        pthread_mutex_t lock; /* held for moments */
        pthread_cond_t wanted;
        struct save *first, **last; /* in the order in which they came */
        bool idle, stopping;
        pthread_t thread;
};

/* Starts the thread. Returns 0 or a negative errno. */
int saver_start(struct saver *saver, struct folder *folder, struct journal *journal);

/* Ends it. Nothing may be waiting to be saved. */
void saver_stop(struct saver *saver);

/*
 * Has a file made, written, closed and given its name, and the journal written. Returns *save->error*. A task; it waits
 * also when it is cancelled. A file that could not be given its name is gone.
 */
int saver_save(struct saver *saver, struct save *save);

#endif
