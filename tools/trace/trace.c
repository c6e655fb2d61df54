/*
 * `plait trace`: what the tasks, threads and processes of a program did, and who held up whom.
 */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <plait/base.h>

#include "command.h"
#include "trace/attach.h"
#include "trace/launch.h"
#include "trace/output.h"
#include "trace/summary.h"

enum key {
        KEY_CONVERT = 256,
        KEY_JSON,
        KEY_NO_OPEN,
        KEY_RING,
        KEY_SUMMARY,
};

enum {
        LIMIT = 10,
        LIMIT_JSON = 100,
        MESSAGE = PATH_MAX + 512,
        SECONDS = 5,
        RING_MOST_KIB = 1 << 20,
        RING_LEAST_KIB = 64
};

struct options {
        const char *pid;
        const char *output;
        const char *file; /* a recording */
        char **program;
        int64_t duration_ns; /* 0: not given */
        uint64_t ring_kib;
        size_t limit;
        bool summary, json, convert, no_open;
};

static const struct argp_option known[] = {
        {"output", 'o', "FILE", 0,
         "Write FILE: a page (.html), a Perfetto trace (.pftrace), or else a recording; without it a Perfetto trace "
         "and a "
         "page are written, named after the program",
         1},
        {"pid", 'p', "PID", 0, "Record a program that runs already", 1},
        {"seconds", 's', "N", 0, "With --pid: for so long; 5 without this, and Ctrl-C ends it earlier", 1},
        {"ring", KEY_RING, "KIB", 0, "Room for events that are not yet written, of each worker; 4096 without this", 1},
        {"no-open", KEY_NO_OPEN, NULL, 0, "Do not open the page in a browser", 1},
        {"summary", KEY_SUMMARY, NULL, 0, "Say what is in a recording: where time went, and the longest waits", 2},
        {"json", KEY_JSON, NULL, 0, "The same as one JSON document", 2},
        {"limit", 'n', "N", 0, "So many rows of each table; 10 without this, 100 with --json", 2},
        {"convert", KEY_CONVERT, NULL, 0, "Make a page or a Perfetto trace of a recording: what --output names", 2},
        {0},
};

static const char doc[] =
        "Record what the tasks, threads and processes of a program that uses plait do, and show it: who ran where, who "
        "waited for what, how long, and who held it up. The program needs no change."
        "\v"
        "Examples:\n"
        "  plait trace -- ./program --its-options\n"
        "  plait trace -o out.html -- ./program\n"
        "  plait trace --pid 4711 --seconds 5\n"
        "  plait trace --summary program-trace.pftrace\n"
        "  plait trace --json program-trace.pftrace | jq '.waits[0]'\n"
        "  plait trace --convert killed.trace -o killed.pftrace\n"
        "\n"
        "Exit status: with a program, its own; else 0 all well, 1 something failed, 2 wrong usage. plait-trace(1) "
        "tells "
        "all.";

/* --- the command line --- */

static uint64_t parse_number(const char *text, uint64_t least, uint64_t most, const char *option,
                             struct argp_state *state)
{
        char *end;

        errno = 0;
        unsigned long long number = strtoull(text, &end, 10);
        if (errno || *end || end == text || *text == '-' || number < least || number > most)
                argp_error(state, "%s is a number from %" PRIu64 " to %" PRIu64 ", not '%s'", option, least, most,
                           text);
        return number;
}

static int64_t parse_seconds(const char *text, struct argp_state *state)
{
        char *end;
        double seconds = strtod(text, &end);

        if (*end || end == text || !isfinite(seconds) || seconds < 0.001 || seconds > 1e6)
                argp_error(state, "--seconds is a number from 0.001 to 1000000, not '%s'", text);
        return (int64_t)(seconds * 1e9);
}

static void parse_argument(struct options *options, char *arg, struct argp_state *state)
{
        if (options->summary || options->json || options->convert) {
                if (options->file)
                        argp_error(state, "one recording at a time, but there is '%s', too", arg);
                options->file = arg;
                return;
        }
        options->program = &state->argv[state->next - 1];
        state->next = state->argc;
}

