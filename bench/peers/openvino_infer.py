"""OpenVINO's own way to run the model alone, as its benchmark tool does it: compiled for throughput, as many requests in
flight as it advises, asynchronously. The model is the file that imgvec runs; the pixels are real photos, uint8, and
OpenVINO normalises them inside its graph.

    openvino_infer.py LIST MODEL PRECISION    (PRECISION is imgvec's name: fp32, bf16, ...; "auto" leaves it to OpenVINO)
"""
import sys

import numpy as np
import openvino as ov
from openvino.preprocess import PrePostProcessor
from PIL import Image
from torchvision import transforms

import rounds

BATCH = 8
PRECISIONS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
MEAN = [0.485, 0.456, 0.406]
STD = [0.229, 0.224, 0.225]


def compiled(path, precision):
    core = ov.Core()
    model = core.read_model(path)
    ppp = PrePostProcessor(model)
    ppp.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    ppp.input().preprocess().convert_element_type(ov.Type.f32).mean([255 * v for v in MEAN]).scale([255 * v for v in STD])
    ppp.input().model().set_layout(ov.Layout("NCHW"))
    model = ppp.build()
    model.reshape([BATCH, 224, 224, 3])
    hints = {"PERFORMANCE_HINT": "THROUGHPUT"}
    if precision in PRECISIONS:
        hints["INFERENCE_PRECISION_HINT"] = PRECISIONS[precision]
    return core.compile_model(model, "CPU", hints)


def main():
    paths = rounds.files()
    model = compiled(sys.argv[2], sys.argv[3])
    preprocess = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224)])
    different = min(len(paths), 12 * BATCH) // BATCH * BATCH or BATCH
    pixels = np.stack([np.asarray(preprocess(Image.open(paths[i % len(paths)]).convert("RGB"))) for i in range(different)])
    batches = [np.ascontiguousarray(pixels[i:i + BATCH]) for i in range(0, different, BATCH)]
    queue = ov.AsyncInferQueue(model)
    features = [None] * len(queue)

    def done(request, number):
        features[number % len(features)] = request.get_output_tensor(0).data.copy()

    queue.set_callback(done)

    def run(batches_of_a_round=(len(paths) + BATCH - 1) // BATCH):
        for i in range(batches_of_a_round):
            queue.start_async({0: batches[i % len(batches)]}, i, share_inputs=True)
        queue.wait_all()
        assert features[0].shape[0] == BATCH
        return batches_of_a_round * BATCH

    rounds.serve(run, lambda: run(8), openvino=ov.__version__.split("-")[0], precision=str(model.get_property("INFERENCE_PRECISION_HINT")),
                 streams=str(model.get_property("NUM_STREAMS")), requests=str(len(queue)))


if __name__ == "__main__":
    main()
