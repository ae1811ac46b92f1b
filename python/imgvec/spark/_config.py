"""The worker's settings from the arguments of featurize and its kin."""

from imgvec import _check

DEFAULT_MODEL = "efficientnet-lite0"  # the command's own; python/tests/spark/test_api_config.py holds the two equal

_ON_ERROR = ("null", "fail", "drop")

# What tuning= may change: names and defaults are those of imgvec/_worker.py.
_TUNING = (
    "rows",
    "batch_bytes",
    "window_batches",
    "window_bytes",
    "ready_timeout",
    "timeout",
    "stall_timeout",
    "idle_exit",
    "respawns",
    "fetch",
    "socket_dir",
    "env",
)

# Flags of `imgvec serve` that have an argument of their own.
_NAMED = ("model", "device", "precision", "normalize", "exif", "cores")


def package_version():
    """The version of this package, which the command's must equal."""
    from imgvec import __version__

    return __version__


def flags(model=None, device="auto", precision="auto", normalize=False, exif=None, options=None):
    """The flags of `imgvec serve` as {name: text}. They are part of what a running server is known by."""
    out = {"model": model or DEFAULT_MODEL, "device": device, "precision": precision}
    if normalize:
        out["normalize"] = "true"
    if exif is not None:
        out["exif"] = exif
    for name, value in (options or {}).items():
        out[_flag(name)] = _check.text("featurize", name, value)
    for name, value in out.items():
        if not isinstance(value, str) or value == "":
            raise ValueError(f"featurize: {name} is {value!r}, not a text")
    return out


def _flag(name):
    if isinstance(name, str) and name.lstrip("-") in _NAMED:
        raise ValueError(f"featurize: options has {name}, which is an argument of its own: {name.lstrip('-')}=...")
    return _check.flag("featurize", name)


def worker_config(options, *, on_error="null", tuning=None, **rest):
    """The settings that the closure carries. options are flags(); rest holds what differs by face."""
    if on_error not in _ON_ERROR:
        raise ValueError(f'featurize: onError is {on_error!r}, not "null", "fail" or "drop"')
    config = {"v": 1, "package": package_version(), "options": options, "on_error": on_error}
    config.update(
        {
            "model_sha256": None,
            "keep": [],
            "error": None,
            "id_column": None,
            "cores": None,
            "binary": None,
            "home": None,
        }
    )
    config.update(_tuned(tuning or {}))
    config.update(rest)
    _check.settings("featurize", config)
    config["model_sha256"] = _check.sha256("featurize", config["model_sha256"])
    return config


def _tuned(tuning):
    for name in tuning:
        if name not in _TUNING:
            raise ValueError(f"featurize: tuning has {name!r}, not one of {', '.join(_TUNING)}")
    return tuning
