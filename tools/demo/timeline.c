/*
 * The page of the demonstration. It is made of a run of its own: what the table tells was not recorded.
 */
#include "demo/timeline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "demo/part.h"
#include "trace/page.h"

#define STRATEGY "io/tasks"

/* Runs the strategy with PLAIT_TRACE set for it alone. */
static int record(unsigned port, const char *recording, char *message, size_t size)
{
        const char *before = getenv("PLAIT_TRACE");
        char *kept = before ? strdup(before) : NULL;
        struct part part;
        char line[128];

        if (before && !kept)
                return -ENOMEM;
        setenv("PLAIT_TRACE", recording, 1);
        int r = part_start(&part, STRATEGY, port);
        if (kept)
                setenv("PLAIT_TRACE", kept, 1);
        else
                unsetenv("PLAIT_TRACE");
        free(kept);
        if (r == 0) {
                r = part_read(&part, line, sizeof line);
                if (part_end(&part) != EXIT_OK)
                        r = -EPROTO;
        }
        if (r < 0)
                snprintf(message, size, "the run to be recorded failed: %s", strerrordesc_np(-r));
        return r;
}

int timeline_make(unsigned port, const char *out_path, char *message, size_t size)
{
        const char *place = getenv("TMPDIR");
        char folder[512], recording[544];
        const struct page_options options = {.title = "plait demo"};

        snprintf(folder, sizeof folder, "%s/plait-demo-XXXXXX", place && *place ? place : "/tmp");
        if (!mkdtemp(folder)) {
                int r = -errno;
                snprintf(message, size, "%s: %s", folder, strerrordesc_np(-r));
                return r;
        }
        snprintf(recording, sizeof recording, "%s/recording", folder);
        int r = record(port, recording, message, size);
        if (r == 0)
                r = trace_page_write(recording, out_path, &options, NULL, message, size);
        unlink(recording);
        rmdir(folder);
        return r;
}
