/*
 * The rules of `plait net`: sets of facts, as probes would post them, and the verdict that they prove.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/test.h"
#include "net/rule.h"

enum { ROOM = 64 };

#define V4 "198.51.100.10"
#define V6 "2001:db8:9::10"

/* A set of facts under construction. */
static struct net_fact facts[ROOM];
static size_t count;
static struct net_target target;
static struct net_verdict verdict;

static void aim_at(const char *text)
{
        const char *why = NULL;

        count = 0;
        CHECK_INT(net_target_parse(text, &target, &why), ==, 0);
}

static struct net_fact *fact(enum net_layer layer, const char *name, const char *subject)
{
        struct net_ip ip;

        CHECK(count < ROOM);
        facts[count] = net_fact_make(layer, name, subject);
        if (net_ip_parse(subject, &ip))
                facts[count].family = ip.family;
        return &facts[count++];
}

static struct net_fact *ok(enum net_layer layer, const char *name, const char *subject)
{
        struct net_fact *made = fact(layer, name, subject);

        net_fact_ok(made, "fine");
        return made;
}

static struct net_fact *fail(enum net_layer layer, const char *name, const char *subject, enum net_symptom symptom)
{
        struct net_fact *made = fact(layer, name, subject);

        net_fact_fail(made, symptom, "it is broken");
        return made;
}

static void from(struct net_fact *made, const char *who)
{
        CHECK(net_ip_parse(who, &made->from));
}

static void judge_under_way(unsigned gates, unsigned pending)
{
        struct net_case input = {.target = &target, .facts = facts, .count = count, .gates = gates, .pending = pending};

        net_judge(&input, &verdict);
}

static void check_verdict(const char *code)
{
        judge_under_way(0, 0);
        CHECK_STR(net_verdict_info(verdict.finding.code)->code, code);
        CHECK(verdict.proven);
}

static void check_also(const char *code)
{
        for (size_t i = 0; i < verdict.also_count; i++)
                if (strcmp(net_verdict_info(verdict.also[i].code)->code, code) == 0)
                        return;
        test_fail(__FILE__, __LINE__, "%s is not under also", code);
}

static const char *summary(void)
{
        static char text[NET_SUMMARY_BYTES];

        return net_finding_text(net_verdict_info(verdict.finding.code)->summary, &verdict.finding, &target, text,
                                sizeof text);
}

/* What is found below TCP where all is well. */
static void add_ground(void)
{
        ok(NET_LINK, "link.state", "eth0");
        ok(NET_ADDRESS, "addr.ipv4", "eth0");
        ok(NET_ROUTE, "route.default", "IPv4");
        from(ok(NET_ROUTE, "route.gateway", "10.1.0.1"), "10.1.0.1");
        ok(NET_NEIGHBOUR, "neigh.gateway", "10.1.0.1");
        ok(NET_ROUTE, "route.server", "10.1.0.1");
        ok(NET_DNS, "dns.server", "10.1.0.1")->number = 1;
}

static void add_name(void)
{
        ok(NET_DNS, "dns.answer", "10.1.0.1");
        ok(NET_DNS, "name.addresses", target.host)->number = 1;
}

static void add_route(const char *address)
{
        from(ok(NET_ROUTE, "route.target", address), strchr(address, ':') ? "2001:db8:1::1" : "10.1.0.1");
}

/* One address of the name, not reached for that reason. */
static void add_unreached(enum net_symptom symptom)
{
        aim_at("web.lab.test:81");
        add_ground();
        add_name();
        add_route(V4);
        from(fail(NET_TCP, "tcp.connect", V4, symptom), "10.2.0.1");
}

static void add_page(void)
{
        aim_at("https://web.lab.test/");
        add_ground();
        add_name();
        add_route(V4);
        ok(NET_TCP, "tcp.connect", V4);
        ok(NET_TLS, "tls.handshake", V4);
        ok(NET_TLS, "tls.dates", V4);
        ok(NET_HTTP, "http.status", V4)->number = 200;
}

static void break_fact(const char *name, enum net_symptom symptom, int64_t number)
{
        for (size_t i = 0; i < count; i++)
                if (strcmp(facts[i].name, name) == 0) {
                        net_fact_fail(&facts[i], symptom, "it is broken");
                        facts[i].number = number;
                        return;
                }
        test_fail(__FILE__, __LINE__, "there is no fact %s", name);
}

