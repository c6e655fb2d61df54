/* Whole or not at all: answers cut in every way there is, and whole ones that look odd. */
#include "http/server.h"

struct expected {
        const char *port;
        const char *path;
        int result;
        enum plait_http_problem problem;
        size_t bytes; /* of a whole body */
};

static const struct expected cases[] = {
        {"plain", "ok/1000", 0, PLAIT_HTTP_OK, 1000},
        {"plain", "ok/0", 0, PLAIT_HTTP_OK, 0},
        {"plain", "chunked", 0, PLAIT_HTTP_OK, 200},
        {"plain", "chunked/trailer", 0, PLAIT_HTTP_OK, 200},
        {"plain", "hints", 0, PLAIT_HTTP_OK, 100},
        {"plain", "no-content", 0, PLAIT_HTTP_OK, 0},
        {"plain", "not-modified", 0, PLAIT_HTTP_OK, 0},
        {"plain", "unsized", 0, PLAIT_HTTP_OK, 100},
        {"plain", "unsized/1.0", 0, PLAIT_HTTP_OK, 100},
        {"plain", "coded/gzip", 0, PLAIT_HTTP_OK, 5000},
        {"plain", "coded/two-members", 0, PLAIT_HTTP_OK, 200},
        {"plain", "coded/deflate", 0, PLAIT_HTTP_OK, 5000},
        {"plain", "coded/bare-deflate", 0, PLAIT_HTTP_OK, 5000},
        {"plain", "coded/br", 0, PLAIT_HTTP_OK, 2100},
        {"plain", "coded/empty", 0, PLAIT_HTTP_OK, 0},
        {"plain", "gzip-unsized", 0, PLAIT_HTTP_OK, 5000},
        {"plain", "big/3000000", 0, PLAIT_HTTP_OK, 3000000},
        /* cut in the headers */
        {"plain", "nothing", -ECONNRESET, PLAIT_HTTP_RESET, 0},
        {"plain", "reset-at-once", -ECONNRESET, PLAIT_HTTP_RESET, 0},
        {"plain", "cut-headers", -ENODATA, PLAIT_HTTP_TRUNCATED, 0},
        {"plain", "cut-blank-line", -ENODATA, PLAIT_HTTP_TRUNCATED, 0},
        {"plain", "cut-after-hint", -ECONNRESET, PLAIT_HTTP_RESET, 0},
        /* in the body */
        {"plain", "cut-length", -ENODATA, PLAIT_HTTP_TRUNCATED, 0},
        {"plain", "reset-length", -ECONNRESET, PLAIT_HTTP_RESET, 0},
        {"plain", "reset-unsized", -ECONNRESET, PLAIT_HTTP_RESET, 0},
        {"plain", "cut-chunked", -ENODATA, PLAIT_HTTP_TRUNCATED, 0},
        {"plain", "cut-chunked/inside", -ENODATA, PLAIT_HTTP_TRUNCATED, 0},
        {"plain", "cut-chunked/size", -ENODATA, PLAIT_HTTP_TRUNCATED, 0},
        {"plain", "cut-chunked/last", -ENODATA, PLAIT_HTTP_TRUNCATED, 0},
        {"plain", "chunked-reset", -ECONNRESET, PLAIT_HTTP_RESET, 0},
        {"plain", "bad-chunk", -EPROTO, PLAIT_HTTP_PROTOCOL, 0},
        /* in its compression */
        {"plain", "coded/cut-gzip", -ENODATA, PLAIT_HTTP_TRUNCATED, 0},
        {"plain", "coded/cut-gzip-trailer", -ENODATA, PLAIT_HTTP_TRUNCATED, 0},
        {"plain", "coded/cut-deflate", -ENODATA, PLAIT_HTTP_TRUNCATED, 0},
        {"plain", "coded/cut-br", -ENODATA, PLAIT_HTTP_TRUNCATED, 0},
        {"plain", "cut-gzip-chunked", -ENODATA, PLAIT_HTTP_TRUNCATED, 0},
        {"plain", "gzip-unsized/cut", -ENODATA, PLAIT_HTTP_TRUNCATED, 0},
        {"plain", "coded/damaged-gzip", -EBADMSG, PLAIT_HTTP_ENCODING, 0},
        {"plain", "coded/damaged-br", -EBADMSG, PLAIT_HTTP_ENCODING, 0},
        {"plain", "coded/trailing", -EBADMSG, PLAIT_HTTP_ENCODING, 0},
        {"plain", "coded/unknown", -EBADMSG, PLAIT_HTTP_ENCODING, 0},
        /* nonsense */
        {"plain", "garbage", -EPROTO, PLAIT_HTTP_PROTOCOL, 0},
        {"plain", "two-lengths", -EPROTO, PLAIT_HTTP_PROTOCOL, 0},
        {"plain", "bad-length", -EPROTO, PLAIT_HTTP_PROTOCOL, 0},
        {"plain", "endless-headers", -EFBIG, PLAIT_HTTP_TOO_LARGE, 0},
        /* TLS, with and without its close alert */
        {"tls", "ok/1000", 0, PLAIT_HTTP_OK, 1000},
        {"tls", "unsized", 0, PLAIT_HTTP_OK, 100},
        {"tls", "unsized-no-notify", -ENODATA, PLAIT_HTTP_TRUNCATED, 0},
        {"tls", "sized-no-notify", 0, PLAIT_HTTP_OK, 100},
        {"tls", "reset-unsized", -ECONNRESET, PLAIT_HTTP_RESET, 0},
        {"tls", "cut-length", -ENODATA, PLAIT_HTTP_TRUNCATED, 0},
        {"tls", "cut-chunked", -ENODATA, PLAIT_HTTP_TRUNCATED, 0},
        {"tls", "coded/cut-gzip", -ENODATA, PLAIT_HTTP_TRUNCATED, 0},
        {"wrongname", "ok", -EKEYREJECTED, PLAIT_HTTP_CERTIFICATE_NAME, 0},
        {"expired", "ok", -EKEYEXPIRED, PLAIT_HTTP_CERTIFICATE_DATE, 0},
        {"untrusted", "ok", -EKEYREJECTED, PLAIT_HTTP_CERTIFICATE, 0},
};

