"""plait fetch against broken servers: what is cut is never taken for whole, and every failure is told clearly.

usage: test_fetch_faults.py PLAIT SOURCE
"""

import email.utils
import os
import socket
import time

from servers import Faults, Nginx, Site, fetch, fetch_json, folder, leftovers, names, read, refused_port
from tap import case, check, main

faults = Faults()
CA = os.path.join(faults.folder, "ca.pem")


def fails(url, *args, why="", attempts=1, status=None):
    """Fetches a URL that has to fail, once, with *why* in its error, and checks that nothing of it is left."""
    out = folder()
    done = fetch_json(url, "-o", out, *(args or ("--retries", 0)))
    result = done.results[0]
    check(done.code == 1 and done.summary["failed"] == 1 and result["file"] is None, str(done))
    check(why.lower() in result["error"].lower(), f"{url}: {result['error']!r} lacks {why!r}")
    check(result["attempts"] == attempts, str(result))
    check(status is None or result["status"] == status, str(result))
    check(not names(out) and not leftovers(out), f"{url} left {os.listdir(out)}")
    return result


def works(url, *args, body=None):
    out = folder()
    done = fetch_json(url, "-o", out, *args)
    check(done.code == 0, str(done))
    data = read(done.results[0]["file"])
    check(body is None or data == body, f"{url}: {data[:200]!r}")
    return data


@case
def a_body_cut_short_is_never_taken_for_a_whole_one():
    for path in ("cut-headers", "cut-blank-line", "cut-after-hint", "cut-length", "reset-length", "reset-unsized",
                 "cut-chunked", "cut-chunked/inside", "cut-chunked/size", "cut-chunked/last", "chunked-reset", "bad-chunk",
                 "coded/cut-gzip", "coded/cut-gzip-trailer", "coded/cut-deflate", "coded/cut-br", "coded/damaged-gzip",
                 "coded/damaged-br", "cut-gzip-chunked", "gzip-unsized/cut", "garbage", "nothing", "reset-at-once",
                 "bad-length"):
        fails(faults.url(path))
    for path in ("unsized-no-notify", "cut-length", "cut-chunked", "reset-unsized"):
        fails(faults.url(path, "tls", "localhost"), "--retries", 0, "--cacert", CA)
    for port in ("h2-reset", "h2-cut", "h2-cut-head", "h2-short", "h2-cut-length", "h2-goaway"):
        fails(faults.url("", port), "--retries", 0, "--http2")


@case
def a_whole_body_is_taken_however_its_end_is_marked():
    for path in ("ok/1000", "chunked", "chunked/trailer", "coded/gzip", "coded/two-members", "coded/deflate", "coded/br",
                 "gzip-unsized", "then-close", "hints", "no-content", "ok/0"):
        works(faults.url(path))
    works(faults.url("unsized", "tls", "localhost"), "--cacert", CA)
    works(faults.url("", "h2-ok"), "--http2", body=b"0123456789" * 10)


@case
def an_unmarked_end_is_refused_unless_accepted():
    fails(faults.url("unsized"), "--retries", 3, why="--accept-unmarked-end")
    works(faults.url("unsized"), "--accept-unmarked-end", body=b"0123456789" * 10)


@case
def raw_saves_a_body_as_it_is_sent():
    check(works(faults.url("coded/gzip"), "--raw")[:2] == b"\x1f\x8b", "it was decompressed")
    check(works(faults.url("coded/gzip")) == b"0123456789" * 500, "it was not decompressed")


@case
def a_large_body_is_saved_whole_or_not_at_all():
    block = bytes(range(256)) * 256
    check(works(faults.url("big/3000000")) == (block * 46)[:3000000], "its content")

    def answer(handler, path):
        handler.send_response(200)
        handler.send_header("Content-Length", "5000000")
        handler.end_headers()
        handler.wfile.write(b"x" * 4000000)
        handler.close_connection = True

    result = fails(Site(answer).url())
    check(result["bytes"] == 4000000 and result["status"] == 200, str(result))


@case
def refused_connections_are_told_and_tried_again():
    fails(f"http://127.0.0.1:{refused_port()}/", "--retries", 1, why="refused", attempts=2, status=0)


@case
def a_name_that_does_not_exist_is_told_and_not_tried_again():
    fails("http://no-such-name.invalid/", "--retries", 2, why="no-such-name.invalid")


@case
def silence_and_slowness_have_limits():
    fails(faults.url("no-answer"), "--stall-timeout", "200ms", "--retries", 0)
    fails(faults.url("stall"), "--stall-timeout", "200ms", "--retries", 0)
    fails(faults.url("stall"), "--timeout", "0.3", "--retries", 0)
    fails(faults.url("no-answer"), "--timeout", "200ms", "--retries", 1, attempts=2)


@case
def connecting_has_a_limit():
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    held = []
    for _ in range(3):  # more than its queue holds: whoever comes now waits
        held.append(socket.socket())
        held[-1].setblocking(False)
        held[-1].connect_ex(full.getsockname())
    begin = time.monotonic()
    fails(f"http://127.0.0.1:{full.getsockname()[1]}/", "--connect-timeout", "300ms", "--retries", 0)
    check(0.3 <= time.monotonic() - begin < 60, "it took another time")
    for sock in (full, *held):
        sock.close()


