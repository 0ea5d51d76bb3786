"""NannyML's estimate of accuracy without labels (CBPE) of the cases on stdin, as JSON on stdout.

For `npm run verify:estimate`. A case: `{"threshold": t, "reference": {"probabilities": [...], "labels": [0, 1, ...]},
"probabilities": [...]}`; labels are 1 for Cancer, and the model says 1 from the threshold on. The answer has an object
a case, in their order: `given` is the estimate with the probabilities as they are, `own` the one with NannyML's own
decision of whether they have to be calibrated anew, `recalibrated` what it decided, `error` its sampling error, which
is one standard error.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from typing import Any

# NannyML tells its maker of every use otherwise.
os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
warnings.simplefilter("ignore")

import nannyml  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from nannyml.calibration import Calibrator, NoopCalibrator  # noqa: E402


def frame(probabilities: list[float], threshold: float, labels: list[int] | None = None) -> pd.DataFrame:
    """Give scans as NannyML takes them: a row a scan."""
    p = np.asarray(probabilities, dtype=np.float64)
    columns: dict[str, Any] = {"p": p, "said": (p >= threshold).astype(int)}
    if labels is not None:
        columns["label"] = labels
    return pd.DataFrame(columns)


def estimated(case: dict[str, Any], calibrator: Calibrator | None) -> tuple[float, float, bool]:
    """Give the estimate of all scans of a case as one chunk, its sampling error, and whether it calibrates anew."""
    threshold, reference = case["threshold"], case["reference"]
    estimator = nannyml.CBPE(
        metrics=["accuracy"],
        y_pred="said",
        y_pred_proba="p",
        y_true="label",
        problem_type="classification_binary",
        chunk_number=1,
        calibrator=calibrator,
    )
    estimator.fit(frame(reference["probabilities"], threshold, reference["labels"]))
    found = estimator.estimate(frame(case["probabilities"], threshold))
    row = found.filter(period="analysis").to_df()["accuracy"].iloc[0]
    return float(row["value"]), float(row["sampling_error"]), bool(estimator.needs_calibration)


def main() -> None:
    """Answer every case."""
    answers = []
    for case in json.load(sys.stdin):
        given, error, _ = estimated(case, NoopCalibrator())
        own, _, recalibrated = estimated(case, None)
        answers.append({"given": given, "own": own, "recalibrated": recalibrated, "error": error})
    json.dump({"version": nannyml.__version__, "answers": answers}, sys.stdout)


if __name__ == "__main__":
    main()
