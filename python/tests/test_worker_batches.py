"""What the worker makes of batches: values, order, types, slices, the window. Against the stand-in."""
import zlib

import pyarrow as pa
import pytest

from imgvec import _worker


def image(i):
    return b"image %d" % i + b"." * (i % 7)


def features(data):
    """What the stand-in answers."""
    return [float(len(data)), float(zlib.crc32(data) % 1000), 7.0]


def table(images, rows, kind=None, **columns):
    """Record batches of so many rows with the columns path, content, and others."""
    kind = kind or pa.binary()
    whole = pa.table({"path": [f"p{i}" for i in range(len(images))], "content": pa.array(images, kind), **columns})
    return whole.to_batches(max_chunksize=rows)


def run(config, batches):
    return pa.Table.from_batches(_worker.map_batches(config, iter(batches)))


def test_order_values_and_columns(fake):
    images = [image(i) for i in range(1000)]
    extra = {"n": list(range(1000)), "s": [{"a": i, "b": [i, None]} for i in range(1000)]}
    config = fake.config(keep=["n", "path", "s"], rows=16, output="vec", error="why")
    out = run(config, table(images, 333, **extra))
    assert out.schema.names == ["n", "path", "s", "vec", "why"]
    assert out.schema.field("vec").type.equals(pa.list_(pa.field("element", pa.float32())))
    assert out.schema.field("s").type == pa.struct([("a", pa.int64()), ("b", pa.list_(pa.int64()))])
    assert out["n"].to_pylist() == extra["n"]
    assert out["s"].to_pylist() == extra["s"]
    assert out["vec"].to_pylist() == [features(one) for one in images]
    assert out["why"].null_count == 1000
    assert fake.count("serve") == 1


def test_list_child_is_named_as_spark_names_it(fake):
    out = run(fake.config(), table([b"a"], 1))
    assert out.schema.field("features").type.value_field.name == "element"


def test_errors_are_rows(fake):
    images = [b"ok", None, b"", b"BAD", b"fine"]
    out = run(fake.config(keep=["path"]), table(images, 5))
    assert [one is None for one in out["features"].to_pylist()] == [False, True, True, True, False]
    assert [one is None for one in out["features_error"].to_pylist()] == [True, False, False, False, True]


def test_without_an_error_column(fake):
    assert run(fake.config(error=None), table([b"BAD", b"a"], 2)).schema.names == ["features"]


def test_drop(fake):
    images = [b"BAD" if i % 3 == 0 else image(i) for i in range(100)]
    out = run(fake.config(keep=["path"], on_error="drop"), table(images, 40))
    assert out["path"].to_pylist() == [f"p{i}" for i in range(100) if i % 3]
    assert out["features"].to_pylist() == [features(image(i)) for i in range(100) if i % 3]


def test_fail_names_the_row(fake):
    images = [image(i) for i in range(100)]
    images[70] = b"BAD"
    config = fake.config(keep=["path"], on_error="fail", id_column="path", rows=16)
    with pytest.raises(_worker.ImgvecError, match=r"path = 'p70' \(process \d+\): decode: not an image.*onError='null'"):
        run(config, table(images, 50))


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.dictionary(pa.int8(), pa.binary())])
def test_types_of_images(fake, kind):
    images = [image(1), None, image(2), image(1)]
    out = run(fake.config(), table(images, 2, kind))
    assert out["features"].to_pylist() == [one and features(one) for one in images]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_types_of_paths(fake, kind):
    out = run(fake.config(input="path"), table(["/a", None, "file:/ü"], 3, kind))
    assert out["features"].to_pylist() == [features(b"/a"), None, features("file:/ü".encode())]


def test_a_column_of_nulls(fake):
    out = run(fake.config(), table([None] * 3, 3, pa.null()))
    assert out["features_error"].null_count == 0


def test_a_type_that_is_no_image(fake):
    with pytest.raises(_worker.ImgvecError, match="they are int64, which can't be taken as image files"):
        run(fake.config(), table([1, 2], 2, pa.int64()))


