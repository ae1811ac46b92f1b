"""ONNX Runtime from Python on a GPU, as its documentation has it for speed: the CUDA provider on PyTorch's stream, inputs and
outputs bound on the device. The model is the file that imgvec is given, converted to fp16 where --model names such a file.

offline-u8 copies and normalises with PyTorch, on the same stream.
"""
import time

import cases

START = time.perf_counter()
A = cases.arguments(model="")
try:
    import numpy as np
    import torch
    import onnxruntime as ort
    if not A.dry_run and "CUDAExecutionProvider" not in ort.get_available_providers():
        raise RuntimeError("this onnxruntime has no CUDA provider (pip install onnxruntime-gpu)")
    if not A.dry_run and not torch.cuda.is_available():
        raise RuntimeError("PyTorch finds no GPU")
except Exception:
    cases.say(skip=cases.reason())
    raise SystemExit

CUDA = A.device != "cpu"
SETS = 3
IMPORTED = time.perf_counter() - START


def session():
    if not CUDA:
        return ort.InferenceSession(A.model, providers=["CPUExecutionProvider"])
    options = {"device_id": A.device.split(":")[1], "user_compute_stream": str(torch.cuda.current_stream().cuda_stream),
               "cudnn_conv_algo_search": "EXHAUSTIVE", "cudnn_conv_use_max_workspace": "1"}
    return ort.InferenceSession(A.model, providers=[("CUDAExecutionProvider", options)])


SESSION = session()
LOADED = time.perf_counter() - START - IMPORTED
INPUT, OUTPUT = SESSION.get_inputs()[0], SESSION.get_outputs()[0]
OUTPUT = next((o for o in SESSION.get_outputs() if o.name == "features"), OUTPUT)
DIM = OUTPUT.shape[-1]
HALF = INPUT.type == "tensor(float16)"
DTYPE, NUMPY = (torch.float16, np.float16) if HALF else (torch.float32, np.float32)
RUN = ort.RunOptions()
if CUDA:
    RUN.add_run_config_entry("disable_synchronize_execution_providers", "1")
MEAN = torch.tensor([0.485, 0.456, 0.406], device=A.device).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225], device=A.device).view(1, 3, 1, 1)


def sync():
    if CUDA:
        torch.cuda.synchronize()


def normalised(pixels):
    return (((pixels.permute(0, 3, 1, 2).float() / 255) - MEAN) / STD).to(DTYPE).contiguous()


def bound(x, y):
    binding = SESSION.io_binding()
    kind, number = ("cuda", int(A.device.split(":")[1])) if CUDA else ("cpu", 0)
    binding.bind_input(INPUT.name, kind, number, NUMPY, tuple(x.shape), x.data_ptr())
    binding.bind_output(OUTPUT.name, kind, number, np.float32, tuple(y.shape), y.data_ptr())
    return binding


def random_pixels(batch):
    return torch.randint(0, 256, (batch, 224, 224, 3), dtype=torch.uint8)


def device_case(batch):
    inputs = [normalised(random_pixels(batch).to(A.device)) for _ in range(SETS)]
    y = torch.empty((batch, DIM), device=A.device)
    bindings = [bound(x, y) for x in inputs]

    def many(n, _held=(inputs, y)):  # a binding has addresses only: whoever runs it must hold the memory
        for i in range(n):
            SESSION.run_with_iobinding(bindings[i % SETS], RUN)
        sync()

    return many


def u8_case(batch):
    host = [random_pixels(batch) for _ in range(SETS)]
    y = torch.empty((batch, DIM), device=A.device)
    x = torch.empty((batch, 3, 224, 224), dtype=DTYPE, device=A.device)
    out = torch.empty((batch, DIM))
    if CUDA:
        host, out = [p.pin_memory() for p in host], out.pin_memory()
    binding = bound(x, y)

    def many(n):
        for i in range(n):
            x.copy_(normalised(host[i % SETS].to(A.device, non_blocking=True)))
            SESSION.run_with_iobinding(binding, RUN)
            out.copy_(y, non_blocking=True)
        sync()

    return many


def make(scenario, batch):
    many = {"offline-device": device_case, "offline-u8": u8_case}[scenario](batch)
    sync()
    start = time.perf_counter()
    many(1)
    return cases.Case(batch, many, {"first_s": time.perf_counter() - start}, {"input": INPUT.type})


cases.serve(make, A.dry_run, {"import_s": IMPORTED, "load_s": LOADED}, onnxruntime=ort.__version__, torch=torch.__version__)
