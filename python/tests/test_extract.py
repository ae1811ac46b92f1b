"""imgvec.extract and extract_table against the stand-in."""
import os
import pathlib
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import ROOT
from test_worker_batches import features, image

import imgvec


@pytest.fixture
def given(fake):
    """Arguments that make extract use the stand-in; call it for other plans."""
    def arguments(plan=None, **changes):
        config = fake.config(plan, **changes)
        return {key: config[key] for key in ("binary", "env", "socket_dir", "fetch", "timeout", "stall_timeout")}
    return arguments


def sent(path):
    """What the stand-in answers to a path."""
    return features(os.fsencode(os.path.abspath(path)))


def test_bytes(given):
    images = [image(i) for i in range(2500)]
    out = imgvec.extract(images, **given())
    assert out.dtype == np.float32
    assert out.flags.writeable
    assert out.tolist() == [features(one) for one in images]


def test_kinds_of_images_may_be_mixed(given):
    mixed = ["a.jpg", b"one", pathlib.Path("b.jpg"), bytearray(b"two"), memoryview(b"three"), "file:/c.jpg", "s3://d/e"]
    want = [sent("a.jpg"), features(b"one"), sent("b.jpg"), features(b"two"), features(b"three"),
            features(b"file:/c.jpg"), features(b"s3://d/e")]
    assert imgvec.extract(mixed, **given()).tolist() == want
    table = imgvec.extract_table(iter(mixed), **given())
    assert table["features"].to_pylist() == want
    assert table["id"].to_pylist() == ["a.jpg", None, "b.jpg", None, None, "file:/c.jpg", "s3://d/e"]


@pytest.mark.parametrize("one", ["a.jpg", pathlib.Path("a.jpg")])
def test_one_path(given, one):
    assert imgvec.extract(one, **given()).tolist() == [sent("a.jpg")]


def test_one_image(given):
    assert imgvec.extract(b"one", **given()).shape == (1, 3)


def test_no_images(given, fake):
    assert imgvec.extract([], **given()).shape == (0, 3)
    table = imgvec.extract_table([], **given())
    assert table.num_rows == 0
    assert table.schema.names == ["id", "features", "error", "width", "height"]


def test_a_bad_image_is_named(given):
    with pytest.raises(imgvec.ImgvecError, match=r"image 1 \(3 bytes\) has no features: .*not an image; it alone failed"):
        imgvec.extract([b"ok", b"BAD", b"fine"], **given())
    with pytest.raises(imgvec.ImgvecError, match=r"image 2 \(5 bytes\).*2 of 2000 images failed: extract_table gives"):
        imgvec.extract([b"BAD 2" if i in (2, 1999) else image(i) for i in range(2000)], **given())


def test_a_bad_path_is_named_as_given(given, fake, monkeypatch):
    monkeypatch.chdir(fake.folder)
    with pytest.raises(imgvec.ImgvecError, match=r"image 0 \(sub/BAD\) has no features"):
        imgvec.extract("sub/BAD", **given())


def test_table_keeps_the_good_ones(given):
    table = imgvec.extract_table([b"ok", b"BAD", b"CRASH", b"fine"], **given())
    assert table["features"].to_pylist() == [features(b"ok"), None, None, features(b"fine")]
    assert table["error"].to_pylist()[1] == "decode: not an image"
    assert "SIGSEGV" in table["error"].to_pylist()[2]
    assert table["width"].to_pylist() == [4, None, None, 4]


def test_table_says_what_made_it(given):
    meta = imgvec.extract_table([b"ok"], **given()).schema.metadata
    assert (meta[b"imgvec.model"], meta[b"imgvec.dim"], meta[b"imgvec.model_sha256"]) == (b"fake", b"3", b"ab" * 32)


@pytest.mark.parametrize("wrong, said", [
    ([b"a", 7], "image 1 is a int: give a path"), (7, "not iterable"), ([None], "image 0 is a NoneType")])
def test_what_is_no_image(wrong, said):
    with pytest.raises(TypeError, match=said):
        imgvec.extract(wrong)


def test_paths_that_can_not_be_sent(tmp_path):
    with pytest.raises(ValueError, match="is a folder: give its files"):
        imgvec.extract([str(tmp_path)])
    with pytest.raises(ValueError, match="can't be sent: read the file"):
        imgvec.extract([os.fsdecode(b"caf\xe9.jpg")])
    with pytest.raises(ValueError, match="can't be sent"):
        imgvec.extract("")


