"""Smoothing by millimetres, against what a Gaussian must do."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.errors import GeometryError, OptionError
from medimg.preprocessing import gaussian
from medimg.values import Grid, Volume

GRID = Grid.straight((21, 41, 31), spacing_mm=(2.0, 0.7, 1.0))


def test_a_point_becomes_a_gaussian_of_that_width_in_the_patient() -> None:
    array = np.zeros(GRID.shape, np.float32)
    array[10, 20, 15] = 1
    smooth = gaussian(Volume(array=array, grid=GRID), sigma_mm=2.5).array.astype(float)
    points = GRID.to_mm(np.moveaxis(np.indices(GRID.shape), 0, -1)) - GRID.to_mm((10, 20, 15))
    assert smooth.sum() == pytest.approx(1, abs=1e-4)
    for axis in range(3):
        assert np.sqrt((smooth * points[..., axis] ** 2).sum()) == pytest.approx(2.5, rel=0.02)


def test_a_gaussian_widens_by_the_squares() -> None:
    points = GRID.to_mm(np.moveaxis(np.indices(GRID.shape), 0, -1)) - GRID.to_mm((10, 20, 15))
    away = (points**2).sum(axis=-1)
    blob = Volume(array=(100 * np.exp(-away / (2 * 3.0**2))).astype(np.float32), grid=GRID)
    # 3 mm and 2 mm give sqrt(13) mm, and the height goes with the inverse cube of the width
    wanted = 100 * (3.0 / np.sqrt(13)) ** 3 * np.exp(-away / (2 * 13))
    inside = (slice(5, 16), slice(8, 33), slice(8, 23))  # away from the edges
    np.testing.assert_allclose(gaussian(blob, sigma_mm=2.0).array[inside], wanted[inside], atol=0.5)


def test_a_constant_stays_and_whole_numbers_become_float() -> None:
    smooth = gaussian(
        Volume(array=np.full((1, 5, 5), -700, np.int16), grid=Grid.straight((1, 5, 5), spacing_mm=(1, 1, 1)), unit="HU"),
        sigma_mm=3,
    )
    np.testing.assert_allclose(smooth.array, -700, atol=1e-3)
    assert smooth.array.dtype == np.float32
    assert smooth.unit == "HU"


@pytest.mark.parametrize("sigma", [0, -1, float("nan")])
def test_a_width_that_is_none_is_refused(sigma: float) -> None:
    with pytest.raises(OptionError, match="sigma_mm"):
        gaussian(Volume(array=np.zeros(GRID.shape, np.float32), grid=GRID), sigma_mm=sigma)


def test_a_sheared_grid_is_refused() -> None:
    affine = np.eye(4)
    affine[1, 0] = 0.3
    with pytest.raises(GeometryError, match="gaussian needs straight axes"):
        gaussian(Volume(array=np.zeros((2, 2, 2), np.int16), grid=Grid((2, 2, 2), affine)), sigma_mm=1)
