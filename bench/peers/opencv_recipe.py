"""The pixel recipe by OpenCV: what a user of it would write in place of runtime/imaging/recipe.ts.

The same steps from a page to the model's input. The arithmetic is OpenCV's own, so the pixels are close to the
project's and not equal to them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

SIDE = 128
CHANNELS = 3
SEARCH_SIDE = 256
"""Longest side of the grid on which the foreground is searched, cells."""
FRAME_LOW, FRAME_HIGH, FOREGROUND = 0.01, 0.99, 0.12
"""Percentiles of the frame, and where between them the foreground begins."""
SMOOTHING = 5
SPECK = 0.1
SMALLEST_BOX = 0.1
MARGIN = 0.02
CROP_LOW, CROP_HIGH = 0.01, 0.995

Pixels = npt.NDArray[Any]


def percentiles(image: Pixels, low: float, high: float, above: float = -1.0) -> tuple[int, int]:
    """Give two percentiles (shares of 1) of a grey picture; the high one of the values above `above` only."""
    bins = 256 if image.dtype == np.uint8 else 65536
    histogram = cv2.calcHist([image], [0], None, [bins], [0, bins]).ravel().astype(np.int64)
    black = int(np.searchsorted(np.cumsum(histogram), low * (image.size - 1), side="right"))
    if above >= 0:
        histogram[: int(above) + 1] = 0
    seen = np.cumsum(histogram)
    white = int(np.searchsorted(seen, high * (int(seen[-1]) - 1), side="right")) if seen[-1] > 0 else black
    return black, white


def find_foreground(image: Pixels) -> tuple[int, int, int, int, float]:
    """Give left, top, right and bottom of the head, pixels, and the threshold that separates it from the air."""
    height, width = image.shape
    low, high = percentiles(image, FRAME_LOW, FRAME_HIGH)
    if high <= low:
        low, high = int(image.min()), int(image.max())
    threshold = low + FOREGROUND * (high - low)
    cell = -(-max(width, height) // SEARCH_SIDE)
    grid = image
    if cell > 1:
        grid = cv2.resize(image, (-(-width // cell), -(-height // cell)), interpolation=cv2.INTER_AREA)
    above = (grid > threshold).view(np.uint8)
    # The median of zeros and ones, four times as fast as cv2.medianBlur.
    counts = cv2.boxFilter(above, -1, (SMOOTHING, SMOOTHING), normalize=False)
    mask = (counts > SMOOTHING**2 // 2).view(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    regions = stats[1:]
    frame = (0, 0, width, height, threshold)
    if len(regions) == 0:
        return frame
    areas = regions[:, cv2.CC_STAT_AREA]
    kept = regions[areas >= SPECK * areas.max()]
    left, top = kept[:, :2].min(axis=0) * cell
    right, bottom = (kept[:, :2] + kept[:, 2:4]).max(axis=0) * cell
    right, bottom = min(width, right), min(height, bottom)
    if right - left < SMALLEST_BOX * width or bottom - top < SMALLEST_BOX * height:
        return frame
    margin = int(np.ceil(MARGIN * max(right - left, bottom - top)))
    return (
        max(0, int(left) - margin),
        max(0, int(top) - margin),
        min(width, int(right) + margin),
        min(height, int(bottom) + margin),
        threshold,
    )


class Fitted(NamedTuple):
    """One grey page in the model's square, and where it came from."""

    square: Pixels
    """128 x 128, uint8."""
    crop: tuple[int, int, int, int]
    """Left, top, right and bottom of what was kept of the page, pixels."""
    pads: tuple[int, int]
    """Black columns on the left and black rows on top of it in the square."""


def fit(image: Pixels) -> Fitted:
    """Crop, fit and window one grey page (8 or 16 bits)."""
    left, top, right, bottom, threshold = find_foreground(image)
    crop = np.ascontiguousarray(image[top:bottom, left:right])
    low, high = percentiles(crop, CROP_LOW, CROP_HIGH, threshold)
    longest = max(crop.shape)
    width, height = (max(2, 2 * round(side * SIDE / (2 * longest))) for side in (crop.shape[1], crop.shape[0]))
    how = cv2.INTER_AREA if longest >= SIDE else cv2.INTER_LINEAR
    fitted = cv2.resize(crop, (width, height), interpolation=how)
    gain = 255.0 / max(1, high - low)
    levels = cv2.convertScaleAbs(np.maximum(fitted, low), alpha=gain, beta=-low * gain)
    x, y = (SIDE - width) // 2, (SIDE - height) // 2
    square = cv2.copyMakeBorder(levels, y, SIDE - height - y, x, SIDE - width - x, cv2.BORDER_CONSTANT, value=[0.0])
    return Fitted(square, (left, top, right, bottom), (x, y))


def prepare(image: Pixels) -> Pixels:
    """Crop, fit and window one grey page (8 or 16 bits) to 128 x 128 x 3, uint8."""
    result: Pixels = cv2.cvtColor(fit(image).square, cv2.COLOR_GRAY2BGR)
    return result
