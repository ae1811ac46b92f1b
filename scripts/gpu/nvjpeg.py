#!/usr/bin/env python3
"""nvJPEG through ctypes: how many hardware engines there are, what they decode a second, and how far their pixels are from Pillow's.

  nvjpeg.py --photos FOLDER [--library FILE] [--torch] [--images N] [--engines-only] [--dry]

For each backend (hardware engines, GPU with CUDA, hybrid) with and without interpolated chroma upsampling: photos that it
takes, rate, pixels and 224x224 crops compared with Pillow's. Memory and copies are PyTorch's. Needs numpy, Pillow, torch.
--torch: also torchvision's own decoder, as another user of the library.
"""
import argparse
import ctypes as c
import ctypes.util
import glob
import json
import os
import sys
import time

import numpy as np

BACKENDS = {"hardware": 3, "GPU": 2, "hybrid": 1}
INTERPOLATE = 1 << 5
RGB = 5  # interleaved
SUBSAMPLING = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0", 3: "4:4:0", 4: "4:1:1", 5: "4:1:0", 6: "gray", -1: "unknown"}
BATCH = 64


class Image(c.Structure):
    _fields_ = [("channel", c.c_void_p * 4), ("pitch", c.c_size_t * 4)]


class NvjpegError(Exception):
    pass


def figure(name, value, unit="", **more):
    print(json.dumps({"figure": name, "value": round(value, 5) if isinstance(value, float) else value, "unit": unit, **more}), flush=True)


def libraries(explicit):
    """Where the library may be, best first: named, by the loader, in Python's packages, in a toolkit."""
    if explicit:
        return [explicit]
    found = ["libnvjpeg.so.13", "libnvjpeg.so.12", ctypes.util.find_library("nvjpeg") or "libnvjpeg.so"]
    for folder in sys.path:
        found += sorted(glob.glob(os.path.join(folder, "nvidia", "*", "lib", "libnvjpeg.so*")) + glob.glob(os.path.join(folder, "torchvision.libs", "libnvjpeg*")))
    return found + sorted(glob.glob("/usr/local/cuda*/lib64/libnvjpeg.so*"))


def load(explicit):
    problems = []
    for path in libraries(explicit):
        try:
            return c.CDLL(path), path
        except OSError as e:
            problems.append(str(e))
    raise NvjpegError("no nvJPEG library: " + "; ".join(problems)[:300])


class Decoder:
    def __init__(self, lib, backend, flags):
        self.lib, self.handle, self.state, self.stream = lib, c.c_void_p(), c.c_void_p(), c.c_void_p()
        self.call("nvjpegCreateEx", c.c_int(backend), None, None, c.c_uint(flags), c.byref(self.handle))
        self.call("nvjpegJpegStateCreate", self.handle, c.byref(self.state))
        self.call("nvjpegJpegStreamCreate", self.handle, c.byref(self.stream))

    def call(self, name, *args):
        if code := getattr(self.lib, name)(*args):
            raise NvjpegError(f"{name}: status {code}")

    def engines(self):
        n, cores = c.c_uint(), c.c_uint()
        self.call("nvjpegGetHardwareDecoderInfo", self.handle, c.byref(n), c.byref(cores))
        return n.value, cores.value

    def info(self, data):
        """Width, height, chroma subsampling, and whether this backend takes the photo in a batch."""
        components, kind = c.c_int(), c.c_int()
        widths, heights, fits = (c.c_int * 4)(), (c.c_int * 4)(), c.c_int(1)
        self.call("nvjpegGetImageInfo", self.handle, data, c.c_size_t(len(data)), c.byref(components), c.byref(kind), widths, heights)
        self.call("nvjpegJpegStreamParse", self.handle, data, c.c_size_t(len(data)), c.c_int(0), c.c_int(0), self.stream)
        self.call("nvjpegDecodeBatchedSupported", self.handle, self.stream, c.byref(fits))
        return widths[0], heights[0], SUBSAMPLING.get(kind.value, str(kind.value)), fits.value == 0

    def start(self, batch, threads):
        self.call("nvjpegDecodeBatchedInitialize", self.handle, self.state, c.c_int(batch), c.c_int(threads), c.c_int(RGB))

    def decode(self, batch, tensors, stream):
        data = (c.c_char_p * len(batch))(*batch)
        lengths = (c.c_size_t * len(batch))(*map(len, batch))
        images = (Image * len(batch))()
        for image, t in zip(images, tensors):
            image.channel[0], image.pitch[0] = t.data_ptr(), t.shape[1] * 3
        self.call("nvjpegDecodeBatched", self.handle, self.state, data, lengths, images, c.c_void_p(stream))

    def close(self):
        self.lib.nvjpegJpegStreamDestroy(self.stream)
        self.lib.nvjpegJpegStateDestroy(self.state)
        self.lib.nvjpegDestroy(self.handle)


def crop(pixels):
    """The usual 224x224 crop, by Pillow: the shorter side to 256, then the middle."""
    from PIL import Image as P
    image = P.fromarray(pixels)
    scale = 256 / min(image.size)
    w, h = (256, int(256 * image.height / image.width)) if image.width <= image.height else (int(256 * image.width / image.height), 256)
    image = image.resize((w, h), P.Resampling.BILINEAR)
    left, top = round((w - 224) / 2), round((h - 224) / 2)
    return np.asarray(image.crop((left, top, left + 224, top + 224))).astype(np.int16)


