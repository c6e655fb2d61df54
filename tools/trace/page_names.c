/* All texts of the page (page_names.h). */
#include "trace/page_names.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 300                    /* bytes of a text that are kept */
#define ALL_TEXTS_MAX (3 * 1000 * 1000) /* bytes; beyond, new texts are one: "(further names)" */
#define FURTHER "(further names)"

static uint64_t hash_of(const char *text, size_t length)
{
        uint64_t hash = UINT64_C(0xcbf29ce484222325);

        for (size_t i = 0; i < length; i++)
                hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
        return hash;
}

uint32_t page_name(struct page_names *names, const char *text)
{
        if (!text)
                text = "unknown";

        size_t length = strnlen(text, TEXT_MAX);
        while (length == TEXT_MAX && length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
                length--; /* not within a character */
        uint64_t hash = hash_of(text, length);
        uint32_t found = page_map_get(&names->by_text, hash, length);
        if (found != PAGE_NONE && strncmp(names->texts[found], text, length) == 0)
                return found;
        if (names->bytes > ALL_TEXTS_MAX && strcmp(text, FURTHER) != 0)
                return page_name(names, FURTHER);

        uint32_t number = (uint32_t)names->count;
        if (!page_grow(&names->texts, &names->capacity, names->count, sizeof *names->texts))
                return PAGE_NONE;
        char *copy = strndup(text, length);
        if (!copy)
                return PAGE_NONE;
        if (!page_map_put(&names->by_text, hash, length, number)) {
                free(copy);
                return PAGE_NONE;
        }
        names->texts[names->count++] = copy;
        names->bytes += length;
        return number;
}

uint32_t page_name_lasting(struct page_names *names, const char *text)
{
        uint32_t number = page_map_get(&names->by_address, (uintptr_t)text, 0);

        if (number == PAGE_NONE) {
                number = page_name(names, text);
                if (number != PAGE_NONE && !page_map_put(&names->by_address, (uintptr_t)text, 0, number))
                        return PAGE_NONE;
        }
        return number;
}

void page_names_forget(struct page_names *names)
{
        page_map_free(&names->by_address);
}

void page_names_free(struct page_names *names)
{
        for (size_t i = 0; i < names->count; i++)
                free(names->texts[i]);
        free(names->texts);
        page_map_free(&names->by_text);
        page_map_free(&names->by_address);
        *names = (struct page_names){0};
}

void page_json_text(FILE *file, const char *text)
{
        fputc('"', file);
        for (const char *p = text; *p; p++) {
                unsigned char c = (unsigned char)*p;
                if (c == '"' || c == '\\')
                        fprintf(file, "\\%c", c);
                else if (c < 0x20)
                        fprintf(file, "\\u%04x", c);
                else
                        fputc(c, file);
        }
        fputc('"', file);
}
