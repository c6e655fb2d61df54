/*
 * Looking at each address of the target.
 */
#include "net/each.h"

#include <errno.h>

#include <plait/scope.h>
#include <plait/time.h>

#define POSTING_NS 60000000LL

struct look {
        struct net_run *run;
        const struct net_ip *ip;
        int (*look)(struct net_run *run, const struct net_ip *ip);
};

static int start(void *arg)
{
        const struct look *self = arg;

        return self->look(self->run, self->ip);
}

static bool can_reach(const struct net_run *run, const struct net_ip *ip)
{
        return net_ip_is_loopback(ip) || net_host_route(&run->host, ip) || net_host_has_family(&run->host, ip->family);
}

/*
 * Programs do not try addresses of a family that this machine has not, if there are others. So they are no evidence,
 * and are not looked at.
 */
static bool is_tried(const struct net_run *run, const struct net_ip *ip)
{
        if (run->host.netlink_failed || can_reach(run, ip))
                return true;
        for (size_t i = 0; i < run->address_count; i++)
                if (can_reach(run, &run->addresses[i]))
                        return false;
        return true;
}

int net_each_address(struct net_run *run, size_t per_family, size_t stack_bytes,
                     int (*look)(struct net_run *run, const struct net_ip *ip))
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct plait_task_opts opts = {.size = sizeof opts, .stack_bytes = stack_bytes};
        struct look looks[NET_ADDRESSES_MAX];
        size_t taken[2] = {0};
        int count = net_run_addresses(run);

        for (int i = 0; i < count; i++) {
                size_t *of_family = &taken[run->addresses[i].family == AF_INET6];

                if (!is_tried(run, &run->addresses[i]) || ++*of_family > per_family)
                        continue;
                looks[i] = (struct look){.run = run, .ip = &run->addresses[i], .look = look};
                if (plait_scope_start(&scope, start, &looks[i], &opts, NULL) < 0)
                        break;
        }

        int r = plait_scope_join(&scope);

        return count < 0 ? count : r;
}

int64_t net_probe_deadline(const struct net_run *run, int64_t ms)
{
        int64_t last_ns = run->deadline_ns - POSTING_NS;
        int64_t deadline_ns = plait_in_ms(ms);

        return deadline_ns < last_ns ? deadline_ns : last_ns;
}

bool net_is_direct(const struct net_run *run, const struct net_fact *facts, size_t count)
{
        (void)facts;
        (void)count;
        return run->target.given && !net_run_is_proxied(run);
}
