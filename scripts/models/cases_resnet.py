"""ResNet-18 to 152 of torchvision, timm and Hugging Face, with and without a classifier."""
import timm
import torch
import torchvision
import transformers
from harness import Case

ARCHS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
BLOCKS = {"resnet18": [2, 2, 2, 2], "resnet34": [3, 4, 6, 3], "resnet50": [3, 4, 6, 3], "resnet101": [3, 4, 23, 3], "resnet152": [3, 8, 36, 3]}


def torchvision_outputs(m, x):
    """Features are what avgpool gives, flat."""
    seen = []
    hook = m.avgpool.register_forward_hook(lambda _module, _input, output: seen.append(output.flatten(1)))
    logits = m(x)
    hook.remove()
    return seen[0], None if isinstance(m.fc, torch.nn.Identity) else logits


def timm_outputs(m, x):
    return m.forward_head(m.forward_features(x), pre_logits=True), m(x) if m.num_classes else None


def huggingface_config(arch):
    basic = arch in ("resnet18", "resnet34")
    sizes = [64, 128, 256, 512] if basic else [256, 512, 1024, 2048]
    return transformers.ResNetConfig(depths=BLOCKS[arch], hidden_sizes=sizes, layer_type="basic" if basic else "bottleneck", num_labels=1000)


def huggingface_outputs(m, x):
    """Features are the pooler_output, flat."""
    pooled = getattr(m, "resnet", m)(x).pooler_output.flatten(1)
    return pooled, m(x).logits if hasattr(m, "classifier") else None


def headless(m):
    m.fc = torch.nn.Identity()
    return m


def cases(arch):
    fast = arch in ("resnet18", "resnet50")
    every = ("zip", "legacy", "safetensors", "sharded", "training", "zip-bf16", "safetensors-fp16")
    yield Case(f"{arch}-torchvision", arch, lambda: torchvision.models.get_model(arch, weights=None), torchvision_outputs,
               fast=fast, forms=every if arch == "resnet18" else ("zip",))
    yield Case(f"{arch}-torchvision-7-classes", arch, lambda: torchvision.models.get_model(arch, weights=None, num_classes=7),
               torchvision_outputs, forms=("legacy",))
    yield Case(f"{arch}-torchvision-headless", arch, lambda: headless(torchvision.models.get_model(arch, weights=None)),
               torchvision_outputs, fast=arch == "resnet18", forms=("zip",))
    yield Case(f"{arch}-timm", arch, lambda: timm.create_model(arch), timm_outputs, forms=("safetensors",), fast=arch == "resnet18")
    yield Case(f"{arch}-timm-headless", arch, lambda: timm.create_model(arch, num_classes=0), timm_outputs, forms=("zip",))
    yield Case(f"{arch}-huggingface", arch, lambda: transformers.ResNetForImageClassification(huggingface_config(arch)),
               huggingface_outputs, fast=fast, forms=("safetensors", "sharded") if arch == "resnet50" else ("safetensors",))
    yield Case(f"{arch}-huggingface-base", arch, lambda: transformers.ResNetModel(huggingface_config(arch)), huggingface_outputs,
               fast=arch == "resnet18", forms=("zip",))


CASES = [case for arch in ARCHS for case in cases(arch)]
