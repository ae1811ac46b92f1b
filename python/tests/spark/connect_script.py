"""Runs jobs on Spark Connect and prints one JSON line with what came of them. Started by test_connect.py with a JSON argument.

The asserting is the test's: this process only reports, as it has a session that no other test shares.
"""

import json
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.environ["IMGVEC_PYTHON_PACKAGE"])  # where the test itself has it from

import procs  # noqa: E402


def arguments(job):
    """Returns what featurize and featurize_udf are called with."""
    tuning = {"socket_dir": job["sockets"], "fetch": False}
    more = {"options": {"deterministic": True}, "tuning": tuning}
    return {"model": "efficientnet-lite0", "precision": "fp32", "device": "cpu", "binary": job["binary"], "home": job["home"], **more}


def idle(job):
    """Tells whether the servers have no connection and no row, and no stdio child lives."""
    counts = [procs.connections(job["sockets"]), procs.total(job["sockets"], "imgvec_queued_rows")]
    return counts == [0, 0] and not procs.children(job["mark"])


def features(spark, job):
    """Runs a plain job."""
    from imgvec.spark import featurize

    out = featurize(spark.read.parquet(job["quick"]), **arguments(job))
    return {"columns": out.columns, "rows": [r.asDict() for r in out.collect()]}


def udf(spark, job):
    """Runs the function in SQL, on the rows that are photos."""
    from imgvec.spark import featurize_udf

    spark.udf.register("image_features", featurize_udf(**arguments(job)))
    spark.read.parquet(job["quick"]).createOrReplaceTempView("photos")
    count = spark.read.parquet(job["quick"]).count() - 2
    found = spark.sql(f"SELECT id, image_features(content) AS features FROM photos WHERE id < {count}").collect()
    return {"udf": [r["features"] for r in sorted(found, key=lambda r: r["id"])]}


def interrupted(spark, job):
    """Interrupts a job at work; tells what is left of it."""
    from imgvec.spark import featurize

    error = []

    def work():
        try:
            featurize(spark.read.parquet(job["slow"]), **arguments(job)).select("id").collect()
        except Exception as err:  # noqa: BLE001  whatever Connect raises for an interrupted job
            error.append(str(err))

    before = procs.total(job["sockets"], "imgvec_rows_total")
    pids = [a["pid"] for a in procs.abouts(job["sockets"])]
    thread = threading.Thread(target=work)
    thread.start()
    procs.wait("rows", lambda: procs.total(job["sockets"], "imgvec_rows_total") > before + 10)
    spark.interruptAll()
    thread.join(60)
    try:
        procs.within(5, "an interrupted job's connections to be gone", lambda: idle(job))
        quiet = True
    except AssertionError:
        quiet = False
    return {"interrupted": error, "idle": quiet, "pids": [pids, [a["pid"] for a in procs.abouts(job["sockets"])]]}


def main(job):
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.remote("local[2]").config("spark.ui.enabled", "false").config("spark.local.dir", job["local"])
    spark = builder.config("spark.sql.warehouse.dir", os.path.join(job["local"], "warehouse")).getOrCreate()
    report = {}
    try:
        report["context"] = str(spark.sparkContext)
    except Exception as err:  # noqa: BLE001  its text is what is reported
        report["context"] = str(err)
    for step in (features, udf, interrupted):
        report.update(step(spark, job))
    spark.stop()
    return report


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
