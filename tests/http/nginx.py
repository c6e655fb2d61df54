"""nginx: plain, and TLS with HTTP/2, on ports of its own; the files are named by their number and made of it.

usage: nginx.py FOLDER      Prints one line of names and ports; ends when its standard input does.
"""
import os
import socket
import subprocess
import sys

from server import certificate

FILES = 300
CONFIGURATION = """
daemon off; worker_processes 1; user root; pid %(folder)s/pid; error_log stderr crit;
events { worker_connections 4096; }
http {
    access_log off; keepalive_requests 1000000; client_body_temp_path %(folder)s/temp; gzip on; gzip_types *; gzip_min_length 2000;
    root %(folder)s/files;
    proxy_temp_path %(folder)s/temp; fastcgi_temp_path %(folder)s/temp; uwsgi_temp_path %(folder)s/temp;
    scgi_temp_path %(folder)s/temp;
    server { listen 127.0.0.1:%(plain)d backlog=1024; }
    server { listen 127.0.0.1:%(tls)d ssl http2 backlog=1024; ssl_certificate %(good)s.pem; ssl_certificate_key %(good)s.key; }
}
"""


def listener():
    """A socket that listens on a free port; nginx takes it over as when it is upgraded, so no port is raced for."""
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    made.listen(1024)
    return made


folder = sys.argv[1]
os.mkdir(folder + "/files")
for i in range(FILES):
    with open(f"{folder}/files/{i}", "w") as file:
        file.write((f"{i} " * 4096)[: 1024 if i % 2 else 8192])
plain, tls = listener(), listener()
values = {"folder": folder, "plain": plain.getsockname()[1], "tls": tls.getsockname()[1]}
values["good"] = certificate(folder, "good", "localhost", 2, certificate(folder, "ca", "plait test CA", 2))
with open(folder + "/nginx.conf", "w") as file:
    file.write(CONFIGURATION % values)
program = "/usr/sbin/nginx"
if not os.path.exists(program):
    print("missing", flush=True)
    sys.exit(0)
inherited = [plain.fileno(), tls.fileno()]
nginx = subprocess.Popen([program, "-c", folder + "/nginx.conf", "-p", folder], stdin=subprocess.DEVNULL, pass_fds=inherited,
                         stderr=subprocess.DEVNULL, env={**os.environ, "NGINX": "".join(f"{fd};" for fd in inherited)})
plain.close()
tls.close()
print(f"plain {values['plain']} tls {values['tls']}", flush=True)
sys.stdin.read()
nginx.terminate()
nginx.wait()
