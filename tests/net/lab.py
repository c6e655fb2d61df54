"""A lab of network namespaces on one machine: c - r1 (a bridge) - r2 - s, with a resolver, a web server and faults.

    c     the client, where plait net runs: 10.1.0.2, gateway and resolver 10.1.0.1
    r1    the LAN's router, with a bridge that x and d can be put on; dnsmasq answers names on it
    r2    the next router
    s     the server, 198.51.100.10, on a LAN of its own; nginx, and a second resolver at 198.51.100.53

Everything that runs in a lab is in process, mount and network namespaces of its own (`unshare`, see `start`), whose first
process is the one that imports this module and makes a Lab: when it ends, however it ends, the kernel ends all others and
takes every interface, rule and mount with it. So nothing can be left behind, nothing leaves the lab, labs cannot meet each
other, and the machine's own /etc/resolv.conf, certificates, leases and addresses are neither seen nor touched.
"""

import ctypes
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback

import stubs

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR = 0x10, 0x100
NOBODY = 65534
FOLDER = "/run/lab"
BUILD = "/run/build"  # where the build directory is seen by everybody, whatever the modes of the folders above it

CLIENT, GATEWAY, TRANSIT, FAR, SERVER, RESOLVER2 = \
    "10.1.0.2", "10.1.0.1", "10.12.0.2", "198.51.100.1", "198.51.100.10", "198.51.100.53"
PLAIN, SKEWED = "198.51.100.44", "198.51.100.48"  # of s, too: where other than nginx listens on 443
CLIENT6, GATEWAY6, TRANSIT6, FAR6, SERVER6 = \
    "2001:db8:1::2", "2001:db8:1::1", "2001:db8:12::2", "2001:db8:9::1", "2001:db8:9::10"

libc = ctypes.CDLL(None, use_errno=True)


class Broken(Exception):
    """The lab, not what is tested in it, is not as it has to be."""


def why_not():
    """Why there can be no lab here; None if there can."""
    if os.geteuid() != 0:
        return "network namespaces take root, and this is uid %d" % os.geteuid()
    for program in ("unshare", "setpriv", "mount", "ip", "nft", "tc", "dnsmasq", "nginx", "openssl", "dig", "ping", "nc",
                    "curl"):
        if not find(program):
            return f"{program} is not installed"
    trial = subprocess.run([*UNSHARE, "sh", "-c", "mount -t tmpfs t /run && mkdir /run/netns && ip netns add a && "
                            "ip link add a0 netns a type veth peer name b0 && ip -n a link add name br0 type bridge && "
                            "ip netns exec a nft add table inet t"],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return f"namespaces are not allowed here: {trial.stdout.strip()}" if trial.returncode else None


def find(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin")


# The first process of the lab dies with the one that started it, and all others with the first.
UNSHARE = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork",
           "--kill-child", "--mount-proc"]


def start(script, *args, **kwargs):
    """Starts a Python script as the first process of new namespaces."""
    return subprocess.Popen([*UNSHARE, sys.executable, script, *map(str, args)], stdin=subprocess.DEVNULL, **kwargs)


def must(command, **kwargs):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, **kwargs)
    if done.returncode:
        raise Broken(f"{' '.join(command)} ended with {done.returncode}: {done.stdout.strip()}")
    return done.stdout


def read_until(stream, words, seconds=60.0):
    """Reads what a process writes until *words* have come; what it has written. *stream* is a pipe from it."""
    end, text = time.monotonic() + seconds, b""
    while words not in text:
        left = end - time.monotonic()
        ready = left > 0 and select.select([stream], [], [], left)[0]
        got = os.read(stream.fileno(), 65536) if ready else b""
        if not got:
            raise Broken(f"waited {seconds} s in vain, or to the end, for {words!r}; there was {text!r}")
        text += got
    return text


