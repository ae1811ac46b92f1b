#!/usr/bin/env python3
"""Figures about features that imgvec wrote.

  features.py compare NAME GOT.npy WANT.npy --min COSINE [--rows N]   the least cosine between rows, and that no row is missing
  features.py same NAME FILE SHA256                           the file is the one that the reference was made with
  features.py rows NAME GOT.npy PHOTOS ROWS                   of repeated photos: every row there, in its place, and no NaN
  features.py rates NAME REPORT.json                          the rates in a report of imgvec bench --json
"""
import argparse
import hashlib
import json
import sys

import numpy as np


def figure(name, value, unit="", **more):
    print(json.dumps({"figure": name, "value": value, "unit": unit, **more}), flush=True)


def cosines(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))


def compare(args):
    got, want = np.load(args.got), np.load(args.want)
    want = want[:args.rows or len(want)]
    if got.shape != want.shape or not np.isfinite(got).all():
        figure(args.name, f"{got.shape} beside {want.shape}, {int((~np.isfinite(got)).sum())} not finite", ok=False)
        return
    c = cosines(got, want)
    figure(args.name, float(c.min()), min=args.min, mean=float(c.mean()), rows=len(c), note=f"mean {c.mean():.7f}, {len(c)} rows")


def same(args):
    h = hashlib.sha256()
    with open(args.file, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    figure(args.name, h.hexdigest()[:12], equal=args.sha256[:12])


def rows(args):
    """Rows of one photo are the same but for rounding, and nearer to each other than to those of any other photo."""
    got = np.load(args.got, mmap_mode="r")
    figure(f"{args.name}: rows", got.shape[0], equal=args.expect)
    first = np.asarray(got[:args.photos], np.float32)
    norms = first / np.linalg.norm(first, axis=1, keepdims=True)
    least, wrong, bad = 1.0, 0, 0
    for at in range(0, got.shape[0] - args.photos + 1, args.photos):
        block = np.asarray(got[at:at + args.photos], np.float32)
        bad += int((~np.isfinite(block)).sum())
        block = block / np.linalg.norm(block, axis=1, keepdims=True)
        all_pairs = block @ norms.T
        wrong += int((all_pairs.argmax(1) != np.arange(args.photos)).sum())
        least = min(least, float(np.diagonal(all_pairs).min()))
    figure(f"{args.name}: rows in another's place", wrong, max=0)
    figure(f"{args.name}: values that are not finite", bad, max=0)
    figure(f"{args.name}: least cosine between rows of a photo", round(least, 7), min=0.9999)


def rates(args):
    with open(args.report) as f:
        report = json.load(f)
    facts = {k: report.get(k) for k in ("model", "device", "provider", "precision", "batch", "streams", "workers", "versions")}
    figure(f"{args.name}: runs on", str(report.get("provider", "")), note=f"{report.get('device', '')}, {report.get('precision', '')}", **facts)
    for stage, s in sorted((report.get("stages") or {}).items()):
        figure(f"{args.name}: {stage}", round(s["median"], 1), "img/s", rounds=s["rounds"], note=f"{s['min']:.0f} to {s['max']:.0f}")
    for one in report.get("single") or []:
        figure(f"{args.name}: Extract of {one['images']}, p50", round(one["p50_ns"] / 1e6, 2), "ms", note=f"p99 {one['p99_ns'] / 1e6:.2f} ms")
    if report.get("overlap_efficiency"):
        figure(f"{args.name}: overlap efficiency", round(report["overlap_efficiency"], 3))
    if report.get("share"):
        figure(f"{args.name}: whole, of its bound", round(report["share"]["median"], 3), note=report.get("bound_formula", ""))
    device, u8 = (report.get("stages") or {}).get("device"), (report.get("stages") or {}).get("infer")
    if device and u8:
        figure(f"{args.name}: offline-u8 of offline-device", round(u8["median"] / device["median"], 3), min=0.95, speed=True)
    figure(f"{args.name}: load and first call", round((report.get("load_ns", 0) + report.get("first_ns", 0)) / 1e9, 2), "s")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    sub = p.add_subparsers(required=True)
    c = sub.add_parser("compare")
    c.add_argument("name"), c.add_argument("got"), c.add_argument("want"), c.add_argument("--min", type=float, required=True)
    c.add_argument("--rows", type=int, default=0, help="only so many, for a dry run")
    c.set_defaults(do=compare)
    s = sub.add_parser("same")
    s.add_argument("name"), s.add_argument("file"), s.add_argument("sha256"), s.set_defaults(do=same)
    r = sub.add_parser("rows")
    r.add_argument("name"), r.add_argument("got"), r.add_argument("photos", type=int), r.add_argument("expect", type=int), r.set_defaults(do=rows)
    b = sub.add_parser("rates")
    b.add_argument("name"), b.add_argument("report"), b.set_defaults(do=rates)
    args = p.parse_args()
    try:
        args.do(args)
    except (OSError, ValueError, KeyError) as e:
        figure(args.name, str(e)[:200], ok=False)


if __name__ == "__main__":
    sys.exit(main())
