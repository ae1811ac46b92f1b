"""Every family, naming and form of file: imported by the command, equal to the reference module."""
import json

import harness
import numpy
import PIL.Image
import pytest


def test_import_is_the_reference(reference, form, folder, home):
    """Without --arch: the tensors tell it. The other tests name it."""
    case = reference
    folder.mkdir()
    module, path = harness.checkpoint(case, form, folder)
    installed = harness.import_(home, path, case, arch=case.detected is not None)
    x = harness.pixels(case.side)
    features, logits = case.outputs(module, x)
    got_features, got_logits = harness.run_graph(installed, x)
    figures = [harness.compare("features", got_features, features)]
    if logits is None:
        assert got_logits is None, "the checkpoint has no classifier, the model has one"
    else:
        assert got_logits is not None, "the checkpoint's classifier is lost"
        figures.append(harness.compare("logits", got_logits, logits))
    manifest = json.loads((installed / "imgvec.json").read_text())
    assert manifest["arch"] == case.arch and manifest["spec"]["dim"] == features.shape[1]
    assert manifest.get("logits", "") == ("" if logits is None else "logits")
    print(f"cosine {min(f[0] for f in figures):.8f}, largest error {max(f[1] for f in figures):.1e}")


def first_of_families(rows):
    """The first fast row of every architecture family."""
    seen = {}
    for case in rows:
        family = "resnet" if case.arch.startswith("resnet") else case.arch.split("-")[0]
        if case.fast:
            seen.setdefault(family, case)
    return seen


def pytest_families():
    import conftest

    return [pytest.param(c, id=family, marks=pytest.mark.fast) for family, c in first_of_families(conftest.ROWS).items()]


@pytest.mark.parametrize("row", pytest_families())
def test_extract_is_the_reference(row, folder, whole_home):
    """From pictures in files to features, with the command alone. The pictures have the model's size: what resizing does
    is tested elsewhere."""
    folder.mkdir()
    module, path = harness.checkpoint(row, row.forms[0], folder)
    harness.import_(whole_home, path, row)
    x = harness.pixels(row.side, seed=3)
    grey = ((x.clamp(-3, 3) + 3) / 6 * 255).round().byte()
    pictures = folder / "pictures"
    pictures.mkdir()
    for i, picture in enumerate(grey):
        PIL.Image.fromarray(picture.permute(1, 2, 0).numpy()).save(pictures / f"{i}.png")
    out = folder / "features.npy"
    status, _, err = harness.command(whole_home, "extract", pictures, "-o", out, "--model", "tested", "--precision", "fp32")
    assert status == 0, err
    features, _ = row.outputs(module, (grey.float() / 255 - 0.5) / 0.5)
    harness.compare("features", numpy.load(out), features)


def test_architecture_is_not_guessed(reference, folder, home):
    """Where the tensors of two architectures are the same, --arch is asked for, or the other is taken: the row says it."""
    folder.mkdir()
    module = reference.make()
    path = harness.write_files(reference, lambda: harness.save_zip(reference.state(module), folder), folder)
    if not reference.detected:
        with pytest.raises(harness.Refused):
            harness.import_(home, path, reference, arch=False)
        return
    installed = harness.import_(home, path, reference, arch=False)
    assert json.loads((installed / "imgvec.json").read_text())["arch"] == reference.detected
