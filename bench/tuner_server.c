/*
 * tuner_server: a web server whose capacity is known, for limits that are found by measurement (bench/tuner.py). GET
 * anything gives a kilobyte after a while. One worker, a task per connection. Prints {"port": P}, ends when standard
 * input does.
 *
 * usage: tuner_server PROFILE
 * - constant   50 ms, however many requests are under way
 * - jittery    10 ms and an exponentially distributed time, 50 ms on average
 * - limited    32 are worked on at once, 20 ms each; others queue
 * - refusing   20 ms; with 50 under way, another one gets status 503 at once
 * - asking     the same, with Retry-After: 1
 * - slowstart  30 ms, 4 at once at the beginning, and one more every 100 ms up to 64; begins with the first request
 */
#include "server.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum profile { CONSTANT, JITTERY, LIMITED, REFUSING, ASKING, SLOWSTART, PROFILES };

static const char *const names[PROFILES] = {"constant", "jittery", "limited", "refusing", "asking", "slowstart"};

enum { LIMITED_SLOTS = 32, REFUSED_FROM = 50, COLD_SLOTS = 4, WARM_SLOTS = 64, BODY = 1024 };

static enum profile profile;
static struct plait_semaphore slots;
static struct plait_event first_request;
static char page[BODY + 128];
static unsigned under_way; /* one worker: no two tasks at once */
static uint64_t seed = 1;

static double draw(void)
{
        uint64_t z = (seed += 0x9e3779b97f4a7c15);

        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return ((double)((z ^ z >> 31) >> 11) + 0.5) / 9007199254740992.0;
}

static int64_t work_ns(void)
{
        switch (profile) {
        case CONSTANT: return 50000000;
        case JITTERY: return 10000000 - (int64_t)(40000000 * log(draw()));
        case SLOWSTART: return 30000000;
        default: return 20000000;
        }
}

static const char *answer(void)
{
        bool limited = profile == LIMITED || profile == SLOWSTART;

        if ((profile == REFUSING || profile == ASKING) && under_way >= REFUSED_FROM)
                return profile == REFUSING ? "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
                                           : "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
                                             "Content-Length: 0\r\n\r\n";
        plait_event_set(&first_request);
        if (limited && plait_semaphore_acquire(&slots, PLAIT_NEVER) < 0)
                return NULL;
        under_way++;
        int r = plait_sleep(plait_in_ns(work_ns()));
        under_way--;
        if (limited)
                plait_semaphore_release(&slots, 1);
        return r < 0 ? NULL : page;
}

/* One request after the other, as HTTP/1.1 clients send them. */
static int serve(void *arg)
{
        char request[4096];
        int fd = (int)(intptr_t)arg;
        size_t have = 0;
        ssize_t n;

        while ((n = plait_read(fd, request + have, sizeof request - 1 - have, PLAIT_NEVER)) > 0) {
                have += (size_t)n;
                request[have] = '\0';
                if (!strstr(request, "\r\n\r\n"))
                        continue;
                have = 0;
                const char *text = answer();
                if (!text || plait_write_full(fd, text, strlen(text), PLAIT_NEVER) < 0)
                        break;
        }
        plait_close(fd);
        return 0;
}

static int warm_up(void *arg)
{
        (void)arg;
        int r = plait_event_wait(&first_request, PLAIT_NEVER);
        for (int i = COLD_SLOTS; i < WARM_SLOTS && r == 0; i++)
                if ((r = plait_sleep(plait_in_ms(100))) == 0)
                        r = plait_semaphore_release(&slots, 1);
        return r == -ECANCELED ? 0 : r;
}

static int app(void *arg)
{
        (void)arg;
        return server_run(serve, profile == SLOWSTART ? warm_up : NULL);
}

int main(int argc, char **argv)
{
        struct plait_run_opts opts = {.size = sizeof opts, .workers = 1};
        int head = snprintf(page, sizeof page, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BODY);

        memset(page + head, 'x', BODY);
        while (profile < PROFILES && (argc != 2 || strcmp(argv[1], names[profile]) != 0))
                profile++;
        if (profile == PROFILES || plait_semaphore_init(&slots, profile == LIMITED ? LIMITED_SLOTS : COLD_SLOTS) < 0) {
                fprintf(stderr, "usage: tuner_server constant|jittery|limited|refusing|asking|slowstart\n");
                return 2;
        }
        return plait_run(app, NULL, &opts) < 0;
}
