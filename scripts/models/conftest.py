"""Collects the rows of cases_*.py; `-m fast` takes those that are marked fast, in their first form and all of the smallest."""
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
    if "form" in metafunc.fixturenames:
        rows = [(c, f) for c in ROWS for f in c.forms]
        marks = [pytest.param(c, f, id=f"{c.name}-{f}", marks=[pytest.mark.fast] if c.fast else []) for c, f in rows]
        metafunc.parametrize("reference,form", marks)
    elif "reference" in metafunc.fixturenames:
        marks = [pytest.param(c, id=c.name, marks=[pytest.mark.fast] if c.fast else []) for c in ROWS]
        metafunc.parametrize("reference", marks)


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
