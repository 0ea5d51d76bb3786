"""The Spark session of a driver, and what it says while it works."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession


@contextmanager
def session(name: str) -> Iterator[SparkSession]:
    """A session under the configuration that spark-submit gave; it ends with the block."""
    spark = SparkSession.builder.appName(name).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    try:
        yield spark
    finally:
        spark.stop()


@contextmanager
def progress(spark: SparkSession, name: str, every: float = 10.0) -> Iterator[None]:
    """Say on stderr, every few seconds, how many tasks are done of the stages that run."""
    done = threading.Event()
    tracker = spark.sparkContext.statusTracker()

    def report() -> None:
        while not done.wait(every):
            stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
            for stage in stages:
                if stage is not None:
                    said = f"{name}: {stage.numCompletedTasks} of {stage.numTasks} tasks"
                    print(said, file=sys.stderr, flush=True)

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