static void check(const struct options *options, struct argp_state *state)
{
        bool reads = options->summary || options->json || options->convert;

        if (reads && options->pid)
                argp_error(state, "--pid makes a recording, and --summary, --json and --convert read one");
        if (reads && !options->file)
                argp_error(state, "which recording? Give the name of its file");
        if (!reads && options->pid && options->program)
                argp_error(state, "either --pid or a program");
        if (!reads && !options->pid && !options->program)
                argp_error(state, "what is to be recorded? Give a program, after '--', or --pid; or a recording to "
                                  "--summary, --json or --convert");
        if (options->duration_ns && !options->pid)
                argp_error(state, "--seconds goes with --pid: a program is recorded to its end");
        if (options->convert && (options->summary || options->json))
                argp_error(state, "--convert goes without --summary and --json");
        if (options->convert && (!options->output || output_kind_of(options->output) == OUTPUT_RECORDING))
                argp_error(state,
                           "--convert needs --output, the name of a page (.html) or a Perfetto trace (.pftrace)");
        if ((options->summary || options->json) && options->output)
                argp_error(state, "--summary and --json write to standard output");
        if ((options->ring_kib || options->no_open) && reads)
                argp_error(state, "%s is for making a recording", options->ring_kib ? "--ring" : "--no-open");
        if (options->limit && !options->summary && !options->json)
                argp_error(state, "--limit goes with --summary and --json");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
        struct options *options = state->input;

        switch (key) {
        case 'o': options->output = arg; break;
        case 'p': options->pid = arg; break;
        case 's': options->duration_ns = parse_seconds(arg, state); break;
        case 'n': options->limit = parse_number(arg, 1, 1000000, "--limit", state); break;
        case KEY_RING: options->ring_kib = parse_number(arg, RING_LEAST_KIB, RING_MOST_KIB, "--ring", state); break;
        case KEY_NO_OPEN: options->no_open = true; break;
        case KEY_SUMMARY: options->summary = true; break;
        case KEY_JSON: options->json = true; break;
        case KEY_CONVERT: options->convert = true; break;
        case ARGP_KEY_ARG: parse_argument(options, arg, state); break;
        case ARGP_KEY_END: check(options, state); break;
        default: return ARGP_ERR_UNKNOWN;
        }
        return 0;
}

static int fail(const char *message)
{
        fprintf(stderr, "plait trace: %s\n", message);
        return EXIT_FAILED;
}

/* --- reading a recording --- */

static int summarize(const struct options *options)
{
        struct summary summary;
        char message[MESSAGE];
        size_t limit = options->limit ? options->limit : options->json ? LIMIT_JSON : LIMIT;
        int code = EXIT_OK;

        if (summary_make(&summary, options->file, limit, message, sizeof message) < 0)
                code = fail(message);
        else if (options->json && summary_json(&summary, stdout) < 0)
                code = fail("out of memory");
        else if (!options->json)
                summary_text(&summary, options->file, stdout);
        summary_done(&summary);
        return code;
}

static int convert(const struct options *options)
{
        enum output_kind kind = output_kind_of(options->output);
        struct stat from, to;
        char message[MESSAGE];

        if (stat(options->file, &from) == 0 && stat(options->output, &to) == 0 && from.st_dev == to.st_dev &&
            from.st_ino == to.st_ino)
                return fail("--output is the recording itself: give it another name");
        return output_make(kind, options->file, options->output, message, sizeof message) < 0 ? fail(message) : EXIT_OK;
}

/* --- making one --- */

/* The files that are made. *recording* is absolute: the program may be elsewhere. */
struct files {
        char recording[PATH_MAX];
        char page[PATH_MAX];  /* "": none */
        char shown[PATH_MAX]; /* the recording, as people name it; "": it goes when the page is made */
};

/* Relative to the working directory, whose name there may be none of any more. */
static bool make_absolute(const char *path, char *to, size_t size)
{
        char folder[PATH_MAX];
        int n;

        if (*path == '/')
                n = snprintf(to, size, "%s", path);
        else
                n = getcwd(folder, sizeof folder) ? snprintf(to, size, "%s/%s", folder, path) : -1;
        return n > 0 && (size_t)n < size;
}

