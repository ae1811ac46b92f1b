"""check_conf: settings of a session that make the work slow, or fail it, each with what to do."""

import math
from dataclasses import dataclass

from imgvec.spark import _local, _pyspark, _sizes


@dataclass(frozen=True)
class Finding:
    """One setting, its value, what it does to the work, and what to set instead."""

    key: str
    value: str
    problem: str
    remedy: str

    def __str__(self):
        return f"{self.key} = {self.value}: {self.problem}. {self.remedy}"


class Findings(list):
    """The findings, one a line when printed."""

    def __str__(self):
        return "\n".join(f"- {f}" for f in self) or "no setting stands in the way"

    __repr__ = __str__


def check_conf(spark):
    """Returns what of the session's settings stands in the way, as a list of Finding, which prints one a line.

    The session is never changed. A setting that the session does not show, as on some shared clusters, is passed over.
    """
    conf = _Conf(spark)
    return Findings(f for check in _CHECKS for f in check(conf))


class _Conf:
    """A session's settings, read as what they are."""

    def __init__(self, session):
        self.session = session
        self.version = _pyspark.version_of(session.version)
        self.master = self.text("spark.master", "")

    def text(self, key, default=None):
        return _pyspark.setting(self.session, key, default)

    def number(self, key, default):
        try:
            return float(self.text(key, default))
        except ValueError:
            return float(default)

    def size(self, key, default, unit=1):
        return _sizes.size(self.text(key, default), unit)

    def seconds(self, key, default):
        return _sizes.seconds(self.text(key, default))

    def is_true(self, key, default):
        return self.text(key, default) == "true"


_ROWS = "spark.sql.execution.arrow.maxRecordsPerBatch"
_BYTES = "spark.sql.execution.arrow.maxBytesPerBatch"
_MOST_ROWS = 1000  # images of 100 KB: 100 MB a batch and task slot
_MOST_BYTES = 128 << 20


def _batches(conf):
    """Batches from the JVM: by rows alone on Spark 3.5, by bytes too from 4.0 on."""
    rows, size = conf.number(_ROWS, "10000"), conf.size(_BYTES, "-1")
    if 0 < rows < 32:
        yield Finding(
            _ROWS,
            f"{rows:.0f}",
            "batches of so few images cost more than they carry",
            f'spark.conf.set("{_ROWS}", "256")',
        )
    if 0 < rows <= _MOST_ROWS:
        return
    if conf.version < (4, 0):
        problem = (
            "a batch is counted in rows alone, so a whole partition of images can be one batch: "
            "in memory twice for each task, and an error beyond 2 GiB"
        )
        yield Finding(_ROWS, f"{rows:.0f}", problem, f'spark.conf.set("{_ROWS}", "256")')
    elif not 0 < size <= _MOST_BYTES:
        value = conf.text(_BYTES, "not set")
        yield Finding(
            _BYTES,
            value,
            "each task holds a batch of so many bytes, twice",
            f'spark.conf.set("{_BYTES}", "{64 << 20}")',
        )


def _reuse(conf):
    key = "spark.python.worker.reuse"
    if not conf.is_true(key, "true"):
        yield Finding(
            key,
            "false",
            "each task starts a Python process and imports pyarrow anew",
            f"Leave {key} at its default, true",
        )


def _tiny_tasks(conf):
    key = "spark.sql.files.openCostInBytes"
    cost, whole = conf.size(key, "4MB"), conf.size("spark.sql.files.maxPartitionBytes", "128MB")
    files = whole / (cost + (100 << 10))
    if files < 100 and cost >= 1 << 20:
        problem = (
            f"a task gets at most {files:.0f} photos of 100 KB when they are read as files, so tasks are many and tiny"
        )
        yield Finding(key, conf.text(key, "4MB"), problem, f'spark.conf.set("{key}", "131072")')


