"""ConvNeXt and ConvNeXt V2 of torchvision, timm, Hugging Face and under the authors' names.

Features are what the classifier sees: after the last layer norm.
"""
import re

import timm
import torch
import torchvision
import transformers
from harness import Case
from timm.models.convnext import checkpoint_filter_fn

SIZES = {  # member -> (blocks, first width)
    "convnext-atto": ([2, 2, 6, 2], 40), "convnext-pico": ([2, 2, 6, 2], 64), "convnext-nano": ([2, 2, 8, 2], 80),
    "convnext-tiny": ([3, 3, 9, 3], 96), "convnext-small": ([3, 3, 27, 3], 96), "convnext-base": ([3, 3, 27, 3], 128),
    "convnext-large": ([3, 3, 27, 3], 192), "convnextv2-atto": ([2, 2, 6, 2], 40), "convnextv2-nano": ([2, 2, 8, 2], 80),
    "convnextv2-tiny": ([3, 3, 9, 3], 96), "convnextv2-base": ([3, 3, 27, 3], 128),
}


def torchvision_outputs(m, x):
    features = m.classifier[1](m.classifier[0](m.avgpool(m.features(x))))
    return features, m.classifier[2](features)


def timm_outputs(m, x):
    return m.forward_head(m.forward_features(x), pre_logits=True), m(x) if m.num_classes else None


def huggingface_outputs(m, x):
    base = getattr(m, "convnext", getattr(m, "convnextv2", m))
    return base(x).pooler_output, m(x).logits if hasattr(m, "classifier") else None


def huggingface(arch, head=True):
    blocks, width = SIZES[arch]
    v2 = arch.startswith("convnextv2")
    config = transformers.ConvNextV2Config if v2 else transformers.ConvNextConfig
    c = config(depths=blocks, hidden_sizes=[width << i for i in range(4)], num_labels=1000)
    name = "ConvNextV2" if v2 else "ConvNext"
    return getattr(transformers, name + ("ForImageClassification" if head else "Model"))(c)


def timm_name(arch):
    return arch.replace("-", "_")


def authors(module):
    """timm's tensors under the names of the papers' code; timm's own converter must give them back."""
    state = {}
    for name, t in module.state_dict().items():
        name = re.sub(r"^stem\.", "downsample_layers.0.", name)
        name = re.sub(r"^stages\.(\d)\.downsample\.", r"downsample_layers.\1.", name)
        name = re.sub(r"^stages\.(\d)\.blocks\.", r"stages.\1.", name)
        name = name.replace("conv_dw", "dwconv").replace("mlp.fc", "pwconv").replace("head.norm.", "norm.").replace("head.fc.", "head.")
        if "mlp.grn" in name:
            name, t = name.replace("mlp.grn.weight", "grn.gamma").replace("mlp.grn.bias", "grn.beta"), t.reshape(1, 1, 1, -1)
        state[name] = t
    back = checkpoint_filter_fn(dict(state), module)
    assert all(torch.equal(back[k], v) for k, v in module.state_dict().items()) and len(back) == len(module.state_dict())
    return {"model": state}


def cases():
    every = ("zip", "legacy", "safetensors", "sharded", "training", "zip-bf16", "safetensors-fp16")
    for arch in ("convnext-tiny", "convnext-small", "convnext-base", "convnext-large"):
        big, tiny = arch == "convnext-large", arch == "convnext-tiny"
        yield Case(f"{arch}-torchvision", arch, lambda a=arch: torchvision.models.get_model(timm_name(a), weights=None), torchvision_outputs,
                   fast=tiny, forms=("zip", "legacy") if tiny else ("zip",))
        yield Case(f"{arch}-timm", arch, lambda a=arch: timm.create_model(timm_name(a)), timm_outputs, forms=("safetensors",))
        yield Case(f"{arch}-huggingface", arch, lambda a=arch: huggingface(a), huggingface_outputs, forms=("safetensors",), fast=tiny)
        if not big:
            yield Case(f"{arch}-timm-conv-mlp", arch, lambda a=arch: timm.create_model(timm_name(a), conv_mlp=True), timm_outputs,
                       forms=("zip",), fast=tiny)
            yield Case(f"{arch}-authors", arch, lambda a=arch: timm.create_model(timm_name(a)), timm_outputs, state=authors, forms=("zip",))
    for arch in ("convnext-atto", "convnext-pico", "convnext-nano"):
        yield Case(f"{arch}-timm", arch, lambda a=arch: timm.create_model(timm_name(a)), timm_outputs, forms=("safetensors",),
                   fast=arch == "convnext-atto")
    yield Case("convnext-tiny-timm-headless", "convnext-tiny", lambda: timm.create_model("convnext_tiny", num_classes=0), timm_outputs,
               forms=("zip",))
    yield Case("convnext-tiny-timm-norm-first", "convnext-tiny", lambda: timm.create_model("convnext_tiny_hnf"), timm_outputs, forms=("zip",))
    yield Case("convnext-tiny-huggingface-base", "convnext-tiny", lambda: huggingface("convnext-tiny", head=False), huggingface_outputs,
               forms=("safetensors",))
    yield Case("convnext-tiny-288", "convnext-tiny", lambda: timm.create_model("convnext_tiny"), timm_outputs, side=288, forms=("zip",))
    yield Case("convnext-of-its-own-size", "convnext", lambda: timm.create_model("convnext_tiny", depths=(1, 2, 1, 1), dims=(24, 32, 56, 64)),
               timm_outputs, side=96, forms=every, fast="every form")
    for arch in ("convnextv2-atto", "convnextv2-nano", "convnextv2-tiny", "convnextv2-base"):
        fast = arch == "convnextv2-atto"
        yield Case(f"{arch}-timm", arch, lambda a=arch: timm.create_model(timm_name(a)), timm_outputs, forms=("safetensors",), fast=fast)
        yield Case(f"{arch}-huggingface", arch, lambda a=arch: huggingface(a), huggingface_outputs, forms=("safetensors",), fast=fast)
    yield Case("convnextv2-atto-authors", "convnextv2-atto", lambda: timm.create_model("convnextv2_atto"), timm_outputs, state=authors,
               forms=("zip",), fast=True)
    yield Case("convnextv2-atto-huggingface-base", "convnextv2-atto", lambda: huggingface("convnextv2-atto", head=False), huggingface_outputs,
               forms=("zip",))


CASES = list(cases())
