"""Batch scoring on Spark: the answers of the current model for every curated picture that it has not seen.

Rows go to the table `predictions`, answers of whole studies below `studies/` of the reports. Prints the counts as one
line of JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from arguments import Placement, parser, placement
from partitions import Planned, distribute, plan, rest
from pixels import make_pixels
from session import progress, session
from supervision import shared_runtime

NAMED = 20
"""Most pictures that are named one by one to a person."""


def work(where: Placement, batches: Iterable[Planned]) -> Iterator[tuple[int, list[str]]]:
    """Score the batches of one partition. Gives, of each, the pictures that were scored and sentences on the others."""
    runtime = shared_runtime(where)
    for _, _, _, content in batches:
        batch: dict[str, Any] = json.loads(content)
        made, rejections = make_pixels(runtime, batch["pictures"], "sha256")
        refused: list[str] = []
        if made:
            request = {"type": "score", "batch": batch, "made": list(made)}
            refused = runtime.ask(request, b"".join(made.values())).header["refused"]
        # By the hash that the table images has of their pixels: names of files are none of a cluster's log.
        notes = [f"The picture {key} is not scored: {why['message']}" for key, why in rejections.items()]
        notes += [f"The picture {key} is not scored: it does not look like a brain scan." for key in refused]
        yield len(made) - len(refused), notes


def main() -> None:
    """Run the step."""
    options = parser("Scores every curated picture with the current model, on Spark.").parse_args()
    where = placement(options)
    with session("score") as spark, progress(spark, "score"):
        planned = plan(spark, where, {"type": "plan-scoring"})
        scored = distribute(planned, "score").mapPartitions(lambda batches: work(where, batches)).collect()
        planning = json.loads(rest(planned))
        # Once all rows are there; by one task, as planning is.
        studies = json.loads(rest(plan(spark, where, {"type": "answer-studies"})))["studies"]
        sentences = [note for _, some in scored for note in some]
        more = [f"and {len(sentences) - NAMED} more."] if len(sentences) > NAMED else []
        told = [f"Studies with a new answer of their own: {studies}."] if studies > 0 else []
        notes = [*planning["notes"], *sentences[:NAMED], *more, *told]
        counts = {
            "items": sum(made for made, _ in scored),
            "skipped": planning["skipped"],
            "rejected": sum(len(some) for _, some in scored),
        }
        print(json.dumps({**counts, "notes": notes}), flush=True)


if __name__ == "__main__":
    main()