TEST(page_that_comes_is_healthy)
{
        add_page();
        check_verdict("healthy");
        CHECK_UINT(verdict.also_count, ==, 0);
}

TEST(machine_with_link_route_and_name_server_is_healthy)
{
        aim_at(NULL);
        add_ground();
        check_verdict("healthy");
}

TEST(nothing_known_is_unknown_and_says_what_is_missing)
{
        aim_at(NULL);
        check_verdict("unknown");
        CHECK(strstr(verdict.why, "link") != NULL);
        add_page();
        count -= 1;
        check_verdict("unknown");
        CHECK(strstr(verdict.why, "answers") != NULL);
}

TEST(unknown_never_convicts)
{
        add_page();
        net_fact_unknown(fact(NET_ADDRESS, "addr.duplicate", "10.1.0.2"), "not checked");
        net_fact_unknown(fact(NET_ADDRESS, "dhcp.offer", "eth0"), "not allowed");
        net_fact_unknown(fact(NET_PATH, "path.hops", V4), "all are mute");
        check_verdict("healthy");
}

TEST(each_symptom_of_one_fact_has_its_verdict)
{
        static const struct {
                const char *fact;
                enum net_symptom symptom;
                const char *code;
        } cases[] = {
                {"link.state", NET_ADMIN_DOWN, "link-admin-down"},
                {"link.state", NET_NO_CARRIER, "no-carrier"},
                {"link.state", NET_NO_LINK, "no-link"},
                {"addr.ipv4", NET_NO_ADDRESS, "no-address"},
                {"addr.ipv4", NET_APIPA, "apipa"},
                {"tls.dates", NET_TLS_EXPIRED, "tls-expired"},
                {"tls.dates", NET_TLS_NOT_YET_VALID, "tls-not-yet-valid"},
                {"tls.handshake", NET_TLS_RESET, "tls-reset"},
                {"tls.handshake", NET_TLS_PLAINTEXT, "tls-plaintext"},
                {"tls.handshake", NET_TLS_SILENT, "tls-silent"},
                {"tls.handshake", NET_TLS_PROTOCOL, "tls-protocol"},
                {"http.status", NET_HTTP_SERVER_ERROR, "http-server-error"},
                {"http.status", NET_HTTP_CLIENT_ERROR, "http-client-error"},
                {"http.status", NET_HTTP_NO_FIRST_BYTE, "http-no-first-byte"},
                {"http.status", NET_HTTP_MALFORMED, "http-malformed"},
        };

        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                add_page();
                break_fact(cases[i].fact, cases[i].symptom, 0);
                check_verdict(cases[i].code);
                CHECK_UINT(verdict.finding.evidence_count, >, 0);
        }
}

TEST(each_symptom_of_a_further_fact_has_its_verdict)
{
        static const struct {
                enum net_layer layer;
                const char *fact;
                enum net_symptom symptom;
                const char *code;
        } cases[] = {
                {NET_ADDRESS, "lease.file", NET_LEASE_EXPIRED, "lease-expired"},
                {NET_ADDRESS, "addr.duplicate", NET_DUPLICATE, "duplicate-address"},
                {NET_ADDRESS, "dhcp.offer", NET_ROGUE_DHCP, "rogue-dhcp"},
                {NET_DNS, "dns.speed", NET_DNS_SLOW, "dns-slow"},
                {NET_DNS, "dns.agreement", NET_DNS_DISAGREE, "dns-split"},
                {NET_QUALITY, "quality.loss", NET_LOSS, "loss"},
                {NET_QUALITY, "quality.load", NET_BUFFERBLOAT, "bufferbloat"},
                {NET_PROXY, "http.via", NET_INTERCEPTED, "proxy-intercepts"},
                {NET_PROXY, "http.portal", NET_CAPTIVE_PORTAL, "captive-portal"},
                {NET_TLS, "tls.name", NET_TLS_NAME, "tls-name"},
                {NET_TLS, "tls.chain", NET_TLS_SELF_SIGNED, "tls-self-signed"},
                {NET_TLS, "tls.chain", NET_TLS_MISSING_INTERMEDIATE, "tls-missing-intermediate"},
                {NET_TLS, "tls.chain", NET_TLS_UNTRUSTED, "tls-untrusted"},
                {NET_TLS, "tls.chain", NET_TLS_REVOKED, "tls-revoked"},
                {NET_TLS, "clock.skew", NET_CLOCK_SKEW, "clock-skew"},
                {NET_HTTP, "http.redirects", NET_HTTP_REDIRECT_LOOP, "http-redirect-loop"},
                {NET_HTTP, "http.body", NET_HTTP_BODY_STALL, "http-body-stall"},
        };

        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                add_page();
                fail(cases[i].layer, cases[i].fact, "x", cases[i].symptom);
                check_verdict(cases[i].code);
        }
}

