#!/usr/bin/env python3
"""Runs every kernel of csrc/kernels.ptx on the device and compares it with an implementation of its own: NumPy, and Pillow for the resize.

  kernels.py [--photos FOLDER] [--small] [--no-rates]        --small: a few numbers only, for the simulated driver and compute-sanitizer

Independent of the Go code on purpose: the driver is reached through ctypes, and what is right is computed here again.
Then the bandwidth of each kernel beside that of a copy on the device. Needs numpy and Pillow.
"""
import argparse
import glob
import json
import os
import sys

import numpy as np
from PIL import Image

from driver import Driver, DriverError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BLOCK, TEAM = 256, 128       # IMGVEC_BLOCK, IMGVEC_TEAM
BGR, TRANSPOSE, FLIP = 1, 2, 4
FRACTION = 22
DTYPES = {"f32": np.float32, "f16": np.float16, "u8": np.uint8}
MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
SEED = 20261122


def table(kind):
    """[3][256]: what each byte becomes, every step rounded to float32 as torchvision does it; of its own kind for u8."""
    if kind == "u8":
        return np.tile(np.arange(256, dtype=np.uint8), (3, 1))
    scaled = np.arange(256, dtype=np.float32) / np.float32(255)
    return ((scaled[None] - MEAN[:, None]) / STD[:, None]).astype(DTYPES[kind])


def looked_up(pixels, kind, layout, channels, bgr):
    """uint8 [n][p][3] as the model's input [n][channels][p] or [n][p][channels]."""
    t = table(kind)
    out = np.zeros((*pixels.shape[:2], channels), DTYPES[kind])
    for c in range(3):
        out[:, :, 2 - c if bgr else c] = t[c][pixels[:, :, c]]
    return out if layout == "nhwc" else np.ascontiguousarray(out.transpose(0, 2, 1))


