"""A web server that answers in every wrong way, and some right ones.

usage: server.py FOLDER      (for certificates and keys, made with the command openssl)

Prints one line of names and ports once it listens on 127.0.0.1: plain tls wrongname expired untrusted and h2-*. Ends
when its standard input does. The path of a URL says how it is answered: see ANSWERS. The ports h2-* speak HTTP/2 without
TLS to clients that do so unasked, each in one way.
"""
import functools
import gzip
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import zlib

CRLF = b"\r\n"
BODY = b"0123456789" * 10
BROTLI = bytes.fromhex("1b330800041c87d7bbfbee8b8814b645f27cad8f01")  # "brotli " 300 times
stop = threading.Event()
making = threading.Lock()  # of certificates, one at a time


class Client:
    """One connection: buffered reading of requests, writing, and the ways of closing."""

    def __init__(self, sock):
        self.sock = sock
        self.file = sock.makefile("rb")

    def request(self):
        line = self.file.readline().decode("latin-1").split()
        if len(line) < 2:
            return None
        headers = []
        while True:
            header = self.file.readline()
            if header in (b"\r\n", b""):
                break
            name, _, value = header.decode("latin-1").strip().partition(":")
            headers.append((name.strip(), value.strip()))
        length = [int(v) for n, v in headers if n.lower() == "content-length"]
        body = self.file.read(length[0]) if length else b""
        return line[0], line[1], headers, body

    def send(self, *parts):
        self.sock.sendall(b"".join(parts))

    def head(self, *headers, status="200 OK", version="1.1"):
        lines = [f"HTTP/{version} {status}", *headers]
        self.send(CRLF.join(line.encode("latin-1") for line in lines), CRLF, CRLF)

    def answer(self, body, *headers, status="200 OK"):
        self.head(f"Content-Length: {len(body)}", *headers, status=status)
        self.send(body)

    def raw(self):
        """The socket under the TLS, if there is any."""
        if isinstance(self.sock, ssl.SSLSocket):
            return socket.socket(fileno=os.dup(self.sock.fileno()))
        return self.sock

    def reset(self):
        raw = self.raw()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.sock.detach())
        raw.close()
        self.file = None
        raise ConnectionError

    def finish(self, notify=True):
        """Close in order; over TLS with or without its close alert."""
        if isinstance(self.sock, ssl.SSLSocket) and notify:
            self.sock.settimeout(5)
            try:
                self.sock.unwrap()
            except OSError:
                pass
        raise ConnectionError

    def chunk(self, data):
        self.send(b"%x" % len(data), CRLF, data, CRLF)


def packed(body=BODY * 50):
    return gzip.compress(body, mtime=0)


def with_coding(client, coding, data, announced=None):
    client.head(f"Content-Length: {len(data) if announced is None else announced}", f"Content-Encoding: {coding}")
    client.send(data)


@functools.cache
def bomb():
    return gzip.compress(b"\0" * 50_000_000, mtime=0)


def damaged(data, at):
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


# --- answers: by the first part of the path, called with the client, the request and the rest of the path ---


