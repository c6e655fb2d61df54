/*
 * The parts of `plait net` that read what comes from outside: targets, the kernel's dumps, DNS and DHCP messages, ARP,
 * leases, resolv.conf and hosts, proxies. And the board that facts are posted on.
 */
#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/test.h"
#include "net/arp.h"
#include "net/board.h"
#include "net/dhcp.h"
#include "net/dns.h"
#include "net/lease.h"
#include "net/netlink.h"
#include "net/proxy.h"
#include "net/proxy_dial.h"
#include "net/resolver.h"
#include "net/rule.h"

static struct net_ip ip_of(const char *text)
{
        struct net_ip ip = {.family = 0};

        CHECK(net_ip_parse(text, &ip));
        return ip;
}

static const char *text_of(const struct net_ip *ip)
{
        static char text[4][NET_IP_TEXT];
        static unsigned at;

        return net_ip_text(ip, text[at++ % 4]);
}

/* Addresses. */

TEST(ip_texts_are_understood_and_written_alike)
{
        static const char *const texts[] = {"192.0.2.1", "0.0.0.0", "2001:db8::1", "::", "fe80::1%lo"};

        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
                struct net_ip ip = ip_of(texts[i]);
                CHECK_STR(text_of(&ip), texts[i]);
        }
}

TEST(ip_texts_that_are_none_are_refused)
{
        static const char *const texts[] = {"", "1.2.3", "1.2.3.256", "1.2.3.4%lo", ":::", "fe80::1%nothing-there",
                                            "x"};
        struct net_ip ip;

        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
                CHECK(!net_ip_parse(texts[i], &ip));
}

TEST(ip_kinds_are_told_apart)
{
        struct net_ip loopback = ip_of("127.1.2.3"), local = ip_of("169.254.9.9"), private = ip_of("172.31.0.1");
        struct net_ip public = ip_of("172.32.0.1"), local6 = ip_of("fe80::1"), private6 = ip_of("fd00::1");

        CHECK(net_ip_is_loopback(&loopback) && !net_ip_is_loopback(&private));
        CHECK(net_ip_is_link_local(&local) && net_ip_is_link_local(&local6) && !net_ip_is_link_local(&private6));
        CHECK(net_ip_is_private(&private) && net_ip_is_private(&private6) && !net_ip_is_private(&public));
        struct net_ip network = ip_of("172.31.0.0");
        CHECK(net_ip_in(&private, &network, 31) && !net_ip_in(&public, &network, 15) &&
              net_ip_in(&public, &network, 0));
}

/* Targets. */

static struct net_target target_of(const char *text)
{
        struct net_target target;
        const char *why = NULL;

        CHECK_INT(net_target_parse(text, &target, &why), ==, 0);
        return target;
}

TEST(target_may_be_a_host_with_or_without_a_port)
{
        struct net_target target = target_of("db.example.org:5432");

        CHECK(target.given && target.has_port && !target.literal && !target.tls && !target.http);
        CHECK_STR(target.host, "db.example.org");
        CHECK_INT(target.port, ==, 5432);
        target = target_of("example.org");
        CHECK(!target.has_port);
        target = target_of("example.org:443");
        CHECK(target.tls && !target.http);
}

TEST(target_may_be_an_address)
{
        struct net_target target = target_of("[2001:db8::1]:853");

        CHECK(target.literal && target.has_port && target.tls);
        CHECK_STR(target.host, "2001:db8::1");
        CHECK_STR(target.authority, "[2001:db8::1]:853");
        target = target_of("2001:db8::1");
        CHECK(target.literal && !target.has_port);
        target = target_of("192.0.2.1:80");
        CHECK(target.literal && target.port == 80 && !target.http);
}

TEST(target_may_be_a_url)
{
        struct net_target target = target_of("https://user:secret@web.lab.test:8443/a/b?c=d#e");

        CHECK(target.tls && target.http && target.port == 8443);
        CHECK_STR(target.host, "web.lab.test");
        CHECK_STR(target.authority, "web.lab.test:8443");
        CHECK_STR(target.path, "/a/b?c=d");
        target = target_of("HTTP://web.lab.test?x");
        CHECK(!target.tls && target.port == 80);
        CHECK_STR(target.authority, "web.lab.test");
        CHECK_STR(target.path, "/?x");
        target = target_of("http://[::1]:80/");
        CHECK_STR(target.authority, "[::1]");
}

