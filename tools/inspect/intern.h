/*
 * A set of byte strings, each kept once: names, stacks, addresses that have been seen. A string is known by its index.
 */
#ifndef INSPECT_INTERN_H
#define INSPECT_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INTERN_NONE UINT32_MAX

/* Valid when zero. */
struct intern {
        char *bytes; /* all strings, one after the other */
        size_t used, room;
        struct intern_entry {
                size_t at;
                uint32_t bytes;
                uint32_t hash;
        } * entries;
        uint32_t n, entries_room;
        uint32_t *slots; /* index + 1 of an entry, or 0; a power of two of them */
        uint32_t n_slots;
};

/* The index of a string; *ret_new (may be NULL) says whether it was not there yet. INTERN_NONE: no memory. */
uint32_t intern(struct intern *set, const void *key, uint32_t bytes, bool *ret_new);

/* The index of a string that is there, or INTERN_NONE. */
uint32_t intern_find(const struct intern *set, const void *key, uint32_t bytes);

/* The string, aligned to 8 bytes, until the next one is added; *ret_bytes may be NULL. */
const void *intern_get(const struct intern *set, uint32_t index, uint32_t *ret_bytes);

void intern_done(struct intern *set);

#endif
