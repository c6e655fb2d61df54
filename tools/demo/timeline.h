/*
 * The page of the demonstration: the tasks' downloads once more, recorded.
 */
#ifndef DEMO_TIMELINE_H
#define DEMO_TIMELINE_H

#include <stddef.h>

/* Where the page goes unless told otherwise. */
#define TIMELINE_PAGE "plait-demo.html"

/*
 * Downloads the pages of the site at *port* with tasks, records it, and writes the recording's page to *out_path*.
 * Returns 0 or a negative errno; *message* then says what went wrong.
 */
int timeline_make(unsigned port, const char *out_path, char *message, size_t size);

#endif
