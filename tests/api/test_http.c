/* HTTP sessions: requests, redirects, cookies, time-outs, cancellation, errors, and where bodies go. */
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "http/server.h"

static struct plait_session *session;

static int get(const char *path, struct plait_response *page)
{
        return plait_session_get(session, web_url("plain", path), page, NULL);
}

/* --- requests and answers --- */

TEST(get_brings_status_headers_and_body, .run = with_server)
{
        struct plait_response page = PLAIT_RESPONSE_INIT;
        const char *name;
        const char *value;

        session = web_session(NULL);
        CHECK_INT(get("hints", &page), ==, 0);
        CHECK_INT(page.status, ==, 200);
        CHECK_INT(page.version, ==, 11);
        CHECK_UINT(page.body_bytes, ==, 100);
        CHECK_UINT(page.wire_bytes, ==, 100);
        CHECK_MEM(page.body, "0123456789", 10);
        CHECK_INT(page.body[100], ==, 0);
        CHECK_STR(page.url, web_url("plain", "hints"));
        CHECK_STR(page.message, "");
        CHECK_STR(plait_response_header(&page, "x-LATE", 0), "yes");
        CHECK_STR(plait_response_header(&page, "X-Late", 1), NULL);
        CHECK_STR(plait_response_header(&page, "X-Early", 0), NULL);
        CHECK_INT(plait_response_header_at(&page, 0, &name, &value), ==, 0);
        CHECK_STR(name, "Content-Length");
        CHECK_STR(value, "100");
        CHECK_INT(plait_response_header_at(&page, 2, &name, &value), ==, -ENOENT);
        CHECK(page.total_ns >= page.first_byte_ns && page.first_byte_ns > 0);
        CHECK(!page.reused_connection && page.connect_ns > 0);
        plait_response_done(&page);
        plait_response_done(&page);
        plait_session_free(session);
}

TEST(connections_are_used_again, .run = with_server)
{
        struct plait_response page = PLAIT_RESPONSE_INIT;

        session = web_session(NULL);
        CHECK_INT(get("ok", &page), ==, 0);
        CHECK_INT(get("ok/10", &page), ==, 0);
        CHECK(page.reused_connection);
        CHECK_INT(page.connect_ns, ==, 0);
        CHECK_INT(plait_session_get(session, web_url("tls", "ok"), &page, NULL), ==, 0);
        CHECK(page.tls_ns > 0);
        CHECK_INT(plait_session_get(session, web_url("tls", "ok"), &page, NULL), ==, 0);
        CHECK(page.reused_connection);
        plait_response_done(&page);
        plait_session_free(session);
}

TEST(a_connection_the_server_has_closed_is_replaced, .run = with_server)
{
        struct plait_response page = PLAIT_RESPONSE_INIT;

        session = web_session(NULL);
        for (int i = 0; i < 20; i++) {
                CHECK_INT(get("then-close", &page), ==, 0);
                CHECK_INT(plait_session_post(session, web_url("plain", "then-close"), "x", 1, &page, NULL), ==, 0);
        }
        plait_response_done(&page);
        plait_session_free(session);
}

TEST(a_body_is_sent, .run = with_server)
{
        const struct plait_request_opts typed = {.size = sizeof typed, .content_type = "text/plain"};
        const struct plait_request_opts put = {.size = sizeof put, .body = "abc", .body_bytes = 3};
        struct plait_response page = PLAIT_RESPONSE_INIT;
        char *large = malloc(1000000);

        CHECK(large);
        memset(large, 'y', 1000000);
        session = web_session(NULL);
        CHECK_INT(plait_session_post(session, web_url("plain", "echo"), "hello", 5, &page, &typed), ==, 0);
        CHECK(strncmp(page.body, "POST\n", 5) == 0);
        CHECK(strstr(page.body, "content-type: text/plain\n"));
        CHECK(strstr(page.body, "\n\nhello"));
        CHECK_INT(plait_session_request(session, "PUT", web_url("plain", "echo"), &page, &put), ==, 0);
        CHECK(strncmp(page.body, "PUT\n", 4) == 0 && strstr(page.body, "\n\nabc"));
        CHECK_INT(plait_session_post(session, web_url("plain", "echo"), NULL, 0, &page, NULL), ==, 0);
        CHECK(strstr(page.body, "content-length: 0\n"));
        CHECK_INT(plait_session_post(session, web_url("tls", "echo"), large, 1000000, &page, NULL), ==, 0);
        CHECK_MEM(page.body + page.body_bytes - 1000000, large, 1000000);
        CHECK_INT(get("echo", &page), ==, 0);
        CHECK(strncmp(page.body, "GET\n", 4) == 0 && !strstr(page.body, "content-"));
        CHECK_INT(plait_session_request(session, "DELETE", web_url("plain", "echo"), &page, NULL), ==, 0);
        CHECK(strncmp(page.body, "DELETE\n", 7) == 0);
        plait_response_done(&page);
        plait_session_free(session);
        free(large);
}

