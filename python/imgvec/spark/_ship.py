"""The closure that travels to the executors: the source of the worker and its settings, and nothing else.

Executors need no imgvec package: the closure carries imgvec/_worker.py as compressed text and runs it there, once for
each Python process, under a name that no other version of it shares. The functions that travel are nested ones that
use no name of this module, so pickle takes their code along and no reference to the package.
"""

import hashlib
import json
import pkgutil
import zlib

from imgvec.spark._strip import stripped


def map_closure(config):
    """A function for DataFrame.mapInArrow. config is the worker's settings, as imgvec/_worker.py lists them."""
    load = loader(config)

    def imgvec_batches(batches):
        worker, settings = load()
        return worker.map_batches(settings, batches)

    return imgvec_batches


def loader(config):
    """A function that returns the worker's module and its settings, in whatever process it is called."""
    return _loader(worker_source(), json.dumps(config, sort_keys=True))


def worker_source():
    """The text of imgvec/_worker.py, also where the package lies in a zip."""
    return pkgutil.get_data("imgvec", "_worker.py")


def _loader(source, settings):
    packed = zlib.compress(stripped(source), 9)
    name = "_imgvec_worker_" + hashlib.sha256(source).hexdigest()[:16]

    def load():
        import json
        import sys

        if name not in sys.modules:
            import linecache
            import types
            import zlib

            text = zlib.decompress(packed).decode()
            file = "<" + name + ".py>"
            module = types.ModuleType(name)
            module.__file__ = file
            linecache.cache[file] = (len(text), None, text.splitlines(True), file)  # tracebacks show its lines
            exec(compile(text, file, "exec"), module.__dict__)
            sys.modules[name] = module
        return sys.modules[name], json.loads(settings)

    return load
