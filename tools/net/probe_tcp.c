/*
 * Probes of TCP: whether the target's port can be connected to, over each of its addresses, and what it costs when one
 * family does not work. Of a target without a port, two usual ones are tried: an answer of any kind will do.
 */
#include <errno.h>
#include <string.h>

#include <plait/scope.h>
#include <plait/time.h>

#include "net/each.h"
#include "net/probes.h"
#include "net/tcp.h"

/* Programs give the first address this long before they try one of the other family beside it (RFC 8305). */
enum { EYEBALLS_MS = 250, CONNECT_MS = 1600 };

static void describe(struct net_fact *fact, const struct net_tcp_try *try, const struct net_ip *target, uint16_t port)
{
        char to[NET_IP_TEXT];
        char by[NET_IP_TEXT];

        net_ip_text(target, to);
        net_ip_text(&try->from, by);
        fact->ms = (double)try->ns / 1e6;
        fact->from = try->symptom == NET_SELF_UNREACHABLE ? *target : try->from;
        fact->number = port;
        switch (try->symptom) {
        case NET_NO_SYMPTOM: net_fact_ok(fact, "connected"); break;
        case NET_REFUSED:
                net_fact_fail(fact, NET_REFUSED,
                              try->complained ? "%s answered the SYN for port %u with ICMP port unreachable"
                                              : "%s answered the SYN for port %u with RST",
                              to, port);
                break;
        case NET_SILENT:
                net_fact_fail(fact, NET_SILENT, "no answer to %u SYNs for port %u in %.1f s", 2 * try->attempts, port,
                              fact->ms / 1e3);
                break;
        case NET_NO_ROUTE:
                net_fact_fail(fact, NET_NO_ROUTE, "connect() fails at once: %s", strerrordesc_np(try->error));
                break;
        default:
                if (try->complained)
                        net_fact_fail(fact, try->symptom, "%s answered the SYN for port %u with ICMP %u/%u, %s", by,
                                      port, try->icmp.type, try->icmp.code, net_icmp_error_text(&try->icmp));
                else
                        net_fact_fail(fact, try->symptom, "connect() fails at once: %s", strerrordesc_np(try->error));
        }
}

static void note_life(struct net_run *run, const struct net_ip *ip, const struct net_tcp_try *try)
{
        if (try->symptom == NET_NO_SYMPTOM)
                net_post_alive(run, ip, "it accepts connections");
        else if (try->symptom == NET_REFUSED)
                net_post_alive(run, ip, "it refuses connections");
}

static int connect_port(struct net_run *run, const struct net_ip *ip)
{
        struct net_tcp_try try;
        char text[NET_IP_TEXT];
        struct net_fact fact = net_fact_make(NET_TCP, "tcp.connect", net_ip_text(ip, text));
        int r = net_tcp_connect(ip, run->target.port, net_probe_deadline(run, CONNECT_MS), &try);

        if (r == -ECANCELED)
                return r;
        fact.family = ip->family;
        if (r < 0)
                net_fact_unknown(&fact, "no socket for it: %s", strerrordesc_np(-r));
        else if (try.symptom == NET_SILENT && try.ns < 1000000000)
                net_fact_unknown(&fact, "no answer in %.1f s, and no time left to be sure", (double)try.ns / 1e9);
        else
                describe(&fact, &try, ip, run->target.port);
        net_post(run, &fact);
        if (r == 0)
                note_life(run, ip, &try);
        return 0;
}

struct usual {
        struct net_run *run;
        const struct net_ip *ip;
        uint16_t port;
        struct plait_scope *scope;
        struct net_tcp_try try;
        int result;
};

static int connect_usual(void *arg)
{
        struct usual *self = arg;

        self->result = net_tcp_connect(self->ip, self->port, net_probe_deadline(self->run, CONNECT_MS), &self->try);
        if (self->result == 0 && (self->try.symptom == NET_NO_SYMPTOM || self->try.symptom == NET_REFUSED))
                plait_scope_cancel(self->scope); /* one answer is enough */
        return 0;
}

static int connect_any(struct net_run *run, const struct net_ip *ip)
{
        static const uint16_t ports[] = {443, 80};
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct usual tries[2];
        const struct usual *best = NULL;
        char text[NET_IP_TEXT];
        struct net_fact fact = net_fact_make(NET_TCP, "tcp.alive", net_ip_text(ip, text));

        for (int i = 0; i < 2; i++) {
                tries[i] = (struct usual){
                        .run = run, .ip = ip, .port = ports[i], .scope = &scope, .result = -ECANCELED};
                plait_scope_go(&scope, connect_usual, &tries[i]);
        }
        (void)plait_scope_join(&scope);
        if (plait_cancelled() < 0)
                return plait_cancelled();
        for (int i = 0; i < 2; i++)
                if (tries[i].result == 0 &&
                    (!best || tries[i].try.symptom == NET_NO_SYMPTOM ||
                     (tries[i].try.symptom == NET_REFUSED && best->try.symptom != NET_NO_SYMPTOM)))
                        best = &tries[i];
        fact.family = ip->family;
        if (!best) {
                net_fact_unknown(&fact, "no socket for it");
        } else {
                describe(&fact, &best->try, ip, best->port);
                note_life(run, ip, &best->try);
                if (best->try.symptom == NET_REFUSED)
                        net_fact_ok(&fact, "refuses port %u, so it is there", best->port);
                else if (best->try.symptom == NET_NO_SYMPTOM)
                        net_fact_ok(&fact, "connected to port %u", best->port);
        }
        net_post(run, &fact);
        return 0;
}

/* What a program loses that tries IPv6 first, as they all do. */
static void post_cost(struct net_run *run)
{
        double slowest_v4 = -1;
        double wait_v6 = -1;
        bool v6_works = false;

        for (size_t i = 0; i < run->address_count; i++) {
                struct net_fact fact;
                char text[NET_IP_TEXT];

                if (!net_board_find(&run->board, "tcp.connect", net_ip_text(&run->addresses[i], text), &fact))
                        continue;
                if (run->addresses[i].family == AF_INET && fact.state == NET_OK && fact.ms > slowest_v4)
                        slowest_v4 = fact.ms;
                if (run->addresses[i].family != AF_INET6)
                        continue;
                v6_works |= fact.state == NET_OK;
                if (fact.state == NET_FAIL && fact.ms > wait_v6)
                        wait_v6 = fact.ms;
        }
        if (slowest_v4 < 0 || wait_v6 < 0 || v6_works)
                return;

        struct net_fact cost = net_fact_make(NET_TCP, "tcp.eyeballs", NULL);

        cost.number = wait_v6 < EYEBALLS_MS ? (int64_t)wait_v6 : EYEBALLS_MS;
        net_fact_ok(&cost, "each new connection takes %lld ms longer, before a program tries IPv4",
                    (long long)cost.number);
        net_post(run, &cost);
}

int net_tcp_probe(struct net_run *run)
{
        int r = net_each_address(run, NET_ADDRESSES_MAX, 0, run->target.has_port ? connect_port : connect_any);

        if (r == 0)
                post_cost(run);
        return r;
}