@case
def redirects_have_a_limit():
    fails(faults.url("redirect-loop"), why="redirect")
    works(faults.url("redirect/3"), "--max-redirects", 3)
    fails(faults.url("redirect/3"), "--max-redirects", 2, why="redirect")
    fails(faults.url("redirect/1"), "--max-redirects", 0, why="status 302", status=302)
    fails(faults.url("redirect-bad"))


@case
def certificates_are_verified_unless_waived():
    fails(faults.url("ok/5", "wrongname", "localhost"), "--cacert", CA, why="localhost")
    fails(faults.url("ok/5", "expired", "localhost"), "--cacert", CA, why="expired")
    fails(faults.url("ok/5", "untrusted", "localhost"), "--cacert", CA)
    fails(faults.url("ok/5", "tls", "localhost"))
    works(faults.url("ok/5", "tls", "localhost"), "--cacert", CA)
    works(faults.url("ok/5", "wrongname", "localhost"), "--insecure")
    done = fetch(faults.url("ok/5"), "--cacert", "/nonexistent.pem", "-o", folder())
    check(done.code == 1 and "/nonexistent.pem" in done.err, str(done))


@case
def http_versions_are_as_asked_for():
    works(faults.url("ok/5", "tls", "localhost"), "--cacert", CA)  # that server's certificate is then there
    server = Nginx(more='location = /version { return 200 "$server_protocol"; }', tls=os.path.join(faults.folder, "good"))
    url = f"https://localhost:{server.port}/version"
    works(url, "--cacert", CA, body=b"HTTP/2.0")
    works(url, "--cacert", CA, "--http1.1", body=b"HTTP/1.1")


def busy_site(times, status=503, header=None):
    """Answers *status* the first *times* times for each path."""

    def answer(handler, path):
        with handler.server.site.lock:
            seen = handler.server.site.asked.count(path)
        if seen > times:
            return handler.reply(b"at last")
        return handler.reply(b"busy", status, **({"Retry-After": header()} if header else {}))

    return Site(answer)


@case
def a_failure_that_passes_is_tried_again():
    for status in (408, 425, 429, 500, 502, 503, 504):
        site, out = busy_site(1, status), folder()
        done = fetch_json(site.url("x"), "-o", out)
        check(done.code == 0 and done.results[0]["attempts"] == 2, f"{status}: {done}")
        check(read(done.results[0]["file"]) == b"at last", "its content")
    for status in (400, 401, 403, 404, 410, 501):
        site = busy_site(1, status)
        fails(site.url("x"), "--retries", 3, status=status)


@case
def retry_after_is_waited_for_and_holds_the_host():
    site, out = busy_site(1, 503, lambda: "1"), folder()
    begin = time.monotonic()
    done = fetch_json(site.url("a"), site.url("b"), "--per-host", 1, "-o", out)
    check(done.code == 0 and all(r["attempts"] == 2 for r in done.results), str(done))
    check(2 <= time.monotonic() - begin < 60, f"it took {time.monotonic() - begin} s")
    check(all(1 <= r["total_s"] < 60 for r in done.results), str(done))

    site = busy_site(1, 429, lambda: email.utils.formatdate(time.time() + 2, usegmt=True))
    done = fetch_json(site.url("date"), "-o", out)
    check(done.code == 0 and 1 <= done.results[0]["total_s"] < 60, str(done))


@case
def retries_end():
    site = busy_site(100)
    fails(site.url("x"), "--retries", 2, attempts=3, status=503, why="status 503")
    check(len(site.asked) == 3, str(site.asked))


@case
def a_cut_body_is_fetched_again_from_its_beginning():
    def answer(handler, path):
        data = bytes(range(256)) * 1000
        with handler.server.site.lock:
            first = handler.server.site.asked.count(path) == 1
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:100000] if first else data)
        handler.close_connection = True

    out = folder()
    done = fetch_json(Site(answer).url("x"), "-o", out)
    check(done.code == 0 and done.results[0]["attempts"] == 2, str(done))
    check(read(done.results[0]["file"]) == bytes(range(256)) * 1000, "its content")


@case
def what_went_to_standard_output_is_not_sent_again():
    def answer(handler, path):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"half")
        handler.close_connection = True

    site = Site(answer)
    done = fetch("-o", "-", site.url())
    check(done.code == 1 and done.out == b"half" and len(site.asked) == 1, str(done))


@case
def one_bad_url_does_not_hurt_the_others():
    out = folder()
    good = [faults.url(f"ok/{i}") for i in range(1, 40)]
    bad = [faults.url(p) for p in ("cut-length", "reset-at-once", "garbage", "redirect-loop", "coded/unknown", "nonsense")]
    done = fetch_json("--retries", 0, "-o", out, *good, *bad)
    check(done.code == 1 and done.summary["ok"] == 39 and done.summary["failed"] == 6, str(done))
    check(len(names(out)) == 39 and not leftovers(out), str(names(out)))


@case
def an_error_page_without_end_is_not_read_to_its_end():
    def answer(handler, path):
        handler.send_response(404)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _ in range(100000):
            handler.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    result = fails(Site(answer).url(), why="status 404", status=404)
    check(result["bytes"] < 2_000_000, str(result))


main()
