/*
 * The command line of `plait fetch`.
 */
#include "fetch/options.h"

#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <plait/base.h>
#include <plait/tuner.h>

enum key {
        KEY_PER_HOST = 256,
        KEY_RATE,
        KEY_TIMEOUT,
        KEY_CONNECT_TIMEOUT,
        KEY_STALL_TIMEOUT,
        KEY_RETRIES,
        KEY_RESUME,
        KEY_SYNC,
        KEY_JSON,
        KEY_CACERT,
        KEY_MAX_REDIRECTS,
        KEY_HTTP1,
        KEY_HTTP2,
        KEY_RAW,
        KEY_UNMARKED,
};

static const struct argp_option known[] = {
        {NULL, 0, NULL, 0, "What to download, and where to:", 1},
        {"input", 'i', "FILE", 0, "Read URLs from FILE, one a line; '-' is standard input", 1},
        {"output", 'o', "DIR", 0,
         "Save into DIR, made if missing (default: here); '-' writes one URL to standard output", 1},
        {"resume", KEY_RESUME, NULL, 0, "Pass over what an earlier run saved in DIR", 1},
        {"sync", KEY_SYNC, NULL, 0, "Have each file on the disk before it gets its name", 1},

        {NULL, 0, NULL, 0, "How much at once:", 2},
        {"jobs", 'j', "N", 0, "Downloads at once (default 64); auto: as many as measurement finds to be of use", 2},
        {"per-host", KEY_PER_HOST, "N", 0, "Downloads at once from one host (default 8, with -j auto: auto)", 2},
        {"rate", KEY_RATE, "N/s", 0, "Begin at most N requests a second; also N/m, N/h", 2},

        {NULL, 0, NULL, 0, "How long, how often (times in seconds, or with ms, s, m, h):", 3},
        {"timeout", KEY_TIMEOUT, "TIME", 0, "Longest time for an attempt, redirects and body included (default: none)",
         3},
        {"connect-timeout", KEY_CONNECT_TIMEOUT, "TIME", 0,
         "Longest time to connect, name and TLS included (default 30)", 3},
        {"stall-timeout", KEY_STALL_TIMEOUT, "TIME", 0, "Longest silence of a server (default 60)", 3},
        {"retries", KEY_RETRIES, "N", 0, "Further attempts after failures that may pass (default 3)", 3},
        {"max-redirects", KEY_MAX_REDIRECTS, "N", 0, "Redirects to follow (default 10)", 3},

        {NULL, 0, NULL, 0, "The request:", 4},
        {"header", 'H', "LINE", 0, "Send the header 'Name: value'; may be given several times", 4},
        {"user-agent", 'A', "TEXT", 0, "Name sent to servers (default plait/VERSION)", 4},
        {"proxy", 'x', "URL", 0, "Proxy for everything; '' for none (default: as http_proxy and the like say)", 4},
        {"cacert", KEY_CACERT, "FILE", 0, "Certificates to trust (PEM), in place of the system's", 4},
        {"insecure", 'k', NULL, 0, "Do not verify certificates: anybody on the way can read and change what is sent",
         4},
        {"http1.1", KEY_HTTP1, NULL, 0, "HTTP/1.1 only", 4},
        {"http2", KEY_HTTP2, NULL, 0, "HTTP/2 from the first byte for http: URLs, too", 4},
        {"raw", KEY_RAW, NULL, 0, "Do not ask for compressed bodies; save bodies as they are sent", 4},
        {"accept-unmarked-end", KEY_UNMARKED, NULL, 0,
         "Take bodies whose end the server does not mark, though a cut could not be told", 4},

        {NULL, 0, NULL, 0, "Output:", 5},
        {"json", KEY_JSON, NULL, 0, "A line of JSON for each URL, and one for the summary", 5},
        {"quiet", 'q', NULL, 0, "Neither progress nor summary; failures are still told", 5},
        {0},
};