def test_slices_of_other_batches(fake):
    """A batch may begin in the middle of its buffers."""
    images = [image(i) for i in range(200)]
    whole = table(images, 200)[0]
    out = run(fake.config(keep=["path"], rows=16), [whole.slice(150), whole.slice(3, 40), whole.slice(20, 0)])
    assert out["features"].to_pylist() == [features(one) for one in images[150:] + images[3:43]]
    assert out["path"].to_pylist() == [f"p{i}" for i in [*range(150, 200), *range(3, 43)]]


def test_empty_batches_keep_their_place_and_spawn_nothing(fake):
    empty = table([], 1) or [pa.RecordBatch.from_pylist([], schema=table([b""], 1)[0].schema)]
    out = list(_worker.map_batches(fake.config(keep=["path"]), iter(empty)))
    assert [batch.num_rows for batch in out] == [0]
    assert out[0].schema.names == ["path", "features", "features_error"]
    assert list(_worker.map_batches(fake.config(), iter([]))) == []
    assert fake.count("serve") == 0


def test_only_its_own_bytes_travel(fake):
    """Each piece carries the bytes of its slice, and none is larger than asked for but by one image."""
    images = [b"x" * 1000] * 100 + [b"y" * 50_000] + [b"z" * 1000] * 100
    whole = table([b"w" * 20_000] * 50 + images, 251)[0]
    run(fake.config(rows=32, batch_bytes=10_000), [whole.slice(50)])
    sent = [tuple(map(int, line.split())) for line in fake.marks("batches")]
    assert sum(rows for rows, _, _ in sent) == 201
    assert [rows for rows, _, _ in sent] == [10] * 10 + [1] + [10] * 10
    assert all(buffers < 1100 * rows + 51_000 * (rows == 1) for rows, _, buffers in sent)


def test_window_of_batches_is_used_and_kept(fake):
    images = [image(i) for i in range(100)]
    out = run(fake.config({"hold": 6}, rows=4, window_batches=6), table(images, 100))
    assert out["features"].to_pylist() == [features(one) for one in images]
    assert fake.marks("excess") == []
    assert '"window": {"batches": 6, "bytes": 33554432}' in fake.marks("hellos")[0]


def test_window_of_bytes_is_used_and_kept(fake):
    run(fake.config({"hold": 3}, rows=1, window_batches=100, window_bytes=3500), table([b"x" * 1000] * 20, 20))
    assert fake.marks("excess") == []


def test_one_image_larger_than_the_window_goes_alone(fake):
    images = [b"s", b"x" * 50_000, b"t"]
    assert run(fake.config(rows=1, window_bytes=1000), table(images, 3))["features"].to_pylist() == [
        features(one) for one in images]


def test_features_of_answers_array_for_array(fake):
    arrays = [pa.array([image(i) for i in range(n)], pa.binary()) for n in (70, 0, 1, 33)]
    out = list(_worker.features_of(fake.config(rows=16), arrays))
    assert [batch.num_rows for batch in out] == [70, 0, 1, 33]
    assert all(batch.schema.equals(_worker.ANSWER) for batch in out)
    assert [one for batch in out for one in batch.column(0).to_pylist()] == [
        features(one) for array in arrays for one in array.to_pylist()]


def test_columns_that_are_missing_or_twice(fake):
    with pytest.raises(_worker.ImgvecError, match=r"must have the columns \['nope'\].*\['path', 'content'\]"):
        run(fake.config(keep=["nope"]), table([b"a"], 1))
    with pytest.raises(_worker.ImgvecError, match="'path'.* is there already"):
        run(fake.config(keep=["path"], output="path"), table([b"a"], 1))


def test_config_of_another_version(fake):
    with pytest.raises(_worker.ImgvecError, match="unknown keys.*'novel'"):
        list(_worker.map_batches(fake.config(novel=1), iter([])))


def test_summary_is_one_line(fake, capfd):
    run(fake.config(quiet=False), table([b"a", b"BAD"], 2))
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("imgvec:")]
    assert len(lines) == 1
    assert "2 rows, 1 failed" in lines[0]
    assert lines[0].endswith(f"fake, {'ab' * 32}, cpu, none, fp32")


def test_source_is_small_enough_to_travel():
    with open(_worker.__file__, "rb") as file:
        assert len(zlib.compress(file.read(), 9)) < 13 << 10  # before its comments are taken out; the closure has the real limit
