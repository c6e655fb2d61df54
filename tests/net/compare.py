"""What other tools say of five faults of the lab, how long they take, and what plait net says (docs/guide/net.md).

usage: compare.py PLAIT      as root; needs mtr, fping, nmap, dig and curl beside what the lab needs
"""

import os
import statistics
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))

import certificates
import lab
import scenarios

ROUNDS = 3
MTR = "mtr -n -r -c 5 -i 0.2"

# number of the scenario: what one would type to find out
TRIED = {
    16: (f"{MTR} web.lab.test", "fping -c 5 -p 100 web.lab.test", "nmap -p 443 web.lab.test", "dig web.lab.test",
         "curl -sS -m 10 -o /dev/null https://web.lab.test/"),
    24: (f"{MTR} -T -P 81 web.lab.test", "fping -c 5 -p 100 web.lab.test", "nmap -Pn -p 81 --reason web.lab.test", "dig web.lab.test",
         "curl -sS -m 10 -o /dev/null http://web.lab.test:81/"),
    25: (f"{MTR} -T -P 81 web.lab.test", "fping -c 5 -p 100 web.lab.test", "nmap -Pn -p 81 --reason web.lab.test", "dig web.lab.test",
         "curl -sS -m 10 -o /dev/null http://web.lab.test:81/"),
    28: (f"{MTR} -4 web.lab.test", "fping -4 -c 5 -p 100 web.lab.test", "nmap -p 80 web.lab.test", "dig web.lab.test",
         "curl -sS -m 10 -o /dev/null http://web.lab.test/large"),
    38: (f"{MTR} incomplete.lab.test", "fping -c 5 -p 100 incomplete.lab.test",
         "nmap -p 443 --script ssl-cert incomplete.lab.test", "dig incomplete.lab.test",
         "curl -sS -m 10 -o /dev/null https://incomplete.lab.test/"),
}


def measure(where, command):
    runs = []
    for _ in range(ROUNDS):
        where.forget()
        runs.append(where.run("c", command))
    return statistics.median(done.seconds for done in runs), runs[0]


def inside(build, folder, number):
    one = next(one for one in scenarios.SCENARIOS if one.number == number)
    where = lab.Lab(build, folder)
    where.serve()
    where.prove(one.fault(where))
    print(f"\n== {one.name}", flush=True)
    for command in (*TRIED[number], f"{lab.BUILD}/plait net --plain {one.args}"):
        seconds, done = measure(where, command)
        print(f"\n-- {command.replace(lab.BUILD + '/', '')}: {seconds:.2f} s, exit code {done.code}")
        print("\n".join(line for line in (done.out + done.err).strip().splitlines()[:30]), flush=True)


def main():
    if len(sys.argv) == 4:
        inside(sys.argv[1], sys.argv[2], int(sys.argv[3]))
        os._exit(0)
    missing = [program for program in ("mtr", "fping", "nmap") if not lab.find(program)]
    why_not = f"not installed: {', '.join(missing)}" if missing else lab.why_not()
    if why_not:
        sys.exit(f"compare.py: {why_not}")
    build = os.path.dirname(os.path.realpath(sys.argv[1]))
    with tempfile.TemporaryDirectory(prefix="plait-test-") as folder:
        certificates.make(folder)
        for number in TRIED:
            lab.start(__file__, build, folder, number).wait()


main()
