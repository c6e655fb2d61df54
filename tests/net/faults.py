"""The faults: each is a generator that brings one about, yields, and then shows by other means than plait's that it is there.

What is before the yield may be combined with other faults; what is after it holds for this fault alone.
"""

import json
import os
import subprocess
import time

import stubs
from lab import (CLIENT, CLIENT6, FOLDER, GATEWAY, GATEWAY6, PLAIN, RESOLVER2, SERVER, SERVER6, SKEWED, TRANSIT, Broken,
                 read_until, write)


class NoFault(Broken):
    """The fault that was to be there cannot be seen."""


def prove(condition, what):
    if not condition:
        raise NoFault(what)


def only4(lab):
    """The client has no IPv6 but what every interface has."""
    lab.ip("c", "-6 addr flush dev c0 scope global")
    lab.run("c", "ip -6 route del default")


def only6(lab):
    lab.ip("c", "-4 addr flush dev c0 scope global")
    lab.run("c", "ip -4 route del default")
    lab.resolv_conf(GATEWAY6)


# Link and address


def link_down(lab):
    lab.ip("c", "link set c0 down")
    yield
    prove("UP" not in lab.flags(), f"c0 is up: {lab.flags()}")


def no_carrier(lab):
    lab.ip("r1", "link set pc down")
    yield
    prove("UP" in lab.flags() and "NO-CARRIER" in lab.flags(), f"c0 has a carrier: {lab.flags()}")


def without_address(lab):
    lab.ip("c", "addr flush dev c0 scope global", "-6 addr flush dev c0 scope global")


def no_address(lab):
    without_address(lab)
    lab.dhcp("r1", "br0", "10.1.0.100", "10.1.0.150", GATEWAY)
    yield
    prove(not lab.addresses() and not lab.addresses("-6"), "c0 has an address")
    prove(GATEWAY in lab.offers(), "the DHCP server offers nothing")


def self_assigned(lab):
    without_address(lab)
    lab.ip("c", "addr add 169.254.9.9/16 dev c0")
    yield
    prove(lab.addresses() in ([], ["169.254.9.9"]), f"c0 has {lab.addresses()}")
    prove(not lab.offers(), "a DHCP server answers")


def lease(lab, age, lifetime):
    """What systemd-networkd leaves behind of a lease that is *age* seconds old."""
    index = json.loads(lab.must("c", "ip -j link show c0"))[0]["ifindex"]
    path = write(f"/run/systemd/netif/leases/{index}",
                 "# This is private data. Do not parse.\n"
                 f"ADDRESS={CLIENT}\nNETMASK=255.255.255.0\nROUTER={GATEWAY}\nSERVER_ADDRESS={GATEWAY}\n"
                 f"T1={lifetime // 2}\nT2={lifetime * 7 // 8}\nLIFETIME={lifetime}\nDNS={GATEWAY}\n")
    then = time.time() - age
    os.utime(path, (then, then))


def lease_expired(lab):
    without_address(lab)
    lease(lab, 3700, 3600)
    lab.ip("c", f"addr add {CLIENT}/24 dev c0 valid_lft 2 preferred_lft 1")
    lab.dhcp("r1", "br0", "10.1.0.100", "10.1.0.150", GATEWAY)
    lab.wait_for_addresses(lambda: not lab.addresses(), "the kernel takes the expired address away")
    yield
    prove(GATEWAY in lab.offers(), "the DHCP server offers nothing")


def lease_expired_dhclient(lab):
    without_address(lab)
    when = [time.strftime("%w %Y/%m/%d %H:%M:%S", time.gmtime(time.time() - ago)) for ago in (1800, 900, 60)]
    write("/var/lib/dhcp/dhclient.leases",
          f'lease {{\n  interface "c0";\n  fixed-address {CLIENT};\n  option subnet-mask 255.255.255.0;\n'
          f"  option routers {GATEWAY};\n  option dhcp-server-identifier {GATEWAY};\n  option dhcp-lease-time 3600;\n"
          f"  renew {when[0]};\n  rebind {when[1]};\n  expire {when[2]};\n}}\n")
    lab.dhcp("r1", "br0", "10.1.0.100", "10.1.0.150", GATEWAY)
    yield
    prove(not lab.addresses(), "c0 has an address")


