"""Opens one output of each format with the readers that people use, and checks types and values.

readers.py FOLDER DTYPE: FOLDER holds x.parquet, x.arrow, x.arrows, x.npy, x.npy.ids.jsonl, x.jsonl of the same rows;
every seventh from the fourth has failed. Prints one line a reader.
"""

import json
import math
import sys

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq

folder, dtype = sys.argv[1], sys.argv[2]
path = f"{folder}/x"
arrow_type = {"float32": pa.float32(), "float16": pa.float16()}[dtype]


def check(reader, rows):
    """rows: id, features (list, array or None), error, width, height"""
    assert len(rows) == len(expected), (reader, len(rows))
    for got, want in zip(rows, expected):
        assert got[0] == want["id"], (reader, got[0])
        assert (got[2] is None) == (want["error"] is None), (reader, got)
        if want["error"] is None:
            np.testing.assert_array_equal(np.asarray(got[1], dtype="float32"), np.asarray(want["features"], dtype="float32"), reader)
        else:
            assert got[1] is None and got[2] == want["error"], (reader, got)
        assert got[3] == want["width"] and got[4] == want["height"], (reader, got)
    print("ok", reader)


with open(path + ".jsonl", encoding="utf-8") as lines:
    expected = [json.loads(line) for line in lines]
assert [r["error"] is not None for r in expected] == [i % 7 == 3 for i in range(len(expected))]

columns = ["id", "features", "error", "width", "height"]
schema = pa.schema([
    pa.field("id", pa.string(), nullable=False), ("features", pa.list_(arrow_type)), ("error", pa.string()),
    ("width", pa.int32()), ("height", pa.int32()),
])


def check_arrow(reader, table):
    assert table.schema.names == columns and table.schema.types == schema.types, table.schema
    assert table.schema.metadata[b"imgvec.model"] == b"efficientnet-lite0", table.schema.metadata
    check(reader, [[row[c] for c in columns] for row in table.to_pylist()])


check_arrow("pyarrow parquet", pq.read_table(path + ".parquet"))
metadata = pq.ParquetFile(path + ".parquet")
assert metadata.metadata.metadata[b"imgvec.precision"] == b"fp32"
assert metadata.schema.column(1).path == "features.list.element", metadata.schema.column(1).path
assert metadata.metadata.created_by == "imgvec 1.2.3"
with pa.memory_map(path + ".arrow") as source:
    check_arrow("pyarrow ipc file", pa.ipc.open_file(source).read_all())
with pa.memory_map(path + ".arrows") as source:
    check_arrow("pyarrow ipc stream", pa.ipc.open_stream(source).read_all())
check_arrow("pyarrow feather", pa.feather.read_table(path + ".arrow"))

frame = pd.read_parquet(path + ".parquet")
assert list(frame.columns) == columns
first = frame["features"].iloc[0]
assert first.dtype == np.dtype(dtype), first.dtype
none = lambda v: None if v is None or isinstance(v, float) and math.isnan(v) else v
check("pandas", [[r.id, r.features, none(r.error), none(r.width), none(r.height)] for r in frame.itertuples()])

for ext in ("parquet", "arrow"):
    frame = pl.read_parquet(path + ".parquet") if ext == "parquet" else pl.read_ipc(path + ".arrow")
    want = pl.List(pl.Float32) if dtype == "float32" else pl.List(getattr(pl, "Float16", pl.Float32))
    assert frame.schema == {"id": pl.String, "features": want, "error": pl.String, "width": pl.Int32, "height": pl.Int32}, frame.schema
    check("polars " + ext, frame.rows())

relation = duckdb.sql(f"select * from '{path}.parquet'")
assert [str(t) for t in relation.types] == ["VARCHAR", "FLOAT[]", "VARCHAR", "INTEGER", "INTEGER"], relation.types
check("duckdb", relation.fetchall())

array = np.load(path + ".npy")
assert array.dtype == np.dtype(dtype) and array.shape[0] == len(expected), (array.dtype, array.shape)
with open(path + ".npy.ids.jsonl", encoding="utf-8") as lines:
    ids = [json.loads(line) for line in lines]
for row, r in zip(array, ids):
    assert np.isnan(row).all() == (r["error"] is not None)
check("numpy", [[r["id"], None if r["error"] else row, r["error"], r["width"], r["height"]] for row, r in zip(array, ids)])
