#!/usr/bin/env python3
"""What one NVIDIA GPU can do for image features: copies, matrix products, and PyTorch's ResNet-50, as figures of the GPU proof.

  limits.py [--only copies,gemm,eager,compile] [--device cuda|cpu]      (cpu: a dry run that proves the script, not the figures)

Needs PyTorch; eager and compile need torchvision too. Figures are medians after a warm-up, on random (never zero) data: rates
are images a second, copies GB/s, matrix products TFLOP/s.
"""
import argparse
import json
import statistics
import sys
import time
import traceback

import torch

COPY = 256 << 20
SIDE = 8192
BATCHES = (64, 256)


def figure(name, value, unit="", **more):
    print(json.dumps({"figure": name, "value": round(value, 3) if isinstance(value, float) else value, "unit": unit, **more}), flush=True)


class Limits:
    def __init__(self, device):
        self.device, self.cuda = device, device == "cuda"

    def sync(self):
        if self.cuda:
            torch.cuda.synchronize()

    def seconds(self, f, least=0.4, rounds=5):
        """Median seconds of one call of f, the device synchronised, each round at least so long."""
        least = least if self.cuda else 0.02
        f(), f(), self.sync()
        out = []
        for _ in range(rounds):
            n, started = 0, time.perf_counter()
            while True:
                f()
                n += 1
                if n % 4 == 0 or not self.cuda:
                    self.sync()
                    if time.perf_counter() - started > least:
                        break
            out.append((time.perf_counter() - started) / n)
        return statistics.median(out)

    def copies(self):
        n = COPY if self.cuda else 1 << 20
        host = torch.randint(0, 255, (n,), dtype=torch.uint8)
        pinned, back = (host.pin_memory(), host.clone().pin_memory()) if self.cuda else (host, host.clone())
        a = torch.empty(n, dtype=torch.uint8, device=self.device)
        b = torch.empty_like(a)
        rate = lambda f, moved=n: moved / self.seconds(f) / 1e9
        figure("host to device, page-locked", rate(lambda: a.copy_(pinned, non_blocking=True)), "GB/s", min=20, speed=True)
        figure("host to device, pageable", rate(lambda: a.copy_(host)), "GB/s")
        figure("device to host, page-locked", rate(lambda: back.copy_(a, non_blocking=True)), "GB/s", min=20, speed=True)
        if self.cuda:
            other = torch.cuda.Stream()

            def both():
                a.copy_(pinned, non_blocking=True)
                with torch.cuda.stream(other):
                    back.copy_(b, non_blocking=True)
                torch.cuda.current_stream().wait_stream(other)
            figure("both ways at once, sum", rate(both, 2 * n), "GB/s")
        figure("on the device, read and written", rate(lambda: b.copy_(a), 2 * n), "GB/s", min=2000, speed=True)

    def gemm(self):
        n = SIDE if self.cuda else 128
        for kind in (torch.float16, torch.bfloat16):
            a, b = (torch.randn(n, n, device=self.device).to(kind) for _ in range(2))
            figure(f"matrix product, {n}, {str(kind)[6:]}", 2 * n**3 / self.seconds(lambda: a @ b) / 1e12, "TFLOP/s", min=400, speed=True)
        a, b = (torch.randn(n, n, device=self.device) for _ in range(2))
        torch.backends.cuda.matmul.allow_tf32 = False
        figure(f"matrix product, {n}, float32 without TF32", 2 * n**3 / self.seconds(lambda: a @ b) / 1e12, "TFLOP/s")
        a, b = (torch.randint(-100, 100, (n, n), dtype=torch.int8, device=self.device) for _ in range(2))
        figure(f"matrix product, {n}, int8", 2 * n**3 / self.seconds(lambda: torch._int_mm(a, b.t())) / 1e12, "TOP/s")

    def resnet(self, compiled):
        import torchvision
        torch.manual_seed(0)
        torch.backends.cudnn.benchmark = True
        model = torchvision.models.resnet50(weights=None).eval()
        model.fc = torch.nn.Identity()
        kind = torch.float16 if self.cuda else torch.bfloat16
        model = model.to(self.device, kind).to(memory_format=torch.channels_last)
        run = torch.compile(model, mode="max-autotune") if compiled else model
        name = "torch.compile max-autotune" if compiled else "PyTorch eager"
        with torch.inference_mode():
            for batch in BATCHES if self.cuda else (2,):
                x = torch.randn(batch, 3, 224, 224, device=self.device).to(kind).to(memory_format=torch.channels_last)
                started = time.perf_counter()
                run(x)
                self.sync()
                first = time.perf_counter() - started
                figure(f"{name}, fp16, batch {batch}", batch / self.seconds(lambda: run(x)), "img/s", note=f"first call {first:.1f} s")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--only", default="copies,gemm"), p.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    args = p.parse_args()
    limits = Limits(args.device)
    steps = {"copies": limits.copies, "gemm": limits.gemm, "eager": lambda: limits.resnet(False), "compile": lambda: limits.resnet(True)}
    failed = 0
    if limits.cuda and torch.cuda.is_available():
        figure("GPU", torch.cuda.get_device_name(), note=f"torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}")
    for name in args.only.split(","):
        try:
            steps[name]()
        except Exception:
            failed += 1
            figure(name, traceback.format_exc().strip().split("\n")[-1][:200], ok=False)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
