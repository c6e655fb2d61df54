"""plait net as people use it, in a healthy lab and in none: odd targets, single layers, --watch, Ctrl-C, closed output.

Each function marked @use is tried in a lab of its own and raises AssertionError.
"""

import json
import os
import pty
import re
import signal
import subprocess
import time

import faults
import stubs
from lab import BUILD, CLIENT, GATEWAY, RESOLVER2, SERVER, TRANSIT, read_until

uses = []


def use(function):
    uses.append(function)
    return function


def check(condition, message):
    if not condition:
        raise AssertionError(str(message))


def ends(process, seconds=60):
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"it did not end within {seconds} s: {process.communicate()}") from None
    return process.returncode, (out or b"").decode(errors="replace"), (err or b"").decode(errors="replace")


def start(lab, *args, **kwargs):
    kwargs.setdefault("stdout", subprocess.PIPE)
    kwargs.setdefault("stderr", subprocess.PIPE)
    return lab.start("c", [f"{BUILD}/plait", "net", *args], **kwargs)


@use
def a_target_that_is_none_is_a_usage_error(lab):
    for target in ("http://", "web.lab.test:99999", "web.lab.test:0", "web.lab.test:", "web.lab.test:http", "[::1", "[::1]x", "a b",
                   "https:///path", "http://a b/", "1.2.3.4:5:6", "x" * 5000, "ftp://web.lab.test/", "http://[::g]/",
                   "a..b", "\x01\x02", "http://web.lab.test:x/", ":80", "\n", "web.lab.test/path"):
        done = lab.plait(target)
        check(done.code == 2 and done.err.strip() and not done.out.strip(), f"{target[:40]!r}: {done}")
    for args in (["--no-such-option"], ["one", "two"], ["--watch=x", "web.lab.test"], ["--timeout=-1", "web.lab.test"],
                 ["-4", "-6", "web.lab.test"]):
        done = lab.plait(*args)
        check(done.code == 2 and done.err.strip() and not done.out.strip(), f"{args}: {done}")


@use
def an_odd_name_is_looked_up_and_not_found(lab):
    for target in ("no-such.example.test", "NO-SUCH.example.test.", "xn--bcher-kva.example.test", "_srv._tcp.example.test"):
        done = lab.plait("--json", target)
        check(json.loads(done.out)["verdict"]["code"] == "dns-nxdomain" and done.code == 1, f"{target}: {done}")


@use
def a_healthy_target_is_reached_whatever_its_form(lab):
    for target in ("web.lab.test", "WEB.Lab.Test", "web.lab.test.", "web.lab.test:80", "http://web.lab.test", SERVER, f"{SERVER}:443",
                   "[2001:db8:9::10]:80", "2001:db8:9::10", "http://[2001:db8:9::10]/", "https://web.lab.test:443/index.html?a=b#c"):
        done = lab.plait("--json", target)
        document = json.loads(done.out)
        check(document["verdict"]["code"] == "healthy" and done.code == 0, f"{target}: {done}")


@use
def the_sentence_comes_first_and_the_table_after_it(lab):
    done = lab.plait("--plain", "http://web.lab.test/503")
    lines = done.out.splitlines()
    check(done.code == 1 and "503" in lines[0], done)
    check(len(lines) > 3 and "\x1b" not in done.out, done)
    check(len(lab.plait("--plain", "-v", "http://web.lab.test/503").out.splitlines()) > len(lines), done)
    check("\x1b" not in lab.plait("http://web.lab.test/503").out, "colours in a pipe")


@use
def one_document_is_printed_as_json(lab):
    document = json.loads(lab.plait("--json", "https://web.lab.test/").out)
    check(set(document) >= {"schema", "target", "verdict", "also", "facts", "elapsed_ms"}, document)
    check(set(document["verdict"]) >= {"code", "layer", "summary", "evidence", "advice"}, document)
    for fact in document["facts"]:
        check(set(fact) >= {"layer", "name", "state", "value", "ms", "why"} and fact["state"] in ("ok", "fail", "unknown"), fact)
        check(fact["state"] == "ok" or fact["why"], f"without a reason: {fact}")
    layers = {fact["layer"] for fact in document["facts"]}
    check(len(layers) >= 8, f"facts of {layers} alone")


@use
def single_layers_are_shown_as_the_old_tools_do(lab):
    links = lab.plait("--links")
    check(links.code == 0 and all(word in links.out for word in ("c0", CLIENT, "2001:db8:1::2")), links)
    lab.run("c", f"ping -c 1 {GATEWAY}")
    arp = lab.plait("--arp")
    check(arp.code == 0 and GATEWAY in arp.out and faults.mac(lab, "r1", "br0") in arp.out, arp)
    dns = lab.plait("--dns", "web.lab.test")
    check(dns.code == 0 and GATEWAY in dns.out and SERVER in dns.out and "2001:db8:9::10" in dns.out, dns)
    for user in ("root", "nobody"):
        path = lab.plait("-4", "--path", "web.lab.test", user=user)
        at = [path.out.find(address) for address in (GATEWAY, TRANSIT)]
        check(path.code == 0 and 0 <= at[0] < at[1] and SERVER in path.out, path)


@use
def one_layer_says_what_fails_in_it(lab):
    lab.resolv_conf(GATEWAY, RESOLVER2)
    dns = lab.plait("--dns", "web.lab.test")
    check(dns.code == 1 and RESOLVER2 in dns.out, dns)


