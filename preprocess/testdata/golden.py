"""Makes golden.json: SHA-256 of what Pillow's Image.resize makes of pseudo-random pictures.

    pip install pillow==13.0.0 && python golden.py

A picture's byte i is the top byte of state i of the generator x -> x * 6364136223846793005 + 1442695040888963407
(mod 2^64), beginning with the seed; the test makes the same bytes. The sizes cover both orders of the passes, sides that
keep their length, single pixels, large reductions and enlargements.
"""

import hashlib
import json
import random

from PIL import Image

FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
FIXED = [
    (500, 375, 341, 256), (375, 500, 256, 341), (300, 601, 256, 512), (300, 599, 256, 511), (64, 64, 224, 224),
    (1, 1, 7, 5), (1, 400, 3, 40), (400, 1, 40, 3), (33, 33, 33, 10), (33, 33, 10, 33), (2, 3000, 16, 256),
    (3000, 2, 300, 7), (50, 71, 30, 30), (50, 70, 30, 30), (97, 89, 97, 89), (20, 31, 50, 37), (3, 76, 9, 75), (1234, 3, 7, 3),
]


def picture(seed, w, h):
    state, out = seed, bytearray(w * h * 3)
    for i in range(len(out)):
        state = (state * 6364136223846793005 + 1442695040888963407) & (2**64 - 1)
        out[i] = state >> 56
    return Image.frombytes("RGB", (w, h), bytes(out))


def main():
    rng = random.Random(20260101)
    jobs = [(f, *size) for size in FIXED for f in FILTERS]
    for _ in range(150):
        side = rng.choice([8, 40, 200, 400])
        jobs.append((rng.choice(list(FILTERS)), *(rng.randint(1, side) for _ in range(4))))
    for _ in range(60):  # the filters that call sin and cos
        jobs.append((rng.choice(["hamming", "lanczos"]), *(rng.randint(100, 300) for _ in range(2)), *(rng.randint(50, 150) for _ in range(2))))
    rows = []
    for seed, (name, w, h, out_w, out_h) in enumerate(jobs):
        out = picture(seed, w, h).resize((out_w, out_h), FILTERS[name])
        rows.append([name, w, h, out_w, out_h, hashlib.sha256(out.tobytes()).hexdigest()])
    lines = ",\n".join(json.dumps(row) for row in rows)
    with open("golden.json", "w") as file:
        file.write('{"pillow": "%s", "jobs": [\n%s\n]}\n' % (Image.__version__, lines))


main()
