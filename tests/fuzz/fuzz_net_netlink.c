/* Dumps of the kernel: links, addresses, routes, neighbours. */
#include <stdlib.h>
#include <string.h>

#include "net/netlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct net_links links;
        static struct net_addrs addrs;
        static struct net_routes routes;
        static struct net_neighbours neighbours;
        const struct net_dumps dumps = {&links, &addrs, &routes, &neighbours};
        const struct net_dumps none = {.links = NULL};
        void *aligned = malloc(size ? size : 1); /* as the receiving buffer is */

        if (!aligned)
                abort();
        memcpy(aligned, data, size);
        links.count = addrs.count = routes.count = neighbours.count = 0;
        (void)net_netlink_parse(aligned, size, &dumps);
        (void)net_netlink_parse(aligned, size, &none);
        free(aligned);
        if (links.count > NET_LINKS_MAX || addrs.count > NET_ADDRS_MAX || routes.count > NET_ROUTES_MAX ||
            neighbours.count > NET_NEIGHBOURS_MAX)
                abort();
        for (size_t i = 0; i < links.count; i++)
                if (strnlen(links.at[i].name, sizeof links.at[i].name) == sizeof links.at[i].name)
                        abort();
        return 0;
}