@use
def one_family_alone_can_be_asked_about(lab):
    lab.nft("r1", "forward", "ip6 daddr 2001:db8:9::10 drop")
    for family, code in (("-4", "healthy"), ("-6", ("filtered", "host-silent"))):
        done = lab.plait("--json", family, "https://web.lab.test/")
        check(json.loads(done.out)["verdict"]["code"] in code, f"{family}: {done}")


@use
def no_network_at_all_is_said(lab):
    lab.ip("c", "link del c0")
    for args in ([], ["web.lab.test"], ["https://web.lab.test/"], [SERVER], ["--self"]):
        for user in ("root", "nobody"):
            done = lab.plait("--json", *args, user=user)
            check(json.loads(done.out)["verdict"]["code"] == "no-link" and done.code == 1, f"{args}: {done}")
    lab.ip("c", "link set lo down")
    done = lab.plait()
    check(done.code == 1 and done.out, done)


def listen(lab, where, address, port):
    """A program that accepts connections."""
    server = lab.start(where, ["nc", "-n", "-v", "-l", "-k", address, port], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    read_until(server.stderr, b"Listening on")
    return server


@use
def the_machine_itself_can_be_the_target(lab):
    server = listen(lab, "c", "127.0.0.1", 8080)
    for target, code in (("127.0.0.1:8080", "healthy"), ("localhost:8080", ("healthy", "ipv6-broken", "refused")),
                         ("127.0.0.1:8081", "refused"), (f"{CLIENT}:8081", "refused")):
        done = lab.plait("--json", target)
        check(json.loads(done.out)["verdict"]["code"] in code, f"{target}: {done}")
    server.kill()


@use
def a_resolv_conf_of_garbage_is_survived(lab):
    with open("/etc/resolv.conf", "wb") as file:
        file.write(b"nameserver\nnameserver x.y\nnameserver 1.2.3.4.5\n\xff\xfe\0\nnameserver " + b"9" * 5000 +
                   b"\noptions\nsearch\nnameserver fe80::1%nosuch\n")
    done = lab.plait("--json", "web.lab.test")
    check(json.loads(done.out)["verdict"]["code"] in ("dns-no-servers", "dns-dead"), done)


@use
def ctrl_c_ends_it_at_once(lab):
    lab.resolver.stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        asked, tell = os.pipe()
        resolver = lab.call("r1", stubs.dns_silent, GATEWAY, tell)
        process = start(lab, "https://web.lab.test/")
        os.read(asked, 1)
        begin = time.monotonic()
        process.send_signal(number)
        code, _, err = ends(process)
        check(time.monotonic() - begin < 30 and code in (-number, 128 + number), f"{code} {err}")
        check("Sanitizer" not in err and "panic" not in err, err)
        lab.stop(resolver)
        os.close(asked)
        os.close(tell)


@use
def a_reader_that_goes_away_is_no_crash(lab):
    for args in (["--json", "https://web.lab.test/"], ["https://web.lab.test/"], ["--watch", "https://web.lab.test/"]):
        reader, writer = os.pipe()
        os.close(reader)
        process = start(lab, *args, stdout=writer)
        os.close(writer)
        code, _, err = ends(process)
        check(code not in (0, -signal.SIGSEGV, -signal.SIGABRT) and "Sanitizer" not in err, f"{args}: {code} {err}")


@use
def a_full_disk_is_told(lab):
    with open("/dev/full", "wb") as full:
        code, _, err = ends(start(lab, "--json", "https://web.lab.test/", stdout=full))
    check(code not in (0, -signal.SIGSEGV, -signal.SIGABRT) and err.strip(), f"{code} {err}")


@use
def closed_descriptors_are_survived(lab):
    for closed in (">&-", "<&-", "2>&-", "<&- >&- 2>&-"):
        code, out, err = ends(lab.start("c", ["sh", "-c", f"exec {BUILD}/plait net --json {SERVER}:80 {closed}"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        check(code >= 0 and "Sanitizer" not in err, f"{closed}: {code} {out} {err}")
        check(">&-" in closed.replace("2>&-", "") or json.loads(out)["verdict"]["code"] == "healthy", f"{closed}: {out} {err}")


@use
def watching_shows_what_changes(lab):
    process = start(lab, "--plain", "--watch=0.2", "web.lab.test:81")
    read_until(process.stdout, b"refuses")
    servers = [listen(lab, "s", address, 81) for address in (SERVER, "2001:db8:9::10")]
    read_until(process.stdout, b"without a fault")
    process.send_signal(signal.SIGINT)
    code, _, err = ends(process)
    check(code in (0, 1, -signal.SIGINT, 128 + signal.SIGINT), f"{code} {err}")
    for server in servers:
        server.kill()


@use
def a_provisional_verdict_is_shown_while_dhcp_is_waited_for(lab):
    lab.prove(faults.self_assigned(lab))
    master, slave = pty.openpty()
    process = start(lab, "https://web.lab.test/", stdout=slave, stderr=slave)
    os.close(slave)
    text = b""
    begin = time.monotonic()
    first = None
    while True:
        try:
            got = os.read(master, 65536)
        except OSError:
            break
        if not got:
            break
        text += got
        if first is None and re.search(rb"\w{4,}", text):
            first = time.monotonic() - begin
    process.wait()
    total = time.monotonic() - begin
    check(process.returncode == 1 and b"DHCP" in text, text)
    check(first is not None and first < total - 0.5, f"the first word came after {first} s of {total}: {text!r}")
