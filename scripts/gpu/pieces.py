#!/usr/bin/env python3
"""Pieces: what the GPU proof carries to a machine without a network, each a folder small enough to travel.

  pieces.py make NAME TREE OUT [--limit BYTES] [--xz OPTIONS]   TREE's files as OUT/NAME, or OUT/NAME-1, -2, ... in parts
  pieces.py list OUT                                       one line a piece; 1 where one is damaged
  pieces.py unpack OUT STATE                               check and unpack what is there; parts wait for the others

A piece is a folder with one file of data and piece.json, which has its size, its SHA-256 and those of the whole. So
pieces can arrive in any order and in any number of goes, and unpacking twice does nothing. Needs Python and xz to make
them, Python alone to unpack.
"""
import argparse
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

CHUNK = 1 << 20


def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(CHUNK):
            h.update(block)
    return h.hexdigest()


def tree_digest(tree):
    """A hash of the names, modes and contents below tree, which tells whether a piece must be made again."""
    h = hashlib.sha256()
    for folder, folders, files in os.walk(tree):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)
            h.update(os.path.relpath(path, tree).encode() + b"\0")
            h.update(os.readlink(path).encode() if os.path.islink(path) else digest(path).encode())
    return h.hexdigest()


def read(folder):
    with open(os.path.join(folder, "piece.json")) as f:
        return json.load(f)


def pieces(out):
    for name in sorted(os.listdir(out)) if os.path.isdir(out) else []:
        folder = os.path.join(out, name)
        if os.path.exists(os.path.join(folder, "piece.json")):
            yield folder, read(folder)


def check(folder, piece):
    """What is wrong with a piece, or None."""
    path = os.path.join(folder, piece["file"])
    if not os.path.exists(path):
        return "its file is missing"
    if os.path.getsize(path) != piece["bytes"]:
        return f"it has {os.path.getsize(path)} bytes, not {piece['bytes']}"
    return None if digest(path) == piece["sha256"] else "its SHA-256 is another"


def made_already(out, name, source):
    """Whether all parts of name are there, whole, and from the same files."""
    have = [(f, p) for f, p in pieces(out) if p["group"] == name]
    return bool(have) and len(have) == have[0][1]["parts"] and all(p["source"] == source and not check(f, p) for f, p in have)


def compress(tree, target, options):
    """tree as target, a tar through xz; owners and times are left out, so that the same files make the same bytes."""
    def plain(info):
        info.uid = info.gid = info.mtime = 0
        info.uname = info.gname = ""
        return info
    with open(target, "wb") as f:
        xz = subprocess.Popen(["xz", "-c", *options], stdin=subprocess.PIPE, stdout=f)
        with tarfile.open(fileobj=xz.stdin, mode="w|", format=tarfile.GNU_FORMAT) as tar:
            for name in sorted(os.listdir(tree)):
                tar.add(os.path.join(tree, name), name, filter=plain)
        xz.stdin.close()
        if xz.wait():
            sys.exit(f"pieces: xz failed ({xz.returncode})")