TEST(target_that_is_missing_is_the_machine_itself)
{
        CHECK(!target_of(NULL).given);
}

TEST(targets_that_are_none_are_refused_with_a_reason)
{
        static const char *const texts[] = {
                "",
                "host:",
                "host:0",
                "host:65536",
                "host:http",
                "[::1",
                "[::1]x",
                "[host]:80",
                "1:2:3",
                "ftp://host/",
                "http://",
                "http:///path",
                "host/path",
                "two words",
                "bell\a",
                "-option.example",
                "dots..example",
                "label-that-is-far-too-long-for-a-name-in-the-domain-name-system-xx.example"};
        struct net_target target;

        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
                const char *why = NULL;
                if (net_target_parse(texts[i], &target, &why) != -EINVAL || !why)
                        test_fail(__FILE__, __LINE__, "'%s' passes for a target", texts[i]);
        }
}

/* Netlink. */

/* A dump under construction. */
static uint8_t dump[4096];
static size_t dump_length;

static void put(const void *bytes, size_t length)
{
        CHECK(dump_length + length + 4 <= sizeof dump);
        memcpy(dump + dump_length, bytes, length);
        dump_length += length;
        while (dump_length % 4)
                dump[dump_length++] = 0;
}

static void put_attribute(uint16_t type, const void *value, size_t length)
{
        struct rtattr head = {.rta_len = (uint16_t)(sizeof head + length), .rta_type = type};

        put(&head, sizeof head);
        put(value, length);
}

static size_t begin_message(uint16_t type, const void *head, size_t length)
{
        struct nlmsghdr message = {.nlmsg_type = type};
        size_t at = dump_length;

        put(&message, sizeof message);
        put(head, length);
        return at;
}

static void end_message(size_t at)
{
        uint32_t length = (uint32_t)(dump_length - at);

        memcpy(dump + at, &length, sizeof length);
}

static void put_route(const char *gateway, uint8_t bits, uint8_t type)
{
        struct rtmsg head = {.rtm_family = AF_INET, .rtm_dst_len = bits, .rtm_type = type, .rtm_table = RT_TABLE_MAIN};
        size_t at = begin_message(RTM_NEWROUTE, &head, sizeof head);
        uint32_t link = 2;

        if (gateway) {
                struct net_ip ip = ip_of(gateway);
                put_attribute(RTA_GATEWAY, ip.bytes, 4);
        }
        put_attribute(RTA_OIF, &link, sizeof link);
        end_message(at);
}

TEST(netlink_dump_gives_links)
{
        static struct net_links links;
        struct net_dumps ret = {.links = &links};
        struct ifinfomsg head = {.ifi_index = 7, .ifi_flags = IFF_UP, .ifi_type = 1};
        static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
        uint32_t mtu = 1400;

        size_t at = begin_message(RTM_NEWLINK, &head, sizeof head);
        put_attribute(IFLA_IFNAME, "c0", 3);
        put_attribute(IFLA_MTU, &mtu, sizeof mtu);
        put_attribute(IFLA_ADDRESS, mac, sizeof mac);
        end_message(at);
        CHECK_INT(net_netlink_parse(dump, dump_length, &ret), ==, 0);
        CHECK_UINT(links.count, ==, 1);
        CHECK_STR(links.at[0].name, "c0");
        CHECK(links.at[0].up && !links.at[0].carrier && links.at[0].ethernet && links.at[0].mtu == 1400);
        CHECK_MEM(links.at[0].mac, mac, 6);
}

TEST(netlink_dump_gives_addresses_with_their_lifetime)
{
        static struct net_addrs addrs;
        struct net_dumps ret = {.addrs = &addrs};
        struct ifaddrmsg head = {.ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = 3};
        struct ifa_cacheinfo info = {.ifa_valid = 3599};
        struct net_ip local = ip_of("10.1.0.2"), peer = ip_of("10.1.0.9");
        uint32_t flags = IFA_F_DADFAILED;

        size_t at = begin_message(RTM_NEWADDR, &head, sizeof head);
        put_attribute(IFA_ADDRESS, peer.bytes, 4);
        put_attribute(IFA_LOCAL, local.bytes, 4);
        put_attribute(IFA_FLAGS, &flags, sizeof flags);
        put_attribute(IFA_CACHEINFO, &info, sizeof info);
        end_message(at);
        CHECK_INT(net_netlink_parse(dump, dump_length, &ret), ==, 0);
        CHECK_UINT(addrs.count, ==, 1);
        CHECK_STR(text_of(&addrs.at[0].ip), "10.1.0.2");
        CHECK(!addrs.at[0].permanent && addrs.at[0].valid_s == 3599 && addrs.at[0].flags & IFA_F_DADFAILED);
}

