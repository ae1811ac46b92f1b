"""Servers that die, hang, refuse or never start: no image is lost or doubled, and the guilty one costs its own row."""
import os
import signal

import pyarrow as pa
import pytest
from test_worker_batches import features, image, run, table

from imgvec import _worker

N = 200


def images(special):
    return [special.get(i, image(i)) for i in range(N)]


def check(out, special=()):
    """Every row is there once, in order, and only the special ones have an error."""
    errors = out["features_error"].to_pylist()
    assert out["path"].to_pylist() == [f"p{i}" for i in range(N)]
    assert [i for i, error in enumerate(errors) if error] == sorted(special)
    assert out["features"].to_pylist() == [None if i in special else features(image(i)) for i in range(N)]
    return [errors[i] for i in sorted(special)]


def go(fake, special, plan=None, **changes):
    config = fake.config(plan, **{"keep": ["path"], "rows": 16, **changes})
    return run(config, table(images(special), 64))


def test_the_image_that_crashes_costs_its_own_row(fake):
    error, = check(go(fake, {37: b"CRASH"}), {37})
    assert "it was killed by SIGSEGV: SIGSEGV: segmentation violation" in error
    assert fake.count("serve") == 3


def test_a_crashing_image_costs_no_neighbour_its_place_in_line(fake):
    """Only the convicted piece goes through quarantine, however many were under way."""
    go(fake, {100: b"CRASH"})
    assert fake.count("serve") == 3
    assert fake.count("stdio") == 4  # sixteen die, eight die, the one dies; the last finishes the rest
    in_children = sum(int(line.split()[0]) for line, pid in zip(fake.marks("batches"), fake.pids("batches"))
                      if pid in children_of(fake))
    assert in_children <= 16 + 8 + 8 + 8


def children_of(fake):
    return {pid for pid, line in zip(fake.pids(), fake.marks("starts")) if line.startswith("stdio")}


def test_two_crashing_images_in_one_piece(fake):
    special = {32: b"CRASH", 47: b"CRASH"}
    assert all("SIGSEGV" in error for error in check(go(fake, special), special))


def test_many_crashing_images_are_no_reason_to_give_up(fake):
    special = {i: b"CRASH" for i in (5, 70, 100, 199)}
    check(go(fake, special), special)


def test_nothing_but_crashing_images(fake):
    """Children that find the culprit are progress too."""
    out = run(fake.config(rows=1), table([b"CRASH"] * 4, 4))
    assert out["features_error"].null_count == 0


def test_first_and_last_image(fake):
    special = {0: b"CRASH", N - 1: b"CRASH"}
    check(go(fake, special), special)


def test_an_image_that_hangs(fake):
    """The watchdog makes a death of it, and of the child's hang too."""
    error, = check(go(fake, {37: b"HANG"}, stall_timeout=1), {37})
    assert "it ended with status 70: stalled: an image hangs" in error


def test_features_of_keeps_arrays_whole(fake):
    """A piece that went through quarantine is put together again."""
    array = pa.array(images({37: b"CRASH"}), pa.binary())
    batch, = _worker.features_of(fake.config(rows=16), [array])
    assert batch.num_rows == N
    assert batch.column("error").is_valid().to_pylist() == [i == 37 for i in range(N)]


def test_kill_of_the_server_in_mid_job(fake):
    """Twice, with progress in between: nothing is convicted."""
    def batches():
        for k, batch in enumerate(table(images({}), 16)):
            if k in (4, 9):
                os.kill(fake.pids()[-1], signal.SIGKILL)
            yield batch

    check(run(fake.config(keep=["path"], rows=16, window_batches=2), batches()))
    assert fake.count("serve") == 3
    assert fake.count("stdio") == 0


def test_a_stopped_server_is_killed_after_the_time_out(fake, capfd):
    def batches():
        for k, batch in enumerate(table(images({}), 16)):
            if k == 5:
                os.kill(fake.pids()[-1], signal.SIGSTOP)
            yield batch

    check(run(fake.config(keep=["path"], rows=16, window_batches=2, timeout=1, quiet=False), batches()))
    assert ", 1 servers lost" in capfd.readouterr().err
    assert fake.count("serve") == 2
    assert fake.count("stdio") == 0
    assert not _worker.process(fake.pids()[0])[0]


def test_a_server_that_was_stopped_before_the_greeting(fake):
    """It listens and says nothing: after three greetings it is killed."""
    check(go(fake, {}))
    os.kill(fake.pids()[-1], signal.SIGSTOP)
    check(go(fake, {}, timeout=1))
    assert fake.count("serve") == 2
    assert fake.count("stdio") == 0
    assert not _worker.process(fake.pids()[0])[0]


def test_drain_is_no_death(fake):
    """A server that is told to stop answers what it read; the next one gets the rest."""
    out = go(fake, {}, {"answers": [3, 2, 4]}, respawns=0)
    check(out)
    assert fake.count("serve") == 4
    assert fake.count("stdio") == 0


