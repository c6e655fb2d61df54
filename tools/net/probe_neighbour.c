/*
 * The neighbours: does the gateway answer on its link, and the target, if it is on one?
 *
 * With a packet socket this asks itself. Without, it has the kernel ask, by sending a UDP datagram there, and reads in
 * the kernel's table what became of it: INCOMPLETE for more than a second means two requests without an answer.
 */
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <plait/fd.h>
#include <plait/scope.h>
#include <plait/socket.h>
#include <plait/time.h>

#include "net/arp.h"
#include "net/kernel.h"
#include "net/probes.h"
#include "net/way.h"

#define LOOK_MS 20 /* between two looks at the table */
#define UNANSWERED_MS \
        1400          /* INCOMPLETE or PROBE for that long: the second request, at 1.05 s, was not answered either */
#define STALE_MS 60   /* an old entry is not asked about for 5 s: no use waiting for it */
#define ABSENT_MS 700 /* an entry that does not even appear */
#define DISCARD_PORT 9

struct question {
        struct net_run *run;
        const char *name; /* of the fact */
        struct net_ip ip;
        uint32_t link;
};

static const struct net_neighbour *find(const struct net_neighbours *neighbours, const struct question *question)
{
        for (size_t i = 0; i < neighbours->count; i++)
                if (neighbours->at[i].link == question->link && net_ip_equal(&neighbours->at[i].ip, &question->ip))
                        return &neighbours->at[i];
        return NULL;
}

/* Has the kernel look for the neighbour. What becomes of the datagram does not matter. */
static int trigger(const struct question *question)
{
        struct plait_address to = net_ip_address(&question->ip, DISCARD_PORT);
        int fd = plait_socket(question->ip.family, SOCK_DGRAM, 0);

        if (fd < 0)
                return fd;
        ssize_t n = plait_sendto(fd, "", 0, 0, &to, plait_in_ms(10));
        plait_close(fd);
        return n < 0 ? (int)n : 0;
}

static void describe(const struct net_neighbour *neighbour, struct net_fact *fact)
{
        const uint8_t *mac = neighbour->mac;

        if (neighbour->has_mac)
                net_fact_value(fact, "%s %02x:%02x:%02x:%02x:%02x:%02x", net_neighbour_state(neighbour->state), mac[0],
                               mac[1], mac[2], mac[3], mac[4], mac[5]);
        else
                net_fact_value(fact, "%s", net_neighbour_state(neighbour->state));
}

/* What one look tells. True if that settles it. */
static bool judge(const struct net_neighbour *neighbour, int64_t begin, struct net_fact *fact)
{
        double waited = net_ms_since(begin);
        uint16_t state = neighbour ? neighbour->state : 0;

        if (neighbour)
                describe(neighbour, fact);
        if (state & (NUD_REACHABLE | NUD_PERMANENT)) {
                fact->state = NET_OK;
                fact->why[0] = 0;
                return true;
        }
        if (state & (NUD_STALE | NUD_DELAY)) {
                net_fact_unknown(fact, "it answered some time ago (%s); whether it does now, ARP would tell: %s",
                                 net_neighbour_state(state), net_raw_advice());
                return waited > STALE_MS;
        }
        if ((state & (NUD_INCOMPLETE | NUD_PROBE) && waited > UNANSWERED_MS) ||
            (state & NUD_FAILED && waited > LOOK_MS)) {
                net_fact_fail(fact, NET_NO_ARP, "two requests or more for its link address stayed unanswered (%s)",
                              net_neighbour_state(state));
                return true;
        }
        net_fact_unknown(fact, "the kernel has not asked for its link address");
        return !neighbour && waited > ABSENT_MS;
}

static int ask_kernel(struct question *question, struct net_fact *fact)
{
        struct net_neighbours *neighbours = malloc(sizeof *neighbours);
        int64_t begin = plait_now_ns();
        bool settled = false;

        if (!neighbours)
                return -ENOMEM;
        int r = trigger(question);
        if (r == -EPERM || r == -EACCES) { /* a local filter; the table may still tell */
                net_fact_value(fact, "a local filter forbids sending there");
                r = 0;
        }
        while (!settled && r != -ECANCELED && r != -ETIMEDOUT) {
                if ((r = net_kernel_neighbours(neighbours)) < 0)
                        break;
                settled = judge(find(neighbours, question), begin, fact);
                if (!settled)
                        r = plait_sleep(plait_in_ms(LOOK_MS));
        }
        fact->ms = net_ms_since(begin);
        free(neighbours);
        return r == -ETIMEDOUT ? 0 : r;
}

static struct net_ip source_on(const struct net_host *host, uint32_t link)
{
        for (size_t i = 0; i < host->addrs.count; i++)
                if (host->addrs.at[i].link == link && host->addrs.at[i].ip.family == AF_INET)
                        return host->addrs.at[i].ip;
        return (struct net_ip){.family = 0};
}

