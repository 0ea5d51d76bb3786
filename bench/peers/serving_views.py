"""What a model is shown of a picture, and its maps brought back over the picture: runtime/model/views.ts with NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from opencv_recipe import SIDE, Pixels


class Views:
    """Mirrorings of a square at some extents; a bilinear resize is a product with one matrix a side."""

    def __init__(self, views: list[dict[str, Any]]) -> None:
        """Take views as runtime/model/views.ts has them: axes of [n, rows, columns, channels], side seen."""
        self.views = [(tuple(axis - 1 for axis in view["mirror"]), float(view["extent"])) for view in views]
        self.shown = {extent: resize_matrix(SIDE, extent, mirrored=False) for _, extent in self.views}
        self.back: dict[tuple[int, float], Pixels] = {}

    def show(self, plane: Pixels) -> Pixels:
        """Give all views [n, 128, 128] of a plane [128, 128], float32."""
        sized = {extent: matrix @ plane @ matrix.T for extent, matrix in self.shown.items()}
        return np.stack([np.flip(sized[extent], axes) for axes, extent in self.views])

    def mean_map(self, maps: Pixels) -> Pixels:
        """Bring maps [n, rows, rows] of the views back over the picture, and give their mean."""
        total = np.zeros(maps.shape[1:], np.float32)
        for (axes, extent), shown in zip(self.views, maps, strict=True):
            if (len(shown), extent) not in self.back:
                self.back[len(shown), extent] = resize_matrix(len(shown), 1 / extent, mirrored=True)
            matrix = self.back[len(shown), extent]
            total += matrix @ np.flip(shown, axes) @ matrix.T
        return total / np.float32(len(maps))


def resize_matrix(side: int, extent: float, *, mirrored: bool) -> Pixels:
    """Give the matrix that reads a line at `centre + (i - centre) x extent`; past its ends black, or mirrored."""
    matrix = np.zeros((side, side), np.float32)
    centre = (side - 1) / 2
    for row in range(side):
        place = centre + (row - centre) * extent
        if not mirrored and not 0 <= place <= side - 1:
            continue
        before = int(np.floor(place))
        for column, share in ((before, before + 1 - place), (before + 1, place - before)):
            mirror = -1 - column if column < 0 else 2 * side - 1 - column if column >= side else column
            matrix[row, min(side - 1, max(0, mirror))] += np.float32(share)
    return matrix
