"""Features of images from plain Python: one server, started by the first call, answers all calls of this process.

The server is a child that ends with this process, or when nobody has called for two minutes. Calls may come from
several threads; a fork has a server of its own. After an interrupt the next call starts another.
"""

import atexit
import os

import pyarrow as pa

from imgvec import __version__, _binary, _check, _worker
from imgvec._worker import ImgvecError

CHUNK = 1024  # images that are handed over at one time
SETTINGS = ("cores", "binary", "home", "env", "socket_dir", "fetch", "idle_exit", "quiet", "timeout", "ready_timeout",
            "stall_timeout", "respawns")  # fmt: skip
ABOUT = {"version": "version", "model": "model", "sha256": "model_sha256", "dim": "dim", "precision": "precision",
         "provider": "provider", "device": "device", "decoder": "decoder"}  # of the server: as the command's files say it


def extract(images, model=None, *, device="auto", precision="auto", normalize=False, options=None, **settings):
    """The feature vectors of images: numpy float32 [N, D], row i is image i's. It is the caller's.

    images: one image or an iterable of them, each a path (str, os.PathLike) or an encoded image (bytes, bytearray,
    memoryview); they may be mixed. model: a name, a model's folder or .onnx file; None: the command's default. device,
    precision, normalize: as of `imgvec extract`. options: more of its flags by name, e.g. {"exif": "ignore"}.
    settings: cores; binary (path of the command); home (folder of libraries and models, IMGVEC_HOME); fetch=False (to
    fetch nothing that is missing); quiet=False (the server's log on standard error); idle_exit, timeout, ready_timeout
    (seconds); env; socket_dir; stall_timeout; respawns.

    The first call starts a server and loads the model; without libraries and model it fetches them first. Raises
    ImgvecError that names the first image without features and says how many there are, TypeError and ValueError for
    what is no image at all. extract_table keeps the good ones.
    """
    import numpy as np

    images, config = _images(images), _config(model, device, precision, normalize, options, settings)
    about, out, errors = {}, None, {}
    if not images:  # a bad image asks for the dimension
        list(_worker.features_of(config, [pa.array([None], pa.binary())], about))
        return np.empty((0, about["dim"]), np.float32)
    for rows, batch in _answers(images, config, about):
        if out is None:
            out = np.empty((len(images), about["dim"]), np.float32)
        errors.update((rows[i], e.as_py()) for i, e in enumerate(batch.column("error")) if e.is_valid)
        if not errors:
            out[rows] = batch.column("features").flatten().to_numpy().reshape(len(rows), -1)
    if errors:
        raise ImgvecError(_first(errors, images))
    return out


def extract_table(images, model=None, *, device="auto", precision="auto", normalize=False, options=None, **settings):
    """The same as a pyarrow table, a row for each image, with the columns of the command's output: id (the path as it
    was given; null for bytes), features (null where there is an error), error (null where there is none), width and
    height. Its metadata says which model ran where. Needs no numpy.

    Raises ImgvecError where no image can have features: no command, no model.
    """
    images, config = _images(images), _config(model, device, precision, normalize, options, settings)
    about, order, batches = {}, [], []
    for rows, batch in _answers(images, config, about):
        order += rows
        batches.append(batch)
    table = pa.Table.from_batches(batches, schema=_worker.ANSWER)
    if order != sorted(order):
        place = {row: at for at, row in enumerate(order)}
        table = table.take(pa.array([place[row] for row in range(len(images))]))
    table = table.add_column(0, "id", pa.array([name for _, name in images], pa.string()))
    return table.replace_schema_metadata({f"imgvec.{key}": str(about[name]) for name, key in ABOUT.items() if name in about})


def _images(images):
    """The images as a list of (encoded image or absolute path, id)."""
    if isinstance(images, (str, os.PathLike, bytes, bytearray, memoryview)):
        images = [images]
    try:
        images = iter(images)
    except TypeError as error:
        raise TypeError(f"extract: {type(images).__name__} is not iterable: give an image or a list of them, each a path or encoded bytes") from error
    return [_image(i, image) for i, image in enumerate(images)]


def _image(i, image):
    if isinstance(image, (bytes, bytearray, memoryview)):
        return bytes(image), None
    if not isinstance(image, (str, os.PathLike)):
        raise TypeError(f"extract: image {i} is a {type(image).__name__}: give a path, or an encoded image as bytes")
    name = os.fsdecode(image)
    if not name or not _is_utf8(name):
        raise ValueError(f"extract: image {i}: the path {name!r} can't be sent: read the file and give its bytes")
    if name.startswith("file:") or "://" in name:
        return name, name
    if os.path.isdir(name):
        raise ValueError(f"extract: image {i}: {name} is a folder: give its files, as pathlib.Path.glob lists them")
    return os.path.abspath(name), name  # the server runs in another folder


def _is_utf8(name):
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _config(model, device, precision, normalize, options, settings):
    """The worker's config, for bytes. Raises where an argument can't be right."""
    flags = {"device": device, "precision": precision, "normalize": "true" if normalize else None,
             "model": None if model is None else os.fspath(model)}  # fmt: skip
    for name, value in (options or {}).items():
        if name in flags:
            raise TypeError(f"extract: options has {name}, which is an argument of its own")
        flags[_check.flag("extract", name)] = _check.text("extract", name, value)
    unknown = sorted(set(settings) - set(SETTINGS))
    if unknown:
        raise TypeError(f"extract: unknown arguments {', '.join(unknown)}: there are {', '.join(SETTINGS)}")
    _check.settings("extract", settings)
    try:
        binary = _binary.find_binary(settings.get("binary"))
    except FileNotFoundError as error:
        raise ImgvecError(str(error)) from error
    flags = {name: value for name, value in flags.items() if value is not None}
    return {"package": __version__, "quiet": True, **settings, "options": flags, "binary": binary, "input": "binary"}


def _answers(images, config, about):
    """(indices of images, their answers) in turn. Paths and bytes go over connections of their own, one after another.

    about gets what the server says of itself.
    """
    for input, kind, wire in (("path", str, pa.large_string()), ("binary", bytes, pa.large_binary())):
        at = [i for i, (image, _) in enumerate(images) if isinstance(image, kind)]
        chunks = [at[i : i + CHUNK] for i in range(0, len(at), CHUNK)]
        arrays = (pa.array([images[i][0] for i in chunk], wire) for chunk in chunks)
        yield from zip(chunks, _worker.features_of({**config, "input": input}, arrays, about))


def _first(errors, images):
    """What to say of images without features: the first of them, and how many there are."""
    i = min(errors)
    name = images[i][1] or f"{len(images[i][0])} bytes"
    many = "it alone" if len(errors) == 1 else f"{len(errors)} of {len(images)} images"
    return f"extract: image {i} ({name}) has no features: {errors[i]}; {many} failed: extract_table gives those of the others"


@atexit.register
def _stop():
    """Ends this process's servers with it at once; they would notice by themselves a moment later."""
    for child in _worker.children():
        child.terminate()
