"""The params of ImageFeaturizer, with MLlib's getters and setters."""

from pyspark.ml.param import Param, Params, TypeConverters


def _map(value):
    """A dict with text keys, as it is saved to JSON."""
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        return value
    raise TypeError(f"{value!r} is not a dict with text keys")


def _param(name, doc, converter=TypeConverters.toString):
    return Param(Params._dummy(), name, doc, typeConverter=converter)


class ImageFeaturizerParams(Params):
    """What ImageFeaturizer can be told, beside inputCol and outputCol."""

    model = _param("model", "name, folder or .onnx file of the model (default: the command's)")
    errorCol = _param("errorCol", "column for the reason why a row has no features; empty for none")
    onError = _param("onError", "what an image that can't be decoded does: null, drop or fail")
    keepInput = _param("keepInput", "whether the input column stays", TypeConverters.toBoolean)
    vectorOutput = _param(
        "vectorOutput", "whether the output is a vector rather than array<float>", TypeConverters.toBoolean
    )
    device = _param("device", "where the model runs: auto, cpu, cuda")
    precision = _param("precision", "arithmetic of the model: auto, fp32, bf16, fp16, int8")
    normalize = _param("normalize", "whether vectors are scaled to length 1", TypeConverters.toBoolean)
    exif = _param("exif", "the camera's orientation mark: apply, ignore")
    cores = _param("cores", "cores of an executor (default: the session's setting)", TypeConverters.toInt)
    modelSha256 = _param("modelSha256", "SHA-256 that the model's file must have")
    binary = _param("binary", "path of the command imgvec on the executors")
    home = _param("home", "folder of its libraries and models on the executors")
    options = _param("options", "further flags of imgvec serve", _map)
    tuning = _param("tuning", "sizes and times of the worker", _map)

    def setInputCol(self, value):
        """Sets inputCol."""
        return self._set(inputCol=value)

    def setOutputCol(self, value):
        """Sets outputCol."""
        return self._set(outputCol=value)


def _accessors(name):
    """The setter and the getter of one param, as MLlib names them."""

    def set_it(self, value):
        return self._set(**{name: value})

    def get_it(self):
        return self.getOrDefault(name)

    tail = name[0].upper() + name[1:]
    for function, verb in ((set_it, "set"), (get_it, "get")):
        function.__name__ = verb + tail
        function.__qualname__ = f"ImageFeaturizerParams.{verb}{tail}"
        function.__doc__ = f"{verb.capitalize()}s {name}."
        setattr(ImageFeaturizerParams, verb + tail, function)


for _name in [n for n, v in list(vars(ImageFeaturizerParams).items()) if isinstance(v, Param)]:
    _accessors(_name)
