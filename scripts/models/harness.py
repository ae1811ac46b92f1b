"""What the tests of model importers share: reference modules in, checkpoints out, imported, run and compared.

A family is a file cases_*.py with a list CASES of Case rows; the tests take every row of every such file. To add one:

    Case("resnet18-torchvision", "resnet18", lambda: torchvision.models.resnet18(), outputs, fast=True)

The reference is the library's own module with random weights (no download), spread so that a wrong layer, a swapped
tensor or a forgotten bias shows in the result.
"""
import dataclasses
import json
import os
import pathlib
import pickle
import struct
import subprocess
from collections.abc import Callable

import numpy
import onnxruntime
import safetensors.torch
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("IMGVEC_BINARY", str(ROOT / "imgvec"))
LIBRARIES = pathlib.Path(os.environ.get("IMGVEC_HOME", str(ROOT / "third_party"))) / "lib"

COSINE = 0.99999  # the least that is accepted, of features and of logits
WORST = 1e-4  # largest error of one number, as a part of the largest number of the reference


@dataclasses.dataclass(frozen=True)
class Case:
    """One reference module under one library's naming."""

    name: str  # "resnet18-torchvision": family member, then naming
    arch: str  # for --arch; what detection must find too
    make: Callable[[], torch.nn.Module]
    # outputs(module, pixels [N,3,side,side]) is (features [N,D], logits [N,C] or None for a model without a classifier)
    outputs: Callable[[torch.nn.Module, torch.Tensor], tuple]
    side: int = 224
    fast: bool | str = False  # part of `make test-models-fast`: True in the first form, "every form"
    forms: tuple = ("zip", "safetensors")  # of FORMS
    state: Callable[[torch.nn.Module], dict] = lambda module: module.state_dict()  # what the library saves
    beside: dict = dataclasses.field(default_factory=dict)  # file name -> JSON beside the checkpoint, such as config.json
    options: tuple = ()  # more options of `imgvec model import`
    detected: str | None = None  # where detection can't tell the arch: what it says instead; "" where it must fail


def spread(module, seed=0):
    """Gives every parameter and every running statistic a value of its own."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in module.named_parameters():
            noise = torch.randn(p.shape, generator=generator, dtype=torch.float32)
            if any(word in name for word in ("token", "pos", "probe", "latent")):
                p.copy_(noise * 0.5)  # what is learned for itself, as large as what it is added to
            elif p.dim() > 1 and p.numel() > max(p.shape):  # a matrix or filters, whatever its layout
                p.copy_(noise * (1.3 / numpy.sqrt(p[0].numel())))
            elif name.endswith("bias") or p.numel() == 1:
                p.copy_(p + noise * 0.1)
            else:  # scales of norms and layers, tokens
                p.copy_(0.6 + 0.8 * torch.rand(p.shape, generator=generator))
        norms = [m for m in module.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
        if norms:
            statistics(module, norms, generator)
    return module.eval()


def statistics(module, norms, generator):
    """Sets batch norms to statistics of noise, then off them, so that activations stay in range and no norm is idle."""
    drops = [m for m in module.modules() if isinstance(m, torch.nn.Dropout)]
    for m in norms:
        m.reset_running_stats()
        m.momentum = None
    module.train()
    for m in drops:
        m.eval()
    module(torch.randn(8, 3, 96, 96, generator=generator))
    for m in norms:
        m.momentum = 0.1
        m.running_mean += torch.randn(m.running_mean.shape, generator=generator) * m.running_var.sqrt() * 0.2
        m.running_var *= 0.6 + 0.8 * torch.rand(m.running_var.shape, generator=generator)


def pixels(side, seed=1, count=2):
    """Smooth pictures with noise, as different from each other as photos are, normalised."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, 3, 7, 7, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic")
    return smooth + 0.3 * torch.randn(count, 3, side, side, generator=generator)


# ---- forms of files

def save_zip(state, folder):
    path = folder / "weights.pth"
    torch.save(state, path)
    return path


def save_legacy(state, folder):
    path = folder / "weights.pth"
    torch.save(state, path, _use_new_zipfile_serialization=False)
    return path


def save_safetensors(state, folder):
    path = folder / "model.safetensors"
    safetensors.torch.save_file({k: v.detach().clone().contiguous() for k, v in state.items()}, path, metadata={"format": "pt"})
    return path


def save_sharded(state, folder):
    """Three files and their index, as save_pretrained writes large models."""
    names = list(state)
    parts = [names[i::3] for i in range(3)]
    where = {}
    for i, part in enumerate(parts):
        file = f"model-{i + 1:05}-of-00003.safetensors"
        safetensors.torch.save_file({k: state[k].detach().clone().contiguous() for k in part}, folder / file, metadata={"format": "pt"})
        where.update(dict.fromkeys(part, file))
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"metadata": {"total_size": sum(v.nbytes for v in state.values())}, "weight_map": where}))
    return path


