/* DHCP messages, from the wire and in dhcpcd's lease files. */
#include <stdlib.h>
#include <string.h>

#include "net/dhcp.h"
#include "net/lease.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const uint8_t *data, size_t size)
{
        struct net_dhcp dhcp;

        if (net_dhcp_parse(data, size, &dhcp) && strnlen(dhcp.portal, sizeof dhcp.portal) == sizeof dhcp.portal)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct net_lease lease = {.link = 0};
        size_t length = 0;
        const uint8_t *message = net_dhcp_in_packet(data, size, &length);

        if (message && (message < data || message + length > data + size))
                abort();
        if (message)
                parse(message, length);
        parse(data, size);
        (void)net_lease_message(data, size, 1700000000, &lease);
        return 0;
}
