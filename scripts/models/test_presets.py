"""Compares the pixels and the tensors that imgvec makes for a model's own configuration file with what the library that
wrote the file makes: transformers' PIL backend, timm, open_clip, torchvision.

Run by `make test-models`, or: IMGVEC_BINARY=path/to/imgvec pytest scripts/models/test_presets.py

Every case is a folder as the library would leave it (a configuration file beside an ONNX file). Pictures are the photos
of the test data and some of awkward shapes, drawn here. Where the library resizes 8-bit pictures, imgvec's pixels must be
the same bytes; where it resizes in floating point (DINOv3), they must be within FLOAT_LEVELS of its values. The tensor is
taken from a model that hands its input through, and must be the same bits.
"""

import json
import os
import pathlib
import subprocess

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

import presets
import presets_cases as cases

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMGVEC = os.environ.get("IMGVEC_BINARY", str(ROOT / "imgvec"))
PHOTOS = pathlib.Path(os.environ.get("IMGVEC_TESTDATA", ROOT.parent / "shared" / "testdata")) / "photos"
TENSORS = 6  # pictures of a case whose tensor is compared too
FLOAT_LEVELS = 0.5 + 1 / 128  # imgvec.DomainFloat's promise
ENV = dict(os.environ, IMGVEC_HOME=os.environ.get("IMGVEC_HOME", str(ROOT / "third_party")))


def run(*args):
    done = subprocess.run([IMGVEC, *map(str, args)], capture_output=True, text=True, env=ENV)
    assert done.returncode == 0, f"{args[0]}: {done.stderr[-2000:]}"


def fails(*args):
    done = subprocess.run([IMGVEC, *map(str, args)], capture_output=True, text=True, env=ENV)
    assert done.returncode != 0, f"{args[0]}: it was accepted"
    return done.stderr


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Paths of the pictures: photos, and shapes that photos do not have."""
    folder = tmp_path_factory.mktemp("pictures")
    photos = sorted(PHOTOS.glob("*.JPEG"))[:: int(os.environ.get("PRESETS_EVERY", "5"))]
    if not photos:
        pytest.skip(f"no photos in {PHOTOS}")
    drawn = np.random.default_rng(11)
    for w, h in cases.SHAPES:
        coarse = drawn.integers(0, 256, (min(h, 9), min(w, 9), 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((w, h), Image.BICUBIC)).astype(np.int16)
        noise = drawn.integers(-20, 21, (h, w, 3))
        Image.fromarray(np.clip(smooth + noise, 0, 255).astype(np.uint8)).save(folder / f"{w}x{h}.png")
    return photos + sorted(folder.glob("*.png"))


def identity(path, height, width):
    """Writes a model whose features are its input."""
    size = 3 * height * width
    helper, kinds = onnx.helper, onnx.TensorProto
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["input"], ["features"], axis=1)], "identity",
        [helper.make_tensor_value_info("input", kinds.FLOAT, ["n", 3, height, width])],
        [helper.make_tensor_value_info("features", kinds.FLOAT, ["n", size])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def folder_of(tmp_path, case):
    for name, content in case.files.items():
        (tmp_path / name).write_text(json.dumps(content))
    height, width = case.input
    identity(tmp_path / "model.onnx", height, width)
    return tmp_path / "model.onnx"


def row(case):
    return pytest.param(case, id=case.name, marks=[pytest.mark.fast] if case.name in cases.FAST else [])


@pytest.mark.parametrize("case", [row(c) for c in cases.all_cases()])
def test_same_pixels_and_tensor(case, pictures, tmp_path):
    chosen = [p for p in pictures if case.takes(p)]
    model = folder_of(tmp_path, case)
    run("preprocess", *chosen, "-o", tmp_path / "crops.npy", "--model", model, "--exif", "ignore")
    got = np.load(tmp_path / "crops.npy")
    assert len(got) == len(chosen)
    for path, crop in zip(chosen, got):
        reference = case.pixels(Image.open(path).convert("RGB"))
        assert reference.shape == crop.shape, (path.name, reference.shape, crop.shape)
        if case.domain == "uint8":
            off = int((reference != crop).sum())
            assert off == 0, f"{path.name}: {off} of {crop.size} bytes differ, by up to {np.abs(reference.astype(int) - crop).max()}"
        else:
            levels = np.abs(reference.astype(np.float64) - crop).max()
            assert levels <= FLOAT_LEVELS, f"{path.name}: {levels} levels"
    some = chosen[:: max(len(chosen) // TENSORS, 1)]
    run("extract", *some, "-o", tmp_path / "tensors.npy", "--model", model, "--exif", "ignore", "--device", "cpu", "--precision", "fp32",
        "--progress", "none")
    tensors = np.load(tmp_path / "tensors.npy").reshape(len(some), 3, *case.input)
    for path, tensor in zip(some, tensors):
        want = case.tensor(Image.open(path).convert("RGB"))
        if case.domain == "uint8":
            assert np.array_equal(want, tensor), f"{path.name}: up to {np.abs(want - tensor).max()}"
        else:
            room = case.level_size() * FLOAT_LEVELS * (1 + 1e-5) + 1e-6
            assert (np.abs(want - tensor).max(axis=(1, 2)) <= room).all(), path.name


@pytest.mark.fast
@pytest.mark.parametrize("name, files, words", cases.REFUSED, ids=[r[0] for r in cases.REFUSED])
def test_refused(name, files, words, pictures, tmp_path):
    for file, content in files.items():
        (tmp_path / file).write_text(json.dumps(content))
    identity(tmp_path / "model.onnx", 224, 224)
    said = fails("preprocess", pictures[0], "-o", tmp_path / "crops.npy", "--model", tmp_path / "model.onnx")
    for word in words:
        assert word in said, said


@pytest.mark.parametrize("name", cases.HF_CLASSES)
def test_class_defaults(name, pictures, tmp_path):
    """A file that names only the class: imgvec must know the class's own defaults, or refuse where they are unsettled."""
    case = cases.hugging_face(f"{name} by default", name, {})
    if case.refused_by_default:
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(case.files["preprocessor_config.json"]))
        identity(tmp_path / "model.onnx", 224, 224)
        assert "is missing" in fails("preprocess", pictures[0], "-o", tmp_path / "crops.npy", "--model", tmp_path / "model.onnx")
        return
    test_same_pixels_and_tensor(case, pictures[-12:], tmp_path)


TABLE = json.loads((ROOT / "model" / "presets.json").read_text())


def test_table_is_what_the_libraries_say():
    """presets.json, made anew. A library of another release may know other weights: what both know must agree."""
    made = {name: json.loads(preset) for preset, names in presets.table().items() for name in names}
    written = {name: entry["preset"] for entry in TABLE["presets"] for name in entry["weights"]}
    both = made.keys() & written.keys()
    assert len(both) > 0.9 * len(written)
    assert [(n, made[n], written[n]) for n in sorted(both) if made[n] != written[n]] == []


@pytest.mark.parametrize("name", cases.NAMED)
def test_named_preset(name, pictures, tmp_path):
    """A preset of presets.json against the transform of the library that it is named after."""
    (entry,) = [e for e in TABLE["presets"] if name in [w.split(" ")[0] for w in e["weights"]]]
    case = cases.named(name)
    case.files = {"imgvec.json": {"format": 1, "spec": {"preset": entry["preset"]}}}
    test_same_pixels_and_tensor(case, pictures[-24:], tmp_path)


torch.set_num_threads(1)
