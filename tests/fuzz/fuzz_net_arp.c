/* ARP packets. */
#include <stdlib.h>

#include "net/arp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct net_arp arp;

        if (net_arp_parse(data, size, &arp) && (size < NET_ARP_BYTES || arp.sender.family != AF_INET))
                abort();
        return 0;
}
