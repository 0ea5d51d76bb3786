"""Principal components by scikit-learn on one machine: the measure for the speed and the result of spark/pca.py.

Reads the shards of a workspace, takes one channel of the training images and fits StandardScaler and PCA with each of
two solvers. Compares the first components with those that are stored. Prints one line of JSON: `images`, and for each
solver `seconds` (standardising, fitting and the scores of all images; not the reading) and `angle`, the largest
principal angle between the two subspaces in degrees.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

SOLVERS = ("randomized", "arpack")
COMPARED = 16
"""Leading components whose subspaces are compared."""

Floats = npt.NDArray[Any]


def read_shards(processed: Path) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Give one channel of every image, 0 to 255, a row each (float32), and which rows are of the training split."""
    pixels: list[npt.NDArray[np.uint8]] = []
    training: list[bool] = []
    for file in sorted(processed.glob("*/part-*.parquet")):
        table = pq.read_table(file, columns=["pixels", "split", "channels"])
        for content, split, channels in zip(*(column.to_pylist() for column in table.columns), strict=True):
            pixels.append(np.frombuffer(content, np.uint8)[::channels])
            training.append(split == "train")
    return np.stack(pixels).astype(np.float32), np.array(training)


def stored_components(artifacts: Path) -> Floats:
    """Give the components that are stored below a folder, a row each. Raises FileNotFoundError if there are none."""
    files = sorted(artifacts.glob("pca-*/arrays-*.npz"))
    if not files:
        raise FileNotFoundError(f"No principal components are stored in {artifacts}.")
    components: Floats = np.load(files[0])["components"]
    return components


def main() -> None:
    """Fit with both solvers and compare."""
    arguments = argparse.ArgumentParser(description="Principal components by scikit-learn.")
    arguments.add_argument("--processed", required=True, type=Path, help="folder of the shards, by recipe")
    arguments.add_argument("--artifacts", required=True, type=Path, help="folder of the stored components")
    arguments.add_argument("--components", type=int, default=64)
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    pixels, training = read_shards(options.processed)
    reference = stored_components(options.artifacts)
    compared = min(COMPARED, len(reference))
    fits = []
    for solver in SOLVERS:
        start = time.perf_counter()
        scaler = StandardScaler().fit(pixels[training])
        standardised = scaler.transform(pixels[training])
        components = min(options.components, *(side - 1 for side in standardised.shape))
        pca = PCA(components, svd_solver=solver, random_state=options.seed).fit(standardised)
        pca.transform(scaler.transform(pixels))
        seconds = time.perf_counter() - start
        angle = subspace_angles(pca.components_[:compared].T.astype(np.float64), reference[:compared].T).max()
        fits.append({"solver": solver, "seconds": seconds, "angle": float(np.degrees(angle))})
    print(json.dumps({"images": int(training.sum()), "fits": fits}))


if __name__ == "__main__":
    main()
