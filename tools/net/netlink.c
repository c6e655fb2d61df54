/*
 * The kernel's dumps, read from bytes. Everything is copied out with memcpy: the bytes need no alignment.
 */
#include "net/netlink.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* A stretch of bytes that is eaten from the front. */
struct bytes {
        const uint8_t *at;
        size_t left;
};

struct attribute {
        uint16_t type;
        struct bytes payload;
};

#define ALIGN4(n) (((n) + 3) & ~(size_t)3)

static void skip(struct bytes *bytes, size_t count)
{
        count = count < bytes->left ? count : bytes->left;
        bytes->at += count;
        bytes->left -= count;
}

/* Takes the next attribute off; false at the end, or where the rest is malformed. */
static bool next_attribute(struct bytes *bytes, struct attribute *ret)
{
        struct rtattr head;

        if (bytes->left < sizeof head)
                return false;
        memcpy(&head, bytes->at, sizeof head);
        if (head.rta_len < sizeof head || head.rta_len > bytes->left)
                return false;
        ret->type = (uint16_t)(head.rta_type & 0x3FFF) /* less NLA_F_NESTED and the like */;
        ret->payload = (struct bytes){bytes->at + sizeof head, head.rta_len - sizeof head};
        skip(bytes, ALIGN4((size_t)head.rta_len));
        return true;
}

static uint32_t number_of(const struct bytes *payload)
{
        uint32_t number = 0;
        uint16_t half = 0;

        if (payload->left >= 4) {
                memcpy(&number, payload->at, 4);
                return number;
        }
        if (payload->left >= 2) {
                memcpy(&half, payload->at, 2);
                return half;
        }
        return payload->left == 1 ? *payload->at : 0;
}

static struct net_ip ip_of(int family, const struct bytes *payload)
{
        size_t bytes = net_ip_bytes(family);

        if (bytes == 0 || payload->left < bytes)
                return (struct net_ip){.family = 0};
        return net_ip_make(family, payload->at);
}

static void text_of(const struct bytes *payload, char *buffer, size_t size)
{
        size_t length = strnlen((const char *)payload->at, payload->left);

        length = length < size - 1 ? length : size - 1;
        memcpy(buffer, payload->at, length);
        buffer[length] = 0;
}

static bool take_head(struct bytes *bytes, void *head, size_t size)
{
        if (bytes->left < size)
                return false;
        memcpy(head, bytes->at, size);
        skip(bytes, ALIGN4(size));
        return true;
}

static void parse_link(struct bytes bytes, struct net_links *ret)
{
        struct ifinfomsg head;
        struct attribute attribute;

        if (!take_head(&bytes, &head, sizeof head) || ret->count == NET_LINKS_MAX)
                return;
        struct net_link link = {.index = (uint32_t)head.ifi_index,
                                .loopback = head.ifi_flags & IFF_LOOPBACK,
                                .up = head.ifi_flags & IFF_UP,
                                .carrier = head.ifi_flags & IFF_LOWER_UP,
                                .no_arp = head.ifi_flags & IFF_NOARP,
                                .point_to_point = head.ifi_flags & IFF_POINTOPOINT,
                                .ethernet = head.ifi_type == ARPHRD_ETHER};
        while (next_attribute(&bytes, &attribute)) {
                switch (attribute.type) {
                case IFLA_IFNAME: text_of(&attribute.payload, link.name, sizeof link.name); break;
                case IFLA_MTU: link.mtu = number_of(&attribute.payload); break;
                case IFLA_MASTER: link.master = number_of(&attribute.payload); break;
                case IFLA_OPERSTATE: link.operstate = (uint8_t)number_of(&attribute.payload); break;
                case IFLA_ADDRESS:
                        if (attribute.payload.left >= sizeof link.mac)
                                memcpy(link.mac, attribute.payload.at, sizeof link.mac);
                        break;
                default: break;
                }
        }
        ret->at[ret->count++] = link;
}

static void take_cacheinfo(const struct bytes *payload, struct net_addr *addr)
{
        struct ifa_cacheinfo info;

        if (payload->left < sizeof info)
                return;
        memcpy(&info, payload->at, sizeof info);
        addr->permanent = info.ifa_valid == UINT32_MAX;
        addr->valid_s = info.ifa_valid;
}