TEST(each_way_of_not_getting_there_has_its_verdict)
{
        static const struct {
                enum net_symptom symptom;
                const char *code;
        } cases[] = {
                {NET_REFUSED, "refused"},
                {NET_REJECTED, "rejected-by"},
                {NET_ADMIN_PROHIBITED, "admin-prohibited-at"},
                {NET_UNREACHABLE, "unreachable-at"},
                {NET_LOCAL_REJECT, "local-firewall"},
                {NET_NO_ROUTE, "no-default-route"},
                {NET_SILENT, "host-silent"},
                {NET_SELF_UNREACHABLE, "gateway-no-arp"},
        };

        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                add_unreached(cases[i].symptom);
                check_verdict(cases[i].code);
        }
}

TEST(who_rejects_is_named)
{
        add_unreached(NET_REJECTED);
        check_verdict("rejected-by");
        CHECK_STR(summary(), "10.2.0.1, on the way, rejects connections to web.lab.test port 81 (" V4 ")");
}

TEST(silence_of_a_host_that_answers_otherwise_is_a_filter)
{
        add_unreached(NET_SILENT);
        ok(NET_PATH, "path.alive", V4);
        check_verdict("filtered");
}

TEST(silence_is_put_down_to_the_router_that_says_so)
{
        add_unreached(NET_SILENT);
        from(fail(NET_PATH, "path.hops", V4, NET_ROUTING_LOOP), "10.9.0.1");
        check_verdict("routing-loop");
        add_unreached(NET_SILENT);
        from(fail(NET_PATH, "path.hops", V4, NET_UNREACHABLE), "10.9.0.1");
        check_verdict("unreachable-at");
}

TEST(filtered_echo_says_nothing_of_a_connection)
{
        add_page();
        from(fail(NET_PATH, "icmp.echo", V4, NET_ADMIN_PROHIBITED), "10.9.0.1");
        check_verdict("healthy");
        add_unreached(NET_SILENT);
        from(fail(NET_PATH, "icmp.echo", V4, NET_ADMIN_PROHIBITED), "10.9.0.1");
        check_verdict("host-silent");
}

TEST(route_types_are_told_apart)
{
        static const struct {
                enum net_symptom symptom;
                const char *code;
        } cases[] = {{NET_ROUTE_UNREACHABLE, "unreachable-route"},
                     {NET_ROUTE_PROHIBIT, "prohibit-route"},
                     {NET_ROUTE_BLACKHOLE, "blackhole-route"},
                     {NET_NO_DEFAULT_ROUTE, "no-default-route"}};

        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                aim_at(V4 ":80");
                add_ground();
                ok(NET_DNS, "name.addresses", V4);
                fail(NET_ROUTE, "route.target", V4, cases[i].symptom);
                fail(NET_TCP, "tcp.connect", V4, NET_NO_ROUTE);
                check_verdict(cases[i].code);
        }
}

TEST(target_on_link_that_answers_no_arp_is_not_there)
{
        aim_at("10.1.0.55:80");
        add_ground();
        ok(NET_ROUTE, "route.target", "10.1.0.55");
        from(fail(NET_NEIGHBOUR, "neigh.target", "10.1.0.55", NET_NO_ARP), "10.1.0.55");
        fail(NET_TCP, "tcp.connect", "10.1.0.55", NET_SILENT);
        check_verdict("target-no-arp");
        CHECK_UINT(verdict.also_count, ==, 0);
}

TEST(dead_gateway_explains_all_that_is_behind_it)
{
        add_unreached(NET_SILENT);
        break_fact("neigh.gateway", NET_NO_ARP, 0);
        check_verdict("gateway-no-arp");
        CHECK_UINT(verdict.also_count, ==, 0);
}

TEST(gateway_through_which_something_was_reached_is_not_dead)
{
        add_page();
        break_fact("neigh.gateway", NET_NO_ARP, 0);
        check_verdict("healthy");
}

