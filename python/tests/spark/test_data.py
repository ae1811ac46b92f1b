"""What goes in and what comes out, in local[2]: types, order, nulls, empty tables, bad images, early stops."""

import datetime
import decimal
import os

import images
import procs
import pyarrow as pa
import pytest
import rows
from pyspark.sql import functions as F
from pyspark.sql import types as T

MOMENT = datetime.datetime(2020, 1, 2, 3, 4, 5, 678000)
EVERY_TYPE = [
    ("a_bool", T.BooleanType(), True),
    ("a_byte", T.ByteType(), -7),
    ("a_short", T.ShortType(), 300),
    ("an_int", T.IntegerType(), -70000),
    ("a_long", T.LongType(), 1 << 40),
    ("a_float", T.FloatType(), 0.5),
    ("a_double", T.DoubleType(), 0.1),
    ("a_decimal", T.DecimalType(20, 3), decimal.Decimal("12345678901234567.125")),
    ("a_string", T.StringType(), "ein Zwölfer"),
    ("a_binary", T.BinaryType(), bytearray(b"\0\xff")),
    ("a_date", T.DateType(), datetime.date(1969, 7, 20)),
    ("a_timestamp", T.TimestampType(), MOMENT),
    ("a_local_time", T.TimestampNTZType(), MOMENT),
    ("an_interval", T.DayTimeIntervalType(), datetime.timedelta(days=3, seconds=5)),
    ("an_array", T.ArrayType(T.IntegerType()), [1, None, 3]),
    ("a_map", T.MapType(T.StringType(), T.DoubleType()), {"x": 1.5}),
    ("a_struct", T.StructType([T.StructField("p", T.LongType()), T.StructField("q", T.ArrayType(T.StringType()))]), {"p": 5, "q": ["r"]}),
]


@pytest.fixture
def here(place):
    return place()


def test_every_type_passes_through_in_order(here, photos):
    fields = [T.StructField(name, kind) for name, kind, _ in EVERY_TYPE]
    schema = T.StructType([T.StructField("id", T.LongType(), False), *fields[:9], T.StructField("content", T.BinaryType()), *fields[9:]])
    values = [value for _, _, value in EVERY_TYPE]
    full = (0, *values[:9], bytearray(photos[0]), *values[9:])
    nulls = (1, *[None] * 9, bytearray(photos[1]), *[None] * len(values[9:]))
    df = here.spark.createDataFrame([full, nulls], schema)
    out = here.featurize(df)
    assert out.columns == ["id", *[f.name for f in fields], "features", "features_error"]
    assert [(f.name, f.dataType) for f in out.schema.fields[1:-2]] == [(f.name, f.dataType) for f in fields]
    assert out.schema["features"].dataType == T.ArrayType(T.FloatType())
    first, second = rows.collect(out.drop("features", "features_error"))
    plain, _ = rows.collect(df.drop("content"))
    assert first == plain
    assert all(second[f.name] is None for f in fields)


def test_features_are_the_commands_bit_for_bit(here, photos, expected, tmp_path):
    """Over several partitions, batches and a window: every row has the bits that `imgvec extract` wrote for its photo."""
    count = 90
    df = here.read(images.table(str(tmp_path / "t"), [photos[i % len(photos)] for i in range(count)], parts=3))
    assert df.rdd.getNumPartitions() == 3
    tuning = {"rows": 4, "window_batches": 3}  # 30 rows a partition: eight batches, more than a window
    got = rows.collect(here.featurize(df, tuning=tuning))
    rows.whole(got, count)
    rows.same(got, expected)
    assert len({tuple(e) for e in expected}) == len(expected), "the photos' features must differ for this to show an order"


def test_small_windows_and_single_rows(here, photos, expected, tmp_path):
    df = here.read(images.table(str(tmp_path / "t"), [photos[i % len(photos)] for i in range(12)], parts=2))
    for tuning in ({"rows": 1, "window_batches": 1}, {"rows": 64, "window_bytes": 1}, {"batch_bytes": 1}):
        got = rows.collect(here.featurize(df, tuning=tuning))
        rows.whole(got, 12)
        rows.same(got, expected)


def test_a_changed_pixel_changes_the_bits(binary, samples, expected, tmp_path):
    """What rows.same relies on: the slightest change of a photo's pixels changes its features' bits."""
    name, content = samples[0]
    (tmp_path / "in").mkdir()
    # The last byte of the entropy-coded data holds the bottom right corner; the crop need not have it, so bytes all over are tried.
    changed = {}
    for part in range(4, 16, 3):
        at = len(content) * part // 16
        (tmp_path / "in" / f"{part}.jpg").write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    changed = images.extract(binary, str(tmp_path / "in"), str(tmp_path / "out.parquet"), None, "--deterministic")
    decoded = [features for features, error in changed.values() if error is None]
    assert decoded, "no variant of the photo could be decoded"
    assert all(images.difference(features, expected[0]) > 0 for features in decoded), name


def test_empty_partitions_and_no_rows(here, photos, tmp_path):
    df = here.read(images.table(str(tmp_path / "t"), photos[:2], parts=4))  # two of four files have no rows
    got = rows.collect(here.featurize(df.repartition(5)))  # and of five partitions three
    rows.whole(got, 2)
    assert here.featurize(df.limit(0)).collect() == []
    assert here.featurize(df.where("id > 99")).count() == 0
    empty = here.spark.createDataFrame([], "id long, content binary")
    assert here.featurize(empty).collect() == []