static void parse_addr(struct bytes bytes, struct net_addrs *ret)
{
        struct ifaddrmsg head;
        struct attribute attribute;
        struct net_ip local = {.family = 0};

        if (!take_head(&bytes, &head, sizeof head) || ret->count == NET_ADDRS_MAX)
                return;
        struct net_addr addr = {.link = head.ifa_index,
                                .prefix_bits = head.ifa_prefixlen,
                                .scope = head.ifa_scope,
                                .flags = head.ifa_flags,
                                .permanent = true};
        while (next_attribute(&bytes, &attribute)) {
                switch (attribute.type) {
                case IFA_ADDRESS: addr.ip = ip_of(head.ifa_family, &attribute.payload); break;
                case IFA_LOCAL: local = ip_of(head.ifa_family, &attribute.payload); break;
                case IFA_FLAGS: addr.flags = number_of(&attribute.payload); break;
                case IFA_PROTO: addr.protocol = (uint8_t)number_of(&attribute.payload); break;
                case IFA_CACHEINFO: take_cacheinfo(&attribute.payload, &addr); break;
                default: break;
                }
        }
        if (local.family != 0) /* of a point-to-point link, IFA_ADDRESS is the other end's */
                addr.ip = local;
        if (net_ip_is_link_local(&addr.ip) && addr.ip.family == AF_INET6)
                addr.ip.scope = addr.link;
        if (addr.ip.family != 0)
                ret->at[ret->count++] = addr;
}

/* Of several next hops the first that is not dead counts. */
static void take_multipath(struct bytes hops, int family, struct net_route *route)
{
        struct rtnexthop hop;
        struct attribute attribute;

        while (hops.left >= sizeof hop) {
                memcpy(&hop, hops.at, sizeof hop);
                if (hop.rtnh_len < sizeof hop || hop.rtnh_len > hops.left)
                        return;
                struct bytes inner = {hops.at + sizeof hop, hop.rtnh_len - sizeof hop};
                route->link = (uint32_t)hop.rtnh_ifindex;
                route->link_down = hop.rtnh_flags & (RTNH_F_LINKDOWN | RTNH_F_DEAD);
                route->on_link = hop.rtnh_flags & RTNH_F_ONLINK;
                while (next_attribute(&inner, &attribute))
                        if (attribute.type == RTA_GATEWAY)
                                route->gateway = ip_of(family, &attribute.payload);
                if (!route->link_down)
                        return;
                skip(&hops, ALIGN4((size_t)hop.rtnh_len));
        }
}

/* RTA_VIA: an IPv4 route through an IPv6 gateway. */
static struct net_ip via_of(const struct bytes *payload)
{
        uint16_t family = 0;

        if (payload->left < sizeof family)
                return (struct net_ip){.family = 0};
        memcpy(&family, payload->at, sizeof family);
        struct bytes rest = {payload->at + sizeof family, payload->left - sizeof family};
        return ip_of(family, &rest);
}

static void take_route_attribute(const struct attribute *attribute, int family, struct net_route *route)
{
        struct bytes metrics = attribute->payload;
        struct attribute metric;

        switch (attribute->type) {
        case RTA_DST: route->destination = ip_of(family, &attribute->payload); break;
        case RTA_GATEWAY: route->gateway = ip_of(family, &attribute->payload); break;
        case RTA_VIA: route->gateway = via_of(&attribute->payload); break;
        case RTA_OIF: route->link = number_of(&attribute->payload); break;
        case RTA_PRIORITY: route->metric = number_of(&attribute->payload); break;
        case RTA_TABLE: route->table = number_of(&attribute->payload); break;
        case RTA_PREFSRC: route->source = ip_of(family, &attribute->payload); break;
        case RTA_MULTIPATH: take_multipath(attribute->payload, family, route); break;
        case RTA_METRICS:
                while (next_attribute(&metrics, &metric))
                        if (metric.type == RTAX_MTU)
                                route->mtu = number_of(&metric.payload);
                break;
        default: break;
        }
}

