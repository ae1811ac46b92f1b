"""Fixtures for tests without Spark: a stand-in for the command, and the real one.

Variables: IMGVEC_BINARY (the released build), IMGVEC_FAULTS_BINARY (the test build that trips over marked images; else
.cache/imgvec-faults), IMGVEC_HOME (libraries and models, else third_party), IMGVEC_REQUIRE (with "binary" in it neither
may be missing).
"""
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "python"))

LONG = 120  # seconds after which a test that waits for something fails; nothing is timed by it


class Fake:
    """A folder with the stand-in as its command; what its processes did; a config for the worker."""

    def __init__(self, folder):
        self.folder, self.binary = folder, os.path.join(folder, "imgvec")
        with open(self.binary, "w") as file:
            file.write(f'#!/bin/sh\nexec "{sys.executable}" "{HERE}/fake_server.py" "$@"\n')
        os.chmod(self.binary, 0o755)

    def config(self, plan=None, **changes):
        """changes: of the config; env is added to what the stand-in needs."""
        env = {"FAKE_DIR": self.folder, "FAKE_PLAN": json.dumps(plan or {}), **changes.pop("env", {})}
        return {"v": 1, "package": "0", "binary": self.binary, "env": env, "socket_dir": os.path.join(self.folder, "s"),
                "fetch": False, "quiet": True, "timeout": 60, "stall_timeout": 60, **changes}

    def marks(self, kind):
        """The lines that processes left, without their process ids."""
        return [line.split(" ", 1)[1] for line in self.lines(kind)]

    def pids(self, kind="starts"):
        return [int(line.split(" ", 1)[0]) for line in self.lines(kind)]

    def lines(self, kind):
        with contextlib.suppress(FileNotFoundError), open(os.path.join(self.folder, kind)) as file:
            return file.read().splitlines()
        return []

    def count(self, command):
        """How many processes were started as `serve` or `stdio`."""
        return sum(line.startswith(command) for line in self.marks("starts"))

    def end(self):
        for pid in self.pids():
            with contextlib.suppress(OSError):
                if str(HERE).encode() in open(f"/proc/{pid}/cmdline", "rb").read():
                    os.kill(pid, signal.SIGKILL)


@pytest.fixture
def fake():
    """A stand-in for the command. All its processes end with the test."""
    folder = tempfile.mkdtemp(prefix="imgvec-test-", dir="/tmp")  # a short path: sockets lie in it
    one = Fake(folder)
    yield one
    one.end()
    shutil.rmtree(folder)


@pytest.fixture
def until():
    """A function that waits until another returns something true, which it returns; the test fails if it never does."""
    def wait(what, said="what was waited for"):
        end = time.monotonic() + LONG
        while time.monotonic() < end:
            found = what()
            if found:
                return found
            time.sleep(0.02)
        pytest.fail(f"{said} did not come")
    return wait


def need(path, what):
    if path and os.path.exists(path):
        return path
    if "binary" in os.environ.get("IMGVEC_REQUIRE", "").split(","):
        pytest.fail(f"{what} is missing: {path}")
    pytest.skip(f"{what} is missing: {path}")


@pytest.fixture(scope="session")
def home():
    """The folder of native libraries and models."""
    return need(os.environ.get("IMGVEC_HOME") or os.path.join(ROOT, "third_party"), "the folder of libraries and models")


@pytest.fixture
def real(home):
    """A function that makes a config for the released build, or for the test build."""
    folder = tempfile.mkdtemp(prefix="imgvec-test-", dir="/tmp")

    def config(faults=False, **changes):
        released = os.environ.get("IMGVEC_BINARY") or os.path.join(ROOT, "imgvec")
        tripping = os.environ.get("IMGVEC_FAULTS_BINARY") or os.path.join(ROOT, ".cache", "imgvec-faults")
        binary = need(tripping if faults else released, "the command (make build faults)")
        return {"v": 1, "package": "0", "binary": binary, "home": home, "socket_dir": os.path.join(folder, "s"),
                "options": {"model": "efficientnet-lite0", "device": "cpu"}, "fetch": False, "quiet": True, **changes}

    yield config
    from imgvec import _worker

    for child in _worker.children():  # those of other tests are gone already
        child.kill()
        child.wait()
    shutil.rmtree(folder)
