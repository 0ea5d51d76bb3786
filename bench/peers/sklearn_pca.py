"""Principal components by scikit-learn on one machine: the measure for the speed and the result of our own.

Reads the shards of a workspace, takes one channel of the training images and fits StandardScaler and PCA with each of
two solvers. Compares the first components with each fit that is stored. Prints one line of JSON: `images`, and for each
solver `seconds` and `cpuSeconds` (standardising, fitting and the scores of all images; not the reading) and `angles`:
by the method of a stored fit, the largest principal angle between the two subspaces in degrees.
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
    for file in sorted(processed.glob("part-*.parquet")):
        table = pq.read_table(file, columns=["pixels", "split", "channels"])
        for content, split, channels in zip(*(column.to_pylist() for column in table.columns), strict=True):
            pixels.append(np.frombuffer(content, np.uint8)[::channels])
            training.append(split == "train")
    if not pixels:
        raise SystemExit(f"There is no image in {processed}: name the folder of one recipe.")
    return np.stack(pixels).astype(np.float32), np.array(training)


def stored_components(artifacts: Path) -> dict[str, Floats]:
    """Give the components stored below a folder, a row each, by method. Raises FileNotFoundError if there are none."""
    files = sorted(artifacts.glob("pca-*/arrays-*.npz"))
    if not files:
        raise FileNotFoundError(f"No principal components are stored in {artifacts}.")
    methods = [json.loads((file.parent / "metadata.json").read_text())["method"]["name"] for file in files]
    return {method: np.load(file)["components"] for method, file in zip(methods, files, strict=True)}


def main() -> None:
    """Fit with both solvers and compare."""
    arguments = argparse.ArgumentParser(description="Principal components by scikit-learn.")
    arguments.add_argument("--processed", required=True, type=Path, help="folder of the shards of one recipe")
    arguments.add_argument("--artifacts", required=True, type=Path, help="folder of the stored components")
    arguments.add_argument("--components", type=int, default=64)
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    pixels, training = read_shards(options.processed)
    reference = stored_components(options.artifacts)
    compared = min(COMPARED, *(len(components) for components in reference.values()))
    fits = []
    for solver in SOLVERS:
        start, cpu_start = time.perf_counter(), time.process_time()
        scaler = StandardScaler().fit(pixels[training])
        standardised = scaler.transform(pixels[training])
        components = min(options.components, *(side - 1 for side in standardised.shape))
        pca = PCA(components, svd_solver=solver, random_state=options.seed).fit(standardised)
        pca.transform(scaler.transform(pixels))
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
        found = pca.components_[:compared].T.astype(np.float64)
        angles = {
            method: float(np.degrees(subspace_angles(found, components[:compared].T).max()))
            for method, components in reference.items()
        }
        fits.append({"solver": solver, "seconds": seconds, "cpuSeconds": cpu_seconds, "angles": angles})
    print(json.dumps({"images": int(training.sum()), "fits": fits}))


if __name__ == "__main__":
    main()
