"""Image features for Spark: every row's photo becomes a vector, and a bad photo costs its own row only.

    from imgvec.spark import featurize, ImageFeaturizer, featurize_udf

    photos = spark.read.format("binaryFile").load("photos/")
    out = featurize(photos, model="resnet50")  # content -> features array<float>, features_error string

featurize is the main face: a function from DataFrame to DataFrame. ImageFeaturizer is the same as a stage of a
pyspark.ml Pipeline, featurize_udf as a function for SQL. check_conf looks for settings of a session that slow the
work down or break it, recommended_conf gives settings that do not.

Nothing here holds a SparkContext, a model or a native library. What travels to the executors is one small closure
(_ship.py) that starts the command `imgvec serve` there, or joins it: one process and one loaded model for each executor
and GPU, shared by all of its tasks. Only the standard library, pyspark and pyarrow are imported.
"""

from imgvec.spark._pyspark import require_pyspark

require_pyspark()

from imgvec.spark._checks import check_conf  # noqa: E402  pyspark is checked before it is imported
from imgvec.spark._featurize import featurize  # noqa: E402
from imgvec.spark._recommend import recommended_conf  # noqa: E402
from imgvec.spark._udf import featurize_udf  # noqa: E402

__all__ = ["ImageFeaturizer", "check_conf", "featurize", "featurize_udf", "recommended_conf"]


def __getattr__(name):
    """ImageFeaturizer on its first use: pyspark.ml needs numpy, and nothing else here does."""
    if name == "ImageFeaturizer":
        from imgvec.spark._transformer import ImageFeaturizer

        return ImageFeaturizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
