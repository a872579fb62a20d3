"""nibabel counts in RAS and columns first: the patient must not be mirrored on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nibabel
import numpy as np
import pytest

from medimg.bridges import from_nibabel, to_nibabel
from medimg.errors import GeometryError
from medimg.values import Grid, Mask, Volume

if TYPE_CHECKING:
    from pathlib import Path

TURN = np.array([[0.0, 0.6, 0.8], [0.0, 0.8, -0.6], [-1.0, 0.0, 0.0]])


def grid_of(*, sheared: bool) -> Grid:
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = TURN @ np.diag([2.5, 0.7, 0.9]), (10, -20, 300)
    if sheared:
        affine[:3, 0] += 0.4 * affine[:3, 1]
    return Grid((3, 4, 5), affine)


def numbered(grid: Grid) -> np.ndarray:
    return np.arange(60, dtype=np.int16).reshape(grid.shape)


@pytest.mark.parametrize("sheared", [False, True])
def test_nibabel_places_each_voxel_at_the_same_point(sheared: bool) -> None:
    grid = grid_of(sheared=sheared)
    image = to_nibabel(Volume(array=numbered(grid), grid=grid))
    for index in ((0, 0, 0), (2, 3, 4), (1, 0, 3)):
        right, anterior, superior = nibabel.affines.apply_affine(image.affine, index[::-1])
        assert (-right, -anterior, superior) == pytest.approx(tuple(grid.to_mm(index)))
        assert image.dataobj[index[::-1]] == numbered(grid)[index]


def test_the_axes_are_named_as_nibabel_names_them() -> None:
    grid = Grid.straight((3, 4, 5), spacing_mm=(1, 1, 1))
    image = to_nibabel(Volume(array=numbered(grid), grid=grid))
    assert nibabel.aff2axcodes(image.affine) == ("L", "P", "S")  # columns, rows, slices of an SPL grid


@pytest.mark.parametrize("sheared", [False, True])
def test_a_volume_comes_back_equal_also_through_a_file(sheared: bool, tmp_path: Path) -> None:
    grid = grid_of(sheared=sheared)
    path = tmp_path / "scan.nii"
    nibabel.save(to_nibabel(Volume(array=numbered(grid), grid=grid)), path)
    array, back = from_nibabel(nibabel.load(path))
    assert array.dtype == np.int16
    np.testing.assert_array_equal(array, numbered(grid))
    assert back.fits(grid)


def test_a_straight_grid_has_both_forms_and_a_sheared_one_only_the_one_that_can_hold_it() -> None:
    straight, sheared = (
        to_nibabel(Volume(array=np.zeros((3, 4, 5), np.int16), grid=grid_of(sheared=way))) for way in (False, True)
    )
    assert (straight.header["sform_code"], straight.header["qform_code"]) == (1, 1)
    np.testing.assert_allclose(straight.get_qform(), straight.affine, atol=1e-4)
    assert (sheared.header["sform_code"], sheared.header["qform_code"]) == (1, 0)
    assert straight.header.get_xyzt_units()[0] == "mm"


def test_a_mask_keeps_its_labels() -> None:
    grid = grid_of(sheared=False)
    array, _ = from_nibabel(to_nibabel(Mask(array=numbered(grid).astype(np.uint8), grid=grid)))
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, numbered(grid))


def test_a_fourth_axis_of_one_is_dropped_and_a_longer_one_refused() -> None:
    array, grid = from_nibabel(nibabel.Nifti1Image(np.zeros((5, 4, 3, 1), np.int16), np.eye(4)))
    assert array.shape == grid.shape == (3, 4, 5)
    with pytest.raises(GeometryError, match="not three axes"):
        from_nibabel(nibabel.Nifti1Image(np.zeros((5, 4, 3, 2), np.int16), np.eye(4)))
