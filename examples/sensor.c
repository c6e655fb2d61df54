/*
 * A sensor and who looks at its readings, with a bounded queue between them. What is to happen when the queue is full
 * is a decision: a file that is read can wait, a sensor cannot. Here is one of each. See docs/guide/sensor.md.
 */
#include <plait/plait.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { READINGS = 1000, ROOM = 10 };

struct line {
        struct plait_queue *readings; /* int: tenths of a degree */
        bool can_wait;
        int emitted, dropped;   /* the sensor's */
        int processed, highest; /* the processor's */
};

/* A day's temperature, up and down. */
static int measure(int i)
{
        const int phase = i % 200;

        return 150 + (phase < 100 ? phase : 200 - phase);
}

static int emit(void *arg)
{
        struct line *line = arg;
        int r = 0;

        for (int i = 0; i < READINGS && r == 0; i++) {
                const int reading = measure(i);

                r = plait_queue_put(line->readings, &reading, line->can_wait ? PLAIT_NEVER : 0);
                if (r == 0)
                        line->emitted++;
                if (r == -ETIMEDOUT && !line->can_wait) {
                        line->dropped++; /* the next reading is as good */
                        r = 0;
                }
        }
        plait_queue_shutdown(line->readings, 0); /* what is in it can still be gotten */
        return r;
}

static int process(void *arg)
{
        struct line *line = arg;
        int reading, r;

        while ((r = plait_queue_get(line->readings, &reading, PLAIT_NEVER)) == 0) {
                line->processed++;
                if (reading > line->highest)
                        line->highest = reading;
                plait_queue_task_done(line->readings);
                plait_yield(); /* as if it had more to do */
        }
        return r == -EPIPE ? 0 : r;
}

static int run(const char *what, struct line *line)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int r = plait_queue_new(sizeof(int), ROOM, NULL, &line->readings);

        if (r < 0)
                return r;
        plait_scope_go(&scope, process, line);
        plait_scope_go(&scope, emit, line);
        r = plait_scope_join(&scope);
        plait_queue_free(line->readings);
        if (r < 0)
                return r;
        printf("%s: every reading was processed or dropped: %s\n", what,
               line->processed == line->emitted && line->emitted + line->dropped == READINGS ? "yes" : "no");
        return 0;
}

static int app(void *arg)
{
        struct line file = {.can_wait = true}, sensor = {.can_wait = false};

        (void)arg;
        int r = run("a file", &file);
        if (r == 0)
                r = run("a sensor", &sensor);
        if (r < 0)
                return r;
        printf("a file: %d processed, none dropped, at most %d.%d degrees\n", file.processed, file.highest / 10,
               file.highest % 10);
        return file.dropped;
}

int main(void)
{
        return plait_run(app, NULL, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
