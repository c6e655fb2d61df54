"""examples/sites.c downloads the same in all of its ways, and keeps connections.

usage: test_sites.py PROGRAM
"""

import socket
import subprocess
import sys
import threading

from tap import case, check, main

program = sys.argv[1]
N, BYTES = 40, 300


class Site:
    """Answers every request, as long as the client likes, and counts connections."""

    def __init__(self):
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            sock, _ = self.listener.accept()
            self.connections += 1
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        text = b""
        with sock:
            while data := sock.recv(4096):
                text += data
                while b"\r\n\r\n" in text:
                    _, text = text.split(b"\r\n\r\n", 1)
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (BYTES, b"x" * BYTES))

    def urls(self):
        port = self.listener.getsockname()[1]
        return "".join(f"http://127.0.0.1:{port}/{i}\n" for i in range(N))


def run(way, urls):
    return subprocess.run([program, way], input=urls, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False)


def check_way(way, most_connections):
    site = Site()
    done = run(way, site.urls())
    check((done.returncode, done.stdout, done.stderr) == (0, f"{N} pages, {N * BYTES} bytes\n", ""),
          (done.returncode, done.stdout, done.stderr))
    check(1 <= site.connections <= most_connections, f"{site.connections} connections")


@case
def one_after_the_other_takes_one_connection():
    check_way("sequential", 1)


@case
def each_thread_keeps_its_session():
    check_way("threads", 5)


@case
def tasks_share_one():
    check_way("tasks", N)


@case
def each_process_keeps_its_session():
    check_way("processes", 5)


@case
def another_way_is_refused():
    done = run("telepathy", "")
    check(done.returncode == 1 and "usage" in done.stderr, (done.returncode, done.stderr))


@case
def a_site_that_is_not_there_is_told():
    done = run("threads", "http://127.0.0.1:1/\n")
    check(done.returncode == 1 and done.stdout == "", (done.returncode, done.stdout))


main()
