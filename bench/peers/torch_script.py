"""The usual script: Pillow, torchvision's transforms, torchvision's ResNet-50, one image at a time, float32."""
import torch
import torchvision
from PIL import Image
from torchvision import transforms

import rounds

torch.manual_seed(0)
torch.set_num_threads(2)

model = torchvision.models.resnet50(weights=None)
model.fc = torch.nn.Identity()
model.eval()

preprocess = transforms.Compose([
    transforms.Resize(256),
    transforms.CenterCrop(224),
    transforms.ToTensor(),
    transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
])

paths = rounds.files()


def extract(path):
    image = Image.open(path).convert("RGB")
    with torch.no_grad():
        return model(preprocess(image).unsqueeze(0))[0].numpy()


def run():
    features = [extract(path) for path in paths]
    assert features[0].shape == (2048,)
    return len(features)


rounds.serve(run, lambda: [extract(path) for path in paths[:8]], torch=torch.__version__, torchvision=torchvision.__version__)
