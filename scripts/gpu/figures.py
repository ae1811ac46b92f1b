#!/usr/bin/env python3
"""The recorder of the GPU proof: reads a step's output, prints a line for each figure with its verdict, and keeps them.

  STEP'S OUTPUT | figures.py STEP --results FILE.jsonl --log FILE.log [--kind real|dry|simulated]
  figures.py --summary FILE.jsonl [--since SECONDS]

A figure is a line of JSON: {"figure": name, "value": v, "unit": "img/s", "min": x, "max": y, "equal": z, "ok": bool, "note": text}.
min, max, equal and ok are the criterion; a figure without one is a fact and has no verdict. "skip": reason is a check that
could not be made, "speed": true is a criterion that only hardware is held to, "simulated": true came from the simulated driver. Every other line goes to the log. What did not run on a GPU is never a PASS: its lines begin with DRY or
SIMULATED, and say fine or wrong. Exit status 1: a figure failed.
"""
import argparse
import json
import os
import platform
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def version(package):
    from importlib import metadata
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def commit():
    """Of the repository, else as the pieces were made from it."""
    state = os.environ.get("PROOF_STATE", "")
    if os.path.exists(os.path.join(ROOT, ".git")):
        if text := output("git", "-C", ROOT, "describe", "--tags", "--always", "--dirty"):
            return text
    try:
        with open(os.path.join(state, "commit")) as f:
            return f.read().strip()
    except OSError:
        return "unknown"


def machine(kind):
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    facts = {"cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version(), "commit": commit()}
    if kind == "real":
        smi = output("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader").splitlines()
        facts["gpus"] = len(smi)
        if smi:
            facts["gpu"], facts["driver"], facts["memory"] = [x.strip() for x in smi[0].split(",")]
    for package in ("torch", "torchvision", "numpy", "pillow", "onnxruntime", "nvidia-cudnn-cu13", "nvidia-cublas"):
        if v := version(package):
            facts[package] = v
    return facts


def clocks():
    text = output("nvidia-smi", "--query-gpu=clocks.sm,clocks.mem,power.draw,temperature.gpu", "--format=csv,noheader").splitlines()
    return text[0] if text else ""


def verdict(f, kind):
    """PASS, FAIL, SKIP or "" for a fact, and what was asked for."""
    value, asked, good = f.get("value"), [], []
    if "skip" in f:
        return "SKIP", str(f["skip"])
    if f.get("speed") and kind != "real":
        return "", ""
    for key, words, test in (("min", "at least", lambda x: value >= x), ("max", "at most", lambda x: value <= x), ("equal", "equal to", lambda x: value == x)):
        if key in f:
            asked.append(f"{words} {f[key]}")
            try:
                good.append(bool(test(f[key])))
            except TypeError:
                good.append(False)
    if "ok" in f:
        good.append(bool(f["ok"]))
    if not good:
        return "", ""
    return "PASS" if all(good) else "FAIL", ", ".join(asked)


def short(value):
    if isinstance(value, float):
        return f"{value:.7f}" if 0.9 < abs(value) < 1.1 else f"{value:.6g}" if abs(value) < 1 else f"{value:,.1f}"
    return str(value)


def shown(kind, word):
    """The verdict's word: a dry run proves the script, not the GPU."""
    if kind == "real" or not word:
        return word
    return {"PASS": "fine", "FAIL": "wrong", "SKIP": "skipped"}[word]


class Recorder:
    def __init__(self, args):
        self.args, self.failed, self.count = args, 0, 0
        self.facts = machine(args.kind)
        self.started = time.time()

    def record(self, f):
        kind = "simulated" if f.pop("simulated", False) else self.args.kind
        word, asked = verdict(f, kind)
        self.failed += word == "FAIL"
        self.count += 1
        line = {"step": self.args.step, **f, "verdict": shown(kind, word), "kind": kind, "at": round(time.time(), 3)}
        with open(self.args.results, "a") as out:
            out.write(json.dumps({**line, "machine": self.facts}) + "\n")
        prefix = "" if kind == "real" else kind.upper() + " "
        text = f"{prefix}{self.args.step:<11} {f['figure']:<34} {short(f.get('value', '')):>14} {f.get('unit', ''):<8}"
        tail = "  ".join(x for x in (f"({asked})" if asked else "", line["verdict"], str(f.get("note", ""))) if x)
        print(f"{text} {tail}".rstrip(), flush=True)


def follow(args):
    recorder = Recorder(args)
    with open(args.log, "a", errors="replace") as log:
        log.write(f"== {args.step} ({time.strftime('%Y-%m-%d %H:%M:%S')})\n")
        last = ""
        for line in sys.stdin:
            log.write(line)
            log.flush()
            last = line.strip() or last
            if line.startswith('{"figure"'):
                try:
                    recorder.record(json.loads(line))
                except (ValueError, KeyError, TypeError) as e:
                    recorder.record({"figure": "a figure that can't be read", "value": str(e), "ok": False})
    if not recorder.count:
        recorder.record({"figure": "step", "value": "it made no figure", "ok": False, "note": last[:200]})
    if args.kind == "real" and args.step != "unpack" and (now := clocks()):
        recorder.record({"figure": "clocks, power, temperature after it", "value": now})
    return 1 if recorder.failed else 0


def summary(args):
    counts = {}
    try:
        lines = [json.loads(line) for line in open(args.summary)]
    except OSError:
        lines = []
    for f in lines:
        if f["at"] >= args.since and f["verdict"]:
            counts[(f["kind"], f["verdict"])] = counts.get((f["kind"], f["verdict"]), 0) + 1
    for (kind, word), n in sorted(counts.items()):
        print(f"{'' if kind == 'real' else kind.upper() + ' '}{n} {word}")
    if not counts:
        print("no figure has a verdict")
    return 1 if any(word in ("FAIL", "wrong") for _, word in counts) else 0


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("step", nargs="?")
    p.add_argument("--results"), p.add_argument("--log", default=os.devnull)
    p.add_argument("--kind", choices=("real", "dry", "simulated"), default="real")
    p.add_argument("--summary", metavar="FILE"), p.add_argument("--since", type=float, default=0)
    args = p.parse_args()
    if args.summary:
        return summary(args)
    if not args.step or not args.results:
        p.error("a step and --results are needed")
    return follow(args)


if __name__ == "__main__":
    sys.exit(main())
