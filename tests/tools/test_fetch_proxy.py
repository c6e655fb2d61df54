"""plait fetch through a real proxy: which one it takes, what goes through it, and what is told when it will not do.

usage: test_fetch_proxy.py PLAIT SOURCE
"""

import atexit
import os
import re
import shutil
import socket
import subprocess

from servers import Faults, Nginx, fetch, fetch_json, folder, read, refused_port, wait_for_words
from tap import Skip, case, check, main


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Tinyproxy:
    """A proxy for HTTP and, by CONNECT, for TLS. *more* is added to its configuration."""

    def __init__(self, more=""):
        if not shutil.which("tinyproxy"):
            raise Skip("tinyproxy is not installed")
        self.log = os.path.join(folder(), "log")
        for _ in range(10):  # it cannot take over a socket, so somebody else may take the port
            self.port = free_port()
            if self.begin(more):
                return
        raise AssertionError("tinyproxy does not start: " + read(self.log).decode(errors="replace"))

    def begin(self, more):
        config = os.path.join(os.path.dirname(self.log), "conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"Port {self.port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 500\nLogLevel Info\nLogFile \"{self.log}\"\n"
                       f"{more}\n")
        self.process = subprocess.Popen(["tinyproxy", "-d", "-c", config], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        atexit.register(self.stop)
        return wait_for_words(self.log, b"Accepting connections", self.process)

    def url(self, user=""):
        return f"http://{user}{'@' if user else ''}127.0.0.1:{self.port}"

    def asked(self):
        """What it was asked for since the last time: "GET http://..." and "CONNECT host:port"."""
        text = read(self.log).decode(errors="replace")
        with open(self.log, "w", encoding="utf-8"):
            pass
        return re.findall(r"Request \(file descriptor \d+\): (\S+ \S+) HTTP", text)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


proxy = nginx = faults = None
skipped = None
try:
    proxy, nginx, faults = Tinyproxy(), Nginx(), Faults()
except Skip as why:
    skipped = why


def get(url, *args, env=None):
    """Fetches one URL; its result and its content."""
    if skipped:
        raise skipped
    done = fetch_json(url, "-o", folder(), "--retries", 0, *args, env=env)
    result = done.results[0]
    return result, read(result["file"]) if result["file"] else None


def by_proxy(url, *args, method="GET", **kwargs):
    proxy.asked()
    result, data = get(url, *args, **kwargs)
    check(result["status"] == 200 and data is not None, str(result))
    asked = proxy.asked()
    wanted = f"GET {url}" if method == "GET" else "CONNECT " + url.split("/")[2]
    check(asked == [wanted], f"the proxy was asked for {asked}, not for {wanted}")
    return data


def directly(url, *args, **kwargs):
    proxy.asked()
    result, _ = get(url, *args, **kwargs)
    check(result["status"] == 200, str(result))
    check(proxy.asked() == [], "the proxy was asked")


def page(name="page"):
    if skipped:
        raise skipped
    return nginx.file(name, b"a page")


def tls_args():
    return "--cacert", os.path.join(faults.folder, "ca.pem")


@case
def http_goes_through_the_proxy_of_the_environment_or_of_the_option():
    url = page()
    check(by_proxy(url, env={"http_proxy": proxy.url()}) == b"a page", "http_proxy")
    check(by_proxy(url, env={"all_proxy": proxy.url()}) == b"a page", "all_proxy")
    check(by_proxy(url, env={"http_proxy": proxy.url()[len("http://"):]}) == b"a page", "without a scheme")
    check(by_proxy(url, "--proxy", proxy.url()) == b"a page", "--proxy")
    dead = f"http://127.0.0.1:{refused_port()}"
    check(by_proxy(url, "-x", proxy.url(), env={"http_proxy": dead, "all_proxy": dead}) == b"a page", "before the others")
    directly(url, env={"https_proxy": dead})
    directly(url, env={"HTTP_PROXY": dead})  # a web server's child has it from whoever asks: nobody takes it


@case
def tls_goes_through_a_tunnel_and_is_verified_at_its_end():
    page()
    url = faults.url("ok/5", "tls", "localhost")
    for env in ({"https_proxy": proxy.url()}, {"HTTPS_PROXY": proxy.url()}, {"all_proxy": proxy.url()}):
        check(len(by_proxy(url, *tls_args(), method="CONNECT", env=env)) == 5, str(env))
    check(len(by_proxy(url, *tls_args(), "-x", proxy.url(), method="CONNECT")) == 5, "--proxy")
    result, data = get(url, env={"https_proxy": proxy.url()})
    check(data is None and "certificate" in result["error"], str(result))
    directly(url, *tls_args(), env={"http_proxy": proxy.url()})
    result, data = get(faults.url("unsized-no-notify", "tls", "localhost"), *tls_args(), "-x", proxy.url())
    check(data is None and "cut short" in result["error"], f"an end without a close alert in a tunnel: {result}")


@case
def no_proxy_names_those_that_are_asked_directly():
    url = page()
    named = url.replace("127.0.0.1", "localhost")
    for hosts in ("127.0.0.1", "other.test,127.0.0.1", "*", "127.0.0.0/8"):
        directly(url, env={"http_proxy": proxy.url(), "no_proxy": hosts})
    for hosts in ("localhost", ".localhost", "other.test, localhost"):
        directly(named, env={"http_proxy": proxy.url(), "no_proxy": hosts})
    for hosts in ("", "27.0.0.1", "other.test", "128.0.0.0/8"):
        by_proxy(url, env={"http_proxy": proxy.url(), "no_proxy": hosts})
    by_proxy(named, env={"http_proxy": proxy.url(), "no_proxy": "ocalhost"})
    directly(url, "--proxy", "", env={"http_proxy": proxy.url(), "all_proxy": proxy.url()})


@case
def many_go_through_it_at_once():
    urls = [page() + f"?{i}" for i in range(300)]
    proxy.asked()
    done = fetch_json("-i", "-", "-o", folder(), "-j", 50, "-x", proxy.url(), data="\n".join(urls))
    check(done.code == 0 and done.summary["ok"] == len(urls), str(done))
    check(sorted(proxy.asked()) == sorted("GET " + url for url in urls), "each once")


@case
def a_proxy_that_wants_a_password_gets_it_or_is_told_of():
    url, tls = page(), faults.url("ok/5", "tls", "localhost")
    guard = Tinyproxy("BasicAuth somebody secret")
    for target, args in ((url, ()), (tls, tls_args())):
        result, data = get(target, *args, "-x", guard.url("somebody:secret"))
        check(result["status"] == 200 and data, str(result))
        for user in ("", "somebody:guess"):
            result, data = get(target, *args, "-x", guard.url(user))
            check(data is None and re.search("40[17]", result["error"]) and "secret" not in result["error"], str(result))
    result, _ = get(tls, *tls_args(), "-x", guard.url())
    check("proxy" in result["error"] and "password" in result["error"] and not result["status"], str(result))
    done = fetch_json(tls, *tls_args(), "-x", guard.url(), "-o", folder(), "--retries", 2)
    check(done.results[0]["attempts"] == 1, f"a refusal will not pass: {done.results[0]}")


@case
def a_proxy_that_does_not_forward_is_told_of():
    page()
    tls = faults.url("ok/5", "tls", "localhost")
    strict = Tinyproxy("ConnectPort 443")
    result, data = get(tls, *tls_args(), "-x", strict.url())
    check(data is None and "proxy" in result["error"] and "403" in result["error"], str(result))
    result, data = get(f"https://127.0.0.1:{refused_port()}/", "-x", proxy.url())
    check(data is None and "proxy cannot connect" in result["error"], str(result))
    result, data = get(f"http://127.0.0.1:{refused_port()}/", "-x", proxy.url())
    check(data is None and result["status"] in (500, 502, 503), str(result))


@case
def a_proxy_that_is_not_there_is_told_of_and_not_the_host():
    url, tls = page(), faults.url("ok/5", "tls", "localhost")
    dead = f"127.0.0.1:{refused_port()}"
    for target, args in ((url, ()), (tls, tls_args())):
        result, data = get(target, *args, "-x", f"http://{dead}")
        check(data is None and f"the proxy {dead}" in result["error"] and "refused" in result["error"], str(result))
        result, data = get(target, *args, "-x", "http://no-such-proxy.invalid:3128")
        check(data is None and "proxy" in result["error"] and "no-such-proxy.invalid" in result["error"], str(result))
    result, _ = get(f"http://127.0.0.1:{refused_port()}/", env={"http_proxy": proxy.url(), "no_proxy": "127.0.0.1"})
    check("proxy" not in result["error"] and "refused" in result["error"], f"asked directly: {result}")
    done = fetch("--proxy", "nonsense://x", url, "-o", folder(), "--retries", 0)
    check(done.code != 0 and "proxy" in done.err.lower(), str(done))


@case
def a_name_is_the_proxys_to_resolve():
    page()
    result, data = get("http://nowhere.invalid/", "-x", proxy.url())
    check(data is None and result["status"] in (500, 502, 503), f"it is the proxy that did not find it: {result}")
    result, data = get("https://nowhere.invalid/", "-x", proxy.url())
    check(data is None and "the proxy cannot connect to nowhere.invalid:443" in result["error"], str(result))


main()
