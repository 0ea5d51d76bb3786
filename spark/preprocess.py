"""Preprocess on Spark: the groups, splits and Parquet shards that `runtime/preprocess` makes on one machine.

The runtime plans, the executors let their runtime processes make the pixels and write the shards, the runtime finishes.
Prints the counts as one line of JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from arguments import Placement, parser, placement
from partitions import Planned, distribute, plan, rest
from pixels import make_pixels
from runtime_process import Frame, RuntimeDied, RuntimeProcess
from session import progress, session
from supervision import Supervised, shared_runtime


def hash_images(where: Placement, batches: Iterable[Planned]) -> Iterator[tuple[str, str]]:
    """Hash the pictures of one partition. Gives the hash of each image by its id; what cannot be read has none."""
    runtime = shared_runtime(where)
    for _, _, _, content in batches:
        made, _ = make_pixels(runtime, json.loads(content), "id")
        if made:
            answer = runtime.ask({"type": "hash", "made": list(made)}, b"".join(made.values()))
            yield from answer.header["hashes"].items()


def work(where: Placement, shards: Iterable[Planned]) -> Iterator[str]:
    """Make the shards of one partition. Gives the outcome of each as JSON."""
    runtime = shared_runtime(where)
    for _, _, _, content in shards:
        try:
            answer = runtime.attempt({"type": "make"}, content)
        except RuntimeDied:
            answer = make_image_by_image(runtime, json.loads(content))
        yield json.dumps(answer.header["outcome"])


def make_image_by_image(runtime: Supervised, shard: dict[str, Any]) -> Frame:
    """Make a shard of which the process died, so that it is found which image it dies of, if it does so again."""
    made, rejections = make_pixels(runtime, shard["fresh"], "id")
    request = {"type": "write", "shard": shard, "made": list(made), "rejections": rejections}
    return runtime.ask(request, b"".join(made.values()))


def main() -> None:
    """Run the step."""
    arguments = parser("Groups, splits and Parquet shards of everything that is curated, on Spark.")
    arguments.add_argument("--listing", help="a file with a line of JSON an image, instead of the table images")
    options = arguments.parse_args()
    where = placement(options)
    with session("preprocess") as spark, progress(spark, "preprocess"):
        request = {"type": "plan", **({"listing": options.listing} if options.listing else {})}
        planned = plan(spark, where, request)
        if "unhashed" in json.loads(rest(planned)):
            hashes = distribute(planned, "hashes").mapPartitions(lambda batches: hash_images(where, batches)).collect()
            planned = plan(spark, where, request, json.dumps(dict(hashes)).encode())
        outcomes = distribute(planned, "preprocess").mapPartitions(lambda shards: work(where, shards)).collect()
        finish = b'{"plan":' + rest(planned) + b',"outcomes":[' + b",".join(one.encode() for one in outcomes) + b"]}"
        process = RuntimeProcess(where, patience=3600)
        try:
            print(json.dumps(process.ask({"type": "finish"}, finish).header), flush=True)
        finally:
            process.close()


if __name__ == "__main__":
    main()
