"""Servers over many jobs: one for each set of options, kept from job to job, untouched by cancelled ones, gone with the session."""

import threading
import time

import images
import procs
import pytest
import rows

# Rows that were answered; those that a cancelled job left may be counted as dropped while the next job runs.
DONE = 'imgvec_rows_total{outcome="ok"}'


@pytest.fixture
def here(place):
    return place(faults=True)


class Job(threading.Thread):
    """A job in a thread of its own, with a group by which it can be cancelled. error is what it ended with, rows what it returned."""

    def __init__(self, spark, df, group):
        super().__init__()
        self.spark, self.df, self.group, self.rows, self.error = spark, df, group, None, None
        self.start()

    def run(self):
        self.spark.sparkContext.setJobGroup(self.group, self.group, interruptOnCancel=True)
        try:
            self.rows = rows.collect(self.df, "id", "features_error")
        except Exception as err:  # noqa: BLE001  whatever Spark raises for a cancelled job
            self.error = err

    def known(self):
        """Tells whether Spark has the job yet. Cancelling does nothing before."""
        return len(self.spark.sparkContext.statusTracker().getJobIdsForGroup(self.group)) > 0

    def cancel(self):
        """Cancels the job and waits until the driver knows it; the tasks need not have ended then."""
        self.spark.sparkContext.cancelJobGroup(self.group)
        self.join(60)
        assert not self.is_alive(), "the cancelled job did not end"


def slow_table(photos, folder, count=400, milliseconds=100, parts=2):
    """A table whose job lasts for a while: at 100 ms and two workers, 400 rows take 20 s."""
    return images.table(str(folder), [images.slow(photos[i % len(photos)], milliseconds) for i in range(count)], parts=parts)


def idle(here):
    """Tells whether no server of the place has a connection or a row, and no stdio child lives."""
    counts = [procs.connections(here.sockets), here.total("imgvec_queued_rows"), len(here.children())]
    return counts == [0, 0, 0]


def test_jobs_with_the_same_options_share_one_server_and_one_model(here, photos, tmp_path):
    df = here.read(images.table(str(tmp_path / "t"), photos * 4, parts=4))
    pids = set()
    for _ in range(3):
        assert here.featurize(df).where("features is null").count() == 0
        pids |= {about["pid"] for about in here.abouts()}
    assert len(pids) == 1
    assert here.total("imgvec_model_loads_total") == 1
    assert here.total("imgvec_connections_total") >= 12  # a connection for each task, but for `about` and `metrics`


