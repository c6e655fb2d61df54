/*
 * Questions to the kernel over rtnetlink. A dump is made while it is received, so receiving never waits for anybody
 * else: plain blocking calls are right even in a task.
 */
#include "net/kernel.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_BYTES = 64 << 10, ANSWERS_MAX = 1000 };

struct dump_question {
        struct nlmsghdr head;
        uint8_t body[16]; /* zeroes: everything of that kind */
};

struct route_question {
        struct nlmsghdr head;
        struct rtmsg route;
        struct rtattr link_head;
        uint32_t link;
        struct rtattr ip_head;
        uint8_t ip[16];
};

static int open_kernel(void)
{
        struct timeval limit = {.tv_sec = 1};
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

        if (fd < 0)
                return -errno;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        return fd;
}

/* Sends a question and reads all of the answer. *single*: the answer is one message. */
static int ask(int fd, const struct nlmsghdr *question, bool single, const struct net_dumps *ret)
{
        int r = 0;

        if (send(fd, question, question->nlmsg_len, 0) < 0)
                return -errno;
        char *buffer = malloc(BUFFER_BYTES);
        if (!buffer)
                return -ENOMEM;
        for (int i = 0; r == 0 && i < ANSWERS_MAX; i++) {
                ssize_t n = recv(fd, buffer, BUFFER_BYTES, 0);
                if (n < 0 && errno == EINTR)
                        continue;
                r = n < 0 ? -errno : net_netlink_parse(buffer, (size_t)n, ret);
                if (single && r == 0)
                        break;
        }
        free(buffer);
        return r < 0 ? r : 0;
}

static int dump(int fd, uint16_t type, size_t size, const struct net_dumps *ret)
{
        struct dump_question question = {.head = {.nlmsg_len = (uint32_t)(sizeof question.head + size),
                                                  .nlmsg_type = type,
                                                  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};

        return ask(fd, &question.head, false, ret);
}

int net_kernel_dump(struct net_links *links, struct net_addrs *addrs, struct net_routes *routes,
                    struct net_neighbours *neighbours)
{
        struct net_dumps ret = {links, addrs, routes, neighbours};
        int fd = open_kernel();

        if (fd < 0)
                return fd;
        int r = dump(fd, RTM_GETLINK, sizeof(struct ifinfomsg), &ret);
        if (r == 0)
                r = dump(fd, RTM_GETADDR, sizeof(struct ifaddrmsg), &ret);
        if (r == 0)
                r = dump(fd, RTM_GETROUTE, sizeof(struct rtmsg), &ret);
        if (r == 0)
                r = dump(fd, RTM_GETNEIGH, sizeof(struct ndmsg), &ret);
        close(fd);
        return r;
}

int net_kernel_neighbours(struct net_neighbours *ret)
{
        struct net_dumps dumps = {.neighbours = ret};
        int fd = open_kernel();

        if (fd < 0)
                return fd;
        ret->count = 0;
        int r = dump(fd, RTM_GETNEIGH, sizeof(struct ndmsg), &dumps);
        close(fd);
        return r;
}

int net_kernel_route(const struct net_ip *ip, struct net_route *ret)
{
        size_t bytes = net_ip_bytes(ip->family);
        struct route_question question = {
                .head = {.nlmsg_len = (uint32_t)(sizeof question - sizeof question.ip + bytes),
                         .nlmsg_type = RTM_GETROUTE,
                         .nlmsg_flags = NLM_F_REQUEST},
                .route = {.rtm_family = (uint8_t)ip->family, .rtm_dst_len = (uint8_t)(bytes * 8)},
                .link_head = {.rta_len = RTA_LENGTH(sizeof question.link), .rta_type = RTA_OIF},
                .link = ip->scope, /* 0: any */
                .ip_head = {.rta_len = (uint16_t)RTA_LENGTH(bytes), .rta_type = RTA_DST}};
        struct net_routes *routes = calloc(1, sizeof *routes);
        struct net_dumps dumps = {.routes = routes};
        int fd = routes ? open_kernel() : -ENOMEM;

        if (fd < 0) {
                free(routes);
                return fd;
        }
        memcpy(question.ip, ip->bytes, bytes);
        int r = ask(fd, &question.head, true, &dumps);
        close(fd);
        if (r == 0 && routes->count == 0)
                r = -EPROTO;
        if (r == 0)
                *ret = routes->at[0];
        free(routes);
        return r;
}