TEST(head_brings_no_body, .run = with_server)
{
        struct plait_response page = PLAIT_RESPONSE_INIT;

        session = web_session(NULL);
        CHECK_INT(plait_session_request(session, "HEAD", web_url("plain", "not-modified"), &page, NULL), ==, 0);
        CHECK_STR(plait_response_header(&page, "Content-Length", 0), "100");
        CHECK_UINT(page.body_bytes, ==, 0);
        CHECK_INT(get("ok", &page), ==, 0);
        CHECK_UINT(page.body_bytes, ==, 100);
        plait_response_done(&page);
        plait_session_free(session);
}

TEST(headers_of_the_request_replace_the_sessions, .run = with_server)
{
        static const char *const ours[] = {"X-A: session", "X-B: session", NULL};
        static const char *const own[] = {"x-b: request", "Accept:", NULL};
        const struct plait_session_opts opts = {.size = sizeof opts, .headers = ours, .user_agent = "tester"};
        const struct plait_request_opts request = {.size = sizeof request, .headers = own};
        struct plait_response page = PLAIT_RESPONSE_INIT;

        session = web_session(&opts);
        CHECK_INT(plait_session_get(session, web_url("plain", "echo"), &page, &request), ==, 0);
        CHECK(strstr(page.body, "x-a: session\n") && strstr(page.body, "x-b: request\n"));
        CHECK(!strstr(page.body, "x-b: session") && !strstr(page.body, "accept: "));
        CHECK(strstr(page.body, "user-agent: tester\n") && strstr(page.body, "accept-encoding: gzip, deflate, br\n"));
        CHECK_INT(get("echo", &page), ==, 0);
        CHECK(strstr(page.body, "x-b: session\n"));
        plait_response_done(&page);
        plait_session_free(session);
}

TEST(retry_after_is_told, .run = with_server)
{
        struct plait_response page = PLAIT_RESPONSE_INIT;

        session = web_session(NULL);
        CHECK_INT(get("busy", &page), ==, 0);
        CHECK_INT(page.status, ==, 503);
        CHECK_INT(page.retry_after_ns, ==, 7000000000);
        plait_response_done(&page);
        plait_session_free(session);
}

/* --- redirects and cookies --- */

TEST(redirects_are_followed_up_to_a_limit, .run = with_server)
{
        const struct plait_request_opts stay = {.size = sizeof stay, .flags = PLAIT_REQUEST_NO_REDIRECTS};
        struct plait_response page = PLAIT_RESPONSE_INIT;

        session = web_session(NULL);
        CHECK_INT(get("redirect/10", &page), ==, 0);
        CHECK_UINT(page.redirects, ==, 10);
        CHECK_UINT(page.body_bytes, ==, 100);
        CHECK_STR(page.url, web_url("plain", "redirect/0"));
        CHECK_STR(plait_response_header(&page, "X-Final", 0), "yes");
        CHECK_INT(get("redirect/11", &page), ==, -ELOOP);
        CHECK_INT(page.problem, ==, PLAIT_HTTP_REDIRECTS);
        CHECK_INT(get("redirect-loop", &page), ==, -ELOOP);
        CHECK_INT(get("redirect-bad", &page), ==, -EPROTONOSUPPORT);
        CHECK_INT(plait_session_get(session, web_url("plain", "redirect/3"), &page, &stay), ==, 0);
        CHECK_INT(page.status, ==, 302);
        CHECK_MEM(page.body, "moved", 6);
        plait_response_done(&page);
        plait_session_free(session);
}

