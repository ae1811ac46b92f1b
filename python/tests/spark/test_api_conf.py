"""check_conf: what it finds in sessions set up badly, and that it leaves a session as it was."""

import sys
import types

import pytest

from imgvec.spark import check_conf, recommended_conf

GOOD = {
    "3.5.9": {"spark.sql.execution.arrow.maxRecordsPerBatch": "64"},
    "4.0.1": {
        "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
        "spark.sql.execution.arrow.maxBytesPerBatch": "64MB",
    },
}
QUIET = {"spark.master": "spark://host:7077", "spark.executor.cores": "4", "spark.sql.files.openCostInBytes": "131072"}


def session(version="4.0.1", **conf):
    """What check_conf reads of a session: its version and its settings, of which it may refuse some."""
    settings = {**QUIET, **GOOD[version], **{k.replace("__", "."): v for k, v in conf.items()}}
    context = types.SimpleNamespace(pythonExec=sys.executable)
    return types.SimpleNamespace(
        version=version, sparkContext=context, conf=types.SimpleNamespace(get=lambda key: settings[key])
    )


def found(*arguments, **conf):
    return {f.key: f for f in check_conf(session(*arguments, **conf))}


@pytest.mark.parametrize("version", GOOD)
def test_a_good_session(version):
    assert check_conf(session(version)) == []
    assert str(check_conf(session(version))) == "no setting stands in the way"


GPU = {"spark__executor__resource__gpu__amount": "1", "spark__task__resource__gpu__amount": "1"}
IDLE = {"spark__dynamicAllocation__enabled": "true", "spark__dynamicAllocation__executorIdleTimeout": "60s"}

BAD = [
    ("3.5.9", {"spark__sql__execution__arrow__maxRecordsPerBatch": "10000"}, "maxRecordsPerBatch", "whole partition"),
    ("3.5.9", {"spark__sql__execution__arrow__maxRecordsPerBatch": "-1"}, "maxRecordsPerBatch", "whole partition"),
    ("4.0.1", {"spark__sql__execution__arrow__maxRecordsPerBatch": "2"}, "maxRecordsPerBatch", "so few"),
    ("4.0.1", {"spark__sql__execution__arrow__maxBytesPerBatch": "256MB"}, "maxBytesPerBatch", "so many bytes"),
    ("4.0.1", {"spark__sql__execution__arrow__maxBytesPerBatch": "-1"}, "maxBytesPerBatch", "so many bytes"),
    ("4.0.1", {"spark__python__worker__reuse": "false"}, "worker.reuse", "Python process"),
    ("4.0.1", {"spark__sql__files__openCostInBytes": "4MB"}, "openCostInBytes", "at most 31 photos"),
    ("4.0.1", {"spark__master": "local[3]"}, "spark.master", "one attempt"),
    ("4.0.1", {"spark__master": "local[3,4]", **GPU}, "task.resource.gpu.amount", "no task ever starts"),
    ("4.0.1", GPU, "task.resource.gpu.amount", "only 1 of 4 tasks"),
    ("4.0.1", {**GPU, "spark__task__resource__gpu__amount": "0.4"}, "task.resource.gpu.amount", "only 2 of 4 tasks"),
    ("4.0.1", {"spark__executor__pyspark__memory": "2g"}, "pyspark.memory", "0.5 GiB"),
    ("4.0.1", {"spark__executor__pyspark__memory": "4096"}, "pyspark.memory", "1.0 GiB"),
    ("4.0.1", IDLE, "executorIdleTimeout", "loads the model again"),
    ("4.0.1", {"spark__master": "yarn"}, "memoryOverhead", "0.4 GiB"),
    ("4.0.1", {"spark__master": "k8s://x", "spark__executor__memory": "2g"}, "memoryOverhead", "0.8 GiB"),
]


@pytest.mark.parametrize("version,conf,key,problem", BAD, ids=[f"{k}-{i}" for i, (_, _, k, _) in enumerate(BAD)])
def test_bad_settings(version, conf, key, problem):
    got = found(version, **conf)
    assert [k.endswith(key) for k in got] == [True], got
    finding = next(iter(got.values()))
    assert problem in finding.problem and finding.remedy
    assert str(finding) in str(check_conf(session(version, **conf)))


@pytest.mark.parametrize(
    "conf",
    [
        {**GPU, "spark__task__resource__gpu__amount": "0.25"},
        {**GPU, "spark__task__cpus": "4"},
        {"spark__executor__pyspark__memory": "64g"},
        {**IDLE, "spark__dynamicAllocation__executorIdleTimeout": "10min"},
        {"spark__master": "yarn", "spark__executor__memoryOverhead": "3g"},
        {"spark__master": "local[2,4]", "spark__executor__resource__gpu__amount": "1"},
        {"spark__speculation": "true"},
    ],
)
def test_settings_that_are_fine(conf):
    assert check_conf(session(**conf)) == []


def test_another_python_for_the_workers(monkeypatch, tmp_path):
    other = tmp_path / "python3"
    other.symlink_to(sys.executable)
    local, cluster = session(spark__master="local[2,4]"), session()
    for one in (local, cluster):
        one.sparkContext.pythonExec = str(other)
    assert [(f.key, str(other) in f.problem) for f in check_conf(local)] == [("PYSPARK_PYTHON", True)]
    assert check_conf(cluster) == []
    local.sparkContext.pythonExec = "python3"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [f.key for f in check_conf(local)] == ["PYSPARK_PYTHON"]


ROWS = "spark.sql.execution.arrow.maxRecordsPerBatch"


def test_a_real_session_stays_as_it_was(spark):
    settings = every(spark)
    got = {f.key for f in check_conf(spark)}
    assert (
        {"spark.master", "spark.sql.files.openCostInBytes"}
        <= got
        <= {"spark.master", "spark.sql.files.openCostInBytes", ROWS}
    )
    assert (ROWS in got) == spark.version.startswith("3.")
    assert every(spark) == settings


def every(spark):
    """The session's settings as SQL shows them."""
    return {r["key"]: r["value"] for r in spark.sql("SET").collect()}


def test_recommended_settings_leave_nothing_to_find(spark):
    """Those for SQL in the session that runs, the others as a cluster would have them."""
    recommended = recommended_conf(cores=4, gpus=1)
    before = {key: spark.conf.get(key) for key in recommended if key.startswith("spark.sql.")}
    try:
        for key in before:
            spark.conf.set(key, recommended[key])
        assert {f.key for f in check_conf(spark)} == {"spark.master"}
    finally:
        for key, value in before.items():
            spark.conf.set(key, value)
    cluster = {
        k.replace(".", "__"): v
        for k, v in {**recommended, "spark.master": "yarn", "spark.dynamicAllocation.enabled": "true"}.items()
    }
    assert check_conf(session(**cluster)) == []
