"""featurize on real sessions, with a worker that needs no server: names, types, metadata, what is refused and how."""

import os

import pytest
from pyspark.sql import functions as F

from imgvec.spark import _ship, featurize


@pytest.fixture(autouse=True)
def standin(monkeypatch):
    """The stand-in travels in the place of the worker."""
    with open(os.path.join(os.path.dirname(__file__), "api_standin.py"), "rb") as file:
        source = file.read()
    monkeypatch.setattr(_ship, "worker_source", lambda: source)


@pytest.fixture
def df(spark):
    rows = [(bytearray(b"abc"), 1, "x"), (bytearray(b"bad"), 2, "yy"), (None, 3, "z")]
    return spark.createDataFrame(rows, "content binary, id int, path string")


def collected(out):
    return [tuple(r) for r in out.orderBy("id").collect()]


def test_columns_and_rows(df):
    out = featurize(df)
    assert out.dtypes == [("id", "int"), ("path", "string"), ("features", "array<float>"), ("features_error", "string")]
    bad = "decode: a bad binary"
    assert collected(out) == [(1, "x", [3.0, 97.0], None), (2, "yy", None, bad), (3, "z", None, bad)]


def test_the_input_may_stay_and_be_paths(df):
    out = featurize(df, inputCol="path", keepInput=True, outputCol="v", errorCol=None)
    assert out.columns == ["content", "id", "path", "v"]
    assert [r["v"] for r in out.orderBy("id").collect()] == [[1.0, 120.0], [2.0, 121.0], [1.0, 122.0]]


def test_on_error(df):
    assert collected(featurize(df, onError="drop", errorCol=None)) == [(1, "x", [3.0, 97.0])]
    with pytest.raises(Exception, match="a bad image"):
        featurize(df, onError="fail").collect()


def test_failed_rows_run_again(df):
    out = featurize(df)
    failed = out.where("features_error IS NOT NULL").select("path")
    again = featurize(df.join(failed, "path"), inputCol="path", keepInput=True).drop("content")
    whole = out.where("features_error IS NULL").unionByName(again)
    assert sorted((r["id"], r["features"]) for r in whole.collect()) == [(1, [3, 97]), (2, [2, 121]), (3, [1, 122])]


def test_no_rows_and_few(df):
    assert featurize(df.where("id > 99")).collect() == []
    assert len(featurize(df).limit(1).collect()) == 1
    assert featurize(df.select("content")).columns == ["features", "features_error"]


def test_metadata_says_what_was_used_and_others_stay(spark, df, tmp_path):
    named = df.select("content", F.col("id").alias("id", metadata={"a": 1}))
    featurize(named, model="resnet50", options={"max-pixels": 5}).write.parquet(str(tmp_path / "out"))
    schema = spark.read.parquet(str(tmp_path / "out")).schema
    assert schema["id"].metadata == {"a": 1}
    used = schema["features"].metadata["imgvec"]
    assert (used["model"], used["precision"], used["max-pixels"]) == ("resnet50", "auto", "5")


@pytest.mark.parametrize("name", ["a.b", "a`b", "imgvec_1.", "an id", "ä"])
def test_odd_names_pass_through(df, name):
    out = featurize(
        df.select("content", F.col("id").alias(name), F.lit(7).alias("imgvec_1"), F.lit(1).alias("id")),
        outputCol="out.put",
    )
    assert out.columns == [name, "imgvec_1", "id", "out.put", "features_error"]
    assert sorted(r[0] for r in out.collect()) == [1, 2, 3]


def test_names_are_found_as_the_session_finds_them(spark, df):
    assert featurize(df, inputCol="CONTENT").columns == ["id", "path", "features", "features_error"]
    with pytest.raises(ValueError, match="more than one column ID"):
        featurize(df.selectExpr("*", "1 AS ID"))
    with pytest.raises(ValueError, match="FEATURES is there already"):
        featurize(df.selectExpr("*", "1 AS features"), outputCol="FEATURES")
    spark.conf.set("spark.sql.caseSensitive", "true")
    try:
        assert featurize(df.selectExpr("*", "1 AS ID")).columns == ["id", "path", "ID", "features", "features_error"]
        with pytest.raises(ValueError, match="no column CONTENT; there are: content, id, path"):
            featurize(df, inputCol="CONTENT")
    finally:
        spark.conf.unset("spark.sql.caseSensitive")


PIXELS = "named_struct('origin', 'x', 'height', 1, 'width', 1, 'nChannels', 3, 'mode', 16, 'data', X'00')"


