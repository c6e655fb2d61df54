"""examples/health.c against ninety services: most are well, some are not, one does not answer.

usage: test_health.py PROGRAM
"""

import socket
import subprocess
import sys
import threading
import time

from tap import case, check, main

program = sys.argv[1]
N, REFUSING, ILL, SILENT = 90, 11, 22, 33


def serve(listener, answer):
    while True:
        sock, _ = listener.accept()
        if answer is None:
            kept.append(sock)  # says nothing, and does not hang up
            continue
        sock.recv(4096)
        sock.sendall(answer)
        sock.close()


kept = []


def services():
    """A URL each; those that are to fail are at the places named above."""
    urls = []
    for i in range(N):
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        urls.append(f"http://127.0.0.1:{listener.getsockname()[1]}/health")
        if i == REFUSING:
            kept.append(listener)  # nobody else gets the port
            continue
        listener.listen()
        status = "503 Unwell" if i == ILL else "200 OK"
        answer = None if i == SILENT else f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        threading.Thread(target=serve, args=(listener, answer), daemon=True).start()
    return urls


def ask(urls, silent=0):
    """Asks again if others than the *silent* ones do not answer in time: a machine may be that busy."""
    for _ in range(20):
        started = time.monotonic()
        done = subprocess.run([program], input="\n".join(urls), stdout=subprocess.PIPE, text=True, check=False)
        if sum("time" in line for line in done.stdout.splitlines()) <= silent:
            break
    return done, time.monotonic() - started


@case
def those_that_are_not_well_are_named():
    urls = services()
    done, seconds = ask(urls, 1)
    lines = done.stdout.splitlines()
    check(done.returncode == 1, f"ended with {done.returncode}")
    check(len(lines) == 4, done.stdout)
    check(lines[0].startswith(urls[REFUSING] + ": ") and "refused" in lines[0], lines[0])
    check(lines[1] == urls[ILL] + ": status 503", lines[1])
    check(lines[2].startswith(urls[SILENT] + ": ") and "time" in lines[2], lines[2])
    check(lines[3] == f"{N - 3} of {N} are well", lines[3])
    check(seconds >= 2, f"did not wait for the silent one: {seconds} s")
    check(seconds < 60, f"did not ask at the same time: {seconds} s")


@case
def all_are_well():
    urls = [url for i, url in enumerate(services()) if i not in (REFUSING, ILL, SILENT)]
    done, _ = ask(urls)
    check(done.returncode == 0, f"ended with {done.returncode}")
    check(done.stdout == f"{N - 3} of {N - 3} are well\n", done.stdout)


main()
