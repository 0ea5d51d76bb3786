"""Preprocess on Spark: the groups, splits and Parquet shards that `runtime/preprocess` makes on one machine.

The runtime plans, with the help of tasks where many pictures have to be hashed or looked up; the executors let their
runtime processes make the pixels and write the shards; the runtime finishes.
Prints the counts as one line of JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any
from uuid import uuid4

from arguments import Placement, parser, placement
from partitions import Planned, distribute, plan, rest
from pixels import make_pixels
from runtime_process import Frame, RuntimeDied, RuntimeProcess
from session import progress, session
from supervision import Supervised, shared_runtime


def hash_images(where: Placement, run: str, batches: Iterable[Planned]) -> Iterator[str]:
    """Hash the pictures of one partition; the runtime keeps the hashes. What cannot be read has none."""
    runtime = shared_runtime(where)
    for name, _, _, content in batches:
        made, _ = make_pixels(runtime, json.loads(content), "id")
        if made:
            runtime.ask({"type": "hash", "run": run, "name": name, "made": list(made)}, b"".join(made.values()))
        yield name


def search(where: Placement, run: str, searches: Iterable[Planned]) -> Iterator[str]:
    """Look new pictures up among all; the runtime keeps what it finds. Once more, if the process dies meanwhile."""
    runtime = shared_runtime(where)
    for name, _, _, _ in searches:
        request = {"type": "search", "run": run, "search": int(name)}
        try:
            runtime.attempt(request)
        except RuntimeDied:
            runtime.attempt(request)
        yield name


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
    missing = json.loads(runtime.ask({"type": "missing"}, json.dumps(shard).encode()).payload)
    made, rejections = make_pixels(runtime, missing, "id")
    request = {"type": "write", "shard": shard, "made": list(made), "rejections": rejections}
    return runtime.ask(request, b"".join(made.values()))


PREPARATIONS = {"hash": (hash_images, "index"), "search": (search, "group")}
"""What tasks do where a plan needs it, and how planning then goes on."""


def main() -> None:
    """Run the step."""
    arguments = parser("Groups, splits and Parquet shards of everything that is curated, on Spark.")
    arguments.add_argument("--listing", help="a file with a line of JSON an image, instead of the table images")
    arguments.add_argument("--plan-only", action="store_true", help="decide groups and splits, make no pixels")
    options = arguments.parse_args()
    where = placement(options)
    with session("preprocess") as spark, progress(spark, "preprocess"):
        run = uuid4().hex
        request = {"type": "read", "run": run, **({"listing": options.listing} if options.listing else {})}
        planned = plan(spark, where, request)
        while (needed := json.loads(rest(planned)).get("next")) is not None:
            prepare, then = PREPARATIONS[needed]
            distribute(planned, needed).mapPartitions(partial(prepare, where, run)).count()
            planned.unpersist()
            planned = plan(spark, where, {**request, "type": then})
        if options.plan_only:
            pieces = planned.filter(lambda piece: piece[0] != "").map(lambda piece: piece[2])
            notes = json.loads(rest(planned))["notes"]
            result = {"shards": pieces.count(), "images": int(pieces.sum()), "notes": notes}
            ask(where, {"type": "clean", "run": run})
            print(json.dumps(result), flush=True)
            return
        outcomes = distribute(planned, "preprocess").mapPartitions(lambda shards: work(where, shards)).collect()
        finish = b'{"plan":' + rest(planned) + b',"outcomes":[' + b",".join(one.encode() for one in outcomes) + b"]}"
        print(json.dumps(ask(where, {"type": "finish", "run": run}, finish).header), flush=True)


def ask(where: Placement, request: dict[str, Any], payload: bytes = b"") -> Frame:
    """Let a process of the driver's own answer one request."""
    process = RuntimeProcess(where, patience=3600)
    try:
        return process.ask(request, payload)
    finally:
        process.close()


if __name__ == "__main__":
    main()
