#!/usr/bin/env python3
"""Compiles kernels.cu with libnvrtc alone: no CUDA toolkit, no host compiler, no GPU.

  nvrtc.py LIBNVRTC ARCH OUT    ARCH compute_75: PTX; sm_90 and the like: machine code, to look at
"""
import ctypes
import pathlib
import sys

# NVRTC has no C library; this is all that the sources need of one.
STDINT = b"""
typedef signed char int8_t; typedef short int16_t; typedef int int32_t; typedef long long int64_t;
typedef unsigned char uint8_t; typedef unsigned short uint16_t; typedef unsigned int uint32_t; typedef unsigned long long uint64_t;
"""
# Doubles are never fused: the sums of l2norm are those of plain loops.
OPTIONS = [b"-std=c++17", b"-default-device", b"-fmad=false"]


def compile_kernels(library, arch, folder):
    nvrtc = ctypes.CDLL(library)
    program, size = ctypes.c_void_p(), ctypes.c_size_t()

    def get(what):
        check(getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
        buffer = ctypes.create_string_buffer(size.value)
        check(getattr(nvrtc, f"nvrtcGet{what}")(program, buffer))
        return buffer.raw

    def check(code):
        if code:
            sys.exit(f"nvrtc: error {code}")

    headers = {path.name.encode(): path.read_bytes() for path in sorted(folder.glob("*.cuh"))}
    headers[b"imgvec.h"] = (folder / "imgvec.h").read_bytes()
    headers[b"stdint.h"] = STDINT
    strings = ctypes.c_char_p * len(headers)
    check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), (folder / "kernels.cu").read_bytes(), b"kernels.cu", len(headers),
                                   strings(*headers.values()), strings(*headers)))
    options = [b"-arch=" + arch.encode(), *OPTIONS]
    failed = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    log = get("ProgramLog").rstrip(b"\0\n").decode()
    if failed or log:  # a warning is an error
        sys.exit(log)
    return get("CUBIN") if arch.startswith("sm_") else get("PTX").rstrip(b"\0")


if __name__ == "__main__":
    library, arch, out = sys.argv[1:]
    pathlib.Path(out).write_bytes(compile_kernels(library, arch, pathlib.Path(__file__).resolve().parent))
