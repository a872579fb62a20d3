"""Turning axes: tests/properties/test_grid.py shows that no voxel moves; here is what else a user relies on."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.errors import OptionError
from medimg.preprocessing import orient
from medimg.values import Code, Grid, Mask, Volume

GRID = Grid.straight((2, 3, 4), spacing_mm=(2.5, 0.7, 0.8), origin_mm=(10, 20, 30), frame_of_reference="1.2")
ARRAY = np.arange(24, dtype=np.int16).reshape(GRID.shape)


def test_the_default_is_slices_up_rows_back_columns_left() -> None:
    upside_down = orient(Volume(array=ARRAY, grid=GRID), axis_codes="IAR")
    again = orient(upside_down)
    assert again.grid.axis_codes == "SPL"
    np.testing.assert_array_equal(again.array, ARRAY)


def test_a_sagittal_view_is_the_axes_in_another_order() -> None:
    sagittal = orient(Volume(array=ARRAY, grid=GRID), axis_codes="LSP")
    assert sagittal.grid.spacing_mm == pytest.approx((0.8, 2.5, 0.7))
    np.testing.assert_array_equal(sagittal.array, ARRAY.transpose(2, 0, 1))


def test_a_mask_turns_with_its_labels() -> None:
    labels = {1: Code("SCT", "39607008", "Lung")}
    turned = orient(Mask(array=(ARRAY > 5), grid=GRID, labels=labels), axis_codes="IPL")
    assert isinstance(turned, Mask)
    assert turned.labels == labels
    np.testing.assert_array_equal(turned.array, (ARRAY > 5)[::-1])


def test_unit_frame_and_history_stay() -> None:
    turned = orient(Volume(array=ARRAY, grid=GRID, modality="CT", unit="HU"), axis_codes="LPS")
    assert (turned.unit, turned.modality, turned.grid.frame_of_reference) == ("HU", "CT", "1.2")
    assert turned.history == ("orient(axis_codes=LPS)",)


def test_the_result_lies_in_memory_as_its_axes_say() -> None:
    assert orient(Volume(array=ARRAY, grid=GRID), axis_codes="LAS").array.flags.c_contiguous


@pytest.mark.parametrize("codes", ["", "SP", "SPLA", "SSL", "SIL", "XYZ", "spl"])
def test_codes_that_name_no_three_axes_are_refused(codes: str) -> None:
    with pytest.raises(OptionError, match="axis_codes"):
        orient(Volume(array=ARRAY, grid=GRID), axis_codes=codes)