TEST(netlink_dump_gives_routes_until_it_is_done)
{
        static struct net_routes routes;
        struct net_dumps ret = {.routes = &routes};

        put_route("10.1.0.1", 0, RTN_UNICAST);
        put_route(NULL, 32, RTN_PROHIBIT);
        end_message(begin_message(NLMSG_DONE, "\0\0\0", 4));
        put_route("10.1.0.1", 0, RTN_UNICAST);
        CHECK_INT(net_netlink_parse(dump, dump_length, &ret), ==, 1);
        CHECK_UINT(routes.count, ==, 2);
        CHECK_STR(text_of(&routes.at[0].gateway), "10.1.0.1");
        CHECK(routes.at[0].link == 2 && routes.at[1].type == RTN_PROHIBIT && routes.at[1].gateway.family == 0);
}

TEST(netlink_error_is_told)
{
        struct net_dumps ret = {.links = NULL};
        int error = -EPERM;

        end_message(begin_message(NLMSG_ERROR, &error, sizeof error));
        CHECK_INT(net_netlink_parse(dump, dump_length, &ret), ==, -EPERM);
}

TEST(netlink_dump_may_be_cut_anywhere)
{
        static struct net_routes routes;
        struct net_dumps ret = {.routes = &routes};

        put_route("10.1.0.1", 0, RTN_UNICAST);
        for (size_t length = 0; length < dump_length; length++) {
                uint8_t *exact = malloc(length ? length : 1);
                memcpy(exact, dump, length);
                CHECK_INT(net_netlink_parse(exact, length, &ret), ==, 0);
                free(exact);
        }
        CHECK_UINT(routes.count, ==, 0);
}

TEST(neighbour_states_have_names)
{
        CHECK_STR(net_neighbour_state(NUD_INCOMPLETE), "INCOMPLETE");
        CHECK_STR(net_neighbour_state(NUD_STALE), "STALE");
        CHECK_STR(net_neighbour_state(0), "NONE");
}

/* DNS. */

static uint8_t message[1024];

static size_t make_answer(void)
{
        static const uint8_t records[] = {
                0xC0, 12, 0, 5, 0, 1, 0, 0, 1, 0,  0, 2, 0xC0, 12,          /* a CNAME that points back, */
                0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 198,  51, 100, 10, /* and two addresses */
                0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 198,  51, 100, 11,
        };
        size_t length = net_dns_question("web.lab.test", NET_DNS_A, 0x1234, true, message, sizeof message);

        CHECK_UINT(length, ==, 12 + 14 + 4 + 11);
        length -= 11; /* without the EDNS record */
        message[2] |= 0x80;
        message[7] = 3;
        message[11] = 0;
        memcpy(message + length, records, sizeof records);
        return length + sizeof records;
}

TEST(dns_answer_gives_addresses_and_the_least_life)
{
        struct net_dns dns;
        size_t length = make_answer();

        CHECK_INT(net_dns_parse(message, length, &dns), ==, 0);
        CHECK(dns.reply && dns.id == 0x1234 && dns.type == NET_DNS_A && dns.code == NET_DNS_OK);
        CHECK_STR(dns.name, "web.lab.test");
        CHECK_UINT(dns.count, ==, 2);
        CHECK_STR(text_of(&dns.addresses[1]), "198.51.100.11");
        CHECK_UINT(dns.ttl_s, ==, 30);
}

TEST(dns_answer_that_is_cut_is_refused_wherever)
{
        struct net_dns dns;
        size_t whole = make_answer();

        for (size_t length = 0; length < whole; length++) {
                uint8_t *exact = malloc(length ? length : 1);
                memcpy(exact, message, length);
                CHECK_INT(net_dns_parse(exact, length, &dns), ==, -EBADMSG);
                free(exact);
        }
}

