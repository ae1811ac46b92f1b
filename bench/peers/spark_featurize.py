"""imgvec.spark.featurize, its server warm. The sink is noop, which keeps nothing, or Parquet.

The answer to "go" has, beside the seconds, what the server read and wrote (bytes, sockets and all, from /proc).
"""
import os
import pathlib
import sys

import spark_rounds

ROOT = pathlib.Path(__file__).resolve().parents[2]


def servers():
    """The pids of the servers of this session's executor."""
    return [pid for pid, words in commands() if len(words) > 1 and words[0].endswith("imgvec") and words[1] == "serve"]


def commands():
    """(pid, words of the command) of every process of this session."""
    own = os.getsid(0)
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                if os.getsid(int(entry.name)) == own:
                    yield int(entry.name), pathlib.Path(entry.path, "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                pass  # it has ended meanwhile


class Traffic:
    """What the living servers have read and written since it was last asked."""

    def __init__(self):
        self.before = {}

    def since(self):
        now = {pid: counters(pid) for pid in servers()}
        moved = [sum(now[pid][i] - self.before.get(pid, (0, 0))[i] for pid in now) for i in range(2)]
        self.before = now
        return {"server_read_bytes": moved[0], "server_written_bytes": moved[1], "servers": len(now)}


def counters(pid):
    try:
        fields = dict(line.split(": ") for line in pathlib.Path(f"/proc/{pid}/io").read_text().splitlines())
    except OSError:
        return 0, 0
    return int(fields["rchar"]), int(fields["wchar"])


def main():
    args = spark_rounds.arguments(model="resnet50-random", sink="noop", imgvec=str(ROOT / "imgvec"))
    sys.path.insert(0, str(ROOT / "python"))
    spark, work = spark_rounds.session(args)
    from imgvec.spark import featurize

    out = os.path.join(work, "features")
    traffic = Traffic()

    def job(frame):
        traffic.since()
        features = featurize(frame, model=args.model, device="cpu", binary=os.path.abspath(args.imgvec))
        if args.sink == "noop":
            spark_rounds.drain(features)
        else:
            features.write.mode("overwrite").parquet(out)

    spark_rounds.serve(args, spark, job, traffic.since)


if __name__ == "__main__":
    main()
