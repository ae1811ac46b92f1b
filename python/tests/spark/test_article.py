"""The article's tool and its test, told again: a class that holds the session can't travel to the workers; a function that holds nothing can."""

import images
import pytest
import rows
from pyspark.sql import functions as F
from pyspark.sql import types as T


class HeldSession:
    """A featurizer as one writes it first: the session is a member, and so it is in whatever refers to self."""

    def __init__(self, spark):
        self.spark, self.context, self.dim = spark, spark.sparkContext, 2048

    def vector(self, content):
        """Stands for the network. It fails before it gets this far."""
        return [float(len(content))] * self.dim

    def transform(self, df):
        return df.select("*", F.udf(self.vector, T.ArrayType(T.FloatType()))("content").alias("features"))


def test_a_class_that_holds_the_session_fails(spark, photos, tmp_path):
    """The driver refuses: the method's pickle would contain self, and self the SparkContext."""
    df = spark.read.parquet(images.table(str(tmp_path / "t"), photos, parts=1))
    with pytest.raises(Exception, match="CONTEXT_ONLY_VALID_ON_DRIVER|SPARK-5063") as caught:
        HeldSession(spark).transform(df).collect()
    assert "Pickl" in type(caught.value).__name__ or "serialize" in str(caught.value)


def test_2048_values_a_row(place, samples, tmp_path):
    """The article's own test: binary files in, a column `features` of 2048 values out, in every row."""
    here = place(model="resnet50-random")
    for name, content in samples:
        (tmp_path / name).write_bytes(content)
    df = here.spark.read.format("binaryFile").load(str(tmp_path))
    out = here.featurize(df, inputCol="content", outputCol="features")
    assert out.columns == ["path", "modificationTime", "length", "features", "features_error"]
    got = out.collect()
    assert len(got) == len(samples)
    assert all(len(r.features) == 2048 and r.features_error is None for r in got)
    assert len({tuple(r.features) for r in got}) == len(samples)


def test_no_part_of_it_needs_the_context(place, photos, expected, tmp_path):
    """The same from inside a class that holds the session: nothing of the class travels."""

    class Tool:
        def __init__(self, here):
            self.here, self.spark = here, here.spark

        def transform(self, df):
            return self.here.featurize(df)

    here = place()
    rows.same(rows.collect(Tool(here).transform(here.read(images.table(str(tmp_path / "t"), photos, parts=2)))), expected)