TEST(dns_names_that_lead_in_circles_are_refused)
{
        static uint8_t circle[] = {0, 1, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xC0, 12, 0, 1, 0, 1};
        struct net_dns dns;

        CHECK_INT(net_dns_parse(circle, sizeof circle, &dns), ==, -EBADMSG);
        circle[13] = 14; /* ahead */
        CHECK_INT(net_dns_parse(circle, sizeof circle, &dns), ==, -EBADMSG);
}

TEST(dns_questions_take_names_only)
{
        char longest[300];

        memset(longest, 'a', sizeof longest);
        longest[64] = 0;
        CHECK_UINT(net_dns_question(longest, NET_DNS_A, 1, true, message, sizeof message), ==, 0);
        CHECK_UINT(net_dns_question("a..b", NET_DNS_A, 1, true, message, sizeof message), ==, 0);
        CHECK_UINT(net_dns_question(".", NET_DNS_NS, 1, false, message, sizeof message), ==, 12 + 1 + 4 + 11);
        CHECK_INT(message[2], ==, 0);
        CHECK_UINT(net_dns_question("b.example.", NET_DNS_A, 1, true, message, sizeof message), >, 0);
        for (size_t i = 0; i < sizeof longest - 1; i++)
                longest[i] = i % 2 ? '.' : 'a';
        longest[sizeof longest - 1] = 0;
        CHECK_UINT(net_dns_question(longest, NET_DNS_A, 1, true, message, sizeof message), ==, 0);
}

/* DHCP. */

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};

TEST(dhcp_discover_survives_the_way_through_a_packet)
{
        uint8_t discover[NET_DHCP_BYTES];
        uint8_t packet[600];
        struct net_dhcp dhcp;
        size_t length = 0;

        net_dhcp_discover(mac, 0xCAFE1234, discover);
        size_t whole = net_dhcp_packet(discover, sizeof discover, packet, sizeof packet);
        CHECK_UINT(whole, ==, 28 + NET_DHCP_BYTES);
        CHECK(net_dhcp_in_packet(packet, whole, &length) == NULL); /* it is for the server's port */
        packet[22] = 0;
        packet[23] = 68;
        const uint8_t *found = net_dhcp_in_packet(packet, whole, &length);
        CHECK(found && length == NET_DHCP_BYTES);
        CHECK(net_dhcp_parse(found, length, &dhcp));
        CHECK(!dhcp.reply && dhcp.type == NET_DHCP_DISCOVER && dhcp.transaction == 0xCAFE1234);
        CHECK_MEM(dhcp.mac, mac, 6);
        CHECK_UINT(net_dhcp_packet(discover, sizeof discover, packet, 100), ==, 0);
}

static size_t make_lease(uint8_t *bytes, uint8_t type)
{
        static const uint8_t address[] = {10, 1, 0, 100};
        static const uint8_t options[] = {53, 1, 0, 54, 4, 10, 1,  0, 1, 51, 4, 0,   0, 14,  16,  3,   4,
                                          10, 1, 0, 1,  6, 4,  10, 1, 0, 53, 0, 114, 3, 'u', 'r', 'l', 255};

        net_dhcp_discover(mac, 1, bytes);
        bytes[0] = 2;
        memcpy(bytes + 16, address, sizeof address);
        memcpy(bytes + 240, options, sizeof options);
        bytes[242] = type;
        return 240 + sizeof options;
}

TEST(dhcp_offer_gives_what_is_offered)
{
        uint8_t bytes[NET_DHCP_BYTES];
        struct net_dhcp dhcp;

        CHECK(net_dhcp_parse(bytes, make_lease(bytes, NET_DHCP_OFFER), &dhcp));
        CHECK(dhcp.reply && dhcp.type == NET_DHCP_OFFER && dhcp.lease_s == 3600);
        CHECK_STR(text_of(&dhcp.address), "10.1.0.100");
        CHECK_STR(text_of(&dhcp.server), "10.1.0.1");
        CHECK_STR(text_of(&dhcp.dns), "10.1.0.53");
        CHECK_STR(dhcp.portal, "url");
}

