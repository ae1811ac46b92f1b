#!/usr/bin/env python3
"""Runs a compiled Go test and makes figures of it: how many tests ran, failed, and were skipped, and why.

  gotest.py NAME BINARY FOLDER [--least N] [--may-skip REGEX] -- ARGUMENTS OF THE TEST

It passes when at least N tests ran, none failed, and every skip is one that --may-skip matches.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time

RESULT = re.compile(r"^\s*--- (PASS|FAIL|SKIP): (\S+)")
START = re.compile(r"^=== (?:RUN|CONT|NAME)\s+(\S+)")
SAYS = re.compile(r"^\s+\w+\.go:\d+: (.*)")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("name"), p.add_argument("binary"), p.add_argument("folder")
    p.add_argument("--least", type=int, default=1)
    p.add_argument("--may-skip", default="$^")
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    a, arguments = p.parse_args(sys.argv[1:cut]), sys.argv[cut + 1:]
    if not os.access(a.binary, os.X_OK):
        print(json.dumps({"figure": f"{a.name}: tests", "value": f"no {os.path.basename(a.binary)} (piece app)", "ok": False}))
        return 1
    started = time.time()
    run = subprocess.Popen([a.binary, "-test.v", *arguments], cwd=a.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    found, said, current = {"PASS": [], "FAIL": [], "SKIP": []}, {}, ""
    for line in run.stdout:
        print("  " + line, end="", flush=True)
        if m := RESULT.match(line):
            found[m[1]].append(m[2])
        elif m := START.match(line):
            current = m[1]
        elif m := SAYS.match(line):
            said[current] = m[1]  # a skip's or a failure's reason is the last thing that a test says
    status = run.wait()
    reasons = {t: said.get(t, "")[:200] for t in found["SKIP"]}
    odd = [t for t, why in reasons.items() if not re.search(a.may_skip, f"{t} {why}")]
    ok = status == 0 and not found["FAIL"] and len(found["PASS"]) >= a.least and not odd
    note = "; ".join(f"{t}: {said.get(t, '')[:100]}" for t in found["FAIL"][:4]) or (f"exit status {status}" if status else "") or ("skipped: " + "; ".join(odd[:4]) if odd else "")
    print(json.dumps({"figure": f"{a.name}: tests that passed", "value": len(found["PASS"]), "min": a.least, "ok": ok, "failed": found["FAIL"],
                      "skipped": reasons, "seconds": round(time.time() - started, 1), "note": note or f"{len(found['SKIP'])} skipped"}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
