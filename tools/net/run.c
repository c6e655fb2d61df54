/*
 * What the probes of one diagnosis share.
 */
#include "net/run.h"

#include <string.h>

#include <plait/time.h>

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
