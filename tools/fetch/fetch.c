/*
 * `plait fetch`: one task reads the list, one keeps the time, one shows the progress, and up to -j tasks download.
 */
#include "fetch/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <plait/run.h>
#include <plait/scope.h>
#include <plait/task.h>
#include <plait/time.h>

#include "command.h"
#include "fetch/download.h"
#include "fetch/name.h"

int fetch_give_up(struct fetch *fetch, const char *what, int r)
{
        int none = 0;

        if (__atomic_compare_exchange_n(&fetch->failure, &none, r, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
                fetch->failed_at = what;
        return r;
}

/* Ends a URL that is not asked for: it is malformed, or there already. */
static int settle(struct fetch *fetch, const struct list_entry *entry, const char *name, const char *problem,
                  const struct journal_entry *found)
{
        char error[160];
        struct result result = {.url = entry->url, .line = entry->line};

        if (problem) {
                snprintf(error, sizeof error, "this is no URL to fetch: %s", problem);
                result.error = error;
        } else {
                result.status = found->status;
                result.bytes = found->bytes;
                result.file = name;
                result.skipped = true;
        }
        int r = report_result(&fetch->report, &result);
        return r < 0 && r != -ECANCELED ? fetch_give_up(fetch, "write to standard output", r) : r;
}

static int consider(struct fetch *fetch, const struct list_entry *entry)
{
        struct journal_entry found;
        char host[URL_HOST_SIZE];
        char name[NAME_SIZE];

        const char *problem = entry->cut ? "it is longer than 8000 bytes" : url_check(entry->url, host);
        if (problem)
                return settle(fetch, entry, NULL, problem, NULL);
        if (fetch->options.resume) {
                name_of_url(entry->url, name);
                if (journal_find(&fetch->journal, entry->url, name, &found))
                        return settle(fetch, entry, name, NULL, &found);
        }
        return dispatch_offer(&fetch->dispatch, host, entry->url, entry->line);
}

/* A task: reads the list. */
static int read_list(void *arg)
{
        struct fetch *fetch = arg;
        struct list_entry entry;
        uint64_t total = fetch->report.total;
        int r = 0;

        while ((r = list_next(&fetch->list, &entry)) > 0) {
                if (total)
                        __atomic_store_n(&fetch->report.total, total - fetch->list.passed, __ATOMIC_RELAXED);
                r = consider(fetch, &entry);
                if (r < 0)
                        return r == -ECANCELED ? r : fetch_give_up(fetch, "queue a URL", r);
        }
        if (r < 0)
                return r == -ECANCELED ? r : fetch_give_up(fetch, "read the list", r);
        dispatch_complete(&fetch->dispatch);
        return 0;
}

/* A task: keeps the time. */
static int keep_time(void *arg)
{
        struct fetch *fetch = arg;

        return dispatch_clock(&fetch->dispatch);
}

/* A task: shows the progress until it is cancelled. */
static int show_progress(void *arg)
{
        struct fetch *fetch = arg;

        while (plait_sleep(plait_in_ns(PROGRESS_REDRAW_NS)) == 0) {
                int r = report_tick(&fetch->report);
                if (r < 0 && r != -ECANCELED)
                        break; /* who next tells of a result gives up */
        }
        return 0;
}

static int download(void *arg)
{
        struct fetch *fetch = arg;
        struct plait_task_opts roomy = {.size = sizeof roomy, .name = "list", .stack_bytes = 256 << 10};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        unsigned tasks = fetch->options.parallel;

        if (!fetch->options.list && fetch->report.total < tasks)
                tasks = (unsigned)fetch->report.total;
        int r = plait_scope_start(&scope, read_list, fetch, &roomy, NULL);
        if (r == 0)
                r = plait_scope_go(&scope, keep_time, fetch);
        for (unsigned i = 0; i < tasks && r == 0; i++)
                r = plait_scope_go(&scope, download_all, fetch);
        if (r < 0)
                plait_scope_cancel(&scope);
        int joined = plait_scope_join(&scope);
        return r < 0 ? fetch_give_up(fetch, "start a task", r) : joined;
}

/* A task: everything, within the scope that a signal cancels. */
static int supervise(void *arg)
{
        struct fetch *fetch = arg;
        struct plait_scope progress = PLAIT_SCOPE_INIT;
        int r = 0;

        if (signals_watch(&fetch->signals, &fetch->scope))
                plait_scope_cancel(&fetch->scope);
        plait_scope_go(&progress, show_progress, fetch);
        r = download(fetch);
        plait_scope_cancel(&progress);
        plait_scope_join(&progress);
        signals_watch(&fetch->signals, NULL);
        return r;
}

static int app(void *arg)
{
        struct fetch *fetch = arg;
        int r = saver_start(&fetch->saver, &fetch->folder, &fetch->journal);

        if (r == 0) {
                plait_scope_go(&fetch->scope, supervise, fetch);
                plait_scope_join(&fetch->scope);
                saver_stop(&fetch->saver);
        } else {
                fetch_give_up(fetch, "start a thread", r);
        }
        plait_session_free(fetch->session);
        return 0;
}

static int make_session(struct fetch *fetch)
{
        const struct options *options = &fetch->options;
        struct plait_session_opts opts = {
                .size = sizeof opts,
                .flags = PLAIT_SESSION_NO_COOKIES,
                .headers = options->headers,
                .user_agent = options->user_agent,
                .connect_timeout_ns = options->connect_timeout_ns,
                .first_byte_timeout_ns = options->stall_timeout_ns,
                .stall_timeout_ns = options->stall_timeout_ns,
                .total_timeout_ns = options->timeout_ns,
                .max_redirects = options->max_redirects,
                .transfers = options->parallel,
                .transfers_per_host = options->per_host < options->parallel ? options->per_host : options->parallel,
                .ca_file = options->ca_file,
                .proxy = options->proxy,
        };

        if (options->insecure)
                opts.flags |= PLAIT_SESSION_INSECURE;
        if (options->raw)
                opts.flags |= PLAIT_SESSION_NO_COMPRESSION;
        if (options->http1)
                opts.flags |= PLAIT_SESSION_HTTP1;
        if (options->http2)
                opts.flags |= PLAIT_SESSION_HTTP2_DIRECT;
        if (options->max_redirects == 0)
                opts.flags |= PLAIT_SESSION_NO_REDIRECTS;
        return plait_session_new(&fetch->session, &opts);
}

/* A socket and a file for each download; the soft limit of 1024 is from the days of select(). Returns how many that
 * allows. */
static unsigned raise_descriptor_limit(unsigned parallel)
{
        struct rlimit limit;
        rlim_t wanted = (rlim_t)parallel * 2 + 256;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
                return parallel;
        rlim_t before = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
                limit.rlim_cur = before;
        return limit.rlim_cur >= wanted ? parallel : limit.rlim_cur > 258 ? (unsigned)(limit.rlim_cur - 256) / 2 : 1;
}

/* Limits that are to be found are not found by running out of descriptors. */
static void bound_limits(struct options *options)
{
        unsigned possible = raise_descriptor_limit(options->parallel);

        if (options->tunes && possible < options->parallel)
                options->parallel = possible;
        if (options->tunes_hosts && options->per_host > options->parallel)
                options->per_host = options->parallel;
}

static int complain(const char *what, const char *name, int r, const char *advice)
{
        fprintf(stderr, "plait fetch: cannot %s '%s': %s; %s\n", what, name, strerrordesc_np(-r), advice);
        return EXIT_FAILED;
}

/* Opens everything that the run works with. Returns an exit code. */
static int prepare(struct fetch *fetch)
{
        const struct options *options = &fetch->options;
        const char *folder = options->output ? options->output : ".";
        int r = 0;

        fetch->folder.fd = -1;
        fetch->journal = (struct journal)JOURNAL_INIT;
        fetch->to_stdout = options->output && strcmp(options->output, "-") == 0;
        bound_limits(&fetch->options);
        if ((r = list_open(&fetch->list, options->urls, options->list)) < 0)
                return complain("open the list", options->list, r,
                                "name a file that can be read, or - for standard input");
        if (!fetch->to_stdout && (r = folder_open(&fetch->folder, folder)) < 0)
                return complain("open the folder", folder, r, "name one that exists or can be made, with -o DIR");
        if (!fetch->to_stdout && (options->output || options->resume) &&
            (r = journal_open(&fetch->journal, &fetch->folder, options->resume)) < 0)
                return complain("keep a journal in", folder, r, "name a folder that can be written to, with -o DIR");
        if ((r = make_session(fetch)) < 0)
                return options->ca_file
                               ? complain("use the certificates", options->ca_file, r, "name a PEM file with --cacert")
                               : complain("make", "a session", r, "check --header and --proxy");
        struct dispatch_limits limits = {
                .parallel = options->parallel,
                .per_host = options->per_host,
                .tunes = options->tunes,
                .tunes_hosts = options->tunes_hosts,
        };
        if (dispatch_init(&fetch->dispatch, &limits, options->interval_ns) < 0)
                return complain("prepare", "the downloads", -ENOMEM, "lower --jobs");
        return EXIT_OK;
}

/* Says how the run ended, and returns the exit code. */
static int conclude(struct fetch *fetch, int ran)
{
        static struct limits limits; /* too large for a stack */
        struct report *report = &fetch->report;

        if (fetch->options.tunes || fetch->options.tunes_hosts) {
                dispatch_tell_limits(&fetch->dispatch, &limits);
                report->limits = &limits;
        }
        int r = report_summary(report);

        if (r < 0)
                fetch_give_up(fetch, "write to standard output", r);
        int signal_number = signals_stop(&fetch->signals); /* not before the summary: nobody may want to read it */
        const char *resume = fetch->journal.fd >= 0
                                     ? "; what was saved is safe: run it again with --resume for the rest"
                                     : "";
        if (ran < 0)
                report_message(report, "cannot start the runtime: %s", strerrordesc_np(-ran));
        if (fetch->failure)
                report_message(report, "gave up: cannot %s: %s%s", fetch->failed_at, strerrordesc_np(-fetch->failure),
                               resume);
        else if (signal_number)
                report_message(report, "interrupted%s", resume);
        if (signal_number)
                return 128 + signal_number;
        return ran < 0 || fetch->failure || report->failed > 0 ? EXIT_FAILED : EXIT_OK;
}

int fetch_main(int argc, char **argv)
{
        static struct fetch fetch; /* too large for a stack */
        struct plait_run_opts run = {.size = sizeof run, .name = "fetch"};

        options_parse(&fetch.options, argc, argv);
        int code = prepare(&fetch);
        if (code == EXIT_OK) {
                report_init(&fetch.report, fetch.options.json, fetch.options.quiet);
                fetch.report.folder = fetch.options.output;
                fetch.report.summary_to_stderr = fetch.to_stdout;
                fetch.report.total = list_estimate(&fetch.list);
                fetch.seed = (uint64_t)plait_now_ns() ^ (uint64_t)getpid() << 32;
                int r = signals_start(&fetch.signals);
                if (r == 0)
                        code = conclude(&fetch, plait_run(app, &fetch, &run));
                else
                        code = complain("start", "a thread", r, "end other programs, or raise the limits");
                dispatch_done(&fetch.dispatch);
                report_done(&fetch.report);
        } else {
                plait_session_free(fetch.session);
        }
        journal_close(&fetch.journal);
        folder_close(&fetch.folder);
        list_close(&fetch.list);
        options_done(&fetch.options);
        return code;
}
