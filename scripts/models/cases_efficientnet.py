"""EfficientNet-Lite0 to 4 of efficientnet_lite_pytorch, whose weights the project ships, and of timm."""
import timm
from efficientnet_lite_pytorch import EfficientNet
from harness import Case

SIDES = {"lite0": 224, "lite1": 240, "lite2": 260, "lite3": 280, "lite4": 300}


def package_outputs(m, x):
    return m.extract_features(x).mean((2, 3)), m(x)


def timm_outputs(m, x):
    return m.forward_head(m.forward_features(x), pre_logits=True), m(x) if m.num_classes else None


def cases():
    for member, side in SIDES.items():
        first = member == "lite0"
        arch = f"efficientnet-{member}"
        yield Case(f"{arch}-package", arch, lambda a=arch: EfficientNet.from_name(a), package_outputs, side=side, fast=first,
                   forms=("legacy", "zip", "safetensors") if first else ("legacy",))
        yield Case(f"{arch}-timm", arch, lambda m=member: timm.create_model(f"tf_efficientnet_{m}"), timm_outputs, side=side, fast=first,
                   forms=("safetensors",))
    yield Case("efficientnet-lite3-timm-300", "efficientnet-lite3", lambda: timm.create_model("tf_efficientnet_lite3"), timm_outputs, side=300,
               forms=("zip",))
    yield Case("efficientnet-lite0-timm-headless", "efficientnet-lite0", lambda: timm.create_model("tf_efficientnet_lite0", num_classes=0),
               timm_outputs, forms=("zip",))


CASES = list(cases())