/* -1: told as broken off, cut short or against the rules, by which of frames and connection's end are seen first */
static const struct expected h2_cases[] = {
        {"h2-ok", "", 0, PLAIT_HTTP_OK, 100},         {"h2-unsized", "", 0, PLAIT_HTTP_OK, 100},
        {"h2-reset", "", -1, PLAIT_HTTP_OTHER, 0},    {"h2-no-error-reset", "", -1, PLAIT_HTTP_OTHER, 0},
        {"h2-short", "", -1, PLAIT_HTTP_OTHER, 0},    {"h2-cut", "", -1, PLAIT_HTTP_OTHER, 0},
        {"h2-cut-head", "", -1, PLAIT_HTTP_OTHER, 0}, {"h2-cut-length", "", -1, PLAIT_HTTP_OTHER, 0},
        {"h2-goaway", "", -1, PLAIT_HTTP_OTHER, 0},
};

static struct plait_session *session;

static int count(void *total, const void *data, size_t bytes)
{
        (void)data;
        *(size_t *)total += bytes;
        return 0;
}

static void compare(const struct expected *expected, int r, const struct plait_response *page)
{
        if (expected->result == -1 && r < 0 &&
            (page->problem == PLAIT_HTTP_RESET || page->problem == PLAIT_HTTP_TRUNCATED ||
             page->problem == PLAIT_HTTP_PROTOCOL))
                return;
        if (r != expected->result || page->problem != expected->problem)
                FAIL("%s %s: %d (%s), expected %d (%s): %s", expected->port, expected->path, r,
                     plait_http_problem_name(page->problem), expected->result,
                     plait_http_problem_name(expected->problem), page->message);
        if (r == 0 && page->body_bytes != expected->bytes)
                FAIL("%s %s: %zu bytes, expected %zu", expected->port, expected->path, page->body_bytes,
                     expected->bytes);
        CHECK((*page->message == '\0') == (r == 0));
}

