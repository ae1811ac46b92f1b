#!/usr/bin/env python3
"""Memory of a long job in Spark: the resident sets of its Python workers, of the server and of Java, over the job.

    bench/.venv/bin/python bench/spark_memory.py [--rows 30000] [--model efficientnet-lite0]

featurize runs over --rows files (the photos of --photos, repeated), in local[2] with nothing kept. /proc is read every half
second. One JSON line for each kind of process: the median of its largest process's set in each tenth of the job, in MB, and how the
last tenth compares with the second (the first is start-up).
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
PHOTOS = pathlib.Path(os.environ.get("IMGVEC_TESTDATA", ROOT.parent / "shared" / "testdata")) / "photos"

CONF = ("spark.sql.files.openCostInBytes=131072", "spark.sql.execution.arrow.maxRecordsPerBatch=64")  # as `bench spark` has it


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", default=str(PHOTOS))
    parser.add_argument("--rows", type=int, default=30000)
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--imgvec", default=str(ROOT / "imgvec"))
    parser.add_argument("--bench", default=str(HERE / "bench"), help="the built bench, which makes the folder of photos")
    parser.add_argument("--data", default=str(HERE / "data"))
    return parser.parse_args()


def folder(args, rows):
    """The folder of so many photos that the bench makes, or has made."""
    command = [args.bench, "spark-photos", args.data, args.photos, str(rows)]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


def kind(words):
    """What a process is to the report, by its command."""
    if "java" in os.path.basename(words[0]):
        return "java"
    if words[0].endswith("imgvec") and "serve" in words:
        return "server"
    if "pyspark.daemon" in words:
        return "python worker"
    return None


def resident(session):
    """The largest resident set of each kind of process of the session, in bytes."""
    largest = {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            if os.getsid(int(entry.name)) != session:
                continue
            words = pathlib.Path(entry.path, "cmdline").read_bytes().decode(errors="replace").split("\0")
            pages = int(pathlib.Path(entry.path, "statm").read_text().split()[1])
        except OSError:
            continue  # it has ended meanwhile
        name = kind(words)
        if name:
            largest[name] = max(largest.get(name, 0), pages * os.sysconf("SC_PAGE_SIZE"))
    return largest


def watch(peer):
    """Samples until the peer has answered; returns them and the answer."""
    os.set_blocking(peer.stdout.fileno(), False)
    samples = []
    while True:
        samples.append(resident(peer.pid))
        line = peer.stdout.readline()
        if line.startswith("{"):
            return samples, json.loads(line)
        if peer.poll() is not None:
            raise SystemExit("the job failed: see above")
        time.sleep(0.5)


def report(samples, answer):
    for name in ("python worker", "server", "java"):
        sizes = [sample[name] / 1e6 for sample in samples if name in sample]
        tenths = [statistics.median(sizes[i * len(sizes) // 10:(i + 1) * len(sizes) // 10]) for i in range(10)] if len(sizes) >= 10 else []
        line = {"process": name, "rows": answer["images"], "seconds": round(answer["seconds"], 1), "samples": len(sizes)}
        if tenths:
            line["mb_by_tenth"] = [round(size, 1) for size in tenths]
            line["last_to_second"] = round(tenths[-1] / tenths[1], 3)
        print(json.dumps(line), flush=True)


def main():
    args = arguments()
    warm, rows = folder(args, 16), folder(args, args.rows)
    os.environ.setdefault("IMGVEC_HOME", str(ROOT / "third_party"))
    command = [sys.executable, str(HERE / "peers" / "spark_featurize.py"), rows, "--warm", warm, "--model", args.model, "--imgvec", args.imgvec]
    for pair in CONF:
        command += ["--conf", pair]
    log = open(pathlib.Path(args.data) / "spark-memory.log", "w")
    with log, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True) as peer:
        while not peer.stdout.readline().startswith('{"ready"'):
            if peer.poll() is not None:
                raise SystemExit(f"the job did not start: see {log.name}")
        peer.stdin.write("go\n")
        peer.stdin.flush()
        samples, answer = watch(peer)
        peer.stdin.close()
    report(samples, answer)


if __name__ == "__main__":
    main()
