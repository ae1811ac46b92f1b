"""The protocol of the peers on a GPU: a peer says that it is up, then answers each line of JSON on stdin with one.

{"do": "prepare", "scenario": "offline-u8", "batch": 64, "seconds": 0.8}  ->  {"ready": true, "once": {"first_s": 1.2}}
{"do": "go", ...the same}                                                 ->  {"images": 12800, "seconds": 0.79}

A case that can't be run is answered with {"skip": "why"}, and the next one goes on.
"""
import argparse
import json
import sys
import time
import traceback


def arguments(**flags):
    """--device cuda:0 or cpu, --dry-run, and further flags with their defaults."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--dry-run", action="store_true", help="on a CPU, to try the script: the figures mean nothing")
    for name, default in flags.items():
        parser.add_argument("--" + name, default=default)
    return parser.parse_args()


def say(**values):
    print(json.dumps(values), flush=True)


def reason():
    return traceback.format_exc().strip().splitlines()[-1][:300]


class Case:
    """What a peer makes of a scenario and a size of batch. many(n) runs n batches and returns once all are done."""

    def __init__(self, batch, many, once, about=None, **per_batch):
        self.batch, self.many, self.once, self.about = batch, many, once, about or {}
        self.per_batch = per_batch or {"images": batch}  # else "bytes" or "flop"
        self.turns = 1

    def calibrate(self, seconds):
        self.many(2)
        while True:
            took = self.time()
            if took > seconds / 4:
                self.turns = max(1, round(self.turns * seconds / took))
                return
            self.turns *= 4

    def time(self):
        start = time.perf_counter()
        self.many(self.turns)
        return time.perf_counter() - start


def serve(make, dry_run, once, **versions):
    """make(scenario, batch) returns a Case whose first run is done."""
    cases = {}
    say(ready=True, versions=versions, once=once, dry_run=dry_run)
    for line in sys.stdin:
        r = json.loads(line)
        key = r["scenario"], r["batch"]
        try:
            if r["do"] == "prepare":
                cases[key] = case = make(*key)
                case.calibrate(r["seconds"])
                say(ready=True, once=case.once, about=case.about)
            else:
                case = cases[key]
                took = case.time()
                say(seconds=took, **{name: v * case.turns for name, v in case.per_batch.items()})
        except Exception:  # whatever a library throws, the other cases go on
            cases.pop(key, None)
            say(skip=reason())