TEST(a_redirected_post_follows_the_rules, .run = with_server)
{
        struct plait_response page = PLAIT_RESPONSE_INIT;

        session = web_session(NULL);
        CHECK_INT(plait_session_post(session, web_url("plain", "redirect-to/303//echo"), "abc", 3, &page, NULL), ==, 0);
        CHECK(strncmp(page.body, "GET\n", 4) == 0 && !strstr(page.body, "content-type"));
        CHECK_INT(plait_session_post(session, web_url("plain", "redirect-to/307//echo"), "abc", 3, &page, NULL), ==, 0);
        CHECK(strncmp(page.body, "POST\n", 5) == 0 && strstr(page.body, "\n\nabc"));
        plait_response_done(&page);
        plait_session_free(session);
}

TEST(secrets_do_not_follow_to_another_host, .run = with_server)
{
        static const char *const secret[] = {"Authorization: Basic c2VjcmV0", "X-Open: yes", NULL};
        const struct plait_session_opts opts = {.size = sizeof opts, .headers = secret};
        struct plait_response page = PLAIT_RESPONSE_INIT;
        char path[300];

        session = web_session(&opts);
        CHECK_INT(get("redirect-to/302//echo", &page), ==, 0);
        CHECK(strstr(page.body, "authorization: Basic"));
        snprintf(path, sizeof path, "redirect-to/302/%s", web_url("tls", "echo"));
        CHECK_INT(get(path, &page), ==, 0);
        CHECK(!strstr(page.body, "authorization") && strstr(page.body, "x-open: yes"));
        plait_response_done(&page);
        plait_session_free(session);
}

TEST(cookies_belong_to_the_session, .run = with_server)
{
        const struct plait_session_opts none = {.size = sizeof none, .flags = PLAIT_SESSION_NO_COOKIES};
        struct plait_response page = PLAIT_RESPONSE_INIT;

        session = web_session(NULL);
        CHECK_INT(get("set-cookie/a=1", &page), ==, 0);
        for (int i = 0; i < 50; i++)
                CHECK_INT(get("set-cookie/b=2", &page), ==, 0);
        CHECK_INT(get("echo", &page), ==, 0);
        CHECK(strstr(page.body, "cookie: a=1; b=2\n") || strstr(page.body, "cookie: b=2; a=1\n"));
        plait_session_free(session);
        session = web_session(&none);
        CHECK_INT(get("set-cookie/a=1", &page), ==, 0);
        CHECK_INT(get("echo", &page), ==, 0);
        CHECK(!strstr(page.body, "cookie"));
        plait_response_done(&page);
        plait_session_free(session);
}

/* --- time --- */

static void expect_timeout(const char *url, const struct plait_request_opts *opts, enum plait_http_problem problem)
{
        struct plait_response page = PLAIT_RESPONSE_INIT;

        CHECK_INT(plait_session_get(session, url, &page, opts), ==, -ETIMEDOUT);
        CHECK_STR(plait_http_problem_name(page.problem), plait_http_problem_name(problem));
        CHECK(*page.message);
        plait_response_done(&page);
}