static const char doc[] =
        "Download URLs, all at once. A file gets its name only when it is whole, and its name depends on its URL alone."
        "\v"
        "Examples:\n"
        "  plait fetch https://example.org/a.pdf https://example.net/b.pdf\n"
        "  plait fetch -i urls.txt -o pages                many, into a folder\n"
        "  plait fetch -i urls.txt -o pages --resume       what is missing of them\n"
        "  plait fetch -i urls.txt -o pages -j 200 --per-host 4 --rate 50/s\n"
        "  plait fetch -i urls.txt -o pages -j auto        as many at once as do good\n"
        "  grep -o 'https://[^\"]*' page.html | plait fetch -i - -o linked --json\n"
        "  plait fetch -o - https://example.org/ | less\n"
        "\n"
        "Exit status: 0 all well, 1 some failed, 2 wrong usage, 130 or 143 interrupted.\n"
        "plait-fetch(1) tells all.";

static unsigned parse_count(const char *text, unsigned least, unsigned most, const char *what, struct argp_state *state)
{
        char *end = NULL;

        errno = 0;
        unsigned long value = strtoul(text, &end, 10);
        if (errno || end == text || *end || *text == '-' || value < least || value > most)
                argp_error(state, "%s is a number from %u to %u%s, not '%s'", what, least, most,
                           least == 1 ? ", or auto" : "", text);
        return (unsigned)value;
}

static int64_t parse_time(const char *text, const char *what, struct argp_state *state)
{
        static const struct {
                const char *name;
                double seconds;
        } units[] = {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"m", 60}, {"h", 3600}};
        char *end = NULL;

        double value = strtod(text, &end);
        for (size_t i = 0; end != text && i < sizeof units / sizeof *units; i++)
                if (strcmp(end, units[i].name) == 0 && isfinite(value) && value > 0 &&
                    value * units[i].seconds <= 1e8 && value * units[i].seconds >= 1e-3)
                        return (int64_t)(value * units[i].seconds * 1e9);
        argp_error(state, "%s is a time such as 30, 1.5s, 200ms, 2m or 1h, at least a millisecond, not '%s'", what,
                   text);
        return 0;
}

/* The time between two beginnings. */
static int64_t parse_rate(const char *text, struct argp_state *state)
{
        char *end = NULL;
        double value = strtod(text, &end);
        double per = 0;

        if (end != text && (*end == 0 || strcmp(end, "/s") == 0))
                per = 1;
        else if (end != text && strcmp(end, "/m") == 0)
                per = 60;
        else if (end != text && strcmp(end, "/h") == 0)
                per = 3600;
        if (per < 1 || !isfinite(value) || value < 0.001 || value > 1e9)
                argp_error(state, "--rate is a number of requests such as 50/s, 100/m or 1000/h, not '%s'", text);
        double interval = per * 1e9 / value;
        return interval < 1 ? 1 : (int64_t)interval;
}

static void add_header(struct options *options, const char *line, struct argp_state *state)
{
        const char *colon = strchr(line, ':');

        if (!colon || colon == line || strpbrk(line, "\r\n"))
                argp_error(state, "--header takes 'Name: value', not '%s'", line);
        const char **grown = realloc(options->headers, (options->header_count + 2) * sizeof *grown);
        if (!grown) {
                argp_failure(state, 1, ENOMEM, "there is no memory for the headers");
                return;
        }
        options->headers = grown;
        grown[options->header_count++] = line;
        grown[options->header_count] = NULL;
}

/* A number, or to be found by measurement. */
static void parse_at_once(const char *text, const char *what, unsigned *count, bool *tunes, struct argp_state *state)
{
        *tunes = strcmp(text, "auto") == 0;
        *count = *tunes ? 0 : parse_count(text, 1, 100000, what, state);
}

/* What was not said, and the most where limits are to be found. */
static void fill_in_limits(struct options *options)
{
        if (options->tunes)
                options->parallel = PLAIT_TUNER_MOST;
        else if (!options->parallel)
                options->parallel = 64;
        if (options->tunes && !options->per_host)
                options->tunes_hosts = true;
        if (options->tunes_hosts)
                options->per_host = options->parallel;
        else if (!options->per_host)
                options->per_host = 8;
}

