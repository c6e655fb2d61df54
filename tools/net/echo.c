/*
 * Whether a host answers. A complaint about an echo request ends the try; one about the UDP packets that go beside it
 * does not: firewalls often turn down UDP that nobody asked for.
 */
#include "net/echo.h"

#include <errno.h>
#include <poll.h>

#include <plait/fd.h>
#include <plait/scope.h>
#include <plait/time.h>

enum { WAYS = 2, PAYLOAD = 32 };

/* When packets are sent, in ms after the first one; UDP joins echo requests with the second. */
static const int schedule_ms[] = {0, 200, 500, 900, 1300};

#define PACKETS (sizeof schedule_ms / sizeof *schedule_ms)

struct attempt {
        struct net_pinger pingers[WAYS]; /* the first is the one whose errors count; fd -1: not open */
        int64_t sent_ns[WAYS][PACKETS];
        size_t packets;
        int64_t begin_ns;
};

static int open_pingers(struct attempt *attempt, const struct net_ip *target, struct net_echo *ret)
{
        attempt->pingers[1].fd = -1;

        int r = net_ping_open(&attempt->pingers[0], target, NET_PING_MAY_ICMP);

        ret->icmp_allowed = r != -EACCES;
        if (r == -EACCES)
                return net_ping_open(&attempt->pingers[0], target, NET_PING_MAY_UDP);
        if (r == 0)
                (void)net_ping_open(&attempt->pingers[1], target, NET_PING_MAY_UDP);
        return r;
}

static void send_next(struct attempt *attempt, struct net_echo *ret)
{
        size_t number = attempt->packets++;

        for (int i = 0; i < WAYS; i++) {
                struct net_pinger *pinger = &attempt->pingers[i];

                if (pinger->fd < 0 || (i > 0 && number == 0))
                        continue;

                int r = net_ping_send(pinger, (uint16_t)number, PAYLOAD, 0, &attempt->sent_ns[i][number]);

                if (i == 0)
                        ret->local_error = -r;
                ret->sent += r == 0;
        }
}

/* True when it is decided. */
static bool take(struct attempt *attempt, struct net_echo *ret)
{
        struct net_pong pong;

        for (int i = 0; i < WAYS; i++) {
                if (attempt->pingers[i].fd < 0)
                        continue;
                while (net_ping_take(&attempt->pingers[i], &pong) == 0) {
                        if (pong.number >= attempt->packets || attempt->sent_ns[i][pong.number] == 0)
                                continue;
                        if (pong.is_reply) {
                                int64_t rtt_ns = pong.realtime_ns - attempt->sent_ns[i][pong.number];

                                ret->answered = true;
                                ret->way = attempt->pingers[i].way;
                                ret->rtt_ns = rtt_ns > 0 ? rtt_ns : 0;
                                ret->ttl = pong.ttl;
                                return true;
                        }
                        if (i == 0 && !ret->complained) {
                                ret->complained = true;
                                ret->error = pong.error;
                                return true;
                        }
                }
        }
        return false;
}

static int wait_for_news(const struct attempt *attempt, int64_t deadline_ns)
{
        struct pollfd fds[WAYS];

        for (int i = 0; i < WAYS; i++)
                fds[i] = (struct pollfd){.fd = attempt->pingers[i].fd, .events = POLLIN};
        return plait_poll(fds, WAYS, deadline_ns);
}

static int run(struct attempt *attempt, int64_t deadline_ns, struct net_echo *ret)
{
        attempt->begin_ns = plait_now_ns();
        for (;;) {
                int64_t next_ns = deadline_ns;

                if (attempt->packets < PACKETS) {
                        next_ns = attempt->begin_ns + schedule_ms[attempt->packets] * 1000000LL;
                        if (plait_now_ns() >= next_ns) {
                                send_next(attempt, ret);
                                continue;
                        }
                        next_ns = next_ns < deadline_ns ? next_ns : deadline_ns;
                }
                if (take(attempt, ret))
                        return 0;

                int r = wait_for_news(attempt, next_ns);

                if (r < 0 && r != -ETIMEDOUT)
                        return r;
                if (r == -ETIMEDOUT && plait_now_ns() >= deadline_ns)
                        return 0;
                if (r == -ETIMEDOUT && plait_cancelled() < 0)
                        return plait_cancelled();
        }
}

int net_echo_try(const struct net_ip *target, int64_t deadline_ns, struct net_echo *ret)
{
        struct attempt attempt = {.pingers = {{.fd = -1}, {.fd = -1}}};
        struct net_echo echo = {.ttl = -1};
        int r = open_pingers(&attempt, target, &echo);

        if (r == -ENETUNREACH || r == -EHOSTUNREACH || r == -EADDRNOTAVAIL || r == -EPERM || r == -EINVAL) {
                echo.local_error = -r; /* connect() knows already that there is no way */
                r = 0;
        } else if (r == 0) {
                echo.way = attempt.pingers[0].way;
                r = run(&attempt, deadline_ns, &echo);
        }
        for (int i = 0; i < WAYS; i++)
                net_ping_close(&attempt.pingers[i]);
        if (r < 0)
                return r;
        *ret = echo;
        return 0;
}