static void check_timeouts(void)
{
        const struct plait_session_opts quick = {.size = sizeof quick, .connect_timeout_ns = 100000000};
        const struct plait_request_opts first = {.size = sizeof first, .first_byte_timeout_ns = 50000000};
        const struct plait_request_opts stall = {.size = sizeof stall, .stall_timeout_ns = 50000000};
        const struct plait_request_opts total = {.size = sizeof total, .total_timeout_ns = 50000000};
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t bytes = sizeof address;
        int deaf = CHECK_SYS(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        char url[64];

        /* one that connects, but never speaks TLS */
        CHECK_SYS(bind(deaf, (struct sockaddr *)&address, bytes));
        CHECK_SYS(listen(deaf, 5));
        CHECK_SYS(getsockname(deaf, (struct sockaddr *)&address, &bytes));
        snprintf(url, sizeof url, "https://127.0.0.1:%u/", ntohs(address.sin_port));
        session = web_session(&quick);
        expect_timeout(url, NULL, PLAIT_HTTP_CONNECT_TIMEOUT);
        plait_session_free(session);
        session = web_session(NULL); /* on a slow machine the others may take longer than that to connect */
        expect_timeout(web_url("plain", "no-answer"), &first, PLAIT_HTTP_FIRST_BYTE_TIMEOUT);
        expect_timeout(web_url("plain", "stall"), &stall, PLAIT_HTTP_STALL_TIMEOUT);
        expect_timeout(web_url("plain", "stall"), &total, PLAIT_HTTP_TOTAL_TIMEOUT);
        expect_timeout(web_url("plain", "no-answer"), &total, PLAIT_HTTP_TOTAL_TIMEOUT);
        plait_session_free(session);
        close(deaf);
}

TEST(each_time_out_is_told_apart, .run = with_server)
{
        check_timeouts();
}

TEST(each_time_out_is_told_apart_in_a_thread, .run = with_server_in_thread)
{
        check_timeouts();
}

TEST(the_deadline_of_a_scope_ends_a_request, .run = with_server)
{
        struct plait_scope scope = {.deadline_ns = plait_in_ms(50)};

        session = web_session(NULL);
        CHECK_INT(plait_scope_open(&scope), ==, 0);
        expect_timeout(web_url("plain", "no-answer"), NULL, PLAIT_HTTP_DEADLINE);
        plait_scope_join(&scope);
        plait_session_free(session);
}

static int get_forever(void *path)
{
        struct plait_response page = PLAIT_RESPONSE_INIT;

        CHECK_INT(get(path, &page), ==, -ECANCELED);
        CHECK_INT(page.problem, ==, PLAIT_HTTP_CANCELED);
        plait_response_done(&page);
        return -ECANCELED;
}

static int fail_soon(void *arg)
{
        (void)arg;
        CHECK_INT(plait_sleep(plait_in_ms(50)), ==, 0);
        return -EIO;
}

TEST(cancellation_ends_requests_in_flight_and_in_the_queue, .run = with_server)
{
        const struct plait_session_opts few = {.size = sizeof few, .transfers_per_host = 3};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_response page = PLAIT_RESPONSE_INIT;

        session = web_session(&few);
        for (int i = 0; i < 20; i++)
                CHECK_INT(plait_scope_go(&scope, get_forever, i % 2 ? "no-answer" : "stall"), ==, 0);
        CHECK_INT(plait_scope_go(&scope, fail_soon, NULL), ==, 0);
        CHECK_INT(plait_scope_join(&scope), ==, -EIO);
        CHECK_INT(get("ok", &page), ==, 0);
        plait_response_done(&page);
        plait_session_free(session);
}

/* --- errors --- */

TEST(errors_say_what_failed, .run = with_server)
{
        static const struct {
                const char *url;
                int result;
                enum plait_http_problem problem;
        } bad[] = {
                {"http://127.0.0.1:1/", -ECONNREFUSED, PLAIT_HTTP_REFUSED},
                {"", -EINVAL, PLAIT_HTTP_BAD_URL},
                {"no URL", -EINVAL, PLAIT_HTTP_BAD_URL},
                {"http://", -EINVAL, PLAIT_HTTP_BAD_URL},
                {"http://host:99999/", -EINVAL, PLAIT_HTTP_BAD_URL},
                {"http://host:port/", -EINVAL, PLAIT_HTTP_BAD_URL},
                {"http://[::1/", -EINVAL, PLAIT_HTTP_BAD_URL},
                {"http://127.0.0.1:1/a b", -EINVAL, PLAIT_HTTP_BAD_URL},
                {"http://ho st/", -EINVAL, PLAIT_HTTP_BAD_URL},
                {"ftp://127.0.0.1/", -EPROTONOSUPPORT, PLAIT_HTTP_BAD_URL},
                {"file:///etc/passwd", -EPROTONOSUPPORT, PLAIT_HTTP_BAD_URL},
        };
        struct plait_response page = PLAIT_RESPONSE_INIT;

        session = web_session(NULL);
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                int r = plait_session_get(session, bad[i].url, &page, NULL);

                if (r != bad[i].result || page.problem != bad[i].problem || !*page.message)
                        FAIL("'%s': %d %s: %s", bad[i].url, r, plait_http_problem_name(page.problem), page.message);
                CHECK(!page.body && page.status == 0);
        }
        CHECK_INT(plait_session_get(session, "http://127.0.0.1:1/", &page, NULL), ==, -ECONNREFUSED);
        CHECK(strstr(page.message, "cannot connect to 127.0.0.1:1: connection refused"));
        CHECK_INT(plait_session_get(session, "http://127.0.0.1:1/", NULL, NULL), ==, -ECONNREFUSED);
        plait_response_done(&page);
        plait_session_free(session);
}

