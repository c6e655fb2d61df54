"""The servers of the lab that are broken on purpose, and the relay that stands in for a long or bad line.

Each is a function for Lab.call: it is given what to call when it is ready, and never returns.
"""

import fcntl
import heapq
import os
import random
import select
import socket
import socketserver
import ssl
import struct
import threading
import time

SKEW = 400 * 86400  # how far ahead the wrong clock is, in seconds


def serve_tcp(ready, address, port, handle):
    """Serves each connection with handle(socket) in a thread of its own."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(128)
        ready()

        def serve(peer):
            with peer:
                try:
                    handle(peer)
                except (OSError, ValueError):
                    pass
        while True:
            peer, _ = listener.accept()
            threading.Thread(target=serve, args=[peer], daemon=True).start()


def request(peer):
    """Reads the head of an HTTP request."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = peer.recv(65536)
        if not part:
            raise OSError("closed")
        data += part
    return data.decode("latin-1")


def forever(peer):
    """Holds a connection until the other side closes it."""
    while peer.recv(65536):
        pass


# HTTP


def sleeping_backend(ready, address="127.0.0.1", port=8001):
    serve_tcp(ready, address, port, forever)


def stalled_body(ready, address="127.0.0.1", port=8002):
    def handle(peer):
        request(peer)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\nContent-Type: text/plain\r\n\r\n" + b"begun...\n" * 100)
        forever(peer)
    serve_tcp(ready, address, port, handle)


def plaintext(ready, address, port):
    """Speaks HTTP without TLS, whatever it is sent."""
    def handle(peer):
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\nServer: plain\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    serve_tcp(ready, address, port, handle)


def reset_at_hello(ready, address, port):
    def handle(peer):
        peer.recv(1)  # the rest stays unread, so that closing resets
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    serve_tcp(ready, address, port, handle)


def mute(ready, address, port):
    """Accepts, and never says anything."""
    serve_tcp(ready, address, port, forever)


def banner(ready, address, port, text=b"220 lab ready\r\n"):
    def handle(peer):
        peer.sendall(text)
        forever(peer)
    serve_tcp(ready, address, port, handle)


def portal(ready, address, port, location):
    """What a captive portal answers to everything."""
    def handle(peer):
        head = request(peer)
        host = next((line[5:].strip() for line in head.split("\r\n") if line.lower().startswith("host:")), "")
        path = head.split(" ")[1]
        page = b"<p>log in first</p>"
        if host == location.split("/")[2]:
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(page) + page)
        else:
            peer.sendall(f"HTTP/1.1 302 Found\r\nLocation: {location}?to=http://{host}{path}\r\nContent-Length: 0\r\n"
                         "Connection: close\r\n\r\n".encode())
    serve_tcp(ready, address, port, handle)


def http_ok(ready, address, port):
    def handle(peer):
        request(peer)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n")
    serve_tcp(ready, address, port, handle)


# Proxies


def splice(one, other):
    while True:
        for source in select.select([one, other], [], [])[0]:
            data = source.recv(65536)
            if not data:
                return
            (other if source is one else one).sendall(data)


def proxy(ready, address, port, credentials=None, names=None):
    """An HTTP proxy: CONNECT and absolute URLs. With *credentials* ("Basic ...") it wants them; *names* is what it can
    look up."""
    def connect(authority, default):
        host, _, number = authority.rpartition(":") if ":" in authority.rsplit("]")[-1] else (authority, "", default)
        host = host.strip("[]")
        for name, found in (names or {}).items():
            if host.endswith(name):
                host = found
        return socket.create_connection((host, int(number)), timeout=10)

    def handle(peer):
        head = request(peer)
        method, url, _ = head.split("\r\n")[0].split(" ")
        if credentials and f"proxy-authorization: {credentials}".lower() not in head.lower():
            peer.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"lab\"\r\n"
                         b"Content-Length: 0\r\nConnection: close\r\n\r\n")
            return
        try:
            authority = url if method == "CONNECT" else url.split("/")[2]
            server = connect(authority, 80)
        except (OSError, IndexError):
            peer.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        with server:
            if method == "CONNECT":
                peer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = "/" + url.split("/", 3)[3] if url.count("/") > 2 else "/"
                lines = head.split("\r\n")[1:-2]
                kept = [line for line in lines if not line.lower().startswith(("proxy-", "connection:"))]
                server.sendall("\r\n".join([f"{method} {path} HTTP/1.1", *kept, "Connection: close", "", ""]).encode("latin-1"))
            splice(peer, server)
    serve_tcp(ready, address, port, handle)


# The wrong clock