def test_drain_while_the_input_pauses_is_no_death(fake, until):
    """What the server said at its end is read where the next images can't be sent."""
    config = fake.config({"answers": [1]}, rows=16, respawns=0)

    def arrays():
        yield pa.array([image(i) for i in range(16)])
        until(lambda: not _worker.process(fake.pids()[0])[0], "the end of the server")
        yield pa.array([image(i) for i in range(16, 32)])

    batches = list(_worker.features_of(config, arrays()))
    assert [b.num_rows for b in batches] == [16, 16]
    assert fake.count("serve") == 2
    assert fake.count("stdio") == 0


def test_an_image_that_no_server_takes_costs_its_own_row(fake):
    """It is not sent, and its neighbours don't notice."""
    [error] = check(go(fake, {70: b"x" * 5000}, {"largest": 4000}, batch_bytes=4000, window_bytes=4000), {70})
    assert error == "image too large: it has 5000 bytes, and the server takes 4000"
    assert not any(int(mark.split()[1]) >= 5000 for mark in fake.marks("batches"))


def test_a_server_that_is_ended_while_it_starts_is_started_again(fake):
    """As a signal ends it: with a status above 128 and without a word. It is not run once more for its words."""
    check(go(fake, {}, {"start": ["mute 143", "ok"]}))
    assert fake.count("serve") == 2


def test_greetings_are_tried_again(fake):
    check(go(fake, {}, {"hello": ["eof", "refuse stopping", "eof"]}))
    assert fake.count("serve") == 1
    assert len(fake.marks("hellos")) == 4


def test_a_silent_greeting_is_tried_again(fake):
    check(go(fake, {}, {"hello": ["silent"]}, timeout=1))
    assert fake.count("serve") == 1


def test_a_command_that_can_not_run_here_says_why(fake):
    """What the system's loader says goes to standard error only."""
    with open(fake.binary, "w") as file:
        file.write("#!/bin/sh\necho 'GLIBC_2.99 not found' >&2\nexit 1\n")
    with pytest.raises(_worker.ImgvecError, match="status 1 before it was ready: GLIBC_2.99 not found"):
        go(fake, {})
    with open(fake.binary, "wb") as file:
        file.write(b"\x7fELF of another machine")
    with pytest.raises(_worker.ImgvecError, match="is it the command for this system"):
        go(fake, {})


def test_a_refusal_is_said(fake):
    with pytest.raises(_worker.ImgvecError, match=r"refused \(options\): no: change it"):
        go(fake, {}, {"hello": ["refuse options"]})
    assert len(fake.marks("hellos")) == 1


def test_a_server_that_can_not_start_says_why_at_once(fake):
    with pytest.raises(_worker.ImgvecError, match="(?s)status 1 before it was ready.*no such model: make one") as caught:
        go(fake, {}, {"start": ["exit 1"] * 9})
    assert "process" in str(caught.value)
    assert fake.count("serve") == 1


def test_starts_that_crash_are_tried_again(fake):
    check(go(fake, {}, {"start": ["crash", "exit 69", "exit 70"]}))
    assert fake.count("serve") == 4


def test_only_so_many_deaths_in_a_row(fake):
    with pytest.raises(_worker.ImgvecError, match="4 servers died without an answer(.|\n)*SIGSEGV: segmentation"):
        go(fake, {}, {"start": ["crash"] * 9})
    assert fake.count("serve") == 4


def test_a_start_that_hangs(fake, until):
    with pytest.raises(_worker.ImgvecError, match="not ready in 1 s: raise ready_timeout"):
        go(fake, {}, {"start": ["hang"]}, ready_timeout=1)
    until(lambda: not _worker.process(fake.pids()[0])[0], "the end of the server")


def test_a_lost_device(fake):
    """A device that an image kills again and again is that image's error."""
    error, = check(go(fake, {37: b"EXIT"}), {37})
    assert "status 69: the device is lost" in error


def test_no_image_is_blamed_for_a_child_that_can_not_start(fake):
    with pytest.raises(_worker.ImgvecError, match="(?s)start imgvec stdio: it ended with status 1: .*no such model"):
        go(fake, {37: b"CRASH"}, {"stdio": ["exit 1"] * 9})
    assert fake.count("stdio") == 4


def test_a_child_that_did_not_start_is_tried_again(fake):
    check(go(fake, {37: b"CRASH"}, {"stdio": ["crash", "exit 1"]}), {37})


def test_dead_servers_leave_no_socket(fake):
    """The last image kills; nobody spawns again; the socket goes all the same, also of those that are slow to die."""
    go(fake, {3: b"CRASH", N - 1: b"LINGER"})
    assert [name for name in os.listdir(os.path.join(fake.folder, "s")) if name.endswith((".sock", ".log"))] == []


def test_input_that_raises_closes_the_connection(fake, until):
    def batches():
        yield table([b"a", b"SLOW"], 2)[0]
        raise KeyError("input")

    with pytest.raises(KeyError):
        run(fake.config(), batches())
    until(lambda: fake.marks("dropped"), "the end of the connection")


def test_closing_early_drops_the_connection_and_leaves_the_server(fake, until):
    config = fake.config(rows=1, keep=["path"])
    out = _worker.map_batches(config, iter(table([b"SLOW"] * 500, 500)))
    next(out)
    out.close()
    until(lambda: fake.marks("dropped"), "the end of the connection")
    assert len(fake.marks("batches")) < 30
    assert run(config, table([b"a"], 1)).num_rows == 1
    assert fake.count("serve") == 1
