/* Recordings in tests: made, opened, and looked through. */
#ifndef TESTS_API_RECORDED_H
#define TESTS_API_RECORDED_H

#include <plait/plait.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/test.h"

__attribute__((unused)) static char path[64];

/* A name for a recording. */
static inline const char *new_path(void)
{
        snprintf(path, sizeof path, "/tmp/plait-test-trace-XXXXXX");
        int fd = CHECK_SYS(mkstemp(path));
        close(fd);
        return path;
}

static inline struct plait_recording *opened(void)
{
        struct plait_recording *recording = NULL;

        CHECK_INT(plait_recording_open(&recording, path), ==, 0);
        return recording;
}

static inline struct plait_recording_info info_of(const struct plait_recording *recording)
{
        struct plait_recording_info info = {.size = sizeof info};

        CHECK_INT(plait_recording_get_info(recording, &info), ==, 0);
        return info;
}

/* The next event of *kind*; with *text* if that is not NULL. False: there is none. */
static inline bool find(struct plait_recording *recording, enum plait_recording_kind kind, const char *text,
                        struct plait_recording_event *ret)
{
        struct plait_recording_event event = {0};

        while (CHECK_OK(plait_recording_next(recording, &event))) {
                if (event.kind == kind && (!text || (event.text && strcmp(event.text, text) == 0))) {
                        *ret = event;
                        return true;
                }
        }
        return false;
}

/* The next event of a kind of that flow; there is one. */
static inline struct plait_recording_event next_of(struct plait_recording *recording, enum plait_recording_kind kind,
                                                   uint64_t flow)
{
        struct plait_recording_event event;

        do
                CHECK(find(recording, kind, NULL, &event));
        while (event.flow != flow);
        return event;
}

/* The first such event of the recording. */
static inline struct plait_recording_event first(struct plait_recording *recording, enum plait_recording_kind kind,
                                                 const char *text)
{
        struct plait_recording_event event;

        plait_recording_rewind(recording);
        if (!find(recording, kind, text, &event))
                FAIL("no event '%s' with text '%s'", plait_recording_kind_name(kind), text ? text : "(any)");
        return event;
}

static inline uint64_t count(struct plait_recording *recording, enum plait_recording_kind kind, const char *text)
{
        struct plait_recording_event event;
        uint64_t n = 0;

        plait_recording_rewind(recording);
        while (find(recording, kind, text, &event))
                n++;
        return n;
}

static inline const char *cause_of(const struct plait_recording *recording, const struct plait_recording_event *event)
{
        return plait_recording_cause(recording, event->process, event->cause);
}

/* Record *app*, and open what there is. */
static inline struct plait_recording *record(int (*app)(void *arg), void *arg)
{
        struct plait_trace_status status = {.size = sizeof status};

        CHECK_INT(plait_trace_start(new_path(), NULL), ==, 0);
        CHECK_INT(plait_run(app, arg, NULL), ==, 0);
        CHECK_INT(plait_trace_stop(&status), ==, 0);
        CHECK_UINT(status.dropped, ==, 0);
        CHECK_UINT(status.events, >, 0);
        return opened();
}

static inline void done(struct plait_recording *recording)
{
        plait_recording_close(recording);
        unlink(path);
}

#endif
