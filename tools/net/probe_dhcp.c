/*
 * Who gives out addresses here? Sends a DHCPDISCOVER and never asks for what is offered, so nothing changes. Takes a
 * packet socket.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <plait/scope.h>
#include <plait/socket.h>
#include <plait/time.h>

#include "net/dhcp.h"
#include "net/packet.h"
#include "net/probes.h"
#include "net/way.h"

#define SERVERS_MAX 8
#define AGAIN_MS 1000    /* the message is sent again after that, */
#define FURTHER_MS 300   /* and after the first offer, others are waited for so long: servers answer at once, */
#define PATIENCE_MS 4300 /* or after 3 s, when they first ping the address that they are going to offer */
#define CONTENT_MS 1000  /* when nothing is wrong so far, nobody waits for more than that */
#define PACKET_BYTES 1600

struct search {
        struct net_run *run;
        const struct net_link *link;
        int fd;
        uint32_t transaction;
        struct net_dhcp offers[SERVERS_MAX];
        size_t count;
};

static void note(struct search *search, const struct net_dhcp *offer)
{
        for (size_t i = 0; i < search->count; i++)
                if (net_ip_equal(&search->offers[i].server, &offer->server))
                        return;
        if (search->count < SERVERS_MAX)
                search->offers[search->count++] = *offer;
}

/* Takes offers until the deadline, or until *FURTHER_MS* after the first. */
static int hear(struct search *search, int64_t deadline_ns)
{
        uint8_t packet[PACKET_BYTES];
        struct net_dhcp dhcp;
        size_t length = 0;

        for (;;) {
                ssize_t n = plait_recv(search->fd, packet, sizeof packet, 0, deadline_ns);
                if (n < 0)
                        return (int)n;
                const uint8_t *message = net_dhcp_in_packet(packet, (size_t)n, &length);
                if (!message || !net_dhcp_parse(message, length, &dhcp) || !dhcp.reply ||
                    dhcp.transaction != search->transaction || dhcp.type != NET_DHCP_OFFER || dhcp.server.family == 0)
                        continue;
                if (search->count == 0 && plait_in_ms(FURTHER_MS) < deadline_ns)
                        deadline_ns = plait_in_ms(FURTHER_MS);
                note(search, &dhcp);
        }
}

/* How long an answer is worth waiting for. */
static int64_t patience_ms(const struct search *search)
{
        struct net_fact fact;
        bool expired = net_board_find(&search->run->board, "lease.file", search->link->name, &fact) &&
                       fact.state == NET_FAIL;

        return expired || !net_link_has_address(&search->run->host, search->link->index, AF_INET) ? PATIENCE_MS
                                                                                                  : CONTENT_MS;
}

static int look(struct search *search)
{
        struct plait_address to;
        uint8_t message[NET_DHCP_BYTES];
        uint8_t packet[PACKET_BYTES];
        int64_t deadline = search->run->begin_ns + patience_ms(search) * 1000000LL;

        if (getrandom(&search->transaction, sizeof search->transaction, 0) < 0)
                search->transaction = (uint32_t)plait_now_ns();
        search->fd = net_packet_open(search->link, ETH_P_IP, &to);
        if (search->fd < 0)
                return search->fd;
        net_dhcp_discover(search->link->mac, search->transaction, message);
        size_t length = net_dhcp_packet(message, sizeof message, packet, sizeof packet);
        int r = -ETIMEDOUT;
        while (r == -ETIMEDOUT && search->count == 0 && plait_now_ns() < deadline) {
                ssize_t n = plait_sendto(search->fd, packet, length, 0, &to, deadline);
                int64_t again = plait_in_ms(AGAIN_MS);
                r = n < 0 ? (int)n : hear(search, again < deadline ? again : deadline);
                if (plait_cancelled() < 0)
                        break;
        }
        net_packet_close(search->fd);
        return r;
}