def dhcp_silent(lab):
    without_address(lab)
    lab.dhcp("r1", "br0", "10.1.0.100", "10.1.0.150", GATEWAY)
    lab.nft("r1", "input", "udp dport 67 drop")
    yield
    prove(not lab.addresses(), "c0 has an address")
    prove(not lab.offers(), "a DHCP server answers")


def rogue_dhcp(lab):
    """A second DHCP server gives a gateway that is not there, and the client has its lease."""
    only4(lab)
    lab.put_on_lan("d")
    lab.ip("d", "addr add 10.1.0.66/24 dev d0")
    lab.dhcp("r1", "br0", "10.1.0.100", "10.1.0.150", GATEWAY)
    lab.dhcp("d", "d0", "10.1.0.170", "10.1.0.190", "10.1.0.67")
    lab.ip("c", "addr flush dev c0 scope global", "addr add 10.1.0.177/24 dev c0 valid_lft 3000 preferred_lft 3000",
           "route replace default via 10.1.0.67 dev c0 proto dhcp")
    yield
    offers = lab.offers()
    prove(set(offers) == {GATEWAY, "10.1.0.66"}, f"it is not two servers that offer: {offers}")
    prove(lab.ping("10.1.0.67")[0] == 0, "the rogue's gateway answers")


def pool_full(lab):
    without_address(lab)
    write(f"{FOLDER}/leases-r1", f"{int(time.time()) + 3000} 02:00:00:00:00:99 10.1.0.100 other *\n")
    lab.dhcp("r1", "br0", "10.1.0.100", "10.1.0.100", GATEWAY)
    yield
    prove(not lab.offers(), "the DHCP server offers an address")
    with open(f"{FOLDER}/dhcp-r1.log", encoding="utf-8", errors="replace") as log:
        prove("no address available" in log.read(), "the DHCP server does not say that its pool is full")


def put_double(lab, *addresses):
    lab.put_on_lan("x")
    lab.ip("x", *(f"{'-6 ' if ':' in address else ''}addr add {address} dev x0" for address in addresses))


def mac(lab, where, device):
    return json.loads(lab.must(where, f"ip -j link show {device}"))[0]["address"]


def arp_answers(lab, address):
    """Who answers an ARP probe for an address, by arping where it is installed, else by the kernel of r1."""
    lab.ip("r1", "neigh flush all")
    lab.run("r1", f"ping -n -c 1 -W 1 {address}")
    return lab.run("r1", "ip neigh").out


def duplicate_v4(lab):
    put_double(lab, f"{CLIENT}/24")
    # The router believes the right one of the two, for now: the fault is there, and nothing shows it yet.
    lab.ip("r1", f"neigh replace {CLIENT} lladdr {mac(lab, 'c', 'c0')} dev br0 nud permanent")
    yield
    prove(f"{CLIENT}/24" in lab.must("x", "ip addr show dev x0"), "x has not the client's address")


def duplicate_v4_answered(lab):
    """The router sends what is for the client to the other machine that has its address."""
    only4(lab)
    put_double(lab, f"{CLIENT}/24")
    lab.ip("r1", f"neigh replace {CLIENT} lladdr {mac(lab, 'x', 'x0')} dev br0 nud permanent")
    yield
    prove(lab.ping(SERVER)[0] == 0, "the answers arrive all the same")


def duplicate_v6(lab):
    put_double(lab, f"{CLIENT6}/64 nodad")
    lab.ip("c", f"-6 addr del {CLIENT6}/64 dev c0")
    lab.sysctl("c", ipv6__conf__c0__accept_dad=1, ipv6__conf__all__accept_dad=1)
    lab.ip("c", f"-6 addr add {CLIENT6}/64 dev c0")
    lab.wait_for_addresses(lambda: "dadfailed" in lab.must("c", "ip -6 addr show dev c0"),
                           "the kernel finds the double address")
    yield