static void parse_route(struct bytes bytes, struct net_routes *ret)
{
        static const uint8_t zero[16];
        struct rtmsg head;
        struct attribute attribute;

        if (!take_head(&bytes, &head, sizeof head) || ret->count == NET_ROUTES_MAX ||
            net_ip_bytes(head.rtm_family) == 0)
                return;
        struct net_route route = {.destination = net_ip_make(head.rtm_family, zero),
                                  .prefix_bits = head.rtm_dst_len,
                                  .type = head.rtm_type,
                                  .protocol = head.rtm_protocol,
                                  .table = head.rtm_table,
                                  .on_link = head.rtm_flags & RTNH_F_ONLINK,
                                  .link_down = head.rtm_flags & (RTNH_F_LINKDOWN | RTNH_F_DEAD)};
        while (next_attribute(&bytes, &attribute))
                take_route_attribute(&attribute, head.rtm_family, &route);
        if (net_ip_is_link_local(&route.gateway) && route.gateway.family == AF_INET6)
                route.gateway.scope = route.link;
        if (route.destination.family != 0)
                ret->at[ret->count++] = route;
}

static void parse_neighbour(struct bytes bytes, struct net_neighbours *ret)
{
        struct ndmsg head;
        struct attribute attribute;

        if (!take_head(&bytes, &head, sizeof head) || ret->count == NET_NEIGHBOURS_MAX)
                return;
        struct net_neighbour neighbour = {
                .link = (uint32_t)head.ndm_ifindex, .state = head.ndm_state, .is_router = head.ndm_flags & NTF_ROUTER};
        while (next_attribute(&bytes, &attribute)) {
                if (attribute.type == NDA_DST)
                        neighbour.ip = ip_of(head.ndm_family, &attribute.payload);
                if (attribute.type == NDA_LLADDR && attribute.payload.left == sizeof neighbour.mac) {
                        memcpy(neighbour.mac, attribute.payload.at, sizeof neighbour.mac);
                        neighbour.has_mac = true;
                }
        }
        if (neighbour.ip.family == AF_INET6 && net_ip_is_link_local(&neighbour.ip))
                neighbour.ip.scope = neighbour.link;
        if (neighbour.ip.family != 0 && !(neighbour.state & NUD_NOARP))
                ret->at[ret->count++] = neighbour;
}

/* The error that a message of the type NLMSG_ERROR or NLMSG_DONE holds. */
static int error_of(const struct bytes *payload)
{
        int error = 0;

        if (payload->left >= sizeof error)
                memcpy(&error, payload->at, sizeof error);
        return error < 0 ? error : 0;
}

static void parse_message(uint16_t type, struct bytes payload, const struct net_dumps *ret)
{
        if (type == RTM_NEWLINK && ret->links)
                parse_link(payload, ret->links);
        else if (type == RTM_NEWADDR && ret->addrs)
                parse_addr(payload, ret->addrs);
        else if (type == RTM_NEWROUTE && ret->routes)
                parse_route(payload, ret->routes);
        else if (type == RTM_NEWNEIGH && ret->neighbours)
                parse_neighbour(payload, ret->neighbours);
}

int net_netlink_parse(const void *bytes, size_t length, const struct net_dumps *ret)
{
        struct bytes rest = {bytes, length};
        struct nlmsghdr head;

        while (rest.left >= sizeof head) {
                memcpy(&head, rest.at, sizeof head);
                if (head.nlmsg_len < sizeof head || head.nlmsg_len > rest.left)
                        return 0;
                struct bytes payload = {rest.at + sizeof head, head.nlmsg_len - sizeof head};
                if (head.nlmsg_type == NLMSG_DONE)
                        return 1;
                if (head.nlmsg_type == NLMSG_ERROR) {
                        int error = error_of(&payload);
                        return error < 0 ? error : 1;
                }
                parse_message(head.nlmsg_type, payload, ret);
                skip(&rest, ALIGN4((size_t)head.nlmsg_len));
        }
        return 0;
}

const char *net_neighbour_state(uint16_t state)
{
        static const struct {
                uint16_t state;
                const char *name;
        } names[] = {{NUD_INCOMPLETE, "INCOMPLETE"}, {NUD_REACHABLE, "REACHABLE"}, {NUD_STALE, "STALE"},
                     {NUD_DELAY, "DELAY"},           {NUD_PROBE, "PROBE"},         {NUD_FAILED, "FAILED"},
                     {NUD_NOARP, "NOARP"},           {NUD_PERMANENT, "PERMANENT"}};

        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                if (state & names[i].state)
                        return names[i].name;
        return "NONE";
}