TEST(gateway_beyond_the_link_is_bad_only_if_it_is_silent)
{
        add_page();
        break_fact("route.gateway", NET_GATEWAY_OFF_LINK, 0);
        check_verdict("healthy");
        add_unreached(NET_SILENT);
        break_fact("route.gateway", NET_GATEWAY_OFF_LINK, 0);
        break_fact("neigh.gateway", NET_NO_ARP, 0);
        check_verdict("bad-gateway");
        CHECK_UINT(verdict.also_count, ==, 0);
}

TEST(no_offer_convicts_only_where_an_address_is_missing)
{
        add_page();
        fail(NET_ADDRESS, "dhcp.offer", "eth0", NET_NO_OFFER);
        check_verdict("healthy");
        break_fact("addr.ipv4", NET_APIPA, 0);
        check_verdict("dhcp-no-server");
        CHECK_UINT(verdict.also_count, ==, 0);
}

TEST(two_dhcp_servers_explain_a_gateway_that_is_not_there)
{
        add_unreached(NET_SILENT);
        break_fact("neigh.gateway", NET_NO_ARP, 0);
        fail(NET_ADDRESS, "dhcp.offer", "eth0", NET_ROGUE_DHCP)->number = 2;
        check_verdict("rogue-dhcp");
}

/* Names. */

static void add_servers(enum net_symptom first, enum net_symptom second)
{
        aim_at("web.lab.test");
        add_ground();
        count--; /* its server */
        fail(NET_DNS, "dns.server", "10.1.0.1", first);
        if (second != NET_NO_SYMPTOM)
                fail(NET_DNS, "dns.server", "10.1.0.2", second);
        else
                ok(NET_DNS, "dns.server", "10.1.0.2")->number = 1;
}

TEST(servers_that_all_fail_are_told_by_how)
{
        add_servers(NET_DNS_SILENT, NET_DNS_SILENT);
        check_verdict("dns-dead");
        add_servers(NET_DNS_NOT_LISTENING, NET_DNS_NOT_LISTENING);
        check_verdict("dns-not-listening");
        add_servers(NET_DNS_SILENT, NET_DNS_NOT_LISTENING);
        check_verdict("dns-dead");
        add_servers(NET_DNS_MALFORMED, NET_DNS_MALFORMED);
        check_verdict("dns-malformed");
        add_servers(NET_LOCAL_REJECT, NET_LOCAL_REJECT);
        check_verdict("local-firewall");
}

TEST(one_dead_server_of_two_is_no_more_than_that)
{
        add_servers(NET_DNS_SILENT, NET_NO_SYMPTOM);
        add_name();
        add_route(V4);
        ok(NET_PATH, "path.alive", V4);
        check_verdict("dns-partial");
        CHECK(verdict.finding.degraded);
}

TEST(name_servers_do_not_matter_much_to_an_address)
{
        aim_at(V4 ":81");
        add_ground();
        ok(NET_DNS, "name.addresses", V4);
        break_fact("dns.server", NET_DNS_SILENT, 0);
        add_route(V4);
        fail(NET_TCP, "tcp.connect", V4, NET_REFUSED);
        check_verdict("refused");
        check_also("dns-dead");
}

TEST(answers_without_an_address_are_told_apart)
{
        static const struct {
                enum net_symptom symptom;
                const char *code;
        } cases[] = {{NET_DNS_NXDOMAIN, "dns-nxdomain"},
                     {NET_DNS_NODATA, "dns-nodata"},
                     {NET_DNS_SERVFAIL, "dns-servfail"},
                     {NET_DNS_REFUSED, "dns-refused"}};

        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                aim_at("web.lab.test");
                add_ground();
                fail(NET_DNS, "dns.answer", "10.1.0.1", cases[i].symptom);
                check_verdict(cases[i].code);
        }
}

TEST(failing_server_beside_one_that_knows_the_name_is_partial)
{
        add_page();
        fail(NET_DNS, "dns.answer", "10.1.0.2", NET_DNS_SERVFAIL);
        check_verdict("dns-partial");
}

