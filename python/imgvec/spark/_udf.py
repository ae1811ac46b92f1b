"""featurize_udf: image features as a function for SQL and withColumn."""

import functools
import logging
from collections.abc import Iterator

from pyspark.sql import types as T

from imgvec.spark import _config, _pyspark, _ship

_log = logging.getLogger("imgvec.spark")

_ARROW_UDF = (4, 1)  # the first pyspark with iterator functions over Arrow arrays; older ones need pandas


def featurize_udf(
    model=None,
    *,
    onError="null",
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
    """Returns a function of one column, encoded images (binary) or paths (string), to array<float>.

        spark.udf.register("image_features", featurize_udf(model="resnet50"))
        spark.sql("SELECT image_features(content) FROM photos")
        photos.withColumn("features", featurize_udf()("content"))

    An image that can't be decoded, or a null, gives null; with onError="fail" it fails the job, and says why. The other
    arguments are featurize's. featurize is the better choice where either will do: Spark keeps every row, image and
    all, in a queue until its function has answered, and a function's column can't say why an image has no features.

    A filter on the result makes Spark call the function twice for each row, unless it is
    featurize_udf(...).asNondeterministic(), which aggregates and joins don't take.

    Make it when the session is there: how many cores an executor has comes from its settings. On Spark before 4.1
    pandas is needed, on the driver and the executors.
    """
    if onError not in ("null", "fail"):
        raise ValueError(f'featurize_udf: onError is {onError!r}, not "null" or "fail": a function answers every row')
    flags = _config.flags(model, device, precision, normalize, exif, options)
    config = _config.worker_config(
        flags,
        on_error=onError,
        tuning=tuning,
        model_sha256=modelSha256,
        cores=cores or _pyspark.active_cores(),
        binary=binary,
        home=home,
        input="binary",
        column="content",
        output="features",
    )
    _log.info("imgvec %s: a function with %s, cores %s", config["package"], flags, config["cores"])
    answers = _answers(_ship.loader(config))
    return _arrow_udf(answers) if _arrow() else _pandas_udf(answers)


def _arrow():
    import pyspark

    return _pyspark.version_of(pyspark.__version__) >= _ARROW_UDF


def _arrow_udf(answers):
    import pyarrow as pa
    from pyspark.sql.functions import arrow_udf

    def image_features(images):
        return answers(images)

    return _declared(image_features, pa.Array, arrow_udf)


def _pandas_udf(answers):
    try:
        import pandas as pd
    except ImportError as e:
        raise ImportError(
            "featurize_udf needs pandas on Spark before 4.1, here and on the executors: pip install pandas"
        ) from e
    from pyspark.sql.functions import pandas_udf

    def image_features(images):
        import pyarrow as pa

        def arrays():
            for series in images:
                first = next((v for v in series if v is not None), None)
                kind = {str: pa.large_string(), bytes: pa.large_binary(), type(None): pa.null()}.get(type(first))
                yield pa.array(series, type=kind, from_pandas=True)

        for features in answers(arrays()):
            yield features.to_pandas()

    return _declared(image_features, pd.Series, pandas_udf)


def _declared(function, column, maker):
    """The function as Spark takes it: what it maps is told by its annotations."""
    function.__annotations__ = {"images": Iterator[column], "return": Iterator[column]}
    return functools.partial(maker, returnType=T.ArrayType(T.FloatType()))(function)


def _answers(load):
    """A function from Arrow arrays of images to arrays of features, one for each.

    It travels, so it uses no name of this module.
    """

    def kind_of(arrays):
        """ "binary" or "path", and all the arrays: those before the first that has a value tell nothing."""
        import itertools
        import re

        arrays, held, kind = iter(arrays), [], "null"
        while kind == "null" and (array := next(arrays, None)) is not None:
            held.append(array)
            kind = str(array.type)
        known = re.search("binary|string|^null$", kind)
        if not known:
            raise TypeError(
                "featurize_udf: the column is " + kind + ", not binary (encoded images) or string (paths of files)"
            )
        return "path" if known.group() == "string" else "binary", itertools.chain(held, arrays)

    def answers(arrays):
        worker, config = load()
        config["input"], arrays = kind_of(arrays)
        for batch in worker.features_of(config, arrays):
            errors = batch.column(1)
            if config["on_error"] == "fail" and errors.null_count < len(errors):
                first = next(e.as_py() for e in errors if e.is_valid)
                raise worker.ImgvecError(
                    "extract features of an image: " + first + ". For null instead: featurize_udf(onError='null')"
                )
            yield batch.column(0)

    return answers
