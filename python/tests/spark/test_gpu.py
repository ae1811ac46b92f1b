"""GPUs that Spark assigns: one executor with the addresses 0 and 1, made up by a discovery script, on the simulated GPU driver."""

import os

import images
import procs
import pytest
import rows
import sessions as sessions_module
from conftest import ROOT, need

MASTER = "local-cluster[1,4,1024]"


@pytest.fixture(scope="module")
def gpus(tmp_path_factory):
    """The settings and the environment of a session with two GPUs."""
    driver = need(os.path.join(ROOT, ".cache", "sim", "libcuda.so.1"), "the simulated GPU driver (make sim)")
    conf = sessions_module.fake_gpus(str(tmp_path_factory.mktemp("gpus")))
    return {"conf": conf, "env": {"IMGVEC_CUDA_DRIVER": driver, "IMGVEC_SIM_DEVICES": "2"}}


@pytest.fixture
def here(place, gpus):
    return place(MASTER, faults=True, **gpus)


@pytest.fixture
def table(photos, tmp_path):
    return images.table(str(tmp_path / "t"), [photos[i % len(photos)] for i in range(48)], parts=8)


def test_each_address_has_one_server(here, table, expected):
    """Tasks with the same address share a server; each server sees its GPU only, as Spark assigned it."""
    for _ in range(2):
        got = rows.collect(here.featurize(here.read(table), device="auto"))
        rows.whole(got, 48)
        rows.same(got, expected, tolerance=rows.FP32)
    abouts = here.abouts()
    assert sorted(a["cuda_visible_devices"] for a in abouts) == ["0", "1"]
    assert all("cuda" in a["device"] for a in abouts), [a["device"] for a in abouts]
    environments = {s.environ["CUDA_VISIBLE_DEVICES"]: s.environ["CUDA_DEVICE_ORDER"] for s in here.servers()}
    assert environments == {"0": "PCI_BUS_ID", "1": "PCI_BUS_ID"}
    assert here.total("imgvec_model_loads_total") == 2
    counts = [m.get("imgvec_rows_total") for m in procs.metrics(here.sockets)]
    assert sum(counts) == 96 and all(counts)


def test_the_cpu_where_it_is_asked_for(here, table, expected):
    got = rows.collect(here.featurize(here.read(table), device="cpu"))
    rows.same(got, expected)
    assert all("cuda" not in a["device"] for a in here.abouts())


def test_an_assigned_gpu_that_is_not_there_is_no_cpu(place, gpus, table):
    """Spark assigned GPUs and the driver shows none of them: the job fails, and does not run on the CPU in silence."""
    here = place(MASTER, faults=True, **gpus)
    tuning = {"env": {"IMGVEC_SIM_DEVICES": "0"}}
    with pytest.raises(Exception, match=r"open device \\?\"cuda\\?\""):
        here.featurize(here.read(table), device="auto", tuning=tuning).select("features").collect()


def test_cuda_without_an_assignment_names_the_settings(place, photos, tmp_path):
    """local[2] assigns nothing, and there is no driver: the error says what to set."""
    here = place("local[2]", faults=True)
    df = here.read(images.table(str(tmp_path / "t"), photos, parts=1))
    missing = {"env": {"IMGVEC_CUDA_DRIVER": str(tmp_path / "libcuda.so.1")}}
    with pytest.raises(Exception, match=r"(?s)spark\.executor\.resource\.gpu\.amount"):
        here.featurize(df, device="cuda", tuning=missing).collect()