TEST(missing_servers_are_a_fault_only_to_a_name)
{
        aim_at("web.lab.test");
        ok(NET_LINK, "link.state", "eth0");
        ok(NET_ROUTE, "route.default", "IPv4");
        fail(NET_DNS, "dns.server", "", NET_DNS_NO_SERVERS);
        check_verdict("dns-no-servers");
        add_page();
        net_fact_unknown(fact(NET_DNS, "dns.server", ""), "none is needed");
        check_verdict("healthy");
}

/* Families and addresses. */

TEST(family_that_fails_beside_one_that_works_is_broken)
{
        add_page();
        add_route(V6);
        fail(NET_TCP, "tcp.connect", V6, NET_SILENT);
        check_verdict("ipv6-broken");
        CHECK(verdict.finding.degraded);
        add_page();
        add_route(V6);
        ok(NET_TCP, "tcp.connect", V6);
        break_fact("tcp.connect", NET_SILENT, 0);
        check_verdict("ipv4-broken");
}

TEST(family_that_the_machine_does_not_have_is_not_missed)
{
        add_page();
        net_fact_unknown(fact(NET_ROUTE, "route.target", V6), "no route leads there");
        fail(NET_TCP, "tcp.connect", V6, NET_NO_ROUTE);
        check_verdict("healthy");
}

TEST(one_address_of_several_is_a_fault_that_does_not_hinder)
{
        add_page();
        add_route("198.51.100.11");
        fail(NET_TCP, "tcp.connect", "198.51.100.11", NET_REFUSED);
        check_verdict("refused");
        CHECK(verdict.finding.degraded);
}

TEST(mtu_needs_both_the_ladder_and_the_stall)
{
        add_page();
        fail(NET_MTU, "mtu.path", V4, NET_BLACK_HOLE)->number = 1400;
        check_verdict("healthy");
        fail(NET_MTU, "mtu.tcp", V4, NET_STALL);
        check_verdict("mtu-black-hole");
        CHECK(strstr(summary(), "1400") != NULL);
        break_fact("http.status", NET_HTTP_NO_FIRST_BYTE, 0);
        check_verdict("mtu-black-hole");
        CHECK_UINT(verdict.also_count, ==, 0);
}

TEST(clock_convicts_where_it_explains_the_dates)
{
        add_page();
        break_fact("tls.dates", NET_TLS_EXPIRED, 3600);
        fail(NET_TLS, "clock.skew", "", NET_CLOCK_SKEW)->number = 86400;
        check_verdict("clock-skew");
        CHECK_UINT(verdict.also_count, ==, 0);
        add_page();
        break_fact("tls.dates", NET_TLS_EXPIRED, 864000);
        fail(NET_TLS, "clock.skew", "", NET_CLOCK_SKEW)->number = 90;
        check_verdict("tls-expired");
        check_also("clock-skew");
}

/* A proxy stands for the target. */
static void add_proxied(void)
{
        aim_at("https://web.lab.test/");
        add_ground();
        ok(NET_DNS, "name.addresses", "10.1.0.8");
        ok(NET_PROXY, "proxy.connect", "10.1.0.8:3128");
        ok(NET_PROXY, "proxy.answer", "10.1.0.8:3128");
        ok(NET_TLS, "tls.handshake", "");
        ok(NET_HTTP, "http.status", "");
}

TEST(proxy_stands_for_the_target)
{
        add_proxied();
        check_verdict("healthy");
        break_fact("proxy.connect", NET_PROXY_DEAD, 0);
        break_fact("tls.handshake", NET_TLS_RESET, 0);
        check_verdict("proxy-dead");
        CHECK_UINT(verdict.also_count, ==, 0);
        add_proxied();
        break_fact("proxy.answer", NET_PROXY_AUTH, 407);
        check_verdict("proxy-auth");
        add_proxied();
        break_fact("proxy.answer", NET_PROXY_REFUSES, 403);
        check_verdict("proxy-refuses");
        CHECK(strstr(summary(), "403") != NULL);
}

/* Two faults at once. */

TEST(lower_fault_that_explains_the_upper_stands_alone)
{
        add_page();
        break_fact("link.state", NET_NO_CARRIER, 0);
        break_fact("addr.ipv4", NET_NO_ADDRESS, 0);
        break_fact("neigh.gateway", NET_NO_ARP, 0);
        break_fact("dns.server", NET_DNS_SILENT, 0);
        break_fact("tcp.connect", NET_SILENT, 0);
        break_fact("tls.handshake", NET_TLS_RESET, 0);
        check_verdict("no-carrier");
        CHECK_UINT(verdict.also_count, ==, 0);
}

