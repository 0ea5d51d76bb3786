"""How planned work is cut into the partitions of a Spark job."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from pyspark import RDD, StorageLevel
from pyspark.sql import SparkSession

from arguments import Placement
from runtime_process import RuntimeProcess

PARTITION_BYTES = 32 * 2**20
"""Decoded bytes of a partition, about: 512 slices of 256 x 256, some seconds of work."""

Planned = tuple[str, int, int, bytes]
"""Name, cost (bytes of decoded pixels, about), images, and the work as JSON. The rest of a plan has no name."""


def plan(spark: SparkSession, placement: Placement, request: dict[str, str], payload: bytes = b"") -> RDD[Planned]:
    """Let the runtime plan, in one task: what is planned stays with the executors, off the driver."""

    def work(_: Iterable[int]) -> Iterable[Planned]:
        process = RuntimeProcess(placement, patience=3600)
        try:
            for frame in process.stream(request, payload):
                header = frame.header
                yield header.get("name", ""), header.get("cost", 0), header.get("images", 0), frame.payload
        finally:
            process.close()

    return spark.sparkContext.parallelize([0], 1).mapPartitions(work).persist(StorageLevel.DISK_ONLY)


def rest(planned: RDD[Planned]) -> bytes:
    """What a plan says beside its work, as JSON."""
    return planned.filter(lambda piece: piece[0] == "").first()[3]


def pack(costs: Iterable[tuple[str, int]], capacity: int = PARTITION_BYTES) -> dict[str, int]:
    """Number the partitions that work goes to: first fit, the largest first; what exceeds the capacity is alone.

    The largest pieces have the lowest numbers: Spark starts with them, and no straggler begins at the end.
    """
    assignment: dict[str, int] = {}
    filled: list[int] = []
    open_from = 0
    for name, cost in sorted(costs, key=lambda entry: (-entry[1], entry[0])):
        for number in range(open_from, len(filled)):
            if filled[number] + cost <= capacity:
                break
        else:
            number = len(filled)
            filled.append(0)
        filled[number] += cost
        assignment[name] = number
        while open_from < len(filled) and filled[open_from] >= capacity:
            open_from += 1
    return assignment


def distribute(planned: RDD[Planned], name: str) -> RDD[Planned]:
    """The work of a plan in partitions of about equal bytes. Only names and numbers pass through the driver."""
    pieces = planned.filter(lambda piece: piece[0] != "").map(lambda piece: piece[:3]).collect()
    assignment = pack((piece, cost) for piece, cost, _ in pieces)
    count = max(1, len(set(assignment.values())))
    images = sum(number for _, _, number in pieces)
    print(f"{name}: {images} images to do, in {len(set(assignment.values()))} partitions", file=sys.stderr, flush=True)
    return (
        planned.filter(lambda piece: piece[0] != "")
        .keyBy(lambda piece: piece[0])
        .partitionBy(count, lambda name: assignment[name])
        .values()
    )
