/*
 * `plait demo`: the same pages, downloaded in several ways, and what each took.
 */
#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <plait/base.h>
#include <plait/trace.h>

#include "command.h"
#include "demo/page.h"
#include "demo/part.h"
#include "demo/site.h"
#include "demo/strategy.h"
#include "demo/timeline.h"
#include "term/json.h"
#include "term/table.h"
#include "term/terminal.h"
#include "term/text.h"

enum key {
        KEY_JSON = 256,
        KEY_PAGE,
        KEY_PART,
        KEY_PORT,
};

struct options {
        bool json;
        const char *page; /* where the page of a recording goes; NULL: none is made */
        const char *part; /* this process is only a part: the site or a strategy */
        unsigned port;
};

static const struct argp_option known[] = {
        {"json", KEY_JSON, NULL, 0, "One JSON document in place of the table", 0},
        {"page", KEY_PAGE, "FILE", 0,
         "Write the page of the tasks' run to FILE; " TIMELINE_PAGE " without this, and none with --json", 0},
        {"part", KEY_PART, "NAME", OPTION_HIDDEN, NULL, 0},
        {"port", KEY_PORT, "PORT", OPTION_HIDDEN, NULL, 0},
        {0},
};

static const char doc[] = "Download 160 pages that take 50 ms each from a small site on this machine: one after the "
                          "other, with threads, with processes and with tasks. Then add up squares, which is computing "
                          "only, in the same ways. It takes some fifteen seconds."
                          "\v"
                          "Examples:\n"
                          "  plait demo\n"
                          "  plait demo --json\n"
                          "\n"
                          "Exit status: 0 all well, 1 something failed, 2 wrong usage. plait-demo(1) tells all.";

static error_t parse(int key, char *arg, struct argp_state *state)
{
        struct options *options = state->input;

        switch (key) {
        case KEY_JSON: options->json = true; break;
        case KEY_PAGE: options->page = arg; break;
        case KEY_PART: options->part = arg; break;
        case KEY_PORT: options->port = (unsigned)strtoul(arg, NULL, 10); break;
        case ARGP_KEY_ARG: argp_error(state, "it takes no arguments, but there is '%s'", arg); break;
        default: return ARGP_ERR_UNKNOWN;
        }
        return 0;
}

static int fail(const char *what, int r)
{
        fprintf(stderr, "plait demo: cannot %s: %s\n", what, strerrordesc_np(-r));
        return EXIT_FAILED;
}

static int measure(const struct experiment *experiment, size_t i, unsigned port, struct measure *ret)
{
        struct part part;
        char name[64];
        char line[128];

        snprintf(name, sizeof name, "%s/%s", experiment->name, experiment->ways[i].name);
        plait_trace_message(name); /* where it is recorded, this process is, so those that it starts join in */
        int r = part_start(&part, name, port);
        if (r < 0)
                return fail("start a process", r);
        r = part_read(&part, line, sizeof line);
        int code = part_end(&part);
        if (code == EXIT_OK && (r < 0 || strategy_parse(line, ret) < 0))
                return fail("read what it took", -EPROTO);
        return code;
}

static int measure_all(const struct experiment *experiment, unsigned port, struct measure *measures)
{
        bool live = terminal_is_live(STDERR_FILENO);

        for (size_t i = 0; i < experiment->count; i++) {
                if (live)
                        fprintf(stderr, "\r\033[K%d %s, %s ...", experiment->items, experiment->item,
                                experiment->ways[i].what);
                int code = measure(experiment, i, port, &measures[i]);
                if (live)
                        fputs("\r\033[K", stderr);
                if (code != EXIT_OK)
                        return code;
        }
        return EXIT_OK;
}

static double speedup(const struct measure *measures, size_t i)
{
        return measures[i].wall_s > 0 ? measures[0].wall_s / measures[i].wall_s : 0;
}

static void add_json(struct json *json, const struct experiment *experiment, const struct measure *measures)
{
        json_open(json, experiment->name, '[');
        for (size_t i = 0; i < experiment->count; i++) {
                json_open(json, NULL, '{');
                json_string(json, "name", experiment->ways[i].name);
                json_number(json, "wall_s", measures[i].wall_s);
                json_number(json, "cpu_s", measures[i].cpu_s);
                json_integer(json, "peak_rss_bytes", measures[i].peak_rss_bytes);
                json_number(json, "speedup", speedup(measures, i));
                json_close(json, '}');
        }
        json_close(json, ']');
}

static void print_json(const struct measure *io, const struct measure *cpu)
{
        struct json json = {0};

        json_open(&json, NULL, '{');
        json_integer(&json, "schema", 1);
        json_integer(&json, "pages", PAGES);
        json_integer(&json, "latency_ms", LATENCY_MS);
        add_json(&json, &downloads, io);
        add_json(&json, &squares, cpu);
        json_close(&json, '}');
        json_newline(&json);
        fwrite(json.text, 1, json.bytes, stdout);
        json_done(&json);
}

