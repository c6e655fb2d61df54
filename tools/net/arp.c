/*
 * ARP, as bytes and over a packet socket.
 */
#include "net/arp.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <string.h>

#include <plait/socket.h>
#include <plait/time.h>

#include "net/packet.h"

enum { OPERATION_AT = 6, SENDER_MAC_AT = 8, SENDER_AT = 14, TARGET_MAC_AT = 18, TARGET_AT = 24 };

/* Ethernet, IPv4, addresses of six and four bytes. */
static const uint8_t kind[6] = {0, 1, 8, 0, 6, 4};

bool net_arp_parse(const uint8_t *bytes, size_t length, struct net_arp *ret)
{
        if (length < NET_ARP_BYTES || memcmp(bytes, kind, sizeof kind) != 0 || bytes[OPERATION_AT] != 0)
                return false;
        ret->reply = bytes[OPERATION_AT + 1] == 2;
        memcpy(ret->sender_mac, bytes + SENDER_MAC_AT, 6);
        memcpy(ret->target_mac, bytes + TARGET_MAC_AT, 6);
        ret->sender = net_ip_make(AF_INET, bytes + SENDER_AT);
        ret->target = net_ip_make(AF_INET, bytes + TARGET_AT);
        return ret->reply || bytes[OPERATION_AT + 1] == 1;
}

void net_arp_request(const uint8_t mac[6], const struct net_ip *sender, const struct net_ip *target,
                     uint8_t ret[NET_ARP_BYTES])
{
        memset(ret, 0, NET_ARP_BYTES);
        memcpy(ret, kind, sizeof kind);
        ret[OPERATION_AT + 1] = 1;
        memcpy(ret + SENDER_MAC_AT, mac, 6);
        if (sender->family == AF_INET)
                memcpy(ret + SENDER_AT, sender->bytes, 4);
        memcpy(ret + TARGET_AT, target->bytes, 4);
}

/* Waits for an answer about *target* until the deadline. */
static int hear(int fd, const struct net_link *link, const struct net_ip *target, int64_t deadline_ns,
                uint8_t ret_mac[6])
{
        uint8_t packet[128];
        struct net_arp arp;

        for (;;) {
                ssize_t n = plait_recv(fd, packet, sizeof packet, 0, deadline_ns);
                if (n < 0)
                        return (int)n;
                if (net_arp_parse(packet, (size_t)n, &arp) && net_ip_equal(&arp.sender, target) &&
                    memcmp(arp.sender_mac, link->mac, 6) != 0) {
                        memcpy(ret_mac, arp.sender_mac, 6);
                        return 0;
                }
        }
}

int net_arp_ask(const struct net_link *link, const struct net_ip *sender, const struct net_ip *target, unsigned tries,
                int64_t gap_ms, uint8_t ret_mac[6])
{
        struct plait_address to;
        uint8_t request[NET_ARP_BYTES];
        int fd = net_packet_open(link, ETH_P_ARP, &to);

        if (fd < 0)
                return fd;
        int r = -ETIMEDOUT;
        net_arp_request(link->mac, sender, target, request);
        for (unsigned i = 0; i < tries && r == -ETIMEDOUT; i++) {
                ssize_t n = plait_sendto(fd, request, sizeof request, 0, &to, plait_in_ms(gap_ms));
                r = n < 0 ? (int)n : hear(fd, link, target, plait_in_ms(gap_ms), ret_mac);
        }
        net_packet_close(fd);
        return r;
}
