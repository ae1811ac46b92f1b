#!/usr/bin/env python3
"""Makes torchscript.pt: a small module with modules inside, saved by PyTorch itself (torch.jit.save, made with 2.15.0).

Element i of each tensor is i / 8 - 1. Run with the environment of `make test-models`:

    .cache/models-env/bin/python model/internal/checkpoint/testdata/make_torchscript.py
"""
import pathlib
import warnings
import zipfile

import torch


class Tower(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 1)
        self.proj = torch.nn.Parameter(torch.zeros(4, 2))
        self.blocks = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.LayerNorm(2))
        self.register_buffer("scale", torch.zeros(()))

    def forward(self, x):
        return self.blocks(self.conv(x).mean((2, 3)) @ self.proj) * self.scale


warnings.simplefilter("ignore")
tower = Tower().half()
for t in tower.state_dict().values():
    t.copy_((torch.arange(t.numel()) / 8 - 1).reshape(t.shape))
path = pathlib.Path(__file__).with_name("torchscript.pt")
torch.jit.script(tower).save(str(path) + ".whole")
with zipfile.ZipFile(str(path) + ".whole") as whole, zipfile.ZipFile(path, "w") as out:  # without its debugging tables
    for item in whole.infolist():
        if not item.filename.endswith(".debug_pkl"):
            out.writestr(zipfile.ZipInfo(item.filename), whole.read(item))
pathlib.Path(str(path) + ".whole").unlink()