def cosine(a, b):
    a, b = (x.astype(np.float64).ravel() - 116 for x in (a, b))
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def exactness(name, taken, pictures, tensors):
    from PIL import Image as P
    import io
    worst, equal, total, crops_equal, crop_worst, cosines, means = 0, 0, 0, 0, 0, [], []
    for data, t in zip(taken, tensors):
        want = np.asarray(P.open(io.BytesIO(data)).convert("RGB")).astype(np.int16)
        got = t.cpu().numpy()
        away = np.abs(got.astype(np.int16) - want)
        worst, equal, total = max(worst, int(away.max())), equal + int((away == 0).sum()), total + away.size
        a, b = crop(got), crop(want.astype(np.uint8))
        away = np.abs(a - b)
        crops_equal += int(away.max() == 0)
        crop_worst = max(crop_worst, int(away.max()))
        means.append(float(away.mean()))
        cosines.append(cosine(a, b))
    figure(f"{name}: bytes equal to Pillow's", equal / total, note=f"worst difference {worst}")
    figure(f"{name}: 224x224 crops, least cosine", min(cosines), note=f"{crops_equal} of {len(taken)} equal, worst byte {crop_worst}, mean {np.mean(means):.3f}")
    return min(cosines)


def measure(lib, torch, backend, interpolate, photos, images):
    """One backend with one kind of upsampling: takes, rate, exactness. Gives the rate and the least cosine."""
    name = f"{backend}, {'interpolated' if interpolate else 'nearest'}"
    decoder = Decoder(lib, BACKENDS[backend], INTERPOLATE if interpolate else 0)
    try:
        infos = [decoder.info(p) for p in photos]
        taken = [(p, i) for p, i in zip(photos, infos) if i[3]]
        kinds = {k: sum(i[2] == k for i in infos) for k in {i[2] for i in infos}}
        figure(f"{name}: photos taken", len(taken), f"of {len(photos)}", note=", ".join(f"{n} {k}" for k, n in sorted(kinds.items())))
        if not taken:
            return None
        stream = torch.cuda.current_stream().cuda_stream
        batches = [taken[i:i + BATCH] for i in range(0, len(taken), BATCH)]
        work = [([p for p, _ in b], [torch.empty((h, w, 3), dtype=torch.uint8, device="cuda") for _, (w, h, _, _) in b]) for b in batches]

        def once():
            for data, tensors in work:
                decoder.start(len(data), os.cpu_count() or 1)
                decoder.decode(data, tensors, stream)
        once()
        torch.cuda.synchronize()
        rounds = []
        for _ in range(5):
            started, n = time.perf_counter(), 0
            while n < images:
                once()
                torch.cuda.synchronize()
                n += len(taken)
            rounds.append(n / (time.perf_counter() - started))
        rate = sorted(rounds)[2]
        figure(f"{name}: rate, one state", rate, "img/s", note=f"{min(rounds):.0f} to {max(rounds):.0f}, batches of {BATCH}")
        return rate, exactness(name, [p for p, _ in taken], infos, [t for _, ts in work for t in ts])
    finally:
        decoder.close()


def by_torchvision(torch, photos, images):
    from torchvision.io import ImageReadMode, decode_jpeg
    raw = [torch.frombuffer(bytearray(p), dtype=torch.uint8) for p in photos]
    many = raw * max(1, images // len(raw))
    decode_jpeg(many, mode=ImageReadMode.RGB, device="cuda")
    torch.cuda.synchronize()
    started = time.perf_counter()
    decode_jpeg(many, mode=ImageReadMode.RGB, device="cuda")
    torch.cuda.synchronize()
    figure("torchvision decode_jpeg on the GPU", len(many) / (time.perf_counter() - started), "img/s")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--photos", required=True), p.add_argument("--library"), p.add_argument("--torch", action="store_true")
    p.add_argument("--images", type=int, default=3000), p.add_argument("--engines-only", action="store_true")
    p.add_argument("--dry", action="store_true", help="there is no GPU: try as much as can be tried without")
    args = p.parse_args()
    try:
        lib, path = load(args.library)
        decoder = Decoder(lib, BACKENDS["hardware"], 0)
        engines, cores = decoder.engines()
        figure("nvJPEG hardware engines", engines, note=f"{cores} cores each, {os.path.basename(path)}", min=1)
        decoder.close()
    except (NvjpegError, AttributeError) as e:
        if args.dry:
            figure("nvJPEG hardware engines", "none", skip=f"needs a GPU: {e}")
            return 0
        figure("nvJPEG hardware engines", str(e), ok=False)
        if args.engines_only or "library" in str(e):
            return 1
    if args.engines_only:
        return 0
    import torch
    if not torch.cuda.is_available():
        figure("nvJPEG decoding", "PyTorch sees no GPU", ok=False)
        return 1
    torch.cuda.init()
    photos = [open(f, "rb").read() for f in sorted(glob.glob(os.path.join(args.photos, "*.[jJ][pP]*[gG]")))]
    best = {}
    for backend in BACKENDS:
        for interpolate in (True, False):
            try:
                best[backend, interpolate] = measure(lib, torch, backend, interpolate, photos, args.images)
            except (NvjpegError, AttributeError, RuntimeError) as e:
                figure(f"{backend}, {'interpolated' if interpolate else 'nearest'}", str(e)[:150], ok=False if backend == "hardware" else None)
    hardware = best.get(("hardware", True))
    figure("hardware with interpolation: close to Pillow", round(hardware[1], 6) if hardware else "not measured", min=0.9999)
    if args.torch:
        try:
            by_torchvision(torch, photos, args.images)
        except Exception as e:
            figure("torchvision decode_jpeg on the GPU", str(e)[:150])
    return 0


if __name__ == "__main__":
    sys.exit(main())
