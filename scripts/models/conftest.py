"""Collects the rows of cases_*.py; `-m fast` takes those that are marked fast, in their first form or in every one."""
import importlib
import pathlib
import shutil
import sys

import pytest
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import harness  # noqa: E402  (found by the line above)

ROWS = [case for file in sorted(pathlib.Path(__file__).parent.glob("cases_*.py")) for case in importlib.import_module(file.stem).CASES]


def pytest_configure(config):
    config.addinivalue_line("markers", "fast: the subset that takes minutes, of make test-models-fast")
    torch.set_num_threads(2)
    torch.set_grad_enabled(False)


def pytest_generate_tests(metafunc):
    if {"reference", "form"} <= set(metafunc.fixturenames):
        rows = [(c, f, c.fast is True and f == c.forms[0] or c.fast == "every form") for c in ROWS for f in c.forms]
        metafunc.parametrize("reference,form", [row(c, f, fast=fast) for c, f, fast in rows])
    elif "reference" in metafunc.fixturenames:
        metafunc.parametrize("reference", [row(c, fast=bool(c.fast)) for c in ROWS if c.detected is not None])


def row(case, *form, fast):
    return pytest.param(case, *form, id="-".join((case.name, *form)), marks=[pytest.mark.fast] if fast else [])


@pytest.fixture
def folder(tmp_path):
    """A folder that is emptied at once: the checkpoints of large models are gigabytes."""
    yield tmp_path / "checkpoint"
    shutil.rmtree(tmp_path)


@pytest.fixture
def home(tmp_path):
    """A home without native libraries: imports alone."""
    path = tmp_path / "home"
    path.mkdir()
    return path


@pytest.fixture
def whole_home(home):
    """A home that runs models."""
    assert harness.LIBRARIES.is_dir(), f"{harness.LIBRARIES} is not there: run make setup"
    (home / "lib").symlink_to(harness.LIBRARIES)
    return home
