/*
 * What becomes of a recording.
 */
#include "trace/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "term/terminal.h"
#include "term/text.h"
#include "trace/model.h"
#include "trace/page.h"

extern char **environ;

static bool ends_in(const char *path, const char *end)
{
        size_t length = strlen(path), most = strlen(end);

        return length > most && strcmp(path + length - most, end) == 0;
}

enum output_kind output_kind_of(const char *path)
{
        if (ends_in(path, ".html") || ends_in(path, ".htm"))
                return OUTPUT_PAGE;
        return ends_in(path, ".pftrace") ? OUTPUT_PERFETTO : OUTPUT_RECORDING;
}

/* The file takes its name when it is whole. */
static int write_perfetto(struct plait_recording *recording, const char *path, char *message, size_t size)
{
        char part[PATH_MAX];

        snprintf(part, sizeof part, "%s.part", path);
        int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        int r = fd < 0 ? -errno : plait_recording_perfetto(recording, fd);
        if (fd >= 0 && close(fd) < 0 && r == 0)
                r = -errno;
        if (r == 0 && rename(part, path) < 0)
                r = -errno;
        if (r < 0) {
                snprintf(message, size, "%s cannot be written: %s", path, strerrordesc_np(-r));
                if (fd >= 0)
                        unlink(part);
        }
        return r < 0 ? -1 : 0;
}

int output_make(enum output_kind kind, const char *from, const char *to, char *message, size_t size)
{
        struct model model;

        if (kind == OUTPUT_PAGE)
                return trace_page_write(from, to, NULL, NULL, message, size) < 0 ? -1 : 0;
        if (model_open(&model, from, message, size) < 0)
                return -1;
        int r = write_perfetto(model.recording, to, message, size);
        model_close(&model);
        return r;
}

/* Whether the process that made the file has ended as it should: then it has written the Perfetto trace, too. */
static bool is_complete(const struct model *model)
{
        const struct plait_recording_process *first = plait_recording_get_process(model->recording, 0);

        return first && first->ended;
}

int output_complete(const char *recording, char *message, size_t size)
{
        struct model model;
        int r = 0;

        if (model_open(&model, recording, message, size) < 0)
                return -1;
        if (!is_complete(&model) && !model.info.live) {
                int fd = open(recording, O_WRONLY | O_APPEND | O_CLOEXEC);

                r = fd < 0 ? -errno : plait_recording_perfetto(model.recording, fd);
                if (fd >= 0 && close(fd) < 0 && r == 0)
                        r = -errno;
                if (r < 0)
                        snprintf(message, size, "%s cannot be completed: %s", recording, strerrordesc_np(-r));
        }
        model_close(&model);
        return r < 0 ? -1 : 0;
}

/* As many as a summary has: not all that a lane tells is an event for itself, and some are told by none. */
static int count_events(struct plait_recording *recording, uint64_t *ret)
{
        struct plait_recording_event event;
        int r;

        *ret = 0;
        while ((r = plait_recording_next(recording, &event)) > 0)
                ++*ret;
        return r;
}

int output_report(const char *recording, char *message, size_t size)
{
        char events[32], dropped[32], time[32];
        struct model model;
        uint64_t n;

        if (model_open(&model, recording, message, size) < 0)
                return -1;
        int r = count_events(model.recording, &n);
        if (r < 0) {
                snprintf(message, size, "%s cannot be read: %s", recording, strerrordesc_np(-r));
                model_close(&model);
                return -1;
        }
        fprintf(stderr, "plait trace: %s events in %s, %s dropped\n", text_count(n, events, sizeof events),
                text_seconds((double)model.info.duration_ns / 1e9, time, sizeof time),
                model.info.dropped ? text_count(model.info.dropped, dropped, sizeof dropped) : "none");
        if (model.info.dropped)
                fputs("plait trace: so many are missing, since the rings were full (--ring makes them larger), or so "
                      "many "
                      "threads came and went that there was none for some\n",
                      stderr);
        if (model.info.torn)
                fputs("plait trace: its end is cut off: there was no room for it in the file, or the program was "
                      "killed\n",
                      stderr);
        if (!is_complete(&model) && !model.info.live)
                fputs("plait trace: the program did not end regularly; what it had recorded until then is there\n",
                      stderr);
        model_close(&model);
        return 0;
}

void output_show(const char *page)
{
        static const char *const variables[] = {"DISPLAY", "WAYLAND_DISPLAY"};
        char command[] = "xdg-open";
        char *argv[] = {command, (char *)(uintptr_t)page, NULL};
        bool desktop = false;
        pid_t pid;
        int status;

        for (size_t i = 0; i < 2; i++) {
                const char *value = getenv(variables[i]);

                desktop |= value && *value;
        }
        if (!desktop || !terminal_is_live(STDERR_FILENO))
                return;
        /* It hands the page to a browser and ends; without it, the name that was printed must do. */
        if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) == 0)
                while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                        ;
}
