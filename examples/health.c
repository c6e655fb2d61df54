/*
 * Checks whether services are well: reads a URL a line from standard input, asks all of them at the same time, gives
 * each two seconds, and tells which are not. Exits with 1 if any is not.
 */
#include <plait/plait.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT_MS = 2000, MOST = 10000 };

static struct plait_session *session;

struct check {
        char *url;
        char verdict[80];
};

/* One check; a negative result is a service that is not well. */
static int check(void *arg)
{
        struct check *check = arg;
        struct plait_request_opts opts = {.size = sizeof opts, .total_timeout_ns = LIMIT_MS * INT64_C(1000000)};
        struct plait_response answer = PLAIT_RESPONSE_INIT;
        int r = plait_session_get(session, check->url, &answer, &opts);

        if (r < 0)
                snprintf(check->verdict, sizeof check->verdict, "%s", plait_http_problem_name(answer.problem));
        else if (answer.status != 200) {
                snprintf(check->verdict, sizeof check->verdict, "status %d", answer.status);
                r = -EPROTO;
        }
        plait_response_done(&answer);
        return r;
}

static size_t read_urls(struct check *checks)
{
        char line[2048];
        size_t n = 0;

        while (n < MOST && fgets(line, sizeof line, stdin)) {
                line[strcspn(line, "\r\n")] = '\0';
                if (*line && (checks[n].url = strdup(line)))
                        n++;
        }
        return n;
}

static int app(void *arg)
{
        static struct check checks[MOST];
        static struct plait_call calls[MOST];
        struct plait_gather_opts opts = {.size = sizeof opts, .flags = PLAIT_GATHER_COLLECT};
        size_t n = read_urls(checks);

        (void)arg;
        int r = plait_session_new(&session, NULL);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                calls[i] = (struct plait_call){.fn = check, .arg = &checks[i]};

        int ill = plait_gather(calls, n, &opts);

        for (size_t i = 0; i < n; i++) {
                if (calls[i].result < 0)
                        printf("%s: %s\n", checks[i].url, checks[i].verdict);
                free(checks[i].url);
        }
        if (ill >= 0)
                printf("%zu of %zu are well\n", n - (size_t)ill, n);
        plait_session_free(session);
        return ill;
}

int main(void)
{
        int ill = plait_run(app, NULL, NULL);

        if (ill < 0)
                fprintf(stderr, "health: %s\n", strerror(-ill));
        return ill ? EXIT_FAILURE : EXIT_SUCCESS;
}
