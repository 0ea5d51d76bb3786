"""Deep features on Spark: what a network that is named by its URI sees in every processed picture.

The runtime plans and stores; its processes read the pixels of the shards themselves, so none passes through Python.
Rows go to the table `features_deep`. Prints the counts as one line of JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from arguments import Placement, parser, placement
from partitions import Planned, distribute, plan, rest
from session import progress, session
from supervision import shared_runtime


def work(where: Placement, parts: Iterable[Planned]) -> Iterator[int]:
    """Take the parts of one partition through the network. Gives the number of pictures of each."""
    runtime = shared_runtime(where)
    for _, _, _, content in parts:
        yield runtime.ask({"type": "extract"}, content).header["items"]


def main() -> None:
    """Run the step."""
    options = parser("What a network sees in every processed picture, on Spark.").parse_args()
    where = placement(options)
    with session("deep") as spark, progress(spark, "deep"):
        planned = plan(spark, where, {"type": "plan-extraction"})
        items = sum(distribute(planned, "deep").mapPartitions(lambda parts: work(where, parts)).collect())
        print(json.dumps({**json.loads(rest(planned)), "items": items, "rejected": 0}), flush=True)


if __name__ == "__main__":
    main()
