"""Preprocess on Spark: the groups, splits and Parquet shards that `runtime/preprocess` makes on one machine.

The runtime plans, the executors let their runtime processes make the pixels and write the shards, the runtime finishes.
Prints the counts as one line of JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from arguments import Placement, parser, placement
from partitions import Planned, distribute, plan
from pixels import make_pixels
from runtime_process import Frame, RuntimeDied, RuntimeProcess
from session import progress, session
from supervision import Supervised, shared_runtime


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
        outcomes = distribute(planned, "preprocess").mapPartitions(lambda shards: work(where, shards)).collect()
        rest = planned.filter(lambda piece: piece[0] == "").first()[3]
        finish = b'{"plan":' + rest + b',"outcomes":[' + b",".join(one.encode() for one in outcomes) + b"]}"
        process = RuntimeProcess(where, patience=3600)
        try:
            print(json.dumps(process.ask({"type": "finish"}, finish).header), flush=True)
        finally:
            process.close()


if __name__ == "__main__":
    main()
