"""The pyspark that is there: its version, and what one of its sessions says about itself."""

import re

_OLDEST = (3, 5)


def require_pyspark():
    """Raises ImportError, with what to do, where pyspark is absent or too old."""
    try:
        import pyspark
    except ImportError as e:
        raise ImportError(
            "imgvec.spark needs pyspark 3.5 or newer, which is not installed: pip install 'pyspark>=3.5' pyarrow"
        ) from e
    if version_of(pyspark.__version__) < _OLDEST:
        raise ImportError(
            f"imgvec.spark needs pyspark 3.5 or newer, not {pyspark.__version__}: pip install 'pyspark>=3.5'"
        )


def version_of(text):
    """(major, minor) of a version such as 4.3.0 or 3.5.9.dev1."""
    return tuple(int(n) for n in re.findall(r"\d+", text)[:2])


def setting(session, key, default=None):
    """The session's value of a setting, or Spark's own, or default where there is none or it may not be read.

    Shared and serverless clusters refuse to show some settings, each with an exception of its own; a setting that
    can't be read is no reason to fail, since everything here works without it.
    """
    try:
        value = session.conf.get(key)
    except Exception:
        return default
    return default if value is None else value


def is_connect(session):
    """Whether the session is one of Spark Connect, which has no SparkContext on this side."""
    return ".connect." in type(session).__module__


def active_cores():
    """executor_cores of the session that is active, or None where there is none."""
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    return None if session is None else executor_cores(session)


def executor_cores(session):
    """How many cores one executor has, or None where the session does not say it."""
    local = local_cores(setting(session, "spark.master", ""))
    if local is not None:
        return local
    cores = setting(session, "spark.executor.cores", "")
    return int(cores) if cores.isdigit() and int(cores) > 0 else None


def local_cores(master):
    """The cores of a local master: 2 of local[2,4], 4 of local-cluster[2,4,1024]; None of local[*] and of clusters."""
    if master == "local":
        return 1
    found = re.match(r"local\[(\d+)[,\]]", master) or re.match(r"local-cluster\[\s*\d+\s*,\s*(\d+)", master)
    return int(found.group(1)) if found else None


def is_local(master):
    """Whether the driver's own JVM is the only executor: local, local[2], local[*]."""
    return master == "local" or master.startswith("local[")
