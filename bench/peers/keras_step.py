"""What a training step takes in Keras, for the tutorials' CNN and for the product's network.

Trains on one batch of invented images, again and again. Prints one line of JSON: a list with `network`, `parameters`,
and `milliseconds` and `cpuMilliseconds` of a step.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from keras_tutorial_cnn import BATCH, LEARNING_RATE, tutorial_network
from product_network import product_trunk

WARM_UP_STEPS = 5


def product_network(stages: list[dict[str, Any]], epsilon: float) -> Any:
    """Build the product's network with a sigmoid, compiled; the label's loss alone."""
    scan, _, evidence = product_trunk(stages, epsilon)
    probability = layers.Dense(1, activation="sigmoid")(evidence)
    network = keras.Model(scan, probability)
    network.compile(optimizer=keras.optimizers.AdamW(LEARNING_RATE), loss="binary_crossentropy")
    return network


def measure(name: str, network: Any, steps: int) -> dict[str, Any]:
    """Time steps on a batch that is ready in memory."""
    random = np.random.default_rng(0)
    images = tf.constant(random.random((BATCH, 128, 128, 3), np.float32))
    labels = tf.constant((np.arange(BATCH) % 2).astype(np.float32)[:, None])
    batches = tf.data.Dataset.from_tensors((images, labels)).repeat()
    network.fit(batches, steps_per_epoch=WARM_UP_STEPS, verbose=0)
    start, start_cpu = time.perf_counter(), time.process_time()
    network.fit(batches, steps_per_epoch=steps, verbose=0)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    return {
        "network": name,
        "parameters": network.count_params(),
        "milliseconds": 1000 * seconds / steps,
        "cpuMilliseconds": 1000 * cpu / steps,
    }


def main() -> None:
    """Measure both networks."""
    arguments = argparse.ArgumentParser(description="A training step in Keras.")
    arguments.add_argument("--stages", required=True, type=json.loads, help="of the product's network, as JSON")
    arguments.add_argument("--epsilon", required=True, type=float, help="of its batch normalisation")
    arguments.add_argument("--steps", type=int, default=20)
    options = arguments.parse_args()
    networks = {"tutorial": tutorial_network(), "product": product_network(options.stages, options.epsilon)}
    print(json.dumps([measure(name, network, options.steps) for name, network in networks.items()]))


if __name__ == "__main__":
    main()
