/* All texts of the page, each once: the tables name them by number. */
#ifndef TRACE_PAGE_NAMES_H
#define TRACE_PAGE_NAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "trace/page_map.h"

struct page_names {
        char **texts;
        size_t count, capacity, bytes;
        struct page_map by_text;    /* its hash and length */
        struct page_map by_address; /* of texts that stay where they are: see page_names_forget() */
};

/* The number of a text, cut at a fair length; PAGE_NONE when there is no memory. NULL is "unknown". */
uint32_t page_name(struct page_names *names, const char *text);

/* The same for a text whose address means the same text until page_names_forget(). */
uint32_t page_name_lasting(struct page_names *names, const char *text);

void page_names_forget(struct page_names *names);
void page_names_free(struct page_names *names);

/* Writes a text as a JSON string. */
void page_json_text(FILE *file, const char *text);

#endif