# Route and neighbour


def no_default(lab):
    lab.ip("c", "route del default", "-6 route del default")
    yield
    prove("default" not in lab.must("c", "ip route") + lab.must("c", "ip -6 route"), "there is a default route")


def gateway_gone(lab):
    only4(lab)
    lab.ip("c", "route replace default via 10.1.0.99")
    yield
    prove(lab.ping("10.1.0.99")[0] == 0, "the gateway answers")
    prove("default via 10.1.0.99" in lab.must("c", "ip route"), "another gateway is in use")


def routed_away(kind):
    def fault(lab):
        only4(lab)
        lab.ip("c", f"route add {kind} {SERVER}")
        yield
        done = lab.run("c", f"ip route get {SERVER}")
        prove(done.code != 0, f"the route is not {kind}: {done}")
    return fault


def gateway_off_link(lab):
    only4(lab)
    lab.ip("c", "route replace default via 192.0.2.1 dev c0 onlink")
    yield
    prove("192.0.2.1" in lab.must("c", "ip route"), "another gateway is in use")


def target_gone(lab):
    yield
    prove(lab.ping("10.1.0.55")[0] == 0, "it answers")


# DNS


def dns_dead(lab):
    lab.nft("r1", "input", "udp dport 53 drop")
    lab.nft("r1", "input", "tcp dport 53 drop")
    yield
    prove("timed out" in lab.dig("web.lab.test"), lab.dig("web.lab.test"))


def dns_not_listening(lab):
    lab.resolver.stop()
    yield
    prove("refused" in lab.dig("web.lab.test"), lab.dig("web.lab.test"))


def dns_partial(lab):
    lab.resolv_conf(RESOLVER2, GATEWAY)
    lab.nft("s", "input", "udp dport 53 drop")
    lab.nft("s", "input", "tcp dport 53 drop")
    yield
    prove("timed out" in lab.dig("web.lab.test", server=RESOLVER2), "the first resolver answers")
    prove("NOERROR" in lab.dig("web.lab.test"), "the second resolver does not answer")


def no_such_name(lab):
    yield
    prove(lab.dig("nothing.example.test") == "NXDOMAIN", lab.dig("nothing.example.test"))


def other_resolver(function, *args, shows="", name="web.lab.test"):
    """The resolver is a stub in place of dnsmasq."""
    def fault(lab):
        lab.resolver.stop()
        lab.call("r1", function, GATEWAY, *args)
        yield
        prove(shows in lab.dig(name), lab.dig(name))
    return fault


def dns_slow(lab):
    lab.resolver.stop()
    lab.call("r1", stubs.dns_slow, GATEWAY, 0.4, SERVER, SERVER6)
    yield
    begin = time.monotonic()
    prove(lab.dig("web.lab.test") == f"NOERROR {SERVER}", lab.dig("web.lab.test"))
    prove(time.monotonic() - begin > 0.4, "the resolver is not slow")


def dns_slow_in_turn(lab):
    """The address that is of use here comes last, after the question would have been asked again."""
    only4(lab)
    lab.resolver.stop()
    lab.call("r1", stubs.dns_slow_in_turn, GATEWAY, (0.36, 0.5), SERVER, SERVER6)
    yield
    prove(lab.dig("web.lab.test") == f"NOERROR {SERVER}", lab.dig("web.lab.test"))


def dns_split(lab):
    lab.resolv_conf(GATEWAY, RESOLVER2)
    lab.call("s", stubs.dns_other, RESOLVER2, "203.0.113.7")
    yield
    answers = [lab.dig("web.lab.test", server=server) for server in (GATEWAY, RESOLVER2)]
    prove(answers == [f"NOERROR {SERVER}", "NOERROR 203.0.113.7"], str(answers))


def dns_none(lab):
    lab.resolv_conf()
    yield
    with open("/etc/resolv.conf", encoding="utf-8") as file:
        prove("nameserver" not in file.read(), "a resolver is named")


# Path


