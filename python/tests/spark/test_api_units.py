"""What the API works out on the driver without a session: settings, the closure, imports."""

import ast
import os
import re
import subprocess
import sys

import pyarrow as pa
import pyspark
import pytest
from conftest import ROOT
from pyspark.cloudpickle import dumps
from pyspark.sql import types as T

from imgvec import _worker
from imgvec.spark import _checks, _config, _pyspark, _ship, _sizes, _strip, featurize_udf, recommended_conf


def config(**more):
    given = {
        "input": "binary",
        "column": "content",
        "keep": ["path", "modificationTime", "length"],
        "output": "features",
        "error": "features_error",
    }
    return _config.worker_config(_config.flags(options={"max-pixels": 50_000_000}), **{**given, **more})


def alone(code, *arguments):
    """Runs code in a Python that is not told where this package is, and returns what it prints."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd="/", env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_closures_are_small_and_run_where_the_package_is_absent(tmp_path):
    file = tmp_path / "closure"
    file.write_bytes(dumps(_ship.map_closure(config())))
    assert file.stat().st_size < 16384
    code = (
        "import pickle, sys, pyarrow as pa\n"
        "f = pickle.load(open(sys.argv[1], 'rb'))\n"
        "columns = {'content': pa.array([], pa.binary()), 'path': pa.array([], pa.string())}\n"
        "columns.update(modificationTime=pa.array([], pa.int64()), length=pa.array([], pa.int64()))\n"
        "print([b.schema.names for b in f(iter([pa.RecordBatch.from_pydict(columns)]))])\n"
        "print([m for m in sys.modules if m.startswith('imgvec')])\n"
    )
    assert alone(code, str(file)) == "[['path', 'modificationTime', 'length', 'features', 'features_error']]\n[]"


def test_what_travels_is_the_worker_without_its_words():
    source = _ship.worker_source()
    short = _strip.stripped(source)
    code, less = ast.parse(source), ast.parse(short)
    places = [
        [(n.name, n.lineno) for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
        for tree in (code, less)
    ]
    assert places[0] == places[1]
    for node in [*ast.walk(code), *ast.walk(less)]:
        if (
            isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef))
            and ast.get_docstring(node, clean=False) is not None
        ):
            node.body[0].value.value = ""
    assert ast.dump(code) == ast.dump(less)
    assert len(short) < 0.9 * len(source)


def test_the_functions_of_sql_are_small_too():
    assert len(dumps((featurize_udf().func, T.ArrayType(T.FloatType())))) < 16384


def test_a_worker_is_loaded_once_and_its_tracebacks_show_its_lines():
    load = _ship._loader(b"def f():\n    return 1 / 0\n", "{}")
    module, settings = load()
    assert load()[0] is module and settings == {}
    import traceback

    try:
        module.f()
    except ZeroDivisionError as e:
        assert "return 1 / 0" in "".join(traceback.format_tb(e.__traceback__))


def test_the_worker_knows_every_setting():
    assert set(config()) <= set(_worker.DEFAULTS)
    assert set(_config._TUNING) <= set(_worker.DEFAULTS)
    assert _checks._LEAST_ADDRESS_SPACE == _worker.LEAST_MEMORY


def test_the_default_model_is_the_commands():
    source = os.path.join(ROOT, "model", "registry.go")
    with open(source, encoding="utf-8") as file:
        assert re.search(r'const Default = "(.*)"', file.read()).group(1) == _config.DEFAULT_MODEL


def test_only_pyspark_and_pyarrow_are_needed():
    code = (
        "import sys\n"
        "import pyspark.sql, pyarrow\n"
        "before = set(sys.modules)\n"
        f"sys.path.insert(0, {os.path.join(ROOT, 'python')!r})\n"
        "import imgvec.spark\n"
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before} & {'numpy', 'pandas', 'torch', 'PIL'}))\n"
    )
    assert alone(code) == "[]"


@pytest.mark.parametrize(
    "version,fine", [("3.4.3", False), ("3.5.0", True), ("4.3.0", True), ("4.3.0.dev1", True), ("10.0", True)]
)
def test_old_pyspark_is_refused(monkeypatch, version, fine):
    monkeypatch.setattr(pyspark, "__version__", version)
    if fine:
        return _pyspark.require_pyspark()
    with pytest.raises(ImportError, match="pyspark 3.5 or newer, not 3.4.3"):
        _pyspark.require_pyspark()


def test_without_pyspark_there_is_a_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(ImportError, match="pip install"):
        _pyspark.require_pyspark()


def test_flags_are_texts_under_their_names():
    got = _config.flags(
        "m", "cpu", "fp32", True, "ignore", {"max_pixels": 5, "--gray16": "scale", "deterministic": True}
    )
    want = {"model": "m", "device": "cpu", "precision": "fp32", "normalize": "true", "exif": "ignore"}
    assert got == {**want, "max-pixels": "5", "gray16": "scale", "deterministic": "true"}


@pytest.mark.parametrize(
    "given,said",
    [
        ({"options": {"model": "x"}}, "argument of its own: model="),
        ({"options": {"owner_pid": 1}}, "that you start yourself"),
        ({"options": {"a b": 1}}, "no flag"),
        ({"options": {"provider-option": ["x"]}}, "not a text"),
        ({"model": 3}, "model is 3"),
        ({"device": ""}, "device is ''"),
    ],
)
def test_wrong_flags_are_refused(given, said):
    with pytest.raises((ValueError, TypeError), match=said):
        _config.flags(**given)


@pytest.mark.parametrize(
    "given,said", [({"tuning": {"row": 3}}, "'row', not one of rows"), ({"on_error": "keep"}, "onError is 'keep'")]
)
def test_wrong_settings_are_refused(given, said):
    with pytest.raises(ValueError, match=said):
        config(**given)


@pytest.mark.parametrize(
    "master,cores",
    [
        ("local", 1),
        ("local[2]", 2),
        ("local[2,4]", 2),
        ("local[*]", None),
        ("local[*,4]", None),
        ("local-cluster[2,3,1024]", 3),
        ("yarn", None),
        ("", None),
    ],
)
def test_cores_of_a_local_master(master, cores):
    assert _pyspark.local_cores(master) == cores


@pytest.mark.parametrize(
    "text,size",
    [
        ("4MB", 4 << 20),
        ("64m", 64 << 20),
        ("131072", 131072),
        ("1g", 1 << 30),
        ("4194304b", 4 << 20),
        ("-1", -1),
        ("", 0),
        ("much", 0),
    ],
)
def test_sizes(text, size):
    assert _sizes.size(text) == size
    assert _sizes.size("512", 1 << 20) == 512 << 20


def test_times():
    assert [_sizes.seconds(t) for t in ("60s", "10min", "1h", "90", "?")] == [60, 600, 3600, 90, 0]


@pytest.mark.parametrize("cores,gpus", [(c, g) for c in (1, 2, 3, 4, 7, 8, 16, 48) for g in (1, 2, 3, 4, 8)])
def test_the_share_of_a_gpu_lets_every_core_work(cores, gpus):
    share = float(_sizes.gpu_share(cores, gpus))
    assert share <= 0.5 or share == 1  # what Spark takes
    assert gpus * int(1 / share) >= cores


def test_recommended_settings_have_reasons():
    got = recommended_conf(cores=8, gpus=1, version="3.5.9", discoveryScript="/x.sh")
    assert got["spark.task.resource.gpu.amount"] == "0.125"
    assert set(got) == set(got.reasons) and all(isinstance(v, str) for v in got.values())
    assert "spark.executor.cores=8" in str(got)
    assert "spark.sql.execution.arrow.maxBytesPerBatch" not in got
    assert "spark.sql.execution.arrow.maxBytesPerBatch" in recommended_conf(version="4.3.0")
    with pytest.raises(ValueError, match="needs cores"):
        recommended_conf(gpus=1)


def test_a_udf_tells_a_column_that_holds_no_images(monkeypatch):
    import api_standin

    from imgvec.spark import _udf

    answers = _udf._answers(lambda: (api_standin, {"on_error": "null"}))
    with pytest.raises(TypeError, match="int32, not binary"):
        list(answers(iter([pa.nulls(2), pa.array([1], pa.int32())])))
    assert [len(a) for a in answers(iter([pa.nulls(2), pa.array(["x"])]))] == [2, 1]
    assert list(answers(iter([]))) == []
