"""featurize_udf and ImageFeaturizer with the real worker and server: the features are the command's."""

import images
import pytest

from imgvec.spark import ImageFeaturizer, featurize_udf


@pytest.fixture
def here(place):
    return place()


@pytest.fixture
def given(here):
    return {**here.arguments, "tuning": {"socket_dir": here.sockets, "fetch": False}}


@pytest.fixture
def df(here, photos, tmp_path):
    return here.read(images.table(str(tmp_path / "t"), [*photos[:5], b"not an image", None], parts=2))


def test_sql(here, given, df, expected):
    here.spark.udf.register("image_features", featurize_udf(**given))
    df.createOrReplaceTempView("real_photos")
    rows = here.spark.sql("SELECT id, image_features(content) AS f FROM real_photos ORDER BY id").collect()
    assert [r["f"] for r in rows] == [*expected[:5], None, None]
    assert len(here.servers()) == 1 and here.total("imgvec_model_loads_total") == 1


def test_one_server_for_the_function_the_stage_and_the_table(here, given, df, expected):
    stage = ImageFeaturizer(vectorOutput=True, **given)
    rows = stage.transform(df).orderBy("id").collect()
    assert [None if r["features"] is None else r["features"].tolist() for r in map(dense, rows)] == [
        *expected[:5],
        None,
        None,
    ]
    assert [r["features_error"] is None for r in rows] == [True] * 5 + [False] * 2
    df.select(featurize_udf(**given)("content")).collect()
    here.featurize(df).collect()
    assert len(here.servers()) == 1 and here.total("imgvec_model_loads_total") == 1


def dense(row):
    return {"features": None if row["features"] is None else row["features"].toArray()}


def test_a_function_that_fails_says_why(given, df):
    with pytest.raises(Exception, match="onError='null'"):
        df.select(featurize_udf(onError="fail", **given)("content")).collect()