def make(args):
    source = f"{tree_digest(args.tree)} {args.xz}"
    if made_already(args.out, args.name, source):
        print(f"{args.name}: made already")
        return
    os.makedirs(args.out, exist_ok=True)
    started = time.time()
    with tempfile.TemporaryDirectory(dir=args.out, prefix=".making-") as work:
        whole = os.path.join(work, "whole")
        compress(args.tree, whole, args.xz.split())
        size, sha = os.path.getsize(whole), digest(whole)
        parts = -(-size // args.limit)
        for folder, piece in list(pieces(args.out)):
            if piece["group"] == args.name:
                shutil.rmtree(folder)
        with open(whole, "rb") as f:
            for n in range(1, parts + 1):
                name = args.name if parts == 1 else f"{args.name}-{n}"
                folder = os.path.join(work, name)
                os.mkdir(folder)
                data = f.read(args.limit)
                with open(os.path.join(folder, "data"), "wb") as part:
                    part.write(data)
                piece = {"group": args.name, "part": n, "parts": parts, "file": "data", "bytes": len(data),
                         "sha256": hashlib.sha256(data).hexdigest(), "whole_bytes": size, "whole_sha256": sha, "source": source}
                with open(os.path.join(folder, "piece.json"), "w") as j:
                    json.dump(piece, j, indent=1)
                    j.write("\n")
                os.rename(folder, os.path.join(args.out, name))
    print(f"{args.name}: {size} bytes in {parts} part{'s' if parts > 1 else ''}, {time.time() - started:.0f} s")


def show(args):
    bad = 0
    for folder, piece in pieces(args.out):
        problem = check(folder, piece)
        bad += bool(problem)
        part = f"part {piece['part']} of {piece['parts']}" if piece["parts"] > 1 else ""
        print(f"{os.path.basename(folder):14} {piece['bytes']:>10} bytes  {piece['bytes'] / 2**20:5.1f} MiB  {problem or 'whole'}  {part}")
    return 1 if bad else 0


class Joined(io.RawIOBase):
    """Files read one behind the other; what was read is hashed."""

    def __init__(self, paths):
        self.paths, self.file, self.hash = list(paths), None, hashlib.sha256()

    def readable(self):
        return True

    def readinto(self, into):
        while True:
            if self.file is None:
                if not self.paths:
                    return 0
                self.file = open(self.paths.pop(0), "rb")
            if n := self.file.readinto(into):
                self.hash.update(memoryview(into)[:n])
                return n
            self.file.close()
            self.file = None


def extract(paths, state, group, sha):
    """Unpack the joined parts into state: nothing gets its final name before everything was read and the hash is right."""
    fresh = os.path.join(state, f".unpacking-{group}")
    shutil.rmtree(fresh, ignore_errors=True)
    os.makedirs(fresh)
    joined = Joined(paths)
    with tarfile.open(fileobj=io.BufferedReader(joined, CHUNK), mode="r|xz") as tar:
        tar.extractall(fresh, filter="tar") if hasattr(tarfile, "tar_filter") else tar.extractall(fresh)
    while joined.read(CHUNK):
        pass
    if joined.hash.hexdigest() != sha:
        raise ValueError(f"{group}: the joined parts have another SHA-256")
    for folder, _, files in os.walk(fresh):
        to = os.path.join(state, os.path.relpath(folder, fresh))
        os.makedirs(to, exist_ok=True)
        for name in files:
            os.replace(os.path.join(folder, name), os.path.join(to, name))
        for name in os.listdir(folder):  # links to folders are no files to os.walk
            path = os.path.join(folder, name)
            if os.path.islink(path):
                target = os.path.join(to, name)
                if os.path.lexists(target):
                    os.remove(target)
                os.rename(path, target)
    shutil.rmtree(fresh)


def figure(name, **more):
    print(json.dumps({"figure": name, **more}), flush=True)


def keep(folder, piece, store):
    """Copy a part to where it waits for the others."""
    target = os.path.join(store, f"{piece['group']}-{piece['part']}")
    if not os.path.exists(target) or digest(target) != piece["sha256"]:
        shutil.copyfile(os.path.join(folder, piece["file"]), target + ".new")
        os.replace(target + ".new", target)
    return target


def unpack(args):
    """Unpack what is there. A figure for each group; those that miss parts have no verdict."""
    store, stamps = os.path.join(args.state, "parts"), os.path.join(args.state, "have")
    os.makedirs(store, exist_ok=True)
    os.makedirs(stamps, exist_ok=True)
    groups = {}
    for folder, piece in pieces(args.out):
        stamp = os.path.join(stamps, piece["group"])
        if os.path.exists(stamp) and open(stamp).read() == piece["whole_sha256"]:
            groups.setdefault(piece["group"], None)
        elif problem := check(folder, piece):
            figure(piece["group"], value=f"{os.path.basename(folder)}: {problem}", ok=False)
        else:
            keep(folder, piece, store)
            groups[piece["group"]] = piece
    for group, piece in groups.items():
        if piece is None:
            figure(group, value="unpacked already", ok=True)
            continue
        paths = [os.path.join(store, f"{group}-{n}") for n in range(1, piece["parts"] + 1)]
        missing = sum(not os.path.exists(p) for p in paths)
        if missing:
            figure(group, value=f"{piece['parts'] - missing} of {piece['parts']} parts are here")
            continue
        started = time.time()
        try:
            extract(paths, args.state, group, piece["whole_sha256"])
        except Exception as e:
            figure(group, value=str(e)[:200], ok=False)
            continue
        with open(os.path.join(stamps, group), "w") as f:
            f.write(piece["whole_sha256"])
        for path in paths:
            os.remove(path)
        figure(group, value=round(time.time() - started, 1), unit="s to unpack", ok=True)
    return 0


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    sub = p.add_subparsers(required=True)
    m = sub.add_parser("make")
    m.add_argument("name"), m.add_argument("tree"), m.add_argument("out")
    m.add_argument("--limit", type=int, default=58 << 20)
    m.add_argument("--xz", default="-9", help="xz's options")
    m.set_defaults(do=make)
    s = sub.add_parser("list")
    s.add_argument("out"), s.set_defaults(do=show)
    u = sub.add_parser("unpack")
    u.add_argument("out"), u.add_argument("state"), u.set_defaults(do=unpack)
    args = p.parse_args()
    return args.do(args)


if __name__ == "__main__":
    sys.exit(main())