TEST(misuse_is_refused, .run = with_server)
{
        static const char *const injected[] = {"X: a\r\nY: b", NULL};
        static const char *const unnamed[] = {": a", NULL};
        const struct plait_session_opts unsized = {.size = 0};
        const struct plait_session_opts flags = {.size = sizeof flags, .flags = 1U << 30};
        const struct plait_session_opts header = {.size = sizeof header, .headers = injected};
        const struct plait_session_opts ca = {.size = sizeof ca, .ca_file = "/nowhere/at/all"};
        const struct plait_request_opts two = {
                .size = sizeof two, .flags = PLAIT_REQUEST_TO_FD, .file = stdout, .fd = 1};
        const struct plait_request_opts own = {.size = sizeof own, .headers = unnamed};
        const struct plait_request_opts body = {.size = sizeof body, .body = "x", .body_bytes = 1};
        struct plait_response page = PLAIT_RESPONSE_INIT;
        struct plait_session *none = NULL;

        CHECK_INT(plait_session_new(&none, &unsized), ==, -EINVAL);
        CHECK_INT(plait_session_new(&none, &flags), ==, -EINVAL);
        CHECK_INT(plait_session_new(&none, &header), ==, -EINVAL);
        CHECK_INT(plait_session_new(&none, &ca), ==, -ENOENT);
        CHECK_PTR(none, ==, NULL);
        session = web_session(NULL);
        CHECK_INT(plait_session_get(session, web_url("plain", "ok"), &page, &two), ==, -EINVAL);
        CHECK_INT(page.problem, ==, PLAIT_HTTP_MISUSE);
        CHECK_INT(plait_session_get(session, web_url("plain", "ok"), &page, &own), ==, -EINVAL);
        CHECK_INT(plait_session_get(NULL, web_url("plain", "ok"), &page, NULL), ==, -EINVAL);
        CHECK_INT(plait_session_get(session, NULL, &page, NULL), ==, -EINVAL);
        CHECK_INT(plait_session_request(session, "GE T", web_url("plain", "ok"), &page, NULL), ==, -EINVAL);
        CHECK_INT(plait_session_post(session, web_url("plain", "ok"), "x", 1, &page, &body), ==, -EINVAL);
        plait_response_done(&page);
        plait_session_free(session);
        plait_session_free(NULL);
}

/* --- where bodies go --- */

static int take_slowly(void *arg, const void *data, size_t bytes)
{
        size_t *at = arg;

        for (size_t i = 0; i < bytes; i++)
                CHECK_INT(((const unsigned char *)data)[i], ==, (*at + i) % 65536 % 256);
        *at += bytes;
        return plait_sleep(plait_in_ns(300000));
}

static int refuse(void *arg, const void *data, size_t bytes)
{
        (void)arg, (void)data, (void)bytes;
        return -EDQUOT;
}

static int stop_at_404(void *arg, const struct plait_response *head)
{
        *(int *)arg = head->status;
        return head->status == 404 ? -ENOLINK : 0;
}

