#!/usr/bin/env python3
"""Links CUDA 13's libraries that Python packages (PyTorch's) brought into a folder where imgvec finds them.

  libs.py FOLDER       FOLDER is HOME/lib/cuda. What is there already stays. One line a library that is missing.
"""
import glob
import os
import sys
import sysconfig

NEEDED = ("libcudart.so.13", "libcublasLt.so.13", "libcublas.so.13", "libcurand.so.10", "libnvrtc.so.13", "libnvrtc-builtins.so.13*", "libcudnn.so.9")
BESIDE = ("libcudnn_*.so.9", "libcufft.so.*", "libnvJitLink.so.13")


def folders():
    """Where the libraries may be: this Python's packages, then toolkits and the system."""
    for packages in dict.fromkeys([sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"], *sys.path]):
        yield from sorted(glob.glob(os.path.join(packages, "nvidia", "*", "lib")))
    yield from sorted(glob.glob("/usr/local/cuda*/lib64"), reverse=True)
    yield "/usr/lib/x86_64-linux-gnu"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    to = sys.argv[1]
    os.makedirs(to, exist_ok=True)
    missing = 0
    for pattern in NEEDED + BESIDE:
        if glob.glob(os.path.join(to, pattern)):
            continue
        for folder in folders():
            if found := glob.glob(os.path.join(folder, pattern)):
                for path in found:
                    os.symlink(os.path.realpath(path), os.path.join(to, os.path.basename(path)))
                break
        else:
            if pattern in NEEDED:
                missing += 1
                print(f"{pattern} is nowhere")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
