#!/usr/bin/env python3
"""Measures what docs/scale.md needs and no benchmark gives: the costs of files, tasks and bytes a row.

    python3 scale_measure.py FEATURES.parquet PHOTOS [--files 200000] > scale_measured.json

FEATURES.parquet is what `imgvec extract PHOTOS -o FEATURES.parquet` wrote, or several of such files with commas between;
PHOTOS is a folder of pictures. Needs pyspark and pyarrow. Takes some minutes, most of them for listing files.
The result is one JSON object on standard output; scale.py reads it.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import sys
import tempfile
import time

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession


def heap_in_use(spark):
    """Bytes that live objects take in the driver's JVM, after it has collected its garbage."""
    jvm = spark.sparkContext._jvm
    runtime = jvm.java.lang.Runtime.getRuntime()
    least = None
    for _ in range(4):
        jvm.java.lang.System.gc()
        time.sleep(0.5)
        used = runtime.totalMemory() - runtime.freeMemory()
        least = used if least is None else min(least, used)
    return least


def list_files(spark, folder, count):
    """Lists count small files through binaryFile: seconds, and bytes of the driver's heap a file."""
    for i in range(count):
        place = pathlib.Path(folder, f"{i // 1000:06}")
        if i % 1000 == 0:
            place.mkdir(parents=True)
        place.joinpath(f"photo-{i:09}.jpg").write_bytes(b"x")
    before = heap_in_use(spark)
    start = time.monotonic()
    frame = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(folder)
    partitions = frame.rdd.getNumPartitions()
    seconds = time.monotonic() - start
    after = heap_in_use(spark)
    return {
        "files": count,
        "list_seconds_per_file": seconds / count,
        "driver_heap_bytes_per_file": (after - before) / count,
        "tasks": partitions,
    }


def same(batches):
    """The least that a task of mapInArrow can do."""
    yield from batches


def task_seconds(spark, tasks=500):
    """Wall time a task that does nothing, without Python and with an empty mapInArrow, all slots together."""
    plain = spark.range(0, tasks, 1, tasks)
    arrow = plain.mapInArrow(same, "id long")
    result = {"tasks": tasks}
    for name, frame in (("plain", plain), ("mapInArrow", arrow)):
        frame.write.format("noop").mode("overwrite").save()
        start = time.monotonic()
        frame.write.format("noop").mode("overwrite").save()
        result[name] = (time.monotonic() - start) / tasks * spark.sparkContext.defaultParallelism
    return result


def parquet_bytes(table, name, **options):
    """Bytes a row of a Parquet file with this table, written 50 times over so that the footer counts little."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, name)
        big = pa.concat_tables([table] * 50)
        pq.write_table(big, path, use_dictionary=False, row_group_size=table.num_rows, **options)
        return os.path.getsize(path) / big.num_rows


def cosines(a, b):
    """Cosine of each row of a with the same row of b."""
    a, b = a.astype("float64"), b.astype("float64")
    return (a * b).sum(1) / ((a * a).sum(1) * (b * b).sum(1)) ** 0.5


def feature_bytes(path):
    """Bytes a row of the column of features as float32 and as float16 in a binary column, by compression."""
    column = pq.read_table(path, columns=["features"]).column("features").combine_chunks().drop_null()
    size = len(column[0])
    values = column.flatten().to_numpy().reshape(-1, size)
    single = pa.table({"features": pa.array(list(values), type=pa.list_(pa.float32()))})
    half = pa.table({"features": pa.array([row.tobytes() for row in values.astype("float16")], type=pa.binary(2 * size))})
    result = {"dim": size, "float16_cosine_min": float(cosines(values, values.astype("float16").astype("float32")).min())}
    for compression in ("none", "snappy", "zstd"):
        result["float32_" + compression] = parquet_bytes(single, "single", compression=compression)
        result["float16_" + compression] = parquet_bytes(half, "half", compression=compression)
    return result


def photo_bytes(folder):
    """Bytes a picture: in the folder, and in a Parquet table of them by compression."""
    files = sorted(p for p in pathlib.Path(folder).iterdir() if p.is_file())
    table = pa.table({"path": [p.name for p in files], "content": [p.read_bytes() for p in files]})
    sizes = [p.stat().st_size for p in files]
    return {
        "photos": len(files),
        "bytes_per_file": sum(sizes) / len(sizes),
        "parquet_none": parquet_bytes(table, "none", compression="none"),
        "parquet_snappy": parquet_bytes(table, "snappy", compression="snappy"),
    }


def main():
    """Measures all and prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("features")
    parser.add_argument("photos")
    parser.add_argument("--files", type=int, default=200000)
    args = parser.parse_args()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false").config("spark.driver.memory", "3g").getOrCreate()
    folder = tempfile.mkdtemp()
    try:
        result = {
            "date": time.strftime("%Y-%m-%d"),
            "spark": spark.version,
            "pyarrow": pa.__version__,
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "listing": list_files(spark, folder, args.files),
            "task_seconds": task_seconds(spark),
            "photos": photo_bytes(args.photos),
            "features": [feature_bytes(path) for path in args.features.split(",")],
        }
    finally:
        shutil.rmtree(folder)
        spark.stop()
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
