"""The views of the serving peers are those of runtime/model/views.ts."""

import numpy as np

from serving_views import Views, resize_matrix

MIRRORS: list[list[int]] = [[], [2], [1], [1, 2]]


def at(extent: float) -> list[dict[str, object]]:
    return [{"mirror": mirror, "extent": extent} for mirror in MIRRORS]


def test_mirrors_columns_rows_and_both() -> None:
    plane = np.random.default_rng(0).random((128, 128), np.float32)
    shown = Views(at(1)).show(plane)
    for view, expected in zip(shown, (plane, plane[:, ::-1], plane[::-1], plane[::-1, ::-1]), strict=True):
        np.testing.assert_array_equal(view, expected)


def test_sees_the_middle_or_a_black_margin() -> None:
    ramp = np.tile(np.arange(128, dtype=np.float32), (128, 1))
    near, far = Views([*at(0.9)[:1], *at(1.1)[:1]]).show(ramp)
    places = 63.5 + (np.arange(128) - 63.5) * 0.9
    np.testing.assert_allclose(near[64], places, atol=1e-4)
    margin = 63.5 + (np.arange(128) - 63.5) * 1.1
    inside = (margin >= 0) & (margin <= 127)
    assert not far[64][~inside].any()
    np.testing.assert_allclose(far[64][inside], margin[inside], atol=1e-4)


def test_brings_maps_back_over_the_picture() -> None:
    saliency = np.random.default_rng(1).random((8, 8), np.float32)
    views = Views(at(1))
    maps = np.stack([saliency, saliency[:, ::-1], saliency[::-1], saliency[::-1, ::-1]])
    np.testing.assert_allclose(views.mean_map(maps), saliency, atol=1e-6)


def test_takes_the_mirror_image_where_a_view_did_not_reach() -> None:
    matrix = resize_matrix(8, 1 / 0.9, mirrored=True)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)
    # The first place lies at -0.389: between the first pixel and its mirror image, which is itself.
    assert matrix[0, 0] == 1
