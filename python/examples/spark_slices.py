#!/usr/bin/env python3
"""Features for a large table of images, a slice at a time: what is done stays done when the run is broken off.

    python3 spark_slices.py IMAGES OUT [--files 10] [--model resnet50]

IMAGES is a folder of Parquet files with a column of encoded images (content) that nobody changes meanwhile. A slice is some of those
files, always the same ones. Its features go to OUT/slice=0003; that folder counts as done when Spark has put
_SUCCESS there, and is written from the start otherwise. Read all of OUT as one table.
"""

import argparse

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from imgvec.spark import featurize


def is_done(spark, folder):
    """Whether a finished write left its mark there, on any file system that Spark reads; works with Spark Connect too."""
    try:
        spark.read.text(folder + "/_SUCCESS").count()
    except AnalysisException:  # there is no such path
        return False
    return True


def main():
    """Goes over the slices, and says at the end how many rows have no features."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("images")
    parser.add_argument("out")
    parser.add_argument("--files", type=int, default=10, help="Parquet files in a slice")
    parser.add_argument("--model")
    args = parser.parse_args()
    spark = SparkSession.builder.appName("imgvec-slices").getOrCreate()
    files = sorted(spark.read.parquet(args.images).inputFiles())
    for start in range(0, len(files), args.files):
        folder = f"{args.out}/slice={start // args.files:04}"
        if is_done(spark, folder):
            print(folder, "is done", flush=True)
            continue
        part = spark.read.parquet(*files[start : start + args.files])
        featurize(part, model=args.model).write.mode("overwrite").option("compression", "zstd").parquet(folder)
        print(folder, "written", flush=True)
    failed = spark.read.parquet(args.out).where("features is null").count()
    print(failed, "rows without features; features_error says why")


if __name__ == "__main__":
    main()
