"""What only local mode can get wrong: workers that run another Python than the driver."""

import os
import shutil
import sys


def other_python(context):
    """(value, problem, remedy) where a local session's workers do not run this Python, else None.

    context is the session's SparkContext.
    """
    name = getattr(context, "pythonExec", None)
    path = name and shutil.which(name)
    if not path or _folder(path) == _folder(sys.executable):
        return None
    problem = (
        f"workers run {path}, not this Python ({sys.executable}), so they may lack pyarrow or be of another version"
    )
    return name, problem, 'Set os.environ["PYSPARK_PYTHON"] = sys.executable before the session starts'


def _folder(path):
    """Where a Python lies tells its environment; what its link points to does not."""
    return os.path.dirname(os.path.abspath(path))
