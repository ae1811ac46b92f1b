#!/usr/bin/env python3
"""Memory of a long run: the resident set of `imgvec extract` while it works through COUNT photos, median and peak.

    python3 bench/memory.py --photos DIR [--count 5000 50000] [-- further flags of extract]

The photos of DIR are repeated up to COUNT. One JSON line a count; the last says how the medians compare. The set is
read from /proc every 0.1 s; what comes before the first tenth of the run is start-up and left out of the median.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def resident(pid):
    """Resident bytes of the process now and at most so far; None once it has ended."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in lines if line.startswith(("VmRSS", "VmHWM")))
    if "VmRSS" not in fields:
        return None
    return tuple(int(fields[key].split()[0]) * 1024 for key in ("VmRSS", "VmHWM"))


def run(binary, photos, count, flags):
    with tempfile.TemporaryDirectory() as folder:
        names = os.path.join(folder, "list.txt")
        with open(names, "w") as f:
            f.writelines(photos[i % len(photos)] + "\n" for i in range(count))
        command = [binary, "extract", "@" + names, "-o", os.path.join(folder, "out.parquet"), "--progress", "none", *flags]
        start, samples, peak = time.monotonic(), [], 0
        process = subprocess.Popen(command)
        while process.poll() is None:
            if memory := resident(process.pid):
                samples.append(memory[0])
                peak = max(peak, memory[1])
            time.sleep(0.1)
        if process.returncode:
            raise SystemExit(process.returncode)
    steady = samples[len(samples) // 10:]
    return {"images": count, "seconds": round(time.monotonic() - start, 1),
            "median_mb": round(statistics.median(steady) / 1e6, 1), "peak_mb": round(peak / 1e6, 1)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", required=True)
    parser.add_argument("--count", type=int, nargs="+", default=[5000, 50000])
    parser.add_argument("--imgvec", default=str(ROOT / "imgvec"))
    parser.add_argument("flags", nargs="*")
    args = parser.parse_args()
    photos = sorted(str(p.resolve()) for p in pathlib.Path(args.photos).iterdir() if p.is_file())
    rows = []
    for count in args.count:
        rows.append(run(args.imgvec, photos, count, args.flags))
        print(json.dumps(rows[-1]), flush=True)
    print(json.dumps({"median_last_to_first": round(rows[-1]["median_mb"] / rows[0]["median_mb"], 3)}))


if __name__ == "__main__":
    main()
