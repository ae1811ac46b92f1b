"""What the GPU can do at best, by PyTorch: products of large fp16 matrices, and copies within its memory (bytes read and
bytes written both count)."""
import cases

A = cases.arguments()
try:
    import torch
    if not A.dry_run and not torch.cuda.is_available():
        raise RuntimeError("PyTorch finds no GPU")
except Exception:
    cases.say(skip=cases.reason())
    raise SystemExit

CUDA = A.device != "cpu"


def sync():
    if CUDA:
        torch.cuda.synchronize()


def gemm():
    n = 8192 if CUDA else 256
    a, b = (torch.randn(n, n, device=A.device).to(torch.float16 if CUDA else torch.bfloat16) for _ in range(2))
    c = torch.empty_like(a)

    def many(times):
        for _ in range(times):
            torch.mm(a, b, out=c)
        sync()

    return cases.Case(0, many, {}, {"matrix": f"{n}x{n}"}, flop=2 * n ** 3)


def hbm():
    n = (1 << 30) if CUDA else (4 << 20)  # far more than any cache
    a = torch.randint(0, 255, (n,), dtype=torch.uint8, device=A.device)
    b = torch.empty_like(a)

    def many(times):
        for _ in range(times):
            b.copy_(a)
        sync()

    return cases.Case(0, many, {}, {"bytes": str(n)}, bytes=2 * n)


cases.serve(lambda scenario, _: {"limit-gemm-fp16": gemm, "limit-hbm": hbm}[scenario](), A.dry_run, {}, torch=torch.__version__)
