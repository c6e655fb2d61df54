/*
 * A session per worker: 200 pages are fetched by 200 tasks, through as many HTTP sessions as there are workers. Each
 * session keeps its connections, so few are made. The sessions are made when the first task of a worker needs one, and
 * freed when the run ends. See docs/guide/worker_session.md.
 *
 * The second half is the server that the pages come from, so that this program needs no other.
 */
#include <plait/plait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGES = 200 };

static int sessions, pages;

static int make_session(void *arg, void **ret_session)
{
        struct plait_session *session = NULL;

        (void)arg;
        int r = plait_session_new(&session, NULL);
        if (r < 0)
                return r;
        __atomic_add_fetch(&sessions, 1, __ATOMIC_RELAXED);
        *ret_session = session;
        return 0;
}

static void free_session(void *session)
{
        plait_session_free(session);
}

static struct plait_worker_local session_of_worker = PLAIT_WORKER_LOCAL_INIT(make_session, free_session, NULL);

/* While it waits for the answer, other tasks use the same session, and it may go on at another worker. */
static int fetch(void *url)
{
        struct plait_response page = PLAIT_RESPONSE_INIT;
        void *session;

        int r = plait_worker_local_get(&session_of_worker, &session);
        if (r < 0)
                return r;
        r = plait_session_get(session, url, &page, NULL);
        if (r == 0 && page.status == 200)
                __atomic_add_fetch(&pages, 1, __ATOMIC_RELAXED);
        plait_response_done(&page);
        return r;
}

/* --- the server --- */

struct server {
        struct plait_scope scope;
        int listener;
};

/* Answers one request after the other, as long as the client likes. */
static int serve(void *arg)
{
        static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        char text[4096];
        size_t have = 0;
        ssize_t n;
        int fd = (int)(intptr_t)arg;

        while ((n = plait_read(fd, text + have, sizeof text - 1 - have, PLAIT_NEVER)) > 0) {
                have += (size_t)n;
                text[have] = '\0';
                if (!strstr(text, "\r\n\r\n"))
                        continue;
                have = 0;
                n = plait_write_full(fd, answer, sizeof answer - 1, PLAIT_NEVER);
                if (n < 0)
                        break;
        }
        plait_close(fd);
        return 0;
}

static int accept_all(void *arg)
{
        struct server *server = arg;
        int fd;

        while ((fd = plait_accept(server->listener, NULL, PLAIT_NEVER)) >= 0) {
                int r = plait_scope_go(&server->scope, serve, (void *)(intptr_t)fd);
                if (r < 0) {
                        plait_close(fd);
                        return r;
                }
        }
        return fd;
}

/* --- both --- */

static int fetch_all(char *url)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        for (int i = 0; i < PAGES; i++)
                plait_scope_go(&scope, fetch, url);
        return plait_scope_join(&scope);
}

static int app(void *arg)
{
        struct server server = {.scope = PLAIT_SCOPE_INIT};
        struct plait_address address;
        char text[PLAIT_ADDRESS_TEXT], url[PLAIT_ADDRESS_TEXT + sizeof "http:///"];

        (void)arg;
        server.listener = plait_listen("127.0.0.1:0", NULL);
        if (server.listener < 0)
                return server.listener;
        int r = plait_local_address(server.listener, &address);
        if (r == 0) {
                plait_scope_go(&server.scope, accept_all, &server);
                snprintf(url, sizeof url, "http://%s/", plait_address_text(&address, text, sizeof text));
                r = fetch_all(url);
                plait_scope_cancel(&server.scope);
                (void)plait_scope_join(&server.scope); /* -ECANCELED */
        }
        plait_close(server.listener);
        if (r == 0) {
                printf("%d pages\n", pages);
                printf("fewer sessions than pages: %s\n", sessions < PAGES ? "yes" : "no");
        }
        return r;
}

int main(void)
{
        return plait_run(app, NULL, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
