"""Vision Transformers: ViT, DINOv2 and the image towers of CLIP and SigLIP.

Features are the class token after the last norm (ViT, DINOv2), the projected embedding (CLIP), the attention pool
(SigLIP). Small modules have sizes that no published model has, so a config.json beside them tells the heads.
"""
import functools
import tempfile

import open_clip.model
import safetensors.torch
import timm
import torch
import transformers as hf
from harness import Case
from timm.layers import SwiGLUPacked
from timm.models.vision_transformer import VisionTransformer as Timm
from timm.models.vision_transformer import checkpoint_filter_fn
from torchvision.models import vision_transformer as torchvision_vit

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 96, "image_size": 32, "patch_size": 8}
DINO = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 70, "patch_size": 14}
TEXT = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 99,
        "bos_token_id": 1, "eos_token_id": 2}
TIMM = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2, "num_classes": 7}


def two_heads(**more):
    """timm's config.json of a model with two heads."""
    return {"config.json": {"architecture": "vit", "model_args": {"num_heads": 2} | more}}


def configuration(module):
    return {"config.json": module.config.to_dict()}


# ---- references


def torchvision_outputs(m, x):
    tokens = m._process_input(x)
    tokens = torch.cat([m.class_token.expand(len(x), -1, -1), tokens], dim=1)
    return m.encoder(tokens)[:, 0], m(x)


def timm_outputs(m, x):
    return m.forward_head(m.forward_features(x), pre_logits=True), m(x) if m.num_classes else None


def timm_embedding(m, x):
    return m(x), None


def huggingface_outputs(m, x):
    base = getattr(m, "vit", getattr(m, "dinov2", getattr(m, "dinov2_with_registers", m)))
    return base(x).last_hidden_state[:, 0], m(x).logits if hasattr(m, "classifier") else None


def clip_outputs(m, x):
    if hasattr(m, "visual_projection"):
        return m.visual_projection(m.vision_model(x).pooler_output), None
    return m(x).pooler_output, None


def siglip_outputs(m, x):
    return getattr(m, "vision_model", m)(x).pooler_output, None


# ---- what the libraries save


def saved(module):
    """Hugging Face's files have other names than its modules."""
    with tempfile.TemporaryDirectory() as folder:
        module.save_pretrained(folder)
        return safetensors.torch.load_file(folder + "/model.safetensors")


def older_torchvision(module):
    """The names of torchvision's first weights, which it still reads."""
    renamed = {".mlp.0.": ".mlp.linear_1.", ".mlp.3.": ".mlp.linear_2."}
    return {functools.reduce(lambda n, r: n.replace(*r), renamed.items(), name): t for name, t in module.state_dict().items()}


def official(module):
    """DINOv2's own names."""
    names = {"reg_token": "register_tokens"}
    if any("mlp.fc1" in n and t.shape[0] == 2 * module.blocks[0].mlp.fc2.weight.shape[1] for n, t in module.state_dict().items()):
        names |= {"mlp.fc1": "mlp.w12", "mlp.fc2": "mlp.w3"}
    state = {functools.reduce(lambda n, r: n.replace(*r), names.items(), name): t for name, t in module.state_dict().items()}
    return state | {"mask_token": torch.zeros(1, module.embed_dim)}


