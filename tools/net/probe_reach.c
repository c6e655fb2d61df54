/*
 * Probes of the way to the target: whether it answers, over which hops, and whether it is there at all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <plait/scope.h>
#include <plait/task.h>
#include <plait/time.h>

#include "net/each.h"
#include "net/echo.h"
#include "net/path.h"
#include "net/probes.h"
#include "net/tcp.h"

enum { ECHO_MS = 1500, PATH_MS = 1300, ALIVE_AFTER_MS = 250, ALIVE_MS = 1100 };

void net_post_alive(struct net_run *run, const struct net_ip *ip, const char *how)
{
        char text[NET_IP_TEXT];
        struct net_fact fact = net_fact_make(NET_PATH, "path.alive", net_ip_text(ip, text));

        fact.family = ip->family;
        net_fact_ok(&fact, "%s", how);
        net_post(run, &fact);
}

/* What it is that somebody complained of a packet that was no TCP. */
static enum net_symptom symptom_of(const struct net_icmp_error *error, const struct net_ip *target)
{
        return net_tcp_symptom(error->error, error, target, net_ip_is_own(&error->offender));
}

/* A failed fact about a packet that somebody turned down, or this machine did not send. */
static void fail_with(struct net_fact *fact, const struct net_icmp_error *error, int local_error,
                      const struct net_ip *target, const char *what)
{
        char offender[NET_IP_TEXT];

        if (!error) {
                net_fact_fail(fact, net_tcp_symptom(local_error, NULL, target, false),
                              "this machine did not send the %s: %s", what, strerrordesc_np(local_error));
                return;
        }
        fact->from = error->offender;

        enum net_symptom symptom = symptom_of(error, target);

        if (symptom == NET_SELF_UNREACHABLE)
                fact->from = *target; /* it is on this link, or behind the gateway: the neighbour facts tell */
        net_fact_fail(fact, symptom, "%s answered the %s with ICMP %u/%u, %s", net_ip_text(&error->offender, offender),
                      what, error->type, error->code, net_icmp_error_text(error));
}

static int echo(struct net_run *run, const struct net_ip *ip)
{
        struct net_echo echo;
        char text[NET_IP_TEXT];
        struct net_fact fact = net_fact_make(NET_PATH, "icmp.echo", net_ip_text(ip, text));
        int r = net_echo_try(ip, net_probe_deadline(run, ECHO_MS), &echo);

        if (r == -ECANCELED)
                return r;
        fact.family = ip->family;
        if (r < 0) {
                net_fact_unknown(&fact, "no socket for it: %s", strerrordesc_np(-r));
                net_post(run, &fact);
                return 0;
        }
        if (echo.answered) {
                fact.ms = (double)echo.rtt_ns / 1e6;
                fact.number = echo.rtt_ns / 1000;
                net_fact_ok(&fact, "%.1f ms%s", fact.ms, echo.way == NET_PING_BY_UDP ? ", by UDP" : "");
                net_post_alive(run, ip, "it answers ping");
        } else if (echo.complained || echo.local_error) {
                fail_with(&fact, echo.complained ? &echo.error : NULL, echo.local_error, ip,
                          echo.icmp_allowed ? "echo request" : "UDP packet");
                if (echo.complained && net_ip_equal(&echo.error.offender, ip))
                        net_post_alive(run, ip, "it sent an ICMP error");
        } else {
                net_fact_fail(&fact, NET_SILENT, "no answer to %u packets (%s)", echo.sent,
                              echo.icmp_allowed ? "echo requests, and UDP to closed ports"
                                                : "UDP to closed ports; echo requests are not allowed to this user");
        }
        net_post(run, &fact);
        return 0;
}

int net_echo_probe(struct net_run *run)
{
        return net_each_address(run, NET_ADDRESSES_MAX, 0, echo);
}

