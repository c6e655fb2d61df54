"""What is tried in the lab, as data: single faults, pairs of faults, and healthy networks of many kinds."""

from collections import namedtuple

import faults as f
import stubs
from lab import GATEWAY, SERVER

URL = "https://web.lab.test/"
PROXIED = {"http_proxy": f.PROXY, "https_proxy": f.PROXY}


class Unknown(namedtuple("Unknown", "fact codes")):
    """What a user is to be told who cannot know the fault: *fact* is unknown and says why, and the verdict is one of *codes*,
    that is, what this user can see of it."""


def unknown(fact, *codes):
    return Unknown(fact, codes)


EXPLICIT, SILENT, SLOW = 0.3, 2.0, 4.5  # seconds until the verdict, round trips not counted

Scenario = namedtuple("Scenario", "number name fault args root nobody limit env", defaults=[None])

SCENARIOS = [Scenario(*row) for row in (
    # number, name, fault, arguments, verdict as root, as nobody, seconds[, environment]
    (1, "link admin down", f.link_down, URL, "link-admin-down", "link-admin-down", EXPLICIT),
    (2, "no carrier", f.no_carrier, URL, "no-carrier", "no-carrier", EXPLICIT),
    (3, "no address", f.no_address, URL, "no-address", unknown("dhcp.offer", "no-address"), SLOW),
    (4, "only a self-assigned address", f.self_assigned, URL, "dhcp-no-server", unknown("dhcp.offer", "apipa"), SLOW),
    (5, "lease expired", f.lease_expired, URL, "lease-expired", "lease-expired", SLOW),
    (6, "DHCP server silent", f.dhcp_silent, URL, "dhcp-no-server", unknown("dhcp.offer", "no-address"), SLOW),
    (7, "rogue DHCP server", f.rogue_dhcp, URL, "rogue-dhcp", unknown("dhcp.offer", "gateway-no-arp"), SLOW),
    (8, "DHCP pool full", f.pool_full, URL, "dhcp-no-server", unknown("dhcp.offer", "no-address"), SLOW),
    (9, "IPv4 address used twice", f.duplicate_v4, URL, "duplicate-address", unknown("addr.duplicate", "healthy"), SILENT),
    (10, "IPv6 address used twice", f.duplicate_v6, URL, "duplicate-address", "duplicate-address", EXPLICIT),
    (11, "no default route", f.no_default, SERVER, "no-default-route", "no-default-route", EXPLICIT),
    (12, "gateway does not exist", f.gateway_gone, URL, "gateway-no-arp", "gateway-no-arp", SLOW),
    (13, "prohibit route", f.routed_away("prohibit"), URL, "prohibit-route", "prohibit-route", EXPLICIT),
    (14, "DNS dead", f.dns_dead, URL, "dns-dead", "dns-dead", SILENT),
    (15, "DNS not listening", f.dns_not_listening, URL, "dns-not-listening", "dns-not-listening", EXPLICIT),
    (16, "one of two resolvers dead", f.dns_partial, URL, "dns-partial", "dns-partial", SILENT),
    (17, "NXDOMAIN", f.no_such_name, "nothing.example.test", "dns-nxdomain", "dns-nxdomain", EXPLICIT),
    (18, "SERVFAIL", f.other_resolver(stubs.dns_code, 2, shows="SERVFAIL"), URL, "dns-servfail", "dns-servfail", EXPLICIT),
    (19, "DNS slow", f.dns_slow, URL, "dns-slow", "dns-slow", SILENT),
    (20, "host absent on a far LAN", f.host_absent, "198.51.100.77:80", "unreachable-at", "unreachable-at", SILENT),
    (21, "routing loop", f.loop, "203.0.113.5:80", "routing-loop", "routing-loop", SILENT),
    (22, "closed port", f.closed_port, "web.lab.test:81", "refused", "refused", EXPLICIT),
    (23, "rejected on the way", f.filtered("reject", "refused"), "web.lab.test:81", "rejected-by", "rejected-by", EXPLICIT),
    (24, "administratively prohibited", f.filtered("reject with icmpx type admin-prohibited", "No route to host"),
     "web.lab.test:81", "admin-prohibited-at", "admin-prohibited-at", EXPLICIT),
    (25, "dropped on the way", f.filtered("drop", "silent"), "web.lab.test:81", "filtered", "filtered", SILENT),
    (26, "reset on the way", f.filtered("reject with tcp reset", "refused"), "web.lab.test:81", "refused", "refused", EXPLICIT),
    (27, "own filter", f.local_filter, URL, "local-firewall", "local-firewall", EXPLICIT),
    (28, "MTU black hole", f.black_hole, "http://web.lab.test/large", "mtu-black-hole", "mtu-black-hole", SILENT),
    (29, "small MTU, announced", f.small_mtu, "http://web.lab.test/large", "healthy", "healthy", SILENT),
    (30, "loss", f.loss, "web.lab.test:80", "loss", "loss", SLOW),
    (31, "latency, jitter and reordering", f.jitter, URL, "healthy", "healthy", SLOW),
    (32, "bufferbloat", f.bloat, "--load http://web.v4.test/", "bufferbloat", "bufferbloat", 10.0),
    (33, "IPv6 dropped", f.v6_dropped, URL, "ipv6-broken", "ipv6-broken", SILENT),
    (34, "certificate expired", f.certificate("expired", "certificate has expired"), "https://expired.lab.test/",
     "tls-expired", "tls-expired", EXPLICIT),
    (35, "certificate of the future", f.certificate("future", "not yet valid"), "https://future.lab.test/",
     "tls-not-yet-valid", "tls-not-yet-valid", EXPLICIT),
    (36, "certificate for another name", f.certificate("other-name", "ostname mismatch"), "https://other-name.lab.test/",
     "tls-name", "tls-name", EXPLICIT),
    (37, "self-signed certificate", f.certificate("self-signed", "self-signed certificate"), "https://self-signed.lab.test/",
     "tls-self-signed", "tls-self-signed", EXPLICIT),
    (38, "intermediate missing", f.certificate("incomplete", "unable to"), "https://incomplete.lab.test/",
     "tls-missing-intermediate", "tls-missing-intermediate", EXPLICIT),
    (39, "private CA", f.certificate("private", "self-signed certificate in certificate chain"), "https://private.lab.test/",
     "tls-untrusted", "tls-untrusted", EXPLICIT),
    (40, "503", f.http("/503", "503 0"), "http://web.lab.test/503", "http-server-error", "http-server-error", EXPLICIT),
    (41, "redirect loop", f.http("/loop", "302 47"), "http://web.lab.test/loop", "http-redirect-loop", "http-redirect-loop",
     EXPLICIT),
    (42, "sleeping backend", f.http("/sleep", "000 28"), "http://web.lab.test/sleep", "http-no-first-byte",
     "http-no-first-byte", SILENT),
    (43, "stalled body", f.http("/stall", "200 28"), "http://web.lab.test/stall", "http-body-stall", "http-body-stall", SILENT),
    (44, "plaintext on 443", f.plaintext_443, "https://plain.v4.test/", "tls-plaintext", "tls-plaintext", EXPLICIT),
    (45, "captive portal", f.captive_portal, "http://web.lab.test/", "captive-portal", "captive-portal", EXPLICIT),
    (46, "dead proxy", f.proxy_dead, URL, "proxy-dead", "proxy-dead", EXPLICIT, PROXIED),
    (47, "proxy wants a login", f.proxy_auth, URL, "proxy-auth", "proxy-auth", EXPLICIT, PROXIED),
    (48, "clock wrong", f.clock_skew, f"--ntp {SERVER} https://skewed.v4.test/", "clock-skew", "clock-skew", SILENT),

    # Further ones, for the other verdicts and for other ways to the same.
    (49, "lease expired, of dhclient", f.lease_expired_dhclient, "--self", "lease-expired", "lease-expired", SLOW),
    (50, "IPv4 address used twice, answers go there", f.duplicate_v4_answered, URL, "duplicate-address",
     unknown("addr.duplicate", "dns-dead", "host-silent", "filtered", "gateway-no-arp", "unknown"), SLOW),
    (51, "unreachable route", f.routed_away("unreachable"), URL, "unreachable-route", "unreachable-route", EXPLICIT),
    (52, "blackhole route", f.routed_away("blackhole"), URL, "blackhole-route", "blackhole-route", EXPLICIT),
    (53, "gateway of another network", f.gateway_off_link, URL, "bad-gateway", "bad-gateway", SLOW),
    (54, "target on this LAN is off", f.target_gone, "10.1.0.55:80", "target-no-arp", "target-no-arp", SLOW),
    (55, "REFUSED", f.other_resolver(stubs.dns_code, 5, shows="REFUSED"), URL, "dns-refused", "dns-refused", EXPLICIT),
    (56, "NODATA", f.other_resolver(stubs.dns_other, shows="NOERROR"), URL, "dns-nodata", "dns-nodata", EXPLICIT),
    (57, "DNS answers garbage", f.other_resolver(stubs.dns_garbage), URL, "dns-malformed", "dns-malformed", SILENT),
    (58, "resolvers disagree", f.dns_split, URL, "dns-split", "dns-split", SILENT),
    (59, "no resolver named", f.dns_none, URL, "dns-no-servers", "dns-no-servers", SILENT),
    (60, "host absent, slow router", f.host_absent_slow, "198.51.100.77:80", ("unreachable-at", "host-silent"),
     ("unreachable-at", "host-silent"), SLOW),
    (61, "host drops everything", f.silent_host, "plain.v4.test:443", "host-silent", "host-silent", SLOW),
    (62, "IPv4 dropped", f.v4_dropped, URL, "ipv4-broken", "ipv4-broken", SILENT),
    (63, "reset as TLS begins", f.at_plain(stubs.reset_at_hello), "https://plain.v4.test/", "tls-reset", "tls-reset", EXPLICIT),
    (64, "silence as TLS begins", f.at_plain(stubs.mute), "https://plain.v4.test/", "tls-silent", "tls-silent", SILENT),
    (65, "old TLS only", f.old_tls, "https://plain.v4.test/", "tls-protocol", "tls-protocol", EXPLICIT),
    (66, "404", f.http("/404", "404 0"), "http://web.lab.test/404", "http-client-error", "http-client-error", EXPLICIT),
    (67, "no HTTP there", f.at_plain(stubs.banner), "http://plain.v4.test:443/", "http-malformed", "http-malformed", SILENT),
    (68, "silent proxy", f.proxy_silent, URL, "proxy-dead", "proxy-dead", SILENT, PROXIED),
    (69, "proxy cannot go there", f.proxy_refuses, URL, "proxy-refuses", "proxy-refuses", EXPLICIT, PROXIED),
    (70, "no default route, own connectivity", f.no_default, "--self", "no-default-route", "no-default-route", EXPLICIT),
    (71, "DNS dead, own connectivity", f.dns_dead, "--self", "dns-dead", "dns-dead", SILENT),
    (72, "gateway does not exist, own connectivity", f.gateway_gone, "--self", "gateway-no-arp", "gateway-no-arp", SLOW),
    (73, "DNS slow, IPv4 after IPv6", f.dns_slow_in_turn, URL, "dns-slow", "dns-slow", SILENT),
)]

