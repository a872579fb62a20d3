"""Where a voxel lies; what holds for every grid is in tests/properties/test_grid.py."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.errors import GeometryError
from medimg.values import Grid


def axial() -> Grid:
    return Grid.straight((3, 4, 5), spacing_mm=(2.5, 0.5, 0.7), origin_mm=(-10, -20, 30), frame_of_reference="1.2.3")


def test_slices_go_up_rows_back_and_columns_to_the_left() -> None:
    grid = axial()
    assert grid.to_mm((1, 0, 0)) == pytest.approx((-10, -20, 32.5))
    assert grid.to_mm((0, 1, 0)) == pytest.approx((-10, -19.5, 30))
    assert grid.to_mm((0, 0, 1)) == pytest.approx((-9.3, -20, 30))
    assert grid.axis_codes == "SPL"


def test_many_points_at_once_are_as_one_by_one() -> None:
    grid = axial()
    points = grid.to_mm(np.zeros((2, 6, 3)))
    assert points.shape == (2, 6, 3)
    assert grid.to_index(points) == pytest.approx(np.zeros((2, 6, 3)))


def test_a_slice_of_dicom_is_placed_as_the_standard_says() -> None:
    """PS3.3 C.7.6.2.1.1: P = position + column spacing * (row cosines) * j + row spacing * (column cosines) * i."""
    position, row_cosines, column_cosines = np.array([-120.0, 35, 88]), np.array([0, 1.0, 0]), np.array([0, 0, -1.0])
    affine = np.eye(4)
    affine[:3, 0] = 3.0 * np.cross(row_cosines, column_cosines)
    affine[:3, 1] = 0.9 * column_cosines
    affine[:3, 2] = 0.8 * row_cosines
    affine[:3, 3] = position
    grid = Grid((2, 5, 6), affine)
    assert grid.to_mm((0, 2, 3)) == pytest.approx(position + 0.8 * row_cosines * 3 + 0.9 * column_cosines * 2)
    assert grid.axis_codes == "RIP"  # sagittal


def test_voxels_of_a_tilted_gantry_keep_their_volume() -> None:
    affine = axial().affine.copy()
    affine[1, 0] = 2.5 * np.tan(np.deg2rad(20))  # slices shifted, 2.5 mm apart as before
    grid = Grid((3, 4, 5), affine)
    assert grid.voxel_volume_mm3 == pytest.approx(2.5 * 0.5 * 0.7)
    assert not grid.is_straight
    assert grid.describe().endswith("sheared")
    with pytest.raises(GeometryError, match=r"gaussian needs straight axes.*tilted gantry.*medimg\.resample"):
        grid.require_straight("gaussian")


def test_size_is_from_outer_edge_to_outer_edge() -> None:
    assert axial().size_mm == pytest.approx((7.5, 2.0, 3.5))


def test_a_point_is_in_the_grid_up_to_the_outer_edge_of_its_voxels() -> None:
    grid = axial()
    assert grid.contains(grid.to_mm((-0.49, 0, 0)))
    assert not grid.contains(grid.to_mm((-0.51, 0, 0)))
    assert grid.contains(grid.to_mm((2.49, 3.49, 4.49)))
    assert not grid.contains(grid.to_mm((0, 0, 4.51)))


def test_grids_are_equal_by_place_and_not_by_float_noise() -> None:
    grid = axial()
    assert grid == Grid(grid.shape, grid.affine.astype(np.float32), frame_of_reference="1.2.3")
    assert grid != Grid.straight((3, 4, 5), spacing_mm=(2.5, 0.5, 0.71), origin_mm=(-10, -20, 30))
    assert grid != Grid.straight((4, 4, 5), spacing_mm=(2.5, 0.5, 0.7), origin_mm=(-10, -20, 30))
    assert grid != "a grid"


def test_grids_of_two_frames_of_reference_never_fit_and_an_unknown_one_is_no_obstacle() -> None:
    grid = axial()
    assert not grid.fits(Grid(grid.shape, grid.affine, frame_of_reference="4.5.6"))
    assert grid.fits(Grid(grid.shape, grid.affine))
    with pytest.raises(GeometryError, match="the mask lies on another grid"):
        grid.require_fit(grid.flip(0), "the mask")


def test_a_grid_cannot_be_changed() -> None:
    grid = axial()
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 3] = 5
    with pytest.raises(AttributeError):
        grid.shape = (1, 1, 1)  # type: ignore[misc]


def test_what_was_given_may_change_afterwards() -> None:
    affine = np.eye(4)
    grid = Grid((1, 1, 1), affine)
    affine[0, 3] = 99
    assert grid.origin_mm == (0, 0, 0)


@pytest.mark.parametrize("shape", [(0, 1, 1), (1, 1), (1, 1, 1, 1), (-3, 4, 5)])
def test_a_shape_without_voxels_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(GeometryError, match="has no voxels"):
        Grid(shape, np.eye(4))  # type: ignore[arg-type]


@pytest.mark.parametrize("entry", [np.nan, np.inf])
def test_an_affine_that_is_not_finite_is_refused(entry: float) -> None:
    affine = np.eye(4)
    affine[0, 3] = entry
    with pytest.raises(GeometryError, match="not 4 x 4, finite"):
        Grid((1, 1, 1), affine)


@pytest.mark.parametrize("columns", [((1, 0, 0), (1, 0, 0), (0, 0, 1)), ((0, 0, 0), (0, 1, 0), (0, 0, 1))])
def test_axes_without_a_volume_are_refused(columns: tuple[tuple[float, ...], ...]) -> None:
    affine = np.eye(4)
    affine[:3, :3] = np.transpose(columns)
    with pytest.raises(GeometryError, match=r"lie in one plane|no sizes of voxels"):
        Grid((1, 1, 1), affine)


def test_a_grid_as_json_says_the_same() -> None:
    written = axial().to_dict()
    assert written["shape"] == [3, 4, 5]
    assert written["origin_mm"] == [-10, -20, 30]
    assert np.array(written["affine"]) == pytest.approx(axial().affine)
    assert (written["axis_codes"], written["straight"]) == ("SPL", True)


@pytest.mark.parametrize("angle", [0.0, 44.0, -44.0])
def test_oblique_axes_are_named_by_the_nearest_direction(angle: float) -> None:
    turn = np.deg2rad(angle)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, -np.sin(turn), np.cos(turn)], [0, np.cos(turn), np.sin(turn)], [1, 0, 0]])
    assert Grid((1, 1, 1), affine).axis_codes == "SPL"


def test_no_direction_is_named_twice() -> None:
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0.7, 0.6, 0.4], [0.7, -0.5, 0.5], [0.1, 0.6, -0.8]])
    assert sorted(letter.translate(str.maketrans("RAI", "LPS")) for letter in Grid((1, 1, 1), affine).axis_codes) == [
        "L",
        "P",
        "S",
    ]
