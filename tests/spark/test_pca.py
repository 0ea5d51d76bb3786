from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

import pca

# PySpark leaves the sockets of its own Java gateway to the garbage collector, and imports what is deprecated.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning", "ignore:::pyspark"
)

SIDE = 128
SHAPE = pca.Shape(SIDE * SIDE, 3)
SPARK = Path(__file__).parents[2] / "spark"
COUNT = 160
COMPONENTS = 64


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master("local[2]").appName("test").config("spark.ui.enabled", "false")
    session = builder.config("spark.driver.memory", "1g").config("spark.driver.host", "127.0.0.1").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    for module in ("arguments", "runtime_process", "session", "supervision", "pca"):
        session.sparkContext.addPyFile(str(SPARK / f"{module}.py"))
    session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "64")
    yield session
    session.stop()


@pytest.fixture(scope="module")
def images() -> npt.NDArray[np.uint8]:
    """Smooth random fields and a little noise, on ground that is always black: n x 16,384."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    waves = [
        np.cos(2 * np.pi * (u * x + v * y) + phase)
        for u, v, phase in zip(
            random.uniform(0, 4, 96), random.uniform(0, 4, 96), random.uniform(0, 7, 96), strict=True
        )
    ]
    weights = random.normal(size=(COUNT, 96)) * 40 * 0.93 ** np.arange(96)
    fields = 120 + np.tensordot(weights, np.stack(waves), 1) + random.normal(size=(COUNT, SIDE, SIDE)) * 2
    fields[:, :8] = 0
    return np.clip(fields, 0, 255).astype(np.uint8).reshape(COUNT, -1)


def write_shards(folder: Path, images: npt.NDArray[np.uint8], splits: list[str]) -> list[str]:
    """Shards of 80 images as the runtime writes them. Gives their names."""
    names = []
    for start in range(0, len(images), 80):
        rows = images[start : start + 80]
        columns = {
            "id": [hashlib.sha256(row.tobytes()).hexdigest() for row in rows],
            "split": splits[start : start + 80],
            "sha256": [f"{start + i:064d}" for i in range(len(rows))],
            "pixels": [np.repeat(row, 3).tobytes() for row in rows],
        }
        names.append(f"part-{start}.parquet")
        pq.write_table(pa.table(columns), folder / names[-1])
    return names


def test_fit_is_scikit_learns_in_a_heap_that_holds_no_gramian(
    spark: SparkSession, images: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    runtime = spark.sparkContext._jvm.java.lang.Runtime.getRuntime()  # type: ignore[union-attr]
    # A Gramian matrix of all columns takes 2 GiB, and half of that packed.
    assert runtime.maxMemory() < SHAPE.pixels * (SHAPE.pixels + 1) / 2 * 8
    names = write_shards(tmp_path, images, ["train"] * COUNT)
    shards = pca.read_shards(spark, tmp_path.as_uri(), names)
    fitted = pca.fit(shards.select("pixels"), SHAPE, COUNT, COMPONENTS)

    scaler = StandardScaler().fit(images.astype(np.float64))
    expected = PCA(COMPONENTS, svd_solver="full").fit(scaler.transform(images.astype(np.float64)))
    np.testing.assert_allclose(fitted.mean, scaler.mean_, rtol=1e-12)
    np.testing.assert_allclose(fitted.scale, scaler.scale_, rtol=1e-10)
    assert np.all(fitted.scale[: 8 * SIDE] == 1)
    assert np.degrees(subspace_angles(fitted.components[:16].T, expected.components_[:16].T)).max() < 0.01
    # One by one, with scikit-learn's signs.
    assert (fitted.components[:16] * expected.components_[:16]).sum(axis=1).min() > 0.999
    np.testing.assert_allclose(fitted.explained_variance, expected.explained_variance_, rtol=1e-6)
    ratio = fitted.explained_variance / fitted.total_variance
    np.testing.assert_allclose(ratio, expected.explained_variance_ratio_, rtol=1e-6)


def test_fit_gives_fewer_components_where_there_are_no_more(
    spark: SparkSession, images: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    few = np.concatenate([images[:5], images[:2]])
    shards = pca.read_shards(spark, tmp_path.as_uri(), write_shards(tmp_path, few, ["train"] * 7))
    fitted = pca.fit(shards.select("pixels"), SHAPE, 7, COMPONENTS)
    # Five different images span four directions.
    assert fitted.components.shape == (4, SHAPE.pixels)
    np.testing.assert_allclose(fitted.components @ fitted.components.T, np.eye(4), atol=1e-9)
    equal = shards.where("split = 'train'").limit(1).select("pixels")
    with pytest.raises(pca.NothingToFit, match="all equal"):
        pca.fit(equal.union(equal), SHAPE, 2, COMPONENTS)


def test_digests_are_of_the_training_images_alone_wherever_they_lie(
    spark: SparkSession, images: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    # Characters that Hadoop takes for patterns and URLs for escapes.
    folder = tmp_path / "a [b] {c} 100% é?"
    folder.mkdir()
    splits = ["train"] * 30 + ["test"] * 10
    names = write_shards(folder, images[:40], splits)
    digests, training, processed = pca.digest_training_rows(pca.read_shards(spark, folder.as_uri() + "/", names))
    assert (training, processed) == (30, 40)
    expected: dict[str, list[str]] = {}
    for number, row in enumerate(images[:30]):
        name = hashlib.sha256(row.tobytes()).hexdigest()
        line = f"{name} {number:064d}"
        expected.setdefault(hashlib.sha256(name.encode()).hexdigest()[:2], []).append(line)
    assert digests == {
        batch: hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest() for batch, lines in expected.items()
    }


def test_one_channel_of_a_slice() -> None:
    shape = pca.Shape(2, 3)
    column = pa.array([bytes([1, 1, 1, 2, 2, 2]), bytes([3, 3, 3, 4, 4, 4]), bytes([5, 5, 5, 6, 6, 6])], pa.binary())
    assert pca.one_channel(column, shape).tolist() == [[1, 2], [3, 4], [5, 6]]
    assert pca.one_channel(column.slice(1, 1), shape).tolist() == [[3, 4]]
    for wrong in ([b"12345"], [b"123456", None]):
        with pytest.raises(ValueError, match="not 6 bytes"):
            pca.one_channel(pa.array(wrong, pa.binary()), shape)