def ok(client, request, rest):
    client.answer((BODY * (int(rest or 100) // len(BODY) + 1))[: int(rest or 100)])


def cut_headers(client, request, rest):
    client.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    client.finish()


def cut_blank_line(client, request, rest):
    client.send(b"HTTP/1.1 200 OK\r\nServer: x\r\n")
    client.finish()


def cut_after_hint(client, request, rest):
    client.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
    client.finish()


def cut_length(client, request, rest):
    client.head("Content-Length: 200")
    client.send(BODY)
    client.finish()


def reset_length(client, request, rest):
    client.head("Content-Length: 200")
    client.send(BODY)
    client.reset()


def reset_unsized(client, request, rest):
    client.head("Connection: close")
    client.send(BODY)
    client.reset()


def reset_at_once(client, request, rest):
    client.reset()


def chunked(client, request, rest):
    client.head("Transfer-Encoding: chunked")
    client.chunk(BODY)
    client.chunk(BODY)
    client.send(b"0\r\n", b"X-Trailer: t\r\n" if rest == "trailer" else b"", CRLF)


def cut_chunked(client, request, rest):
    client.head("Transfer-Encoding: chunked")
    client.chunk(BODY)
    if rest == "inside":
        client.send(b"64\r\n", BODY[:50])
    elif rest == "size":
        client.send(b"6")
    elif rest == "last":
        client.send(b"0\r\n")
    client.finish()


def chunked_reset(client, request, rest):
    client.head("Transfer-Encoding: chunked")
    client.chunk(BODY)
    client.reset()


def bad_chunk(client, request, rest):
    client.head("Transfer-Encoding: chunked")
    client.send(b"zz\r\n", BODY, CRLF)
    client.finish()


def unsized(client, request, rest):
    client.head("Connection: close", version="1.0" if rest == "1.0" else "1.1")
    client.send(BODY)
    client.finish()


def unsized_no_notify(client, request, rest):
    client.head("Connection: close")
    client.send(BODY)
    client.finish(notify=False)


def sized_no_notify(client, request, rest):
    client.answer(BODY, "Connection: close")
    client.finish(notify=False)


def coded(client, request, rest):
    whole = packed()
    raw = zlib.compressobj(wbits=-15)
    bare = raw.compress(BODY * 50) + raw.flush()
    kinds = {
        "gzip": ("gzip", whole),
        "two-members": ("gzip", packed(BODY) + packed(BODY)),
        "deflate": ("deflate", zlib.compress(BODY * 50)),
        "bare-deflate": ("deflate", bare),
        "br": ("br", BROTLI),
        "empty": ("gzip", b""),
        "cut-gzip": ("gzip", whole[: len(whole) // 2]),
        "cut-gzip-trailer": ("gzip", whole[:-1]),
        "cut-deflate": ("deflate", zlib.compress(BODY * 50)[:-5]),
        "cut-br": ("br", BROTLI[:-3]),
        "damaged-gzip": ("gzip", damaged(whole, len(whole) - 6)),
        "damaged-br": ("br", damaged(BROTLI, 6)),
        "trailing": ("gzip", whole + b"junk that is no gzip"),
        "unknown": ("exotic", BODY),
    }
    coding, data = kinds[rest] if rest != "bomb" else ("gzip", bomb())
    with_coding(client, coding, data)


def cut_gzip_chunked(client, request, rest):
    whole = packed()
    client.head("Transfer-Encoding: chunked", "Content-Encoding: gzip")
    client.chunk(whole[: len(whole) // 2])
    client.send(b"0\r\n\r\n")


def gzip_unsized(client, request, rest):
    whole = packed()
    client.head("Connection: close", "Content-Encoding: gzip")
    client.send(whole[: len(whole) // 2] if rest == "cut" else whole)
    client.finish()


def redirect(client, request, rest):
    n = int(rest)
    if n == 0:
        return client.answer(BODY, "X-Final: yes")
    client.answer(b"moved", f"Location: /redirect/{n - 1}", status="302 Found")


def redirect_loop(client, request, rest):
    client.answer(b"", "Location: /redirect-loop", status="301 Moved Permanently")


def redirect_to(client, request, rest):
    status, _, url = rest.partition("/")
    client.answer(b"moved", "Location: " + url, status=status + " Moved")


def redirect_bad(client, request, rest):
    client.answer(b"", "Location: gopher://127.0.0.1/", status="302 Found")


def echo(client, request, rest):
    method, _, headers, body = request
    text = method + "\n" + "".join(f"{n.lower()}: {v}\n" for n, v in headers) + "\n"
    client.answer(text.encode("latin-1") + body)


def stall(client, request, rest):
    client.head("Content-Length: 200")
    client.send(BODY)
    stop.wait(600)


def no_answer(client, request, rest):
    stop.wait(600)


def busy(client, request, rest):
    client.answer(b"busy", "Retry-After: 7", status="503 Service Unavailable")


def garbage(client, request, rest):
    client.send(b"\x00\x01\x02 this is no HTTP\r\n\r\n")
    client.finish()


def endless_headers(client, request, rest):
    client.send(b"HTTP/1.1 200 OK\r\n")
    while not stop.is_set():
        client.send(b"X-More: " + b"x" * 1000 + CRLF)


def two_lengths(client, request, rest):
    client.head("Content-Length: 100", "Content-Length: 50")
    client.send(BODY)
    client.finish()


def bad_length(client, request, rest):
    client.head("Content-Length: many")
    client.send(BODY)
    client.finish()


def nothing(client, request, rest):
    client.finish()


def set_cookie(client, request, rest):
    client.answer(b"", f"Set-Cookie: {rest}; Path=/")


def hints(client, request, rest):
    client.send(b"HTTP/1.1 103 Early Hints\r\nX-Early: yes\r\n\r\n")
    client.answer(BODY, "X-Late: yes")


def no_content(client, request, rest):
    client.head(status="204 No Content")


def not_modified(client, request, rest):
    client.head("Content-Length: 100", status="304 Not Modified")


def then_close(client, request, rest):
    """A whole answer, then an end that was not announced."""
    client.answer(BODY)
    client.finish()


def big(client, request, rest):
    n = int(rest)
    client.head(f"Content-Length: {n}")
    block = bytes(range(256)) * 256
    while n > 0:
        client.send(block[: min(n, len(block))])
        n -= len(block)


ANSWERS = {
    name.replace("_", "-"): function
    for name, function in list(globals().items())
    if callable(function) and getattr(function, "__code__", None) and function.__code__.co_varnames[:3] == ("client", "request", "rest")
}


def serve_http(sock):
    client = Client(sock)
    while True:
        request = client.request()
        if not request:
            return
        name, _, rest = request[1].lstrip("/").partition("/")
        if name not in ANSWERS:
            client.answer(b"no such page", status="404 Not Found")
        else:
            ANSWERS[name](client, request, rest)


# --- HTTP/2 by hand: one stream after another, no compression of headers ---


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def h2_head(stream, flags=4, length=None):
    block = b"\x88"  # :status 200
    if length is not None:
        text = str(length).encode()
        block += b"\x0f\x0d" + bytes([len(text)]) + text
    return frame(1, flags, stream, block)


def h2_ok(client, stream):
    client.send(h2_head(stream, length=100), frame(0, 1, stream, BODY))


def h2_unsized(client, stream):
    client.send(h2_head(stream), frame(0, 0, stream, BODY), frame(0, 1, stream))


def h2_reset(client, stream):
    client.send(h2_head(stream), frame(0, 0, stream, BODY), frame(3, 0, stream, struct.pack(">I", 2)))


def h2_no_error_reset(client, stream):
    client.send(h2_head(stream), frame(0, 0, stream, BODY), frame(3, 0, stream, struct.pack(">I", 0)))


def h2_cut(client, stream):
    client.send(h2_head(stream), frame(0, 0, stream, BODY))
    client.finish()


def h2_cut_head(client, stream):
    client.send(h2_head(stream, flags=0))
    client.finish()


def h2_short(client, stream):
    client.send(h2_head(stream, length=200), frame(0, 1, stream, BODY))


def h2_cut_length(client, stream):
    client.send(h2_head(stream, length=200), frame(0, 0, stream, BODY))
    client.finish()


def h2_goaway(client, stream):
    client.send(h2_head(stream), frame(0, 0, stream, BODY), frame(7, 0, 0, struct.pack(">II", stream, 0)))
    client.finish()


H2_ANSWERS = {name.replace("_", "-"): f for name, f in list(globals().items()) if name.startswith("h2_") and name != "h2_head"}


def serve_h2(answer):
    def serve(sock):
        client = Client(sock)
        if client.file.read(24) != b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":
            return
        client.send(frame(4, 0, 0))
        while True:
            head = client.file.read(9)
            if len(head) < 9:
                return
            client.file.read(int.from_bytes(head[:3], "big"))
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:9], "big")
            if kind == 4 and not flags & 1:
                client.send(frame(4, 1, 0))
            elif kind == 1:
                answer(client, stream)

    return serve


# --- listening ---


def certificate(folder, name, host, days, signer=None, start=None):
    """A key and a certificate for *host*, signed by *signer* or by itself."""
    base = os.path.join(folder, name)
    run = lambda *args: subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subject = ["-subj", f"/CN={host}", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", base + ".key"]
    names = f"subjectAltName=DNS:{host}" + (",IP:127.0.0.1" if host == "localhost" else "")
    if not signer:
        run("req", "-x509", *subject, "-days", str(days), "-out", base + ".pem", "-addext", names)
        return base
    run("req", *subject, "-out", base + ".csr")
    with open(base + ".ext", "w") as file:
        file.write(names + "\n")
    run("x509", "-req", "-in", base + ".csr", "-CA", signer + ".pem", "-CAkey", signer + ".key", "-CAcreateserial",
        "-days", str(days), "-out", base + ".pem", "-extfile", base + ".ext")
    return base


def context(*arguments):
    """A function that makes a certificate when it is first wanted, for most tests want none: the TLS context with it."""

    @functools.cache
    def make():
        base = certificate(*arguments)
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(base + ".pem", base + ".key")
        return made

    def get():
        with making:
            return make()

    return get


def listen(serve, tls=None):
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)

    def handle(sock):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls:
                sock = tls().wrap_socket(sock, server_side=True, suppress_ragged_eofs=True)
            serve(sock)
        except (OSError, ValueError):
            pass
        finally:
            try:
                sock.close()
            except OSError:
                pass

    def accept():
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=handle, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def main():
    folder = sys.argv[1]
    ca = certificate(folder, "ca", "plait test CA", 2)
    ports = {
        "plain": listen(serve_http),
        "tls": listen(serve_http, context(folder, "good", "localhost", 2, ca)),
        "wrongname": listen(serve_http, context(folder, "wrong", "example.test", 2, ca)),
        "expired": listen(serve_http, context(folder, "expired", "localhost", -1, ca)),
        "untrusted": listen(serve_http, context(folder, "self", "localhost", 2)),
    }
    for name, answer in H2_ANSWERS.items():
        ports[name] = listen(serve_h2(answer))
    print(" ".join(f"{name} {port}" for name, port in ports.items()), flush=True)
    sys.stdin.read()
    stop.set()
    os._exit(0)


if __name__ == "__main__":
    main()
