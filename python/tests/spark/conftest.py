"""Fixtures for tests on real Spark. What they need and how they are run: `make test-spark`.

Variables: IMGVEC_BINARY (else ./imgvec), IMGVEC_FAULTS_BINARY (the test build that trips over marked images, else .cache/imgvec-faults),
IMGVEC_HOME (libraries and models, else third_party), IMGVEC_REQUIRE (with "spark" in it nothing of this may be missing), IMGVEC_TEST_SLACK
(what the product's deadlines are multiplied by on small machines).
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import sys
import tempfile

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(ROOT, "python")
sys.path[:] = [HERE, *(p for p in sys.path if p not in (HERE, SOURCE))]
if importlib.util.find_spec("imgvec") is None:  # else it is installed, as `make test-spark` has it, and that is what is tested
    sys.path.insert(1, SOURCE)

import images  # noqa: E402
import procs  # noqa: E402
import sessions as sessions_module  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "spark4: what Spark has from 4.0 on")


# Modules with sessions of their own come last, so that the others share one.
LAST = ("test_lifecycle.py", "test_cluster.py", "test_gpu.py", "test_memory.py", "test_wheel.py")


def pytest_collection_modifyitems(items):
    """Puts modules in order, and skips what the installed Spark does not have."""
    import pyspark

    items.sort(key=lambda item: LAST.index(item.path.name) if item.path.name in LAST else -1)
    if int(pyspark.__version__.split(".")[0]) < 4:
        for item in items:
            if item.get_closest_marker("spark4"):
                item.add_marker(pytest.mark.skip(reason="needs Spark 4"))


def pytest_terminal_summary(terminalreporter):
    """Prints how long the product took for what it promises, to be read where a promise is nearly broken."""
    if procs.KEPT:
        terminalreporter.section("promises")
        for line in procs.KEPT:
            terminalreporter.line(line)


def need(path, what):
    """Returns the path; where it is missing the test is skipped, or fails if IMGVEC_REQUIRE says so."""
    if os.path.exists(path):
        return path
    if "spark" in os.environ.get("IMGVEC_REQUIRE", "").split(","):
        pytest.fail(f"{what} is missing: {path}")
    pytest.skip(f"{what} is missing: {path}")


@pytest.fixture(scope="session")
def home():
    """The folder of native libraries and models."""
    path = os.environ.get("IMGVEC_HOME") or os.path.join(ROOT, "third_party")
    os.environ["IMGVEC_HOME"] = path  # the command's own runs, in images.py
    return need(path, "the folder of libraries and models (make setup)")


@pytest.fixture(scope="session")
def binary(home):
    """The released build."""
    return need(os.environ.get("IMGVEC_BINARY") or os.path.join(ROOT, "imgvec"), "the binary (make build)")


@pytest.fixture(scope="session")
def faults(home):
    """The test build, which trips over marked images."""
    return need(os.environ.get("IMGVEC_FAULTS_BINARY") or os.path.join(ROOT, ".cache", "imgvec-faults"), "the test build (make faults)")


@pytest.fixture(scope="session")
def samples(binary, tmp_path_factory):
    """Small JPEGs: [(name, bytes)]."""
    return images.draw(binary, str(tmp_path_factory.mktemp("samples") / "drawn"))


@pytest.fixture(scope="session")
def photos(samples):
    """Small JPEGs: [bytes]."""
    return [content for _, content in samples]


@pytest.fixture(scope="session")
def expected(binary, samples, tmp_path_factory):
    """What the command makes of `photos`, in order: lists of floats, in fp32, the same bits whatever the batch."""
    folder = tmp_path_factory.mktemp("expected")
    for name, content in samples:
        (folder / name).write_bytes(content)
    rows = images.extract(binary, str(folder), str(folder / "out.parquet"), None, "--deterministic")
    return [rows[name][0] for name, _ in samples]


@pytest.fixture(scope="session")
def sessions():
    """Hands out sessions by mode; the last one ends with the tests."""
    made = sessions_module.Sessions()
    yield made
    made.close()


class Place:
    """What one test uses of a session: a socket folder of its own, so that its servers are told from others', and the binary.

    featurize(df, ...) is the product's, with the binary, the home and the socket folder of this place; what it returns for `about`,
    `metrics` and processes is of this place's servers only.
    """

    def __init__(self, session, binary, home, model=None):
        self.session, self.spark = session, session.spark
        self.sockets = tempfile.mkdtemp(prefix="p-", dir=session.sockets)
        self.arguments = {"model": model or "efficientnet-lite0", "precision": "fp32", "device": "cpu", "binary": binary, "home": home}
        self.arguments["options"] = {"deterministic": True}

    def featurize(self, df, tuning=None, **arguments):
        """Calls imgvec.spark.featurize on efficientnet-lite0 on the CPU in fp32, with the same bits whatever the batch, unless told otherwise."""
        from imgvec.spark import featurize

        tuning = {"socket_dir": self.sockets, "fetch": False, **(tuning or {})}
        return featurize(df, tuning=tuning, **{**self.arguments, **arguments})

    def read(self, folder):
        """Returns the DataFrame of a data set that images.table wrote."""
        return self.spark.read.parquet(folder)

    def servers(self):
        """Lists the place's living servers."""
        return [p for p in procs.servers(self.session.mark) if any(self.sockets in a for a in p.argv)]

    def children(self):
        """Lists the living stdio children of the session; no two tests run at a time."""
        return procs.children(self.session.mark)

    def abouts(self):
        return procs.abouts(self.sockets)

    def total(self, name):
        return procs.total(self.sockets, name)

    def kill_in_job(self, rows):
        """Waits until the only server has finished so many rows, kills it, and returns its pid."""
        procs.wait(f"{rows} finished rows", lambda: self.total("imgvec_rows_total") >= rows)
        pid = self.abouts()[0]["pid"]
        procs.kill(pid)
        return pid

    def end(self):
        """Ends the place's servers, so that they take no time from later tests. SIGTERM: they take their sockets with them.

        A worker whose task was cancelled may live for some seconds more, and start another server meanwhile.
        """
        told = set()

        def ended():
            living = self.servers()
            for server in living:
                if server.pid not in told:
                    told.add(server.pid)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(server.pid, signal.SIGTERM)
            return not living

        procs.wait("the place's servers to end", ended)
        left = procs.sockets(self.sockets)
        shutil.rmtree(self.sockets, ignore_errors=True)
        assert not left, left


@pytest.fixture
def place(request, sessions, home):
    """Makes a Place: place(master="local[2]", faults=False, conf=None, env=None)."""
    made = []

    def make(master="local[2]", faults=False, conf=None, env=None, model=None):
        build = request.getfixturevalue("faults" if faults else "binary")
        one = Place(sessions.get(master, conf, env), build, home, model)
        made.append(one)
        return one

    yield make
    for one in made:
        if one.session is sessions.current:
            one.end()


@pytest.fixture
def spark(sessions):
    """A plain session: local[2]."""
    return sessions.get("local[2]").spark
