"""The three ways in which the peers of `npm run bench -- serve` compute log odds and maps of a batch of views."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from opencv_recipe import Pixels

Engine = Callable[[Pixels], tuple[Pixels, Pixels]]
"""From views [n, 128, 128], 0 to 1, to log odds [n] and maps [n, rows, columns]."""


def keras_predict(configuration: dict[str, Any]) -> Engine:
    """Call `predict`, as most do who serve a Keras model."""
    network = keras_network(configuration)

    def answer(views: Pixels) -> tuple[Pixels, Pixels]:
        logits, maps = network.predict(replicate(views), batch_size=len(views), verbose=0)
        return logits[:, 0], maps[..., 0]

    return answer


def keras_function(configuration: dict[str, Any]) -> Engine:
    """Call a concrete function of TensorFlow, traced once for the batch.

    Measured on the product's network: weights frozen into the graph are no quicker, and XLA takes a third longer.
    """
    network = keras_network(configuration)
    import tensorflow as tf

    batch = tf.TensorSpec((len(configuration["views"]), 128, 128, 3), tf.float32)
    compiled = tf.function(lambda scans: network(scans, training=False)).get_concrete_function(batch)

    def answer(views: Pixels) -> tuple[Pixels, Pixels]:
        logits, maps = compiled(tf.constant(replicate(views)))
        return logits.numpy()[:, 0], maps.numpy()[..., 0]

    return answer


def onnx(configuration: dict[str, Any]) -> Engine:
    """Run the model's own `model.onnx`, one thread a session."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(Path(configuration["model"]) / "model.onnx", options)

    def answer(views: Pixels) -> tuple[Pixels, Pixels]:
        logits, maps = session.run(["logit", "map"], {"scan": views[:, None]})
        return logits[:, 0], maps[:, 0]

    return answer


ENGINES: dict[str, Callable[[dict[str, Any]], Engine]] = {
    "keras-predict": keras_predict,
    "keras-function": keras_function,
    "onnxruntime": onnx,
}


def keras_network(configuration: dict[str, Any]) -> Any:
    """Build the product's network with the model's weights, one thread of TensorFlow's a process."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from product_network import answering_network

    return answering_network(configuration["stages"], configuration["epsilon"], Path(configuration["model"]))


def replicate(views: Pixels) -> Pixels:
    """Give the three equal channels that the network was trained on."""
    import numpy as np

    return np.repeat(views[..., None], 3, axis=3)