static bool name_files(const struct options *options, const char *program, struct files *files)
{
        const char *base = strrchr(program, '/') ? strrchr(program, '/') + 1 : program;
        const char *output = options->output;
        char name[PATH_MAX];
        int n;

        *files = (struct files){.page = ""};
        if (!output)
                n = snprintf(name, sizeof name, "%s-trace.pftrace", base);
        else if (output_kind_of(output) == OUTPUT_PAGE)
                n = snprintf(name, sizeof name, "%s.recording", output);
        else
                n = snprintf(name, sizeof name, "%s", output);
        if (n < 0 || (size_t)n >= sizeof name || !make_absolute(name, files->recording, sizeof files->recording))
                return false;
        if (!output)
                snprintf(files->page, sizeof files->page, "%.*s.html", (int)(strlen(name) - strlen(".pftrace")), name);
        else if (output_kind_of(output) == OUTPUT_PAGE)
                snprintf(files->page, sizeof files->page, "%s", output);
        if (!output || output_kind_of(output) != OUTPUT_PAGE)
                memcpy(files->shown, name, sizeof name);
        return true;
}

static void show(const char *what, const char *path)
{
        fprintf(stderr, "plait trace: %s: %s\n", what, path);
}

/* What the recording is made into, once the program has ended or the time is over. */
static int finish(const struct options *options, const struct files *files)
{
        char message[MESSAGE];
        bool perfetto = output_kind_of(files->recording) == OUTPUT_PERFETTO;

        if (output_report(files->recording, message, sizeof message) < 0 ||
            (perfetto && output_complete(files->recording, message, sizeof message) < 0))
                return fail(message);
        if (*files->shown)
                show(perfetto ? "recording, for --summary and the Perfetto UI" : "recording", files->shown);
        if (!*files->page)
                return EXIT_OK;
        if (output_make(OUTPUT_PAGE, files->recording, files->page, message, sizeof message) < 0)
                return fail(message);
        show("page", files->page);
        if (!*files->shown)
                unlink(files->recording);
        if (!options->no_open)
                output_show(files->page);
        return EXIT_OK;
}

/* Nobody has written to it in between. */
static bool is_same(const struct stat *before, const struct stat *after)
{
        return before->st_dev == after->st_dev && before->st_ino == after->st_ino &&
               before->st_size == after->st_size && before->st_mtim.tv_sec == after->st_mtim.tv_sec &&
               before->st_mtim.tv_nsec == after->st_mtim.tv_nsec;
}

static int run_program(const struct options *options)
{
        struct launch launched = {.argv = options->program, .ring_kib = options->ring_kib};
        struct stat before, after;
        struct files files;

        if (!name_files(options, options->program[0], &files))
                return fail("the name of the file is too long, or the working directory is gone");
        launched.recording = files.recording;
        bool existed = stat(files.recording, &before) == 0;
        if (!launch(&launched))
                return launched.code;
        if (stat(files.recording, &after) < 0 || (existed && is_same(&before, &after))) {
                fprintf(stderr, "plait trace: %s has recorded nothing: it does not use plait, or cannot write to %s\n",
                        options->program[0], files.recording);
                return launched.code ? launched.code : EXIT_FAILED;
        }
        if (after.st_size == 0) {
                fprintf(stderr, "plait trace: %s ended before it had recorded anything\n", options->program[0]);
                unlink(files.recording);
                return launched.code ? launched.code : EXIT_FAILED;
        }
        int code = finish(options, &files);
        return launched.code ? launched.code : code;
}

static int record_process(const struct options *options)
{
        char name[64], program[128], message[MESSAGE];
        struct files files;
        struct attach attached = {
                .pid = options->pid,
                .duration_ns = options->duration_ns ? options->duration_ns : SECONDS * INT64_C(1000000000),
                .ring_kib = options->ring_kib,
        };

        if (attach_name(options->pid, name, sizeof name, message, sizeof message) < 0)
                return fail(message);
        snprintf(program, sizeof program, "%s-%s", name, options->pid);
        if (!name_files(options, program, &files))
                return fail("the name of the file is too long, or the working directory is gone");
        attached.recording = files.recording;
        return attach(&attached, message, sizeof message) < 0 ? fail(message) : finish(options, &files);
}

int trace_main(int argc, char **argv)
{
        static const struct argp argp = {
                .options = known, .parser = parse, .args_doc = "-- PROGRAM [ARG...]\nFILE", .doc = doc};
        struct options options = {.pid = NULL};

        argp_err_exit_status = EXIT_USAGE;
        argp_program_version = "plait " PLAIT_VERSION;
        argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &options);
        if (options.summary || options.json)
                return summarize(&options);
        if (options.convert)
                return convert(&options);
        return options.pid ? record_process(&options) : run_program(&options);
}
