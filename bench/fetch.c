/*
 * Workload `fetch`: GET http://127.0.0.1:PORT/i, i < N, over at most CONNS connections, by plait's session.
 * usage: fetch PORT N CONNS
 */
#include <inttypes.h>
#include <plait/plait.h>
#include <stdio.h>
#include <stdlib.h>

static struct plait_session *session;
static unsigned long port;
static unsigned long n;
static unsigned long conns;
static unsigned long next;
static uint64_t bytes;

static int fetch_some(void *arg)
{
        struct plait_response page = PLAIT_RESPONSE_INIT;
        uint64_t mine = 0;
        int r = 0;

        (void)arg;
        for (;;) {
                unsigned long i = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
                char url[64];

                if (i >= n)
                        break;
                snprintf(url, sizeof url, "http://127.0.0.1:%lu/%lu", port, i);
                r = plait_session_get(session, url, &page, NULL);
                if (r < 0) {
                        fprintf(stderr, "%s: %s\n", url, page.message);
                        break;
                }
                mine += page.body_bytes;
        }
        plait_response_done(&page);
        __atomic_fetch_add(&bytes, mine, __ATOMIC_RELAXED);
        return r;
}

static int app(void *arg)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        const struct plait_session_opts opts = {
                .size = sizeof opts,
                .transfers = (unsigned)conns,
                .transfers_per_host = (unsigned)conns,
        };
        int64_t start;
        int r = plait_session_new(&session, &opts);

        (void)arg;
        if (r < 0)
                return r;
        start = plait_now_ns();
        for (unsigned long i = 0; i < conns; i++)
                plait_scope_go(&scope, fetch_some, NULL);
        r = plait_scope_join(&scope);
        printf("{\"ops\": %lu, \"seconds\": %.9f, \"check\": %" PRIu64 "}\n", n,
               (double)(plait_now_ns() - start) * 1e-9, bytes);
        plait_session_free(session);
        return r;
}

int main(int argc, char **argv)
{
        if (argc != 4) {
                fprintf(stderr, "usage: fetch PORT N CONNS\n");
                return 2;
        }
        port = strtoul(argv[1], NULL, 10);
        n = strtoul(argv[2], NULL, 10);
        conns = strtoul(argv[3], NULL, 10);
        return plait_run(app, NULL, NULL) < 0;
}
