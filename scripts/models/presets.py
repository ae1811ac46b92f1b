#!/usr/bin/env python3
"""Writes model/presets.json: the preprocessing of known weights, as the installed libraries say it.

    .cache/models-env/bin/python scripts/models/presets.py > model/presets.json

The numbers are read off the transforms that the libraries build (torchvision's weights enums, timm's create_transform,
open_clip's image_transform), so that each library's own defaults and roundings are in them. Repositories of Hugging Face
can't be asked offline: for them the fields of the repository's file are written down in HUGGING_FACE, and the rest comes
from transformers' class. Presets with equal fields share an entry; a name's second part, where there is one, is the exact
file name of the weights.
"""

import argparse
import collections
import importlib.metadata
import json
import sys

import numpy as np
import open_clip
import open_clip.transform
import timm
import timm.data
import torchvision.models
import torchvision.transforms
import transformers

FILTERS = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]  # by Pillow's number


def f32(values):
    """The shortest decimals that are these numbers in float32."""
    return [float(str(np.float32(v))) for v in values]


def size(height, width):
    return {"height": int(height), "width": int(width)}


def preset(input_size, mode, interpolation, mean, std, crop_round="half_even", **more):
    return {"input_size": input_size, "crop_mode": mode, **more, "crop_round": crop_round, "interpolation": interpolation,
            **({} if "factor" in more else {"scale": 255}), "mean": f32(mean), "std": f32(std), "channel_order": "RGB"}


def of_steps(transform):
    """Reads a preset off a torchvision Compose of timm or open_clip."""
    known = {}
    for step in transform.transforms:
        known[type(step).__name__] = step
    left = known.keys() - {"Resize", "ResizeKeepRatio", "CenterCrop", "CenterCropOrPad", "MaybeConvertMode", "MaybeToTensor", "Normalize"}
    assert not left, left
    normalize = known["Normalize"]
    numbers = [float(v) for v in normalize.mean], [float(v) for v in normalize.std]
    resize = known.get("Resize") or known["ResizeKeepRatio"]
    crop = known.get("CenterCrop") or known.get("CenterCropOrPad")
    interpolation = resize.interpolation.value
    box = resize.size if isinstance(resize.size, (tuple, list)) else None
    out = crop.size if crop is not None else box
    out = (out, out) if isinstance(out, int) else out
    to = {"resize_to": size(*box)} if box is not None and tuple(box) != tuple(out) else {}
    if "Resize" in known and box is None:
        return preset(size(*out), "center", interpolation, *numbers, resize_size=resize.size)
    if "Resize" in known:
        return preset(size(*out), "squash", interpolation, *numbers, **to)
    if resize.longest == 1:
        fill = crop.fill if isinstance(crop.fill, (tuple, list)) else [crop.fill] * 3
        fill = [min(max(int(v), 0), 255) for v in fill]
        return preset(size(*out), "border", interpolation, *numbers, **to, **({"fill": fill} if any(fill) else {}))
    assert resize.longest == 0, resize
    return preset(size(*out), "center", interpolation, *numbers, resize_to=size(*box))


def of_torchvision():
    for name in torchvision.models.list_models(module=torchvision.models):
        for weights in torchvision.models.get_model_weights(name):
            t = weights.transforms()
            (resize,), (crop,) = t.resize_size, t.crop_size
            yield str(weights), weights.url.rsplit("/", 1)[-1], preset(size(crop, crop), "center", t.interpolation.value, t.mean, t.std, resize_size=resize)


def of_timm():
    for tag in timm.list_pretrained():
        cfg = timm.get_pretrained_cfg(tag).to_dict()
        seen = None
        for test, suffix in ((False, ""), (True, "@test")):
            data = timm.data.resolve_data_config(pretrained_cfg=cfg, use_test_size=test)
            if data["input_size"][0] != 3:
                continue
            data = {k: v for k, v in data.items() if k in ("input_size", "interpolation", "mean", "std", "crop_pct", "crop_mode")}
            found = of_steps(timm.data.create_transform(**data, is_training=False))
            if found != seen:
                yield f"timm/{tag}{suffix}", "", found
            seen = found


def of_open_clip():
    for model, tag in open_clip.list_pretrained():
        config = open_clip.get_pretrained_cfg(model, tag)
        side = open_clip.get_model_config(model)["vision_cfg"].get("image_size", 224)
        merged = open_clip.transform.merge_preprocess_dict(open_clip.transform.PreprocessCfg(), config)
        cfg = open_clip.transform.PreprocessCfg(**{**merged, "size": side})
        yield f"open_clip/{model}/{tag}", "", of_steps(open_clip.transform.image_transform_v2(cfg, is_train=False))


IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
RESNET = {"size": {"shortest_edge": 224}, "crop_pct": 0.875, "resample": 3, **IMAGENET}
DINOV2 = {"size": {"shortest_edge": 256}, "crop_size": 224, "resample": 3, **IMAGENET}
EFFICIENT = {"resample": 0, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.47853944, 0.4732864, 0.47434163]}
HUGGING_FACE = {  # repository: class, fields of its preprocessor_config.json that differ from the class's defaults
    **{f"microsoft/resnet-{n}": ("ConvNext", RESNET) for n in (18, 34, 50, 101, 152)},
    **{f"facebook/convnext-{n}-224": ("ConvNext", RESNET) for n in ("tiny", "small", "base", "large")},
    **{f"google/vit-{n}-224": ("ViT", {}) for n in ("base-patch16", "large-patch16")},
    "google/vit-base-patch16-224-in21k": ("ViT", {}),
    "google/vit-base-patch16-384": ("ViT", {"size": {"height": 384, "width": 384}}),
    **{f"microsoft/swin-{n}-patch4-window7-224": ("ViT", {"resample": 3, **IMAGENET}) for n in ("tiny", "small", "base", "large")},
    **{f"openai/clip-vit-{n}": ("CLIP", {}) for n in ("base-patch32", "base-patch16", "large-patch14")},
    "openai/clip-vit-large-patch14-336": ("CLIP", {"size": {"shortest_edge": 336}, "crop_size": 336}),
    **{f"facebook/dinov2-{n}": ("Bit", DINOV2) for n in ("small", "base", "large", "giant")},
    **{f"facebook/dinov3-{n}-pretrain-lvd1689m": ("DINOv3ViT", {}) for n in ("vits16", "vits16plus", "vitb16", "vitl16", "vith16plus", "vit7b16")},
    # transformers' convert_efficientnet_to_pytorch.py wrote these, when the class's own filter was nearest
    **{f"google/efficientnet-b{n}": ("EfficientNet", {**EFFICIENT, "size": {"height": side, "width": side}})
       for n, side in enumerate((224, 240, 260, 300, 380, 456, 528, 600))},
    "google/siglip-base-patch16-224": ("Siglip", {}),
    "google/siglip-base-patch16-384": ("Siglip", {"size": {"height": 384, "width": 384}}),
    "google/siglip-so400m-patch14-384": ("Siglip", {"size": {"height": 384, "width": 384}}),
    "google/siglip2-base-patch16-224": ("Siglip", {"resample": 2}),
    "google/siglip2-so400m-patch14-384": ("Siglip", {"resample": 2, "size": {"height": 384, "width": 384}}),
}


def of_processor(kind, fields):
    """A preset of transformers' class with these fields, by the class's own rules."""
    name = kind + "ImageProcessor"
    p = getattr(transformers, name + "Pil", None) or getattr(transformers, name)
    p = p(**fields)
    more = {"domain": "float"} if not hasattr(transformers, name + "Pil") else {}
    if getattr(p, "include_top", False):
        more["std_again"] = f32(p.image_std)
    rest = (FILTERS[int(p.resample)], p.image_mean, p.image_std, "floor")
    if kind == "ConvNext":
        side = p.size["shortest_edge"]
        assert side < 384
        return preset(size(side, side), "center", *rest, resize_size=int(side / p.crop_pct))
    if p.do_center_crop:
        return preset(size(p.crop_size["height"], p.crop_size["width"]), "center", *rest, resize_size=p.size["shortest_edge"])
    return preset(size(p.size["height"], p.size["width"]), "squash", *rest, **more)


def of_hugging_face():
    for repository, (kind, fields) in HUGGING_FACE.items():
        yield repository, "", of_processor(kind, fields)


def table():
    groups = collections.defaultdict(list)
    for rows in (of_torchvision(), of_timm(), of_open_clip(), of_hugging_face()):
        for name, file, found in rows:
            groups[json.dumps(found)].append(f"{name} {file}".strip())
    return groups


def write(groups, out):
    versions = {p: importlib.metadata.version(p) for p in ("torchvision", "timm", "open_clip_torch", "transformers")}
    made = "scripts/models/presets.py with " + ", ".join(f"{p} {v}" for p, v in versions.items())
    out.write('{\n"made_by": ' + json.dumps(made) + ',\n"presets": [\n')
    entries = sorted(groups.items(), key=lambda e: (-len(e[1]), e[0]))
    out.write(",\n".join('{"preset": ' + p + ', "weights": ' + json.dumps(sorted(names)) + "}" for p, names in entries))
    out.write("\n]\n}\n")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    write(table(), sys.stdout)
