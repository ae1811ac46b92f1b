#!/usr/bin/env python3
"""Features for a large table of images, a slice at a time: what is done stays done when the run is broken off.

    python3 spark_slices.py IMAGES.parquet OUT [--slices 16] [--model resnet50] [--by path]

IMAGES.parquet has a column of encoded images (content) and a column that names each image for good (path). A slice holds the rows
whose name has a certain hash, so it is the same in every run. Its features go to OUT/slice=0003; that folder counts as
done when Spark has put _SUCCESS there, and is written from the start otherwise. Read all of OUT as one table.
"""

import argparse

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from imgvec.spark import featurize


def is_done(spark, folder):
    """Whether a finished write left its mark there, on any file system that Spark knows."""
    jvm = spark._jvm
    mark = jvm.org.apache.hadoop.fs.Path(folder + "/_SUCCESS")
    return mark.getFileSystem(spark._jsparkSession.sessionState().newHadoopConf()).exists(mark)


def main():
    """Goes over the slices, and says at the end how many rows have no features."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("images")
    parser.add_argument("out")
    parser.add_argument("--slices", type=int, default=16)
    parser.add_argument("--model")
    parser.add_argument("--by", default="path")
    args = parser.parse_args()
    spark = SparkSession.builder.appName("imgvec-slices").getOrCreate()
    images = spark.read.parquet(args.images)
    for i in range(args.slices):
        folder = f"{args.out}/slice={i:04}"
        if is_done(spark, folder):
            print(folder, "is done", flush=True)
            continue
        part = images.where(F.pmod(F.xxhash64(args.by), F.lit(args.slices)) == i)
        featurize(part, model=args.model).write.mode("overwrite").option("compression", "zstd").parquet(folder)
        print(folder, "written", flush=True)
    failed = spark.read.parquet(args.out).where("features is null").count()
    print(failed, "rows without features; features_error says why")


if __name__ == "__main__":
    main()
