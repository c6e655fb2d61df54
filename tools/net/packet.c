/*
 * A packet socket on one link.
 */
#include "net/packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <string.h>

#include <plait/blocking.h>
#include <plait/fd.h>
#include <plait/scope.h>
#include <plait/socket.h>

int net_packet_open(const struct net_link *link, uint16_t ether_type, struct plait_address *ret_everybody)
{
        struct sockaddr_ll to = {.sll_family = AF_PACKET,
                                 .sll_protocol = htons(ether_type),
                                 .sll_ifindex = (int)link->index,
                                 .sll_halen = 6,
                                 .sll_addr = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}};
        struct plait_address address = {.length = sizeof to};
        int fd = plait_socket(AF_PACKET, SOCK_DGRAM, htons(ether_type));

        if (fd < 0)
                return fd;
        memcpy(&address.as.storage, &to, sizeof to);
        if (bind(fd, &address.as.any, address.length) < 0) {
                int r = -errno;
                net_packet_close(fd);
                return r;
        }
        *ret_everybody = address;
        return fd;
}

static int close_it(void *fd)
{
        return plait_close(*(int *)fd);
}

void net_packet_close(int fd)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;

        scope.flags = PLAIT_SCOPE_SHIELD; /* it has to be closed after a cancellation, too */
        int r = plait_scope_open(&scope);
        if (r < 0 || plait_blocking(close_it, &fd, PLAIT_NEVER) == -EAGAIN)
                plait_close(fd);
        if (r == 0)
                plait_scope_join(&scope);
}
