"""What only local mode can get wrong: workers that run another Python than the driver."""

import os
import shutil
import sys

from imgvec.spark._pyspark import is_local


def other_python(master, connect):
    """(key, value, problem, remedy) where local workers will not run this Python; nothing where that can't be told."""
    name = os.environ.get("PYSPARK_PYTHON") or "python3"
    path = shutil.which(name)
    if connect or not is_local(master) or path is None:
        return []
    if os.path.dirname(os.path.abspath(path)) == os.path.dirname(os.path.abspath(sys.executable)):
        return []
    problem = f"workers run {path}, not this Python ({sys.executable}), so they may lack pyarrow or be of another version"
    return [("PYSPARK_PYTHON", os.environ.get("PYSPARK_PYTHON", "not set"), problem, 'os.environ["PYSPARK_PYTHON"] = sys.executable before the session starts')]
