/*
 * plait net: what is wrong with the network, in one verdict.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <plait/run.h>
#include <plait/scope.h>
#include <plait/task.h>
#include <plait/time.h>

#include "command.h"
#include "fetch/signals.h"
#include "net/conductor.h"
#include "net/report.h"
#include "term/terminal.h"

enum { EXIT_UNKNOWN = 3 };

struct net {
        struct net_options options;
        struct net_target target;
        struct net_style style;
        struct signals signals;
        enum net_code last; /* of --watch: the verdict before */
        unsigned rounds;
        int write_error; /* why standard output could not be written; 0: it could */
        int code;
};

/* A single layer is fine when nothing in it fails, whatever is not known of the others. */
static void settle_view(const struct net *net, struct net_result *result)
{
        if (net->options.view != NET_VIEW_ALL && result->verdict.finding.code == NET_UNDECIDED) {
                result->verdict.finding.code = NET_HEALTHY;
                result->verdict.why[0] = 0;
        }
}

static int exit_code_of(enum net_code code)
{
        return code == NET_HEALTHY ? EXIT_OK : code == NET_UNDECIDED ? EXIT_UNKNOWN : EXIT_FAILED;
}

/* The verdict is on its way: says on a terminal what it looks like so far. */
static void show_provisional(const struct net_result *result, void *arg)
{
        const struct net *net = arg;
        struct net_style style = net->style;

        if (net->options.json || net->options.view != NET_VIEW_ALL)
                return;
        style.color = !style.plain && terminal_has_color(STDERR_FILENO);
        fputs("so far: ", stderr);
        net_report_line(result, &style, stderr);
        fputs("waiting for answers that take longer ...\n", stderr);
}

static void show(struct net *net, const struct net_result *result)
{
        bool changed = net->rounds == 1 || net->last != result->verdict.finding.code;
        int r = 0;

        errno = 0;
        if (net->options.json) {
                r = net_report_json(result, stdout);
        } else if (net->options.view != NET_VIEW_ALL) {
                net_report_view(result, net->options.view, &net->style, stdout);
        } else if (!net->options.watch || (changed && !net->style.plain)) {
                net_report_print(result, &net->style, stdout);
        } else {
                net_report_line(result, &net->style, stdout);
        }
        if (fflush(stdout) != 0 || ferror(stdout) || r < 0)
                net->write_error = errno ? errno : EIO;
}

/* In front of each round of --watch: when it was. */
static void print_time(const struct net *net)
{
        char text[32];
        struct tm tm;
        time_t now = time(NULL);

        if (net->options.json || !localtime_r(&now, &tm))
                return;
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
        printf("%s ", text);
}

static int round_of(struct net *net)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct net_result result;

        int r = net_conduct(&net->options, &net->target, &scope, show_provisional, net, &result);
        if (r < 0)
                return r;
        settle_view(net, &result);
        net->rounds++;
        net->code = exit_code_of(result.verdict.finding.code);
        if (net->options.watch)
                print_time(net);
        show(net, &result);
        net->last = result.verdict.finding.code;
        net_result_done(&result);
        return 0;
}

/* Repeats at fixed times, whatever a round takes. */
static int rounds(void *arg)
{
        struct net *net = arg;
        int64_t next = plait_now_ns();
        int r = round_of(net);

        while (r == 0 && net->options.watch && !net->write_error) {
                int64_t now = plait_now_ns();
                while (next <= now)
                        next += net->options.interval_ns;
                r = plait_sleep(next);
                if (r == 0)
                        r = round_of(net);
        }
        return r;
}

/* Everything is in one scope, so that Ctrl-C can end it. */
static int app(void *arg)
{
        struct net *net = arg;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_task_opts opts = {.size = sizeof opts, .name = "diagnosis", .stack_bytes = 256 << 10};
        int r = plait_scope_open(&scope);

        if (r < 0)
                return r;
        if (signals_watch(&net->signals, &scope) != 0)
                plait_scope_cancel(&scope);
        r = plait_scope_start(&scope, rounds, net, &opts, NULL);
        int joined = plait_scope_join(&scope);
        signals_watch(&net->signals, NULL);
        return r < 0 ? r : joined;
}

static int complain(const char *what, int r)
{
        fprintf(stderr, "plait net: cannot %s: %s\n", what, strerrordesc_np(-r));
        return EXIT_FAILED;
}

int net_main(int argc, char **argv)
{
        struct net net = {.code = EXIT_FAILED};
        struct plait_run_opts run = {.size = sizeof run, .name = "net", .stack_bytes = 64 << 10};
        const char *why = NULL;

        net_options_parse(&net.options, argc, argv);
        if (net_target_parse(net.options.target, &net.target, &why) < 0) {
                fprintf(stderr,
                        "plait net: '%s' is no target: %s\nplait net: try HOST, HOST:PORT or http://HOST/PATH\n",
                        net.options.target, why);
                return EXIT_USAGE;
        }
        net.style = net_style_of(&net.options);
        int r = signals_start(&net.signals);
        if (r < 0)
                return complain("start a thread", r);
        r = plait_run(app, &net, &run);
        int signal_number = signals_stop(&net.signals);
        if (signal_number)
                return 128 + signal_number;
        if (net.write_error)
                return net.write_error == EPIPE ? EXIT_FAILED : complain("write the result", -net.write_error);
        return r < 0 && r != -ECANCELED ? complain("diagnose", r) : net.code;
}
