/*
 * `plait top`: the tasks of a running program, watched.
 */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <plait/base.h>

#include "command.h"
#include "term/terminal.h"
#include "top/draw.h"
#include "top/screen.h"

struct options {
        const char *target;
        double delay_s;
        unsigned long count; /* 0: for ever */
        enum top_order order;
        bool batch;
};

struct top {
        struct options *options;
        struct inspect_program program;
        struct inspect_picture picture;
        struct unwinder *unwinder;
        struct words words;
        struct rates rates;
        struct inspect_tuners tuners;
        bool live, paused;
        unsigned long shown;
};

static const struct argp_option known[] = {
        {"delay", 'd', "SECONDS", 0, "Time from one picture to the next (2)", 0},
        {"batch", 'b', NULL, 0, "Plain text, one picture after the other, for logs", 0},
        {"count", 'n', "N", 0, "End after N pictures", 0},
        {"sort", 's', "KEY", 0, "By run (share of the time on a worker), wait (the longest first), id or name", 0},
        {0},
};

static const char doc[] =
        "Watch the tasks of a running program that uses plait: how many are in which state, what they wait for, how "
        "long "
        "those that can run wait for their turn, which of them the workers spend their time on, and which have waited "
        "longest. The program is neither stopped nor made to run anything."
        "\v"
        "Keys: q quits, s changes the order, p pauses.\n"
        "\n"
        "Examples:\n"
        "  plait top 4711\n"
        "  plait top --batch -n 10 -d 1 4711 >top.log\n"
        "\n"
        "Exit status: 0 all well, 1 it cannot be read, 2 wrong usage. plait-top(1) tells all.";

static int64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void draw(struct top *top)
{
        struct top_view view = {.words = &top->words,
                                .picture = &top->picture,
                                .rates = &top->rates,
                                .tuners = &top->tuners,
                                .order = top->options->order,
                                .live = top->live,
                                .color = top->live && terminal_has_color(STDOUT_FILENO),
                                .paused = top->paused};

        screen_size(&view.rows, &view.columns);
        top_draw(&view);
}

/* False: quit. */
static bool handle_key(struct top *top, char key)
{
        switch (key) {
        case 'q':
        case 'Q': return false;
        case 's': top->options->order = (enum top_order)((top->options->order + 1) % TOP_ORDERS); break;
        case 'p':
        case ' ': top->paused = !top->paused; break;
        default: return true;
        }
        if (top->shown)
                draw(top);
        return true;
}

/* Sample the workers until *deadline_ns*. 1: go on, 0: quit, -1: *error*. */
static int watch(struct top *top, int64_t deadline_ns, struct inspect_error *error)
{
        for (int64_t next_ns = now_ns(); next_ns < deadline_ns || top->paused;) {
                char key = 0;

                if (!top->paused && rates_sample(&top->rates, &top->program, now_ns(), error) < 0)
                        return -1;
                next_ns += RATES_SAMPLE_NS;
                if (next_ns < now_ns()) /* it was stopped, or the machine is busy */
                        next_ns = now_ns() + RATES_SAMPLE_NS;
                enum screen_event event = screen_wait(next_ns, &key);
                if (event == SCREEN_END || (event == SCREEN_KEY && !handle_key(top, key)))
                        return 0;
                if ((event == SCREEN_RESIZED || event == SCREEN_RESUMED) && top->shown)
                        draw(top);
        }
        return 1;
}

static int show_next(struct top *top, struct inspect_error *error)
{
        rates_begin(&top->rates, now_ns());
        int r = watch(top, now_ns() + (int64_t)(top->options->delay_s * 1e9), error);
        if (r <= 0)
                return r;
        inspect_picture_done(&top->picture);
        if (inspect_take(&top->program, PICTURE_THREADS, NULL, &top->picture, error) < 0)
                return -1;
        inspect_take_tuners(&top->program, &top->tuners);
        words_turn_to(&top->words, &top->picture);
        top->shown++;
        draw(top);
        return 1;
}

static int open_program(struct top *top, struct inspect_error *error)
{
        int r = inspect_program_open(&top->program, top->options->target, error);

        if (r < 0)
                return r;
        if (!top->program.memory.live)
                return inspect_fail(error, "'%s' is a core file, in which nothing moves any more: use plait ps",
                                    top->options->target);
        top->unwinder = unwinder_new(&top->program.memory);
        words_init(&top->words, &top->program, top->unwinder);
        return 0;
}

static int run(struct top *top)
{
        struct inspect_error error;
        int r = open_program(top, &error);

        if (r == 0 && !screen_enter(top->live))
                r = inspect_fail(&error, "this is no terminal that can be drawn on: use --batch");
        if (r == 0)
                do
                        r = show_next(top, &error);
                while (r > 0 && (!top->options->count || top->shown < top->options->count));
        screen_leave();
        if (r >= 0)
                return EXIT_OK;
        fprintf(stderr, "plait top: %s\n", error.text);
        return top->shown && !inspect_is_alive(&top->program.memory) ? EXIT_OK : EXIT_FAILED;
}

static double parse_delay(const char *text, struct argp_state *state)
{
        char *end;
        double delay = strtod(text, &end);

        if (*end || end == text || !(delay >= 0.05 && delay <= 86400))
                argp_error(state, "--delay is a number of seconds from 0.05 on, not '%s'", text);
        return delay;
}

static enum top_order parse_order(const char *text, struct argp_state *state)
{
        for (int i = 0; i < TOP_ORDERS; i++)
                if (strcmp(text, top_order_name((enum top_order)i)) == 0)
                        return (enum top_order)i;
        argp_error(state, "--sort is run, wait, id or name, not '%s'", text);
        return TOP_RUN;
}

static unsigned long parse_count(const char *text, struct argp_state *state)
{
        char *end;
        unsigned long count = strtoul(text, &end, 10);

        if (*end || end == text || *text == '-' || count == 0)
                argp_error(state, "--count is a number from 1 on, not '%s'", text);
        return count;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
        struct options *options = state->input;

        switch (key) {
        case 'd': options->delay_s = parse_delay(arg, state); break;
        case 'b': options->batch = true; break;
        case 'n': options->count = parse_count(arg, state); break;
        case 's': options->order = parse_order(arg, state); break;
        case ARGP_KEY_ARG:
                if (options->target)
                        argp_error(state, "one process at a time, but there is '%s', too", arg);
                options->target = arg;
                break;
        case ARGP_KEY_NO_ARGS: argp_error(state, "which program? Give the number of a process"); break;
        default: return ARGP_ERR_UNKNOWN;
        }
        return 0;
}

int top_main(int argc, char **argv)
{
        static const struct argp argp = {.options = known, .parser = parse, .args_doc = "PID", .doc = doc};
        struct options options = {.delay_s = 2};
        struct top top = {.options = &options};

        argp_err_exit_status = EXIT_USAGE;
        argp_program_version = "plait " PLAIT_VERSION;
        argp_parse(&argp, argc, argv, 0, NULL, &options);
        top.live = !options.batch;
        int code = run(&top);
        rates_done(&top.rates);
        words_done(&top.words);
        inspect_picture_done(&top.picture);
        unwinder_free(top.unwinder);
        inspect_program_close(&top.program);
        return code;
}
