/*
 * The ways of downloading the demonstration's pages: as a C programmer would write them with libcurl alone, one after
 * the other and with threads; and with tasks.
 */
#include "demo/strategy.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <curl/curl.h>

#include <plait/http.h>
#include <plait/run.h>
#include <plait/scope.h>
#include <plait/time.h>

#include "command.h"
#include "demo/page.h"

static unsigned port;
static unsigned next;  /* page to download, for threads */
static unsigned right; /* pages that were */

static void page_url(unsigned number, char url[64])
{
        snprintf(url, 64, "http://127.0.0.1:%u/%u", port, number);
}

/* With libcurl alone. */

struct body {
        char text[PAGE_BYTES];
        size_t bytes;
};

static size_t take(char *data, size_t size, size_t count, void *arg)
{
        struct body *body = arg;
        size_t bytes = size * count;

        if (bytes > sizeof body->text - body->bytes)
                return 0;
        memcpy(body->text + body->bytes, data, bytes);
        body->bytes += bytes;
        return bytes;
}

static bool download_page(CURL *easy, unsigned number)
{
        struct body body = {.bytes = 0};
        char url[64];

        page_url(number, url);
        curl_easy_setopt(easy, CURLOPT_URL, url);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, &body);
        return curl_easy_perform(easy) == CURLE_OK && page_is(number, body.text, body.bytes);
}

/* Takes pages until none is left; a thread, or the only one. */
static void *download_pages(void *arg)
{
        CURL *easy = curl_easy_init();

        for (unsigned number; easy && (number = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED)) < PAGES;)
                if (download_page(easy, number))
                        __atomic_fetch_add(&right, 1, __ATOMIC_RELAXED);
        curl_easy_cleanup(easy);
        return arg;
}

static int one_after_the_other(void)
{
        download_pages(NULL);
        return (int)right;
}

static int with_threads(unsigned count)
{
        pthread_t *threads = calloc(count, sizeof *threads);
        unsigned started = 0;

        if (!threads)
                return -ENOMEM;
        while (started < count && pthread_create(&threads[started], NULL, download_pages, NULL) == 0)
                started++;
        for (unsigned i = 0; i < started; i++)
                pthread_join(threads[i], NULL);
        free(threads);
        return started == count ? (int)right : -EAGAIN;
}

static int with_5_threads(void)
{
        return with_threads(5);
}

static int with_160_threads(void)
{
        return with_threads(160);
}

/* With tasks. */

static struct plait_session *session;

static int task(void *arg)
{
        struct plait_response page = PLAIT_RESPONSE_INIT;
        unsigned number = *(const unsigned *)arg;
        char url[64];

        page_url(number, url);
        int r = plait_session_get(session, url, &page, NULL);
        if (r == 0 && page.status == 200 && page_is(number, page.body, page.body_bytes))
                __atomic_fetch_add(&right, 1, __ATOMIC_RELAXED);
        plait_response_done(&page);
        return r;
}

static int app(void *arg)
{
        struct plait_session_opts opts = {
                .size = sizeof opts, .transfers = PAGES, .transfers_per_host = PAGES, .proxy = ""};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        static unsigned numbers[PAGES];

        (void)arg;
        int r = plait_session_new(&session, &opts);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < PAGES; i++) {
                numbers[i] = i;
                plait_scope_go(&scope, task, &numbers[i]);
        }
        r = plait_scope_join(&scope);
        plait_session_free(session);
        return r;
}

static int with_tasks(void)
{
        int r = plait_run(app, NULL, NULL);

        return r < 0 ? r : (int)right;
}

const struct strategy strategies[STRATEGIES] = {
        {"sequential", "one after the other", one_after_the_other},
        {"threads-5", "5 threads", with_5_threads},
        {"threads-160", "160 threads", with_160_threads},
        {"tasks", "160 tasks", with_tasks},
};

/* Measuring. */

static double cpu_s(void)
{
        struct rusage usage;

        getrusage(RUSAGE_SELF, &usage);
        return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Of this program's own memory: ru_maxrss would include what the process was before it became this program. */
static uint64_t peak_rss_bytes(void)
{
        FILE *status = fopen("/proc/self/status", "re");
        char line[256];
        uint64_t kib = 0;

        while (status && fgets(line, sizeof line, status))
                if (strncmp(line, "VmHWM:", 6) == 0)
                        kib = strtoull(line + 6, NULL, 10);
        if (status)
                fclose(status);
        return kib * 1024;
}

int strategy_run(const char *name, unsigned site_port)
{
        port = site_port;
        curl_global_init(CURL_GLOBAL_DEFAULT);
        for (size_t i = 0; i < STRATEGIES; i++) {
                if (strcmp(strategies[i].name, name) != 0)
                        continue;
                int64_t begin_ns = plait_now_ns();
                double cpu_before = cpu_s();
                int r = strategies[i].download();
                double wall = (double)(plait_now_ns() - begin_ns) / 1e9;
                double cpu = cpu_s() - cpu_before;
                if (r != PAGES) {
                        fprintf(stderr, "plait demo: %s: ", name);
                        if (r < 0)
                                fprintf(stderr, "%s\n", strerrordesc_np(-r));
                        else
                                fprintf(stderr, "only %d of %d pages came, and came right\n", r, PAGES);
                        return EXIT_FAILED;
                }
                printf("%.6f %.6f %" PRIu64 "\n", wall, cpu, peak_rss_bytes());
                return EXIT_OK;
        }
        return EXIT_USAGE;
}

int strategy_parse(const char *text, struct measure *ret)
{
        char *end = NULL;
        struct measure measure = {.wall_s = strtod(text, &end)};

        measure.cpu_s = strtod(end, &end);
        measure.peak_rss_bytes = strtoull(end, &end, 10);
        if (*end != '\n' || measure.peak_rss_bytes == 0)
                return -EINVAL;
        *ret = measure;
        return 0;
}