def test_null_and_empty_and_short_content(here, photos, expected, tmp_path):
    contents = [photos[0], None, b"", b"\xff\xd8", photos[4 % len(photos)]]
    got = rows.collect(here.featurize(here.read(images.table(str(tmp_path / "t"), contents, parts=1))))
    rows.whole(got, 5)
    rows.same(got, expected, skip=(1, 2, 3))
    assert sorted(rows.errors(got)) == [1, 2, 3]
    assert len(got[0]["features"]) == len(expected[0])
    sizes = here.featurize(here.read(str(tmp_path / "t"))).select("id", F.expr("features is null").alias("gone")).orderBy("id").collect()
    assert [r.gone for r in sizes] == [False, True, True, True, False]


def test_large_binary(here, photos, expected, tmp_path):
    def content_type(batches):  # in here, so that it travels by value
        import pyarrow

        for batch in batches:
            yield pyarrow.RecordBatch.from_arrays([pyarrow.array([str(batch.column("content").type)])], ["type"])

    df = here.read(images.table(str(tmp_path / "t"), photos, parts=2, extra={"word": pa.array(["w"] * len(photos))}))
    here.spark.conf.set("spark.sql.execution.arrow.useLargeVarTypes", "true")
    try:
        seen = df.mapInArrow(content_type, "type string").distinct().collect()
        assert [r.type for r in seen] == ["large_binary"]
        got = rows.collect(here.featurize(df, keepInput=True))
    finally:
        here.spark.conf.unset("spark.sql.execution.arrow.useLargeVarTypes")
    rows.same(got, expected)
    assert [bytes(r["content"]) for r in got] == photos and {r["word"] for r in got} == {"w"}


def test_paths_instead_of_bytes(here, samples, expected, tmp_path):
    paths = []
    for name, content in samples:
        (tmp_path / name).write_bytes(content)
        paths.append(str(tmp_path / name))
    mixed = [*paths, "file:" + paths[0], "file://" + paths[1], str(tmp_path / "missing.jpg"), "s3://bucket/photo.jpg", None]
    df = here.spark.createDataFrame(list(enumerate(mixed)), "id long, place string")
    got = rows.collect(here.featurize(df, inputCol="place", keepInput=True))
    rows.whole(got, len(mixed))
    count = len(samples)
    rows.same(got[:count], expected)
    assert got[count]["features"] == expected[0] and got[count + 1]["features"] == expected[1]
    wrong = rows.errors(got)
    assert sorted(wrong) == [count + 2, count + 3, count + 4]
    assert "missing.jpg" in wrong[count + 2] and "s3" in wrong[count + 3]
    assert [r["place"] for r in got] == mixed


def test_a_corrupt_image_costs_its_row(here, photos, expected, tmp_path):
    contents = [photos[0], photos[1][: len(photos[1]) // 20], b"<html>not found</html>", photos[3 % len(photos)]]
    df = here.read(images.table(str(tmp_path / "t"), contents, parts=1))
    got = rows.collect(here.featurize(df))
    rows.same(got, expected, skip=(1, 2))
    assert sorted(rows.errors(got)) == [1, 2]
    assert [r["id"] for r in rows.collect(here.featurize(df, onError="drop"), "id")] == [0, 3]
    bare = here.featurize(df, errorCol=None)
    assert bare.columns == ["id", "features"]
    assert [r.id for r in bare.where("features is null").orderBy("id").collect()] == [1, 2]


def test_fail_names_the_row_and_the_reason(here, photos, tmp_path):
    for number, content in enumerate([photos[0], b"<html>not found</html>", photos[1]]):
        (tmp_path / f"{number}.jpg").write_bytes(content)
    df = here.spark.read.format("binaryFile").load(str(tmp_path))
    with pytest.raises(Exception, match=r"(?s)1\.jpg.*(format|decode|image)"):
        here.featurize(df, onError="fail").select(F.size("features")).collect()


def test_the_server_leaves_crashing_to_the_test_build(here, photos, tmp_path):
    """The released build takes no notice of what the test build trips over."""
    df = here.read(images.table(str(tmp_path / "t"), [photos[0] + images.CRASH, photos[1] + images.HANG], parts=1))
    assert rows.errors(rows.collect(here.featurize(df))) == {}
    assert "faults" not in images.version(here.arguments["binary"]) or not images.version(here.arguments["binary"])["faults"]


def test_limit_stops_early(place, photos, tmp_path):
    """limit(1) does not wait for the other rows: the server drops them, lives on, and no connection stays."""
    here = place(faults=True)
    contents = [photos[0]] + [images.slow(photos[i % len(photos)], 100) for i in range(1, 400)]
    df = here.read(images.table(str(tmp_path / "t"), contents, parts=2))
    assert len(here.featurize(df, tuning={"rows": 1}).limit(1).collect()) == 1
    procs.within(5, "connections to end after limit(1)", lambda: procs.connections(here.sockets) == 0, here.servers)
    assert here.total("imgvec_rows_total") < 400
    assert len(here.servers()) == 1
    assert os.path.isdir(here.sockets)


def test_features_feed_a_classifier(here, photos, tmp_path):
    from pyspark.ml.classification import LogisticRegression
    from pyspark.ml.functions import array_to_vector

    count = 2 * len(photos)
    labels = pa.array([float(i % len(photos) < len(photos) // 2) for i in range(count)])
    df = here.read(images.table(str(tmp_path / "t"), [photos[i % len(photos)] for i in range(count)], parts=2, extra={"label": labels}))
    vectors = here.featurize(df).where("features is not null").select("label", array_to_vector("features").alias("vector")).cache()
    model = LogisticRegression(featuresCol="vector", maxIter=10).fit(vectors)
    assert model.transform(vectors).where("prediction = label").count() == count
    vectors.unpersist()
