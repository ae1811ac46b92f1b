"""Reads a folder of Parquet shards as one data set with the readers that people use.

shards.py FOLDER FILE: FILE holds the same rows. Each reader gets the folder's name alone, and DuckDB a pattern too.
Prints one line a reader.
"""

import sys

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq

folder, whole = sys.argv[1], sys.argv[2]
want = pq.read_table(whole)
ids, errors = want["id"].to_pylist(), want["error"].to_pylist()
features = want["features"].to_pylist()


def check(reader, got_ids, got_features, got_errors):
    assert list(got_ids) == ids, reader
    assert [None if e is None or e != e else e for e in got_errors] == errors, reader
    assert [None if f is None else list(f) for f in got_features] == features, reader
    print("ok", reader)


for reader, table in {
    "pyarrow.parquet": pq.read_table(folder),
    "pyarrow.dataset": ds.dataset(folder).to_table(),
    "polars read_parquet": pl.read_parquet(folder).to_arrow(),
    "polars scan_parquet": pl.scan_parquet(folder + "/").collect().to_arrow(),
    "duckdb": duckdb.sql(f"SELECT * FROM read_parquet('{folder}')").to_arrow_table(),
    "duckdb pattern": duckdb.sql(f"SELECT * FROM '{folder}/*.parquet'").to_arrow_table(),
}.items():
    check(reader, table["id"].to_pylist(), table["features"].to_pylist(), table["error"].to_pylist())
frame = pd.read_parquet(folder)
check("pandas", frame["id"], frame["features"], frame["error"])
assert pq.read_schema(folder + "/part-00000.parquet").metadata[b"imgvec.model"] == b"efficientnet-lite0"
