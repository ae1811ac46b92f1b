"""Where servers are found, who owns them, who spawns them: locks, identity, GPUs, the command, memory."""
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import types

import pytest
from conftest import ROOT
from test_worker_batches import image, run, table

from imgvec import _worker

SCRIPT = """
import json, sys
sys.path.insert(0, {python!r})
import pyarrow as pa
from imgvec import _worker
_worker.owner = lambda spark: {owner!r}  # as in Spark, where all workers have the same
batches = [pa.RecordBatch.from_pylist([{{"content": b"SLOW"}}] * 3)]
print(sum(batch.num_rows for batch in _worker.map_batches(json.loads(sys.argv[1]), iter(batches))))
"""


def worker(config):
    """Another process that uses the server of this one."""
    script = SCRIPT.format(python=os.path.join(ROOT, "python"), owner=_worker.owner(False))
    return subprocess.Popen([sys.executable, "-c", script, json.dumps(config)], stdout=subprocess.PIPE, text=True)


def place(config, gpus=(), spark=False):
    task = types.SimpleNamespace(gpus=list(gpus), spark=spark, about={}, file=lambda name: None)
    return _worker.Place(_worker.settings(config), task)


def test_processes_that_race_spawn_one_server(fake):
    workers = [worker(fake.config({"delay": 0.5})) for _ in range(4)]
    assert [w.communicate()[0] for w in workers] == ["3\n"] * 4
    assert fake.count("serve") == 1


