"""Makes the certificates of the lab, the good one and all the bad kinds, in a folder.

    good           web.lab.test and *.lab.test, *.v4.test, *.v6.test, by an intermediate of the CA that the lab trusts
    expired        its validity is over          future         its validity has not begun
    other-name     for another name              self-signed    by itself
    self-signed-expired, expired-other-name      both
    incomplete     the server does not send the intermediate    private        by a CA that nobody trusts
"""

import datetime
import os
import subprocess

DAY = datetime.timedelta(days=1)


def openssl(folder, *args):
    done = subprocess.run(["openssl", *args], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {' '.join(args)}: {done.stdout}")


CONFIGURATION = """
[ca]
default_ca = lab
[lab]
database = index.txt
rand_serial = yes
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
copy_extensions = none
[any]
commonName = supplied
[req]
distinguished_name = name
prompt = no
[name]
commonName = lab
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = $ENV::NAMES
[public]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = $ENV::NAMES
authorityInfoAccess = caIssuers;URI:http://pki.lab.test/intermediate.crt
"""


def stamp(time):
    return time.strftime("%Y%m%d%H%M%SZ")


def issue(folder, name, title, issuer, kind="server", names="DNS:unused", begin=None, end=None):
    """A key and a certificate; *issuer* None means itself."""
    now = datetime.datetime.now(datetime.timezone.utc)
    os.environ["NAMES"] = names
    openssl(folder, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")
    openssl(folder, "req", "-new", "-config", "ca.cnf", "-key", f"{name}.key", "-subj", f"/CN={title}", "-out", f"{name}.csr")
    signer = ["-selfsign", "-keyfile", f"{name}.key"] if issuer is None else \
        ["-cert", f"{issuer}.crt", "-keyfile", f"{issuer}.key"]
    openssl(folder, "ca", "-batch", "-notext", "-config", "ca.cnf", *signer, "-in", f"{name}.csr", "-out", f"{name}.crt",
            "-extensions", kind, "-startdate", stamp(begin or now - DAY), "-enddate", stamp(end or now + 365 * DAY))


def chain(folder, name, *others):
    with open(f"{folder}/{name}.pem", "w", encoding="utf-8") as out:
        for part in (name, *others):
            with open(f"{folder}/{part}.crt", encoding="utf-8") as file:
                out.write(file.read())


def make(folder):
    now = datetime.datetime.now(datetime.timezone.utc)
    with open(f"{folder}/ca.cnf", "w", encoding="utf-8") as file:
        file.write(CONFIGURATION)
    with open(f"{folder}/index.txt", "w", encoding="utf-8"):
        pass
    issue(folder, "ca", "lab root", None, "authority", begin=now - 4000 * DAY, end=now + 4000 * DAY)
    issue(folder, "intermediate", "lab intermediate", "ca", "authority", begin=now - 4000 * DAY, end=now + 4000 * DAY)
    issue(folder, "private-ca", "a private CA", None, "authority")
    mine = "DNS:web.lab.test,DNS:*.lab.test,DNS:*.v4.test,DNS:*.v6.test,IP:198.51.100.10,IP:2001:db8:9::10"
    for name, names, dates in (
            ("good", mine, {}),
            ("expired", mine, {"begin": now - 90 * DAY, "end": now - 2 * DAY}),
            ("future", mine, {"begin": now + 2 * DAY, "end": now + 90 * DAY}),
            # Valid only in the time that the lab's wrong clock server shows.
            ("next-year", mine, {"begin": now + 390 * DAY, "end": now + 410 * DAY}),
            ("other-name", "DNS:other.example.test", {}),
            ("next-year-other-name", "DNS:other.example.test", {"begin": now + 390 * DAY, "end": now + 410 * DAY}),
            ("expired-other-name", "DNS:other.example.test", {"begin": now - 90 * DAY, "end": now - 2 * DAY}),
            ("incomplete", mine, {})):
        # As those of public authorities do, they name the place where the issuer's certificate can be had.
        issue(folder, name, name + ".lab.test", "intermediate", "public", names=names, **dates)
    issue(folder, "self-signed", "self-signed.lab.test", None, names=mine)
    issue(folder, "self-signed-expired", "self-signed-expired.lab.test", None, names=mine, begin=now - 90 * DAY,
          end=now - 2 * DAY)
    issue(folder, "private", "private.lab.test", "private-ca", names=mine)
    for name in ("good", "expired", "future", "next-year", "other-name", "next-year-other-name", "expired-other-name"):
        chain(folder, name, "intermediate")
    for name in ("incomplete", "self-signed", "self-signed-expired"):
        chain(folder, name)
    chain(folder, "private", "private-ca")
    chain(folder, "ca")
    return folder
