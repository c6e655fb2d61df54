/*
 * DHCP messages, as bytes.
 */
#include "net/dhcp.h"

#include <string.h>

enum {
        HEAD_BYTES = 236, /* up to the magic number */
        OPTIONS_AT = 240,
        IP_BYTES = 20,
        UDP_BYTES = 8,
        SERVER_PORT = 67,
        CLIENT_PORT = 68,
        OPTION_PAD = 0,
        OPTION_ROUTER = 3,
        OPTION_DNS = 6,
        OPTION_NTP = 42,
        OPTION_LEASE = 51,
        OPTION_OVERLOAD = 52,
        OPTION_TYPE = 53,
        OPTION_SERVER = 54,
        OPTION_WANTED = 55,
        OPTION_PORTAL = 114,
        OPTION_END = 255,
};

static const uint8_t magic[4] = {99, 130, 83, 99};

static uint16_t get16(const uint8_t *at)
{
        return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
        return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static void put16(uint8_t *at, uint16_t value)
{
        at[0] = (uint8_t)(value >> 8);
        at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
        put16(at, (uint16_t)(value >> 16));
        put16(at + 2, (uint16_t)value);
}

static void take_option(uint8_t code, const uint8_t *value, size_t length, struct net_dhcp *ret, uint8_t *overload)
{
        struct net_ip *ip = NULL;

        switch (code) {
        case OPTION_TYPE: ret->type = length >= 1 ? value[0] : 0; break;
        case OPTION_OVERLOAD: *overload = length >= 1 ? value[0] : 0; break;
        case OPTION_LEASE: ret->lease_s = length >= 4 ? get32(value) : 0; break;
        case OPTION_SERVER: ip = &ret->server; break;
        case OPTION_ROUTER: ip = &ret->router; break;
        case OPTION_DNS: ip = &ret->dns; break;
        case OPTION_NTP: ip = &ret->ntp; break;
        case OPTION_PORTAL:
                memcpy(ret->portal, value, length < sizeof ret->portal ? length : sizeof ret->portal - 1);
                break;
        default: break;
        }
        if (ip && length >= 4)
                *ip = net_ip_make(AF_INET, value);
}

static void take_options(const uint8_t *at, size_t left, struct net_dhcp *ret, uint8_t *overload)
{
        while (left >= 1 && *at != OPTION_END) {
                if (*at == OPTION_PAD) {
                        at++;
                        left--;
                        continue;
                }
                if (left < 2 || (size_t)at[1] + 2 > left)
                        return;
                take_option(at[0], at + 2, at[1], ret, overload);
                left -= (size_t)at[1] + 2;
                at += at[1] + 2;
        }
}

bool net_dhcp_parse(const uint8_t *bytes, size_t length, struct net_dhcp *ret)
{
        struct net_dhcp dhcp = {.reply = false};
        uint8_t overload = 0;
        uint8_t ignored = 0;

        if (length < OPTIONS_AT || memcmp(bytes + HEAD_BYTES, magic, sizeof magic) != 0 || bytes[0] < 1 || bytes[0] > 2)
                return false;
        dhcp.reply = bytes[0] == 2;
        dhcp.transaction = get32(bytes + 4);
        dhcp.address = net_ip_make(AF_INET, bytes + 16);
        memcpy(dhcp.mac, bytes + 28, sizeof dhcp.mac);
        take_options(bytes + OPTIONS_AT, length - OPTIONS_AT, &dhcp, &overload);
        if (overload & 1)
                take_options(bytes + 108, 128, &dhcp, &ignored);
        if (overload & 2)
                take_options(bytes + 44, 64, &dhcp, &ignored);
        *ret = dhcp;
        return true;
}

void net_dhcp_discover(const uint8_t mac[6], uint32_t transaction, uint8_t ret[NET_DHCP_BYTES])
{
        static const uint8_t options[] = {
                OPTION_TYPE, 1,          NET_DHCP_DISCOVER, OPTION_WANTED, 6,         1 /* netmask */, OPTION_ROUTER,
                OPTION_DNS,  OPTION_NTP, OPTION_LEASE,      OPTION_PORTAL, OPTION_END};

        memset(ret, 0, NET_DHCP_BYTES);
        ret[0] = 1; /* a request, */
        ret[1] = 1; /* over Ethernet, */
        ret[2] = 6; /* whose addresses have six bytes */
        put32(ret + 4, transaction);
        put16(ret + 10, 0x8000); /* broadcast */
        memcpy(ret + 28, mac, 6);
        memcpy(ret + HEAD_BYTES, magic, sizeof magic);
        memcpy(ret + OPTIONS_AT, options, sizeof options);
}

const uint8_t *net_dhcp_in_packet(const uint8_t *packet, size_t length, size_t *ret_length)
{
        if (length < IP_BYTES || packet[0] >> 4 != 4 || packet[9] != 17)
                return NULL;
        size_t head = (size_t)(packet[0] & 15) * 4;
        if (head < IP_BYTES || length < head + UDP_BYTES || (get16(packet + 6) & 0x1FFF) != 0 ||
            get16(packet + head + 2) != CLIENT_PORT)
                return NULL;
        size_t udp = get16(packet + head + 4);
        if (udp < UDP_BYTES || udp > length - head)
                return NULL;
        *ret_length = udp - UDP_BYTES;
        return packet + head + UDP_BYTES;
}

static uint32_t add_words(uint32_t sum, const uint8_t *bytes, size_t length)
{
        for (size_t i = 0; i + 1 < length; i += 2)
                sum += get16(bytes + i);
        return length & 1 ? sum + ((uint32_t)bytes[length - 1] << 8) : sum;
}

static uint16_t checksum(uint32_t sum)
{
        while (sum >> 16)
                sum = (sum & 0xFFFF) + (sum >> 16);
        return (uint16_t)~sum;
}

size_t net_dhcp_packet(const uint8_t *message, size_t length, uint8_t *ret, size_t room)
{
        size_t whole = IP_BYTES + UDP_BYTES + length;
        uint8_t *udp = ret + IP_BYTES;

        if (whole > room || whole > UINT16_MAX)
                return 0;
        memset(ret, 0, IP_BYTES + UDP_BYTES);
        ret[0] = 0x45;
        put16(ret + 2, (uint16_t)whole);
        ret[8] = 64; /* TTL */
        ret[9] = 17; /* UDP */
        memset(ret + 16, 0xFF, 4);
        put16(ret + 10, checksum(add_words(0, ret, IP_BYTES)));
        put16(udp, CLIENT_PORT);
        put16(udp + 2, SERVER_PORT);
        put16(udp + 4, (uint16_t)(UDP_BYTES + length));
        memcpy(udp + UDP_BYTES, message, length);
        uint32_t pseudo = add_words(17 + UDP_BYTES + (uint32_t)length, ret + 12, 8);
        put16(udp + 6, checksum(add_words(pseudo, udp, UDP_BYTES + length)));
        return whole;
}