def save_training(state, folder):
    """What a training script keeps: the state dict of a DataParallel module, an optimizer, numbers."""
    path = folder / "checkpoint.pth"
    wrapped = {"module." + k: torch.nn.Parameter(v, requires_grad=False) if v.is_floating_point() else v for k, v in state.items()}
    torch.save({"epoch": 7, "best": 0.5, "state_dict": wrapped, "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}}, path)
    return path


FORMS = {  # name -> (writer, element type)
    "zip": (save_zip, None),
    "legacy": (save_legacy, None),
    "safetensors": (save_safetensors, None),
    "sharded": (save_sharded, None),
    "training": (save_training, None),
    "zip-bf16": (save_zip, torch.bfloat16),
    "safetensors-fp16": (save_safetensors, torch.float16),
}


def round_weights(module, dtype):
    """Rounds the reference's weights to what the file can hold."""
    with torch.no_grad():
        for t in list(module.parameters()) + [b for b in module.buffers() if b.is_floating_point()]:
            t.copy_(t.to(dtype))


def checkpoint(case, form, folder):
    """Makes the reference module and its checkpoint: (module, path)."""
    write, dtype = FORMS[form]
    module = spread(case.make())
    if dtype is not None:
        round_weights(module, dtype)
    state = case.state(module)
    if dtype is not None:
        state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()}
    return module, write_files(case, lambda: write(state, folder), folder)


def write_files(case, write, folder):
    folder.mkdir(parents=True, exist_ok=True)
    path = write()
    size = {"height": case.side, "width": case.side}
    beside = {"preprocessor_config.json": {"image_processor_type": "ViTImageProcessor", "size": size, "resample": 2,
                                           "image_mean": [0.5] * 3, "image_std": [0.5] * 3}}
    for name, content in (beside | case.beside).items():
        (folder / name).write_text(json.dumps(content))
    return path


# ---- the command

class Refused(Exception):
    """What the command said when it refused."""


def command(home, *args):
    env = dict(os.environ, IMGVEC_HOME=str(home))
    done = subprocess.run([BINARY, *map(str, args)], env=env, capture_output=True, text=True, timeout=1200)
    return done.returncode, done.stdout, done.stderr


def import_(home, path, case, *more, arch=True):
    """Imports a checkpoint and gives the folder of the model. A home without libraries skips the measurement that
    follows an import, which takes longer than the import."""
    named = ("--arch", case.arch) if arch else ()
    status, out, err = command(home, "model", "import", path, "--name", "tested", "--force", *named, *case.options, *more)
    folder = home / "models" / "tested"
    unmeasured = status == 1 and "native library not usable" in err and not (home / "lib").exists()
    if status != 0 and not unmeasured:
        raise Refused(err)
    assert (folder / "model.onnx").is_file(), out + err
    return folder


def run_graph(folder, x):
    """Runs model.onnx on pixels with ONNX Runtime in fp32: (features, logits or None)."""
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    got = dict(zip(names, session.run(names, {"input": x.numpy()}), strict=True))
    return got["features"], got.get("logits")


# ---- comparison

def cosine(a, b):
    a, b = a.astype(numpy.float64), b.astype(numpy.float64)
    return float((a * b).sum() / numpy.sqrt((a * a).sum() * (b * b).sum()))


def compare(what, got, want):
    """Asserts that got [N,D] is want, each row and what tells the rows apart."""
    want = want.detach().float().numpy()
    assert got.shape == want.shape, f"{what}: shape {got.shape}, expected {want.shape}"
    assert numpy.isfinite(want).all(), f"{what}: the reference is not finite: weights are spread too far"
    worst = float(numpy.abs(got - want).max() / numpy.abs(want).max())
    least = min(cosine(g, w) for g, w in zip(got, want, strict=True))
    apart = cosine(got[0] - got[1], want[0] - want[1])
    moved = float(numpy.abs(want[0] - want[1]).max() / numpy.abs(want).max())
    assert moved > 1e-3, f"{what}: the reference hardly depends on the picture ({moved:.1e})"
    assert least >= COSINE and apart >= COSINE and worst <= WORST, (
        f"{what}: cosine {least:.7f}, of the difference of two pictures {apart:.7f}, largest error {worst:.1e}")
    return least, worst


# ---- checkpoints that are wrong

def hostile_pickle(path, form):
    """A checkpoint with code in it, that would leave a file behind if it were executed."""
    mark = path.with_suffix(".executed")

    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {mark}",)

    state = {"conv1.weight": torch.zeros(4), "evil": Evil()}
    torch.save(state, path, pickle_module=pickle, _use_new_zipfile_serialization=form == "zip")
    return mark


def safetensors_with(header, data=b""):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data