TEST(dhcp_messages_that_are_none_are_refused)
{
        uint8_t bytes[NET_DHCP_BYTES];
        struct net_dhcp dhcp;
        size_t length = make_lease(bytes, NET_DHCP_OFFER);

        for (size_t cut = 0; cut < 240; cut++)
                CHECK(!net_dhcp_parse(bytes, cut, &dhcp));
        for (size_t cut = 240; cut < length; cut++) {
                uint8_t *exact = malloc(cut);
                memcpy(exact, bytes, cut);
                CHECK(net_dhcp_parse(exact, cut, &dhcp)); /* options that are cut are passed over */
                free(exact);
        }
        bytes[236] = 0;
        CHECK(!net_dhcp_parse(bytes, length, &dhcp));
}

/* ARP. */

TEST(arp_request_is_read_as_it_was_written)
{
        struct net_ip nobody = {.family = 0}, wanted = ip_of("10.1.0.2");
        uint8_t bytes[NET_ARP_BYTES];
        struct net_arp arp;

        net_arp_request(mac, &nobody, &wanted, bytes);
        CHECK(net_arp_parse(bytes, sizeof bytes, &arp));
        CHECK(!arp.reply);
        CHECK_MEM(arp.sender_mac, mac, 6);
        CHECK_STR(text_of(&arp.sender), "0.0.0.0");
        CHECK_STR(text_of(&arp.target), "10.1.0.2");
        CHECK(!net_arp_parse(bytes, sizeof bytes - 1, &arp));
        bytes[7] = 9;
        CHECK(!net_arp_parse(bytes, sizeof bytes, &arp));
}

/* Leases. */

TEST(lease_of_networkd_is_read)
{
        static const char text[] = "# This is private data. Do not parse.\nADDRESS=10.1.0.2\nROUTER=10.1.0.1 10.1.0.9\n"
                                   "SERVER_ADDRESS=10.1.0.3\nLIFETIME=3600\nNTP=10.1.0.4\nno pair\n=\n";
        struct net_lease lease;

        CHECK(net_lease_networkd(text, sizeof text - 1, 1000000, &lease));
        CHECK_STR(text_of(&lease.address), "10.1.0.2");
        CHECK_STR(text_of(&lease.router), "10.1.0.1");
        CHECK_STR(text_of(&lease.server), "10.1.0.3");
        CHECK_STR(text_of(&lease.ntp), "10.1.0.4");
        CHECK_INT(lease.expires, ==, 1003600);
        CHECK(!net_lease_networkd("LIFETIME=5\n", 11, 0, &lease));
}

TEST(last_lease_of_dhclient_counts)
{
        static const char text[] = "default-duid \"x\";\nlease {\n  interface \"eth0\";\n  fixed-address 10.1.0.2;\n"
                                   "  expire 0 2026/01/01 00:00:00;\n}\nlease {\n  interface \"eth0\";\n"
                                   "  fixed-address 10.1.0.3;\n  option routers 10.1.0.1,10.1.0.9;\n"
                                   "  option dhcp-server-identifier 10.1.0.4;\n  expire 0 2026/11/22 01:00:00;\n}\n"
                                   "lease {\n  fixed-address 10.1.0.5;\n";
        struct net_lease lease;

        CHECK(net_lease_dhclient(text, sizeof text - 1, &lease));
        CHECK_STR(lease.interface, "eth0");
        CHECK_STR(text_of(&lease.address), "10.1.0.3");
        CHECK_STR(text_of(&lease.router), "10.1.0.1");
        CHECK_STR(text_of(&lease.server), "10.1.0.4");
        CHECK_INT(lease.expires, ==, 1795309200);
}

TEST(expiry_of_dhclient_comes_in_three_forms)
{
        static const char epoch[] = "lease {\nfixed-address 10.1.0.3;\nexpire epoch 1795309200; # a comment\n}\n";
        static const char never[] = "lease {\nfixed-address 10.1.0.3;\nexpire never;\n}\n";
        struct net_lease lease;

        CHECK(net_lease_dhclient(epoch, sizeof epoch - 1, &lease));
        CHECK_INT(lease.expires, ==, 1795309200);
        CHECK(net_lease_dhclient(never, sizeof never - 1, &lease));
        CHECK_INT(lease.expires, ==, 0);
}

TEST(lease_of_dhcpcd_is_the_message_itself)
{
        uint8_t bytes[NET_DHCP_BYTES];
        struct net_lease lease;

        CHECK(net_lease_message(bytes, make_lease(bytes, NET_DHCP_ACK), 1000000, &lease));
        CHECK_STR(text_of(&lease.address), "10.1.0.100");
        CHECK_INT(lease.expires, ==, 1003600);
        CHECK_STR(lease.portal, "url");
}