def test_options_become_flags(given, fake):
    imgvec.extract([b"a"], "resnet50", device="cpu", precision="fp32", normalize=True,
                   options={"max_pixels": 99, "deterministic": True}, cores=2, **given())
    flags = fake.marks("starts")[0].split()
    wanted = ["--model=resnet50", "--device=cpu", "--precision=fp32", "--normalize=true", "--max-pixels=99",
              "--deterministic=true", "--cores=2"]
    assert set(wanted) <= set(flags)


def test_arguments_that_are_wrong(given):
    with pytest.raises(TypeError, match="unknown arguments modle"):
        imgvec.extract([b"a"], modle="x")
    with pytest.raises(TypeError, match="options has device, which is an argument of its own"):
        imgvec.extract([b"a"], options={"device": "cpu"})
    with pytest.raises(imgvec.ImgvecError, match="/nowhere/imgvec"):
        imgvec.extract([b"a"], binary="/nowhere/imgvec")


def test_paths_are_those_of_the_call(given, tmp_path, monkeypatch):
    """A change of folder after the server has started means nothing to it."""
    first = imgvec.extract("a.jpg", **given()).tolist()
    monkeypatch.chdir(tmp_path)
    assert first != imgvec.extract("a.jpg", **given()).tolist() == [sent("a.jpg")]


def test_threads_share_the_server(given, fake):
    out = {}

    def work(k):
        out[k] = imgvec.extract([image(k)] * 50, **given())

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [out[k].tolist() for k in range(4)] == [[features(image(k))] * 50 for k in range(4)]
    assert fake.count("serve") == 1


SCRIPT = """
import json, sys
sys.path.insert(0, {python!r})
import imgvec
arguments = json.loads(sys.argv[1])
try:
    print("begun", flush=True)
    print(imgvec.extract([b"SLOW"] * int(sys.argv[2]), **arguments).shape, flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    print(imgvec.extract([b"again"], **arguments).shape, flush=True)
"""


def script(arguments, images):
    import json

    text = SCRIPT.format(python=os.path.join(ROOT, "python"))
    return subprocess.Popen([sys.executable, "-c", text, json.dumps(arguments), str(images)], stdout=subprocess.PIPE,
                            text=True, start_new_session=True)


def test_interrupt(given, fake, until):
    """Ctrl-C ends the call, and the next one works."""
    child = script(given(), 100_000)
    until(lambda: len(fake.marks("batches")) > 3, "the work")
    child.send_signal(signal.SIGINT)
    assert child.communicate()[0] == "begun\ninterrupted\n(1, 3)\n"
    assert child.returncode == 0
    assert fake.count("serve") == 1


def test_interrupt_at_a_terminal(given, fake, until):
    """There Ctrl-C ends the server as well: the next call starts another."""
    child = script(given(), 100_000)
    until(lambda: len(fake.marks("batches")) > 3, "the work")
    os.killpg(child.pid, signal.SIGINT)
    assert child.communicate()[0] == "begun\ninterrupted\n(1, 3)\n"
    assert child.returncode == 0


def test_interrupt_while_the_server_starts(given, fake, until):
    child = script(given({"start": ["hang"]}), 1)
    until(lambda: fake.count("serve"), "the start")
    child.send_signal(signal.SIGINT)
    assert child.communicate()[0] == "begun\ninterrupted\n(1, 3)\n"
    assert fake.count("serve") == 2


def test_the_server_ends_with_the_process(given, fake, until):
    child = script(given(), 3)
    assert child.communicate()[0] == "begun\n(3, 3)\n"
    until(lambda: not os.path.exists(f"/proc/{fake.pids()[0]}"), "the end of the server")


def test_import_is_light():
    code = ("import sys; sys.path.insert(0, sys.argv[1]); import imgvec; print('pyarrow' in sys.modules, "
            "'imgvec._worker' in sys.modules, imgvec.__version__ != '', set(imgvec.__all__) <= set(dir(imgvec)))")
    out = subprocess.run([sys.executable, "-c", code, os.path.join(ROOT, "python")], stdout=subprocess.PIPE, check=True,
                         text=True)
    assert out.stdout == "False False True True\n"


def test_unknown_names():
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        imgvec.nope  # noqa: B018