class Daemon:
    """A program that has gone into the background: it is the child of the first process of the lab."""

    def __init__(self, pid):
        self.pid = pid

    def stop(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


class Done:
    """A program that has run in the lab."""

    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds

    def __str__(self):
        return f"exit code {self.code} after {self.seconds:.2f} s, out: {self.out[-3000:]}, err: {self.err[-2000:]}"


class Lab:
    """The namespaces, wired and in good health. *certificates*: a folder made by certificates.py."""

    def __init__(self, build=None, certificates=None):
        if os.getpid() != 1:
            raise Broken("a Lab is made by the first process of its namespaces: lab.start")
        self.files = {}
        self.home = open("/proc/self/ns/net", "rb")
        self.chains = set()
        self.certificates = None
        self.resolver = None
        self.relay = None
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.cover_the_machine(build, certificates)
        self.make_namespaces()
        self.wire()

    # The machine's own files are hidden, in this mount namespace only.

    def cover_the_machine(self, build, certificates):
        sources = {path: os.open(source, os.O_RDONLY)
                   for path, source in ((BUILD, build), (FOLDER + "/certificates", certificates)) if source}
        must(["mount", "-t", "tmpfs", "-o", "mode=755", "lab", "/run"])
        os.mkdir("/run/netns")
        os.mkdir(FOLDER)
        for path, source in sources.items():
            os.mkdir(path)
            must(["mount", "--rbind", f"/proc/self/fd/{source}", path], pass_fds=[source])
            os.close(source)
        if certificates:
            # The trust store of the lab holds its own CA and no other.
            self.certificates = FOLDER + "/certificates"
            store = FOLDER + "/trusted"
            os.mkdir(store)
            shutil.copy(self.certificates + "/ca.pem", store + "/ca-certificates.crt")
            must(["openssl", "rehash", store])
            must(["mount", "--bind", store, "/etc/ssl/certs"])
        must(["mount", "-t", "tmpfs", "-o", "mode=755", "lab", "/var/lib"])
        for path, text in (("/etc/resolv.conf", ""), ("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")):
            if os.path.exists(path):
                mine = write(FOLDER + path, text)
                must(["mount", "--bind", mine, os.path.realpath(path)])
        must(["mount", "-t", "sysfs", "sysfs", "/sys"])

    def resolv_conf(self, *servers, options=""):
        with open("/etc/resolv.conf", "w", encoding="utf-8") as file:
            file.write("".join(f"nameserver {server}\n" for server in servers))
            if options:
                file.write(f"options {options}\n")

    # Running things in a namespace.

    def inside(self, where):
        """What takes the calling process into a namespace; made ahead, for use between fork and exec."""
        if where == "c":
            return lambda: None
        file = self.files[where]

        def enter():
            if libc.setns(file.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        return enter

    def start(self, where, command, user="root", env=None, **kwargs):
        enter = self.inside(where)

        def child():
            enter()
            if user == "nobody":
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        clean = {name: value for name, value in os.environ.items()
                 if not name.lower().endswith("_proxy") and not name.startswith("SSL_CERT")}
        clean["PATH"] = clean.get("PATH", "") + ":/usr/sbin:/sbin"
        clean.update(env or {})
        return subprocess.Popen([str(word) for word in command], preexec_fn=child, env=clean, cwd="/", **kwargs)

    def run(self, where, command, user="root", env=None, timeout=300):
        command = command.split() if isinstance(command, str) else command
        begin = time.monotonic()
        process = self.start(where, command, user, env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise Broken(f"{' '.join(map(str, command))} did not end within {timeout} s: {out[-500:]} {err[-500:]}") from None
        return Done(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"), time.monotonic() - begin)

    def must(self, where, command):
        done = self.run(where, command)
        if done.code:
            raise Broken(f"in {where}: {command}: {done}")
        return done.out

    def call(self, where, function, *args, **kwargs):
        """Runs a Python function in a process of its own in a namespace; returns its pid once the function says that it is
        ready, by calling its first argument."""
        enter = self.inside(where)
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(reader)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                enter()
                function(lambda: os.write(writer, b"."), *args, **kwargs)
                os._exit(0)
            except BaseException:  # pylint: disable=broad-except
                traceback.print_exc()
                os._exit(1)
        os.close(writer)
        with os.fdopen(reader, "rb") as ready:
            if ready.read(1) != b".":
                raise Broken(f"{function.__name__} in {where} did not start")
        return pid

    def stop(self, pid):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    def ip(self, where, *commands):
        for command in commands:
            self.must(where, "ip " + command)

    def sysctl(self, where, **values):
        """Sets net.*: dots are written as two underscores."""
        self.inside(where)()
        try:
            for name, value in values.items():
                with open(f"/proc/sys/net/{name.replace('__', '/')}", "w", encoding="ascii") as file:
                    file.write(str(value))
        finally:
            if libc.setns(self.home.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")

    HOOKS = {"prerouting": "nat hook prerouting priority -100", "postrouting": "nat hook postrouting priority 100",
             "forward": "filter hook forward priority 0", "input": "filter hook input priority 0",
             "output": "filter hook output priority 0", "egress": "filter hook postrouting priority 0",
             "ingress": "filter hook prerouting priority 0"}

    def nft(self, where, chain, rule):
        if (where, chain) not in self.chains:
            self.must(where, ["nft", "add table inet lab"])
            self.must(where, ["nft", f"add chain inet lab {chain} {{ type {self.HOOKS[chain]}; }}"])
            self.chains.add((where, chain))
        self.must(where, ["nft", f"add rule inet lab {chain} {rule}"])

    # The network.

    def make_namespaces(self):
        self.batch("c", "netns add r1", "netns add r2", "netns add s", "link set lo up")
        self.quiet("c")
        for name in ("r1", "r2", "s"):
            self.open_namespace(name)

    def open_namespace(self, name):
        self.files[name] = open("/run/netns/" + name, "rb")
        self.quiet(name)

    def quiet(self, name):
        """Addresses are there at once, and only those that are given."""
        values = {f"ipv6__conf__{conf}__{key}": 0 for conf in ("all", "default") for key in ("accept_dad", "accept_ra")}
        self.sysctl(name, **values)

    def wire(self):
        self.batch("c", "link add c0 type veth peer name pc netns r1", "link add u1 netns r1 type veth peer name u2 netns r2",
                   "link add e2 netns r2 type veth peer name s0 netns s")
        self.batch("r1", "link set lo up", "link add br0 type bridge", "link set pc master br0", "link set br0 up", "link set pc up",
                   f"addr add {GATEWAY}/24 dev br0", f"addr add {GATEWAY6}/64 dev br0 nodad", "link set u1 up",
                   "addr add 10.12.0.1/30 dev u1", "addr add 2001:db8:12::1/64 dev u1 nodad",
                   "route add 198.51.100.0/24 via 10.12.0.2", "-6 route add 2001:db8:9::/64 via 2001:db8:12::2")
        self.batch("r2", "link set lo up", "link set u2 up", f"addr add {TRANSIT}/30 dev u2", f"addr add {TRANSIT6}/64 dev u2 nodad",
                   "link set e2 up", f"addr add {FAR}/24 dev e2", f"addr add {FAR6}/64 dev e2 nodad",
                   "route add 10.1.0.0/24 via 10.12.0.1", "-6 route add 2001:db8:1::/64 via 2001:db8:12::1")
        self.batch("s", "link set lo up", "link set s0 up", f"addr add {SERVER}/24 dev s0", f"addr add {RESOLVER2}/24 dev s0",
                   f"addr add {PLAIN}/24 dev s0", f"addr add {SKEWED}/24 dev s0",
                   f"addr add {SERVER6}/64 dev s0 nodad", "addr add 2001:db8:9::53/64 dev s0 nodad",
                   f"route add default via {FAR}", f"-6 route add default via {FAR6}")
        self.batch("c", "link set c0 up", f"addr add {CLIENT}/24 dev c0", f"addr add {CLIENT6}/64 dev c0 nodad",
                   f"route add default via {GATEWAY}", f"-6 route add default via {GATEWAY6}")
        for router in ("r1", "r2"):
            # Routers answer each packet that they refuse: what is limited by default is a fault that no test asked for.
            self.sysctl(router, ipv4__ip_forward=1, ipv6__conf__all__forwarding=1, ipv4__icmp_ratelimit=0,
                        ipv6__icmp__ratelimit=0)
        self.sysctl("s", ipv4__icmp_ratelimit=0, ipv6__icmp__ratelimit=0)
        self.resolv_conf(GATEWAY)

    def batch(self, where, *commands):
        """Many commands of `ip` in one process for each family."""
        for family in ("-4", "-6"):
            lines = [c.removeprefix("-6 ") for c in commands if ("-6 " in c) == (family == "-6")]
            if lines:
                path = write(f"{FOLDER}/batch", "\n".join(lines) + "\n")
                self.must(where, f"ip {family} -batch {path}" if family == "-6" else f"ip -batch {path}")

    def put_on_lan(self, name):
        """One more machine on the client's LAN, without an address."""
        if name not in self.files:
            self.batch("c", f"netns add {name}")
            self.open_namespace(name)
            self.ip(name, "link set lo up")
        must(["ip", "link", "add", f"p{name}", "netns", "r1", "type", "veth", "peer", "name", f"{name}0", "netns", name])
        self.ip("r1", f"link set p{name} master br0", f"link set p{name} up")
        self.ip(name, f"link set {name}0 up")

    def line(self, **properties):
        """Puts a relay between r1 and r2 in place of the wire, with the properties of stubs.relay."""
        self.ip("r1", "link set u1 down")
        self.relay = self.call("r1", stubs.relay, ("t1", "t2"), (lambda: None, self.inside("r2")), **properties)
        for where, device, mine, peer, prefix in (("r1", "t1", 1, 2, "198.51.100.0/24"), ("r2", "t2", 2, 1, "10.1.0.0/24")):
            self.ip(where, f"addr flush dev u{mine}", f"link set {device} up", f"addr add 10.12.0.{mine}/30 dev {device}",
                    f"addr add 2001:db8:12::{mine}/64 dev {device} nodad",
                    f"route replace {prefix} via 10.12.0.{peer}",
                    f"-6 route replace 2001:db8:{'9' if mine == 1 else '1'}::/64 via 2001:db8:12::{peer}")

    # Servers.

    NAMES = (("lab.test", SERVER), ("lab.test", SERVER6), ("v4.test", SERVER), ("v6.test", SERVER6), ("plain.v4.test", PLAIN),
             ("skewed.v4.test", SKEWED), ("absent.v4.test", "198.51.100.77"), ("loop.v4.test", "203.0.113.5"),
             ("many.lab.test", SERVER), ("many.lab.test", RESOLVER2), ("many.lab.test", SERVER6),
             ("many.lab.test", "2001:db8:9::53"))

    def background(self, where, command, log):
        """Runs a program that goes into the background once it serves."""
        with open(log, "wb") as said:
            code = self.start(where, command, stdout=said, stderr=said).wait()
        if code:
            with open(log, encoding="utf-8", errors="replace") as said:
                raise Broken(f"in {where}: {' '.join(command)} ended with {code}: {said.read()}")

    def dnsmasq(self, where, name, *args):
        files = f"{FOLDER}/{name}-{where}"
        self.background(where, ["dnsmasq", "--conf-file=/dev/null", "--bind-interfaces", "--user=root", "--no-ping",
                                f"--pid-file={files}.pid", f"--log-facility={files}.log", *args], f"{files}.out")
        with open(f"{files}.pid", encoding="ascii") as file:
            return Daemon(int(file.read()))

    def dns(self, where="r1", listen=(GATEWAY, GATEWAY6), args=(), names=True):
        """dnsmasq as a resolver: NAME.lab.test is the server in both families, NAME.v4.test and NAME.v6.test in one."""
        return self.dnsmasq(where, "dns", "--no-resolv", "--no-hosts", "--address=/#/", "--local=/v4.test/", "--local=/v6.test/",
                            *(f"--address=/{name}/{address}" for name, address in self.NAMES if names),
                            *(f"--listen-address={address}" for address in listen), *args)

    def dhcp(self, where, interface, first, last, router, lease=3600):
        """dnsmasq as a DHCP server only."""
        return self.dnsmasq(where, "dhcp", "--port=0", f"--interface={interface}", "--dhcp-authoritative",
                            f"--dhcp-range={first},{last},{lease}", f"--dhcp-option=3,{router}", f"--dhcp-option=6,{GATEWAY}",
                            f"--dhcp-leasefile={FOLDER}/leases-{where}")

    def nginx(self, where="s"):
        configuration = write(f"{FOLDER}/nginx/nginx.conf", nginx_configuration(f"{FOLDER}/nginx", self.certificates))
        os.makedirs(f"{FOLDER}/nginx/files", exist_ok=True)
        write(f"{FOLDER}/nginx/files/index.html", "<p>the server of the lab</p>\n")
        with open(f"{FOLDER}/nginx/files/large", "wb") as file:
            file.write(bytes(range(256)) * 1024)
        self.background(where, ["nginx", "-e", "stderr", "-c", configuration, "-p", f"{FOLDER}/nginx"], f"{FOLDER}/nginx/err")

    def serve(self):
        """What is there in a healthy lab."""
        self.resolver = self.dns()
        self.nginx()

    # Looking at it by other means than plait's.

    @staticmethod
    def prove(fault):
        """Brings a fault of faults.py about and makes sure that it is there."""
        for _ in fault:
            pass

    def dig(self, name, kind="A", server=GATEWAY, tcp=False):
        """The status and the answers ("NOERROR 198.51.100.10"), or what dig says where none comes."""
        done = self.run("c", ["dig", "+tries=1", "+time=1", "+noall", "+comments", "+answer", *(["+tcp"] if tcp else []),
                              f"@{server}", name, kind])
        if "status: " not in done.out:
            return " ".join(line.strip("; ") for line in done.out.splitlines())
        answers = [line.split()[-1] for line in done.out.splitlines() if line and not line.startswith(";")]
        return " ".join([done.out.split("status: ")[1].split(",")[0], *answers])

    def ping(self, address, *args, count=1):
        """How many of the pings were answered, and all that ping printed."""
        done = self.run("c", ["ping", "-n", "-W", "1", "-c", count, "-i", "0.01", *args, address])
        return done.out.count(" bytes from "), done.out + done.err

    def tcp(self, address, port):
        """open, refused, silent or what nc says."""
        done = self.run("c", ["nc", "-n", "-v", "-z", "-w", "1", address, port], env={"LC_ALL": "C"})
        words = {"succeeded": "open", "Connection refused": "refused", "timed out": "silent", "in progress": "silent"}
        return next((short for word, short in words.items() if word in done.err), done.err.strip())

    def tls(self, name, port=443, address=SERVER):
        """What openssl says of the certificate: "0 (ok)" or the error, and whether it is for that name."""
        done = self.run("c", ["openssl", "s_client", "-connect", f"{address}:{port}", "-servername", name,
                              "-verify_hostname", name, "-CApath", "/etc/ssl/certs"])
        line = next((line for line in done.out.splitlines() if "Verify return code" in line), "")
        return line.split(":", 1)[1].strip() if line and ":error:" not in done.err else done.err.strip()[-300:]

    def curl(self, *args):
        """The status and curl's exit code: "200 0"."""
        done = self.run("c", ["curl", "-s", "-o", "/dev/null", "-m", "1", "-w", "%{http_code} %{exitcode}", *args])
        return done.out

    def flags(self, device="c0"):
        return json.loads(self.must("c", f"ip -j link show {device}"))[0]["flags"]

    def addresses(self, family="-4"):
        """Of c0, scope global."""
        got = json.loads(self.must("c", f"ip -j {family} addr show dev c0"))
        return [info["local"] for one in got for info in one.get("addr_info", []) if info["scope"] == "global"]

    @staticmethod
    def wait_for_addresses(condition, what, seconds=60.0):
        """Waits until condition() holds, asking again with each change of the client's addresses."""
        end = time.monotonic() + seconds
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as changes:
            changes.bind((0, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
            while not condition():
                if not select.select([changes], [], [], max(0.0, end - time.monotonic()))[0]:
                    raise Broken(f"waited {seconds} s in vain until {what}")
                changes.recv(65536)

    def offers(self, seconds=1.0):
        """The servers that answer a DHCPDISCOVER from c0: {server: (address, router)}."""
        return dhcp_offers("c0", seconds)

    # What is tested.

    def plait(self, *args, user="root", env=None, timeout=300):
        return self.run("c", [f"{BUILD}/plait", "net", *args], user, env, timeout)

    def forget(self):
        """What the kernel of the client has learned is forgotten, so that one run does not help the next."""
        self.batch("c", "neigh flush all", "route flush cache", "-6 route flush cache", "tcp_metrics flush all")


def dhcp_offers(device, seconds):
    with open(f"/sys/class/net/{device}/address", encoding="ascii") as file:
        mac = bytes.fromhex(file.read().strip().replace(":", ""))
    xid = os.urandom(4)
    bootp = struct.pack("!BBBB4sHH", 1, 1, 6, 0, xid, 0, 0x8000) + bytes(16) + mac + bytes(10 + 64 + 128) + b"c\x82Sc" + \
        bytes([53, 1, 1, 55, 2, 1, 3, 255])
    udp = struct.pack("!HHHH", 68, 67, 8 + len(bootp), 0) + bootp
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, bytes(4), b"\xff" * 4)
    total = sum(struct.unpack("!10H", head))
    total = ~((total >> 16) + (total & 0xffff) + (total >> 32)) & 0xffff
    head = head[:10] + struct.pack("!H", total) + head[12:]
    found = {}
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as link:
        link.bind((device, 0x0800))
        link.send(b"\xff" * 6 + mac + b"\x08\x00" + head + udp)
        end = time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            link.settimeout(rest)
            try:
                packet = link.recv(2048)[14:]
            except TimeoutError:
                break
            if packet[9] != 17 or packet[22:24] != b"\0\x44" or packet[32:36] != xid:
                continue
            options, at = {}, 28 + 240
            while at < len(packet) and packet[at] != 255:
                if packet[at]:
                    options[packet[at]] = packet[at + 2:at + 2 + packet[at + 1]]
                    at += 1 + packet[at + 1]
                at += 1
            found[socket.inet_ntoa(options[54])] = (socket.inet_ntoa(packet[44:48]), socket.inet_ntoa(options.get(3, bytes(4))[:4]))
    return found


def nginx_configuration(folder, certificates):
    names = sorted(name[:-4] for name in os.listdir(certificates) if name.endswith(".key")) if certificates else []
    hosts = [name for name in names if name not in ("ca", "intermediate", "private-ca", "good")]
    tls = "".join(f"""
    server {{ listen {SERVER}:443 ssl; listen [{SERVER6}]:443 ssl; server_name {name}.lab.test;
        ssl_certificate {certificates}/{name}.pem; ssl_certificate_key {certificates}/{name}.key;
        location = /503 {{ return 503; }} }}""" for name in hosts)
    return f"""
master_process off; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 512; }}
http {{
    access_log off; root {folder}/files;
    client_body_temp_path {folder}/temp; proxy_temp_path {folder}/temp; fastcgi_temp_path {folder}/temp;
    uwsgi_temp_path {folder}/temp; scgi_temp_path {folder}/temp;
    server {{ listen {SERVER}:80 default_server; listen [{SERVER6}]:80 default_server;
        listen {RESOLVER2}:80; listen [2001:db8:9::53]:80;
        location = /generate_204 {{ return 204; }}
        location = /503 {{ return 503; }}
        location = /404 {{ return 404; }}
        location = /redirect {{ return 302 http://$host/; }}
        location = /loop {{ return 302 http://$host/loop; }}
        location /sleep {{ proxy_pass http://127.0.0.1:8001; proxy_read_timeout 600s; }}
        location /stall {{ proxy_pass http://127.0.0.1:8002; proxy_read_timeout 600s; proxy_buffering off; }}
        location = / {{ index index.html; }} }}
    server {{ listen {SERVER}:443 ssl default_server; listen [{SERVER6}]:443 ssl default_server; server_name web.lab.test;
        listen {RESOLVER2}:443 ssl; listen [2001:db8:9::53]:443 ssl;
        ssl_certificate {certificates}/good.pem; ssl_certificate_key {certificates}/good.key;
        location = /503 {{ return 503; }}
        location = /loop {{ return 302 https://$host/loop; }} }}{tls}
}}
"""