/* Returns -EPERM when the kernel has to be asked. */
static int ask_link(struct question *question, struct net_fact *fact)
{
        const struct net_link *link = net_host_link(&question->run->host, question->link);
        struct net_ip source = source_on(&question->run->host, question->link);
        int64_t begin = plait_now_ns();
        uint8_t mac[6] = {0};

        if (!question->run->raw || !link || !link->ethernet || question->ip.family != AF_INET)
                return -EPERM;
        int r = net_arp_ask(link, &source, &question->ip, 3, 200, mac);
        fact->ms = net_ms_since(begin);
        if (r == 0)
                net_fact_ok(fact, "answers from %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                            mac[5]);
        else if (r == -ETIMEDOUT)
                net_fact_fail(fact, NET_NO_ARP, "three ARP requests on %s stayed unanswered", link->name);
        return r == -ETIMEDOUT ? 0 : r;
}

static int ask(void *arg)
{
        struct question *question = arg;
        const struct net_link *link = net_host_link(&question->run->host, question->link);
        char text[NET_IP_TEXT];
        struct net_fact fact = net_fact_make(NET_NEIGHBOUR, question->name, net_ip_text(&question->ip, text));

        fact.family = question->ip.family;
        fact.from = question->ip;
        if (link && (!link->up || !link->carrier))
                return 0; /* nobody can answer, and the link says why */
        if (link && (link->no_arp || link->loopback)) {
                net_fact_ok(&fact, "%s needs no link addresses", link->name);
                net_post(question->run, &fact);
                return 0;
        }
        int r = ask_link(question, &fact);
        if (r < 0 && r != -ECANCELED)
                r = ask_kernel(question, &fact);
        if (r == -ECANCELED)
                return r;
        if (r < 0)
                net_fact_unknown(&fact, "it cannot be asked for: %s", strerrordesc_np(-r));
        net_post(question->run, &fact);
        return 0;
}

int net_gateway_probe(struct net_run *run)
{
        struct net_way ways[NET_WAYS_MAX];
        struct question questions[NET_WAYS_MAX];
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        size_t count = net_ways(run, ways, NET_WAYS_MAX);

        for (size_t i = 0; i < count; i++) {
                if (ways[i].gateway.family == 0)
                        continue;
                questions[i] = (struct question){run, "neigh.gateway", ways[i].gateway, ways[i].link};
                plait_scope_go(&scope, ask, &questions[i]);
        }
        return plait_scope_join(&scope);
}

int net_neighbour_target_probe(struct net_run *run)
{
        struct question questions[NET_ADDRESSES_MAX];
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct net_route route;
        int count = net_run_addresses(run);

        for (int i = 0; i < count; i++) {
                if (net_ip_is_loopback(&run->addresses[i]) || net_kernel_route(&run->addresses[i], &route) < 0 ||
                    route.gateway.family != 0 || route.type != RTN_UNICAST)
                        continue;
                questions[i] = (struct question){run, "neigh.target", run->addresses[i], route.link};
                plait_scope_go(&scope, ask, &questions[i]);
        }
        int r = plait_scope_join(&scope);
        return count < 0 ? count : r;
}

bool net_neighbour_target_wanted(const struct net_run *run, const struct net_fact *facts, size_t count)
{
        (void)facts;
        (void)count;
        return run->target.given && !net_run_is_proxied(run) && !run->host.netlink_failed;
}

/* The kernel's table as it is, for who wants to see it. */
int net_neighbour_table_probe(struct net_run *run)
{
        for (size_t i = 0; i < run->host.neighbours.count; i++) {
                const struct net_neighbour *neighbour = &run->host.neighbours.at[i];
                const struct net_link *link = net_host_link(&run->host, neighbour->link);
                char text[NET_IP_TEXT];
                struct net_fact fact = net_fact_make(NET_NEIGHBOUR, "neigh.entry", net_ip_text(&neighbour->ip, text));
                size_t used;

                fact.family = neighbour->ip.family;
                fact.from = neighbour->ip;
                describe(neighbour, &fact);
                used = strlen(fact.value);
                snprintf(fact.value + used, sizeof fact.value - used, " dev %s%s", link ? link->name : "?",
                         neighbour->is_router ? " router" : "");
                if (neighbour->has_mac)
                        fact.state = NET_OK;
                else
                        net_fact_unknown(&fact, "%s: it has not told its link address", fact.value);
                net_post(run, &fact);
        }
        return 0;
}

bool net_neighbour_table_wanted(const struct net_run *run, const struct net_fact *facts, size_t count)
{
        (void)facts;
        (void)count;
        return run->options->view == NET_VIEW_ARP || run->options->verbose;
}
