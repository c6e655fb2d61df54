/* plait_http_perform(): users' own easy handles. */
#include <plait/curl.h>

#include "http/server.h"

static size_t take(char *data, size_t size, size_t n, void *arg)
{
        (void)data;
        *(size_t *)arg += size * n;
        return size * n;
}

static CURL *handle(const char *url, size_t *bytes)
{
        CURL *easy = curl_easy_init();

        CHECK(easy);
        curl_easy_setopt(easy, CURLOPT_URL, url);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, bytes);
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
        return easy;
}

static int fetch(void *arg)
{
        size_t bytes = 0;
        CURL *easy = handle(web_url("plain", "redirect-to/302//ok/5000"), &bytes);
        char mine;
        char *back = NULL;

        (void)arg;
        curl_easy_setopt(easy, CURLOPT_PRIVATE, &mine);
        for (int i = 0; i < 5; i++) {
                bytes = 0;
                CHECK_INT(plait_http_perform(easy), ==, CURLE_OK);
                CHECK_UINT(bytes, ==, 5000);
        }
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &back);
        CHECK_PTR(back, ==, &mine);
        curl_easy_cleanup(easy);
        return 0;
}

TEST(transfers_of_many_tasks_run_at_once, .run = with_server)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < 40; i++)
                CHECK_INT(plait_scope_go(&scope, fetch, NULL), ==, 0);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

TEST(a_thread_blocks, .run = with_server_in_thread)
{
        CHECK_INT(fetch(NULL), ==, 0);
}

TEST(results_are_libcurls, .run = with_server)
{
        size_t bytes = 0;
        CURL *easy = handle("http://127.0.0.1:1/", &bytes);

        CHECK_INT(plait_http_perform(easy), ==, CURLE_COULDNT_CONNECT);
        curl_easy_setopt(easy, CURLOPT_URL, "nonsense://x/");
        CHECK_INT(plait_http_perform(easy), ==, CURLE_UNSUPPORTED_PROTOCOL);
        curl_easy_setopt(easy, CURLOPT_URL, NULL);
        CHECK_INT(plait_http_perform(easy), ==, CURLE_URL_MALFORMAT);
        curl_easy_setopt(easy, CURLOPT_URL, web_url("plain", "cut-length"));
        CHECK_INT(plait_http_perform(easy), ==, CURLE_PARTIAL_FILE);
        curl_easy_setopt(easy, CURLOPT_URL, "file:///dev/null");
        CHECK_INT(plait_http_perform(easy), ==, CURLE_OK);
        curl_easy_setopt(easy, CURLOPT_URL, web_url("plain", "no-answer"));
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 50L);
        CHECK_INT(plait_http_perform(easy), ==, CURLE_OPERATION_TIMEDOUT);
        curl_easy_cleanup(easy);
        CHECK_INT(plait_http_perform(NULL), ==, CURLE_BAD_FUNCTION_ARGUMENT);
}

static int forever(void *arg)
{
        size_t bytes = 0;
        CURL *easy = handle(web_url("plain", arg), &bytes);

        CHECK_INT(plait_http_perform(easy), ==, CURLE_ABORTED_BY_CALLBACK);
        curl_easy_cleanup(easy);
        return 0;
}

TEST(cancellation_ends_a_transfer, .run = with_server)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        CHECK_INT(plait_scope_go(&scope, forever, "no-answer"), ==, 0);
        CHECK_INT(plait_scope_go(&scope, forever, "stall"), ==, 0);
        CHECK_INT(plait_sleep(plait_in_ms(50)), ==, 0);
        plait_scope_cancel(&scope);
        CHECK_INT(plait_scope_join(&scope), ==, -ECANCELED);
}

TEST(a_deadline_ends_a_transfer, .run = with_server)
{
        struct plait_scope scope = {.deadline_ns = plait_in_ms(50)};
        size_t bytes = 0;
        CURL *easy = handle(web_url("plain", "no-answer"), &bytes);

        CHECK_INT(plait_scope_open(&scope), ==, 0);
        CHECK_INT(plait_http_perform(easy), ==, CURLE_OPERATION_TIMEDOUT);
        plait_scope_join(&scope);
        curl_easy_cleanup(easy);
}