static void judge(const struct search *search, int r, struct net_fact *fact)
{
        char text[NET_IP_TEXT];
        size_t used = 0;

        for (size_t i = 0; i < search->count && used < sizeof fact->value; i++)
                used += (size_t)snprintf(fact->value + used, sizeof fact->value - used, "%s%s", i ? ", " : "",
                                         net_ip_text(&search->offers[i].server, text));
        fact->number = (int64_t)search->count;
        if (search->count > 0)
                fact->from = search->offers[0].server;
        if (search->count > 1)
                net_fact_fail(fact, NET_ROGUE_DHCP, "%zu servers offer addresses on %s: %s", search->count,
                              search->link->name, fact->value);
        else if (search->count == 1)
                fact->state = NET_OK;
        else if (r == -ETIMEDOUT)
                net_fact_fail(fact, NET_NO_OFFER, "no server answered DHCPDISCOVER on %s within %.1f s",
                              search->link->name, fact->ms / 1000);
        else
                net_fact_unknown(fact, "whether a DHCP server answers: %s",
                                 r == -EPERM ? net_raw_advice() : strerrordesc_np(-r));
}

static int ask(void *arg)
{
        struct search *search = arg;
        struct net_fact fact = net_fact_make(NET_ADDRESS, "dhcp.offer", search->link->name);
        int64_t begin = plait_now_ns();
        int r = look(search);

        if (r == -ECANCELED && search->count == 0)
                return r;
        fact.family = AF_INET;
        fact.ms = net_ms_since(begin);
        judge(search, r, &fact);
        net_post(search->run, &fact);
        return 0;
}

static bool has_symptom(const struct net_fact *facts, size_t count, enum net_symptom symptom)
{
        for (size_t i = 0; i < count; i++)
                if (facts[i].state == NET_FAIL && facts[i].symptom == symptom)
                        return true;
        return false;
}

/* Whether a link has its address from DHCP, as far as anybody here knows. */
static bool is_dynamic(const struct net_host *host, uint32_t link)
{
        for (size_t i = 0; i < host->leases.count; i++)
                if (host->leases.at[i].link == link)
                        return true;
        for (size_t i = 0; i < host->routes.count; i++)
                if (host->routes.at[i].link == link && host->routes.at[i].protocol == RTPROT_DHCP)
                        return true;
        for (size_t i = 0; i < host->addrs.count; i++)
                if (host->addrs.at[i].link == link && host->addrs.at[i].ip.family == AF_INET &&
                    !host->addrs.at[i].permanent)
                        return true;
        return false;
}

static bool is_asked(const struct net_run *run, const struct net_link *link)
{
        return link->ethernet && !link->loopback && link->up && link->carrier && link->master == 0 &&
               net_link_matters(run, link);
}

/* An address is missing, or the lease is in doubt; or the machine itself is to be looked at and has a lease. */
bool net_dhcp_wanted(const struct net_run *run, const struct net_fact *facts, size_t count)
{
        if (has_symptom(facts, count, NET_NO_ADDRESS) || has_symptom(facts, count, NET_APIPA) ||
            has_symptom(facts, count, NET_LEASE_EXPIRED))
                return true;
        if (run->target.given && !has_symptom(facts, count, NET_NO_ARP))
                return false;
        for (size_t i = 0; i < run->host.links.count; i++)
                if (is_asked(run, &run->host.links.at[i]) && is_dynamic(&run->host, run->host.links.at[i].index))
                        return true;
        return false;
}

int net_dhcp_probe(struct net_run *run)
{
        struct search *searches = calloc(NET_WAYS_MAX, sizeof *searches);
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        size_t count = 0;

        if (!searches)
                return -ENOMEM;

        for (size_t i = 0; i < run->host.links.count && count < NET_WAYS_MAX; i++) {
                if (!is_asked(run, &run->host.links.at[i]))
                        continue;
                searches[count] = (struct search){.run = run, .link = &run->host.links.at[i]};
                plait_scope_go(&scope, ask, &searches[count++]);
        }
        int r = plait_scope_join(&scope);
        free(searches);
        return r;
}