class Resized(torch.nn.Module):
    """A DINOv2 of timm's that was trained on larger pictures than it sees: positions are taken to the smaller grid as
    DINOv2's own code does (offset 0.1, or antialiased), or timm's."""

    def __init__(self, trained, side, offset=None, **more):
        super().__init__()
        self.trained, self.side, self.offset, self.more = Timm(img_size=trained, **more), side, offset, more
        self.num_classes = 0

    def forward(self, x):
        m = Timm(img_size=self.side, **self.more).eval()
        state = self.trained.state_dict()
        if self.offset is None:
            state = checkpoint_filter_fn(state, m)
        else:
            grid = state["pos_embed"][:, 1:].unflatten(1, [round((state["pos_embed"].shape[1] - 1) ** 0.5)] * 2).permute(0, 3, 1, 2)
            factor = (self.side // m.patch_embed.patch_size[0] + self.offset) / grid.shape[-1]
            grid = torch.nn.functional.interpolate(grid, scale_factor=(factor, factor), mode="bicubic")
            state["pos_embed"] = torch.cat([state["pos_embed"][:, :1], grid.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)
        m.load_state_dict(state)
        return m(x)


# ---- rows


def torchvision_cases():
    def small():
        return torchvision_vit.VisionTransformer(image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=96, num_classes=7)

    every = ("zip", "legacy", "safetensors", "sharded", "training", "zip-bf16", "safetensors-fp16")
    yield Case("vit-small-torchvision", "vit", small, torchvision_outputs, side=32, beside=two_heads(), forms=every, fast=True)
    yield Case("vit-small-torchvision-older", "vit", small, torchvision_outputs, side=32, beside=two_heads(), state=older_torchvision, forms=("zip",), fast=True)
    for arch in ("vit-b16", "vit-b32", "vit-l16"):
        make = getattr(torchvision_vit, arch.replace("vit-", "vit_")[:5] + "_" + arch[5:])
        yield Case(f"{arch}-torchvision", arch, make, torchvision_outputs, forms=("zip",), fast=arch == "vit-b32")


def timm_cases():
    def row(name, outputs=timm_outputs, arch="vit", activation=None, side=32, state=lambda m: m.state_dict(), **more):
        args = TIMM | more
        beside = two_heads(**({"act_layer": activation} if activation else {}))
        make = functools.partial(Timm, **args)
        return Case(f"{arch}-small-timm{name}", arch, make, outputs, side=side, beside=beside, state=state, forms=("safetensors",), fast=True)

    norm = functools.partial(torch.nn.LayerNorm, eps=1e-5)
    yield row("")
    yield row("-headless", num_classes=0)
    yield row("-no-qkv-bias", qkv_bias=False)
    yield row("-layer-scale-no-class-position", init_values=0.1, no_embed_class=True)
    yield row("-mean", global_pool="avg")
    yield row("-mean-registers", global_pool="avg", class_token=False, reg_tokens=4, init_values=0.1)
    yield row("-registers", reg_tokens=4)
    yield row("-norm-first", pre_norm=True, norm_layer=norm)
    yield row("-gap", num_classes=0, class_token=False, global_pool="avg", fc_norm=False)
    for activation in ("gelu", "quick_gelu"):
        yield row(f"-{activation}", timm_embedding, "clip", activation, num_classes=512, pre_norm=True, norm_layer=norm, act_layer=activation)
    for activation in ("gelu", "gelu_tanh"):
        yield row(f"-{activation}", timm_outputs, "siglip", activation, num_classes=0, class_token=False, global_pool="map", act_layer=activation)
    yield Case("siglip-small-open-clip", "siglip", lambda: Timm(**TIMM | {"num_classes": 0}, class_token=False, global_pool="map"), timm_outputs, side=32,
               beside=two_heads(), forms=("safetensors",), fast=True,
               state=lambda m: {"visual.trunk." + k: v for k, v in m.state_dict().items()} | {"text.w": torch.zeros(2, 2), "logit_bias": torch.zeros(1)})
    for arch, name in (("vit-s16", "vit_small_patch16_224"), ("vit-b16", "vit_base_patch16_224"), ("vit-l16", "vit_large_patch16_224")):
        yield Case(f"{arch}-timm", arch, functools.partial(timm.create_model, name), timm_outputs, forms=("safetensors",), fast=arch == "vit-s16")
    yield Case("siglip-b16-timm", "siglip-b16", lambda: timm.create_model("vit_base_patch16_siglip_224"), timm_outputs, forms=("safetensors",))
    yield Case("siglip-b32-timm", "siglip-b32", lambda: timm.create_model("vit_base_patch32_siglip_256"), timm_outputs, side=256, forms=("safetensors",))


def dino_cases():
    small = TIMM | {"patch_size": 14, "num_classes": 0, "init_values": 0.1}
    del small["img_size"]
    swiglu = {"mlp_layer": SwiGLUPacked, "mlp_ratio": 5.33334, "act_layer": torch.nn.SiLU}
    registers = {"reg_tokens": 4, "no_embed_class": True}

    def row(name, side, state=lambda m: m.trained.state_dict(), offset=None, **more):
        return Case(f"dinov2-small-{name}", "dinov2", lambda: Resized(70, side, offset, **small | more), timm_embedding, side=side,
                    beside=two_heads(), state=state, forms=("zip",), fast=True)

    for side in (42, 98):
        yield row(f"timm-{side}", side)
        yield row(f"timm-registers-{side}", side, **registers)
        yield row(f"official-{side}", side, lambda m: official(m.trained), offset=0.1)
    yield row("official", 70, lambda m: official(m.trained))
    yield row("timm-swiglu", 70, **swiglu)
    yield row("official-swiglu", 70, lambda m: official(m.trained), **swiglu)

    def huggingface(name, make, side=70, state=saved, arch="dinov2", **more):
        return Case(f"{arch}-{name}", arch, make, huggingface_outputs, side=side, beside=configuration(make()), state=state, forms=("safetensors",), **more)

    for side in (70, 42, 98):
        yield huggingface(f"small-huggingface-{side}", lambda: hf.Dinov2Model(hf.Dinov2Config(**DINO)), side, fast=True)
        yield huggingface(f"small-huggingface-registers-{side}", lambda: hf.Dinov2WithRegistersModel(hf.Dinov2WithRegistersConfig(**DINO)), side, fast=True)
    yield huggingface("small-huggingface-swiglu", lambda: hf.Dinov2Model(hf.Dinov2Config(**DINO, use_swiglu_ffn=True)), fast=True)
    yield huggingface("small-huggingface-module", lambda: hf.Dinov2Model(hf.Dinov2Config(**DINO)), state=lambda m: m.state_dict(), fast=True)
    yield huggingface("small-huggingface-classifier", lambda: hf.Dinov2ForImageClassification(hf.Dinov2Config(**DINO, num_labels=7)), fast=True)
    for arch, width, depth in (("dinov2-s14", 384, 12), ("dinov2-b14", 768, 12), ("dinov2-l14", 1024, 24)):
        c = {"hidden_size": width, "num_hidden_layers": depth, "num_attention_heads": width // 64, "image_size": 518, "patch_size": 14}
        yield huggingface("huggingface", lambda c=c: hf.Dinov2Model(hf.Dinov2Config(**c)), 224, arch=arch)
        yield huggingface("huggingface", lambda c=c: hf.Dinov2WithRegistersModel(hf.Dinov2WithRegistersConfig(**c)), 224, arch=arch + "-reg")


def huggingface_cases():
    def row(name, make, outputs, arch="vit", side=32, state=saved, fast=True, **more):
        return Case(f"{arch}-{name}", arch, make, outputs, side=side, beside=configuration(make()), state=state, forms=("safetensors",), fast=fast, **more)

    yield row("small-huggingface", lambda: hf.ViTModel(hf.ViTConfig(**SMALL)), huggingface_outputs)
    yield row("small-huggingface-module", lambda: hf.ViTModel(hf.ViTConfig(**SMALL)), huggingface_outputs, state=lambda m: m.state_dict())
    yield row("small-huggingface-no-pooler", lambda: hf.ViTModel(hf.ViTConfig(**SMALL), add_pooling_layer=False), huggingface_outputs)
    yield row("small-huggingface-classifier", lambda: hf.ViTForImageClassification(hf.ViTConfig(**SMALL, num_labels=7)), huggingface_outputs)
    yield row("huggingface", lambda: hf.ViTForImageClassification(hf.ViTConfig(num_labels=1000)), huggingface_outputs, "vit-b16", 224, fast=False)
    for activation in ("quick_gelu", "gelu"):
        yield row(f"small-huggingface-{activation}", lambda a=activation: hf.CLIPVisionModelWithProjection(hf.CLIPVisionConfig(**SMALL, projection_dim=16, hidden_act=a)),
                  clip_outputs, "clip")
    yield row("small-huggingface-no-projection", lambda: hf.CLIPVisionModel(hf.CLIPVisionConfig(**SMALL)), clip_outputs, "clip")
    yield row("small-huggingface-both-towers", lambda: hf.CLIPModel(hf.CLIPConfig(vision_config=SMALL, text_config=TEXT, projection_dim=16)), clip_outputs, "clip",
              state=lambda m: m.state_dict() | {"vision_model.embeddings.position_ids": torch.arange(17)[None], "text_model.embeddings.position_ids": torch.arange(77)[None]})
    for arch, width, depth, patch, dim in (("clip-vit-b32", 768, 12, 32, 512), ("clip-vit-b16", 768, 12, 16, 512), ("clip-vit-l14", 1024, 24, 14, 768)):
        c = {"hidden_size": width, "num_hidden_layers": depth, "num_attention_heads": width // 64, "intermediate_size": 4 * width, "patch_size": patch, "projection_dim": dim}
        yield row("huggingface", lambda c=c: hf.CLIPVisionModelWithProjection(hf.CLIPVisionConfig(**c)), clip_outputs, arch, 224, fast=arch == "clip-vit-b32")
    yield row("small-huggingface", lambda: hf.SiglipVisionModel(hf.SiglipVisionConfig(**SMALL)), siglip_outputs, "siglip")
    yield row("small-huggingface-both-towers", lambda: hf.SiglipModel(hf.SiglipConfig(vision_config=SMALL, text_config=TEXT | {"pad_token_id": 0})), siglip_outputs, "siglip",
              state=lambda m: m.state_dict())
    yield row("huggingface", lambda: hf.SiglipVisionModel(hf.SiglipVisionConfig()), siglip_outputs, "siglip-b16", 224, fast=False)
    so400m = {"hidden_size": 1152, "num_hidden_layers": 27, "num_attention_heads": 16, "intermediate_size": 4304, "image_size": 384, "patch_size": 14}
    yield row("huggingface", lambda: hf.SiglipVisionModel(hf.SiglipVisionConfig(**so400m)), siglip_outputs, "siglip-so400m14", 384, fast=False)


def open_clip_cases():
    def encode(m, x):
        return m.encode_image(x), None

    for quick in (False, True):
        vision = {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8}
        text = {"context_length": 9, "vocab_size": 99, "width": 32, "heads": 2, "layers": 1}
        beside = {"open_clip_config.json": {"model_cfg": {"embed_dim": 16, "quick_gelu": quick, "vision_cfg": vision}, "preprocess_cfg": {}}}
        make = functools.partial(open_clip.model.CLIP, 16, vision, text, quick_gelu=quick)
        yield Case(f"clip-small-open-clip{'-quickgelu' if quick else ''}", "clip", make, encode, side=32, beside=beside, forms=("safetensors", "zip"), fast=True)
    vision = {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32}
    text = {"context_length": 9, "vocab_size": 99, "width": 64, "heads": 2, "layers": 1}
    yield Case("clip-vit-b32-gelu-open-clip", "clip-vit-b32-gelu", functools.partial(open_clip.model.CLIP, 512, vision, text), encode, forms=("safetensors",), detected="")
    yield Case("clip-vit-b32-openai", "clip-vit-b32", functools.partial(open_clip.model.CLIP, 512, vision, text, quick_gelu=True), encode, forms=("zip",), detected="",
               state=lambda m: m.state_dict() | {k: torch.tensor(224) for k in ("input_resolution", "context_length", "vocab_size")})


CASES = [*torchvision_cases(), *timm_cases(), *dino_cases(), *huggingface_cases(), *open_clip_cases()]
