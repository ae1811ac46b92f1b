"""Spark Connect, end to end: the driver has no JVM of its own and no SparkContext. In a process of its own, connect_script.py."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid

import images
import procs
import pytest
from conftest import HERE
from sessions import JAVA

import imgvec

pytestmark = pytest.mark.spark4


@pytest.fixture(scope="module")
def report(faults, home, photos, tmp_path_factory):
    """What connect_script.py found, once for all tests of this file."""
    pytest.importorskip("grpc")
    folder = tmp_path_factory.mktemp("connect")
    quick = images.table(str(folder / "q"), [*photos, b"no image", photos[0] + images.CRASH], parts=2)
    slow = images.table(str(folder / "s"), [images.slow(photos[i % len(photos)], 100) for i in range(400)], parts=2)
    place = tempfile.mkdtemp(prefix="iv-")
    sockets = os.path.join(place, "s")
    os.mkdir(sockets, 0o700)
    job = {"binary": faults, "home": home, "quick": quick, "slow": slow, "sockets": sockets, "local": place, "mark": uuid.uuid4().hex}
    env = {**os.environ, procs.MARK: job["mark"], "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    env["PYSPARK_SUBMIT_ARGS"] = f"--driver-java-options '{JAVA}' pyspark-shell"
    env["IMGVEC_PYTHON_PACKAGE"] = os.path.dirname(os.path.dirname(imgvec.__file__))
    env.pop("PYTHONPATH", None)
    command = [sys.executable, os.path.join(HERE, "connect_script.py"), json.dumps(job)]
    run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-6000:]
    found = json.loads(run.stdout.strip().splitlines()[-1])
    found["mark"], found["sockets"] = job["mark"], sockets
    yield found
    shutil.rmtree(place, ignore_errors=True)


def test_features_and_errors(report, photos, expected):
    by_id = {r["id"]: r for r in report["rows"]}
    assert sorted(by_id) == list(range(len(photos) + 2))
    for i, want in enumerate(expected):
        assert by_id[i]["features"] == want and by_id[i]["features_error"] is None
    for i in (len(photos), len(photos) + 1):
        assert by_id[i]["features"] is None and by_id[i]["features_error"]
    assert report["columns"] == ["id", "features", "features_error"]


def test_no_context_was_there(report):
    assert "JVM_ATTRIBUTE_NOT_SUPPORTED" in report["context"]


def test_the_udf_gives_the_same(report, expected):
    assert report["udf"] == expected


def test_an_interrupted_job_leaves_the_server_alone(report):
    assert report["interrupted"], "the job must have been interrupted"
    assert report["idle"], "connections, rows or children were left by the interrupted job"
    assert report["pids"][0] == report["pids"][1]


def test_nothing_is_left(report):
    procs.within(10, "nothing to be left of the Connect session", lambda: not procs.marked(report["mark"]), lambda: procs.marked(report["mark"]))
    assert procs.sockets(report["sockets"]) == []
