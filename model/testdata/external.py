"""Writes external.onnx, a classifier of one convolution whose weights lie in weights/w.bin, for the tests of imports.

python model/testdata/external.py
"""

import os

import numpy as np
import onnx
from onnx import TensorProto, helper

here = os.path.dirname(os.path.abspath(__file__))
os.makedirs(os.path.join(here, "weights"), exist_ok=True)
data = np.arange(12, dtype=np.float32).tobytes()
with open(os.path.join(here, "weights", "w.bin"), "wb") as f:
    f.write(data)
w = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 3, 1, 1], data_location=TensorProto.EXTERNAL)
for key, value in {"location": "weights/w.bin", "offset": "0", "length": str(len(data))}.items():
    w.external_data.add(key=key, value=value)
nodes = [
    helper.make_node("Conv", ["input", "w"], ["conv"]),
    helper.make_node("GlobalAveragePool", ["conv"], ["pool"]),
    helper.make_node("Flatten", ["pool"], ["features"], axis=1),
]
graph = helper.make_graph(
    nodes,
    "external",
    [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, 224, 224])],
    [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", 4])],
    [w],
)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), os.path.join(here, "external.onnx"))