/* resolv.conf and hosts. */

TEST(resolv_conf_is_read_as_libc_reads_it)
{
        static const char text[] =
                "# a comment\n; another\nnameserver 10.1.0.1 # behind\nnameserver 2001:db8::53\n"
                "nameserver 10.1.0.1\nnameserver nonsense\nsearch old.example\nsearch a.example b.example\n"
                "options ndots:2 timeout:99 attempts:3 edns0";
        struct net_resolvers resolvers;

        net_resolvers_parse(text, sizeof text - 1, &resolvers);
        CHECK_UINT(resolvers.count, ==, 2);
        CHECK_STR(text_of(&resolvers.servers[1]), "2001:db8::53");
        CHECK_UINT(resolvers.search_count, ==, 2);
        CHECK_STR(resolvers.search[0], "a.example");
        CHECK(resolvers.ndots == 2 && resolvers.timeout_s == 30 && resolvers.attempts == 3);
        net_resolvers_parse("", 0, &resolvers);
        CHECK(resolvers.count == 0 && resolvers.ndots == 1);
}

TEST(hosts_file_gives_all_addresses_of_a_name)
{
        static const char text[] =
                "127.0.0.1 localhost\n10.1.0.7\tdb.lab Alias # db.lab too.lab\n2001:db8::7 db.lab\nx db.lab\n";
        struct net_ip found[4];

        CHECK_UINT(net_hosts_parse(text, sizeof text - 1, "DB.lab", found, 4), ==, 2);
        CHECK_STR(text_of(&found[0]), "10.1.0.7");
        CHECK_STR(text_of(&found[1]), "2001:db8::7");
        CHECK_UINT(net_hosts_parse(text, sizeof text - 1, "alias", found, 4), ==, 1);
        CHECK_UINT(net_hosts_parse(text, sizeof text - 1, "too.lab", found, 4), ==, 0);
        CHECK_UINT(net_hosts_parse(text, sizeof text - 1, "db.lab", found, 1), ==, 1);
}

/* Proxies. */

TEST(proxy_is_that_of_the_scheme)
{
        struct net_proxy_settings settings = {.http = "http://u%40x:p%3Aw@proxy.lab:3128/", .https = "proxy2.lab:8080"};
        struct net_target http = target_of("http://web.lab/"), https = target_of("https://web.lab/");
        struct net_target plain = target_of("web.lab:443");
        struct net_proxy proxy;

        net_proxy_choose(&settings, &http, &proxy);
        CHECK(proxy.set && !proxy.malformed && proxy.at.port == 3128);
        CHECK_STR(proxy.at.host, "proxy.lab");
        CHECK_STR(proxy.user, "u@x:p:w");
        CHECK_STR(proxy.text, "proxy.lab:3128");
        net_proxy_choose(&settings, &https, &proxy);
        CHECK_STR(proxy.at.host, "proxy2.lab");
        CHECK_STR(proxy.source, "https_proxy");
        net_proxy_choose(&settings, &plain, &proxy);
        CHECK(!proxy.set);
        settings.option = "";
        net_proxy_choose(&settings, &http, &proxy);
        CHECK(!proxy.set);
}

TEST(proxy_that_speaks_no_http_is_told)
{
        struct net_proxy_settings settings = {.all = "socks5://u:secret@proxy.lab:1080"};
        struct net_target http = target_of("http://web.lab/");
        struct net_proxy proxy;

        net_proxy_choose(&settings, &http, &proxy);
        CHECK(proxy.set && proxy.malformed);
        CHECK(strstr(proxy.text, "secret") == NULL);
}

TEST(no_proxy_takes_names_domains_and_networks)
{
        struct net_target name = target_of("http://a.web.lab/"), address = target_of("http://10.1.2.3/");

        CHECK(net_proxy_is_exempt("web.lab", &name));
        CHECK(net_proxy_is_exempt("x, .web.lab", &name));
        CHECK(net_proxy_is_exempt("*.web.lab", &name));
        CHECK(net_proxy_is_exempt("a.web.lab:80", &name));
        CHECK(net_proxy_is_exempt("*", &name));
        CHECK(!net_proxy_is_exempt("eb.lab,a.web.lab:81,lab.a", &name));
        CHECK(!net_proxy_is_exempt("", &name));
        CHECK(net_proxy_is_exempt("10.0.0.0/8", &address));
        CHECK(!net_proxy_is_exempt("10.2.0.0/16,10.1.2.4", &address));
}

