"""Two executors on one machine: local-cluster[2,1,1024]. Each has a server of its own, which lives as long as the executor does."""

import threading

import images
import procs
import pytest
import rows

MASTER = "local-cluster[2,1,1024]"


@pytest.fixture
def here(place):
    return place(MASTER, faults=True)


def job(here, photos, expected, folder, count, milliseconds, parts=8):
    """Runs a job over so many photos and checks its rows."""
    contents = [images.slow(photos[i % len(photos)], milliseconds) for i in range(count)]
    got = rows.collect(here.featurize(here.read(images.table(str(folder), contents, parts=parts)), tuning={"rows": 4}))
    rows.whole(got, count)
    rows.same(got, expected)


def test_two_executors_have_two_servers(here, photos, expected, tmp_path):
    job(here, photos, expected, tmp_path / "a", 120, 20)
    first = {a["pid"] for a in here.abouts()}
    job(here, photos, expected, tmp_path / "b", 120, 20)
    assert len(first) == 2 and {a["pid"] for a in here.abouts()} == first
    assert here.total("imgvec_model_loads_total") == 2, "one for each executor"
    owners = {argument for p in here.servers() for argument in p.argv if argument.startswith("--owner-pid=")}
    assert len(owners) == 2
    counts = [m.get("imgvec_rows_total") for m in procs.metrics(here.sockets)]
    assert sum(counts) == 240 and all(counts)


def test_a_lost_executor_costs_no_row(here, photos, expected, tmp_path):
    """Its JVM is killed in mid-job: Spark starts another executor, its server goes, the other's stays."""
    lost = []

    def lose():
        procs.wait("rows of both servers", lambda: sum(m.get("imgvec_rows_total") > 10 for m in procs.metrics(here.sockets)) == 2)
        executor = procs.executors(here.session.mark)[0]
        servers = {s.pid: s.environ["SPARK_LOCAL_DIRS"] for s in here.servers()}
        own = [pid for pid, folders in servers.items() if folders == local_dirs(here, executor)]
        procs.kill(executor.pid)
        lost.append((own, set(servers) - set(own)))

    thread = threading.Thread(target=lose)
    thread.start()
    job(here, photos, expected, tmp_path / "t", 300, 40, parts=10)
    thread.join()
    assert lost, "no executor was killed in mid-job"
    gone, others = lost[0]
    assert len(gone) == 1 and len(others) == 1
    procs.within(10, "the lost executor's server to be gone", lambda: not any(procs.alive(p) for p in gone))
    procs.within(10, "the lost executor's socket to be gone or unused", lambda: len(here.abouts()) == len(here.servers()))
    assert all(procs.alive(p) for p in others)
    assert here.total("imgvec_model_loads_total") == len(here.servers())


def local_dirs(here, executor):
    """Returns SPARK_LOCAL_DIRS as the executor's Python processes have it."""
    own = [p for p in procs.workers(here.session.mark) if p.ppid == executor.pid]
    return own[0].environ["SPARK_LOCAL_DIRS"] if own else None


def test_a_killing_image_on_a_cluster(here, photos, expected, tmp_path):
    contents = [photos[i % len(photos)] for i in range(160)]
    contents[50] += images.CRASH
    got = rows.collect(here.featurize(here.read(images.table(str(tmp_path / "t"), contents, parts=4))))
    rows.whole(got, 160)
    assert sorted(rows.errors(got)) == [50]
    rows.same(got, expected, skip=(50,))


def test_the_end_of_a_cluster_is_the_end_of_all(here, photos, sessions, tmp_path):
    here.featurize(here.read(images.table(str(tmp_path / "t"), photos * 3, parts=4))).count()
    pids = [s.pid for s in here.servers()]
    sessions.close()  # checks that nothing is left after 10 s
    assert pids and not any(procs.alive(p) for p in pids)