TEST(independent_faults_stand_under_also)
{
        add_page();
        break_fact("tls.dates", NET_TLS_EXPIRED, 0);
        fail(NET_TLS, "tls.name", V4, NET_TLS_NAME);
        break_fact("http.status", NET_HTTP_SERVER_ERROR, 503);
        fail(NET_DNS, "dns.speed", "10.1.0.1", NET_DNS_SLOW);
        check_verdict("tls-expired");
        check_also("tls-name");
        check_also("http-server-error");
        check_also("dns-slow");
}

TEST(fault_that_hinders_comes_before_a_lower_one_that_does_not)
{
        add_servers(NET_DNS_SILENT, NET_NO_SYMPTOM);
        target.has_port = true;
        target.port = 81;
        add_name();
        add_route(V4);
        fail(NET_TCP, "tcp.connect", V4, NET_REFUSED);
        check_verdict("refused");
        check_also("dns-partial");
}

TEST(server_on_this_link_is_not_explained_by_the_gateway)
{
        add_servers(NET_DNS_NOT_LISTENING, NET_DNS_NOT_LISTENING);
        break_fact("neigh.gateway", NET_NO_ARP, 0);
        check_verdict("gateway-no-arp");
        check_also("dns-not-listening");
        for (size_t i = 0; i < count; i++)
                if (strcmp(facts[i].name, "route.server") == 0)
                        from(&facts[i], "10.1.0.1");
        check_verdict("gateway-no-arp");
        CHECK_UINT(verdict.also_count, ==, 0);
}

TEST(addresses_in_dispute_explain_that_one_of_them_fails)
{
        add_unreached(NET_UNREACHABLE);
        fail(NET_DNS, "dns.agreement", "web.lab.test", NET_DNS_DISAGREE)->number = 1;
        check_verdict("dns-split");
        CHECK_UINT(verdict.also_count, ==, 0);
        add_unreached(NET_REFUSED);
        fail(NET_DNS, "dns.agreement", "web.lab.test", NET_DNS_DISAGREE)->number = 0;
        check_verdict("refused");
        check_also("dns-split");
}

TEST(loss_while_a_queue_is_full_is_no_other_fault)
{
        add_page();
        fail(NET_QUALITY, "quality.loss", V4, NET_LOSS);
        fail(NET_QUALITY, "quality.load", V4, NET_BUFFERBLOAT);
        check_verdict("bufferbloat");
        CHECK_UINT(verdict.also_count, ==, 0);
}

TEST(portal_explains_what_it_answers)
{
        add_page();
        fail(NET_PROXY, "http.portal", V4, NET_CAPTIVE_PORTAL);
        fail(NET_TLS, "tls.name", V4, NET_TLS_NAME);
        break_fact("http.status", NET_HTTP_CLIENT_ERROR, 403);
        check_verdict("captive-portal");
        CHECK_UINT(verdict.also_count, ==, 0);
}

/* When it is proven. */

TEST(refusal_is_proven_while_the_path_is_still_being_looked_at)
{
        add_unreached(NET_REFUSED);
        judge_under_way(0, NET_LAYER_BIT(NET_PATH) | NET_LAYER_BIT(NET_QUALITY));
        CHECK(verdict.proven);
}

TEST(nothing_is_proven_while_a_gate_below_is_open)
{
        add_unreached(NET_REFUSED);
        judge_under_way(NET_LAYER_BIT(NET_DNS), NET_LAYER_BIT(NET_DNS));
        CHECK(!verdict.proven);
}

TEST(silence_is_not_proven_while_others_may_still_answer)
{
        add_unreached(NET_SILENT);
        judge_under_way(0, NET_LAYER_BIT(NET_PATH));
        CHECK(!verdict.proven);
        judge_under_way(0, NET_LAYER_BIT(NET_MTU));
        CHECK(verdict.proven);
}

TEST(refusal_is_not_proven_while_another_address_may_accept)
{
        add_unreached(NET_REFUSED);
        add_route(V6);
        judge_under_way(0, NET_LAYER_BIT(NET_TCP));
        CHECK(!verdict.proven);
}

TEST(health_is_not_proven_while_anything_is_under_way)
{
        add_page();
        judge_under_way(0, NET_LAYER_BIT(NET_QUALITY));
        CHECK(!verdict.proven);
}