def test_two_jobs_at_the_same_time_with_different_options(here, photos, expected, tmp_path):
    df = here.read(images.table(str(tmp_path / "t"), photos * 5, parts=2))
    plain, scaled = here.featurize(df), here.featurize(df, normalize=True)
    results = {}
    threads = [threading.Thread(target=lambda n=n, d=d: results.update({n: rows.collect(d)})) for n, d in (("plain", plain), ("scaled", scaled))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows.same(results["plain"], expected)
    for row in results["scaled"]:
        assert abs(sum(f * f for f in row["features"]) - 1) < 1e-3
    abouts = here.abouts()
    assert len(abouts) == len(here.servers()) == 2
    assert sorted(a["options"].get("normalize", "false") for a in abouts) == ["false", "true"]
    assert here.total("imgvec_model_loads_total") == 2


def test_a_cancelled_job_leaves_the_server_alone(here, photos, expected, tmp_path):
    job = Job(here.spark, here.featurize(here.read(slow_table(photos, tmp_path / "t"))), "cancelled")
    procs.wait("rows", lambda: here.total("imgvec_rows_total") > 20)
    (about,) = here.abouts()
    job.cancel()
    assert job.error is not None
    procs.within(5, "connections and rows of a cancelled job to be gone", lambda: idle(here), lambda: [m.values for m in procs.metrics(here.sockets)])
    got = rows.collect(here.featurize(here.read(images.table(str(tmp_path / "u"), photos, parts=1))))
    rows.same(got, expected)
    assert [a["pid"] for a in here.abouts()] == [about["pid"]], "the server that was there must have lived on"
    assert here.total("imgvec_model_loads_total") == 1


def test_a_cancelled_job_takes_its_stdio_children_along(here, photos, tmp_path):
    """A killing image sends its batch to children; the other rows of the batch are slow, so that the cancelling finds one at work."""
    contents = [images.slow(photos[i % len(photos)], 1500) for i in range(32)]
    contents[0] = photos[0] + images.CRASH
    job = Job(here.spark, here.featurize(here.read(images.table(str(tmp_path / "t"), contents, parts=1)), tuning={"rows": 32}), "children")

    def at_work():  # those that read the killing image end at once
        before = {c.pid for c in here.children()}
        time.sleep(1)
        return before & {c.pid for c in here.children()}

    procs.wait("a stdio child at work", at_work)
    job.cancel()
    assert here.children(), "the cancelling came too late"
    procs.within(5, "stdio children of a cancelled job to be gone", lambda: not here.children(), here.children)
    assert job.error is not None


def test_twenty_jobs_half_of_them_cancelled(here, photos, tmp_path):
    quick = here.read(images.table(str(tmp_path / "q"), photos, parts=2))
    slow = here.read(slow_table(photos, tmp_path / "s", 200, parts=1))  # one slot stays for the next job while Spark ends the task
    counters = lambda: [m.values for m in procs.metrics(here.sockets)]  # noqa: E731
    for number in range(10):
        assert here.featurize(quick).where("features is null").count() == 0
        before = here.total(DONE)
        job = Job(here.spark, here.featurize(slow), f"job-{number}")
        procs.wait("rows of the job", lambda job=job, before=before: job.known() and here.total(DONE) > before)
        job.cancel()
        assert job.error is not None
    procs.within(5, "nothing to be left of 20 jobs", lambda: idle(here), counters)
    assert len(here.servers()) == 1 and here.total("imgvec_model_loads_total") == 1
    assert len(procs.sockets(here.sockets)) == 1


def test_a_python_worker_killed_in_mid_job_with_retries(place, photos, expected, tmp_path):
    """local[2,4] tries a task again, as clusters do: neither a lost Python worker nor a lost server costs a row."""
    here = place("local[2,4]", faults=True)
    contents = [images.slow(photos[i % len(photos)], 15) for i in range(500)]
    df = here.featurize(here.read(images.table(str(tmp_path / "t"), contents, parts=4)), tuning={"rows": 8})
    done = []

    def disturb():
        procs.wait("rows", lambda: here.total("imgvec_rows_total") > 60)
        daemon = next(p for p in procs.workers(here.session.mark) if p.ppid not in {q.pid for q in procs.workers(here.session.mark)})
        worker = next(p for p in procs.workers(here.session.mark) if p.ppid == daemon.pid)
        procs.kill(worker.pid)
        done.append(here.kill_in_job(150))

    thread = threading.Thread(target=disturb)
    thread.start()
    got = rows.collect(df)
    thread.join()
    assert done, "nothing was killed in mid-job"
    rows.whole(got, 500)
    rows.same(got, expected)
    assert [a["pid"] for a in here.abouts()] != done and len(here.servers()) == 1


def test_the_end_of_a_session_is_the_end_of_all(place, photos, sessions, tmp_path):
    """Servers of two option sets, one of them at work: 10 s after spark.stop() no process and no socket is left (Session.stop checks it)."""
    here = place("local[2,4]", faults=True)
    here.featurize(here.read(images.table(str(tmp_path / "q"), photos, parts=2)), normalize=True).count()
    job = Job(here.spark, here.featurize(here.read(slow_table(photos, tmp_path / "t"))), "last")
    procs.wait("rows of both", lambda: len(here.abouts()) == 2 and procs.connections(here.sockets) > 0)
    pids = [s.pid for s in here.servers()]
    begin = time.monotonic()
    sessions.close()
    job.join(60)
    assert len(pids) == 2 and not any(procs.alive(p) for p in pids)
    print(f"session closed, with its JVM, in {time.monotonic() - begin:.1f} s")
