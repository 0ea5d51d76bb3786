"""Principal components on Spark: fitted to the training split by MLlib, and every processed image's scores on them.

The runtime says what there is to do and stores what was found, as `runtime/features` does on one machine. One channel
of the three equal ones is flattened: 16,384 columns. The singular value decomposition is ARPACK's, on the driver, over
products that the executors compute: the driver holds some vectors of 16,384 numbers for each component, and no matrix
of 16,384 x 16,384, however many images there are. Prints the counts as one line of JSON.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.ml.feature import StandardScaler
from pyspark.ml.functions import array_to_vector
from pyspark.mllib.linalg.distributed import RowMatrix
from pyspark.mllib.util import MLUtils
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from arguments import Placement, parser, placement
from runtime_process import RuntimeFailure, RuntimeProcess
from session import progress, session
from supervision import shared_runtime

Doubles = npt.NDArray[np.float64]

DEFAULT_COMPONENTS = 64
BATCHES = 256
"""Of the table features_pca: two hex digits of a hash of the image's id, see runtime/features/score-table.ts."""

ROWS_AT_A_TIME = 256
"""Images that pass between Spark and Python together: 12 MiB of pixels."""

PARTITION_BYTES = 8 * 2**20
"""Of Parquet: about one shard of 512 images, which as doubles take 64 MiB of an executor."""

IDS_A_PARTITION = 8192

RANK_TOLERANCE = 1e-9
"""A component with less than this part of the first one's variance is rounding, not data."""

COLUMNS = "id string, split string, sha256 string, pixels binary"


@dataclass(frozen=True)
class Shape:
    """How the pixels of an image lie: `pixels` values, each `channels` times side by side."""

    pixels: int
    channels: int


@dataclass(frozen=True)
class Fit:
    """Mean and population standard deviation by pixel (1 where it never varies), components a row, and their variances.

    `explained_variance` and `total_variance` have n - 1 in the denominator, as scikit-learn's.
    """

    mean: Doubles
    scale: Doubles
    components: Doubles
    explained_variance: Doubles
    total_variance: float


class NothingToFit(Exception):
    """The training images span no direction."""


def fit(images: DataFrame, shape: Shape, count: int, components: int) -> Fit:
    """Principal components of the `count` rows of `images` (column `pixels`), standardised by pixel.

    Fewer than `components` where the images span no more.
    """
    vectors = images.mapInArrow(lambda batches: _values(batches, shape), "pixels array<double>").select(
        array_to_vector(F.col("pixels")).alias("vector")
    )
    scaler = StandardScaler(withMean=True, withStd=True, inputCol="vector", outputCol="row").fit(vectors)
    mean: Doubles = np.asarray(scaler.mean.toArray(), np.float64)
    # With n - 1 in the denominator; the population's is smaller by the same factor for every pixel.
    deviation: Doubles = np.asarray(scaler.std.toArray(), np.float64) * math.sqrt((count - 1) / count)
    varying = int(np.count_nonzero(deviation))
    wanted = min(components, count - 1, varying)
    if wanted == 0:
        raise NothingToFit(f"the {count} training images are all equal. Add scans.")

    standardised = scaler.transform(vectors).select("row")
    matrix = RowMatrix(MLUtils.convertVectorColumnsFromML(standardised, "row"), count, shape.pixels)
    # Every product runs over the rows. They are kept where they lie, as the JVM's own vectors: the RDD that PySpark
    # shows would send each of them through Python.
    context = images.sparkSession.sparkContext
    rows = matrix._java_matrix_wrapper._java_model.rows()
    rows.persist(context._getJavaStorageLevel(StorageLevel.MEMORY_AND_DISK_DESER))
    try:
        # More columns than 15,000: MLlib never computes their Gramian matrix, it lets ARPACK ask for products with it.
        decomposition = matrix.computeSVD(wanted)
    finally:
        rows.unpersist(False)
    singular: Doubles = np.asarray(decomposition.s.toArray(), np.float64)
    kept = singular**2 > RANK_TOLERANCE * singular[0] ** 2
    return Fit(
        mean=mean,
        scale=np.where(deviation > 0, deviation, 1.0),
        components=_with_fixed_signs(np.asarray(decomposition.V.toArray(), np.float64).T[kept]),
        # Rows that were divided by a deviation larger by a factor are smaller by it.
        explained_variance=singular[kept] ** 2 * (count / (count - 1)) / (count - 1),
        total_variance=varying * count / (count - 1),
    )


