"""The worker and imgvec.extract with the real command: its features, its deaths, and that nothing is left."""
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from test_worker_batches import run, table

import imgvec
from imgvec import _worker

# A picture in the plainest format: 8 x 8, each of another colour.
CRASH, HANG, EXIT = b"IMGVEC-FAULT-CRASH", b"IMGVEC-FAULT-HANG", b"IMGVEC-FAULT-EXIT:3"


def photo(i, marker=b""):
    """A small BMP; what follows its pixels is ignored by decoders."""
    pixels = bytes((i * 7 + k * 13) % 256 for k in range(8 * 8 * 3))
    size = 54 + len(pixels)
    head = b"BM" + size.to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    info = ((40).to_bytes(4, "little") + (8).to_bytes(4, "little") * 2 + (1).to_bytes(2, "little")
            + (24).to_bytes(2, "little") + bytes(24))
    return head + info + pixels + marker


@pytest.fixture(scope="module")
def wanted(tmp_path_factory):
    """The command's own features of photo(0) to photo(99)."""
    folder = tmp_path_factory.mktemp("photos")
    for i in range(100):
        (folder / f"{i:02}.bmp").write_bytes(photo(i))
    return folder


def command(config, folder, tmp_path):
    out = str(tmp_path / "f.npy")
    env = {**os.environ, "IMGVEC_HOME": config["home"]}
    subprocess.run([config["binary"], "extract", str(folder), "-o", out, "--device=cpu", "--progress=none"], env=env, check=True)
    return np.load(out)


def vectors(column):
    return np.array([one for one in column.to_pylist() if one], np.float32)


def close(a, b):
    return np.allclose(a, b, rtol=1e-4, atol=1e-4)


def test_features_are_the_commands(real, wanted, tmp_path):
    config = real(keep=["path"])
    want = command(config, wanted, tmp_path)
    out = run(config, table([photo(i) for i in range(100)] + [b"junk", None], 60))
    assert out["path"].to_pylist() == [f"p{i}" for i in range(102)]
    assert close(vectors(out["features"]), want)
    assert out["features_error"].null_count == 100


def test_extract_of_paths_and_bytes(real, wanted, tmp_path):
    config = real()
    arguments = {key: config[key] for key in ("binary", "home", "socket_dir", "fetch")}
    want = command(config, wanted, tmp_path)
    paths = sorted(wanted.iterdir())
    assert close(imgvec.extract(paths, device="cpu", **arguments), want)
    mixed = [path.read_bytes() if i % 2 else path for i, path in enumerate(paths)]
    assert close(imgvec.extract(mixed, device="cpu", **arguments), want)
    assert imgvec.extract([], device="cpu", **arguments).shape == (0, want.shape[1])
    table = imgvec.extract_table([paths[0], "/nowhere.jpg"], device="cpu", **arguments)
    assert table.schema.metadata[b"imgvec.model"] == b"efficientnet-lite0"
    assert "no such file" in table["error"][1].as_py()
    assert len(_worker.children()) == 1


def test_images_that_crash_and_hang_cost_their_own_rows(real, wanted, tmp_path):
    want = command(real(), wanted, tmp_path)
    special = {13: CRASH, 14: b"junk", 70: HANG, 99: EXIT}
    images = [b"junk" if special.get(i) == b"junk" else photo(i, special.get(i, b"")) for i in range(100)]
    config = real(faults=True, keep=["path"], rows=16, stall_timeout=3)
    out = run(config, table(images, 50))
    errors = {i: error for i, error in enumerate(out["features_error"].to_pylist()) if error}
    assert sorted(errors) == sorted(special)
    assert "it ended with status 2: unexpected fault address" in errors[13] or "SIGSEGV" in errors[13]
    assert "status 70" in errors[70]
    assert "status 3" in errors[99]
    good = [i for i in range(100) if i not in special]
    assert close(vectors(out["features"]), want[good])
    assert [name for name in os.listdir(config["socket_dir"]) if name.endswith(".log")] == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, signal.SIGINT])
def test_signals_to_the_server_in_mid_job(real, wanted, tmp_path, how):
    want = command(real(), wanted, tmp_path)

    def batches():
        for k, batch in enumerate(table([photo(i % 100) for i in range(150)], 15)):
            if k == 5:
                _worker.children()[-1].send_signal(how)
            yield batch

    config = real(keep=["path"], rows=8, window_batches=4, timeout=3)
    out = run(config, batches())
    assert out["path"].to_pylist() == [f"p{i}" for i in range(150)]
    assert close(vectors(out["features"]), np.concatenate([want, want[:50]]))


def test_wrong_options_are_said(real):
    with pytest.raises(_worker.ImgvecError, match="(?s)status 2 before it was ready.*nonsense"):
        run(real(options={"precision": "nonsense"}), table([photo(1)], 1))
    with pytest.raises(_worker.ImgvecError, match="(?s)status 1 before it was ready.*no-such-model"):
        run(real(options={"model": "no-such-model"}), table([photo(1)], 1))


def test_another_model_than_the_one_asked_for_is_refused(real):
    with pytest.raises(_worker.ImgvecError, match=r"refused \(model\)"):
        run(real(model_sha256="00" * 32), table([photo(1)], 1))


def test_servers_and_sockets_go_with_their_owner(real, until):
    """A process that ends without a word takes its server along."""
    config = real()
    pid = os.fork()
    if pid == 0:
        try:
            run(config, table([photo(1)], 1))
            os.write(1, b"%d" % _worker.children()[0].pid)
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    until(lambda: [name for name in os.listdir(config["socket_dir"]) if not name.endswith(".lock")] == [],
          "the end of the server")


def test_too_little_memory_is_explained(real):
    """The limit that Spark sets, seen before anything is spawned."""
    code = ("import json, resource, sys; sys.path[:0] = sys.argv[1:3]; import test_worker_batches as t\n"
            "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
            "t.run(json.loads(sys.argv[3]), t.table([b'a'], 1))")
    here = os.path.dirname(os.path.abspath(__file__))
    out = subprocess.run([sys.executable, "-c", code, here, os.path.dirname(here), json.dumps(real())], stderr=subprocess.PIPE,
                         check=False, text=True)
    assert out.returncode == 1
    assert "unset spark.executor.pyspark.memory" in out.stderr


def test_nulls_and_types_from_end_to_end(real):
    batches = [pa.RecordBatch.from_arrays([pa.array([photo(1), None, b""], pa.large_binary())], ["content"])]
    out = pa.Table.from_batches(_worker.map_batches(real(), iter(batches)))
    assert out["features"].is_valid().to_pylist() == [True, False, False]
