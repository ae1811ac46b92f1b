#!/usr/bin/env python3
"""Makes the checkpoints of this folder and what PyTorch computes with them: very small ConvNeXts with random weights.

The same weights are written under the names of timm, torchvision and the papers' authors; Hugging Face's module has them
too, and a smaller epsilon in its last norm. expected.json has the features and logits of the picture that `picture` draws,
after (p / 255 - 0.5) / 0.5, and the versions that computed them. Run with the environment of `make test-models`:

    .cache/models-env/bin/python model/testdata/convnext/make.py
"""
import json
import pathlib
import sys

import timm
import torch
import torchvision
import transformers
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "scripts" / "models"))
import cases_convnext  # noqa: E402
from harness import spread  # noqa: E402

DEPTHS, WIDTHS, SIDE, CLASSES = (1, 2, 1, 1), (4, 6, 8, 10), 64, 3


def picture():
    """RGB bytes [SIDE, SIDE, 3]; the test draws the same."""
    at = torch.arange(SIDE)
    y, x, c = at[:, None, None], at[None, :, None], torch.arange(3)[None, None, :]
    return (x * x * (c + 1) // 7 + y * 5 + x * y // 3 + c * 40) % 256


def rounded(module):
    """Weights that float16 holds, as the files have them."""
    for p in module.parameters():
        p.copy_(p.half())
    return module


def halves(state):
    return {k: v.half().contiguous() for k, v in state.items()}


def copied(module, state):
    """The same weights in the same order, in another library's module."""
    own = module.state_dict()
    assert [v.numel() for v in own.values()] == [v.numel() for v in state.values()]
    module.load_state_dict({k: s.reshape(v.shape) for (k, v), s in zip(own.items(), state.values(), strict=True)})
    return module.eval()


def torchvision_module():
    block = torchvision.models.convnext.CNBlockConfig
    after = [*WIDTHS[1:], None]
    return torchvision.models.convnext.ConvNeXt([block(*row) for row in zip(WIDTHS, after, DEPTHS, strict=True)], num_classes=CLASSES)


def huggingface_module(v2):
    config = transformers.ConvNextV2Config if v2 else transformers.ConvNextConfig
    c = config(depths=list(DEPTHS), hidden_sizes=list(WIDTHS), num_labels=CLASSES)
    return (transformers.ConvNextV2ForImageClassification if v2 else transformers.ConvNextForImageClassification)(c)


torch.set_grad_enabled(False)
x = ((picture().float() / 255 - 0.5) / 0.5).permute(2, 0, 1)[None]
expected = {"versions": {m.__name__: m.__version__ for m in (torch, torchvision, timm, transformers)}}


def expect(file, outputs, module):
    features, logits = outputs(module, x)
    expected[file] = {"features": features[0].tolist(), "logits": logits[0].tolist()}


def make(v2):
    version = "v2-" if v2 else ""
    small = rounded(spread(timm.create_model("convnextv2_tiny" if v2 else "convnext_tiny", depths=DEPTHS, dims=WIDTHS, num_classes=CLASSES)))
    state = small.state_dict()
    save_file(halves(state), HERE / f"{version}timm.safetensors")
    expect(f"{version}timm.safetensors", cases_convnext.timm_outputs, small)
    theirs = copied(huggingface_module(v2), state)
    save_file(halves(theirs.state_dict()), HERE / f"{version}huggingface.safetensors")
    expect(f"{version}huggingface.safetensors", cases_convnext.huggingface_outputs, theirs)
    authors = cases_convnext.authors(small)
    torch.save({"model": halves(authors["model"])}, HERE / f"{version}authors.pth", _use_new_zipfile_serialization=False)
    expect(f"{version}authors.pth", cases_convnext.timm_outputs, small)
    if not v2:
        theirs = copied(torchvision_module(), state)
        torch.save(halves(theirs.state_dict()), HERE / "torchvision.pth")
        expect("torchvision.pth", cases_convnext.torchvision_outputs, theirs)


make(v2=False)
make(v2=True)
size = {"height": SIDE, "width": SIDE}
config = {"image_processor_type": "ViTImageProcessor", "size": size, "resample": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
(HERE / "preprocessor_config.json").write_text(json.dumps(config) + "\n")
(HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
