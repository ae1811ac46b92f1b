"""The cases of test_presets.py: configuration files, and what the libraries that read them make of a picture."""

import dataclasses
import json
from typing import Callable

import numpy as np
import open_clip
import open_clip.transform
import timm.data
import torch
import torchvision
import transformers
from PIL import Image

# Widths and heights: 1-pixel sides, panoramas, odd margins of either sign, smaller than any crop, exactly a crop.
SHAPES = [(1, 1), (1, 40), (40, 1), (3, 2), (224, 224), (225, 224), (256, 256), (257, 301), (223, 500), (500, 223), (37, 53),
          (2000, 60), (60, 2000), (341, 256), (1023, 767), (640, 3)]


@dataclasses.dataclass
class Case:
    name: str
    files: dict
    input: tuple  # height, width
    pixels: Callable  # RGB picture -> [height, width, 3]: uint8, or levels 0..255 in floating point
    tensor: Callable  # RGB picture -> float32 [3, height, width]
    domain: str = "uint8"
    std: tuple = (1, 1, 1)
    vanishes: Callable = lambda w, h: False  # the library fails on such a picture
    refused_by_default: bool = False

    def takes(self, path):
        return not self.vanishes(*Image.open(path).size)

    def level_size(self):
        return 1 / 255 / np.asarray(self.std)


# ---- transformers

HF_CLASSES = ["ViT", "CLIP", "Bit", "Siglip", "DeiT", "Beit", "ConvNext", "MobileNetV1", "MobileNetV2", "Levit", "PoolFormer", "EfficientNet",
              "DINOv3ViT", "Blip", "ChineseCLIP"]
UNSETTLED = {"Beit", "EfficientNet"}  # see hfClasses in model/huggingface_classes.go


def hugging_face(title, name, config, file="preprocessor_config.json", key=None, kind="ImageProcessor"):
    """A case of transformers' class `name` with the fields of `config`."""
    config = {key or "image_processor_type": name + kind, **config}
    float_domain = not hasattr(transformers, name + "ImageProcessorPil")
    made = getattr(transformers, name + ("ImageProcessor" if float_domain else "ImageProcessorPil"))
    fields = {k: v for k, v in config.items() if not k.endswith("_type")}
    processor = made(**fields)
    bare = made(**{**fields, "do_rescale": False, "do_normalize": False, **({"include_top": False} if name == "EfficientNet" else {})})

    def pixels(image):
        if not float_domain:
            return np.moveaxis(bare(image, return_tensors="np")["pixel_values"][0], 0, -1)
        scaled = made(**{**fields, "do_normalize": False})(image, return_tensors="pt")["pixel_values"][0]
        return np.moveaxis(scaled.numpy() * 255, 0, -1)

    def tensor(image):
        return np.asarray(processor(image, return_tensors="pt" if float_domain else "np")["pixel_values"][0], dtype=np.float32)

    shape = pixels(Image.new("RGB", (300, 400))).shape
    content = {"image_processor": config} if file == "processor_config.json" else config
    return Case(title, {file: content}, shape[:2], pixels, tensor, "float" if float_domain else "uint8",
                std=processor.image_std or (1, 1, 1), refused_by_default=name in UNSETTLED and not config.keys() - {"image_processor_type"})


IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
EFFICIENT = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.47853944, 0.4732864, 0.47434163]}


