/*
 * The journal: which URLs were saved, in a file of the output folder that outlives any crash.
 *
 * A line is "v1 SUM STATUS BYTES NAME URL". SUM is the beginning of the SHA-256 of what follows it: a line that was
 * torn by a crash, or damaged, does not count. Lines are only ever appended, by one write() for some of them, after
 * their files have got their final names; of several lines for a URL the last counts. A line is a claim that is
 * verified before it is believed: the file has to be there with that size.
 *
 * Which line is about which URL is looked up in a table in an unnamed file, so that memory does not grow with the
 * journal.
 */
#ifndef FETCH_JOURNAL_H
#define FETCH_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fetch/folder.h"

#define JOURNAL_NAME ".plait-fetch.journal"

struct journal {
        struct folder *folder;
        int fd;        /* -1: none is kept */
        int index_fd;  /* -1: nothing to look up */
        uint64_t mask; /* of slots in the index */
        bool torn;     /* the file does not end in a newline */
        char *lines;   /* not written yet */
        size_t lines_bytes, lines_room;
};

/* What is known about a saved URL. */
struct journal_entry {
        int status;
        uint64_t bytes;
};

#define JOURNAL_INIT                     \
        {                                \
                .fd = -1, .index_fd = -1 \
        }

/*
 * Opens the journal of *folder*; with *resume* it can be asked what is there. Leftovers of killed runs are removed,
 * unless another run is using the folder. Returns 0 or a negative errno.
 */
int journal_open(struct journal *journal, struct folder *folder, bool resume);
void journal_close(struct journal *journal);

/* Whether *url* was saved as *name* and still is. */
bool journal_find(const struct journal *journal, const char *url, const char *name, struct journal_entry *ret);

/* Notes that *url* was saved, in memory at first. Returns 0 or a negative errno. One thread at a time, as for flush. */
int journal_add(struct journal *journal, const char *url, const char *name, const struct journal_entry *entry);

/* Writes what was noted. Returns 0 or a negative errno: then some of it may be missing. */
int journal_flush(struct journal *journal);

#endif
