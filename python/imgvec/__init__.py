"""Feature vectors of images, fast: the command imgvec from Python.

    imgvec.extract(images, model=...)        -> numpy float32 [N, D]; raises on a bad image
    imgvec.extract_table(images, model=...)  -> pyarrow table with the errors
    imgvec.spark                             the same for Spark tables
    imgvec.ImgvecError                       what all of them raise

The work is done by a server, `imgvec serve`, that the first call starts. Importing this package imports nothing else.
"""

__version__ = "0.1.0"
__all__ = ["ImgvecError", "extract", "extract_table"]


def __getattr__(name):
    if name == "ImgvecError":
        from imgvec._worker import ImgvecError

        return ImgvecError
    if name in ("extract", "extract_table"):
        from imgvec import _extract

        return getattr(_extract, name)
    raise AttributeError(f"module 'imgvec' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