static void check_sinks(void)
{
        struct plait_response page = PLAIT_RESPONSE_INIT;
        size_t total = 0;
        int status = 0;
        struct plait_request_opts slow = {.size = sizeof slow, .on_body = take_slowly, .arg = &total};
        struct plait_request_opts full = {.size = sizeof full, .flags = PLAIT_REQUEST_TO_FD};
        struct plait_request_opts file = {.size = sizeof file, .file = tmpfile()};
        const struct plait_request_opts refused = {.size = sizeof refused, .on_body = refuse};
        const struct plait_request_opts head = {.size = sizeof head, .on_head = stop_at_404, .arg = &status};
        const struct plait_request_opts small = {.size = sizeof small, .max_body_bytes = 1000};

        session = web_session(NULL);
        CHECK_INT(plait_session_get(session, web_url("plain", "big/5000000"), &page, &slow), ==, 0);
        CHECK_UINT(total, ==, 5000000);
        CHECK_UINT(page.body_bytes, ==, 5000000);
        CHECK(!page.body);
        CHECK(file.file);
        CHECK_INT(plait_session_get(session, web_url("plain", "coded/gzip"), &page, &file), ==, 0);
        CHECK_INT(ftell(file.file), ==, 5000);
        fclose(file.file);
        full.fd = CHECK_SYS(open("/dev/full", O_WRONLY | O_CLOEXEC));
        CHECK_INT(plait_session_get(session, web_url("plain", "big/5000000"), &page, &full), ==, -ENOSPC);
        CHECK_INT(page.problem, ==, PLAIT_HTTP_SINK);
        CHECK(strstr(page.message, "No space left"));
        close(full.fd);
        CHECK_INT(plait_session_get(session, web_url("plain", "ok"), &page, &refused), ==, -EDQUOT);
        CHECK_INT(plait_session_get(session, web_url("plain", "ok"), &page, &head), ==, 0);
        CHECK_INT(status, ==, 200);
        CHECK_UINT(page.body_bytes, ==, 100);
        CHECK(page.body);
        CHECK_INT(plait_session_get(session, web_url("plain", "nowhere"), &page, &head), ==, -ENOLINK);
        CHECK_INT(page.status, ==, 404);
        CHECK_INT(plait_session_get(session, web_url("plain", "ok/1000"), &page, &small), ==, 0);
        CHECK_INT(plait_session_get(session, web_url("plain", "ok/1001"), &page, &small), ==, -EFBIG);
        CHECK_INT(plait_session_get(session, web_url("plain", "coded/bomb"), &page, &small), ==, -EFBIG);
        CHECK_INT(plait_session_get(session, web_url("plain", "unsized"), &page, &small), ==, 0);
        CHECK_INT(plait_session_get(session, web_url("plain", "ok"), NULL, NULL), ==, 0);
        plait_response_done(&page);
        plait_session_free(session);
}

TEST(bodies_go_where_they_are_wanted, .run = with_server)
{
        check_sinks();
}

TEST(bodies_go_where_they_are_wanted_in_a_thread, .run = with_server_in_thread)
{
        check_sinks();
}

TEST(a_body_can_be_taken, .run = with_server)
{
        struct plait_response page = PLAIT_RESPONSE_INIT;
        char *body;

        session = web_session(NULL);
        CHECK_INT(get("ok/1000", &page), ==, 0);
        body = plait_response_take_body(&page);
        CHECK_PTR(page.body, ==, NULL);
        plait_response_done(&page);
        CHECK_UINT(strlen(body), ==, 1000);
        free(body);
        plait_session_free(session);
}

/* --- many --- */

static int in_flight;
static int most;

static int counted(void *arg, const struct plait_response *head)
{
        int now = __atomic_add_fetch(&in_flight, 1, __ATOMIC_SEQ_CST);

        (void)arg, (void)head;
        for (int seen = __atomic_load_n(&most, __ATOMIC_SEQ_CST);
             now > seen && !__atomic_compare_exchange_n(&most, &seen, now, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);)
                ;
        plait_yield();
        __atomic_sub_fetch(&in_flight, 1, __ATOMIC_SEQ_CST);
        return 0;
}

static int get_some(void *tls)
{
        const struct plait_request_opts opts = {.size = sizeof opts, .on_head = counted};
        struct plait_response page = PLAIT_RESPONSE_INIT;

        for (int i = 0; i < 10; i++) {
                CHECK_INT(plait_session_get(session, web_url(tls ? "tls" : "plain", "ok/5000"), &page, &opts), ==, 0);
                CHECK_UINT(page.body_bytes, ==, 5000);
        }
        plait_response_done(&page);
        return 0;
}

TEST(limits_hold, .run = with_server)
{
        const struct plait_session_opts few = {.size = sizeof few, .transfers = 5, .transfers_per_host = 3};
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        session = web_session(&few);
        for (int i = 0; i < 40; i++)
                CHECK_INT(plait_scope_go(&scope, get_some, i % 2 ? "tls" : NULL), ==, 0);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        CHECK_INT(most, <=, 5);
        plait_session_free(session);
}

TEST(a_session_outlives_a_run, .run = with_server_in_thread)
{
        struct plait_response page = PLAIT_RESPONSE_INIT;

        session = web_session(NULL);
        for (int i = 0; i < 3; i++) {
                CHECK_INT(plait_run(get_some, NULL, NULL), ==, 0);
                CHECK_INT(get("ok", &page), ==, 0);
        }
        plait_response_done(&page);
        plait_session_free(session);
}