static int to_memory(void *arg)
{
        const struct expected *expected = arg;
        struct plait_response page = PLAIT_RESPONSE_INIT;

        compare(expected, plait_session_get(session, web_url(expected->port, expected->path), &page, NULL), &page);
        CHECK((page.body != NULL) == (expected->result == 0));
        plait_response_done(&page);
        return 0;
}

static int to_callback(void *arg)
{
        const struct expected *expected = arg;
        struct plait_response page = PLAIT_RESPONSE_INIT;
        size_t total = 0;
        struct plait_request_opts opts = {.size = sizeof opts, .on_body = count, .arg = &total};

        compare(expected, plait_session_get(session, web_url(expected->port, expected->path), &page, &opts), &page);
        CHECK(expected->result < 0 || total == expected->bytes);
        CHECK(!page.body);
        plait_response_done(&page);
        return 0;
}

static void one_by_one(int (*fetch)(void *), const struct expected *list, size_t n)
{
        for (size_t i = 0; i < n; i++)
                fetch((void *)(uintptr_t)&list[i]);
}

static void at_once(int (*fetch)(void *), const struct expected *list, size_t n)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (size_t i = 0; i < n; i++)
                CHECK_INT(plait_scope_go(&scope, fetch, (void *)(uintptr_t)&list[i]), ==, 0);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
}

#define N(list) (sizeof(list) / sizeof *(list))

static void all(void (*how)(int (*fetch)(void *), const struct expected *list, size_t n))
{
        const struct plait_session_opts direct = {.size = sizeof direct, .flags = PLAIT_SESSION_HTTP2_DIRECT};

        session = web_session(NULL);
        how(to_memory, cases, N(cases));
        how(to_callback, cases, N(cases));
        plait_session_free(session);
        session = web_session(&direct);
        how(to_memory, h2_cases, N(h2_cases));
        how(to_callback, h2_cases, N(h2_cases));
        plait_session_free(session);
}

TEST(no_cut_answer_is_taken_for_a_whole_one, .run = with_server, .timeout_ms = 120000)
{
        all(one_by_one);
}

TEST(no_cut_answer_is_taken_for_a_whole_one_among_others, .run = with_server, .timeout_ms = 120000)
{
        all(at_once);
}

TEST(no_cut_answer_is_taken_for_a_whole_one_in_a_thread, .run = with_server_in_thread, .timeout_ms = 120000)
{
        all(one_by_one);
}

TEST(an_end_that_proves_nothing_is_marked, .run = with_server)
{
        struct plait_response page = PLAIT_RESPONSE_INIT;

        session = web_session(NULL);
        CHECK_INT(plait_session_get(session, web_url("plain", "unsized"), &page, NULL), ==, 0);
        CHECK(page.end_unverified);
        CHECK_INT(plait_session_get(session, web_url("plain", "gzip-unsized"), &page, NULL), ==, 0);
        CHECK(!page.end_unverified);
        CHECK_INT(plait_session_get(session, web_url("tls", "unsized"), &page, NULL), ==, 0);
        CHECK(!page.end_unverified);
        CHECK_INT(plait_session_get(session, web_url("plain", "chunked"), &page, NULL), ==, 0);
        CHECK(!page.end_unverified);
        plait_response_done(&page);
        plait_session_free(session);
}

TEST(an_end_that_proves_nothing_can_be_refused, .run = with_server)
{
        const struct plait_session_opts strict = {.size = sizeof strict, .flags = PLAIT_SESSION_VERIFIED_END};
        struct plait_response page = PLAIT_RESPONSE_INIT;

        session = web_session(&strict);
        CHECK_INT(plait_session_get(session, web_url("plain", "unsized"), &page, NULL), ==, -ENODATA);
        CHECK_INT(page.problem, ==, PLAIT_HTTP_TRUNCATED);
        CHECK_INT(plait_session_get(session, web_url("plain", "ok"), &page, NULL), ==, 0);
        CHECK_INT(plait_session_get(session, web_url("plain", "no-content"), &page, NULL), ==, 0);
        plait_response_done(&page);
        plait_session_free(session);
}
