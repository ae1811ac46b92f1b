"""Where the package looks for the command."""
import os
import sysconfig

import pytest

from imgvec import _binary


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No command anywhere; folders in the places where one is looked for, by name."""
    folders = {name: tmp_path / name for name in ("scripts", "user", "path", "target", "prefix", "named")}
    for folder in folders.values():
        folder.mkdir()
    package = folders["prefix"] / "lib" / "python3.9" / "site-packages"

    def get_path(name, scheme=None):
        assert name == "scripts"
        return str(folders["user" if scheme else "scripts"])

    monkeypatch.setattr(sysconfig, "get_path", get_path)
    monkeypatch.setattr(_binary, "__file__", str(package / "imgvec" / "_binary.py"))
    monkeypatch.setenv("PATH", str(folders["path"]))
    monkeypatch.delenv("IMGVEC_BINARY", raising=False)
    folders["beside"] = package / "bin"
    folders["prefix"] = folders["prefix"] / "bin"
    return folders


def put(folder, mode=0o755):
    """Makes a command in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _binary.NAME
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return str(path)


def same(a, b):
    return os.path.realpath(a) == os.path.realpath(b)


def test_the_first_place_wins(nowhere):
    for name in ("path", "prefix", "beside", "user", "scripts"):  # from the last to the first
        path = put(nowhere[name])
        if name == "prefix":
            (nowhere["beside"].parent / "imgvec").mkdir(parents=True)
        assert same(_binary.find_binary(), path), name


def test_what_is_named_wins_over_every_place(nowhere, monkeypatch):
    put(nowhere["scripts"])
    named = put(nowhere["named"])
    monkeypatch.setenv("IMGVEC_BINARY", named)
    assert _binary.find_binary() == named
    other = put(nowhere["named"] / "other")
    assert _binary.find_binary(other) == other


def test_what_is_named_and_not_there_is_an_error(nowhere, monkeypatch):
    put(nowhere["scripts"])
    with pytest.raises(FileNotFoundError, match="the argument binary names /nosuch"):
        _binary.find_binary("/nosuch")
    monkeypatch.setenv("IMGVEC_BINARY", put(nowhere["named"], mode=0o644))
    with pytest.raises(FileNotFoundError, match="IMGVEC_BINARY names .*no executable file"):
        _binary.find_binary()


def test_the_error_lists_the_places_and_the_remedy(nowhere):
    with pytest.raises(FileNotFoundError) as error:
        _binary.find_binary()
    for text in (str(nowhere["scripts"]), str(nowhere["user"]), "PATH: nothing", "pip install imgvec", "IMGVEC_BINARY"):
        assert text in str(error.value)


def test_a_folder_or_a_file_that_does_not_run_is_no_command(nowhere):
    (nowhere["scripts"] / _binary.NAME).mkdir()
    put(nowhere["user"], mode=0o644)
    path = put(nowhere["path"])
    assert _binary.find_binary() == path