@pytest.mark.parametrize(
    "name,error,said",
    [
        ("image", TypeError, "raw pixels.*binaryFile"),
        ("image.data", ValueError, "raw pixels.*binaryFile"),
        ("r.b", ValueError, r"lies within the column r.*withColumn\('b', df\['r.b'\]\)"),
        ("n", TypeError, "n is int, not binary"),
        ("arr", TypeError, "arr is array<int>, not binary"),
        ("nowhere.b", ValueError, "no column nowhere.b; there are: image, n, r, arr"),
    ],
)
def test_input_columns_that_hold_no_images(spark, name, error, said):
    df = spark.sql(f"SELECT {PIXELS} AS image, 1 AS n, named_struct('b', X'00') AS r, array(1) AS arr")
    with pytest.raises(error, match=said):
        featurize(df, inputCol=name)


@pytest.mark.parametrize(
    "given,said",
    [
        ({"outputCol": "id"}, "outputCol id is there already"),
        ({"errorCol": "path"}, "errorCol path is there already"),
        ({"errorCol": "features"}, "errorCol features is there already"),
        ({"outputCol": ""}, "not the name of a column"),
        ({"outputCol": None}, "not the name of a column"),
        ({"onError": "keep"}, "onError is 'keep'"),
    ],
)
def test_wrong_arguments_are_refused_on_the_driver(df, given, said):
    with pytest.raises(ValueError, match=said):
        featurize(df, **given)


@pytest.mark.parametrize(
    "expression",
    [
        "make_interval(1, 2, 3)",
        "interval '1' year",
        "array(interval '1' year)",
        "map('a', array())",
        "named_struct('a', 1, 'a', 2)",
    ],
)
def test_types_that_cannot_travel_are_refused_on_the_driver(spark, expression):
    df = spark.sql(f"SELECT X'010203' AS content, {expression} AS c")
    with pytest.raises(TypeError, match="cast it to string"):
        featurize(df)
    assert featurize(df.selectExpr("content", "CAST(c AS string) AS c")).first()["features"] == [3.0, 1.0]


TYPES = {
    "map": "map('a', 1)",
    "struct": "named_struct('a', array(named_struct('b', timestamp'2020-01-01 00:00:00')), 'm', map('k', array(1.5D)))",
    "key": "map(named_struct('a', 1), 2)",
    "decimal": "CAST(1.50 AS decimal(38, 10))",
    "ntz": "timestamp_ntz'2020-01-01 00:00:00'",
    "void": "null",
    "voids": "array(null)",
    "interval": "interval '1' day",
    "binary": "X'00'",
}
NEW_TYPES = {
    "variant": "parse_json('{\"a\":1}')",
    "variants": "array(parse_json('1'))",
    "collated": "'a' COLLATE UTF8_LCASE",
}


@pytest.mark.parametrize("expression", TYPES.values(), ids=TYPES)
def test_types_that_travel(spark, expression):
    passes(spark, expression)


@pytest.mark.spark4
@pytest.mark.parametrize("expression", NEW_TYPES.values(), ids=NEW_TYPES)
def test_new_types_that_travel(spark, expression):
    passes(spark, expression)


def passes(spark, expression):
    df = spark.sql(f"SELECT X'010203' AS content, {expression} AS c")
    out = featurize(df)
    assert out.schema["c"].dataType == df.schema["c"].dataType
    assert repr(out.first()["c"]) == repr(df.first()["c"])


def test_vectors_travel(spark):
    from pyspark.ml.linalg import Vectors

    rows = [
        (bytearray(b"abc"), 1, Vectors.dense([1.0, 2.0])),
        (bytearray(b"abd"), 2, Vectors.sparse(3, [0], [1.0])),
        (bytearray(b"abe"), 3, None),
    ]
    df = spark.createDataFrame(rows, ["content", "id", "v"]).selectExpr("*", "array(v) AS a")
    assert [(r["v"], r["a"]) for r in featurize(df).orderBy("id").collect()] == [(v, [v]) for _, _, v in rows]


def test_a_table_is_featurized_while_it_streams_in(spark, df, tmp_path):
    df.write.parquet(str(tmp_path / "in"))
    stream = featurize(spark.readStream.schema(df.schema).parquet(str(tmp_path / "in")))
    paths = {"path": str(tmp_path / "out"), "checkpointLocation": str(tmp_path / "check")}
    query = stream.writeStream.format("parquet").options(**paths).trigger(availableNow=True).start()
    query.awaitTermination()
    assert collected(spark.read.schema(stream.schema).parquet(paths["path"]).select("id", "features"))[0] == (
        1,
        [3.0, 97.0],
    )