static void post_path(struct net_run *run, const struct net_ip *ip, const struct net_path *path)
{
        char text[NET_IP_TEXT];
        char from[NET_IP_TEXT];
        char hops[NET_VALUE_BYTES];
        struct net_ip loop;
        struct net_fact fact = net_fact_make(NET_PATH, "path.hops", net_ip_text(ip, text));

        fact.family = ip->family;
        fact.number = (int64_t)path->hop_count;
        net_path_text(path, hops, sizeof hops);
        if (net_path_loops(path, &loop)) {
                fact.from = loop;
                net_fact_fail(&fact, NET_ROUTING_LOOP, "%s comes back again and again: %s", net_ip_text(&loop, from),
                              hops);
        } else if (path->reached) {
                net_fact_ok(&fact, "%s", hops);
        } else if (path->complained || path->local_error) {
                fail_with(&fact, path->complained ? &path->error : NULL, path->local_error, ip,
                          path->icmp_allowed ? "echo request" : "UDP packet");
        } else if (path->hop_count == 0) {
                net_fact_unknown(&fact, "no router on the way said anything, and neither did the target");
        } else {
                net_fact_unknown(&fact, "known up to %s; nobody behind it says anything", hops);
        }
        if (fact.state != NET_OK)
                net_fact_value(&fact, "%s", hops);
        net_post(run, &fact);
        if (path->reached)
                net_post_alive(run, ip, "it answers packets that trace the path");
}

static int trace(struct net_run *run, const struct net_ip *ip)
{
        struct net_path path;
        int r = net_path_trace(ip, run->target.port, net_probe_deadline(run, PATH_MS), &path);

        if (r < 0)
                return r;
        post_path(run, ip, &path);
        return 0;
}

int net_path_probe(struct net_run *run)
{
        return net_each_address(run, 2, 0, trace);
}

static bool is_known_alive(struct net_run *run, const struct net_ip *ip)
{
        char text[NET_IP_TEXT];
        struct net_fact fact;

        return net_board_find(&run->board, "path.alive", net_ip_text(ip, text), &fact) && fact.state == NET_OK;
}

/* A port of the target, which may be open or closed: any answer of its own will do. */
struct knock {
        const struct net_ip *ip;
        uint16_t port;
        int64_t deadline_ns;
        bool answered;
};

static int knock(void *arg)
{
        struct knock *self = arg;
        struct net_tcp_try try;
        int r = net_tcp_connect(self->ip, self->port, self->deadline_ns, &try);

        if (r == -ECANCELED)
                return r;
        self->answered = r == 0 && (try.symptom == NET_NO_SYMPTOM || try.symptom == NET_REFUSED ||
                                    (try.complained && net_ip_equal(&try.icmp.offender, self->ip)));
        return 0;
}

/* The usual ports, and one that is nobody's. */
static int knock_around(struct net_run *run, const struct net_ip *ip, bool *ret_answered)
{
        static const uint16_t ports[] = {443, 80, 22, 47919};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct knock knocks[sizeof ports / sizeof *ports];

        for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
                knocks[i] = (struct knock){
                        .ip = ip, .port = ports[i], .deadline_ns = net_probe_deadline(run, ALIVE_MS)};
                if (ports[i] == run->target.port)
                        continue;
                plait_scope_go(&scope, knock, &knocks[i]);
        }

        int r = plait_scope_join(&scope);

        for (size_t i = 0; i < sizeof ports / sizeof *ports; i++)
                *ret_answered |= knocks[i].answered;
        return r;
}

static int look_for_life(struct net_run *run, const struct net_ip *ip)
{
        char text[NET_IP_TEXT];
        bool answered = false;
        int r = plait_sleep(plait_in_ms(ALIVE_AFTER_MS)); /* mostly something has come by then */

        if (r == 0 && !is_known_alive(run, ip))
                r = knock_around(run, ip, &answered);
        if (r < 0)
                return r;
        if (answered)
                net_post_alive(run, ip, "it answers at another port");
        if (is_known_alive(run, ip))
                return 0;

        struct net_fact fact = net_fact_make(NET_PATH, "path.alive", net_ip_text(ip, text));

        fact.family = ip->family;
        net_fact_unknown(&fact, "nothing at all came from it: no answer to ping, nor at any of the ports tried");
        net_post(run, &fact);
        return 0;
}

int net_alive_probe(struct net_run *run)
{
        return net_each_address(run, 2, 0, look_for_life);
}
