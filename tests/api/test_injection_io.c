/* Cancellation at every wait of sockets, pipes, files, names, calls that block, and HTTP (injection.h). */
#include <fcntl.h>
#include <unistd.h>

#include "api/injection.h"

/* --- descriptors, files, names --- */

static void opened(int fd)
{
        CHECK_INT(fd, >=, 0);
        atomic_fetch_add(&resources, 1);
}

static void closed(int fd)
{
        CHECK_OK(plait_close(fd));
        atomic_fetch_sub(&resources, 1);
}

static int talk(void *arg)
{
        char buf[4];
        int fd = seen(plait_dial(arg, PLAIT_NEVER));

        if (fd < 0)
                return fd;
        opened(fd);
        int r = (int)seen((int)plait_write_full(fd, "ping", 4, PLAIT_NEVER));
        if (r >= 0)
                r = (int)seen((int)plait_read_full(fd, buf, 4, PLAIT_NEVER));
        closed(fd);
        return r < 0 ? r : 0;
}

static int answer(int listener)
{
        char buf[4];
        int fd = seen(plait_accept(listener, NULL, PLAIT_NEVER));

        if (fd < 0)
                return fd;
        opened(fd);
        int r = (int)seen((int)plait_read_full(fd, buf, 4, PLAIT_NEVER));
        if (r >= 0)
                r = (int)seen((int)plait_write_full(fd, "pong", 4, PLAIT_NEVER));
        closed(fd);
        return r < 0 ? r : 0;
}

static int sockets(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_address address;
        char text[80];

        (void)arg;
        int listener = plait_listen("127.0.0.1:0", NULL);
        opened(listener);
        CHECK_OK(plait_local_address(listener, &address));
        CHECK_OK(plait_scope_open(&scope));
        go(&scope, talk, (void *)(uintptr_t)plait_address_text(&address, text, sizeof text));
        int r = join(&scope, answer(listener));
        closed(listener);
        return r;
}

TEST(sockets_are_closed, .timeout_ms = 120000)
{
        inject_everywhere(sockets, 2);
}

static int fill_pipe(void *arg)
{
        static char junk[300000]; /* more than a pipe holds */

        int r = (int)seen((int)plait_write_full(*(int *)arg, junk, sizeof junk, PLAIT_NEVER));
        return r < 0 ? r : 0;
}

static int use_files(struct plait_scope *scope, int *ends)
{
        static char buf[300000];
        char path[] = "/tmp/plait-injection-XXXXXX";

        go(scope, fill_pipe, &ends[1]);
        int r = (int)seen((int)plait_read_full(ends[0], buf, sizeof buf, PLAIT_NEVER));
        if (r < 0)
                return r;
        int fd = mkstemp(path);
        opened(fd);
        unlink(path);
        r = (int)seen((int)plait_pwrite(fd, buf, sizeof buf, 0, PLAIT_NEVER));
        if (r >= 0)
                r = (int)seen((int)plait_pread(fd, buf, sizeof buf, 0, PLAIT_NEVER));
        close(fd);
        atomic_fetch_sub(&resources, 1);
        return r;
}

static int files(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int ends[2];

        (void)arg;
        CHECK_INT(pipe2(ends, O_CLOEXEC), ==, 0);
        atomic_fetch_add(&resources, 2);
        CHECK_OK(plait_scope_open(&scope));
        int r = join(&scope, use_files(&scope, ends));
        closed(ends[0]);
        closed(ends[1]);
        return r < 0 ? r : 0;
}

TEST(pipes_and_files_are_closed, .timeout_ms = 120000)
{
        inject_everywhere(files, 2);
}

static int block(void *arg)
{
        atomic_fetch_add((atomic_int *)arg, 1);
        atomic_fetch_sub((atomic_int *)arg, 1);
        return 0;
}

static int names(void *arg)
{
        struct plait_addresses *addresses = NULL;

        (void)arg;
        int r = seen(plait_resolve("localhost", "80", PLAIT_NEVER, &addresses));
        if (r < 0) {
                CHECK_PTR(addresses, ==, NULL);
                return r;
        }
        plait_addresses_free(addresses);
        r = seen(plait_blocking(block, &resources, PLAIT_NEVER));
        return r < 0 ? r : 0;
}

TEST(names_and_blocking_calls_leave_nothing, .timeout_ms = 120000)
{
        inject_everywhere(names, 1);
}

/* --- http --- */

static int serve_one(int listener)
{
        static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
        char buf[4096];
        int fd = seen(plait_accept(listener, NULL, PLAIT_NEVER));

        if (fd < 0)
                return fd;
        opened(fd);
        ssize_t r = seen((int)plait_read(fd, buf, sizeof buf, PLAIT_NEVER));
        if (r >= 0)
                r = seen((int)plait_write_full(fd, response, sizeof response - 1, PLAIT_NEVER));
        closed(fd);
        return r == -EPIPE || r == -ECONNRESET || r >= 0 ? 0 : (int)r;
}

static int get(void *url)
{
        struct plait_response response = {0};
        struct plait_session *session;

        CHECK_OK(plait_session_new(&session, NULL));
        int r = seen(plait_session_get(session, url, &response, NULL));
        plait_response_done(&response);
        plait_session_free(session);
        return r < 0 ? r : 0;
}

static int http(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_address address;
        char text[80], url[100];

        (void)arg;
        int listener = plait_listen("127.0.0.1:0", NULL);
        opened(listener);
        CHECK_OK(plait_local_address(listener, &address));
        snprintf(url, sizeof url, "http://%s/", plait_address_text(&address, text, sizeof text));
        CHECK_OK(plait_scope_open(&scope));
        go(&scope, get, url);
        int r = join(&scope, serve_one(listener));
        closed(listener);
        return r;
}

TEST(http_requests_leave_nothing, .timeout_ms = 120000)
{
        inject_everywhere(http, 2);
}
