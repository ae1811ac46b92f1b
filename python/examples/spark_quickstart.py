#!/usr/bin/env python3
# %% [markdown]
# # Photos in, features out, on Spark
#
# What docs/spark.md says in its quick start, as a program: `python3 spark_quickstart.py [FOLDER]`. Needs
# `pip install "imgvec[spark]"`. Without a folder it runs on pictures that imgvec draws.
# spark_quickstart.ipynb is made of this file: `python3 notebook.py spark_quickstart.py`.

# %%
import os
import pathlib
import subprocess
import sys
import tempfile

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from imgvec.spark import check_conf, featurize, recommended_conf

work = pathlib.Path(tempfile.mkdtemp())
folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 and os.path.isdir(sys.argv[1]) else work / "photos"
if not folder.exists():
    subprocess.run([sys.executable, "-m", "imgvec", "setup", "--samples", str(folder)], check=True)
    (folder / "broken.jpg").write_bytes(b"no picture")

# %% [markdown]
# A session. On a cluster you have one already. `local[2,4]` lets a task fail three times, as clusters do; plain `local[2]` gives it one try.

# %%
os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
spark = (
    SparkSession.builder.master("local[2,4]")
    .appName("imgvec")
    .config(map=recommended_conf())
    .config("spark.ui.showConsoleProgress", "false")
    .getOrCreate()
)
print(recommended_conf())
print(check_conf(spark))

# %% [markdown]
# The first action starts the server, which fetches libraries and model if they are missing, loads the model once, and serves all tasks.

# %%
photos = spark.read.format("binaryFile").load(str(folder))
out = featurize(photos)
out.printSchema()
out.write.mode("overwrite").option("compression", "zstd").parquet(str(work / "features"))

# %% [markdown]
# What came out: one row for each file, and for each one either features or the reason why not.

# %%
features = spark.read.parquet(str(work / "features"))
features.select(F.element_at(F.split("path", "/"), -1).alias("file"), F.size("features").alias("values"), "features_error").show(50, truncate=100)

# %% [markdown]
# Only the failed rows again. Here the broken file is replaced first, as somebody would mend it.

# %%
broken = folder / "broken.jpg"
if broken.exists():
    others = [p for p in sorted(folder.iterdir()) if p != broken and p.suffix.lower() in (".jpg", ".jpeg", ".png")]
    broken.write_bytes(others[0].read_bytes())
failed = features.where("features is null").select("path")
again = featurize(photos.join(failed, "path", "left_semi"))
mended = features.where("features is not null").unionByName(again)
print(mended.where("features is null").count(), "rows without features now")

# %%
spark.stop()
