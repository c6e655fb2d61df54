/*
 * The list of URLs: those of the command line, then the lines of a file that is read as it is needed.
 */
#ifndef FETCH_LIST_H
#define FETCH_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fetch/url.h"

struct list {
        char **urls; /* of the command line, up to a NULL */
        int fd;      /* of the file; -1: none */
        bool end;
        uint64_t line;   /* of the file, from 1 */
        uint64_t passed; /* lines that hold no URL */
        size_t begin, have;
        char buffer[65536];
};

/* An entry of the list. */
struct list_entry {
        uint64_t line; /* 0: of the command line */
        bool cut;      /* it was longer than any URL may be: only its beginning is here */
        char url[URL_BYTES_MAX + 2];
};

/* Opens *file* ("-": standard input; NULL: none). Returns 0 or a negative errno. */
int list_open(struct list *list, char **urls, const char *file);
void list_close(struct list *list);

/*
 * Takes the next entry: blank lines and those that begin with '#' are passed over, white space around a URL, a carriage
 * return and a byte order mark are taken off. Returns 1, 0 at the end, or the error of reading.
 */
int list_next(struct list *list, struct list_entry *entry);

/* The number of entries, lines that are none included; 0 when it cannot be known beforehand. */
uint64_t list_estimate(const struct list *list);

#endif
