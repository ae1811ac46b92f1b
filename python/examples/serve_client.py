#!/usr/bin/env python3
"""A whole client of `imgvec serve` in forty lines: python3 serve_client.py SOCKET PHOTO... Needs pyarrow only."""

import json
import socket
import sys

import pyarrow as pa

WINDOW = 4  # batches that may be unanswered; the server holds as many, so writing can't get stuck
ROWS = 16


def batches(paths):
    """The files' bytes, some at a time."""
    for i in range(0, len(paths), ROWS):
        images = [open(path, "rb").read() for path in paths[i : i + ROWS]]
        yield pa.record_batch({"image": pa.array(images, pa.large_binary())})


def features(path, paths):
    """Yields for each batch sent the one that answers it: features, error, width, height, a row an image."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(600)  # a dead peer is an error of its own; this is for one that hangs
        sock.connect(path)
        hello = {"protocol": 1, "request": "extract", "input": "binary", "window": {"batches": WINDOW, "bytes": 256 << 20}}
        sock.sendall(json.dumps(hello).encode() + b"\n")
        lines = sock.makefile("rb")
        reply = json.loads(lines.readline())
        if not reply["ok"]:
            raise RuntimeError(f"{reply['code']}: {reply['error']}")
        print("model", reply["about"]["model"], "on", reply["about"]["device"], file=sys.stderr)
        answers, unanswered = None, 0
        out = sock.makefile("wb")
        with pa.ipc.new_stream(out, pa.schema([("image", pa.large_binary())])) as images:
            for batch in batches(paths):
                if unanswered == WINDOW:
                    answers = answers or pa.ipc.open_stream(lines)
                    yield answers.read_next_batch()
                    unanswered -= 1
                images.write_batch(batch)
                out.flush()
                unanswered += 1
        out.flush()  # with the end of the stream
        answers = answers or pa.ipc.open_stream(lines)
        yield from answers
        trailer = json.loads(lines.readline())
        if not trailer["ok"]:  # "stopping": send the rest to another server
            raise RuntimeError(f"{trailer['code']}: {trailer['error']}")


if __name__ == "__main__":
    names = iter(sys.argv[2:])
    for answer in features(sys.argv[1], sys.argv[2:]):
        for row in answer.to_pylist():
            print(next(names), row["error"] or f"{len(row['features'])} values of {row['width']} x {row['height']}")
