"""Servers that crash, hang, are killed or do not start; images that kill them. All in plain local[2], where Spark itself tries a task once."""

import os
import re
import threading

import images
import procs
import pytest
import rows

# How a segmentation fault ends a program in Go: by the signal, or by its own runtime's words.
DEATH = "SIGSEGV|signal 11|unexpected fault address"


@pytest.fixture
def here(place):
    """A place in local[2] with the test build."""
    return place(faults=True)


def test_one_corrupt_and_one_killing_image_among_2000(here, photos, expected, tmp_path):
    contents = [photos[i % len(photos)] for i in range(2000)]
    contents[666] = contents[666][:700]
    contents[1333] = contents[1333] + images.CRASH
    got = rows.collect(here.featurize(here.read(images.table(str(tmp_path / "t"), contents, parts=4))))
    rows.whole(got, 2000)
    wrong = rows.errors(got)
    assert sorted(wrong) == [666, 1333]
    assert re.search(DEATH, wrong[1333]), wrong[1333]
    rows.same(got, expected, skip=(666, 1333))
    assert len(here.servers()) == 1 and not here.children()


def test_a_crash_costs_one_respawn(here, photos, expected, tmp_path):
    """A server that is killed once: no row is lost or doubled, and exactly one other server takes its place."""
    contents = [images.slow(photos[i % len(photos)], 15) for i in range(600)]
    df = here.featurize(here.read(images.table(str(tmp_path / "t"), contents, parts=4)), tuning={"rows": 8, "window_batches": 4})
    killed = []
    killer = threading.Thread(target=lambda: killed.append(here.kill_in_job(100)))
    killer.start()
    got = rows.collect(df)
    killer.join()
    assert len(killed) == 1, "the server could not be killed in mid-job"
    rows.whole(got, 600)
    rows.same(got, expected)
    (about,) = here.abouts()
    assert about["pid"] != killed[0] and about["loads"] == 1
    assert here.total("imgvec_model_loads_total") == 1
    assert 0 < here.total("imgvec_rows_total") <= 600, "the second server has the rows that the first had not answered, and no others"


def test_several_killing_images_in_one_batch(here, photos, expected, tmp_path):
    contents = [photos[i % len(photos)] for i in range(40)]
    killers = (3, 4, 38)
    for i in killers:
        contents[i] += images.CRASH
    got = rows.collect(here.featurize(here.read(images.table(str(tmp_path / "t"), contents, parts=1))))
    rows.whole(got, 40)
    assert sorted(rows.errors(got)) == sorted(killers)
    rows.same(got, expected, skip=killers)


def test_an_image_that_ends_the_server(here, photos, expected, tmp_path):
    """A death by exit, not by signal, names the status."""
    contents = [photos[i % len(photos)] for i in range(24)]
    contents[5] += b"IMGVEC-FAULT-EXIT:41\n"
    got = rows.collect(here.featurize(here.read(images.table(str(tmp_path / "t"), contents, parts=2))))
    rows.whole(got, 24)
    wrong = rows.errors(got)
    assert sorted(wrong) == [5] and "41" in wrong[5]
    rows.same(got, expected, skip=(5,))


def test_a_hanging_image(here, photos, expected, tmp_path):
    contents = [photos[i % len(photos)] for i in range(48)]
    contents[20] += images.HANG
    tuning = {"stall_timeout": 3, "rows": 8}
    got = rows.collect(here.featurize(here.read(images.table(str(tmp_path / "t"), contents, parts=2)), tuning=tuning))
    rows.whole(got, 48)
    wrong = rows.errors(got)
    assert sorted(wrong) == [20]
    rows.same(got, expected, skip=(20,))


def test_fail_with_a_killing_image_says_so(here, photos, tmp_path):
    df = here.read(images.table(str(tmp_path / "t"), [photos[0], photos[1] + images.CRASH], parts=1))
    with pytest.raises(Exception, match=DEATH):
        here.featurize(df, onError="fail").collect()
    assert [r["id"] for r in rows.collect(here.featurize(df, onError="drop"), "id")] == [0]


def script(folder, text):
    """Writes an executable shell script; returns its path."""
    path = os.path.join(folder, "imgvec")
    with open(path, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)
    return path


def test_a_server_that_never_starts_fails_the_task_with_its_last_words(here, photos, tmp_path):
    counter = tmp_path / "starts"
    wrapper = script(str(tmp_path), f"echo start >> {counter}\necho 'the cellar is flooded' >&2\nexit 7\n")
    df = here.read(images.table(str(tmp_path / "t"), photos, parts=1))
    with pytest.raises(Exception, match="(?s)the cellar is flooded"):
        here.featurize(df, binary=wrapper).collect()
    assert 1 <= len(counter.read_text().split()) <= 4  # a first start and three respawns at most


def test_a_server_that_dies_at_every_start_of_work(here, photos, tmp_path):
    """Servers and children that all die without an answer: the task fails after three respawns, or the rows have errors; it ends."""
    counter = tmp_path / "starts"
    real = here.arguments["binary"]
    wrapper = script(str(tmp_path), f'[ "$1" = serve ] && echo start >> {counter}\nexec {real} "$@"\n')
    contents = [p + images.CRASH for p in photos]
    df = here.read(images.table(str(tmp_path / "t"), contents, parts=1))
    got = rows.collect(here.featurize(df, binary=wrapper))
    assert sorted(rows.errors(got)) == list(range(len(contents)))
    assert len(counter.read_text().split()) <= 4


def test_a_child_that_can_not_start_is_nobodys_image(here, photos, tmp_path):
    """Servers die of an image, and the child that should find it can't start: the task fails and says so, and no image is blamed."""
    real = here.arguments["binary"]
    wrapper = script(str(tmp_path), f'[ "$1" = stdio ] && {{ echo "the attic too" >&2; exit 9; }}\nexec {real} "$@"\n')
    df = here.read(images.table(str(tmp_path / "t"), [photos[0] + images.CRASH, *photos], parts=1))
    with pytest.raises(Exception, match="(?s)stdio.*status 9.*the attic too"):
        here.featurize(df, binary=wrapper).collect()


def test_a_missing_model_is_explained(here, photos, tmp_path):
    df = here.read(images.table(str(tmp_path / "t"), photos, parts=1))
    with pytest.raises(Exception, match="no-such-model"):
        here.featurize(df, model="no-such-model").collect()
    assert not here.servers() and not procs.sockets(here.sockets)


def test_a_missing_binary_is_explained(here, photos, tmp_path):
    df = here.read(images.table(str(tmp_path / "t"), photos, parts=1))
    with pytest.raises(Exception, match="nowhere/imgvec"):
        here.featurize(df, binary="/nowhere/imgvec").collect()
