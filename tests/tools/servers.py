"""What the tests of the command share: running it, and servers to run it against."""

import atexit
import ctypes
import http.server
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

from tap import Skip, check

PLAIT, SOURCE = sys.argv[1:3]
TIMEOUT = 300
IN_MODIFY = 0x2
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that servers are stopped
folders = []


def folder():
    """A new folder, removed at the end."""
    path = tempfile.mkdtemp(prefix="plait-test-")
    folders.append(path)
    return path


@atexit.register
def clean():
    for path in folders:
        shutil.rmtree(path, ignore_errors=True)


class Done:
    """A run of plait fetch that has ended."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err
        self.results, self.summary = [], None

    def parse(self):
        lines = [json.loads(line) for line in self.out.decode().splitlines()]
        self.results = [line for line in lines if line["type"] == "result"]
        summaries = [line for line in lines if line["type"] == "summary"]
        check(len(summaries) == 1 and lines[-1] is summaries[0], f"not one summary at the end: {summaries}")
        self.summary = summaries[0]
        return self

    def by_url(self):
        return {result["url"]: result for result in self.results}

    def __str__(self):
        return f"exit code {self.code}, out: {self.out[-2000:]}, err: {self.err[-2000:]}"


def clean_env(extra=None):
    env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    env.update(extra or {})
    return env


def start(*args, **kwargs):
    """Starts plait fetch with pipes, to be played with."""
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    kwargs.setdefault("stdout", subprocess.PIPE)
    kwargs.setdefault("stderr", subprocess.PIPE)
    return subprocess.Popen([PLAIT, "fetch", *map(str, args)], env=clean_env(kwargs.pop("env", None)), **kwargs)


def end(process, data=None):
    try:
        out, err = process.communicate(data, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"it did not end within {TIMEOUT} s; out: {out[-1000:]}, err: {err[-1000:]}") from None
    return Done(process.returncode, out or b"", (err or b"").decode(errors="replace"))


def fetch(*args, data=None, **kwargs):
    if data is not None:
        kwargs["stdin"] = subprocess.PIPE
        data = data if isinstance(data, bytes) else data.encode()
    return end(start(*args, **kwargs), data)


def fetch_json(*args, **kwargs):
    return fetch("--json", *args, **kwargs).parse()


def names(path):
    """What is in a folder, fetch's own files left out."""
    return sorted(name for name in os.listdir(path) if not name.startswith(".plait-fetch"))


def leftovers(path):
    return [name for name in os.listdir(path) if name.startswith(".plait-fetch-")]


def read(*parts):
    with open(os.path.join(*parts), "rb") as file:
        return file.read()


def wait_for_words(path, words, process):
    """Waits until *words* stand in a file that *process* writes. False: it has ended without."""
    libc = ctypes.CDLL(None, use_errno=True)
    changes = libc.inotify_init1(os.O_CLOEXEC)
    check(libc.inotify_add_watch(changes, os.path.dirname(path).encode(), IN_MODIFY) > 0, "the folder cannot be watched")
    end_of_process = os.pidfd_open(process.pid)
    poll = select.poll()
    poll.register(changes, select.POLLIN)
    poll.register(end_of_process, select.POLLIN)
    try:
        ended = False
        while not (os.path.exists(path) and words in read(path)):
            if ended:
                return False
            happened = dict(poll.poll(TIMEOUT * 1000))
            check(happened, f"{path} does not come to have {words!r}")
            ended = end_of_process in happened
            if changes in happened:
                os.read(changes, 65536)
        return True
    finally:
        os.close(changes)
        os.close(end_of_process)


class Nginx:
    """A real server, for the files in .root; *more* is added to its configuration's server."""

    def __init__(self, more="", tls=None):
        if not shutil.which("nginx"):
            raise Skip("nginx is not installed")
        self.base = folder()
        self.root = os.path.join(self.base, "root")
        os.mkdir(self.root)
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = listener.getsockname()[1]
        secure = f"ssl http2; ssl_certificate {tls}.pem; ssl_certificate_key {tls}.key" if tls else ""
        temps = "".join(f"{kind}_temp_path {self.base}/{kind};" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config = os.path.join(self.base, "nginx.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"""daemon off; worker_processes 1; user root; pid {self.base}/pid; error_log {self.base}/error.log;
events {{ worker_connections 4096; }}
http {{ access_log off; {temps} keepalive_requests 1000000; server {{
    listen 127.0.0.1:{self.port} {secure}; root {self.root}; {more} }} }}
""")
        # nginx takes over a socket that listens already, as when it is upgraded: no port is raced for.
        self.process = subprocess.Popen(["nginx", "-c", config], pass_fds=[listener.fileno()], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "NGINX": f"{listener.fileno()};"})
        listener.close()
        atexit.register(self.stop)

    def url(self, path):
        return f"http://127.0.0.1:{self.port}/{path}"

    def file(self, name, data):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        return self.url(name)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()


class Site:
    """A server in this process: *answer* (handler, path) is called for each GET, and what is asked for is counted."""

    def __init__(self, answer):
        site = self
        self.lock = threading.Condition()
        self.asked = []
        self.now = self.most = 0
        self.gate = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536  # head and body in one segment

            def do_GET(self):
                with site.lock:
                    site.asked.append(self.path)
                    site.now += 1
                    site.most = max(site.most, site.now)
                    site.lock.notify_all()
                try:
                    answer(self, self.path)
                except OSError:
                    self.close_connection = True
                finally:
                    with site.lock:
                        site.now -= 1
                        site.lock.notify_all()

            def reply(self, body=b"", status=200, **headers):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 1024

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.site = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path=""):
        return f"http://127.0.0.1:{self.port}/{path}"

    def wait_for(self, condition):
        """Waits until condition(site) holds."""
        with self.lock:
            check(self.lock.wait_for(lambda: condition(self), TIMEOUT), f"it never came to it: asked {len(self.asked)}")


class Faults:
    """The server of tests/http, which answers in every wrong way."""

    def __init__(self):
        if not shutil.which("openssl"):
            raise Skip("openssl is not installed")
        self.folder = folder()
        self.process = subprocess.Popen([sys.executable, os.path.join(SOURCE, "tests/http/server.py"), self.folder],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        words = self.process.stdout.readline().split()
        self.ports = dict(zip(words[::2], map(int, words[1::2])))
        atexit.register(self.process.stdin.close)

    def url(self, path, port="plain", host="127.0.0.1"):
        scheme = "http" if port == "plain" or port.startswith("h2-") else "https"
        return f"{scheme}://{host}:{self.ports[port]}/{path}"


def refused_port():
    """A port that nobody listens on: held by a socket that does not listen."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    sockets.append(holder)
    return holder.getsockname()[1]


sockets = []
SHAPE = re.compile(r"^.*-[0-9a-z]{16}(\.[0-9A-Za-z.]+)?$")
