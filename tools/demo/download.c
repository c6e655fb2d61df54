/*
 * The ways of downloading the demonstration's pages: as a C programmer would write them with libcurl alone, one after
 * the other and with threads; with worker processes; and with tasks.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include <plait/http.h>
#include <plait/run.h>
#include <plait/scope.h>

#include "demo/page.h"
#include "demo/strategy.h"
#include "demo/workers.h"

static unsigned next;  /* page to download, for threads */
static unsigned right; /* pages that were */

static void page_url(unsigned number, char url[64])
{
        snprintf(url, 64, "http://127.0.0.1:%u/%u", site_port, number);
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

/* With processes. */

static _Thread_local CURL *own_easy; /* of a worker */

static int make_own_easy(void *unused)
{
        (void)unused;
        own_easy = curl_easy_init();
        return own_easy ? 0 : -ENOMEM;
}

/* In a worker: what it needs of this process comes with the job. */
struct place {
        unsigned port, number;
};

static int job(void *arg, void *result)
{
        const struct place *place = arg;

        site_port = place->port;
        *(bool *)result = download_page(own_easy, place->number);
        return 0;
}

static int with_5_processes(void)
{
        static struct place places[PAGES];
        static bool came[PAGES];
        struct plait_executor_map_opts one_by_one = {.size = sizeof one_by_one, .chunk = 1};
        struct plait_executor *executor;
        int r = workers_open(5, make_own_easy, &executor);

        if (r < 0)
                return r;
        for (unsigned i = 0; i < PAGES; i++)
                places[i] = (struct place){.port = site_port, .number = i};
        r = plait_executor_map(executor, job, places, sizeof places[0], came, sizeof came[0], PAGES, &one_by_one);
        int closed = workers_close(executor);
        for (unsigned i = 0; i < PAGES; i++)
                right += came[i];
        return r < 0 ? r : closed < 0 ? closed : (int)right;
}

static void prepare(void)
{
        curl_global_init(CURL_GLOBAL_DEFAULT);
}

const struct experiment downloads = {
        .name = "io",
        .item = "pages",
        .items = PAGES,
        .prepare = prepare,
        .count = 5,
        .ways = {{"sequential", "one after the other", one_after_the_other},
                 {"threads-5", "5 threads", with_5_threads},
                 {"processes-5", "5 processes", with_5_processes},
                 {"threads-160", "160 threads", with_160_threads},
                 {"tasks", "160 tasks", with_tasks}},
};
