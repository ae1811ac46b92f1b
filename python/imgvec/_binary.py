"""Where the imgvec command is. The wheel installs it as a program of the environment, as ruff's and uv's do."""

import os
import shutil
import sys
import sysconfig

NAME = "imgvec.exe" if os.name == "nt" else "imgvec"


def find_binary(binary=None):
    """The path of the imgvec command.

    binary: a path that is taken in place of all others. Else the first that is there of: the variable IMGVEC_BINARY,
    the scripts folder of this Python, that of the user, the folder bin beside this package (pip install --target,
    --prefix), PATH. Raises FileNotFoundError that lists the places; a path that was named and is not there is an
    error too, for whoever named it wants no other.
    """
    named = (("the argument binary", binary), ("the variable IMGVEC_BINARY", os.environ.get("IMGVEC_BINARY")))
    for what, path in named:
        if path:
            if not _runs(path):
                raise FileNotFoundError(f"find the imgvec command: {what} names {path}, which is no executable file")
            return os.path.abspath(os.path.expanduser(path))
    places = list(_places())
    for _, path in places:
        if path and _runs(path):
            return path
    tried = "; ".join(f"{what}: {path or 'nothing'}" for what, path in places)
    raise FileNotFoundError(
        f"find the imgvec command: it is not there ({tried}); install the wheel of this platform (pip install imgvec), "
        "or name the command in IMGVEC_BINARY"
    )


def _runs(path):
    path = os.path.expanduser(path)
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _places():
    """(what it is, path) of every place, in order."""
    yield f"scripts of {sys.executable}", os.path.join(sysconfig.get_path("scripts"), NAME)
    yield "scripts of the user", os.path.join(sysconfig.get_path("scripts", _user_scheme()), NAME)
    package = os.path.dirname(os.path.abspath(__file__))
    folder = os.path.dirname(package)
    yield "beside the package", os.path.join(folder, "bin", NAME)
    # --prefix P puts the package into P/lib/pythonX.Y/site-packages and the command into P/bin.
    yield "its prefix", os.path.join(folder, "..", "..", "..", "bin", NAME)
    yield "PATH", shutil.which(NAME)


def _user_scheme():
    if hasattr(sysconfig, "get_preferred_scheme"):  # Python 3.10 and newer
        return sysconfig.get_preferred_scheme("user")
    if os.name == "nt":
        return "nt_user"
    if sys.platform == "darwin" and getattr(sys, "_framework", None):
        return "osx_framework_user"
    return "posix_user"
