"""The network of runtime/train/architecture.ts in Keras, built out of its stages, and a model's own weights for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers


class Trunk(NamedTuple):
    """All of the network but the unit that answers."""

    scan: Any
    """[n, 128, 128, 3], 0 to 1."""
    features: Any
    """[n, rows, columns, channels]"""
    evidence: Any
    """[n, 2 channels + 1]: mean and maximum of the features, and the peak of the lesion map."""


def product_trunk(stages: list[dict[str, Any]], epsilon: float) -> Trunk:
    """Build it, with the names that the product gives its layers."""
    scan = keras.Input((128, 128, 3))
    features = before = scan
    for index, stage in enumerate(stages):
        values = layers.Conv2D(
            stage["channels"],
            stage["kernel"],
            strides=stage["stride"],
            padding="same",
            use_bias=False,
            name=f"convolution{index}",
        )(features)
        if stage.get("pool") == "convolution":
            values = layers.MaxPooling2D(2, padding="same")(values)
        values = layers.BatchNormalization(epsilon=epsilon, name=f"normalization{index}")(values)
        if stage.get("shortcut"):
            values = layers.Add()([values, before])
        values = layers.ReLU()(values)
        if stage.get("pool") == "activation":
            values = layers.MaxPooling2D(2, padding="same")(values)
        before, features = features, values
    peak = layers.GlobalMaxPooling2D()(layers.Dense(1, name="lesions")(features))
    evidence = [layers.GlobalAveragePooling2D()(features), layers.GlobalMaxPooling2D()(features), peak]
    return Trunk(scan, features, layers.Concatenate()(evidence))


def answering_network(stages: list[dict[str, Any]], epsilon: float, model: Path) -> Any:
    """Give a network that answers with log odds [n, 1] and signed Grad-CAM [n, rows, columns, 1] in one pass.

    The map has a closed form: the spatial mean of the logit's gradient is the same for every picture, so the map is one
    more weighted sum of the features at each place. See runtime/tensorflow/export.ts.

    Raises ValueError if the model's network is another one.
    """
    scan, features, evidence = product_trunk(stages, epsilon)
    logit = layers.Dense(1, name="probability")(evidence)
    saliency = layers.Dense(1, use_bias=False, name="map")(features)
    network = keras.Model(scan, [logit, saliency])
    weights = read_weights(model)
    for layer in network.layers:
        names = [f"{layer.name}/{variable.name}" for variable in layer.weights if layer.name != "map"]
        missing = [name for name in names if name not in weights]
        if missing:
            raise ValueError(f"{model} has no {', '.join(missing)}: its network is not built of the product's stages.")
        if names:
            layer.set_weights([weights.pop(name) for name in names])
    if weights:
        raise ValueError(f"{model} has {', '.join(weights)} too: its network is not built of the product's stages.")
    kernel = network.get_layer("probability").get_weights()[0]
    lesions = network.get_layer("lesions").get_weights()[0]
    channels, (_, rows, columns, _) = len(lesions), features.shape
    gradient = kernel[:channels] + kernel[channels : 2 * channels] + kernel[-1] * lesions
    network.get_layer("map").set_weights([gradient / (rows * columns)])
    return network


def read_weights(model: Path) -> dict[str, Any]:
    """Read weights of TensorFlow.js by their names, such as `convolution0/kernel`."""
    manifest = json.loads((model / "model.json").read_text())["weightsManifest"]
    values: dict[str, Any] = {}
    for group in manifest:
        data = b"".join((model / path).read_bytes() for path in group["paths"])
        start = 0
        for weight in group["weights"]:
            count = int(np.prod(weight["shape"]))
            values[weight["name"]] = np.frombuffer(data, np.float32, count, start).reshape(weight["shape"])
            start += 4 * count
    return values