static int parse_limit(struct options *options, int key, char *arg, struct argp_state *state)
{
        switch (key) {
        case 'j': parse_at_once(arg, "--jobs", &options->parallel, &options->tunes, state); break;
        case KEY_PER_HOST: parse_at_once(arg, "--per-host", &options->per_host, &options->tunes_hosts, state); break;
        case KEY_RATE: options->interval_ns = parse_rate(arg, state); break;
        case KEY_TIMEOUT: options->timeout_ns = parse_time(arg, "--timeout", state); break;
        case KEY_CONNECT_TIMEOUT: options->connect_timeout_ns = parse_time(arg, "--connect-timeout", state); break;
        case KEY_STALL_TIMEOUT: options->stall_timeout_ns = parse_time(arg, "--stall-timeout", state); break;
        case KEY_RETRIES: options->retries = parse_count(arg, 0, 1000, "--retries", state); break;
        case KEY_MAX_REDIRECTS: options->max_redirects = parse_count(arg, 0, 1000, "--max-redirects", state); break;
        default: return ARGP_ERR_UNKNOWN;
        }
        return 0;
}

static int parse_request(struct options *options, int key, char *arg, struct argp_state *state)
{
        switch (key) {
        case 'H': add_header(options, arg, state); break;
        case 'A': options->user_agent = arg; break;
        case 'x': options->proxy = arg; break;
        case 'k': options->insecure = true; break;
        case KEY_CACERT: options->ca_file = arg; break;
        case KEY_HTTP1: options->http1 = true; break;
        case KEY_HTTP2: options->http2 = true; break;
        case KEY_RAW: options->raw = true; break;
        case KEY_UNMARKED: options->accept_unmarked_end = true; break;
        default: return parse_limit(options, key, arg, state);
        }
        return 0;
}

static void check(const struct options *options, struct argp_state *state)
{
        bool to_stdout = options->output && strcmp(options->output, "-") == 0;

        if (!*options->urls && !options->list)
                argp_error(state, "there is nothing to download: name URLs, or a list of them with -i FILE");
        if (options->http1 && options->http2)
                argp_error(state, "--http1.1 and --http2 exclude each other");
        if (to_stdout && (options->list || options->urls[1]))
                argp_error(state, "-o - writes one URL to standard output; for several, name a folder with -o DIR");
        if (to_stdout && options->json)
                argp_error(state, "-o - and --json both want standard output");
        if (to_stdout && options->resume)
                argp_error(state, "--resume needs a folder that holds what was saved: -o DIR");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
        struct options *options = state->input;

        switch (key) {
        case 'i':
                if (options->list)
                        argp_error(state, "-i was given twice; `cat` the lists into -i -");
                options->list = arg;
                break;
        case 'o': options->output = arg; break;
        case 'q': options->quiet = true; break;
        case KEY_RESUME: options->resume = true; break;
        case KEY_SYNC: options->sync = true; break;
        case KEY_JSON: options->json = true; break;
        case ARGP_KEY_ARGS: options->urls = state->argv + state->next; break;
        case ARGP_KEY_END: check(options, state); break;
        default: return parse_request(options, key, arg, state);
        }
        return 0;
}

void options_parse(struct options *options, int argc, char **argv)
{
        static const struct argp argp = {.options = known, .parser = parse, .args_doc = "[URL...]", .doc = doc};

        *options = (struct options){
                .urls = argv + argc,
                .retries = 3,
                .max_redirects = 10,
                .connect_timeout_ns = 30000000000,
                .stall_timeout_ns = 60000000000,
        };
        argp_err_exit_status = 2;
        argp_program_version = "plait " PLAIT_VERSION;
        argp_parse(&argp, argc, argv, 0, NULL, options);
        fill_in_limits(options);
}

void options_done(struct options *options)
{
        free(options->headers);
}
