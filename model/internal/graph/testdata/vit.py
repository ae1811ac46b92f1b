"""Makes vit.json: small Vision Transformers of torchvision, timm, Hugging Face and open_clip, and what they compute.

    .cache/models-env/bin/python model/internal/graph/testdata/vit.py    (the environment of make test-models)

Weights are not in the file: a number of a tensor follows from the tensor's name and its place, by splitmix64, so Go
makes the same. The rows are those of scripts/models/cases_vit.py; the versions of the libraries stand in the file.
"""
import itertools
import json
import pathlib
import sys

import numpy as np
import open_clip
import timm
import torch
import torchvision
import transformers

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[3] / "scripts" / "models"))

import cases_vit  # noqa: E402  (found by the line above)

CHOSEN = [
    "vit-small-torchvision", "vit-small-torchvision-older", "vit-small-timm-mean-registers", "vit-small-timm-norm-first",
    "vit-small-timm-layer-scale-no-class-position", "vit-small-huggingface-classifier", "vit-small-huggingface-module",
    "dinov2-small-official-42", "dinov2-small-timm-98", "dinov2-small-timm-registers-42", "dinov2-small-official-swiglu",
    "dinov2-small-huggingface-98", "dinov2-small-huggingface-registers-42", "dinov2-small-huggingface-classifier",
    "dinov2-small-huggingface-swiglu", "clip-small-huggingface-quick_gelu", "clip-small-huggingface-gelu",
    "clip-small-open-clip-quickgelu", "siglip-small-huggingface", "siglip-small-timm-gelu", "siglip-small-open-clip",
]


def mixed(name, count):
    """64 random bits for each of count places of a tensor."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def spread(name, p):
    """(scale, offset) of a parameter's numbers, which are offset + scale * u, with u in [-1, 1)."""
    if any(word in name for word in ("token", "pos", "probe", "latent", "class_embedding")):
        return 0.8, 0.0
    if p.dim() > 1:
        return round(2.2 / float(np.sqrt(p[0].numel())), 6), 0.0
    if name.endswith("bias") or p.dim() == 0:
        return 0.3, 0.0
    return 0.5, 0.9


def fill(module):
    made = {}
    with torch.no_grad():
        for name, p in module.named_parameters():
            scale, offset = spread(name, p)
            u = (mixed(name, p.numel()) >> np.uint64(40)).astype(np.float64) / 2**23 - 1
            p.copy_(torch.from_numpy((offset + scale * u).astype(np.float32)).reshape(p.shape))
            made[name] = (p.detach(), scale, offset)
    module.eval()
    return made


def origin(t, made):
    """The parameters that a checkpoint's tensor is made of, and how their numbers are spread; none: nobody needs it."""
    for name, (p, scale, offset) in made.items():
        if p.shape == t.shape and torch.equal(p, t):
            return [name], scale, offset
    for (a, (p, scale, offset)), (b, (q, _, _)) in itertools.permutations(made.items(), 2):
        if t.dim() and p.dim() == q.dim() == t.dim() and p.shape == q.shape and 2 * p.shape[0] == t.shape[0] and torch.equal(torch.cat([p, q]), t):
            return [a, b], scale, offset
    assert t.numel() < 100, "a tensor that is made of none of the parameters"
    return [], 0, 0


def golden(case):
    module = case.make()
    made = fill(module)
    grey = np.stack([(mixed(f"picture{i}", 3 * case.side**2) >> np.uint64(56)).astype(np.float32).reshape(3, case.side, case.side) for i in range(2)])
    x = (torch.from_numpy(grey) / 255 - 0.5) / 0.5
    with torch.no_grad():
        features, logits = case.outputs(module, x)
        tensors = {}
        for name, t in case.state(module).items():
            of, scale, offset = origin(t.detach(), made)
            tensors[name] = [list(t.shape), "" if of == [name] else "+".join(of) or "-", scale, offset]
    assert (features[0] - features[1]).abs().max() > 0.01 * features.abs().max(), case.name
    row = {"arch": case.arch, "side": case.side, "beside": case.beside, "tensors": tensors, "features": rounded(features)}
    for file, content in case.beside.items():
        keep = {"model_type", "hidden_act", "num_attention_heads", "layer_norm_eps", "architecture", "model_args", "model_cfg"}
        row["beside"] = {file: {k: v for k, v in content.items() if k in keep}}
    if logits is not None:
        row["logits"] = rounded(logits)
    return row


def rounded(t):
    return [[float(f"{v:.8g}") for v in row] for row in t.tolist()]


def main():
    torch.set_num_threads(1)
    rows = {c.name: golden(c) for c in cases_vit.CASES if c.name in CHOSEN}
    assert list(sorted(rows)) == sorted(CHOSEN)
    made_with = {m.__name__: m.__version__ for m in (torch, torchvision, timm, transformers, open_clip)}
    text = ["{", f'"made_with": {json.dumps(made_with)},', '"cases": {']
    text += [",\n".join(f"{json.dumps(name)}: {json.dumps(row, separators=(',', ':'))}" for name, row in rows.items()), "}}"]
    (HERE / "vit.json").write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