def _with_fixed_signs(components: Doubles) -> Doubles:
    """The entry of the largest magnitude of each component is positive."""
    largest = components[np.arange(len(components)), np.abs(components).argmax(axis=1)]
    signed: Doubles = components * np.where(largest < 0, -1.0, 1.0)[:, np.newaxis]
    return np.ascontiguousarray(signed)


def one_channel(column: pa.Array, shape: Shape) -> npt.NDArray[np.uint8]:
    """One channel of a column of pixels, n x 16,384, without a Python object an image.

    Raises ValueError where an image has another number of bytes.
    """
    offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]
    size = shape.pixels * shape.channels
    if column.null_count > 0 or np.any(np.diff(offsets) != size):
        raise ValueError(
            f"A shard holds an image that has not {size} bytes of pixels. Delete it and run preprocess again."
        )
    values = np.frombuffer(column.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    return values.reshape(len(column), shape.pixels, shape.channels)[:, :, 0]


def _values(batches: Iterable[pa.RecordBatch], shape: Shape) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        pixels = one_channel(batch.column("pixels"), shape)
        offsets = np.arange(len(pixels) + 1, dtype=np.int32) * shape.pixels
        lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(pixels.astype(np.float64).reshape(-1)))
        yield pa.RecordBatch.from_arrays([lists], ["pixels"])


def _missing(batches: Iterable[pa.RecordBatch], where: Placement, pca: str) -> Iterator[pa.RecordBatch]:
    """Ids (of column `id`) that have no scores yet, by their column `batch`."""
    members: dict[str, list[str]] = {}
    for batch in batches:
        for name, image in zip(batch.column("batch").to_pylist(), batch.column("id").to_pylist(), strict=True):
            members.setdefault(name, []).append(image)
    for name, ids in members.items():
        answer = shared_runtime(where).ask({"type": "missing", "pca": pca, "batch": name, "ids": ids})
        yield pa.RecordBatch.from_arrays([pa.array(answer.header["ids"], pa.string())], ["id"])


def _score(batches: Iterable[pa.RecordBatch], where: Placement, pca: str, shape: Shape) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if len(batch) == 0:
            continue
        pixels = np.ascontiguousarray(one_channel(batch.column("pixels"), shape))
        scores = shared_runtime(where).ask({"type": "score", "pca": pca}, pixels.tobytes()).payload
        width = len(scores) // len(batch)
        rows = [scores[start : start + width] for start in range(0, len(scores), width)]
        yield pa.RecordBatch.from_arrays(
            [batch.column("batch"), batch.column("id"), pa.array(rows, pa.binary())], ["batch", "id", "scores"]
        )


def _append(batches: Iterable[pa.RecordBatch], where: Placement, pca: str) -> Iterator[pa.RecordBatch]:
    """Store the scores of whole batches of the table: all rows of a batch come to one partition, side by side."""
    name: str | None = None
    ids: list[str] = []
    scores: list[bytes] = []

    def store() -> Iterator[pa.RecordBatch]:
        if name is not None:
            request = {"type": "append", "pca": pca, "batch": name, "ids": ids}
            answer = shared_runtime(where).ask(request, b"".join(scores))
            yield pa.RecordBatch.from_arrays([pa.array([answer.header["rows"]], pa.int64())], ["rows"])

    for batch in batches:
        columns = (batch.column(column).to_pylist() for column in ("batch", "id", "scores"))
        for of, image, values in zip(*columns, strict=True):
            if of != name:
                yield from store()
                name, ids, scores = of, [], []
            ids.append(image)
            scores.append(values)
    yield from store()


def read_shards(spark: SparkSession, bucket: str, names: list[str]) -> DataFrame:
    """The rows of shards, with the batch of the table that each belongs to."""
    # Hadoop takes a path as it is, without percent signs that stand for other characters, and with patterns.
    base = "file://" + unquote(bucket.removeprefix("file://")) if bucket.startswith("file:") else bucket
    base = "".join(f"\\{character}" if character in "\\{}[]*?," else character for character in base.rstrip("/"))
    batch = F.substring(F.sha2("id", 256), 1, 2)
    return spark.read.schema(COLUMNS).parquet(*(f"{base}/{name}" for name in names)).withColumn("batch", batch)


