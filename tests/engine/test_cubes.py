"""A cube out of a scan shows the same millimetres, however the scan's array lies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medimg.engine.cubes import box_under, cube_grid, sample
from medimg.values import Grid, Volume


def linear(grid):
    """Return a volume whose value is a linear function of the place, which linear interpolation keeps exactly."""
    points = grid.to_mm(np.stack(np.indices(grid.shape), axis=-1))
    return Volume(array=(points @ [1.0, 2.0, -0.5]).astype(np.float32), grid=grid)


def turned(angle_deg, *, shear=0.0):
    angle = np.radians(angle_deg)
    affine = np.eye(4)
    affine[:3, 0] = [shear, 0, 2.5]
    affine[:3, 1] = [-np.sin(angle) * 0.8, np.cos(angle) * 0.8, 0]
    affine[:3, 2] = [np.cos(angle) * 0.7, np.sin(angle) * 0.7, 0]
    affine[:3, 3] = [-20, 10, 5]
    return Grid((24, 60, 60), affine)


@given(st.floats(-40, 40), st.floats(-0.8, 0.8), st.sampled_from([(), (0,), (1,), (2,), (0, 2)]))
def test_a_cube_is_the_same_whatever_grid_the_scan_has(angle_deg, shear, flips):
    volume = linear(turned(angle_deg, shear=shear))
    for axis in flips:
        volume = volume.with_grid(np.flip(volume.array, axis), volume.grid.flip(axis))
    center = volume.grid.to_mm((12, 30, 30))
    cube = cube_grid(center, edge=10, spacing_mm=1.0)
    np.testing.assert_allclose(sample(volume, cube), linear(cube).array, atol=1e-2)


def test_the_middle_voxel_lies_on_the_point():
    grid = cube_grid((3.5, -7.25, 100.0), edge=40, spacing_mm=1.0)
    assert grid.to_mm((20, 20, 20)) == pytest.approx([3.5, -7.25, 100.0])


def test_outside_of_the_scan_its_edge_goes_on():
    volume = Volume(array=np.full((8, 8, 8), -700, np.int16), grid=Grid.straight((8, 8, 8), spacing_mm=(1, 1, 1)))
    assert (sample(volume, cube_grid((0, 0, 0), edge=16, spacing_mm=1.0)) == -700).all()


def test_the_box_under_a_cube_holds_all_voxels_whose_centre_is_in_it():
    native = turned(30, shear=0.4)
    cube = cube_grid(native.to_mm((10, 30, 25)), edge=12, spacing_mm=1.0)
    index = cube.to_index(native.to_mm(np.stack(np.indices(native.shape), axis=-1)))
    inside = ((index >= 0) & (index <= 11)).all(axis=-1)
    assert inside.any()
    outside_box = inside.copy()
    outside_box[box_under(native, cube)] = False
    assert not outside_box.any()


def test_a_cube_beside_the_scan_has_an_empty_box():
    box = box_under(Grid.straight((8, 8, 8), spacing_mm=(1, 1, 1)), cube_grid((500, 500, 500), edge=8, spacing_mm=1.0))
    assert min(axis.stop - axis.start for axis in box) == 0
