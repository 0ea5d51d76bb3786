"""The pixels of curated images, each made by the runtime or rejected with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime_process import RuntimeDied
from supervision import Supervised

Rejection = dict[str, str]


def make_pixels(
    runtime: Supervised, images: Sequence[dict[str, Any]], key: str
) -> tuple[dict[str, bytes], dict[str, Rejection]]:
    """One channel of each image's pixels (128 x 128 bytes), and why the others have none, both by the image's `key`.

    `images` say where an image lies (`object`) and what it shows (`sha256`).
    """
    requests = [{"type": "pixels", "object": image["object"], "sha256": image["sha256"]} for image in images]
    made: dict[str, bytes] = {}
    rejections: dict[str, Rejection] = {}
    for position, answer in runtime.ask_each(requests):
        image = images[position]
        if isinstance(answer, RuntimeDied):
            message = f"the decoder died of its file curated/{image['object']} twice ({answer})."
            rejections[image[key]] = {"reason": "decoder-died", "message": message}
        elif "rejection" in answer.header:
            rejections[image[key]] = answer.header["rejection"]
        else:
            made[image[key]] = answer.payload
    return made, rejections
