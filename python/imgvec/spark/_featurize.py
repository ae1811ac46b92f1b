"""featurize: a DataFrame with images in, the same DataFrame with features out."""

import logging

from pyspark.sql import functions as F
from pyspark.sql import types as T

from imgvec.spark import _columns, _config, _pyspark, _ship

_log = logging.getLogger("imgvec.spark")


def featurize(
    df,
    *,
    inputCol="content",
    outputCol="features",
    model=None,
    errorCol="features_error",
    onError="null",
    keepInput=False,
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
    profile=None,
):
    """Returns df with the features of its images.

    inputCol is a column of encoded images (binary) or of paths that every executor can open (string). Every other
    column is kept, in order; the input column is dropped unless keepInput, since it is the big one. Added are
    outputCol, array<float>, and errorCol, string (None: no such column). One of the two is null in each row.

    model is a name, a folder or an .onnx file, as the command takes it; modelSha256 makes sure of its bytes.
    onError says what an image that can't be decoded does: "null" (no features, and the reason in errorCol), "drop" its
    row, or "fail" the job. device is where the model runs: "auto" is the GPU that Spark gave to the task, where it did.
    exif is "apply" or "ignore"; options holds further flags of `imgvec serve`, such as {"max-pixels": 50000000}.

    cores is how many cores an executor has (default: from the session, or what the executor says). binary is the path
    of the command on the executors and home its folder of libraries and models, where they are not found by themselves.
    tuning changes the sizes and times of imgvec/_worker.py that _config.py names. profile is a ResourceProfile for this
    stage alone (Spark 4.0 and newer).

    Nothing runs before an action does. What will be used is in the metadata of outputCol under "imgvec". Rows that
    failed run again like this, where path tells the rows apart:

        failed = out.where("features_error IS NOT NULL").select("path")
        again = featurize(df.join(failed, "path"), options={"max-pixels": 500000000})
        whole = out.where("features_error IS NULL").unionByName(again)
    """
    plan = _Plan(df, inputCol, outputCol, errorCol, keepInput)
    flags = _config.flags(model, device, precision, normalize, exif, options)
    config = _config.worker_config(
        flags,
        on_error=onError,
        tuning=tuning,
        model_sha256=modelSha256,
        cores=cores or _pyspark.executor_cores(df.sparkSession),
        binary=binary,
        home=home,
        **plan.config(),
    )
    schema = plan.schema({"imgvec": {"package": config["package"], "model_sha256": modelSha256, **flags}})
    _log.info(
        "imgvec %s: column %s to %s with %s, cores %s",
        config["package"],
        plan.input.name,
        outputCol,
        flags,
        config["cores"],
    )
    return plan.renamed(_mapped(df.select(*plan.selected()), _ship.map_closure(config), schema, profile))


def _mapped(df, closure, schema, profile):
    """df through the closure."""
    if profile is None:
        more = {}
    elif _pyspark.version_of(df.sparkSession.version) >= (4, 0):
        more = {"profile": profile}
    else:
        raise ValueError(
            "featurize: profile needs Spark 4.0 or newer: leave it out, and ask for GPUs in the session's settings"
        )
    try:
        return df.mapInArrow(closure, schema, **more)
    except ImportError as e:
        raise ImportError(
            f"featurize: Spark's mapInArrow wants packages on the driver, though nothing here uses them: {e}"
        ) from e


class _Plan:
    """Which columns go in and come out."""

    def __init__(self, df, input_col, output_col, error_col, keep_input):
        schema = _columns.schema_of(df)
        names = _columns.Names(df.sparkSession)
        names.refuse_duplicates(schema)
        self.input = _columns.input_field(schema, names, input_col)
        self.kept = [f for f in schema.fields if keep_input or f is not self.input]
        self.output, self.error = output_col, error_col
        self._refuse_clashes(names)
        _columns.refuse_types(self.kept)
        self.wire = _columns.wire_names(schema)

    def _refuse_clashes(self, names):
        there = {names.key(f.name) for f in self.kept}
        for argument, name in (("outputCol", self.output), ("errorCol", self.error)):
            if name is None and argument == "errorCol":
                continue
            if not isinstance(name, str) or name == "":
                raise ValueError(f"featurize: {argument} is {name!r}, not the name of a column")
            if names.key(name) in there:
                raise ValueError(
                    f"featurize: {argument} {name} is there already: drop that column first or choose another name"
                )
            there.add(names.key(name))

    def selected(self):
        """What is read: the kept columns and the images, nothing that is not needed."""
        fields = self.kept if self.input in self.kept else [*self.kept, self.input]
        return [F.col(_columns.quoted(f.name)).alias(self.wire[f.name]) for f in fields]

    def config(self):
        """This part of the worker's settings."""
        kept = [self.wire[f.name] for f in self.kept]
        return {
            "input": _columns.input_kind(self.input),
            "column": self.wire[self.input.name],
            "keep": kept,
            "output": self.output,
            "error": self.error,
            "id_column": self._names_rows(kept),
        }

    def _names_rows(self, kept):
        """The column that tells rows apart in messages: the images' own paths, or binaryFile's."""
        if _columns.input_kind(self.input) == "path":
            return self.wire[self.input.name]
        return "path" if "path" in kept else None

    def schema(self, metadata):
        """The declared output, with metadata on the features' field."""
        fields = [T.StructField(self.wire[f.name], f.dataType, f.nullable, f.metadata) for f in self.kept]
        fields.append(T.StructField(self.output, T.ArrayType(T.FloatType()), True, metadata))
        if self.error is not None:
            fields.append(T.StructField(self.error, T.StringType(), True))
        return T.StructType(fields)

    def renamed(self, out):
        """out with the names that it should have."""
        if all(self.wire[f.name] == f.name for f in self.kept):
            return out
        named = [F.col(self.wire[f.name]).alias(f.name) for f in self.kept]
        added = [F.col(_columns.quoted(name)) for name in (self.output, self.error) if name is not None]
        return out.select(*named, *added)
