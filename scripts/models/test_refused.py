"""Checkpoints that are not what they say are refused with the list, and nothing in them is executed."""
import warnings

import conftest
import harness
import pytest
import torch

SMALL = [c for c in conftest.ROWS if c.fast and c.name in {
    "resnet18-torchvision", "resnet18-huggingface", "convnext-of-its-own-size", "convnextv2-atto-timm", "convnextv2-atto-huggingface",
    "efficientnet-lite0-package", "efficientnet-lite0-timm", "vit-small-torchvision", "vit-small-huggingface", "dinov2-small-official-42"}]
TINY = next(c for c in SMALL if c.name == "convnext-of-its-own-size")

pytestmark = pytest.mark.fast


def refusal(case, state, folder, home):
    folder.mkdir(exist_ok=True)
    path = harness.write_files(case, lambda: harness.save_zip(state, folder), folder)
    with pytest.raises(harness.Refused) as refused:
        harness.import_(home, path, case)
    assert not (home / "models" / "tested" / "model.onnx").exists(), "something was installed"
    return str(refused.value)


@pytest.mark.parametrize("case", SMALL, ids=lambda c: c.name)
def test_the_list_is_told(case, folder, home):
    """One tensor less, one more, one of another shape: all in one message, by the checkpoint's own names."""
    state = dict(case.state(case.make()))
    biases = [k for k, v in state.items() if k.endswith("bias") and v.dim() == 1]
    lost, longer = biases[len(biases) // 2], biases[len(biases) // 3]
    del state[lost]
    state["nobody.knows.weight"] = torch.zeros(3)
    size = len(state[longer])
    state[longer] = torch.zeros(size + 1)
    said = refusal(case, state, folder, home)
    words = f"no {case.arch}: 1 missing ({lost}); 1 unexpected (nobody.knows.weight); 1 misshapen ({longer}: [{size + 1}], expected [{size}])"
    assert words in said, said


@pytest.mark.parametrize("case", SMALL, ids=lambda c: c.name)
def test_numbers_that_are_none(case, folder, home):
    state = {k: v.clone() for k, v in case.state(case.make()).items()}
    name = [k for k, v in state.items() if k.endswith("weight") and v.dim() > 1][0]
    state[name].view(-1)[1] = float("nan")
    assert f'tensor "{name}" holds NaN or infinity' in refusal(case, state, folder, home)


@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_code_is_not_executed(form, folder, home):
    folder.mkdir()
    paths = []
    mark = harness.write_files(TINY, lambda: paths.append(folder / "weights.pth") or harness.hostile_pickle(paths[0], form), folder)
    with pytest.raises(harness.Refused, match="posix.system, which is no part of a plain state dict, and is refused"):
        harness.import_(home, paths[0], TINY)
    assert not mark.exists(), "the checkpoint's code was executed"
    torch.load(paths[0], weights_only=False)
    assert mark.exists(), "the checkpoint is not as hostile as it should be: this test tests nothing"


def test_a_whole_module_is_refused(folder, home):
    folder.mkdir()

    def save():
        torch.save(harness.spread(TINY.make()), folder / "weights.pth")
        return folder / "weights.pth"
    with pytest.raises(harness.Refused, match=r"timm.models.convnext.ConvNeXt, .* save the weights alone with torch.save\(model.state_dict"):
        harness.import_(home, harness.write_files(TINY, save, folder), TINY)


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
def test_files_that_are_cut_off(form, folder, home):
    """At twelve places; the Go tests cut small files at every byte."""
    folder.mkdir()
    _, path = harness.checkpoint(TINY, form, folder)
    whole = path.read_bytes()
    for length in [len(whole) * part // 12 for part in range(12)] + [len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(harness.Refused):
            harness.import_(home, path, TINY)
    path.write_bytes(whole)
    harness.import_(home, path, TINY)


def test_torchscript_is_read_as_data(folder, home):
    folder.mkdir()
    module = harness.spread(TINY.make())
    x = harness.pixels(TINY.side)

    def save():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.trace(module, x).save(folder / "weights.pt")
        return folder / "weights.pt"
    installed = harness.import_(home, harness.write_files(TINY, save, folder), TINY)
    features, logits = harness.run_graph(installed, x)
    want_features, want_logits = TINY.outputs(module, x)
    harness.compare("features", features, want_features)
    harness.compare("logits", logits, want_logits)


def test_averaged_weights_are_taken(folder, home):
    """torchvision's reference script keeps both; those of evaluation are taken, and the model says so."""
    folder.mkdir()
    module, plain = harness.spread(TINY.make(), seed=0), harness.spread(TINY.make(), seed=5)
    averaged = torch.optim.swa_utils.AveragedModel(module)

    def save():
        torch.save({"model": plain.state_dict(), "model_ema": averaged.state_dict(), "epoch": 1}, folder / "weights.pth")
        return folder / "weights.pth"
    installed = harness.import_(home, harness.write_files(TINY, save, folder), TINY)
    x = harness.pixels(TINY.side)
    harness.compare("features", harness.run_graph(installed, x)[0], TINY.outputs(module, x)[0])
    assert "(its model_ema)" in (installed / "imgvec.json").read_text()