def test_threads_that_race_spawn_one_server(fake):
    rows = []
    config = fake.config({"delay": 0.3})
    threads = [threading.Thread(target=lambda: rows.append(run(config, table([b"a", b"b"], 1)).num_rows))
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows == [2] * 4
    assert fake.count("serve") == 1


def test_a_spawner_that_is_killed_leaves_its_server_to_the_others(fake, until):
    first = worker(fake.config({"delay": 2}))
    until(lambda: fake.count("serve"), "the spawn")
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert run(fake.config({"delay": 2}), table([b"a"], 1)).num_rows == 1
    assert fake.count("serve") == 1


def test_a_server_ends_with_its_owner(fake, until):
    script = SCRIPT.replace("_worker.owner =", "unused =").format(python=os.path.join(ROOT, "python"), owner="")
    subprocess.run([sys.executable, "-c", script, json.dumps(fake.config())], check=True)
    until(lambda: not _worker.process(fake.pids()[0])[0], "the end of the server")


def test_calls_share_the_server(fake):
    for _ in range(3):
        run(fake.config(), table([b"a"], 1))
    assert fake.count("serve") == 1


def test_a_fork_has_a_server_of_its_own(fake):
    """The owner is the process; its children are not the parent's to wait for."""
    run(fake.config(), table([b"a"], 1))
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(forked, (fake.config(),)) == (0, 1)
    assert fake.count("serve") == 2


def forked(config):
    before = len(_worker.children())
    return before, run(config, table([b"a"], 1)).num_rows


def test_dead_children_are_reaped(fake, until):
    run(fake.config(), table([b"a"], 1))
    pid = fake.pids()[0]
    os.kill(pid, signal.SIGKILL)
    until(lambda: not _worker.process(pid)[0], "the zombie")
    run(fake.config(), table([b"a"], 1))
    assert _worker.process(pid) == (False, None)


@pytest.mark.parametrize("change", [{"options": {"model": "other"}}, {"cores": 3}, {"home": "/nowhere"}, {"env": {"A": "b"}},
                                    {"model_sha256": "ab"}])
def test_what_makes_another_server(fake, change):
    assert place(fake.config()).socket != place(fake.config(**change)).socket


@pytest.mark.parametrize("change", [{"rows": 7}, {"window_batches": 3}, {"timeout": 9}, {"keep": ["a"]}, {"respawns": 1},
                                    {"input": "path"}, {"on_error": "drop"}])
def test_what_shares_a_server(fake, change):
    assert place(fake.config()).socket == place(fake.config(**change)).socket


def test_identity_knows_executors_gpus_and_the_command(fake, monkeypatch):
    seen = {place(fake.config()).socket, place(fake.config(), gpus=["0"]).socket, place(fake.config(), gpus=["1"]).socket}
    monkeypatch.setenv("SPARK_LOCAL_DIRS", "/executor/1")
    seen.add(place(fake.config()).socket)
    os.utime(fake.binary, (1, 1))
    seen.add(place(fake.config()).socket)
    assert len(seen) == 5


def test_gpus_of_the_task(fake, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    one = place(fake.config(), gpus=["3", "1"])
    assert one.options["device"] == "cuda"
    assert one.env == {"CUDA_VISIBLE_DEVICES": "3,1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    assert b'"device": "cuda"' in one.hello()
    assert place(fake.config(options={"device": "cuda:0"}), gpus=["3"]).options["device"] == "cuda:0"
    cpu = place(fake.config(options={"device": "cpu"}), gpus=["3"])
    assert (cpu.options["device"], cpu.env) == ("cpu", {})
    assert place(fake.config()).options == {}


def test_gpus_that_the_cluster_made_visible_stay(fake, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-12ab")
    one = place(fake.config(), gpus=["0"])
    assert (one.options["device"], one.env) == ("cuda", {})


def test_a_gpu_is_never_silently_the_cpu(fake, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(_worker.ImgvecError, match="Spark assigned 0, but CUDA_VISIBLE_DEVICES is set and empty"):
        place(fake.config(), gpus=["0"])
    place(fake.config(options={"device": "cpu"}), gpus=["0"])


def test_no_gpu_assigned_names_the_settings(fake):
    """The server can't start on a GPU, in Spark, and the task has none."""
    one = place(fake.config({"start": ["exit 1"]}, options={"device": "cuda"}), spark=True)
    with pytest.raises(_worker.ImgvecError, match="spark.executor.resource.gpu.amount and spark.task.resource.gpu.amount"):
        one.connect()


def test_command_that_is_named_and_missing(fake, monkeypatch):
    with pytest.raises(_worker.ImgvecError, match="the option binary: /nowhere/imgvec"):
        place({**fake.config(), "binary": "/nowhere/imgvec"})
    monkeypatch.setenv("IMGVEC_BINARY", "/elsewhere/imgvec")
    with pytest.raises(_worker.ImgvecError, match="the variable IMGVEC_BINARY: /elsewhere/imgvec"):
        place({**fake.config(), "binary": None})


def test_command_in_path(fake, monkeypatch):
    monkeypatch.delenv("IMGVEC_BINARY", raising=False)
    monkeypatch.setenv("PATH", fake.folder)
    monkeypatch.setattr(_worker.sysconfig, "get_path", lambda *names: "/nowhere")
    assert place({**fake.config(), "binary": None}).binary == fake.binary
    os.chmod(fake.binary, 0o600)
    with pytest.raises(_worker.ImgvecError, match="--files imgvec") as caught:
        place({**fake.config(), "binary": None})
    assert all(words in str(caught.value) for words in ("scripts of ", "/nowhere/imgvec", "PATH: nothing"))


def test_command_among_the_files_of_the_job(fake, monkeypatch):
    monkeypatch.delenv("IMGVEC_BINARY", raising=False)
    monkeypatch.setattr(_worker.sysconfig, "get_path", lambda *names: "/nowhere")
    task = types.SimpleNamespace(file=lambda name: os.path.join(fake.folder, name))
    assert _worker.find_binary(_worker.settings({}), task) == fake.binary


def test_model_files_are_found_before_the_folder_changes(fake, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.onnx").touch()
    assert place(fake.config(options={"model": "m.onnx"})).options["model"] == str(tmp_path / "m.onnx")
    assert place(fake.config(options={"model": "resnet50"})).options["model"] == "resnet50"


def test_folder_of_sockets(fake, tmp_path, monkeypatch):
    monkeypatch.setenv("IMGVEC_SOCKET_DIR", str(tmp_path / "a" / "b"))
    one = place({**fake.config(), "socket_dir": None})
    assert os.path.dirname(one.socket) == str(tmp_path / "a" / "b")
    assert os.stat(one.folder).st_mode & 0o777 == 0o700
    os.chmod(one.folder, 0o750)
    with pytest.raises(_worker.ImgvecError, match="chmod 700"):
        place({**fake.config(), "socket_dir": None})
    os.symlink(fake.folder, tmp_path / "link")
    with pytest.raises(_worker.ImgvecError, match="must be a folder of user"):
        place(fake.config(socket_dir=str(tmp_path / "link")))
    with pytest.raises(_worker.ImgvecError, match="too long"):
        place(fake.config(socket_dir=str(tmp_path / ("x" * 100))))


def test_folder_of_sockets_as_people_write_it(fake, tmp_path, monkeypatch):
    """The server runs in another folder, and knows nobody's home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for text, meant in (("relative", "relative"), ("~/mine", "mine"), (str(tmp_path / "slash") + "/", "slash")):
        one = place(fake.config(socket_dir=text))
        assert one.folder == str(tmp_path / meant)
        assert os.stat(one.folder).st_mode & 0o777 == 0o700
    with pytest.raises(_worker.ImgvecError, match="use /proc/none for sockets: .*IMGVEC_SOCKET_DIR"):
        place(fake.config(socket_dir="/proc/none"))


def test_sockets_of_dead_servers_are_swept(fake):
    """Those of living servers and of servers that somebody starts stay."""
    run(fake.config(options={"model": "dies"}), table([b"a"], 1))
    run(fake.config(options={"model": "lives"}), table([b"a"], 1))
    os.kill(fake.pids()[0], signal.SIGKILL)
    os.waitpid(fake.pids()[0], 0)
    dies, lives = (place(fake.config(options={"model": name})) for name in ("dies", "lives"))
    with _worker.locked(dies.lock, 0):
        lives.sweep()
        assert os.path.exists(dies.socket)
    lives.sweep()
    assert not os.path.exists(dies.socket)
    assert not os.path.exists(dies.log)
    assert os.path.exists(dies.lock)
    assert os.path.exists(lives.socket)


def test_kill_spares_others(fake):
    """A process id that belongs to another by now is left alone."""
    run(fake.config(), table([b"a"], 1))
    one, pid = place(fake.config()), fake.pids()[0]
    one.kill((pid, _worker.process(pid)[1] + 1))
    one.kill(None)
    assert _worker.process(pid)[0]
    one.kill((pid, _worker.process(pid)[1]))
    os.waitpid(pid, 0)


def test_lock_that_is_held_too_long(fake):
    one = place(fake.config(ready_timeout=0.2))
    with _worker.locked(one.lock, 0), pytest.raises(_worker.ImgvecError, match="another process has been starting"):
        one.connect()


def test_little_memory_is_explained(fake, monkeypatch):
    monkeypatch.setattr(_worker.resource, "getrlimit", lambda which: (1 << 30, 1 << 30))
    with pytest.raises(_worker.ImgvecError, match="1024 MiB of address space.*spark.executor.pyspark.memory"):
        run(fake.config(), table([b"a"], 1))
    monkeypatch.setattr(_worker.resource, "getrlimit", lambda which: (64 << 30, resource.RLIM_INFINITY))
    run(fake.config(), table([b"a"], 1))


def test_owner():
    pid, start = _worker.owner(False).split(":")
    assert (int(pid), int(start)) == (os.getpid(), _worker.process(os.getpid())[1])
    assert int(_worker.owner(True).split(":")[0]) == os.getpgrp()


def test_owner_without_a_leader():
    """The group's leader is gone: then it is the parent."""
    script = ("import os, sys, time; sys.path.insert(0, sys.argv[1]); from imgvec import _worker\n"
              "if os.fork(): os._exit(0)\n"
              "while _worker.process(os.getpgrp())[0]: time.sleep(.01)\n"
              "print(_worker.owner(True).split(':')[0] == str(os.getppid()))")
    out = subprocess.run([sys.executable, "-c", script, os.path.join(ROOT, "python")], stdout=subprocess.PIPE,
                         start_new_session=True, check=True, text=True)
    assert out.stdout == "True\n"


def test_last_words():
    log = "\n".join([f"line {i}" for i in range(50)])
    assert _worker.last_words(log) == [f"line {i}" for i in range(30, 50)]
    crash = log + "\nfatal error: out of memory\n\ngoroutine 1 [running]:\n" + "x\n" * 100
    words = _worker.last_words(crash)
    assert words[:4] == ["line 48", "line 49", "fatal error: out of memory", "goroutine 1 [running]:"]
    assert len(words) == 20
    assert _worker.headline(words) == "fatal error: out of memory"
    assert _worker.headline(["a", "b"]) == "b"
    assert _worker.last_words("") == []


def test_endings():
    assert _worker.ending(3) == "it ended with status 3"
    assert _worker.ending(-9) == "it was killed by SIGKILL"
    assert _worker.ending(143) == "it was killed by SIGTERM"
    assert _worker.ending(-77) == "it was killed by signal 77"


def test_images_differ():
    assert image(1) != image(2)
