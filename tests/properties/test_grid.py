"""What holds for every grid: no way of looking at an array moves a point of the patient."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from medimg.errors import GeometryError
from medimg.preprocessing import crop, orient
from medimg.values import Grid, Mask, Volume

SIZES = st.tuples(*[st.integers(1, 6)] * 3)
NUMBERS = st.floats(-400, 400, allow_nan=False)
CODES = [
    "".join(letters)
    for order in permutations(("LR", "PA", "SI"))
    for letters in ((a, b, c) for a in order[0] for b in order[1] for c in order[2])
]
TOLERANCE_MM = 1e-6


@st.composite
def grids(draw: st.DrawFn, *, sheared: bool = True) -> Grid:
    """A grid turned in any way, sheared too unless that is not wanted."""
    angles = [draw(st.floats(-3.1, 3.1)) for _ in range(3)]
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[one, one] = step[other, other] = np.cos(angle)
        step[one, other], step[other, one] = -np.sin(angle), np.sin(angle)
        turn = turn @ step
    shear = np.eye(3)
    if sheared:
        shear[1, 0], shear[2, 0] = draw(st.floats(-0.6, 0.6)), draw(st.floats(-0.6, 0.6))
    spacing = [draw(st.floats(0.2, 8)) for _ in range(3)]
    affine = np.eye(4)
    affine[:3, :3] = turn @ shear @ np.diag(spacing)
    affine[:3, 3] = [draw(NUMBERS) for _ in range(3)]
    return Grid(draw(SIZES), affine)


@st.composite
def volumes(draw: st.DrawFn) -> Volume:
    """A volume whose voxels are all different, so that each can be followed."""
    grid = draw(grids())
    return Volume(array=np.arange(np.prod(grid.shape), dtype=np.int16).reshape(grid.shape), grid=grid)


def places(volume: Volume | Mask) -> dict[int, np.ndarray]:
    """The point of each voxel, by its value."""
    indices = np.moveaxis(np.indices(volume.shape), 0, -1).reshape(-1, 3)
    return dict(zip(volume.array.ravel().tolist(), volume.grid.to_mm(indices), strict=True))


def assert_same_places(one: Volume, other: Volume) -> None:
    first, second = places(one), places(other)
    assert first.keys() == second.keys()
    assert max(np.abs(first[key] - second[key]).max() for key in first) < TOLERANCE_MM


@given(grids(), st.tuples(NUMBERS, NUMBERS, NUMBERS))
def test_index_to_mm_to_index(grid: Grid, index: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(grid.to_index(grid.to_mm(index)), index, atol=1e-6)


@given(grids(), st.tuples(NUMBERS, NUMBERS, NUMBERS))
def test_mm_to_index_to_mm(grid: Grid, point: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(grid.to_mm(grid.to_index(point)), point, atol=1e-6)


@given(volumes(), st.sampled_from(CODES))
def test_orient_moves_no_voxel_and_points_where_it_says(volume: Volume, codes: str) -> None:
    turned = orient(volume, axis_codes=codes)
    assert turned.grid.axis_codes == codes
    assert_same_places(volume, turned)


@given(volumes(), st.sampled_from(CODES))
def test_orient_there_and_back_is_the_same_volume(volume: Volume, codes: str) -> None:
    back = orient(orient(volume, axis_codes=codes), axis_codes=volume.grid.axis_codes)
    assert back.grid.fits(volume.grid)
    np.testing.assert_array_equal(back.array, volume.array)


@given(volumes(), st.integers(0, 2))
def test_a_flip_moves_no_voxel(volume: Volume, axis: int) -> None:
    flipped = volume.with_grid(np.flip(volume.array, axis), volume.grid.flip(axis))
    assert_same_places(volume, flipped)
    assert volume.grid.flip(axis).flip(axis).fits(volume.grid)


@given(volumes(), st.permutations([0, 1, 2]))
def test_a_transposition_moves_no_voxel(volume: Volume, axes: list[int]) -> None:
    assert_same_places(volume, volume.with_grid(volume.array.transpose(axes), volume.grid.transpose(axes)))


@given(volumes(), st.data())
def test_a_crop_moves_no_voxel(volume: Volume, data: st.DataObject) -> None:
    start = tuple(data.draw(st.integers(0, size - 1)) for size in volume.shape)
    shape = tuple(data.draw(st.integers(1, size - first)) for size, first in zip(volume.shape, start, strict=True))
    whole, part = places(volume), places(crop(volume, start=start, shape=shape))
    assert part.keys() <= whole.keys()
    for key, point in part.items():
        np.testing.assert_allclose(point, whole[key], atol=TOLERANCE_MM)


@given(grids())
def test_a_sheared_grid_is_legal_and_its_voxels_keep_their_volume(grid: Grid) -> None:
    first, second, third = (grid.affine[:3, axis] for axis in range(3))
    assert grid.voxel_volume_mm3 == pytest.approx(abs(float(np.dot(first, np.cross(second, third)))), rel=1e-6)


@given(grids())
def test_only_a_straight_grid_passes_a_step_that_needs_one(grid: Grid) -> None:
    directions = grid.directions
    cosines = [abs(float(directions[:, one] @ directions[:, other])) for one, other in ((0, 1), (0, 2), (1, 2))]
    assume(abs(max(cosines) - 1e-3) > 1e-6)
    if max(cosines) < 1e-3:
        grid.require_straight("this step")
    else:
        with pytest.raises(GeometryError, match="this step needs straight axes"):
            grid.require_straight("this step")


@given(grids(sheared=False))
def test_a_turned_grid_is_straight(grid: Grid) -> None:
    assert grid.is_straight


@given(grids())
def test_a_grid_holds_its_own_voxels_and_nothing_further_off(grid: Grid) -> None:
    assert grid.contains(grid.to_mm((0, 0, 0)))
    assert grid.contains(grid.to_mm(np.array(grid.shape) - 1))
    assert not grid.contains(grid.to_mm(np.array(grid.shape)))
    assert not grid.contains(grid.to_mm((-1, 0, 0)))


@given(grids(), st.integers(0, 2), st.floats(0.01, 5))
def test_a_moved_grid_does_not_fit(grid: Grid, axis: int, by_mm: float) -> None:
    affine = grid.affine.copy()
    affine[axis, 3] += by_mm
    assert not grid.fits(Grid(grid.shape, affine))