def host_absent(lab):
    # A router of which the neighbour cache gives up after a second, as most do, not after three.
    lab.must("r2", ["sh", "-c", "echo 300 > /proc/sys/net/ipv4/neigh/e2/retrans_time_ms"])
    yield
    got, text = lab.ping("198.51.100.77", "-w", "3")
    prove(got == 0 and f"From {TRANSIT}" in text and "Unreachable" in text, text)


def host_absent_slow(lab):
    yield
    prove(lab.ping("198.51.100.77")[0] == 0, "it answers")


def loop(lab):
    lab.ip("r1", f"route add 203.0.113.0/24 via {TRANSIT}")
    lab.ip("r2", "route add 203.0.113.0/24 via 10.12.0.1")
    yield
    got, text = lab.ping("203.0.113.5")
    prove(got == 0 and "Time to live exceeded" in text, text)


# TCP


def nothing(lab):
    """No fault: what is wrong is wrong by the target alone."""
    yield


def closed_port(lab):
    yield
    prove(lab.tcp(SERVER, 81) == "refused", lab.tcp(SERVER, 81))
    prove(lab.tcp(SERVER, 80) == "open", lab.tcp(SERVER, 80))


def filtered(rule, shows):
    """A filter in r2 on the way to port 81, at which something listens."""
    def fault(lab):
        for address in (SERVER, SERVER6):
            lab.call("s", stubs.banner, address, 81)
        lab.nft("r2", "forward", f"tcp dport 81 {rule}")
        yield
        prove(shows in lab.tcp(SERVER, 81), f"{lab.tcp(SERVER, 81)!r} is not {shows!r}")
        prove(lab.tcp(SERVER, 80) == "open", lab.tcp(SERVER, 80))
    return fault


def local_filter(lab):
    lab.nft("c", "output", "tcp dport { 80, 443 } reject")
    yield
    prove(lab.tcp(SERVER, 80) == "refused", lab.tcp(SERVER, 80))
    prove(lab.ping(SERVER)[0] == 1, "ping is not answered")


def silent_host(lab):
    lab.nft("s", "input", f"ip daddr {PLAIN} drop")
    yield
    prove(lab.ping(PLAIN)[0] == 0 and lab.tcp(PLAIN, 443) == "silent", "it answers")


def v6_dropped(lab):
    lab.nft("r1", "forward", f"ip6 daddr {SERVER6} drop")
    yield
    prove(lab.ping(SERVER6)[0] == 0 and lab.ping(SERVER)[0] == 1, "it is not IPv6 alone that fails")


def v4_dropped(lab):
    lab.resolv_conf(GATEWAY)
    lab.nft("r1", "forward", f"ip daddr {SERVER} drop")
    yield
    prove(lab.ping(SERVER)[0] == 0 and lab.ping(SERVER6)[0] == 1, "it is not IPv4 alone that fails")


# MTU and quality


def narrow(lab, mtu=1400):
    lab.ip("r1", f"link set u1 mtu {mtu}")
    lab.ip("r2", f"link set u2 mtu {mtu}")


def black_hole(lab):
    narrow(lab)
    for router in ("r1", "r2"):
        lab.nft(router, "output", "icmp type destination-unreachable icmp code frag-needed drop")
        lab.nft(router, "output", "icmpv6 type packet-too-big drop")
    yield
    prove(lab.ping(SERVER, "-M", "do", "-s", 1372)[0] == 1, "1400 bytes do not pass")
    got, text = lab.ping(SERVER, "-M", "do", "-s", 1373)
    prove(got == 0 and "1400" not in text and "too long" not in text, text)


def small_mtu(lab):
    narrow(lab)
    yield
    lab.ping(SERVER, "-M", "do", "-s", 1400)
    got, text = lab.ping(SERVER, "-M", "do", "-s", 1400)
    prove(got == 0 and "mtu" in text.lower(), text)


def loss(lab):
    lab.nft("r2", "forward", f"ip daddr {SERVER} numgen random mod 100 < 25 drop")
    lab.nft("r2", "forward", f"ip6 daddr {SERVER6} numgen random mod 100 < 25 drop")
    yield
    got = lab.ping(SERVER, count=100)[0]
    prove(50 <= got <= 92, f"{got} of 100 pings were answered")