def axis(source, count, lo, n, weights):
    """imgvec_lanes: the header, the windows, the weights in groups of four by output pixel."""
    groups = -(-max(n) // 4)
    k = np.zeros((groups, count, 4), np.int32)
    for i, w in enumerate(weights):
        for t, v in enumerate(w):
            k[t // 4, i, t % 4] = v
    at_n = 32 + 4 * count
    at_k = -(-(at_n + 4 * count) // 16) * 16
    head = np.array([count, groups, min(lo), max(a + b for a, b in zip(lo, n)), 32, at_n, at_k, 0], np.int32)
    blob = np.zeros(at_k + k.nbytes, np.uint8)
    for at, part in ((0, head), (32, np.array(lo, np.int32)), (at_n, np.array(n, np.int32)), (at_k, k)):
        blob[at:at + part.nbytes] = part.reshape(-1).view(np.uint8)
    return blob


def bilinear(source, count):
    """Pillow's windows and integer weights for a bilinear resize of one axis."""
    scale = source / count
    wide = max(scale, 1.0)
    lo, n, weights = [], [], []
    for i in range(count):
        centre = (i + 0.5) * scale
        first, last = max(int(centre - wide + 0.5), 0), min(int(centre + wide + 0.5), source)
        w = [max(1 - abs((x - centre + 0.5) / wide), 0.0) for x in range(first, last)]
        total = sum(w)
        lo.append(first), n.append(last - first)
        weights.append([int(v / total * (1 << FRACTION) + (0.5 if v >= 0 else -0.5)) for v in w])
    return axis(source, count, lo, n, weights)


class Check:
    def __init__(self, args):
        self.args, self.gpu = args, Driver()
        with open(os.path.join(ROOT, "csrc", "kernels.ptx"), "rb") as f:
            self.module = self.gpu.load(f.read() + b"\0")
        self.random = np.random.default_rng(SEED)
        self.worst = {}

    def figure(self, name, value, unit="", **more):
        if self.gpu.simulated:
            more["simulated"] = True
        print(json.dumps({"figure": name, "value": value, "unit": unit, **more}), flush=True)

    def grid(self, threads, block):
        return max(1, min(-(-threads // block), self.gpu.sms * 16))

    def run(self, name, work, sources, out_shape, out_kind, parameters):
        """Launches one kernel over poisoned output and gives the output. parameters: of the addresses (out, then sources)."""
        block = TEAM if name.startswith(("resample_h", "l2norm")) else BLOCK
        out = np.dtype(DTYPES[out_kind])
        size = int(np.prod(out_shape)) * out.itemsize
        places = [self.gpu.alloc(size)] + [self.gpu.up(s) for s in sources]
        self.gpu.fill(places[0], 0xAB, size)
        self.gpu.launch(self.gpu.kernel(self.module, name), self.grid(work, block), block, *parameters(*places))
        got = self.gpu.down(places[0], out_shape, out)
        for p in places:
            self.gpu.free(p)
        return got

    def compare(self, name, case, got, want, ulp=0):
        """Counts elements that differ; NaNs are equal to each other, and ulp allows so many units of the last place."""
        if ulp and got.dtype == np.float32:
            away = np.abs(got.view(np.int32).astype(np.int64) - want.view(np.int32))
            bad = int((away > ulp).sum())
        else:
            same = got.view(f"u{got.itemsize}") == want.view(f"u{want.itemsize}")
            if got.dtype.kind == "f":
                same |= np.isnan(got) & np.isnan(want)
            bad = int((~same).sum())
        total = self.worst.setdefault(name, [0, 0, 0, ""])
        total[0] += bad
        total[1] += got.size
        total[2] += 1
        if bad and not total[3]:
            total[3] = f"first in {case}"

    def normalize(self):
        shapes = [(1, 1, 3), (2, 63, 3), (3, 35, 4)] if self.args.small else [(1, 1, 3), (3, 63, 3), (5, 224 * 224, 3), (7, 224 * 224, 4), (3, 225 * 223, 8)]
        for kind in DTYPES:
            for layout in ("nchw", "nhwc"):
                name = f"normalize_u8nhwc_to_{kind}{layout}"
                for n, pixels, channels in shapes:
                    for bgr in (0, 1):
                        src = self.random.integers(0, 256, (n, pixels, 3), np.uint8)
                        want = looked_up(src, kind, layout, channels, bgr)
                        got = self.run(name, n * pixels, [src, table(kind)], want.shape, kind, lambda d, s, t: (d, s, t, n, pixels, channels, bgr))
                        self.compare(name, f"n={n} pixels={pixels} channels={channels} bgr={bgr}", got, want)

    def features(self):
        halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
        got = self.run("convert_f16_to_f32", halves.size, [halves], halves.shape, "f32", lambda d, s: (d, s, halves.size))
        self.compare("convert_f16_to_f32", "all halves", got, halves.astype(np.float32))
        for kind in ("f32", "f16"):
            name = f"l2norm_{kind}_to_f32"
            for rows, dim in ((1, 1), (5, 33), (3, 2048)) if self.args.small else ((1, 1), (5, 33), (130, 1280), (257, 2048)):
                src = self.random.standard_normal((rows, dim)).astype(DTYPES[kind])
                src[rows // 2] = 0
                length = np.sqrt((src.astype(np.float64) ** 2).sum(1, keepdims=True))
                want = (src.astype(np.float64) / np.where(length == 0, 1, length)).astype(np.float32)
                got = self.run(name, rows * TEAM, [src], src.shape, "f32", lambda d, s: (d, s, rows, dim))
                self.compare(name, f"{rows}x{dim}", got, want, ulp=2)

    def pictures(self):
        """A few photos, cut where the simulated driver or the sanitizer would take long, and one picture of noise."""
        found = sorted(glob.glob(os.path.join(self.args.photos or "", "*.[jJ][pP]*[gG]")))[:2 if self.args.small else 12] if self.args.photos else []
        pictures = [np.asarray(Image.open(p).convert("RGB")) for p in found] + [self.random.integers(0, 256, (97, 131, 3), np.uint8)]
        return [p[:60, :77] for p in pictures] if self.args.small else pictures

    def resample(self):
        for number, picture in enumerate(self.pictures()):
            h, w = picture.shape[:2]
            for out_w, out_h in ((29, 31),) if self.args.small else ((224, 224), (298, 256), (61, 500)):
                case = f"picture {number}, {w}x{h} to {out_w}x{out_h}"
                pil = Image.fromarray(picture)
                wide = np.asarray(pil.resize((out_w, h), Image.Resampling.BILINEAR))
                whole = np.asarray(pil.resize((out_w, out_h), Image.Resampling.BILINEAR))
                x, y = bilinear(w, out_w), bilinear(h, out_h)
                got = self.run("resample_h_u8nhwc_to_u8nhwc", h * out_w, [picture, x], wide.shape, "u8",
                               lambda d, s, a: (d, s, a, out_w * 3, w * 3, 3, 0, h))
                self.compare("resample_h_u8nhwc_to_u8nhwc", case, got, wide)
                got = self.run("resample_v_u8nhwc_to_u8nhwc", out_w * out_h, [wide, y], whole.shape, "u8",
                               lambda d, s, a: (d, s, a, out_w * 3, out_w * 3, 3, 0, out_w))
                self.compare("resample_v_u8nhwc_to_u8nhwc", case, got, whole)
                for kind in ("f32", "f16"):
                    for layout in ("nchw", "nhwc"):
                        self.last_passes(kind, layout, case, picture, wide, whole, x, y)

    def last_passes(self, kind, layout, case, picture, wide, whole, x, y):
        """The second pass with the look-up in it, down the columns, and along the rows where that is the only one."""
        h, w, (out_h, out_w) = picture.shape[0], picture.shape[1], whole.shape[:2]
        for flags, channels in ((0, 3), (BGR, 4)):
            for name, source, lanes, image, stride, lines in (("v", wide, y, whole, out_w * 3, out_w), ("h", picture, x, wide, w * 3, h)):
                rows, columns = image.shape[:2]
                want = looked_up(image.reshape(1, -1, 3), kind, layout, channels, bool(flags & BGR))
                kernel = f"resample_{name}_u8nhwc_to_{kind}{layout}"
                got = self.run(kernel, rows * columns, [source, lanes, table(kind)], want.shape, kind,
                               lambda d, s, a, t: (d, s, a, t, stride, 3, 0, lines, columns, rows * columns, channels, flags))
                self.compare(kernel, f"{case} flags={flags}", got, want)

    def copy_rate(self, size):
        a, b = self.gpu.alloc(size), self.gpu.alloc(size)
        rate = 2 * size / self.gpu.seconds(lambda: self.gpu.copy(b, a, size)) / 1e9
        self.gpu.free(a), self.gpu.free(b)
        return rate

    def rates(self):
        """Bytes read and written a second, and their share of a copy of as many."""
        n, pixels = (2, 64) if self.args.small else (1024, 224 * 224)
        src = self.gpu.up(self.random.integers(0, 256, (n, pixels, 3), np.uint8))
        out = self.gpu.alloc(n * pixels * 3 * 4)
        least = 0 if self.args.small else 0.1
        copy = self.copy_rate(n * pixels * 3 * 2)
        self.figure("copy on the device", round(copy, 1), "GB/s")
        jobs = []
        for kind in DTYPES:
            tables = self.gpu.up(table(kind))
            for layout in ("nchw", "nhwc"):
                moved = n * pixels * 3 * (1 + np.dtype(DTYPES[kind]).itemsize)
                jobs.append((f"normalize_u8nhwc_to_{kind}{layout}", n * pixels // 4, moved, (out, src, tables, n, pixels, 3, 0), 0.5))
        count = n * pixels * 3 // 2
        jobs.append(("convert_f16_to_f32", count // 4, count * 6, (out, src, count), 0.5))
        dim = min(2048, count)
        rows = count // dim
        jobs.append(("l2norm_f16_to_f32", rows * TEAM, rows * dim * 6, (out, src, rows, dim), None))
        for name, work, moved, parameters, share in jobs:
            block = TEAM if name.startswith("l2norm") else BLOCK
            kernel = self.gpu.kernel(self.module, name)
            rate = moved / self.gpu.seconds(lambda: self.gpu.launch(kernel, self.grid(work, block), block, *parameters), least) / 1e9
            self.figure(f"{name}", round(rate, 1), "GB/s", share_of_copy=round(rate / copy, 3), note=f"{rate / copy:.0%} of the copy")
            if share and not self.args.small:
                self.figure(f"{name}: share of the copy", round(rate / copy, 3), min=share, speed=True)

    def resample_rate(self):
        """Both passes of one 500x375 photo to 224x224, many in a row: pictures a second."""
        h, w, out = 375, 500, 224
        src, x, y = self.gpu.up(self.random.integers(0, 256, (h, w, 3), np.uint8)), self.gpu.up(bilinear(w, out)), self.gpu.up(bilinear(h, out))
        mid, dst, tables = self.gpu.alloc(h * out * 3), self.gpu.alloc(out * out * 3 * 2), self.gpu.up(table("f16"))
        first, second = self.gpu.kernel(self.module, "resample_h_u8nhwc_to_u8nhwc"), self.gpu.kernel(self.module, "resample_v_u8nhwc_to_f16nchw")
        def one():
            self.gpu.launch(first, self.grid(h * out, TEAM), TEAM, mid, src, x, out * 3, w * 3, 3, 0, h)
            self.gpu.launch(second, self.grid(out * out, BLOCK), BLOCK, dst, mid, y, tables, out * 3, 3, 0, out, out, out * out, 3, 0)
        self.figure("resize 500x375 to 224x224, one stream", round(1 / self.gpu.seconds(one, 0 if self.args.small else 0.1)), "img/s")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--photos"), p.add_argument("--small", action="store_true"), p.add_argument("--no-rates", action="store_true")
    args = p.parse_args()
    try:
        check = Check(args)
    except (OSError, DriverError) as e:
        print(json.dumps({"figure": "kernels", "value": str(e), "ok": False}))
        return 1
    check.figure("device", check.gpu.name, note=f"CUDA {check.gpu.version // 1000}.{check.gpu.version % 1000 // 10}, {check.gpu.sms} SMs")
    for step in (check.normalize, check.features, check.resample):
        step()
    for name, (bad, elements, cases, note) in sorted(check.worst.items()):
        check.figure(f"{name}: differ", bad, f"of {elements}", max=0, cases=cases, note=note)
    if not args.no_rates:
        check.rates()
        check.resample_rate()
    return 1 if any(bad for bad, *_ in check.worst.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
