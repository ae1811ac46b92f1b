#!/usr/bin/env python3
"""Writes model/testdata/presets_golden.json: SHA-256 of what the libraries make of pictures by their own configuration
files, for the tests that run where no library is.

    .cache/models-env/bin/python scripts/models/presets_golden.py > model/testdata/presets_golden.json

The files are those of presets_cases.py whose library resizes 8-bit pictures. The pictures are a few photos of the test
data, and pseudo-random ones of awkward shapes: a byte i of such a picture is the top byte of state i of the generator
x -> x * 6364136223846793005 + 1442695040888963407 (mod 2^64), beginning with the picture's number.
"""

import argparse
import hashlib
import importlib.metadata
import json
import os
import pathlib
import sys

import numpy as np
from PIL import Image

import presets_cases

ROOT = pathlib.Path(__file__).resolve().parents[2]
PHOTOS = pathlib.Path(os.environ.get("IMGVEC_TESTDATA", ROOT.parent / "shared" / "testdata")) / "photos"
NAMES = ["n01440764_tench.JPEG", "n01682714_American_chameleon.JPEG", "n01795545_black_grouse.JPEG"]
SHAPES = [(1, 1), (1, 40), (3, 2), (37, 53), (225, 224), (257, 301), (400, 31), (341, 256)]


def drawn(seed, w, h):
    state, out = seed, bytearray(w * h * 3)
    for i in range(len(out)):
        state = (state * 6364136223846793005 + 1442695040888963407) & (2**64 - 1)
        out[i] = state >> 56
    return Image.frombytes("RGB", (w, h), bytes(out))


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def main():
    pictures = {f"{w}x{h}": drawn(seed, w, h) for seed, (w, h) in enumerate(SHAPES)}
    pictures |= {name: Image.open(PHOTOS / name).convert("RGB") for name in NAMES}
    rows = []
    for case in presets_cases.all_cases():
        if case.domain != "uint8":
            continue
        crops = {n: digest(case.pixels(p)) for n, p in pictures.items() if not case.vanishes(*p.size)}
        tensor = case.tensor(pictures["257x301"])
        assert tensor.dtype == np.float32
        rows.append({"name": case.name, "files": case.files, "crops": crops, "tensor": digest(tensor)})
    versions = {p: importlib.metadata.version(p) for p in ("torchvision", "timm", "open_clip_torch", "transformers", "pillow")}
    made = "scripts/models/presets_golden.py with " + ", ".join(f"{p} {v}" for p, v in versions.items())
    sys.stdout.write('{\n"made_by": ' + json.dumps(made) + ',\n"cases": [\n' + ",\n".join(json.dumps(r) for r in rows) + "\n]\n}\n")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