def jitter(lab):
    lab.line(delay=0.02, jitter=0.03, reorder=0.1)
    yield
    got, text = lab.ping(SERVER, count=20)
    # ping does not wait for the last ones as long as they may take.
    prove(got >= 15 and float(text.split(" = ")[1].split("/")[1]) > 40, text)


def bloat(lab):
    lab.must("r1", "tc qdisc add dev u1 root tbf rate 4mbit burst 10k latency 500ms")
    yield
    prove(round_trip(lab) < 50, "the line is slow without a load")
    lab.call("s", stubs.mute, SERVER, 8009)
    with lab.start("c", ["sh", "-c", f"exec nc -N {SERVER} 8009 < /dev/zero"]) as upload:
        ping_until(lab, lambda ms: ms > 150, "the queue fills")
        upload.kill()
    ping_until(lab, lambda ms: ms < 50, "the queue empties")


def round_trip(lab):
    """Milliseconds, as ping says."""
    text = lab.ping(SERVER, "-w", "3")[1]
    return float(text.split(" = ")[1].split("/")[1]) if " = " in text else 3000.0


def ping_until(lab, condition, what, pings=1000):
    for _ in range(pings):
        if condition(round_trip(lab)):
            return
    raise Broken(f"waited {pings} pings in vain until {what}")


# TLS, HTTP, proxies, clock


def certificate(name, shows):
    def fault(lab):
        yield
        got = lab.tls(f"{name}.lab.test")
        prove(shows in got, f"openssl says {got!r}")
    return fault


def http(path, shows):
    def fault(lab):
        lab.call("s", stubs.sleeping_backend)
        lab.call("s", stubs.stalled_body)
        yield
        got = lab.curl("-4", "-L", f"http://web.lab.test{path}")
        prove(got == shows, f"curl says {got}")
    return fault


def plaintext_443(lab):
    lab.call("s", stubs.plaintext, PLAIN, 443)
    yield
    got = lab.tls("plain.v4.test", address=PLAIN)
    prove("wrong version number" in got, got)


def at_plain(function, *args):
    def fault(lab):
        lab.call("s", function, PLAIN, 443, *args)
        yield
        prove(lab.tcp(PLAIN, 443) == "open", lab.tcp(PLAIN, 443))
    return fault


