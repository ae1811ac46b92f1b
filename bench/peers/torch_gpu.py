"""PyTorch on a GPU: torchvision's ResNet-50 without its head, fp16, channels_last, eager or compiled with max-autotune.

offline-device: normalised random pixels lie on the device, features stay there.
offline-u8: random uint8 pixels in page-locked memory; they are copied, normalised on the device, and the features come
back into page-locked memory. Two batches are in flight, on copy streams of their own, so that one is copied while the
other is computed.
"""
import time

import cases

START = time.perf_counter()
A = cases.arguments(mode="eager")
try:
    import torch
    import torchvision
    if not A.dry_run and not torch.cuda.is_available():
        raise RuntimeError("PyTorch finds no GPU")
except Exception:
    cases.say(skip=cases.reason())
    raise SystemExit

IMPORTED = time.perf_counter() - START
CUDA = A.device != "cpu"
HALF = torch.float16 if CUDA else torch.bfloat16  # CPUs are slow in fp16
SIZE = 224
SETS = 3  # batches taken in turns
MEAN = torch.tensor([0.485, 0.456, 0.406], device=A.device).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225], device=A.device).view(1, 3, 1, 1)
SCALE, BIAS = (1 / (255 * STD)), (-MEAN / STD)


def sync():
    if CUDA:
        torch.cuda.synchronize()


def network():
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    model = torchvision.models.resnet50(weights=None)
    model.fc = torch.nn.Identity()
    return model.eval().to(A.device, HALF).to(memory_format=torch.channels_last)


NETWORK = network()
sync()
LOADED = time.perf_counter() - START - IMPORTED


def normalised(pixels):
    """uint8 [N,H,W,3] on the device to HALF [N,3,H,W] in channels_last, which is how it lies already."""
    return (pixels.permute(0, 3, 1, 2).float() * SCALE + BIAS).to(HALF).contiguous(memory_format=torch.channels_last)


def features_of(pixels):
    return NETWORK(normalised(pixels)).float()


def compiled(function):
    if A.mode != "compile":
        return function
    return torch.compile(function, mode="max-autotune", dynamic=False)


def mark():
    """Tells a compiled function with CUDA graphs that the last result has been taken."""
    if A.mode == "compile" and CUDA:
        torch.compiler.cudagraph_mark_step_begin()


def random_pixels(batch):
    return torch.randint(0, 256, (batch, SIZE, SIZE, 3), dtype=torch.uint8)


def device_case(batch):
    inputs = [normalised(random_pixels(batch).to(A.device)) for _ in range(SETS)]
    f = compiled(NETWORK)

    def many(n):
        with torch.inference_mode():
            for i in range(n):
                mark()
                f(inputs[i % SETS])
            sync()

    return case(batch, many)


def u8_case(batch):
    f = compiled(features_of)
    host = [random_pixels(batch) for _ in range(SETS)]
    if not CUDA:
        def plain(n):
            with torch.inference_mode():
                for i in range(n):
                    f(host[i % SETS])
        return case(batch, plain)
    return case(batch, Pipeline(batch, f, [p.pin_memory() for p in host]).many)


class Pipeline:
    """Two batches in flight: one stream copies in, the current one computes, one copies out."""
    DEPTH = 2

    def __init__(self, batch, f, host):
        self.f, self.host = f, host
        self.copy_in, self.copy_out = torch.cuda.Stream(), torch.cuda.Stream()
        self.device = [torch.empty_like(host[0], device=A.device) for _ in range(self.DEPTH)]
        self.results = [torch.empty((batch, 2048), dtype=torch.float32).pin_memory() for _ in range(self.DEPTH)]
        self.arrived, self.computed, self.done = ([torch.cuda.Event() for _ in range(self.DEPTH)] for _ in range(3))

    def many(self, n):
        compute = torch.cuda.current_stream()
        with torch.inference_mode():
            for i in range(n):
                slot = i % self.DEPTH
                if i >= self.DEPTH:
                    self.done[slot].synchronize()  # the features are in memory, the slot is free
                with torch.cuda.stream(self.copy_in):
                    self.device[slot].copy_(self.host[i % SETS], non_blocking=True)
                    self.arrived[slot].record()
                compute.wait_event(self.arrived[slot])
                mark()
                features = self.f(self.device[slot]).clone()  # a compiled function's result is overwritten by its next run
                self.computed[slot].record(compute)
                with torch.cuda.stream(self.copy_out):
                    self.copy_out.wait_event(self.computed[slot])
                    self.results[slot].copy_(features, non_blocking=True)
                    features.record_stream(self.copy_out)
                    self.done[slot].record()
            torch.cuda.synchronize()


def case(batch, many):
    start = time.perf_counter()
    many(1)
    first = time.perf_counter() - start
    return cases.Case(batch, many, {("compile_s" if A.mode == "compile" else "first_s"): first}, {"precision": str(HALF)[6:]})


def make(scenario, batch):
    return {"offline-device": device_case, "offline-u8": u8_case}[scenario](batch)


versions = {"torch": torch.__version__, "torchvision": torchvision.__version__}
if CUDA:
    versions |= {"cudnn": str(torch.backends.cudnn.version()), "cuda": torch.version.cuda, "gpu": torch.cuda.get_device_name()}
cases.serve(make, A.dry_run, {"import_s": IMPORTED, "load_s": LOADED}, **versions)