# Two faults at once: the verdict is the fault that hinders, the lower one of two that do; the other stands under "also" if
# it can be seen beside it. Where the first explains the other, or hides it, nothing more is to be said (None).
Pair = namedtuple("Pair", "one other args verdict also env", defaults=[None])

EXPIRED = f.certificate("expired", "")

PAIRS = [Pair(*row) for row in (
    # one fault, the other, arguments, verdict, also[, environment]
    (f.dns_partial, f.closed_port, "web.lab.test:81", "refused", "dns-partial"),
    (f.dns_slow, f.http("/503", ""), "http://web.lab.test/503", "http-server-error", "dns-slow"),
    (f.v6_dropped, EXPIRED, "https://expired.lab.test/", "tls-expired", "ipv6-broken"),
    (EXPIRED, f.certificate("other-name", ""), "https://expired-other-name.lab.test/", "tls-expired", "tls-name"),
    (EXPIRED, f.certificate("self-signed", ""), "https://self-signed-expired.lab.test/", "tls-expired", "tls-self-signed"),
    (EXPIRED, f.http("/503", ""), "https://expired.lab.test/503", "tls-expired", "http-server-error"),
    (f.no_default, f.dns_not_listening, URL, "no-default-route", "dns-not-listening"),
    (f.far_resolver, f.gateway_gone, URL, "gateway-no-arp", None),
    (f.link_down, f.proxy_dead, URL, "link-admin-down", None, PROXIED),
    (f.no_carrier, f.dns_none, URL, "no-carrier", None),
    (f.dns_not_listening, f.closed_port, "web.lab.test:81", "dns-not-listening", None),
    (f.black_hole, f.dns_slow, "http://web.lab.test/large", "mtu-black-hole", "dns-slow"),
    (f.black_hole, f.v6_dropped, "http://web.lab.test/large", "mtu-black-hole", "ipv6-broken"),
    (f.clock_skew_other_name, f.nothing, f"--ntp {SERVER} https://skewed.v4.test/", "clock-skew", "tls-name"),
    (f.captive_portal, f.dns_slow, "http://web.lab.test/", "captive-portal", "dns-slow"),
    (f.loop, f.dns_partial, "loop.v4.test:80", "routing-loop", "dns-partial"),
    (f.filtered("reject", ""), f.dns_slow, "web.lab.test:81", "rejected-by", "dns-slow"),
    (f.duplicate_v6, f.closed_port, "web.lab.test:81", "duplicate-address", "refused"),
    (f.routed_away("prohibit"), f.dns_slow, URL, "prohibit-route", "dns-slow"),
    (f.gateway_gone, f.dns_not_listening, URL, "gateway-no-arp", "dns-not-listening"),
    (f.self_assigned, f.dns_dead, URL, "dhcp-no-server", None),
    (f.local_filter, f.dns_slow, URL, "local-firewall", "dns-slow"),
    (f.v6_dropped, f.http("/404", ""), "http://web.lab.test/404", "http-client-error", "ipv6-broken"),
    (f.dns_partial, f.http("/loop", ""), "http://web.lab.test/loop", "http-redirect-loop", "dns-partial"),
    (f.dns_slow, f.certificate("private", ""), "https://private.lab.test/", "tls-untrusted", "dns-slow"),
    (f.silent_host, f.dns_partial, "plain.v4.test:443", "host-silent", "dns-partial"),
    (f.host_absent, f.dns_partial, "absent.v4.test:80", "unreachable-at", "dns-partial"),
    (f.dns_dead, f.local_filter, URL, "dns-dead", None),
    (f.gateway_gone, f.filtered("drop", ""), "web.lab.test:81", "gateway-no-arp", None),
    (f.no_carrier, f.gateway_gone, URL, "no-carrier", None),
    (f.dns_none, f.no_default, URL, "no-default-route", "dns-no-servers"),
    (f.proxy_dead, f.http("/503", ""), "http://web.lab.test/503", "proxy-dead", None, PROXIED),
)]

