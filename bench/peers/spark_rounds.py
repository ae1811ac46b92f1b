"""The protocol of the Spark contenders: like rounds.py's, with a second order.

The peer gets ready and says so. Then "warm" runs the job on a few files, which starts Python workers and servers again that
had nothing to do for a while and went away, and answers {"ok": true}; "go" runs it on all files and answers with the rows
and the seconds of the job on the wall, from the reading of the folder to the last row. The harness warms before each round
and reads the CPU time of every process of the session on both sides of "go".
"""
import argparse
import atexit
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time

WHERE = "local[2]"


def arguments(**flags):
    """FOLDER (all files), --warm FOLDER (a few of them), --heat FOLDER (see heat), --conf KEY=VALUE for Spark, and further flags
    with their defaults."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--warm", required=True)
    parser.add_argument("--heat")
    parser.add_argument("--master", default=WHERE)
    parser.add_argument("--conf", action="append", default=[])
    for name, default in flags.items():
        parser.add_argument("--" + name, default=default)
    return parser.parse_args()


def say(**values):
    print(json.dumps(values), flush=True)


def session(args, **conf):
    """A quiet session with its own Java, and the folder that it writes into, which is removed when this process ends."""
    from pyspark.sql import SparkSession

    work = tempfile.mkdtemp(prefix="imgvec-bench-spark-")
    atexit.register(shutil.rmtree, work, ignore_errors=True)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(args.master).appName(pathlib.Path(sys.argv[0]).stem)
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.local.dir": os.path.join(work, "local"),
        "spark.sql.warehouse.dir": os.path.join(work, "warehouse"),
        "spark.driver.memory": "2g",
        **conf,
        **dict(pair.split("=", 1) for pair in args.conf),
    }
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark, work


def photos(spark, folder):
    """The files of the folder as binaryFile reads them: path, modificationTime, length, content."""
    return spark.read.format("binaryFile").load(folder)


DIM = 2048


def floats_back(frame):
    """The bytes of every row to Python, and as many floats a row back as ResNet-50 has features."""

    def floats(batches):  # not a function of the module, which the Python workers don't have
        import numpy as np
        import pyarrow as pa

        for batch in batches:
            values = pa.array(np.zeros(batch.num_rows * DIM, np.float32))
            offsets = pa.array(np.arange(0, (batch.num_rows + 1) * DIM, DIM, np.int32))
            yield pa.RecordBatch.from_arrays([pa.ListArray.from_arrays(offsets, values)], names=["features"])

    drain(frame.select("content").mapInArrow(floats, "features array<float>"))


def heat(spark, folder):
    """Lets Java compile what moves rows to Python and back: a fresh Java spends seconds on that, a long job's rows do not see it."""
    for _ in range(2):
        floats_back(photos(spark, folder))


def count(folder):
    return sum(1 for entry in os.scandir(folder) if entry.is_file())


def drain(frame):
    """Computes every row of every column and keeps none."""
    frame.write.format("noop").mode("overwrite").save()


def serve(args, spark, job, extra=None, **versions):
    """job(frame) does the work on a frame of photos; extra(), if any, adds figures of the round to its answer."""
    import pyarrow

    def run(folder):
        job(photos(spark, folder))
        return count(folder)

    if args.heat:
        heat(spark, args.heat)
    run(args.warm)
    say(ready=True, versions={"pyspark": spark.version, "pyarrow": pyarrow.__version__, "python": sys.version.split()[0], **versions})
    for line in sys.stdin:
        order = line.strip()
        if order == "warm":
            run(args.warm)
            say(ok=True)
        elif order == "go":
            start = time.perf_counter()
            rows = run(args.folder)
            seconds = time.perf_counter() - start
            say(images=rows, seconds=seconds, **(extra() if extra else {}))
        else:
            break
    spark.stop()
