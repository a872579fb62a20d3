"""The overview puts each finding where it lies in the chest."""

from __future__ import annotations

import io

import numpy as np
import pytest

from medimg.drawing import draw_overview
from medimg.values import Volume
from tests.builders.study import balls, grid_of

WAYS = {
    "axial": ((0, 0, 1), (0, 1, 0), (1, 0, 0)),
    "head first to feet": ((0, 0, -1), (0, 1, 0), (1, 0, 0)),
    "prone": ((0, 0, 1), (0, -1, 0), (-1, 0, 0)),
    "sagittal": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "coronal": ((0, 1, 0), (0, 0, -1), (1, 0, 0)),
}


@pytest.mark.parametrize("directions", WAYS.values(), ids=WAYS)
def test_a_ring_is_drawn_around_the_ball_it_names(directions):
    from PIL import Image

    grid = grid_of(shape=(60, 60, 60), spacing_mm=(2, 2, 2), directions=directions, center=(0, 0, 0))
    place = (30.0, 10.0, 36.0)  # left, up
    ball = balls(grid, [(place, 9.0)]).array
    volume = Volume(array=np.where(ball > 0, 250, -900).astype(np.int16), grid=grid, unit="HU")
    image = np.asarray(Image.open(io.BytesIO(draw_overview(volume, [("", place)], size_px=300)))).astype(int)
    ring = np.argwhere((image[..., 0] > 240) & (image[..., 2] < 60) & (image[..., 1] > 150))
    white = np.argwhere((image > 150).all(axis=-1)[30:270, 30:270]) + 30
    assert ring.mean(axis=0) == pytest.approx(white.mean(axis=0), abs=4)
    assert ring.mean(axis=0)[::-1] == pytest.approx((150 + 30 * 2.5, 150 - 36 * 2.5), abs=4)


def test_a_slab_of_a_few_slices_is_not_hidden_by_its_letters():
    from PIL import Image

    grid = grid_of(shape=(5, 60, 60), spacing_mm=(2, 2, 2), center=(0, 0, 0))
    volume = Volume(array=np.zeros(grid.shape, dtype=np.int16), grid=grid, unit="HU")
    image = Image.open(io.BytesIO(draw_overview(volume, [("1", (0, 0, 0))], size_px=300)))
    assert image.size == (300, 100)
