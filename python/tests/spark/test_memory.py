"""The memory of Python workers: flat, as they hold no model and no row longer than the window; and the limit that Spark can put on it."""

import images
import procs
import pytest
import rows


def test_python_workers_do_not_grow(place, photos, tmp_path):
    """After many times the rows that a window holds, workers have no more memory than after the first job, but for some megabytes."""
    here = place()
    warm = here.read(images.table(str(tmp_path / "w"), [photos[i % len(photos)] for i in range(300)], parts=2))
    here.featurize(warm).where("features is null").count()
    before = peak(here)
    long = here.read(images.table(str(tmp_path / "l"), [photos[i % len(photos)] for i in range(1500)], parts=2))
    assert here.featurize(long).where("features is null").count() == 0
    after = peak(here)
    print(f"largest Python worker: {before >> 20} MB, later {after >> 20} MB")
    assert before and after < before + (64 << 20)


def peak(here):
    """Returns the memory of the session's largest Python process, in bytes."""
    return max((procs.memory(p.pid) for p in procs.workers(here.session.mark)), default=0)


def test_a_limit_on_memory_is_explained(place, photos, tmp_path):
    """spark.executor.pyspark.memory limits the address space of workers and of all that they start: no server can live in 600 MB of it."""
    here = place(conf={"spark.executor.pyspark.memory": "600m"})
    df = here.read(images.table(str(tmp_path / "t"), photos, parts=1))
    with pytest.raises(Exception, match=r"(?s)spark\.executor\.pyspark\.memory"):
        here.featurize(df).collect()
    assert not here.servers()


def test_a_generous_limit_is_none(place, photos, expected, tmp_path):
    here = place(conf={"spark.executor.pyspark.memory": "32g"})
    got = rows.collect(here.featurize(here.read(images.table(str(tmp_path / "t"), photos, parts=1))))
    rows.same(got, expected)