def wrong_date(ready, address, port, certificate, skew=SKEW):
    """HTTPS (or HTTP without a certificate) that tells a wrong time."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate + ".pem", certificate + ".key")

    def handle(peer):
        if context:
            peer = context.wrap_socket(peer, server_side=True)
        request(peer)
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + skew))
        peer.sendall(f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n".encode())
        if context:
            peer.unwrap()
    serve_tcp(ready, address, port, handle)


def sntp(ready, address, skew=SKEW):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, 123))
        ready()
        while True:
            question, peer = server.recvfrom(512)
            if len(question) < 48:
                continue
            now = time.time() + skew + 2208988800
            stamp = struct.pack("!II", int(now), int(now % 1 * 2 ** 32))
            server.sendto(struct.pack("!BBbb", 0x24, 2, 6, -20) + bytes(8) + b"LAB\0" + stamp + question[40:48] + stamp + stamp,
                          peer)


# DNS


def question_end(message):
    at = 12
    while message[at]:
        at += message[at] + 1
    return at + 5


def dns_stub(ready, address, answer, port=53):
    """A name server of which each answer is made by answer(question, kind): bytes, None for silence, (seconds, bytes)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def reply(message):
        end = question_end(message)
        kind = struct.unpack("!H", message[end - 4:end - 2])[0]
        return answer(message[:end], kind)

    class Stream(socketserver.BaseRequestHandler):
        def handle(self):
            message = self.request.recv(65536)[2:]
            if len(message) < 17:
                return
            got = reply(message)
            if isinstance(got, tuple):
                if select.select([self.request], [], [], got[0])[0]:
                    return  # whoever asked has gone
                got = got[1]
            if got is not None:
                self.request.sendall(struct.pack("!H", len(got)) + got)

    class Server(socketserver.ThreadingTCPServer):
        address_family = family
        allow_reuse_address = True
        daemon_threads = True

    stream = Server((address, port), Stream)
    threading.Thread(target=stream.serve_forever, daemon=True).start()
    with socket.socket(family, socket.SOCK_DGRAM) as server:
        server.bind((address, port))
        ready()
        while True:
            message, peer = server.recvfrom(4096)
            if len(message) < 17:
                continue
            got = reply(message)
            if isinstance(got, tuple):
                threading.Timer(got[0], server.sendto, [got[1], peer]).start()
            elif got is not None:
                server.sendto(got, peer)


def header(question, code, answers=0):
    return question[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, answers, 0, 0) + question[12:]


def records(question, kind, addresses):
    family, wanted = {1: (socket.AF_INET, "."), 28: (socket.AF_INET6, ":")}.get(kind, (None, "?"))
    mine = [socket.inet_pton(family, address) for address in addresses if wanted in address]
    return header(question, 0, len(mine)) + b"".join(
        b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data for data in mine)


def dns_code(ready, address, code):
    """Answers everything with one RCODE: 2 SERVFAIL, 5 REFUSED."""
    dns_stub(ready, address, lambda question, kind: header(question, code))


def dns_slow(ready, address, seconds, *addresses):
    dns_stub(ready, address, lambda question, kind: (seconds, records(question, kind, addresses)))


def dns_slow_in_turn(ready, address, seconds, *addresses):
    """The first of *seconds* for the addresses of IPv6, the second for those of IPv4."""
    dns_stub(ready, address, lambda question, kind: (seconds[kind != 28], records(question, kind, addresses)))


def dns_other(ready, address, *addresses):
    """Gives everything these addresses (none: NODATA)."""
    dns_stub(ready, address, lambda question, kind: records(question, kind, addresses))


def dns_silent(ready, address, asked):
    """Never answers; a byte goes to the descriptor *asked* for each question."""
    def hear(_question, _kind):
        os.write(asked, b".")
    dns_stub(ready, address, hear)


def dns_garbage(ready, address):
    dns_stub(ready, address, lambda question, kind: b"\x00" * 7)


# The line


def tun(name):
    file = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(file, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x0001 | 0x1000))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
    return file


def relay(ready, ends, enter, delay=0.0, jitter=0.0, loss=0.0, reorder=0.0, rate=0):
    """Joins a TUN device in each of two namespaces by a line with *delay* and *jitter* (seconds, one way), of whose packets
    the part *loss* is lost and the part *reorder* overtaken, and which carries *rate* bytes per second (0: any)."""
    files = []
    for name, go in zip(ends, enter):
        go()
        files.append(tun(name))
    ready()
    waiting, number, free = [], 0, [0.0, 0.0]
    chance = random.Random(1)
    poll = select.poll()
    for file in files:
        poll.register(file, select.POLLIN)
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, to, packet = heapq.heappop(waiting)
            try:
                os.write(files[to], packet)
            except OSError:
                pass
        pause = None if not waiting else max(0.0, waiting[0][0] - time.monotonic())
        # poll counts whole milliseconds; a shorter pause is waited for by looking again.
        for file, _ in poll.poll(None if pause is None else int(pause * 1000)):
            try:
                packet = os.read(file, 65536)
            except OSError:
                continue
            if loss and chance.random() < loss:
                continue
            to = 1 - files.index(file)
            due = time.monotonic() + delay + chance.random() * jitter
            if rate:
                free[to] = max(free[to], time.monotonic()) + len(packet) / rate
                due = max(due, free[to] + delay)
            if reorder and chance.random() < reorder:
                due += 0.003
            number += 1
            heapq.heappush(waiting, (due, number, to, packet))
