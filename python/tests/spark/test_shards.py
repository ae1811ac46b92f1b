"""A folder that `imgvec extract --shard-rows` writes is one data set to Spark."""

import subprocess

import pytest
from pyspark.sql import types as T


@pytest.fixture
def here(place):
    return place()


def test_shards_are_one_data_set(here, binary, photos, expected, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, photo in enumerate(photos):
        (folder / f"{i:04}.jpg").write_bytes(photo)
    (folder / f"{len(photos):04}.jpg").write_bytes(b"no image")
    out = tmp_path / "features"
    command = [binary, "extract", str(folder), "-o", str(out), "--shard-rows", "3", "--precision", "fp32", "--device", "cpu", "--deterministic"]
    subprocess.run([*command, "--progress", "none"], check=True, capture_output=True)
    assert (out / "_SUCCESS").stat().st_size == 0
    assert len(list(out.glob("part-*.parquet"))) == (len(photos) + 1 + 2) // 3
    df = here.spark.read.parquet(str(out))
    assert df.schema["features"].dataType == T.ArrayType(T.FloatType())
    rows = df.orderBy("id").collect()
    assert [row.id for row in rows] == sorted(str(path) for path in folder.iterdir())
    assert [row.features for row in rows[:-1]] == expected
    assert rows[-1].features is None and "not a supported image" in rows[-1].error