/* "40 % less" than *other*, "1.5 times the" or "as much": what *mine* is beside it. */
static const char *compare(double mine, double other, const char *of, char *buffer, size_t size)
{
        double ratio = other > 0 ? mine / other : 1;

        if (ratio < 0.97)
                snprintf(buffer, size, "%.0f %% less %s", (1 - ratio) * 100, of);
        else if (ratio <= 1.03)
                snprintf(buffer, size, "as much %s", of);
        else
                snprintf(buffer, size, "%.0f %% more %s", (ratio - 1) * 100, of);
        return buffer;
}

static size_t index_of(const struct experiment *experiment, const char *name)
{
        size_t i = 0;

        while (i + 1 < experiment->count && strcmp(experiment->ways[i].name, name) != 0)
                i++;
        return i;
}

static void print_sentence(const struct measure *measures)
{
        const size_t with_threads = index_of(&downloads, "threads-160"), with_tasks = index_of(&downloads, "tasks");
        const struct measure *threads = &measures[with_threads];
        const struct measure *tasks = &measures[with_tasks];
        char cpu[64];
        char memory[64];

        printf("\nTasks waited for all pages at once and were %.0f times as fast as one page after the other;\n"
               "they took %s and %s than 160 threads, which were %.0f times as fast.\n",
               speedup(measures, with_tasks), compare(tasks->cpu_s, threads->cpu_s, "processor time", cpu, sizeof cpu),
               compare((double)tasks->peak_rss_bytes, (double)threads->peak_rss_bytes, "memory", memory, sizeof memory),
               speedup(measures, with_threads));
}

static void print_table(const struct experiment *experiment, const struct measure *measures)
{
        struct table table = {.columns = 5, .right = {false, true, true, true, true}};
        char text[32];

        table_row(&table);
        table_cell(&table, 0, "strategy");
        table_cell(&table, 1, "wall time");
        table_cell(&table, 2, "CPU time");
        table_cell(&table, 3, "speed-up");
        table_cell(&table, 4, "peak memory");
        for (size_t i = 0; i < experiment->count; i++) {
                table_row(&table);
                table_cell(&table, 0, "%s", experiment->ways[i].what);
                table_cell(&table, 1, "%s", text_seconds(measures[i].wall_s, text, sizeof text));
                table_cell(&table, 2, "%s", text_seconds(measures[i].cpu_s, text, sizeof text));
                table_cell(&table, 3, "%.1fx", speedup(measures, i));
                table_cell(&table, 4, "%s", text_bytes((double)measures[i].peak_rss_bytes, text, sizeof text));
        }
        table_print(&table, stdout, terminal_has_color(STDOUT_FILENO));
}

static void print_both(const struct measure *io, const struct measure *cpu)
{
        printf("%d pages from a site on this machine, %d ms each\n\n", PAGES, LATENCY_MS);
        print_table(&downloads, io);
        print_sentence(io);
        printf("\n%d sums of squares, which is computing only, on %u processors\n\n", squares.items,
               squares_processors());
        print_table(&squares, cpu);
        printf("\nWhat computes is as many times as fast as there are processors, at most: threads were %.1f, tasks "
               "%.1f and\n"
               "processes %.1f times as fast as one sum after the other.\n",
               speedup(cpu, index_of(&squares, "threads")), speedup(cpu, index_of(&squares, "tasks")),
               speedup(cpu, index_of(&squares, "processes")));
}

/* The page is an extra: without it the demonstration has still shown what it is about. */
static void show_page(unsigned port, const char *page, bool json)
{
        char message[512];

        if (timeline_make(port, page, message, sizeof message) < 0)
                fprintf(stderr, "plait demo: there is no page: %s\n", message);
        else if (!json)
                printf("\nWhat the tasks did, on a timeline (open it in a browser): %s\n", page);
}

static int demonstrate(bool json, const char *page)
{
        struct measure io[STRATEGIES_MAX] = {{0}};
        struct measure cpu[STRATEGIES_MAX] = {{0}};
        struct part site;
        char line[32];

        int r = part_start(&site, "site", 0);
        if (r < 0)
                return fail("start the site", r);
        r = part_read(&site, line, sizeof line);
        unsigned port = r < 0 ? 0 : (unsigned)strtoul(line, NULL, 10);
        int code = r < 0 ? fail("start the site", r) : measure_all(&downloads, port, io);
        if (code == EXIT_OK)
                code = measure_all(&squares, 0, cpu);
        if (code == EXIT_OK) {
                if (json)
                        print_json(io, cpu);
                else
                        print_both(io, cpu);
                fflush(stdout);
                if (page)
                        show_page(port, page, json);
        }
        part_end(&site);
        return code;
}

int demo_main(int argc, char **argv)
{
        static const struct argp argp = {.options = known, .parser = parse, .doc = doc};
        struct options options = {.json = false};

        argp_err_exit_status = EXIT_USAGE;
        argp_program_version = "plait " PLAIT_VERSION;
        argp_parse(&argp, argc, argv, 0, NULL, &options);
        if (!options.page && !options.json)
                options.page = TIMELINE_PAGE;
        if (!options.part)
                return demonstrate(options.json, options.page);
        if (strcmp(options.part, "site") == 0)
                return site_serve();
        return strategy_run(options.part, options.port);
}