def old_tls(lab):
    """A server that has only a version of TLS that is no longer used."""
    server = lab.start("s", ["openssl", "s_server", "-accept", f"{PLAIN}:443", "-tls1", "-cipher", "DEFAULT@SECLEVEL=0", "-cert",
                             lab.certificates + "/good.pem", "-key", lab.certificates + "/good.key"],
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    read_until(server.stdout, b"ACCEPT")
    yield
    got = lab.tls("plain.v4.test", address=PLAIN)
    prove("alert" in got or "unsupported" in got, got)


def captive_portal(lab):
    lab.call("r1", stubs.portal, GATEWAY, 8080, f"http://{GATEWAY}:8080/login")
    lab.nft("r1", "prerouting", f"ip saddr {CLIENT} tcp dport 80 dnat ip to {GATEWAY}:8080")
    lab.nft("r1", "forward", "tcp dport 443 reject with tcp reset")
    only4(lab)
    yield
    out = lab.must("c", "curl -s -m 1 -i http://web.lab.test/")
    prove("302 Found" in out and "/login" in out, out)


PROXY = f"http://{GATEWAY}:3128"


def proxy_dead(lab):
    yield
    prove(lab.tcp(GATEWAY, 3128) == "refused", lab.tcp(GATEWAY, 3128))


def proxy_silent(lab):
    lab.nft("r1", "input", "tcp dport 3128 drop")
    yield
    prove(lab.tcp(GATEWAY, 3128) == "silent", lab.tcp(GATEWAY, 3128))


def proxy_auth(lab):
    lab.call("r1", stubs.proxy, GATEWAY, 3128, "Basic bGFiOmxhYg==", {".lab.test": SERVER})
    yield
    prove(lab.curl("-x", PROXY, "http://web.lab.test/") == "407 0", lab.curl("-x", PROXY, "http://web.lab.test/"))


def proxy_refuses(lab):
    lab.call("r1", stubs.proxy, GATEWAY, 3128, None, {".lab.test": "198.51.100.10:"})
    yield
    prove(lab.curl("-x", PROXY, "http://web.lab.test/") == "502 0", lab.curl("-x", PROXY, "http://web.lab.test/"))


def clock_skew(lab, certificate_name="next-year"):
    lab.call("s", stubs.wrong_date, SKEWED, 443, f"{lab.certificates}/{certificate_name}")
    lab.call("s", stubs.sntp, SERVER)
    yield
    got = lab.tls("skewed.v4.test", address=SKEWED)
    prove("not yet valid" in got, got)
    out = lab.must("c", f"curl -s -k -m 1 -i --resolve skewed.v4.test:443:{SKEWED} https://skewed.v4.test/")
    stamp = time.mktime(time.strptime(out.split("Date: ")[1].split("\r\n")[0], "%a, %d %b %Y %H:%M:%S %Z"))
    prove(stamp - time.time() > 300 * 86400, out)


def clock_skew_other_name(lab):
    yield from clock_skew(lab, "next-year-other-name")


def far_resolver(lab):
    """The only resolver is behind the routers; it is in good health."""
    lab.dns("s", [RESOLVER2])
    lab.resolv_conf(RESOLVER2)
    yield
    prove("NOERROR" in lab.dig("web.lab.test", server=RESOLVER2), "it does not answer")


# Health, in its many forms: nothing of this is a fault.


def plain(lab):
    del lab


def own_proxy(lab):
    """Everything goes through a proxy: the client can neither look up names of the outside nor go there itself."""
    lab.call("r1", stubs.proxy, GATEWAY, 3128, None, {".lab.test": SERVER})
    lab.nft("r1", "forward", f"ip saddr {CLIENT} drop")
    lab.nft("r1", "forward", f"ip6 saddr {CLIENT6} drop")
    lab.resolver.stop()
    lab.resolver = lab.dns(args=["--local=/lab.test/"], names=False)


def slow_line(lab):
    lab.line(delay=0.04, rate=32000)


def shaky_line(lab):
    for _ in jitter(lab):
        break


def mute_routers(lab):
    """Routers that forward and never say a word themselves."""
    for router in ("r1", "r2"):
        lab.nft(router, "output", "icmp type { time-exceeded, destination-unreachable, echo-reply } drop")
        lab.nft(router, "output", "icmpv6 type { time-exceeded, destination-unreachable, echo-reply } drop")


def no_icmp(lab):
    """A filter on the way lets no ICMP through, but TCP."""
    for router in ("r2",):
        lab.nft(router, "forward", "meta l4proto icmp drop")
        lab.nft(router, "forward", "meta l4proto icmpv6 drop")


def two_resolvers(lab):
    lab.dns("s", [RESOLVER2])
    lab.resolv_conf(GATEWAY, RESOLVER2)


def leased(lab):
    """The address is a lease, halfway through."""
    only4(lab)
    lab.dhcp("r1", "br0", "10.1.0.100", "10.1.0.150", GATEWAY)
    lease(lab, 1800, 3600)
    lab.ip("c", "addr flush dev c0 scope global", f"addr add {CLIENT}/24 dev c0 valid_lft 1800 preferred_lft 1800",
           f"route replace default via {GATEWAY} dev c0 proto dhcp")


def on_link(lab):
    """The target is on the client's own LAN."""
    lab.put_on_lan("x")
    lab.ip("x", "addr add 10.1.0.44/24 dev x0")
    lab.call("x", stubs.http_ok, "10.1.0.44", 8080)


def down_beside(lab):
    """A second interface that nobody uses is off, and another has no cable."""
    lab.ip("c", "link add spare type veth peer name away", "link add unplugged type veth peer name plug",
           "link set unplugged up")
