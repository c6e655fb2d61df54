/*
 * A set of byte strings: open addressing over an arena.
 */
#include "inspect/intern.h"

#include <stdlib.h>
#include <string.h>

static uint32_t hash_of(const void *key, uint32_t bytes)
{
        const unsigned char *p = key;
        uint64_t hash = 0x9E3779B97F4A7C15ULL ^ bytes;
        uint64_t word;

        for (; bytes >= sizeof word; bytes -= (uint32_t)sizeof word, p += sizeof word) {
                memcpy(&word, p, sizeof word);
                hash = (hash ^ word) * 0xFF51AFD7ED558CCDULL;
                hash ^= hash >> 32;
        }
        for (; bytes > 0; bytes--, p++)
                hash = (hash ^ *p) * 0xFF51AFD7ED558CCDULL;
        return (uint32_t)(hash ^ hash >> 29);
}

static bool grow_slots(struct intern *set)
{
        uint32_t count = set->n_slots ? set->n_slots * 2 : 256;
        uint32_t *slots = calloc(count, sizeof *slots);

        if (!slots)
                return false;
        for (uint32_t i = 0; i < set->n; i++) {
                uint32_t at = set->entries[i].hash & (count - 1);

                while (slots[at])
                        at = (at + 1) & (count - 1);
                slots[at] = i + 1;
        }
        free(set->slots);
        set->slots = slots;
        set->n_slots = count;
        return true;
}

static bool make_room(struct intern *set, uint32_t bytes)
{
        if (set->n >= set->entries_room) {
                uint32_t room = set->entries_room ? set->entries_room * 2 : 128;
                struct intern_entry *grown = realloc(set->entries, room * sizeof *grown);

                if (!grown)
                        return false;
                set->entries = grown;
                set->entries_room = room;
        }
        if (set->used + bytes + 8 > set->room) {
                size_t room = (set->used + bytes + 8) * 2;
                char *grown = realloc(set->bytes, room);

                if (!grown)
                        return false;
                set->bytes = grown;
                set->room = room;
        }
        return set->n * 2U < set->n_slots || grow_slots(set);
}

/* Its slot, or the free one where it belongs. */
static uint32_t slot_of(const struct intern *set, const void *key, uint32_t bytes, uint32_t hash)
{
        uint32_t at = hash & (set->n_slots - 1);

        while (set->slots[at]) {
                const struct intern_entry *entry = &set->entries[set->slots[at] - 1];

                if (entry->hash == hash && entry->bytes == bytes && memcmp(set->bytes + entry->at, key, bytes) == 0)
                        break;
                at = (at + 1) & (set->n_slots - 1);
        }
        return at;
}

uint32_t intern_find(const struct intern *set, const void *key, uint32_t bytes)
{
        if (!set->n)
                return INTERN_NONE;
        return set->slots[slot_of(set, key, bytes, hash_of(key, bytes))] - 1U;
}

uint32_t intern(struct intern *set, const void *key, uint32_t bytes, bool *ret_new)
{
        uint32_t hash = hash_of(key, bytes);

        if (!make_room(set, bytes) || set->n >= INTERN_NONE - 1)
                return INTERN_NONE;
        uint32_t at = slot_of(set, key, bytes, hash);
        bool is_new = !set->slots[at];
        if (is_new) {
                if (bytes > 0)
                        memcpy(set->bytes + set->used, key, bytes);
                set->entries[set->n] = (struct intern_entry){.at = set->used, .bytes = bytes, .hash = hash};
                set->used += (bytes + 7U) & ~7U;
                set->slots[at] = ++set->n;
        }
        if (ret_new)
                *ret_new = is_new;
        return set->slots[at] - 1;
}

const void *intern_get(const struct intern *set, uint32_t index, uint32_t *ret_bytes)
{
        if (ret_bytes)
                *ret_bytes = set->entries[index].bytes;
        return set->bytes + set->entries[index].at;
}

void intern_done(struct intern *set)
{
        free(set->bytes);
        free(set->entries);
        free(set->slots);
        *set = (struct intern){0};
}