TEST(status_of_a_proxy_is_that_of_its_first_line)
{
        CHECK_INT(net_proxy_status("HTTP/1.1 407 Proxy", 18), ==, 407);
        CHECK_INT(net_proxy_status("HTTP/1.0 200", 12), ==, 200);
        CHECK_INT(net_proxy_status("HTTP/1.1 2", 10), ==, -EPROTO);
        CHECK_INT(net_proxy_status("HTTP/1.1 2x0 OK", 15), ==, -EPROTO);
        CHECK_INT(net_proxy_status("SSH-2.0-OpenSSH", 15), ==, -EPROTO);
}

TEST(user_and_password_of_a_proxy_are_encoded)
{
        struct net_proxy proxy = {.user = "Aladdin:open sesame"};
        char text[128];

        CHECK_STR(net_proxy_authorization(&proxy, text, sizeof text),
                  "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n");
        proxy.user[0] = 0;
        CHECK_STR(net_proxy_authorization(&proxy, text, sizeof text), "");
}

/* The board. */

TEST(board_keeps_facts_by_layer_and_replaces_those_of_the_same_name_and_subject)
{
        struct net_fact facts[8];
        struct net_board board;

        CHECK_INT(net_board_init(&board), ==, 0);
        struct net_fact tcp = net_fact_make(NET_TCP, "tcp.connect", "10.1.0.1");
        struct net_fact link = net_fact_make(NET_LINK, "link.state", "eth0");
        net_board_post(&board, &tcp);
        net_board_post(&board, &link);
        net_fact_ok(&tcp, "connected");
        net_board_post(&board, &tcp);
        snprintf(tcp.subject, sizeof tcp.subject, "10.1.0.2");
        net_board_post(&board, &tcp);
        CHECK_UINT(net_board_read(&board, facts, 8), ==, 3);
        CHECK_STR(facts[0].name, "link.state");
        CHECK(facts[1].state == NET_OK && strcmp(facts[1].subject, "10.1.0.1") == 0);
        CHECK(net_board_find(&board, "tcp.connect", "10.1.0.2", &facts[7]));
        CHECK(!net_board_find(&board, "tcp.connect", "10.1.0.3", &facts[7]));
        CHECK(plait_event_is_set(&board.changed));
        net_board_done(&board);
}

TEST(board_that_is_full_drops_what_is_new)
{
        static struct net_fact facts[NET_FACTS_MAX + 1];
        struct net_board board;

        CHECK_INT(net_board_init(&board), ==, 0);
        for (int i = 0; i < NET_FACTS_MAX + 5; i++) {
                char subject[16];
                snprintf(subject, sizeof subject, "%d", i);
                struct net_fact fact = net_fact_make(NET_LINK, "link.state", subject);
                net_board_post(&board, &fact);
        }
        CHECK_UINT(net_board_read(&board, facts, NET_FACTS_MAX + 1), ==, NET_FACTS_MAX);
        CHECK_STR(facts[NET_FACTS_MAX - 1].subject, "511");
        net_board_done(&board);
}

/* The table of verdicts. */

TEST(every_verdict_has_a_code_of_its_own_a_sentence_and_advice)
{
        for (int i = 0; i < NET_CODES; i++) {
                const struct net_verdict_info *info = net_verdict_info((enum net_code)i);
                CHECK(info->code && *info->code && info->summary && *info->summary && info->advice);
                CHECK(i == NET_HEALTHY || *info->advice);
                for (int j = 0; j < i; j++)
                        CHECK(strcmp(info->code, net_verdict_info((enum net_code)j)->code) != 0);
        }
        CHECK_INT(NET_CODES, >=, 42);
}

TEST(sentences_are_filled_in_and_cut_where_they_do_not_fit)
{
        struct net_finding finding = {.number = 7};
        char text[64];
        struct net_target target = target_of("web.lab.test");
        snprintf(finding.about, sizeof finding.about, "eth0");
        CHECK_STR(net_finding_text("%s %f %n %t 5 %", &finding, &target, text, sizeof text),
                  "eth0 none 7 web.lab.test 5 %");
        CHECK_STR(net_finding_text("%s and more", &finding, &target, text, 8), "eth0 an");
}