# Networks without a fault.
Healthy = namedtuple("Healthy", "name change args env", defaults=[None])


HEALTHY = [Healthy(*row) for row in (
    ("both families", f.plain, URL),
    ("both families, plain HTTP", f.plain, "http://web.lab.test/"),
    ("a host alone", f.plain, "web.lab.test"),
    ("a port", f.plain, "web.lab.test:443"),
    ("an address", f.plain, SERVER),
    ("own connectivity", f.plain, "--self"),
    ("a name of IPv4 alone", f.plain, "https://web.v4.test/"),
    ("a name of IPv6 alone", f.plain, "https://web.v6.test/"),
    ("IPv4 only", f.only4, URL),
    ("IPv4 only, own connectivity", f.only4, "--self"),
    ("IPv6 only", f.only6, URL),
    ("IPv6 only, own connectivity", f.only6, "--self"),
    ("through a proxy", f.own_proxy, URL, PROXIED),
    ("through a proxy, plain HTTP", f.own_proxy, "http://web.lab.test/", PROXIED),
    ("slow line", f.slow_line, URL),
    ("slow line, a page of 256 kB", f.slow_line, "http://web.lab.test/large"),
    ("shaky line", f.shaky_line, URL),
    ("small MTU", f.narrow, URL),
    ("small MTU, a page of 256 kB", f.narrow, "http://web.lab.test/large"),
    ("target on the LAN", f.on_link, "http://10.1.0.44:8080/"),
    ("the gateway as the target", f.plain, GATEWAY),
    ("several addresses", f.plain, "https://many.lab.test/"),
    ("mute routers", f.mute_routers, URL),
    ("no ICMP on the way", f.no_icmp, URL),
    ("two resolvers", f.two_resolvers, URL),
    ("a lease", f.leased, URL),
    ("a redirection", f.plain, "http://web.lab.test/redirect"),
    ("idle interfaces", f.down_beside, URL),
    ("idle interfaces, own connectivity", f.down_beside, "--self"),
)]
