/*
 * The pages of the demonstration's site.
 */
#include "demo/page.h"

#include <stdio.h>
#include <string.h>

void page_write(unsigned number, char text[PAGE_BYTES])
{
        char line[64];
        size_t used = 0;

        for (unsigned i = 0; used < PAGE_BYTES; i++) {
                size_t bytes = (size_t)snprintf(line, sizeof line, "page %u, line %u: %08x\n", number, i,
                                                (number * 2654435761U) ^ (i * 40503U));
                if (bytes > PAGE_BYTES - used)
                        bytes = PAGE_BYTES - used;
                memcpy(text + used, line, bytes);
                used += bytes;
        }
}

bool page_is(unsigned number, const char *text, size_t bytes)
{
        char right[PAGE_BYTES];

        page_write(number, right);
        return bytes == PAGE_BYTES && memcmp(text, right, PAGE_BYTES) == 0;
}