def _attempts(conf):
    if _pyspark.is_local(conf.master) and "," not in conf.master:
        cores = "*" if "*" in conf.master else _pyspark.local_cores(conf.master)
        problem = (
            "local mode gives a task one attempt, whatever spark.task.maxFailures says: a failed task fails the job"
        )
        yield Finding("spark.master", conf.master, problem, f'Build the session with .master("local[{cores},4]")')


_TASK_GPUS, _EXECUTOR_GPUS = "spark.task.resource.gpu.amount", "spark.executor.resource.gpu.amount"


def _local_gpus(conf):
    if _pyspark.is_local(conf.master) and conf.number(_TASK_GPUS, "0") > 0:
        problem = (
            "local mode has no GPU scheduling: with these settings no task ever starts, and the job waits for ever"
        )
        yield Finding(
            _TASK_GPUS,
            conf.text(_TASK_GPUS),
            problem,
            f"Leave out {_TASK_GPUS} and {_EXECUTOR_GPUS}: in local mode every GPU that works is used without them",
        )


def _idle_cores(conf):
    amount, gpus = conf.number(_TASK_GPUS, "0"), conf.number(_EXECUTOR_GPUS, "1")
    cores = _pyspark.executor_cores(conf.session)
    if _pyspark.is_local(conf.master) or amount <= 0 or not cores:
        return
    slots = gpus // amount if amount >= 1 else gpus * math.floor(1 / amount)
    tasks = cores // int(conf.number("spark.task.cpus", "1"))
    if slots < tasks:
        share = _sizes.gpu_share(tasks, int(gpus))
        problem = (
            f"only {slots:.0f} of {tasks} tasks fit on an executor at the same time; "
            "they share one loaded model, so none needs a GPU for itself"
        )
        yield Finding(_TASK_GPUS, conf.text(_TASK_GPUS), problem, f"Set {_TASK_GPUS}={share} when the session starts")


_LEAST_ADDRESS_SPACE = 4 << 30  # bytes; imgvec/_worker.py refuses less


def _address_space(conf):
    key = "spark.executor.pyspark.memory"
    size = conf.size(key, "0", 1 << 20) / max(conf.number("spark.executor.cores", "1"), 1)
    if 0 < size < _LEAST_ADDRESS_SPACE:
        problem = (
            "it limits the address space of each Python worker and of all that it starts "
            f"to {size / (1 << 30):.1f} GiB, less than the server needs to start"
        )
        yield Finding(
            key, conf.text(key), problem, "Leave it out, and count the server's memory in spark.executor.memoryOverhead"
        )


def _executors_that_come_and_go(conf):
    key = "spark.dynamicAllocation.executorIdleTimeout"
    if conf.is_true("spark.dynamicAllocation.enabled", "false") and conf.seconds(key, "60s") < 300:
        problem = "an executor that idles so long is given back, and the next one loads the model again"
        yield Finding(key, conf.text(key, "60s"), problem, f"Set {key}=10min when the session starts")


def _overhead(conf):
    key = "spark.executor.memoryOverhead"
    if not conf.master.startswith(("yarn", "k8s")):
        return
    heap = conf.size("spark.executor.memory", "1g", 1 << 20)
    factor = conf.number("spark.executor.memoryOverheadFactor", "0.4" if conf.master.startswith("k8s") else "0.1")
    room = conf.size(key, str(max(int(heap * factor), 384 << 20)) + "b", 1 << 20)
    if room < 2 << 30:
        problem = (
            f"Python workers and the server share {room / (1 << 30):.1f} GiB beside the JVM's heap, "
            "and a container that takes more is killed"
        )
        yield Finding(key, conf.text(key, "not set"), problem, f"Set {key}=3g when the session starts")


def _python(conf):
    if _pyspark.is_connect(conf.session) or not _pyspark.is_local(conf.master):
        return
    other = _local.other_python(conf.session.sparkContext)
    if other:
        yield Finding("PYSPARK_PYTHON", *other)


_CHECKS = (
    _python,
    _local_gpus,
    _idle_cores,
    _address_space,
    _batches,
    _reuse,
    _executors_that_come_and_go,
    _overhead,
    _tiny_tasks,
    _attempts,
)
