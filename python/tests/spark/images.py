"""Images for the tests: pictures that the binary draws, bytes that the test build trips over, tables of them, and the command's own features."""

import json
import os
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq

CRASH = b"IMGVEC-FAULT-CRASH"
HANG = b"IMGVEC-FAULT-HANG"


def slow(content, milliseconds):
    """Returns the image with a mark that makes the test build sleep before it decodes it. Decoders stop before what follows an image's end."""
    return content + b"IMGVEC-FAULT-SLEEP:%d\n" % milliseconds


def draw(binary, folder):
    """Has the binary draw its pictures; returns [(name, bytes)] of the JPEGs, sorted by name. They are small: 14 to 53 kB."""
    subprocess.run([binary, "setup", "--samples", folder], check=True, capture_output=True)
    found = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".jpg"):
            with open(os.path.join(folder, name), "rb") as file:
                found.append((name, file.read()))
    return found


def table(folder, contents, parts=4, extra=None):
    """Writes a Parquet data set with the columns id (int64, from 0), content (binary) and those of extra (a dict of arrays).

    contents is a list of bytes or None. The rows are cut into so many files, in order; sessions here make each file a partition.
    Returns the folder.
    """
    os.makedirs(folder, exist_ok=True)
    whole = pa.table({"id": pa.array(range(len(contents)), pa.int64()), "content": pa.array(contents, pa.binary()), **(extra or {})})
    size = -(-len(contents) // parts) if contents else 0
    for part in range(parts):
        rows = whole.slice(part * size, size) if size else whole
        pq.write_table(rows, os.path.join(folder, f"part-{part:03}.parquet"))
    return folder


def extract(binary, folder, out, model=None, *flags):
    """Runs `imgvec extract` on a folder; returns {file name: (features as a list of floats or None, error or None)}."""
    command = [binary, "extract", folder, "-o", out, "--device", "cpu", "--precision", "fp32", "--progress", "none", "--force", *flags]
    run = subprocess.run(command + (["--model", model] if model else []), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    rows = pq.read_table(out).to_pylist()
    identity = next(k for k in ("path", "id") if k in rows[0])
    return {os.path.basename(r[identity]): (r["features"], r.get("error")) for r in rows}


def difference(left, right):
    """Returns the largest absolute difference of two vectors of the same length."""
    assert len(left) == len(right), (len(left), len(right))
    return max(abs(a - b) for a, b in zip(left, right))


def version(binary):
    """Returns the dict that `imgvec version --json` prints."""
    return json.loads(subprocess.run([binary, "version", "--json"], check=True, capture_output=True, text=True).stdout)
