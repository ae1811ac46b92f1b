"""What all faces check of settings on the spot: a mistake should not first be told by an executor, after minutes."""

import os
import re

# Flags of `imgvec serve` that are the client's, or its operator's: a server that was asked for them would not be known again.
SERVERS = (
    "cores",
    "drain",
    "fetch",
    "help",
    "idle-connection",
    "idle-exit",
    "io-timeout",
    "last-words",
    "listen",
    "lock-fd",
    "max-window-batches",
    "max-window-bytes",
    "metrics",
    "owner-pid",
    "stall-timeout",
)

_COUNTS = ("cores", "rows", "batch_bytes", "window_batches", "window_bytes")
_SECONDS = ("ready_timeout", "timeout", "stall_timeout")
_NONE_OR_MORE = ("idle_exit", "respawns")
_SWITCHES = ("fetch", "quiet")
_TEXTS = ("binary", "home", "socket_dir")


def flag(face, name):
    """The flag of an option as the server spells it. Raises ValueError for what is no option. face begins the message."""
    if not isinstance(name, str) or not re.fullmatch(r"-{0,2}[a-z][a-z0-9_-]*", name):
        raise ValueError(f"{face}: options has {name!r}, which is no flag of imgvec serve")
    plain = name.lstrip("-").replace("_", "-")
    if plain in SERVERS:
        raise ValueError(f"{face}: options has {name}, which is for a server that you start yourself: leave it out")
    return plain


def text(face, name, value):
    """The value of an option as the server takes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise TypeError(f"{face}: option {name} is {value!r}, not a text, number or bool")


def settings(face, values):
    """Raises TypeError or ValueError for a setting of the wrong kind; None stands for the default everywhere."""
    for name, value in values.items():
        wanted = None if value is None else _wrong(name, value)
        if wanted:
            raise (TypeError if "number" not in wanted else ValueError)(f"{face}: {name} is {value!r}, not {wanted}")


def _wrong(name, value):
    """What the setting should be, where it is something else."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if name in _COUNTS and not (isinstance(value, int) and number and value > 0):
        return "a whole number above 0"
    if name in _SECONDS and not (number and value > 0):
        return "a number of seconds above 0"
    if name in _NONE_OR_MORE and not (number and value >= 0):
        return "a number, 0 or more"
    if name in _SWITCHES and not isinstance(value, bool):
        return "True or False"
    if name in _TEXTS and not (isinstance(value, (str, os.PathLike)) and os.fspath(value)):
        return "a path"
    if name == "env" and not (
        isinstance(value, dict) and all(isinstance(x, str) for pair in value.items() for x in pair)
    ):
        return "a dict of texts"
    return None


def sha256(face, digest):
    """A model's SHA-256 as the server writes it. Raises ValueError for what is none."""
    if digest is None:
        return None
    if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        raise ValueError(f"{face}: modelSha256 is {digest!r}, not 64 hexadecimal digits (imgvec model info NAME shows them)")
    return digest.lower()
