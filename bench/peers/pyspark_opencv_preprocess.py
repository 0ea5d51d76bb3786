"""What a user of PySpark and OpenCV would write in place of `npm run spark -- preprocess`: the measure for its speed.

The same listing, the same checks of what was read, the same steps from a page to the model's input, the same columns
as zstd Parquet. The arithmetic is OpenCV's own, so the pixels are close to the project's and not equal to them. One
batch of Arrow records after the other, no pandas in between; OpenCV with one thread a task. Prints the counts as one
line of JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.types import IntegerType, LongType, StringType, StructField, StructType

from opencv_recipe import CHANNELS, SIDE, Pixels, prepare

RECIPE = "opencv"

ROWS = 256
"""Rows of an Arrow batch: 12 MiB of pixels."""
TASK_IMAGES = 512
SPLITS = ("test", "validation", "train")

LISTING = StructType(
    [
        StructField("id", StringType()),
        StructField("source", StringType()),
        StructField("generation", LongType()),
        StructField("label", StringType()),
        StructField("sha256", StringType()),
        StructField("phash", StringType()),
        StructField("patient", StringType()),
        StructField("width", IntegerType()),
        StructField("height", IntegerType()),
        StructField("object", StringType()),
    ]
)
SHARD = (
    "id string, label string, `group` string, split string, width int, height int, channels int, pixels binary, "
    "recipe string, sha256 string, phash string, source string, generation bigint"
)


def read(path: Path, sha256: str) -> Pixels:
    """Decode one curated file and compare what it shows. Raises ValueError if it is damaged or another picture."""
    image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 2:
        raise ValueError("it does not decode to a grey picture")
    digest = hashlib.sha256(struct.pack("<IIB", image.shape[1], image.shape[0], 8 * image.itemsize))
    digest.update(image.data)
    if digest.hexdigest() != sha256:
        raise ValueError("it shows another picture")
    return image


def split_of(group: str) -> str:
    """Give a split by chance, decided by the group: 15 % test, 15 % validation."""
    share = int.from_bytes(hashlib.sha256(group.encode()).digest()[:4], "big") / 2**32
    return SPLITS[0] if share < 0.15 else SPLITS[1] if share < 0.3 else SPLITS[2]


def process(batch: pa.RecordBatch, curated: Path) -> pa.RecordBatch:
    """Make the shard rows of a part of the listing; what cannot be read is left out."""
    rows: list[dict[str, Any]] = []
    for line in batch.to_pylist():
        try:
            pixels = prepare(read(curated / line["object"], line["sha256"])).tobytes()
        except (OSError, ValueError):
            continue
        group = line["patient"] or line["sha256"]
        rows.append({**line, "group": group, "split": split_of(group), "pixels": pixels})
    strings, count = pa.string(), len(rows)
    columns = {
        **{name: pa.array([row[name] for row in rows], strings) for name in ("id", "label", "group", "split")},
        **{name: pa.array([value] * count, pa.int32()) for name, value in (("width", SIDE), ("height", SIDE))},
        "channels": pa.array([CHANNELS] * count, pa.int32()),
        "pixels": pa.array([row["pixels"] for row in rows], pa.binary()),
        "recipe": pa.array([RECIPE] * count, strings),
        **{name: pa.array([row[name] for row in rows], strings) for name in ("sha256", "phash", "source")},
        "generation": pa.array([row["generation"] for row in rows], pa.int64()),
    }
    return pa.RecordBatch.from_pydict(columns)


def work(batches: Iterable[pa.RecordBatch], curated: Path) -> Iterator[pa.RecordBatch]:
    """Process the batches of one task in parts of a few megabytes of pixels."""
    cv2.setNumThreads(1)
    for batch in batches:
        for start in range(0, batch.num_rows, ROWS):
            yield process(batch.slice(start, ROWS), curated)


def main() -> None:
    """Run the peer."""
    arguments = argparse.ArgumentParser(description="Preprocess a listing with PySpark and OpenCV.")
    arguments.add_argument("--listing", required=True, help="a file with a line of JSON an image")
    arguments.add_argument("--curated", required=True, type=Path, help="folder of the curated files")
    arguments.add_argument("--out", required=True, help="folder for the Parquet files")
    options = arguments.parse_args()
    curated = options.curated.resolve()
    spark = (
        SparkSession.builder.appName("pyspark-opencv")
        .config("spark.sql.parquet.compression.codec", "zstd")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    images = spark.read.schema(LISTING).json(options.listing)
    count = images.count()
    tasks = max(2 * spark.sparkContext.defaultParallelism, -(-count // TASK_IMAGES))
    made = images.repartition(tasks).mapInArrow(lambda batches: work(batches, curated), SHARD)
    made.write.mode("overwrite").parquet(options.out)
    items = spark.read.parquet(options.out).count()
    spark.stop()
    print(json.dumps({"items": items, "rejected": count - items}), flush=True)


if __name__ == "__main__":
    main()
