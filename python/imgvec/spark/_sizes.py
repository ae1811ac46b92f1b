"""Spark's texts for sizes, times and shares."""

import math
import re

_SIZES = {"": None, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_TIMES = {"": 1, "us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def size(text, unit=1):
    """Bytes of a text such as 4MB, 64m or 131072; unit is what a bare number counts. 0 of a text that is no size."""
    found = re.fullmatch(r"(-?\d+)([a-z]?)b?", str(text).strip().lower())
    if not found or found.group(2) not in _SIZES:
        return 0
    return int(found.group(1)) * (_SIZES[found.group(2)] or unit)


def seconds(text):
    """Seconds of a text such as 60s or 10min; 0 of a text that is no time."""
    found = re.fullmatch(r"(\d+)([a-z]*)", str(text).strip().lower())
    return int(found.group(1)) * _TIMES.get(found.group(2), 0) if found else 0


def gpu_share(tasks, gpus):
    """The amount of GPU for each of so many tasks on so many GPUs, as Spark takes it: whole, or at most a half.

    Spark divides each GPU among floor(1 / amount) tasks, so the amount is 1 over the tasks of the fullest GPU.
    """
    each = math.ceil(tasks / max(gpus, 1))
    return "1" if each <= 1 else f"{math.floor(10000 / each) / 10000:g}"
