"""The CNN of the classic tutorials in Keras: the measure for the speed and the accuracy of `npm run train`.

Reads the shards of a workspace and trains on the training split: three convolutions of 3 x 3 with ReLU and 2 x 2 max
pooling, two dense layers, Adam, batches of 32, no augmentation. After each epoch it predicts the validation split.
Prints one line of JSON: `images` (to train on), `parameters`, and for each epoch `seconds` and `cpuSeconds` of training
alone (not of predicting, nor of reading the shards) and `auc` of the validation split.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from keras import layers

BATCH = 32
LEARNING_RATE = 1e-3

Floats = npt.NDArray[np.float32]


def read_split(processed: Path, split: str) -> tuple[Floats, Floats]:
    """Give the labelled images of a split, n x 128 x 128 x 3 in [0, 1], and their labels, 1 for Cancer, n x 1."""
    pixels: list[npt.NDArray[np.uint8]] = []
    labels: list[float] = []
    for file in sorted(processed.glob("part-*.parquet")):
        columns = ["pixels", "label", "height", "width", "channels"]
        table = pq.read_table(file, columns=columns, filters=[("split", "=", split)])
        for row in table.to_pylist():
            if row["label"] is None:
                continue
            shape = (row["height"], row["width"], row["channels"])
            pixels.append(np.frombuffer(row["pixels"], np.uint8).reshape(shape))
            labels.append(float(row["label"] == "Cancer"))
    if not pixels:
        missing = f"There is no labelled image of the split {split} in {processed}"
        raise ValueError(f"{missing}: name the folder of one recipe.")
    return np.stack(pixels).astype(np.float32) / 255, np.array(labels, np.float32)[:, None]


def tutorial_network() -> Any:
    """Build the network, compiled."""
    network = keras.Sequential([keras.Input((128, 128, 3))])
    for channels in (32, 64, 128):
        network.add(layers.Conv2D(channels, 3, activation="relu"))
        network.add(layers.MaxPooling2D(2))
    network.add(layers.Flatten())
    network.add(layers.Dense(128, activation="relu"))
    network.add(layers.Dense(1, activation="sigmoid"))
    network.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss="binary_crossentropy")
    return network


def area_under_curve(labels: Floats, scores: Floats) -> float:
    """Give the chance that a random positive scores higher than a random negative, ties counting one half."""
    positive, negative = scores[labels == 1], scores[labels == 0]
    above = (positive[:, None] > negative[None, :]).mean()
    tied = (positive[:, None] == negative[None, :]).mean()
    return float(above + tied / 2)


def main() -> None:
    """Train, and measure after each epoch."""
    arguments = argparse.ArgumentParser(description="The tutorials' CNN in Keras.")
    arguments.add_argument("--processed", required=True, type=Path, help="folder of the shards of one recipe")
    arguments.add_argument("--epochs", type=int, default=10)
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    keras.utils.set_random_seed(options.seed)
    images, labels = read_split(options.processed, "train")
    validation, truth = read_split(options.processed, "validation")
    network = tutorial_network()
    epochs = []
    for _ in range(options.epochs):
        start, start_cpu = time.perf_counter(), time.process_time()
        network.fit(images, labels, batch_size=BATCH, epochs=1, verbose=0)
        seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
        auc = area_under_curve(truth[:, 0], network.predict(validation, verbose=0)[:, 0])
        epochs.append({"seconds": seconds, "cpuSeconds": cpu, "auc": auc})
    print(json.dumps({"images": len(images), "parameters": network.count_params(), "epochs": epochs}))


if __name__ == "__main__":
    main()
