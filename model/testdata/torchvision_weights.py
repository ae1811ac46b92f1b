"""Writes what an installed torchvision says of its pretrained weights, for TestTorchvisionEntriesAreTorchvisions.

python model/testdata/torchvision_weights.py > model/testdata/torchvision_weights.json
"""

import json

import torchvision
from torchvision.models import get_model_weights, list_models

rows = []
for name in list_models(torchvision.models):
    if not name.startswith(("resnet", "vit_", "convnext")):
        continue
    for w in get_model_weights(name):
        t = w.transforms()
        rows.append(
            {
                "builder": name,
                "weights": w.name,
                "url": w.url,
                "file_size_mib": w.meta["_file_size"],
                "license": w.meta.get("license", ""),
                "crop": t.crop_size[0],
                "resize": t.resize_size[0],
                "interpolation": t.interpolation.value,
                "mean": list(t.mean),
                "std": list(t.std),
            }
        )
print(json.dumps({"torchvision": torchvision.__version__, "weights": rows}, indent=1))
