/*
 * Downloads a list of sites in one of four ways:
 *
 *     sites sequential|threads|tasks|processes <urls
 *
 * and says how many bytes came. Threads and processes make a session each, in their initializer, and keep it, so
 * connections are used again; tasks share one. See docs/guide/sites.md.
 */
#include <plait/plait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1000, URL_BYTES = 512 };

struct page {
        size_t bytes;
        int status;
};

static char urls[MOST][URL_BYTES];
static struct page pages[MOST];
static size_t count;

/* --- one page --- */

static int get(struct plait_session *session, const char *url, struct page *page)
{
        struct plait_response answer = PLAIT_RESPONSE_INIT;
        int r = plait_session_get(session, url, &answer, NULL);

        if (r == 0)
                *page = (struct page){.bytes = answer.body_bytes, .status = answer.status};
        plait_response_done(&answer);
        return r;
}

/* The session of this thread, or of this worker process. */
static _Thread_local struct plait_session *own_session;

static int make_session(void *arg)
{
        (void)arg;
        return plait_session_new(&own_session, NULL);
}

static void free_session(void *arg)
{
        (void)arg;
        plait_session_free(own_session);
}

/* A job: its argument is the URL's bytes, its result a page. */
static int get_by_worker(void *url, void *page)
{
        return get(own_session, url, page);
}

/* --- all of them --- */

static int one_after_the_other(void)
{
        int r = make_session(NULL);

        if (r < 0)
                return r;
        for (size_t i = 0; i < count && r == 0; i++)
                r = get(own_session, urls[i], &pages[i]);
        free_session(NULL);
        return r;
}

static int with_workers(int (*open)(const struct plait_executor_opts *opts, struct plait_executor **ret_executor))
{
        struct plait_executor_opts opts = {
                .size = sizeof opts, .workers = 5, .initializer = make_session, .finaliser = free_session};
        struct plait_executor_map_opts one_by_one = {.size = sizeof one_by_one, .chunk = 1};
        struct plait_executor *executor;
        int r = open(&opts, &executor);

        if (r < 0)
                return r;
        r = plait_executor_map(executor, get_by_worker, urls, sizeof urls[0], pages, sizeof pages[0], count,
                               &one_by_one);
        int ended = plait_executor_shutdown(executor, PLAIT_SHUTDOWN_DRAIN, PLAIT_NEVER);
        plait_executor_free(executor);
        return r < 0 ? r : ended;
}

static struct plait_session *shared_session;

static int get_in_task(void *arg)
{
        const size_t i = (size_t)((char(*)[URL_BYTES])arg - urls);

        return get(shared_session, urls[i], &pages[i]);
}

static int with_tasks(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        int r = plait_session_new(&shared_session, NULL);

        (void)arg;
        if (r < 0)
                return r;
        for (size_t i = 0; i < count; i++)
                plait_scope_go(&scope, get_in_task, urls[i]);
        r = plait_scope_join(&scope);
        plait_session_free(shared_session);
        return r;
}

static int download(const char *way)
{
        if (strcmp(way, "sequential") == 0)
                return one_after_the_other();
        if (strcmp(way, "threads") == 0)
                return with_workers(plait_executor_threads);
        if (strcmp(way, "tasks") == 0)
                return plait_run(with_tasks, NULL, NULL);
        if (strcmp(way, "processes") == 0)
                return with_workers(plait_executor_processes);
        return -EINVAL;
}

int main(int argc, char **argv)
{
        size_t bytes = 0;

        while (count < MOST && fgets(urls[count], URL_BYTES, stdin)) {
                urls[count][strcspn(urls[count], "\r\n")] = '\0';
                count += urls[count][0] != '\0';
        }
        int r = argc == 2 ? download(argv[1]) : -EINVAL;
        if (r < 0) {
                fprintf(stderr, "sites: %s\n",
                        r == -EINVAL ? "usage: sites sequential|threads|tasks|processes <urls" : strerror(-r));
                return EXIT_FAILURE;
        }
        for (size_t i = 0; i < count; i++)
                bytes += pages[i].status == 200 ? pages[i].bytes : 0;
        printf("%zu pages, %zu bytes\n", count, bytes);
        return EXIT_SUCCESS;
}
