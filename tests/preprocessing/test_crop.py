"""Cutting out a box."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.errors import GeometryError, OptionError
from medimg.preprocessing import crop
from medimg.values import Code, Grid, Mask, Volume

GRID = Grid.straight((3, 4, 5), spacing_mm=(2.0, 0.5, 0.5), origin_mm=(10, 20, 30))
ARRAY = np.arange(60, dtype=np.int16).reshape(GRID.shape)


def test_a_box_inside_is_the_array_cut() -> None:
    box = crop(Volume(array=ARRAY, grid=GRID, modality="CT", unit="HU"), start=(1, 0, 2), shape=(2, 3, 3))
    np.testing.assert_array_equal(box.array, ARRAY[1:3, 0:3, 2:5])
    assert box.grid.origin_mm == pytest.approx((11, 20, 32))
    assert (box.unit, box.modality) == ("HU", "CT")
    assert box.history == ("crop(start=(1, 0, 2), shape=(2, 3, 3))",)


@pytest.mark.parametrize(("unit", "outside"), [("HU", -1024), ("", 0)])
def test_what_reaches_outside_is_background(unit: str, outside: int) -> None:
    box = crop(Volume(array=ARRAY, grid=GRID, unit=unit), start=(-1, -1, 3), shape=(5, 6, 4))
    wanted = np.pad(ARRAY, 1, constant_values=outside)[:, :, 4:]
    wanted = np.pad(wanted, ((0, 0), (0, 0), (0, 1)), constant_values=outside)
    np.testing.assert_array_equal(box.array, wanted)
    assert box.grid.to_mm((1, 1, 0)) == pytest.approx(GRID.to_mm((0, 0, 3)))


def test_a_mask_is_cropped_with_its_labels() -> None:
    mask = Mask(array=ARRAY > 30, grid=GRID, labels={1: Code("SCT", "39607008", "Lung")})
    box = crop(mask, start=(2, 3, 4), shape=(2, 1, 1))
    assert box.array.ravel().tolist() == [1, 0]
    assert box.labels == mask.labels


def test_the_box_is_a_copy() -> None:
    array = ARRAY.copy()
    box = crop(Volume(array=array, grid=GRID), start=(0, 0, 0), shape=GRID.shape)
    array[0, 0, 0] = 99
    assert box.array[0, 0, 0] == 0


def test_a_box_elsewhere_is_refused() -> None:
    with pytest.raises(GeometryError, match="outside of the scan"):
        crop(Volume(array=ARRAY, grid=GRID), start=(3, 0, 0), shape=(1, 1, 1))


@pytest.mark.parametrize(
    ("start", "shape"), [((0, 0), (1, 1, 1)), ((0, 0, 0.5), (1, 1, 1)), ((0, 0, 0), (1, 0, 1)), ((0, 0, 0), (1, -2, 1))]
)
def test_numbers_that_make_no_box_are_refused(start: tuple[float, ...], shape: tuple[float, ...]) -> None:
    with pytest.raises(OptionError):
        crop(Volume(array=ARRAY, grid=GRID), start=start, shape=shape)  # type: ignore[arg-type]
