/*
 * What the probes of one diagnosis share.
 */
#include "net/run.h"

#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <plait/time.h>

#define RULES_NS 50000000LL /* what is left for the last facts to be judged and shown */

/* The same right as for packet sockets; but closing one of those takes the kernel 15 ms. */
static bool may_use_packets(void)
{
        int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

        if (fd >= 0)
                close(fd);
        return fd >= 0;
}

/* A loopback address, or a name that /etc/hosts gives one. */
static bool is_loopback(const struct net_target *target)
{
        struct net_ip ip = target->ip;

        if (!target->given)
                return false;
        if (!target->literal && net_hosts_find(target->host, &ip, 1) == 0)
                return strcasecmp(target->host, "localhost") == 0;
        return net_ip_is_loopback(&ip);
}

int net_run_init(struct net_run *run, const struct net_options *options, const struct net_target *target)
{
        struct net_proxy_settings settings = net_proxy_environment(options->proxy);

        memset(run, 0, sizeof *run);
        run->options = options;
        run->target = *target;
        run->begin_ns = plait_now_ns();
        run->deadline_ns = run->begin_ns + NET_SOFT_NS - RULES_NS;
        run->confirm_deadline_ns = run->begin_ns + (options->load ? NET_LOAD_NS : NET_HARD_NS) - RULES_NS;
        run->raw = may_use_packets();
        run->to_self = is_loopback(target);
        net_proxy_choose(&settings, target, &run->proxy);
        net_host_read(&run->host);
        return net_board_init(&run->board);
}

void net_run_done(struct net_run *run)
{
        net_board_done(&run->board);
}

void net_post(struct net_run *run, const struct net_fact *fact)
{
        net_board_post(&run->board, fact);
}

int net_run_addresses(struct net_run *run)
{
        int r = plait_event_wait(&run->resolved, run->deadline_ns);

        return r < 0 ? r : (int)run->address_count;
}

void net_run_set_addresses(struct net_run *run, const struct net_ip *addresses, size_t count)
{
        run->address_count = count < NET_ADDRESSES_MAX ? count : NET_ADDRESSES_MAX;
        if (run->address_count > 0)
                memcpy(run->addresses, addresses, run->address_count * sizeof *addresses);
        plait_event_set(&run->resolved);
}

bool net_run_is_proxied(const struct net_run *run)
{
        return run->proxy.set && !run->proxy.malformed;
}

const char *net_raw_advice(void)
{
        return "needs CAP_NET_RAW: run it as root, or once: sudo setcap cap_net_raw+ep \"$(command -v plait)\"";
}

double net_ms_since(int64_t ns)
{
        return (double)(plait_now_ns() - ns) / 1e6;
}
