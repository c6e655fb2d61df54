/* What DHCP clients and administrators have written down: leases, resolv.conf, hosts. */
#include <stdlib.h>

#include "net/lease.h"
#include "net/resolver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct net_resolvers resolvers;
        const char *text = (const char *)data;
        struct net_lease lease = {.link = 0};
        struct net_ip found[4];

        (void)net_lease_networkd(text, size, 1700000000, &lease);
        (void)net_lease_dhclient(text, size, &lease);
        net_resolvers_parse(text, size, &resolvers);
        if (resolvers.count > NET_SERVERS_MAX || resolvers.search_count > NET_SEARCH_MAX)
                abort();
        if (net_hosts_parse(text, size, "a.test", found, 4) > 4)
                abort();
        return 0;
}
