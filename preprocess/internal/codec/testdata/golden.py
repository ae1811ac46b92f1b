"""Makes golden.tar.gz: small pictures of every kind that the decoders know, and golden.json: what Pillow makes of them.

    pip install pillow==13.0.0 numpy && python golden.py

The pictures are drawn here, from fixed seeds; PNG, BMP, GIF, WebP containers and TIFF are put together by hand where
Pillow would not write the kind. For JPEG, Pillow's pixels stand beside the file as PNG, since decoders may differ by a
few levels.
"""

import gzip
import hashlib
import io
import json
import os
import random
import struct
import tarfile
import warnings
import zlib

import numpy as np
import PIL
from PIL import Image

warnings.simplefilter("ignore")
rng = np.random.default_rng(7)
rnd = random.Random(7)
files = {}


def noise(n):
    """n bytes of four values: random enough, and the archive stays small."""
    return rng.choice(rng.integers(0, 256, 4, dtype=np.uint8), n).tobytes()


def texture(h, w, c=3):
    y, x = np.mgrid[0:h, 0:w]
    a = [(np.sin(x / 3 + i) + np.cos(y / 5 + 2 * i)) * 60 + 128 + rng.normal(0, 12, (h, w)) for i in range(c)]
    return np.clip(np.stack(a, -1), 0, 255).astype(np.uint8)


def saved(im, kind, **options):
    b = io.BytesIO()
    im.save(b, kind, **options)
    return b.getvalue()


# ---------------------------------------------------------------- PNG

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
MAGIC = b"\x89PNG\r\n\x1a\n"


def ihdr(w, h, depth, colour, interlace):
    return MAGIC + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, interlace))


