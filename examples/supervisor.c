/*
 * Keeps a program running: starts it again when it ends, waiting twice as long each time it ends early, says once in a
 * while how it is, and on SIGTERM or Ctrl-C has it end and ends itself.
 *
 * usage: supervisor PROGRAM [ARGUMENT...]
 */
#include <plait/plait.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPORT_MS = 1000, FIRST_PAUSE_MS = 50, LONGEST_PAUSE_MS = 5000 };

struct supervisor {
        const char *const *argv;
        struct plait_signals *signals;
        struct plait_child *child; /* NULL: it pauses */
        int64_t started_ns;
        int64_t again_ns; /* when to start it, if it pauses */
        int64_t pause_ms;
        unsigned starts;
};

static int start(struct supervisor *s, struct plait_scope *scope)
{
        const char *cause = "";
        struct plait_child_opts opts = {
                .size = sizeof opts, .flags = PLAIT_CHILD_GROUP, .grace_ns = INT64_C(2000000000), .ret_cause = &cause};
        int r = plait_child_start(scope, s->argv, &opts, &s->child);

        if (r < 0) {
                fprintf(stderr, "supervisor: cannot start %s: %s: %s\n", s->argv[0], cause, strerror(-r));
                return r;
        }
        s->started_ns = plait_now_ns();
        printf("start %u\n", ++s->starts);
        return 0;
}

/* Say how the child ended, and give its handle back. */
static void bury(struct supervisor *s)
{
        struct plait_child_status status = {.exit_code = -1};

        (void)!plait_child_wait(s->child, PLAIT_NEVER, &status);
        if (status.signal)
                printf("killed by signal %d\n", status.signal);
        else
                printf("exited with %d\n", status.exit_code);
        plait_child_free(s->child);
        s->child = NULL;
}

static void pause_before_restart(struct supervisor *s)
{
        if (plait_now_ns() - s->started_ns > LONGEST_PAUSE_MS * INT64_C(1000000))
                s->pause_ms = FIRST_PAUSE_MS; /* it ran for a while */
        s->again_ns = plait_in_ms(s->pause_ms);
        s->pause_ms = s->pause_ms * 2 < LONGEST_PAUSE_MS ? s->pause_ms * 2 : LONGEST_PAUSE_MS;
}

/* Until a signal comes. */
static int supervise(struct supervisor *s, struct plait_scope *scope)
{
        enum { SIGNAL, EXIT, RESTART, REPORT, CASES };
        int64_t report_ns = plait_in_ms(REPORT_MS);
        int r = start(s, scope);

        while (r == 0) {
                struct plait_signal_info signal;
                struct plait_case cases[CASES] = {
                        [SIGNAL] = plait_case_signal(s->signals, &signal),
                        [REPORT] = plait_case_at(report_ns),
                };

                if (s->child) /* a case that is all zeroes never happens */
                        cases[EXIT] = plait_case_child(s->child);
                else
                        cases[RESTART] = plait_case_at(s->again_ns);

                switch (plait_select(cases, CASES, PLAIT_NEVER)) {
                case SIGNAL: printf("signal %d: stopping\n", signal.number); return 0;
                case EXIT:
                        bury(s);
                        pause_before_restart(s);
                        break;
                case RESTART: r = start(s, scope); break;
                case REPORT:
                        printf("%s, %u starts\n", s->child ? "running" : "pausing", s->starts);
                        report_ns = plait_in_ms(REPORT_MS);
                        break;
                default: return -EIO;
                }
        }
        return r;
}

static int app(void *argv)
{
        struct supervisor s = {.argv = argv, .pause_ms = FIRST_PAUSE_MS};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int r = plait_signals_open((const int[]){SIGINT, SIGTERM}, 2, &s.signals);

        if (r < 0)
                return r;
        r = supervise(&s, &scope);
        if (s.child) {
                plait_child_stop(s.child);
                bury(&s);
        }
        plait_signals_close(s.signals);

        int joined = plait_scope_join(&scope);

        return r < 0 ? r : joined;
}

int main(int argc, char **argv)
{
        if (argc < 2) {
                fprintf(stderr, "usage: supervisor PROGRAM [ARGUMENT...]\n");
                return 2;
        }
        setvbuf(stdout, NULL, _IOLBF, 0);
        return plait_run(app, argv + 1, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
