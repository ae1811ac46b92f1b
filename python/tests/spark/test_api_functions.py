"""featurize_udf and ImageFeaturizer on real sessions, with a worker that needs no server."""

import os

import pytest
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.sql import functions as F

from imgvec.spark import ImageFeaturizer, _ship, featurize_udf


@pytest.fixture(autouse=True)
def standin(monkeypatch):
    """The stand-in travels in the place of the worker."""
    with open(os.path.join(os.path.dirname(__file__), "api_standin.py"), "rb") as file:
        source = file.read()
    monkeypatch.setattr(_ship, "worker_source", lambda: source)


@pytest.fixture(scope="module")
def df(sessions):
    """Twenty rows in two partitions; every seventh has no image or a bad one."""
    spark = sessions.get("local[2]").spark
    rows = [(content(i), i, f"p{i}", float(i % 2)) for i in range(20)]
    out = spark.createDataFrame(rows, "content binary, id int, path string, label double").repartition(2)
    out.createOrReplaceTempView("photos")
    return out


def content(i):
    if i % 7 == 0:
        return None if i % 2 else bytearray(b"bad")
    return bytearray(b"a" * i)


def wanted(i):
    return None if i % 7 == 0 else [float(i), 97.0]


def test_a_function_of_sql(spark, df):
    spark.udf.register("image_features", featurize_udf(model="resnet50"))
    rows = spark.sql("SELECT id, image_features(content) f, image_features(path) g FROM photos ORDER BY id").collect()
    assert [(r["id"], r["f"], r["g"]) for r in rows] == [
        (i, wanted(i), [float(len(f"p{i}")), 112.0]) for i in range(20)
    ]


def test_a_function_of_a_column(df):
    out = df.withColumn("f", featurize_udf()("content"))
    assert out.schema["f"].dataType.simpleString() == "array<float>"
    assert [r["f"] for r in out.where("f IS NOT NULL").select("f", "id").orderBy("id").collect()] == [
        wanted(i) for i in range(20) if i % 7
    ]


def test_a_function_fails_if_asked_to(df):
    with pytest.raises(Exception, match="decode: a bad binary. For null instead"):
        df.withColumn("f", featurize_udf(onError="fail")("content")).collect()
    with pytest.raises(ValueError, match="answers every row"):
        featurize_udf(onError="drop")


def test_a_function_of_nothing_but_nulls(spark, df):
    assert df.select(featurize_udf()(F.lit(None).cast("string"))).distinct().collect() == [(None,)]
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", 4)
    try:
        late = spark.createDataFrame([(None, i) for i in range(10)] + [("x", 10)], "p string, id int").coalesce(1)
        rows = late.withColumn("f", featurize_udf()("p")).orderBy("id").collect()
        assert [r["f"] for r in rows] == [None] * 10 + [[1.0, 120.0]]
    finally:
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")


def test_a_column_of_numbers_is_refused(df):
    with pytest.raises(Exception, match="not binary|must be bytes|Expected bytes|int32"):
        df.select(featurize_udf()("id")).collect()


ENGINES = {
    "compiled": {},
    "stage by stage": {"spark.sql.codegen.wholeStage": "false"},
    "interpreted": {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"},
    "nothing shared": {"spark.sql.subexpressionElimination.enabled": "false"},
}


@pytest.mark.parametrize("conf", ENGINES.values(), ids=ENGINES)
def test_vectors_of_null_rows(spark, df, conf):
    for key, value in conf.items():
        spark.conf.set(key, value)
    try:
        out = ImageFeaturizer(vectorOutput=True).transform(df)
        assert out.schema["features"].dataType.simpleString() == "vector"
        assert "imgvec" in out.schema["features"].metadata
        assert out.columns == ["id", "path", "label", "features", "features_error"]
        whole = [r["features"] for r in out.orderBy("id").collect()]
        assert [v if v is None else v.tolist() for v in map(array, whole)] == [wanted(i) for i in range(20)]
        assert out.where("features_error IS NOT NULL OR features IS NULL").count() == 3
        more = out.selectExpr("features AS a", "features AS b", "features IS NULL AS c", "hash(features) AS d").where(
            "a IS NOT NULL OR c"
        )
        assert len(more.collect()) == 20
    finally:
        for key in conf:
            spark.conf.unset(key)


def test_vectors_of_null_rows_filtered_grouped_and_cached(df):
    out = ImageFeaturizer(vectorOutput=True).transform(df)
    assert out.where("features_error IS NULL").select("features").count() == 17
    assert {r[0]: r[1] for r in out.groupBy(F.col("features").isNull()).count().collect()} == {True: 3, False: 17}
    cached = out.cache()
    assert cached.where("features IS NOT NULL").count() == 17
    cached.unpersist()


def array(vector):
    return None if vector is None else vector.toArray()


def test_a_pipeline_trains_saves_and_loads(df, tmp_path):
    stage = ImageFeaturizer(vectorOutput=True, onError="drop", options={"max-pixels": 5}, cores=2, model="resnet50")
    pipeline = Pipeline(stages=[stage, LogisticRegression(maxIter=2)])
    model = pipeline.fit(df)
    want = model.transform(df).select("id", "prediction").orderBy("id").collect()
    assert len(want) == 17
    pipeline.write().save(str(tmp_path / "pipeline"))
    model.write().save(str(tmp_path / "model"))
    again = PipelineModel.load(str(tmp_path / "model"))
    assert again.transform(df).select("id", "prediction").orderBy("id").collect() == want
    loaded = Pipeline.load(str(tmp_path / "pipeline")).getStages()[0]
    assert type(loaded) is ImageFeaturizer and loaded.uid == stage.uid
    assert loaded.extractParamMap() == stage.extractParamMap()
    assert loaded.getOptions() == {"max-pixels": 5} and not loaded.isDefined("home")


def test_estimators_refuse_null_vectors(df):
    """Why the docs say onError="drop" before training: Spark's own message."""
    with pytest.raises(Exception, match="Vectors MUST NOT be Null"):
        Pipeline(stages=[ImageFeaturizer(vectorOutput=True), LogisticRegression(maxIter=1)]).fit(df)


def test_params(df):
    assert ImageFeaturizer(errorCol=None).transform(df).columns == ["id", "path", "label", "features"]
    assert ImageFeaturizer().setErrorCol("").setKeepInput(True).transform(df).columns == [
        "content",
        "id",
        "path",
        "label",
        "features",
    ]
    one = ImageFeaturizer(inputCol="path").setOutputCol("v").setModel("resnet50").setParams(cores=3)
    assert (one.getInputCol(), one.getOutputCol(), one.getModel(), one.getCores()) == ("path", "v", "resnet50", 3)
    assert one.copy().getModel() == "resnet50"
    out = one.transform(df, {one.outputCol: "w"})  # for this call alone
    assert "w" in out.columns and one.getOutputCol() == "v"
    for wrong in ({"cores": "x"}, {"options": 3}, {"options": {3: 4}}, {"keepInput": 1}):
        with pytest.raises(TypeError):
            ImageFeaturizer(**wrong)
    with pytest.raises(TypeError):
        ImageFeaturizer("content")
    with pytest.raises(ValueError, match="onError is 'no'"):
        ImageFeaturizer(onError="no").transform(df)


def test_params_are_the_arguments_of_featurize():
    import inspect

    from imgvec.spark import featurize

    arguments = set(inspect.signature(featurize).parameters) - {"df", "profile"}
    assert {p.name for p in ImageFeaturizer().params} == arguments | {"vectorOutput"}
    assert set(inspect.signature(ImageFeaturizer.__init__).parameters) - {"self"} == arguments | {"vectorOutput"}
