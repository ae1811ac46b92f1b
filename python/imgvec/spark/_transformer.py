"""ImageFeaturizer: featurize as a stage of a pyspark.ml Pipeline."""

from pyspark import keyword_only
from pyspark.ml import Transformer
from pyspark.ml.param.shared import HasInputCol, HasOutputCol
from pyspark.ml.util import DefaultParamsReadable, DefaultParamsWritable
from pyspark.sql import functions as F

from imgvec.spark._columns import quoted
from imgvec.spark._featurize import featurize
from imgvec.spark._params import ImageFeaturizerParams


class ImageFeaturizer(
    Transformer, HasInputCol, HasOutputCol, ImageFeaturizerParams, DefaultParamsReadable, DefaultParamsWritable
):
    """A Transformer that puts the features of the images in inputCol into outputCol.

        Pipeline(stages=[ImageFeaturizer(vectorOutput=True, onError="drop"), LogisticRegression()])

    The params are the arguments of featurize, and mean the same; errorCol="" means no such column. With vectorOutput,
    outputCol is a vector, as the stages of pyspark.ml take it, else array<float>.

    A row without features has a null there. pyspark.ml's estimators fail on null vectors, so a pipeline that trains
    takes onError="drop", or filters before it fits. Estimators may read their input more than once: write the features
    to a table, or cache them, before a long training.
    """

    __module__ = "imgvec.spark"  # the name under which saved pipelines find the class

    @keyword_only
    def __init__(
        self,
        *,
        inputCol="content",
        outputCol="features",
        model=None,
        errorCol="features_error",
        onError="null",
        keepInput=False,
        vectorOutput=False,
        device="auto",
        precision="auto",
        normalize=False,
        exif=None,
        cores=None,
        modelSha256=None,
        binary=None,
        home=None,
        options=None,
        tuning=None,
    ):
        super().__init__()
        self._setDefault(
            inputCol="content", outputCol="features", errorCol="features_error", onError="null", keepInput=False
        )
        self._setDefault(vectorOutput=False, device="auto", precision="auto", normalize=False)
        self.setParams(**self._input_kwargs)

    @keyword_only
    def setParams(self, **kwargs):
        """Sets params by name; None leaves one as it is, errorCol=None means no such column."""
        given = dict(self._input_kwargs)
        if "errorCol" in given and given["errorCol"] is None:
            given["errorCol"] = ""
        return self._set(**given)

    def _transform(self, dataset):
        given = {p.name: self.getOrDefault(p) for p in self.params if self.isDefined(p)}
        vector = given.pop("vectorOutput")
        given["errorCol"] = given["errorCol"] or None
        out = featurize(dataset, **given)
        return as_vectors(out, given["outputCol"]) if vector else out


def as_vectors(df, name):
    """df with the array column as a vector, null where it was null. Where it stands and its metadata stay."""
    from pyspark.ml.functions import array_to_vector

    column = F.col(quoted(name))
    # array_to_vector fails on null, and only a branch keeps Spark from calling it there.
    vector = F.when(column.isNotNull(), array_to_vector(column)).alias(name, metadata=df.schema[name].metadata)
    return df.select(*[vector if c == name else F.col(quoted(c)) for c in df.columns])
