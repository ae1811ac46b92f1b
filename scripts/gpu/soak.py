#!/usr/bin/env python3
"""Runs imgvec extract for some minutes over photos that repeat, and watches its rate and its memory.

  soak.py --imgvec FILE --photos LIST --work FOLDER [--seconds 180] [--device cuda:0] [--rate IMG_S] [-- FLAGS OF EXTRACT]

Rate: by imgvec's own progress. Host memory: resident size. Device memory: what the driver tells, of all processes.
The first fifth is warm-up. Flat: the last third beside the middle one.
"""
import argparse
import json
import os
import subprocess
import sys
import threading
import time

MOST = 2_000_000  # rows; 8 GB of features at most


def figure(name, value, unit="", **more):
    print(json.dumps({"figure": name, "value": value, "unit": unit, **more}), flush=True)


def resident(pid):
    try:
        with open(f"/proc/{pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return None


def device_memory(ordinal):
    try:
        out = subprocess.run(["nvidia-smi", "-i", ordinal, "--query-gpu=memory.used", "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=10)
        return float(out.stdout.split()[0])
    except (OSError, IndexError, ValueError, subprocess.TimeoutExpired):
        return None


def write_list(path, photos, n):
    with open(path, "w") as f:
        for i in range(n):
            f.write(photos[i % len(photos)] + "\n")


def command(args, listed, output):
    return [args.imgvec, "extract", "@" + listed, "-o", output, "--force", "--device", args.device, "--features-dtype", "float16",
            "--progress", "json", "--stats", os.path.join(args.work, "soak-stats.json"), *args.extra]


def run(args, listed, output):
    """One extract: its samples (seconds, images, host MiB, device MiB), how long it took, its status."""
    process = subprocess.Popen(command(args, listed, output), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
    done, samples, started = [0], [], time.time()

    def listen():
        for line in process.stderr:
            try:
                done[0] = json.loads(line).get("images", done[0])
            except ValueError:
                print("  " + line, end="")
    listener = threading.Thread(target=listen)
    listener.start()
    ordinal = args.device.split(":")[-1].split(",")[0]
    while process.poll() is None:
        samples.append((time.time() - started, done[0], resident(process.pid), device_memory(ordinal) if args.device.startswith("cuda") else None))
        if samples[-1][0] > args.seconds * 1.5 + 60:
            print(f"  after {samples[-1][0]:.0f} s it is stopped")
            process.terminate()
        time.sleep(1 if args.seconds > 30 else 0.2)
    listener.join()
    return samples, time.time() - started, process.returncode


def thirds(samples, column):
    """The mean of a column in the middle and in the last third, after a warm-up of a fifth."""
    rest = [s for s in samples if s[0] > samples[-1][0] * 0.2 and s[column] is not None]
    if len(rest) < 6:
        return None
    middle, last = rest[len(rest) // 3:2 * len(rest) // 3], rest[2 * len(rest) // 3:]
    return sum(s[column] for s in middle) / len(middle), sum(s[column] for s in last) / len(last)


def rates(samples):
    """Images a second between samples some seconds apart, in place of the count."""
    step = max(1, len(samples) // 40)
    picked = samples[::step]
    return [(b[0], (b[1] - a[1]) / (b[0] - a[0])) for a, b in zip(picked, picked[1:]) if b[1] > a[1]]


def memory(name, pair, unit="MiB"):
    if pair is None:
        figure(name, "not known", skip="too few samples")
        return
    growth = pair[1] - pair[0]
    figure(name, round(pair[1]), unit, note=f"{growth:+.1f} from the middle third to the last")
    figure(f"{name}: growth", round(growth, 1), unit, max=round(max(16, pair[0] * 0.02), 1))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--imgvec", required=True), p.add_argument("--photos", required=True), p.add_argument("--work", required=True)
    p.add_argument("--seconds", type=float, default=180), p.add_argument("--device", default="cuda:0"), p.add_argument("--rate", type=float, default=0)
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    args = p.parse_args(sys.argv[1:cut])
    args.extra = sys.argv[cut + 1:]
    photos = open(args.photos).read().split("\n")[:-1]
    listed, output = os.path.join(args.work, "soak.txt"), os.path.join(args.work, "soak.npy")
    if not args.rate:  # how many images are that many seconds?
        n = len(photos) * (200 if args.seconds > 30 else 1)
        write_list(listed, photos, n)
        _, took, status = run(args, listed, output)
        if status:
            figure("extract", f"status {status}", ok=False)
            return 1
        stats = json.load(open(os.path.join(args.work, "soak-stats.json")))
        args.rate = float(stats.get("images_per_second") or n / took)
    n = min(MOST, max(1, round(args.rate * args.seconds / len(photos))) * len(photos))
    write_list(listed, photos, n)
    samples, took, status = run(args, listed, output)
    figure("images", n, note=f"{took:.0f} s", ok=status == 0)
    if status:
        figure("extract", f"status {status}", ok=False)
        return 1
    curve = rates(samples)
    pair = thirds(curve, 1) if len(curve) > 6 else None
    figure("rate", round(n / took, 1), "img/s", note="start included")
    if pair:
        figure("rate: last third of the middle one", round(pair[1] / pair[0], 3), min=0.95, speed=True)
    else:
        figure("rate: last third of the middle one", "not known", skip="too few samples of the progress")
    memory("host memory", thirds(samples, 2))
    if args.device.startswith("cuda"):
        memory("device memory", thirds(samples, 3))
    return 0


if __name__ == "__main__":
    sys.exit(main())