def digest_training_rows(shards: DataFrame) -> tuple[dict[str, str], int, int]:
    """Digests of the training images by batch, their number, and that of all images.

    A digest is that of runtime/features/fitted-rows.ts. 256 rows come to the driver, whatever the number of images.
    """
    line = F.when(F.col("split") == "train", F.concat_ws(" ", "id", "sha256"))
    lines = F.sort_array(F.collect_list(line))
    digests = shards.groupBy("batch").agg(
        F.sha2(F.concat_ws("\n", lines), 256).alias("digest"),
        F.count(line).alias("training"),
        F.count("*").alias("all"),
    )
    rows = digests.collect()
    training = {row["batch"]: row["digest"] for row in rows if row["training"] > 0}
    return training, sum(row["training"] for row in rows), sum(row["all"] for row in rows)


def store_missing(shards: DataFrame, where: Placement, pca: str, shape: Shape, processed: int) -> int:
    """Score every image that has no scores by these components, and store the scores. Gives their number."""
    spark = shards.sparkSession
    parts = max(1, min(BATCHES, max(spark.sparkContext.defaultParallelism, processed // IDS_A_PARTITION)))
    ids = shards.select("batch", "id").repartition(parts, "batch")
    missing = ids.mapInArrow(lambda batches: _missing(batches, where, pca), "id string").persist(StorageLevel.DISK_ONLY)
    try:
        count = missing.count()
        if count == 0:
            return 0
        images = shards.select("batch", "id", "pixels")
        if count < processed:
            images = images.join(missing, "id", "left_semi").select("batch", "id", "pixels")
        scored = images.mapInArrow(
            lambda batches: _score(batches, where, pca, shape), "batch string, id string, scores binary"
        )
        stored = (
            scored.repartition(parts, "batch")
            .sortWithinPartitions("batch")
            .mapInArrow(lambda batches: _append(batches, where, pca), "rows long")
        )
        return int(stored.agg(F.sum("rows")).first()[0])  # type: ignore[index]
    finally:
        missing.unpersist()


def run(spark: SparkSession, where: Placement, components: int) -> dict[str, Any]:
    """The whole step. Gives its counts."""
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(ROWS_AT_A_TIME))
    spark.conf.set("spark.sql.files.maxPartitionBytes", str(PARTITION_BYTES))
    runtime = RuntimeProcess(where)
    try:
        present = runtime.ask({"type": "shards"}).header
        shape = Shape(present["pixels"], present["channels"])
        shards, request = None, {"components": components, "digests": {}, "images": 0}
        processed = 0
        if present["names"]:
            shards = read_shards(spark, where.env["PROCESSED_BUCKET"], present["names"])
            digests, training, processed = digest_training_rows(shards)
            request = {"components": components, "digests": digests, "images": training}
        planned = runtime.ask({"type": "plan", **request, "processed": processed}).header
        assert shards is not None, "without images there is no plan"
        notes: list[str] = []
        if not planned["fitted"]:
            found = fit(shards.where("split = 'train'").select("pixels"), shape, training, components)
            arrays = (found.mean, found.scale, found.explained_variance, found.components)
            published = runtime.ask(
                {
                    "type": "publish",
                    **request,
                    "found": len(found.components),
                    "totalVariance": found.total_variance,
                },
                b"".join(array.astype("<f8").tobytes() for array in arrays),
            ).header
            notes = [
                f"{published['components']} components fitted to {training} training images; "
                f"they hold {100 * published['held']:.1f} % of the variance.",
                *published["notes"],
            ]
        stored = store_missing(shards, where, planned["pca"], shape, processed)
        runtime.ask({"type": "complete", "pca": planned["pca"]})
        return {"items": stored, "skipped": processed - stored, "rejected": 0, "notes": notes}
    finally:
        runtime.close()


def main() -> None:
    """Run the step."""
    arguments = parser(
        "Principal components of the training images, and every processed image's scores on them, on Spark."
    )
    arguments.add_argument("--components", type=int, default=DEFAULT_COMPONENTS, help="how many (default 64)")
    arguments.add_argument("--seed", type=int, help="decides nothing here: nothing is drawn by chance")
    options = arguments.parse_args()
    if options.components < 1:
        arguments.error("--components must be 1 or more")
    try:
        with session("pca") as spark, progress(spark, "pca"):
            print(json.dumps(run(spark, placement(options), options.components)), flush=True)
    except RuntimeFailure as failure:
        sys.exit(str(failure))
    except NothingToFit as reason:
        sys.exit(f"Principal components cannot be fitted: {reason}")


if __name__ == "__main__":
    main()
