/* Against nginx: HTTP/1.1 and HTTP/2 over TLS, many files, each byte right. */
#include "http/server.h"

enum { FILES = 300, TASKS = 32 };

static struct plait_session *session;
static const char *port;
static int next_file;
static int versions[32];
static int reused;

static void with_nginx(void (*body)(void))
{
        web_start("nginx.py");
        if (strncmp(web.ports, "missing", 7) == 0) {
                web_stop();
                SKIP("nginx is not installed");
        }
        in_task(body);
        web_stop();
}

static void check_file(const struct plait_response *page, int number)
{
        size_t bytes = number % 2 ? 1024 : 8192;
        char piece[16];
        int period = snprintf(piece, sizeof piece, "%d ", number);

        CHECK_INT(page->status, ==, 200);
        CHECK_UINT(page->body_bytes, ==, bytes);
        for (size_t i = 0; i < bytes; i++)
                CHECK_INT(page->body[i], ==, piece[i % (size_t)period]);
}

static int fetch_files(void *arg)
{
        struct plait_response page = PLAIT_RESPONSE_INIT;
        int number;

        (void)arg;
        while ((number = __atomic_fetch_add(&next_file, 1, __ATOMIC_RELAXED)) < 4 * FILES) {
                char path[16];

                snprintf(path, sizeof path, "%d", number % FILES);
                if (plait_session_get(session, web_url(port, path), &page, NULL) < 0)
                        FAIL("%s: %s", path, page.message);
                check_file(&page, number % FILES);
                __atomic_fetch_add(&versions[page.version], 1, __ATOMIC_RELAXED);
                __atomic_fetch_add(&reused, page.reused_connection, __ATOMIC_RELAXED);
        }
        plait_response_done(&page);
        return 0;
}

static void fetch_all(const char *from, unsigned flags)
{
        const struct plait_session_opts opts = {.size = sizeof opts, .flags = flags};
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        session = web_session(&opts);
        port = from;
        for (int i = 0; i < TASKS; i++)
                CHECK_INT(plait_scope_go(&scope, fetch_files, NULL), ==, 0);
        CHECK_INT(plait_scope_join(&scope), ==, 0);
        plait_session_free(session);
}

TEST(files_arrive_whole_over_http1, .run = with_nginx)
{
        fetch_all("plain", 0);
        CHECK_INT(versions[11], ==, 4 * FILES);
        CHECK_INT(reused, >=, 4 * FILES - TASKS);
}

TEST(files_arrive_whole_over_http2_and_tls, .run = with_nginx)
{
        fetch_all("tls", 0);
        CHECK_INT(versions[20], ==, 4 * FILES);
        CHECK_INT(reused, >=, 4 * FILES - TASKS);
}

TEST(http1_can_be_insisted_on, .run = with_nginx)
{
        fetch_all("tls", PLAIT_SESSION_HTTP1);
        CHECK_INT(versions[11], ==, 4 * FILES);
}
