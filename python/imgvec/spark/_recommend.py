"""recommended_conf: settings that suit the work, each with its reason."""

from imgvec.spark import _pyspark, _sizes


class Settings(dict):
    """Settings as {key: text}. reasons says why, by key; print shows both."""

    def __init__(self):
        super().__init__()
        self.reasons = {}

    def add(self, key, value, reason):
        """Adds one setting with its reason."""
        self[key], self.reasons[key] = str(value), reason

    def __str__(self):
        width = max((len(f"{k}={v}") for k, v in self.items()), default=0)
        return "\n".join(f"{f'{k}={v}':{width}}  # {self.reasons[k]}" for k, v in self.items())

    __repr__ = __str__


def recommended_conf(*, cores=None, gpus=0, discoveryScript=None, version=None):
    """Returns settings for a session as a dict of texts, with .reasons by key.

        builder = SparkSession.builder.config(map=recommended_conf(cores=8, gpus=1))

    cores and gpus are those of one executor; one GPU an executor is simplest. discoveryScript is the path of the script
    that tells Spark the GPUs' addresses, where the cluster has none set. version is the cluster's, such as "3.5.9"
    (default: this pyspark's). Those under spark.sql may be set in a session that runs; the others count from its start.
    """
    import pyspark

    known = _pyspark.version_of(version or pyspark.__version__)
    out = Settings()
    _reading(out, known)
    out.add("spark.python.worker.reuse", "true", "a Python process serves many tasks")
    out.add(
        "spark.dynamicAllocation.executorIdleTimeout",
        "10min",
        "an executor that is given back takes the loaded model with it",
    )
    out.add(
        "spark.executor.memoryOverhead",
        "3g",
        "the server and Python live beside the JVM's heap: model, batches in flight, decoded photos",
    )
    if cores is not None:
        out.add("spark.executor.cores", cores, "the server sizes its threads by it")
    if gpus:
        _gpus(out, cores, gpus, discoveryScript)
    return out


def _reading(out, version):
    out.add(
        "spark.sql.execution.arrow.maxRecordsPerBatch",
        64,
        "6 MB of photos of 100 KB in a batch: less for the JVM to hold and to copy than thousands",
    )
    if version >= (4, 0):
        out.add("spark.sql.execution.arrow.maxBytesPerBatch", 64 << 20, "what a task holds of its input at one time")
    out.add(
        "spark.sql.files.openCostInBytes", 131072, "hundreds of photos in a task, not 30, when they are read as files"
    )


def _gpus(out, cores, gpus, script):
    if cores is None:
        raise ValueError("recommended_conf: gpus needs cores: the share of a GPU for each task follows from both")
    out.add("spark.executor.resource.gpu.amount", gpus, "GPUs of an executor")
    out.add(
        "spark.task.resource.gpu.amount",
        _sizes.gpu_share(cores, gpus),
        "all cores' tasks share the model on the GPU; at 1, one task would keep the other cores idle",
    )
    if script is not None:
        out.add("spark.executor.resource.gpu.discoveryScript", script, "prints the GPUs' addresses")