def png(w, h, depth, colour, interlace=0, split=None, before=b"", after=b"", palette=None, spoil=False):
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]

    def rows(pw, ph):
        return b"".join(bytes([rnd.randrange(5)]) + noise((pw * bits + 7) // 8) for _ in range(ph))

    raw = rows(w, h)
    if interlace:
        sizes = [((w - x + dx - 1) // dx, (h - y + dy - 1) // dy) for x, y, dx, dy in ADAM7]
        raw = b"".join(rows(pw, ph) for pw, ph in sizes if pw > 0 and ph > 0)
    z = zlib.compress(raw)
    if spoil:
        z = z[:-4] + b"\1\2\3\4"
    if colour == 3 and palette is None:
        palette = noise(3 * min(1 << depth, 200))
    split = split or len(z)
    data = b"".join(chunk(b"IDAT", z[i:i + split]) for i in range(0, len(z), split))
    return ihdr(w, h, depth, colour, interlace) + before + (chunk(b"PLTE", palette) if palette else b"") + data + after + chunk(b"IEND", b"")


def make_png():
    for colour, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items():
        for depth in depths:
            for interlace in (0, 1):
                files[f"png/{colour}-{depth}-{interlace}.png"] = png(11, 9, depth, colour, interlace, rnd.choice([None, 60]))
    exif = Image.Exif()
    exif[274] = 6
    exif = exif.tobytes()
    xmp = b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta><rdf tiff:Orientation=\"8\"/></x:xmpmeta>"
    raw = b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n%8d\n%s\n" % (len(exif), exif.hex().encode()))
    bomb = b"x\0\0" + zlib.compress(bytes(1 << 21))
    add = {
        "exif": dict(before=chunk(b"eXIf", exif[6:])), "exif-behind": dict(after=chunk(b"eXIf", exif[6:])),
        "xmp": dict(before=chunk(b"iTXt", xmp)), "raw-profile": dict(before=chunk(b"zTXt", raw)),
        "exif-and-xmp": dict(before=chunk(b"eXIf", exif[6:]), after=chunk(b"iTXt", xmp)),
        "exif-nonsense": dict(before=chunk(b"eXIf", b"nonsense")), "text-bomb": dict(before=chunk(b"zTXt", bomb)),
        "text-bomb-behind": dict(after=chunk(b"zTXt", bomb)), "bad-sum": dict(spoil=True),
        "gama-short": dict(before=chunk(b"gAMA", b"x")), "icc-bad": dict(before=chunk(b"iCCP", b"x\0\1")),
        "trns-short": dict(before=chunk(b"tRNS", b"\5")), "unknown": dict(before=chunk(b"abCd", b"xyz")),
    }
    for name, options in add.items():
        files[f"png/{name}.png"] = png(9, 5, 8, 2, **options)
    files["png/bad-sum-later.png"] = png(9, 5, 8, 2, spoil=True, split=150)
    files["png/no-palette.png"] = png(9, 5, 4, 3, palette=b"")
    files["png/odd-palette.png"] = png(9, 5, 4, 3, palette=b"1234567")
    row = [b"\0" + bytes([i * 9] * 30) for i in range(10)]
    for name, data in {"rows-missing": b"".join(row[:7]), "row-cut": b"".join(row[:7]) + b"\0abc", "no-rows": b"", "rows-too-many": b"".join(row) + bytes(99)}.items():
        files[f"png/{name}.png"] = ihdr(10, 10, 8, 2, 0) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    z = zlib.compress(b"".join(row[:7]))
    files["png/rows-missing-split.png"] = ihdr(10, 10, 8, 2, 0) + chunk(b"IDAT", z[:-4]) + chunk(b"IDAT", z[-4:]) + chunk(b"IEND", b"")
    sound = png(10, 10, 8, 2)
    files["png/bad-crc.png"] = sound[:29] + b"abcd" + sound[33:]
    files["png/bad-crc-data.png"] = sound[:-16] + b"abcd" + sound[-12:]
    files["png/cut-behind.png"] = png(10, 10, 8, 2, split=100, after=chunk(b"IDAT", b"x" * 40))[:-30]
    files["png/exif-nonsense-and-xmp.png"] = png(9, 5, 8, 2, before=chunk(b"eXIf", b"nonsense"), after=chunk(b"iTXt", xmp))
    whole = png(10, 10, 8, 2, split=100, after=chunk(b"tEXt", b"a\0b"))
    for cut in (4, 12, 14, 20, 30, 60, 200):
        files[f"png/cut-{cut}.png"] = whole[:-cut]

    def control(n, w, h, x, y):
        return chunk(b"fcTL", struct.pack(">IIIIIHHBB", n, w, h, x, y, 1, 1, 0, 0))

    small = zlib.compress(b"".join(b"\0" + bytes([i * 20] * 15) for i in range(4)))
    count = chunk(b"acTL", struct.pack(">II", 2, 0))
    end = chunk(b"fdAT", struct.pack(">I", 2) + small) + chunk(b"IEND", b"")
    files["png/animated.png"] = ihdr(10, 10, 8, 2, 0) + count + control(0, 5, 4, 2, 3) + chunk(b"IDAT", small) + control(1, 5, 4, 0, 0) + end
    files["png/animated-outside.png"] = ihdr(10, 10, 8, 2, 0) + count + control(0, 10, 10, 1, 0) + chunk(b"IDAT", small) + end


# ---------------------------------------------------------------- BMP

def bmp(w, h, bits, compression=0, header=40, down=False, palette=None, masks=None, data=None, colours=0, offset=None):
    if data is None:
        data = noise((w * bits + 31) // 32 * 4 * h)
    if header == 12:
        head = struct.pack("<IHHHH", 12, w, h, 1, bits)
    else:
        head = struct.pack("<IIiHHIIiiII", header, w, -h if down else h, 1, bits, compression, len(data), 2835, 2835, colours, 0)
        words = b"".join(struct.pack("<I", m) for m in masks or (0, 0, 0, 0))
        if header > 40:
            head += words[:min(16, header - 40)]
            head += bytes(header - len(head))
        elif masks:
            head += words[:12]
    if palette is None and bits <= 8:
        palette = noise((colours or 1 << bits) * (3 if header == 12 else 4))
    head += palette or b""
    if offset is None:
        offset = 14 + len(head)
    return b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset) + head + data


def make_bmp():
    for bits in (1, 4, 8, 16, 24, 32):
        files[f"bmp/{bits}.bmp"] = bmp(7, 5, bits)
        files[f"bmp/{bits}-os2.bmp"] = bmp(7, 5, bits, header=12)
        files[f"bmp/{bits}-down-v5.bmp"] = bmp(7, 5, bits, header=124, down=True)
    known = [(32, (0xFF0000, 0xFF00, 0xFF, 0)), (32, (0xFF000000, 0xFF0000, 0xFF00, 0)), (32, (0xFF000000, 0xFF00, 0xFF, 0)),
             (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)), (32, (0xFF000000, 0xFF00, 0xFF, 0xFF0000)), (32, (1, 2, 4, 8)),
             (16, (0xF800, 0x7E0, 0x1F, 0)), (16, (0x7C00, 0x3E0, 0x1F, 0)), (24, (0xFF0000, 0xFF00, 0xFF, 0))]
    for i, (bits, masks) in enumerate(known):
        files[f"bmp/masks-{i}.bmp"] = bmp(7, 5, bits, 3, header=(40, 56, 124)[i % 3], masks=masks)
    gray = b"".join(bytes([i, i, i, 0]) for i in range(256))
    files["bmp/gray.bmp"] = bmp(7, 5, 8, palette=gray)
    files["bmp/black-white.bmp"] = bmp(9, 5, 1, palette=bytes(4) + b"\xff\xff\xff\0")
    files["bmp/black-white-8.bmp"] = bmp(9, 5, 8, palette=bytes(4) + b"\xff\xff\xff\0", colours=2)
    files["bmp/few-colours.bmp"] = bmp(7, 5, 8, colours=10)
    files["bmp/many-colours.bmp"] = bmp(7, 5, 8, colours=300)
    files["bmp/no-offset.bmp"] = bmp(7, 5, 8, colours=10, offset=0)
    for cut in (1, 3, 4):
        files[f"bmp/cut-{cut}.bmp"] = bmp(7, 5, 24)[:-cut]
    run = {"rle8": (1, 8, b"\3\1\0\4abcd\1\2\0\0\5\7\0\3xyz\0\0\0\2\1\1\4\x09\0\0\10\2\0\1"), "rle4": (2, 4, b"\5\x12\3\x34\0\0\0\4\x12\x34\4\x7f\0\0\10\1\0\0\10\2\0\1"),
           "rle-over": (1, 8, b"\x09\1\0\0\x09\2\0\0\x09\3\0\0\x09\4\0\1"), "rle-short": (1, 8, b"\3\1\0\1"), "rle-no-end": (1, 8, b"\10\1\0\0" * 4)}
    for name, (compression, bits, data) in run.items():
        files[f"bmp/{name}.bmp"] = bmp(8, 4, bits, compression, data=data, colours=16)


# ---------------------------------------------------------------- GIF

def lzw(pixels, bits, end=True):
    clear, size, acc, n, out = 1 << bits, bits + 1, 0, 0, bytearray()
    table, free, cur = {bytes([i]): i for i in range(clear)}, (1 << bits) + 2, b""

    def emit(code):
        nonlocal acc, n
        acc |= code << n
        n += size
        while n >= 8:
            out.append(acc & 255)
            acc >>= 8
            n -= 8

    emit(clear)
    for p in pixels:
        key = cur + bytes([p])
        if key in table:
            cur = key
            continue
        emit(table[cur])
        if free < 4096:
            table[key] = free
            if free == 1 << size and size < 12:
                size += 1
            free += 1
        else:
            emit(clear)
            table, free, size = {bytes([i]): i for i in range(clear)}, clear + 2, bits + 1
        cur = bytes([p])
    emit(table[cur])
    if end:
        emit(clear + 1)
    if n:
        out.append(acc & 255)
    blocks = b"".join(bytes([len(out[i:i + 255])]) + bytes(out[i:i + 255]) for i in range(0, len(out), 255))
    return bytes([bits]) + blocks + b"\0"


RAMP = bytes(v for i in range(16) for v in (i, i, i))


def gif(w, h, frame=None, bits=4, shared=None, own=b"", interlace=False, transparent=None, pixels=None, before=b"", after=b";", end=True):
    x, y, fw, fh = frame or (0, 0, w, h)
    if shared is None:
        shared = noise(3 << bits)
    count = fw * fh if pixels is None else pixels
    index = (texture(1, count, 1)[0, :, 0] >> (8 - bits)).tolist()
    d = b"GIF89a" + struct.pack("<HHBBB", w, h, 0x80 | bits - 1 if shared else 0, 0, 0) + shared + before
    if transparent is not None:
        d += b"!\xf9\4" + struct.pack("<BHB", 1, 5, transparent) + b"\0"
    d += b"," + struct.pack("<HHHHB", x, y, fw, fh, (0x80 | bits - 1 if own else 0) | (0x40 if interlace else 0)) + own
    return d + lzw(index, max(bits, 2), end) + after


def goes_on():
    """A picture that ends too early in a long file: Pillow goes on with the bytes that follow, and may find a picture."""
    while True:
        blocks = b"".join(b"\xff" + noise(255) for _ in range(4))
        data = gif(10, 10, pixels=50, after=bytes(66000) + blocks)
        try:
            Image.open(io.BytesIO(data)).load()
            return data
        except OSError:
            pass


def make_gif():
    for w, h in ((1, 1), (5, 2), (33, 17)):
        for interlace in (False, True):
            files[f"gif/{w}x{h}-{int(interlace)}.gif"] = gif(w, h, interlace=interlace)
    add = {
        "own-palette": dict(own=noise(48)), "only-own": dict(own=noise(48), shared=b""), "no-palette": dict(shared=b""), "ramp": dict(shared=RAMP),
        "own-ramp": dict(own=RAMP), "transparent": dict(transparent=3), "part": dict(frame=(3, 4, 5, 2)), "part-transparent": dict(frame=(3, 4, 5, 2), transparent=5),
        "outside": dict(frame=(5, 6, 9, 7)), "outside-transparent": dict(frame=(5, 6, 9, 7), transparent=3), "too-few": dict(pixels=50), "too-few-no-end": dict(pixels=50, end=False),
        "too-many": dict(pixels=150), "too-few-long": dict(pixels=50, after=bytes(70000)), "comment": dict(before=b"!\xfe\3abc\2de\0"), "empty-control": dict(before=b"!\xf9\0\0"),
        "short-control": dict(before=b"!\xf9\2\1\0\0"), "junk": dict(before=b"xyz"), "only-end": dict(before=b";"), "empty-frame": dict(frame=(0, 0, 0, 9), pixels=1),
    }
    for name, options in add.items():
        files[f"gif/{name}.gif"] = gif(10, 10, **options)
    for cut in (1, 2, 3, 20):
        files[f"gif/cut-{cut}.gif"] = gif(20, 20)[:-cut]
    broken = bytearray(gif(20, 20))
    broken[80:83] = b"\xff\xff\xff"
    files["gif/broken-codes.gif"] = bytes(broken)
    files["gif/goes-on.gif"] = goes_on()
    files["gif/full-table.gif"] = saved(Image.fromarray(rng.integers(0, 256, (40, 45), dtype=np.uint8)), "GIF")


# ---------------------------------------------------------------- WebP

def riff(*chunks):
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def part(kind, data):
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def canvas(flags, w, h):
    return part(b"VP8X", struct.pack("<I", flags) + struct.pack("<I", w - 1)[:3] + struct.pack("<I", h - 1)[:3])


def frame(x, y, w, h, *chunks):
    return part(b"ANMF", b"".join(struct.pack("<I", v)[:3] for v in (x // 2, y // 2, w - 1, h - 1, 100)) + b"\0" + b"".join(chunks))


def make_webp():
    for w, h in ((1, 1), (2, 3), (17, 33), (24, 16)):
        rgb, rgba = Image.fromarray(texture(h, w)), Image.fromarray(texture(h, w, 4), "RGBA")
        files[f"webp/{w}x{h}.webp"] = saved(rgb, "WEBP", quality=70)
        files[f"webp/{w}x{h}-alpha.webp"] = saved(rgba, "WEBP", quality=70)
        files[f"webp/{w}x{h}-lossless.webp"] = saved(rgba, "WEBP", lossless=True, exact=True)
    files["webp/animated.webp"] = saved(rgba, "WEBP", save_all=True, append_images=[rgba.rotate(180)])
    data = saved(Image.fromarray(texture(20, 30)), "WEBP", quality=50)
    vp8 = part(b"VP8 ", data[20:20 + struct.unpack("<I", data[16:20])[0]])
    anim = part(b"ANIM", struct.pack("<IH", 0xFF102030, 0))
    exif = Image.Exif()
    exif[274] = 6
    files["webp/frame-inside.webp"] = riff(canvas(2, 50, 40), anim, frame(4, 6, 30, 20, vp8))
    files["webp/frame-outside.webp"] = riff(canvas(2, 32, 40), anim, frame(4, 6, 30, 20, vp8))
    files["webp/exif.webp"] = riff(canvas(8, 30, 20), vp8, part(b"EXIF", exif.tobytes()))
    files["webp/exif-no-flag.webp"] = riff(canvas(0, 30, 20), vp8, part(b"EXIF", exif.tobytes()))
    files["webp/xmp.webp"] = riff(canvas(4, 30, 20), vp8, part(b"XMP ", b"<a tiff:Orientation>3</a>"))
    files["webp/wrong-canvas.webp"] = riff(canvas(0, 31, 20), vp8)
    files["webp/wrong-flag.webp"] = riff(canvas(64, 30, 20), vp8)
    files["webp/two.webp"] = riff(canvas(0, 30, 20), vp8, vp8)
    files["webp/junk-behind.webp"] = riff(vp8) + b"junk"
    files["webp/junk-inside.webp"] = riff(vp8, b"junk")
    for cut in (1, 10, 100):
        files[f"webp/cut-{cut}.webp"] = riff(vp8)[:-cut]


# ---------------------------------------------------------------- TIFF

def directory(order, tags, blocks, tiled):
    offsets, at = [], 8
    for b in blocks:
        offsets.append(at)
        at += len(b)
    data = b"".join(blocks) + b"\0" * (at % 2)
    at += at % 2
    tags[324 if tiled else 273] = (4, offsets)
    tags[325 if tiled else 279] = (4, [len(b) for b in blocks])
    codes = {1: "B", 3: "H", 4: "I", 11: "f"}
    more, entries = b"", b""
    start = at + 2 + 12 * len(tags) + 4
    for tag in sorted(tags):
        kind, values = tags[tag]
        raw = b"".join(struct.pack(order + codes[kind], v) for v in values)
        field = raw.ljust(4, b"\0")
        if len(raw) > 4:
            field = struct.pack(order + "I", start + len(more))
            more += raw + b"\0" * (len(raw) % 2)
        entries += struct.pack(order + "HHI", tag, kind, len(values)) + field
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", at)
    return head + data + struct.pack(order + "H", len(tags)) + entries + bytes(4) + more


PACK = {
    1: lambda b: b, 8: zlib.compress,
    32773: lambda b: b"".join(bytes([len(b[i:i + 100]) - 1]) + b[i:i + 100] for i in range(0, len(b), 100)),
}


def tiff(order, photometric, bits, samples, compression, form=None, extra=(), fill=1, planar=1, rows=4, tile=None, predictor=None, tags=None):
    w, h = 21, 9
    t = {256: (3, [w]), 257: (3, [h]), 258: (3, [bits] * samples), 259: (3, [compression]), 262: (3, [photometric]), 277: (3, [samples]), 284: (3, [planar])}
    for tag, value in {339: form and [form] * samples, 338: extra, 266: fill != 1 and [fill], 317: predictor and [predictor]}.items():
        if value:
            t[tag] = (3, list(value))
    if photometric == 3:
        t[320] = (3, [257 * v for v in noise(3 << bits)])
    each = 1 if planar == 2 else samples

    def block(bw, bh):
        if form == 3:
            d = (rng.random(bw * bh * each) * 400 - 70).astype(order + "f4").tobytes()
        elif bits == 32:
            d = rng.integers(-100, 400, bw * bh * each).astype(order + "i4").tobytes()
        elif bits == 16 and photometric < 2:
            d = (np.frombuffer(noise(bw * bh * each), np.uint8) * 2.4).astype(order + "u2").tobytes()
        else:
            d = noise((bw * each * bits + 7) // 8 * bh)
        d = PACK[compression](d)
        return bytes(int(f"{v:08b}"[::-1], 2) for v in d) if fill == 2 and compression != 1 else d

    planes = samples if planar == 2 else 1
    if tile:
        t[322], t[323] = (3, [tile[0]]), (3, [tile[1]])
        blocks = [block(*tile) for _ in range(planes) for _ in range(0, h, tile[1]) for _ in range(0, w, tile[0])]
    else:
        t[278] = (3, [rows])
        blocks = [block(w, min(rows, h - y)) for _ in range(planes) for y in range(0, h, rows)]
    t.update(tags or {})
    return directory(order, t, blocks, bool(tile))


def make_tiff():
    kinds = [(p, b, 1, None, (), f) for p in (0, 1) for b in (1, 2, 4, 8) for f in (1, 2)]
    kinds += [(1, 12, 1, None, (), 1), (1, 16, 1, None, (), 1), (0, 16, 1, None, (), 1), (1, 16, 1, None, (), 2), (1, 16, 1, 2, (), 1), (1, 32, 1, 2, (), 1), (1, 32, 1, 3, (), 1)]
    kinds += [(1, 8, 2, None, (e,), 1) for e in (0, 1, 2)] + [(3, 8, 2, None, (e,), 1) for e in (0, 2)]
    kinds += [(2, b, 4, None, e, 1) for b in (8, 16) for e in ((), (0,), (1,), (2,))] + [(2, 8, 5, None, (1, 0), 1), (2, 8, 3, None, (), 2), (2, 16, 3, None, (), 1)]
    kinds += [(3, b, 1, None, (), 1) for b in (1, 2, 4, 8)] + [(5, 8, 4, None, (), 1), (5, 8, 5, None, (0,), 1), (5, 16, 4, None, (), 1), (6, 8, 3, None, (), 1), (6, 8, 1, None, (), 1)]
    for i, (photometric, bits, samples, form, extra, fill) in enumerate(kinds):
        order, compression = "<>"[i % 2], (1, 8, 32773)[i % 3]
        if bits == 12 or photometric == 0 and bits == 16 or form == 2 or bits == 16 and fill == 2:
            order = "<"
        if photometric == 6 and samples == 3:
            compression = 1
        name = f"tiff/{photometric}-{bits}-{samples}-{form or 1}-{''.join(map(str, extra))}-{fill}.tif"
        files[name] = tiff(order, photometric, bits, samples, compression, form, extra, fill, planar=1 + i // 2 % 2)
    for name, (photometric, bits, samples, extra) in {"gray": (1, 8, 1, ()), "rgb": (2, 8, 3, ()), "rgb16": (2, 16, 3, ()), "rgba": (2, 8, 4, (1,)), "palette": (3, 8, 1, ()), "cmyk": (5, 8, 4, ())}.items():
        for compression in (1, 8):
            for planar in (1, 2):
                order = "<>"[compression % 2]
                files[f"tiff/tile-{name}-{compression}-{planar}.tif"] = tiff(order, photometric, bits, samples, compression, extra=extra, planar=planar, tile=(16, 16))
        files[f"tiff/predictor-{name}.tif"] = tiff(">", photometric, bits, samples, 8, extra=extra, predictor=2)
    for turn in (0, 2, 5, 6, 9):
        files[f"tiff/turn-{turn}.tif"] = tiff("<", 2, 8, 3, 1, tags={274: (3, [turn])})
    files["tiff/turn-xmp.tif"] = tiff("<", 2, 8, 3, 1, tags={700: (1, list(b'<a tiff:Orientation="6"/>'))})
    files["tiff/cut.tif"] = tiff("<", 2, 8, 3, 1)[:100]
    files["tiff/unknown-compression.tif"] = tiff("<", 2, 8, 3, 1, tags={259: (3, [99])})
    im = Image.fromarray(texture(18, 21))
    for name, (mode, options) in {
        "lzw": ("RGB", dict(compression="tiff_lzw", tiffinfo={317: 2})), "lzma": ("L", dict(compression="lzma")), "zstd": ("RGB", dict(compression="zstd")),
        "jpeg": ("RGB", dict(compression="jpeg")), "jpeg-ycbcr": ("YCbCr", dict(compression="jpeg")), "jpeg-cmyk": ("CMYK", dict(compression="jpeg")), "group3": ("1", dict(compression="group3")),
        "group3-2d": ("1", dict(compression="group3", tiffinfo={292: 1})), "group4": ("1", dict(compression="group4")), "big": ("RGB", dict(compression="tiff_lzw", big_tiff=True)), "lzw-ycbcr": ("YCbCr", dict(compression="tiff_lzw")),
    }.items():
        files[f"tiff/{name}.tif"] = saved(im.convert(mode), "TIFF", **options)


# ---------------------------------------------------------------- JPEG

ZIGZAG = sorted(range(64), key=lambda i: (i // 8 + i % 8, (i % 8 if (i // 8 + i % 8) % 2 == 0 else i // 8)))
AC = [0, 0xF0] + [r << 4 | s for r in range(16) for s in range(1, 11)]


def jpeg(w, h, factors):
    """Baseline JPEG with any sampling factors, which Pillow does not write: codes of one length, quantised by 8."""
    cosines = np.array([[np.cos((2 * x + 1) * u * np.pi / 16) * (0.5 if u else 8**-0.5) for x in range(8)] for u in range(8)])
    hm, vm = max(f[0] for f in factors), max(f[1] for f in factors)
    across, down = -(-w // (8 * hm)), -(-h // (8 * vm))
    planes = [texture(down * 8 * v, across * 8 * f, 1)[:, :, 0].astype(float) - 128 for f, v in factors]
    bits, last = [], [0] * len(factors)

    def emit(value, n):
        bits.append(format(value & (1 << n) - 1, f"0{n}b") if n else "")

    def number(v):
        n = abs(v).bit_length()
        return n, v if v >= 0 else v + (1 << n) - 1

    def block(c, y, x):
        q = np.rint(cosines @ planes[c][8 * y:8 * y + 8, 8 * x:8 * x + 8] @ cosines.T / 8).astype(int).reshape(64)[ZIGZAG]
        n, v = number(int(q[0]) - last[c])
        last[c] = int(q[0])
        emit(n, 4)
        emit(v, n)
        run = 0
        for k in map(int, q[1:]):
            if k == 0:
                run += 1
                continue
            while run > 15:
                emit(AC.index(0xF0), 8)
                run -= 16
            n, v = number(k)
            emit(AC.index(run << 4 | n), 8)
            emit(v, n)
            run = 0
        if run:
            emit(AC.index(0), 8)

    for my in range(down):
        for mx in range(across):
            for c, (f, v) in enumerate(factors):
                for y in range(v):
                    for x in range(f):
                        block(c, my * v + y, mx * f + x)
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    scan = bytes(int(text[i:i + 8], 2) for i in range(0, len(text), 8)).replace(b"\xff", b"\xff\0")

    def segment(mark, data):
        return bytes([0xFF, mark]) + struct.pack(">H", len(data) + 2) + data

    n = len(factors)
    return (b"\xff\xd8" + segment(0xDB, b"\0" + bytes([8] * 64))
            + segment(0xC0, struct.pack(">BHHB", 8, h, w, n) + b"".join(bytes([i + 1, f << 4 | v, 0]) for i, (f, v) in enumerate(factors)))
            + segment(0xC4, b"\0" + bytes([0, 0, 0, 12] + [0] * 12) + bytes(range(12)))
            + segment(0xC4, b"\x10" + bytes([0] * 7 + [len(AC)] + [0] * 8) + bytes(AC))
            + segment(0xDA, bytes([n]) + b"".join(bytes([i + 1, 0]) for i in range(n)) + b"\0\x3f\0") + scan + b"\xff\xd9")


def make_jpeg():
    for w, h in ((1, 1), (5, 3), (18, 21)):
        for sub in ("4:4:4", "4:2:2", "4:2:0"):
            name = f"jpeg/{w}x{h}-{sub.replace(':', '')}.jpg"
            files[name] = saved(Image.fromarray(texture(h, w)), "JPEG", subsampling=sub, quality=85, progressive=sub == "4:2:2")
        for across, down in ((1, 2), (4, 1), (4, 2)):
            files[f"jpeg/{w}x{h}-by-{across}x{down}.jpg"] = jpeg(w, h, [(across, down), (1, 1), (1, 1)])
    im = Image.fromarray(texture(18, 21))
    files["jpeg/gray.jpg"] = saved(im.convert("L"), "JPEG")
    files["jpeg/rgb.jpg"] = saved(im, "JPEG", keep_rgb=True)
    cmyk = saved(im.convert("CMYK"), "JPEG")
    files["jpeg/cmyk.jpg"] = cmyk
    at = cmyk.index(b"Adobe")
    files["jpeg/ycck.jpg"] = cmyk[:at + 11] + b"\2" + cmyk[at + 12:]
    files["jpeg/cmyk-no-adobe.jpg"] = cmyk[:at - 4] + cmyk[at + 12:]
    files["jpeg/cut.jpg"] = cmyk[:-40]
    files["jpeg/no-end.jpg"] = cmyk[:-2]


def reference(name, data, add):
    try:
        im = Image.open(io.BytesIO(data))
        rgb = im.convert("RGB")
    except Exception as e:
        return {"error": f"{type(e).__name__}: {e}".replace(repr(io.BytesIO()), "")[:100].split(" <")[0]}
    out = {"rgb_sha256": hashlib.sha256(np.asarray(rgb).tobytes()).hexdigest(), "format": im.format, "mode": im.mode, "width": rgb.width, "height": rgb.height}
    try:
        turn = Image.open(io.BytesIO(data)).getexif().get(274)
    except Exception:
        turn = None  # exif_transpose would raise
    if isinstance(turn, (int, float)) and turn:
        out["exif_orientation"] = int(turn)
    if im.format == "JPEG":
        add[name + ".png"] = saved(rgb, "PNG")
    return out


def main():
    for make in (make_png, make_bmp, make_gif, make_webp, make_tiff, make_jpeg):
        make()
    add = {}
    refs = {name: reference(name, data, add) for name, data in sorted(files.items())}
    folder = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(folder, "golden.json"), "w") as f:
        f.write(json.dumps({"made_with": {"pillow": PIL.__version__}, "files": refs}, sort_keys=True).replace("}, ", "},\n"))
        f.write("\n")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in sorted({**files, **add}.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    with open(os.path.join(folder, "golden.tar.gz"), "wb") as f:
        f.write(gzip.compress(packed.getvalue(), 9, mtime=0))
    print(len(refs), "files,", sum("error" in r for r in refs.values()), "of them refused")


main()
