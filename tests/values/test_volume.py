"""A volume holds its numbers exactly and never changes."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.errors import GeometryError
from medimg.values import Grid, Volume

GRID = Grid.straight((1, 2, 3), spacing_mm=(1, 1, 1))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.int16, np.int16),
        (np.uint8, np.int16),
        (np.int64, np.int16),
        (bool, np.int16),
        (np.float32, np.float32),
        (np.float64, np.float32),
    ],
)
def test_whole_numbers_that_fit_are_int16_and_the_rest_float32(given: type, kept: type) -> None:
    array = np.array([[[0, 1, 0], [1, 0, 1]]], dtype=given)
    volume = Volume(array=array, grid=GRID)
    assert volume.array.dtype == kept
    np.testing.assert_array_equal(volume.array, array)


@pytest.mark.parametrize("extreme", [32768, -32769, 70_000])
def test_numbers_that_int16_cannot_hold_do_not_wrap_round(extreme: int) -> None:
    volume = Volume(array=np.full(GRID.shape, extreme, np.int32), grid=GRID)
    assert volume.array.dtype == np.float32
    assert (volume.array == extreme).all()


def test_an_array_that_does_not_fit_its_grid_is_refused() -> None:
    with pytest.raises(GeometryError, match=r"\(1, 3, 2\) does not fit a grid of \(1, 2, 3\)"):
        Volume(array=np.zeros((1, 3, 2), np.int16), grid=GRID)


def test_voxels_cannot_be_written() -> None:
    volume = Volume(array=np.zeros(GRID.shape, np.int16), grid=GRID)
    with pytest.raises(ValueError, match="read-only"):
        volume.array[0, 0, 0] = 1


def test_a_large_array_is_not_copied() -> None:
    array = np.zeros(GRID.shape, np.int16)
    assert np.shares_memory(Volume(array=array, grid=GRID).array, array)


def test_a_step_returns_another_volume_and_leaves_its_name() -> None:
    volume = Volume(array=np.zeros(GRID.shape, np.int16), grid=GRID, modality="CT", unit="HU")
    once = volume.with_array(volume.array + 1, step="add", by_hu=1)
    moved = once.with_grid(once.array[:, :1], GRID.crop((0, 0, 0), (1, 1, 3)), step="cut")
    assert volume.history == ()
    assert moved.history == ("add(by_hu=1)", "cut()")
    assert (moved.modality, moved.unit, moved.shape) == ("CT", "HU", (1, 1, 3))
    assert volume.with_array(volume.array).history == ()


def test_it_describes_itself_in_one_line() -> None:
    volume = Volume(array=np.zeros(GRID.shape, np.int16), grid=GRID, modality="CT", unit="HU")
    assert volume.describe() == "CT, 1 x 2 x 3 voxels of 1 x 1 x 1 mm, SPL, HU"
    assert Volume(array=volume.array, grid=GRID).describe().startswith("image, ")
