"""The wheel is all that driver and executors need: the command that it carries is found without being named."""

import os
import sysconfig

import images
import procs
import pytest
import rows


@pytest.fixture
def carried():
    """The command of the installed wheel."""
    path = os.path.join(sysconfig.get_path("scripts"), "imgvec")
    if not os.path.exists(path):
        pytest.skip("the wheel is not installed here (make test-spark installs it)")
    return path


def test_the_wheels_command_is_found(place, carried, photos, expected, tmp_path):
    """Its codecs are the same; its kernels may have been compiled otherwise, so that the features may differ in the last bits."""
    here = place()
    got = rows.collect(here.featurize(here.read(images.table(str(tmp_path / "t"), photos, parts=2)), binary=None))
    rows.whole(got, len(photos))
    rows.same(got, expected, tolerance=rows.FP32)
    assert [os.path.realpath(p.argv[0]) for p in here.servers()] == [os.path.realpath(carried)]


def test_a_session_without_settings_finds_the_folder_of_sockets(sessions, home, carried, photos, expected, tmp_path):
    """featurize(df) with nothing but the model's folder: the server's socket lies where the session's environment says."""
    from imgvec.spark import featurize

    session = sessions.get("local[2]", env={"IMGVEC_HOME": home})
    df = session.spark.read.parquet(images.table(str(tmp_path / "t"), photos, parts=2))
    got = rows.collect(featurize(df, device="cpu", precision="fp32"))
    rows.same(got, expected, tolerance=rows.FP32)
    assert len(procs.sockets(session.sockets)) == 1 == len(procs.servers(session.mark))
