"""Writes tables and archives with the programs that people write them with, and reads outputs back.

tables.py make FOLDER: files of ten rows each; row i's image is the bytes "image i", its label i % 3. expected.json tells
the columns of each file that hold images and ids, by the name that imgvec is to find or be given.
tables.py check FOLDER: the outputs of runs that kept all columns of kept.parquet and kept.arrow: values and types.
"""

import datetime
import decimal
import io
import json
import sys
import tarfile

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq

action, folder = sys.argv[1], sys.argv[2]
N = 10
images = [f"image {i}".encode() for i in range(N)]
names = [f"n{i}" for i in range(N)]
labels = [i % 3 for i in range(N)]


def kept_table():
    """Columns of every kind that is kept."""
    return pa.table({
        "image": pa.array(images, pa.large_binary()),
        "label": pa.array(labels, pa.int8()),
        "big": pa.array([2**63 + i for i in range(N)], pa.uint64()),
        "text": pa.array([None if i == 2 else f"caf\u00e9 {i}" for i in range(N)], pa.large_string()),
        "score": pa.array([i / 7 for i in range(N)], pa.float64()),
        "flag": pa.array([i % 2 == 0 for i in range(N)]),
        "price": pa.array([decimal.Decimal(f"{i}.25") for i in range(N)], pa.decimal128(9, 2)),
        "when": pa.array([datetime.datetime(2024, 1, 1 + i, tzinfo=datetime.timezone.utc) for i in range(N)], pa.timestamp("us", "Europe/Berlin")),
        "day": pa.array([datetime.date(2024, 1, 1 + i) for i in range(N)], pa.date32()),
        "kind": pa.array([["cat", "dog", None][i % 3] for i in range(N)]).dictionary_encode(),
        "boxes": pa.array([None if i == 4 else [[i, i + 1.5]] * (i % 3) for i in range(N)], pa.list_(pa.list_(pa.float32()))),
        "info": pa.array([None if i == 5 else {"a": i, "b": [str(i)] * (i % 2)} for i in range(N)], pa.struct([("a", pa.int32()), ("b", pa.list_(pa.string()))])),
        "fixed": pa.array([bytes([i] * 4) for i in range(N)], pa.binary(4)),
        "vector": pa.array([[i, i, i] for i in range(N)], pa.list_(pa.float32(), 3)),
        "tags": pa.array([[("k", i)] for i in range(N)], pa.map_(pa.string(), pa.int64())),
    })


def make():
    plain = {"image": images, "name": names, "label": labels}
    table = pa.table(plain)
    hugging = pa.table({"image": [{"bytes": b, "path": None} for b in images], "name": names, "label": labels})
    frame = pd.DataFrame(plain)
    for codec in ("none", "snappy", "gzip", "zstd", "brotli", "lz4"):
        pq.write_table(table, f"{folder}/pyarrow-{codec}.parquet", compression=codec, row_group_size=4)
    pq.write_table(table, f"{folder}/pyarrow-v2-pages.parquet", data_page_version="2.0", use_dictionary=False, compression="zstd")
    pq.write_table(table, f"{folder}/pyarrow-dictionary.parquet", use_dictionary=True, write_statistics=False)
    pq.write_table(hugging, f"{folder}/hugging-face.parquet", row_group_size=3)
    pq.write_table(table.cast(pa.schema([("image", pa.large_binary()), ("name", pa.large_string()), ("label", pa.int64())])), f"{folder}/large.parquet")
    frame.to_parquet(f"{folder}/pandas.parquet")
    pl.DataFrame(plain).write_parquet(f"{folder}/polars.parquet")
    pl.DataFrame(plain).write_ipc(f"{folder}/polars.arrow", compression="zstd")
    pl.DataFrame(plain).write_ipc(f"{folder}/polars-views.arrow", compat_level=pl.CompatLevel.newest())
    pl.DataFrame(plain).write_ipc_stream(f"{folder}/polars.arrows")
    duckdb.from_arrow(table).write_parquet(f"{folder}/duckdb.parquet")
    pa.feather.write_feather(table, f"{folder}/pyarrow.feather", chunksize=3)
    pa.feather.write_feather(hugging, f"{folder}/hugging-face.feather", compression="uncompressed")
    dictionary = pa.table({"image": pa.array(images).dictionary_encode(), "name": pa.array(names).dictionary_encode(), "label": labels})
    pa.feather.write_feather(dictionary, f"{folder}/dictionary.feather")
    with pa.OSFile(f"{folder}/stream.arrows", "wb") as f, pa.ipc.new_stream(f, table.schema) as w:
        w.write_table(table, max_chunksize=3)
    kept = kept_table()
    pq.write_table(kept, f"{folder}/kept.parquet", row_group_size=4)
    pa.feather.write_feather(kept, f"{folder}/kept.arrow", chunksize=4)
    for mode, name in (("w", "shard.tar"), ("w:gz", "shard.tar.gz")):
        for form, tag in ((tarfile.PAX_FORMAT, "pax"), (tarfile.GNU_FORMAT, "gnu"), (tarfile.USTAR_FORMAT, "ustar")):
            with tarfile.open(f"{folder}/{tag}-{name}", mode, format=form) as t:
                for i in range(N):
                    for ext, data in (("jpg", images[i]), ("cls", str(labels[i]).encode()), ("json", json.dumps({"i": i}).encode())):
                        info = tarfile.TarInfo(f"n{i}.{ext}")
                        info.size = len(data)
                        t.addfile(info, io.BytesIO(data))


def check():
    want = kept_table()
    columns = [c for c in want.column_names if c != "image"]
    for source in ("kept.parquet", "kept.arrow"):
        for out in ("parquet", "arrow", "arrows"):
            path = f"{folder}/out-{source}.{out}"
            if out == "parquet":
                got = pq.read_table(path)
            elif out == "arrow":
                got = pa.ipc.open_file(path).read_all()
            else:
                got = pa.ipc.open_stream(path).read_all()
            assert got.column_names == ["id", "features", "error", "width", "height", *columns], got.column_names
            for c in columns:
                if (source.endswith("parquet") or out == "parquet") and c == "kind":  # the order of its values may change
                    assert pa.types.is_dictionary(got[c].type), (path, c, got[c].type)
                else:
                    assert got[c].type == want[c].type, (path, c, got[c].type, want[c].type)
                twice = want[c].to_pylist() * 2 + [None]
                assert got[c].to_pylist() == twice, (path, c, got[c].to_pylist())
            print("ok", path)
            if out == "parquet":
                assert len(duckdb.sql(f"select * exclude (\"when\") from '{path}'").fetchall()) == 2 * N + 1
                pl.read_parquet(path)
                pd.read_parquet(path)
                print("ok others", path)
        with open(f"{folder}/out-{source}.jsonl", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        for i, row in enumerate(rows[:N]):
            assert row["label"] == labels[i] and row["big"] == 2**63 + i and row["flag"] == (i % 2 == 0), row
            assert row["kind"] == ["cat", "dog", None][i % 3] and row["info"] == want["info"][i].as_py(), row
            assert row["boxes"] == want["boxes"][i].as_py() and row["text"] == want["text"][i].as_py(), row
        assert all(rows[-1][c] is None for c in columns), rows[-1]
        print("ok", f"out-{source}.jsonl")


{"make": make, "check": check}[action]()