def hugging_face_cases():
    one = hugging_face
    yield one("microsoft/resnet-50", "ConvNext", {"crop_pct": 0.875, "do_normalize": True, "do_resize": True, **IMAGENET, "resample": 3, "size": 224},
              key="feature_extractor_type", kind="FeatureExtractor")
    yield one("google/vit-base-patch16-224", "ViT", {"do_normalize": True, "do_resize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": 224})
    yield one("openai/clip-vit-base-patch32", "CLIP", {"crop_size": 224, "do_center_crop": True, "resample": 3, "size": 224},
              key="feature_extractor_type", kind="FeatureExtractor")
    yield one("facebook/dinov2-base", "Bit", {"crop_size": {"height": 224, "width": 224}, "do_center_crop": True, "do_convert_rgb": True, **IMAGENET,
                                              "resample": 3, "rescale_factor": 0.00392156862745098, "size": {"shortest_edge": 256}})
    yield one("google/siglip-base-patch16-224", "Siglip", {"resample": 3, "size": {"height": 224, "width": 224}})
    yield one("google/siglip2-base-patch16-224", "Siglip", {"resample": 2, "size": {"height": 224, "width": 224}, "do_convert_rgb": None}, kind="ImageProcessorFast")
    yield one("microsoft/swin-tiny-patch4-window7-224", "ViT", {**IMAGENET, "resample": 3, "size": 224}, key="feature_extractor_type", kind="FeatureExtractor")
    yield one("facebook/deit-base-distilled-patch16-224", "DeiT", {"crop_size": 224, "do_center_crop": True, **IMAGENET, "resample": 3, "size": 256},
              key="feature_extractor_type", kind="FeatureExtractor")
    yield one("microsoft/beit-base-patch16-224", "Beit", {"crop_size": 224, "do_center_crop": False, "resample": 2, "size": 224})
    yield one("facebook/convnext-base-384", "ConvNext", {"size": {"shortest_edge": 384}, "crop_pct": 1.0, **IMAGENET, "resample": 3})
    yield one("google/efficientnet-b0", "EfficientNet", {"size": {"height": 224, "width": 224}, "resample": 0, **EFFICIENT, "rescale_offset": False, "include_top": True})
    yield one("kakaobrain/align-base", "EfficientNet", {"size": {"height": 346, "width": 346}, "crop_size": 289, "do_center_crop": True, "resample": 2,
                                                        "rescale_factor": 1 / 127.5, "rescale_offset": True, "do_normalize": False, "include_top": False})
    yield one("facebook/dinov3-vits16-pretrain-lvd1689m", "DINOv3ViT", {"size": {"height": 224, "width": 224}, "resample": 2, **IMAGENET, "default_to_square": True},
              kind="ImageProcessorFast")
    yield one("DINOv3, not square, cropped", "DINOv3ViT", {"size": {"height": 256, "width": 320}, "do_center_crop": True, "crop_size": {"height": 225, "width": 304}})
    yield one("DINOv3, short side", "DINOv3ViT", {"size": {"shortest_edge": 96}, "do_center_crop": True, "crop_size": 80})
    yield one("google/mobilenet_v1_1.0_224", "MobileNetV1", {"crop_size": {"height": 224, "width": 224}, "size": {"shortest_edge": 256}})
    yield one("google/mobilenet_v2_1.4_224", "MobileNetV2", {"crop_size": {"height": 224, "width": 224}, "size": {"shortest_edge": 256}, "do_reduce_labels": False})
    yield one("facebook/levit-128S", "Levit", {"size": {"shortest_edge": 224}, "resample": 3})
    yield one("LeViT, other sizes", "Levit", {"size": 100, "crop_size": {"height": 90, "width": 130}})
    yield one("LeViT, both sides", "Levit", {"size": {"height": 120, "width": 100}, "crop_size": 90})
    yield one("sail/poolformer_s12", "PoolFormer", {"crop_pct": 0.9, "size": 224, "crop_size": 224})
    yield one("PoolFormer, both sides", "PoolFormer", {"crop_pct": 0.95, "size": {"height": 224, "width": 192}, "crop_size": {"height": 224, "width": 192}})
    yield one("PoolFormer, square", "PoolFormer", {"crop_pct": 0.8, "size": {"height": 120, "width": 120}, "crop_size": 121})
    yield one("processor_config.json", "CLIP", {"size": {"shortest_edge": 64}, "crop_size": {"height": 56, "width": 72}}, file="processor_config.json")
    for number, filter_name in enumerate(["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]):
        yield one(f"CLIP, {filter_name}", "CLIP", {"resample": number, "size": {"shortest_edge": 101}, "crop_size": {"height": 96, "width": 120}})
    yield one("crop beyond the short side", "CLIP", {"size": 71, "crop_size": {"height": 100, "width": 131}})
    yield one("ViT, pair, cropped", "ViT", {"size": [90, 130], "do_center_crop": True, "crop_size": 81})
    yield one("ViT, a number is the short side", "ViT", {"size": 90, "default_to_square": False, "do_center_crop": True, "crop_size": 81})
    yield one("crop only", "Bit", {"do_resize": False, "crop_size": {"height": 97, "width": 144}})
    yield one("no rescale", "ViT", {"do_rescale": False, "image_mean": [120, 110.5, 100], "image_std": [50.5, 51, 52], "size": 64})
    yield one("no normalize", "CLIP", {"do_normalize": False, "size": 64, "crop_size": 64})
    yield one("neither", "CLIP", {"do_normalize": False, "do_rescale": False, "size": 64, "crop_size": 64})
    yield one("odd factor, one mean", "ViT", {"rescale_factor": 0.0123, "image_mean": 0.3, "image_std": 0.7, "size": 64})
    yield one("rescale_factor 1", "ViT", {"rescale_factor": 1.0, "size": 64})
    yield one("factor 1/256", "ViT", {"rescale_factor": 1 / 256, "size": 64})
    yield one("EfficientNet, top without normalize", "EfficientNet", {"size": 64, "resample": 3, "do_normalize": False, **EFFICIENT})
    yield one("EfficientNet, no top", "EfficientNet", {"size": 64, "resample": 1, "include_top": False, **EFFICIENT})
    yield one("ConvNext 224", "ConvNext", {"size": {"shortest_edge": 224}, "crop_pct": 0.95})
    yield one("ConvNext 383", "ConvNext", {"size": 383, "crop_pct": 1.0})
    yield one("ConvNext 400", "ConvNext", {"size": 400, "crop_pct": 0.5})
    yield one("null is false", "DeiT", {"size": 72, "do_center_crop": None, "do_normalize": None, "do_rescale": None})
    yield one("idle nulls", "ViT", {"size": 72, "crop_size": None, "crop_pct": None, "do_center_crop": None, "do_pad": None, "pad_size": None, "data_format": None})


# ---- timm

def timm_case(title, cfg, old=False, **more):
    data = timm.data.resolve_data_config(pretrained_cfg=cfg)
    transform = timm.data.create_transform(**data, is_training=False)
    resize = torch.nn.Sequential()  # the steps before ToTensor
    steps = transform.transforms[:-2]
    assert type(transform.transforms[-2]).__name__ == "MaybeToTensor", transform
    del resize

    def pixels(image):
        for step in steps:
            image = step(image)
        return np.asarray(image)

    written = json.loads(json.dumps(cfg))
    content = {"architecture": "some", **written} if old else {"architecture": "some", "num_classes": 1000, "pretrained_cfg": written, **more}
    height, width = data["input_size"][1:]
    box = (int(height // data["crop_pct"]), int(width // data["crop_pct"]))

    def vanishes(w, h):
        if data["crop_mode"] != "border":
            return False
        ratio = max(h / box[0], w / box[1])
        return round(w / ratio) == 0 or round(h / ratio) == 0

    return Case(title, {"config.json": content}, (height, width), pixels, lambda image: transform(image).numpy(), vanishes=vanishes)


def timm_cases():
    for tag in ["resnet50.a1_in1k", "resnet50.tv2_in1k", "vit_base_patch16_224.augreg_in21k_ft_in1k", "swin_tiny_patch4_window7_224.ms_in1k",
                "convnext_base.fb_in22k_ft_in1k", "vit_base_patch16_clip_224.openai", "vit_large_patch14_clip_224.openai",
                "vit_small_patch14_dinov2.lvd142m", "vit_base_patch16_siglip_224.webli", "tf_efficientnet_lite0.in1k"]:
        yield timm_case(f"timm {tag}", timm.get_pretrained_cfg(tag).to_dict())
    base = {"input_size": [3, 224, 224], "interpolation": "bicubic", "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}
    for mode in ["center", "squash", "border"]:
        for pct in [1.0, 0.9, 0.875]:
            yield timm_case(f"timm {mode} {pct}", {**base, "crop_mode": mode, "crop_pct": pct, "input_size": [3, 112, 112]})
        yield timm_case(f"timm {mode}, not square", {**base, "crop_mode": mode, "crop_pct": 0.9, "input_size": [3, 160, 99]})
        yield timm_case(f"timm {mode}, not square, whole", {**base, "crop_mode": mode, "crop_pct": 1.0, "input_size": [3, 99, 160], "interpolation": "bilinear"})
    yield timm_case("timm, nothing but a size", {"input_size": [3, 128, 128]})
    yield timm_case("timm, nulls", {"input_size": [3, 128, 128], "crop_pct": None, "mean": None, "std": None, "interpolation": "", "crop_mode": None})
    yield timm_case("timm, old form", {**base, "crop_pct": 0.95}, old=True)
    for name in ["nearest", "box", "hamming", "lanczos"]:
        yield timm_case(f"timm {name}", {**base, "interpolation": name, "input_size": [3, 96, 96]})


# ---- open_clip

def open_clip_case(title, config, image_size=None):
    cfg = open_clip.transform.PreprocessCfg(**open_clip.transform.merge_preprocess_dict(open_clip.transform.PreprocessCfg(), config))
    if image_size:
        cfg.size = image_size
    size = cfg.size if isinstance(cfg.size, (list, tuple)) else (cfg.size, cfg.size)
    transform = open_clip.transform.image_transform_v2(cfg, is_train=False)
    names = [type(t).__name__ for t in transform.transforms]

    def pixels(image):
        for step in transform.transforms[: names.index("MaybeToTensor")]:
            image = step(image)
        return np.asarray(image)

    def vanishes(w, h):
        ratio = max(h / size[0], w / size[1])
        return cfg.resize_mode == "longest" and (round(w / ratio) == 0 or round(h / ratio) == 0)

    content = {"model_cfg": {"embed_dim": 512, "vision_cfg": {"image_size": image_size} if image_size else {}}, "preprocess_cfg": config}
    return Case(title, {"open_clip_config.json": content}, tuple(size), pixels, lambda image: transform(image).numpy(), vanishes=vanishes)


def open_clip_cases():
    half = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
    yield open_clip_case("open_clip ViT-B-32", {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}, 224)
    yield open_clip_case("open_clip squash", {**half, "size": 100, "interpolation": "bilinear", "resize_mode": "squash"})
    yield open_clip_case("open_clip longest", {**half, "size": 101, "resize_mode": "longest"})
    yield open_clip_case("open_clip longest, filled", {**half, "size": [99, 131], "resize_mode": "longest", "fill_color": 127, "interpolation": "bilinear"})
    yield open_clip_case("open_clip shortest, not square", {**half, "size": [99, 131], "interpolation": "bilinear"})
    yield open_clip_case("open_clip squash, not square", {**half, "size": [131, 99], "resize_mode": "squash"})
    yield open_clip_case("open_clip, one mean", {"mean": 0.4, "std": 0.3, "interpolation": "random", "size": 64})


# ---- weights by their names, as model/presets.json has them

NAMED = [
    "ResNet50_Weights.IMAGENET1K_V1", "ResNet50_Weights.IMAGENET1K_V2", "ViT_B_16_Weights.IMAGENET1K_V1", "ViT_B_16_Weights.IMAGENET1K_SWAG_LINEAR_V1",
    "ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1", "Swin_T_Weights.IMAGENET1K_V1", "Swin_S_Weights.IMAGENET1K_V1", "Swin_B_Weights.IMAGENET1K_V1",
    "EfficientNet_B0_Weights.IMAGENET1K_V1", "EfficientNet_B1_Weights.IMAGENET1K_V2", "EfficientNet_B4_Weights.IMAGENET1K_V1",
    "ConvNeXt_Tiny_Weights.IMAGENET1K_V1", "ConvNeXt_Small_Weights.IMAGENET1K_V1", "ConvNeXt_Base_Weights.IMAGENET1K_V1",
    "MobileNet_V3_Large_Weights.IMAGENET1K_V1", "MobileNet_V3_Large_Weights.IMAGENET1K_V2", "Inception_V3_Weights.IMAGENET1K_V1",
    "RegNet_Y_16GF_Weights.IMAGENET1K_V2", "RegNet_Y_16GF_Weights.IMAGENET1K_SWAG_E2E_V1", "EfficientNet_V2_L_Weights.IMAGENET1K_V1",
    "timm/resnet50.a1_in1k", "timm/resnet50.a1_in1k@test", "timm/resnet50.tv2_in1k", "timm/resnet50.tv2_in1k@test", "timm/vit_base_patch16_224.augreg_in21k_ft_in1k",
    "timm/swin_tiny_patch4_window7_224.ms_in1k", "timm/convnext_tiny.fb_in22k_ft_in1k", "timm/convnext_tiny.fb_in22k_ft_in1k@test",
    "timm/vit_base_patch16_clip_224.openai", "timm/vit_large_patch14_clip_224.openai", "timm/vit_base_patch14_dinov2.lvd142m",
    "open_clip/ViT-B-32/openai", "open_clip/ViT-L-14-336/openai", "open_clip/ViT-B-16-SigLIP/webli", "open_clip/ViT-SO400M-14-SigLIP-384/webli",
]


def named(name):
    """The case of weights by their name, with the library's own transform."""
    kind, _, rest = name.partition("/")
    if kind == "timm":
        tag, _, test = rest.partition("@")
        cfg = timm.get_pretrained_cfg(tag).to_dict()
        data = timm.data.resolve_data_config(pretrained_cfg=cfg, use_test_size=bool(test))
        return timm_case(name, {k: data[k] for k in ("input_size", "interpolation", "mean", "std", "crop_pct", "crop_mode")})
    if kind == "open_clip":
        model, _, tag = rest.partition("/")
        return open_clip_case(name, open_clip.get_pretrained_cfg(model, tag), open_clip.get_model_config(model)["vision_cfg"].get("image_size", 224))
    preset = torchvision.models.get_weight(name).transforms()

    def pixels(image):
        image = torchvision.transforms.functional.resize(image, preset.resize_size, interpolation=preset.interpolation, antialias=preset.antialias)
        return np.asarray(torchvision.transforms.functional.center_crop(image, preset.crop_size))

    return Case(name, {}, (preset.crop_size[0],) * 2, pixels, lambda image: preset(image).numpy())


# The subset of make test-models-fast.
FAST = {"microsoft/resnet-50", "google/vit-base-patch16-224", "facebook/dinov2-base", "google/efficientnet-b0", "DINOv3, not square, cropped", "timm border 0.9",
        "timm center, not square", "open_clip longest, filled"}


def all_cases():
    return [*hugging_face_cases(), *timm_cases(), *open_clip_cases()]


def _hf(name, **config):
    return {"preprocessor_config.json": {"image_processor_type": name, **config}}


# What has no preset, or not a certain one: the words that must be told.
REFUSED = [
    ("unknown class", _hf("Siglip2ImageProcessor"), ["Siglip2ImageProcessor", "not known"]),
    ("misspelt class", _hf("ViTProcessor"), ["ViTProcessor", "not known"]),
    ("no class", {"preprocessor_config.json": {"size": 224}}, ["image_processor_type"]),
    ("no fixed size", _hf("CLIPImageProcessor", do_center_crop=False), ["do_center_crop", "one size"]),
    ("longest edge", _hf("CLIPImageProcessor", size={"longest_edge": 224}), ["longest_edge"]),
    ("two edges", _hf("CLIPImageProcessor", size={"shortest_edge": 224, "longest_edge": 400}), ["longest_edge"]),
    ("contradiction", _hf("CLIPImageProcessor", size={"shortest_edge": 224, "height": 224, "width": 224}), ["shortest_edge contradicts"]),
    ("padding", _hf("ViTImageProcessor", do_pad=True, pad_size={"height": 256, "width": 256}), ["do_pad"]),
    ("offset elsewhere", _hf("ViTImageProcessor", rescale_offset=True), ["rescale_offset"]),
    ("unsettled offset", _hf("EfficientNetImageProcessor", resample=2, rescale_offset=True), ["rescale_offset"]),
    ("unsettled resample", _hf("EfficientNetImageProcessor", size=224), ["resample is missing"]),
    ("unsettled crop", _hf("BeitImageProcessor", size=224), ["do_center_crop is missing"]),
    ("float bicubic", _hf("DINOv3ViTImageProcessorFast", resample=3), ["resample 3"]),
    ("filter", _hf("ViTImageProcessor", resample=9), ["resample 9"]),
    ("null size", _hf("CLIPImageProcessor", size=None), ["size is null"]),
    ("null crop", _hf("CLIPImageProcessor", crop_size=None), ["crop_size is null"]),
    ("no resize", _hf("ViTImageProcessor", do_resize=False), ["do_resize"]),
    ("zero factor", _hf("ViTImageProcessor", rescale_factor=0), ["rescale_factor"]),
    ("two colours", _hf("ViTImageProcessor", image_mean=[0.5, 0.5]), ["three numbers"]),
    ("zero std", _hf("ViTImageProcessor", image_std=[0.5, 0, 0.5]), ["std"]),
    ("timm mode", {"config.json": {"pretrained_cfg": {"input_size": [3, 224, 224], "crop_mode": "fit"}}}, ["crop_mode", "fit"]),
    ("timm filter", {"config.json": {"pretrained_cfg": {"input_size": [3, 224, 224], "interpolation": "random"}}}, ["interpolation", "random"]),
    ("timm channels", {"config.json": {"pretrained_cfg": {"input_size": [1, 224, 224]}}}, ["input_size"]),
    ("open_clip mode", {"open_clip_config.json": {"preprocess_cfg": {"resize_mode": "area"}}}, ["resize_mode", "area"]),
    ("open_clip sizes", {"open_clip_config.json": {"preprocess_cfg": {"size": 224}, "model_cfg": {"vision_cfg": {"image_size": 336}}}}, ["contradicts"]),
]
