"""Diameters are those of the shape in the patient, whatever the grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medimg.errors import GeometryError
from medimg.measures import diameters
from medimg.values import Grid, Mask
from tests.builders.study import AXIAL, balls, grid_of

CORONAL = ((0, 1, 0), (0, 0, -1), (1, 0, 0))
OBLIQUE = ((0.0, 0.6, 0.8), (0.0, 0.8, -0.6), (1.0, 0.0, 0.0))


def brick(shape, *, grid_shape=(5, 30, 40), spacing_mm=(3.0, 0.8, 0.5), label=1):
    array = np.zeros(grid_shape, dtype=np.uint8)
    array[2, 4 : 4 + shape[0], 6 : 6 + shape[1]] = label
    return Mask(array=array, grid=Grid.straight(grid_shape, spacing_mm=spacing_mm, origin_mm=(-5, 7, 11)))


def test_a_row_of_pixels_is_as_long_as_its_outer_edges():
    size = diameters(brick((1, 12)), label=1)
    assert size.long_mm == pytest.approx(12 * 0.5)
    assert size.short_mm == pytest.approx(0.8)
    assert size.slice_index == 2


def test_a_single_pixel_is_one_pixel_wide():
    size = diameters(brick((1, 1)), label=1)
    assert (size.long_mm, size.short_mm) == pytest.approx((0.8, 0.5))


@pytest.mark.parametrize("directions", [AXIAL, CORONAL, OBLIQUE], ids=["axial", "coronal", "oblique"])
@pytest.mark.parametrize("tilt_deg", [0.0, 15.0])
@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (2.5, 0.7, 0.7), (1.0, 0.8, 0.6)])
def test_a_ball_has_its_diameter_to_a_pixel(directions, tilt_deg, spacing_mm):
    grid = grid_of(shape=(24, 36, 40), spacing_mm=spacing_mm, directions=directions, tilt_deg=tilt_deg)
    center = tuple(grid.to_mm((np.array(grid.shape) - 1) / 2 + (0.2, 0.4, -0.3)))
    size = diameters(balls(grid, [(center, 7.0)]), label=1)
    pixel = max(spacing_mm[1:])
    assert -0.5 * pixel < size.long_mm - 14 < pixel
    assert abs(size.short_mm - 14) < pixel


def test_an_ellipse_has_both_its_axes_and_their_ends_lie_on_it():
    grid = Grid.straight((3, 120, 120), spacing_mm=(2.0, 0.5, 0.5), origin_mm=(-30, -30, 0))
    y, x = np.mgrid[:120, :120] * 0.5 - 30
    turned = np.deg2rad(30)
    along, across = x * np.cos(turned) + y * np.sin(turned), y * np.cos(turned) - x * np.sin(turned)
    array = np.zeros(grid.shape, dtype=np.uint8)
    array[1] = (along / 20) ** 2 + (across / 8) ** 2 <= 1
    size = diameters(Mask(array=array, grid=grid), label=1)
    assert size.long_mm == pytest.approx(40, abs=0.6)
    assert size.short_mm == pytest.approx(16, abs=0.6)
    ends = np.array(size.long_ends_mm)
    assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(size.long_mm)
    direction = np.abs((ends[1] - ends[0]) / size.long_mm)
    assert direction == pytest.approx((np.cos(turned), np.sin(turned), 0), abs=0.05)
    short = np.array(size.short_ends_mm)
    assert abs((short[1] - short[0]) @ (ends[1] - ends[0])) < 1e-6
    assert short[:, 2] == pytest.approx([2.0, 2.0])


def test_it_agrees_with_the_largest_distance_of_all_edge_middles():
    found = np.random.default_rng(3).random((25, 31)) > 0.6
    array = np.zeros((1, 25, 31), dtype=np.uint8)
    array[0] = found
    size = diameters(Mask(array=array, grid=Grid.straight(array.shape, spacing_mm=(1, 0.9, 0.6))), label=1)
    pixels = np.argwhere(found).astype(float)
    points = np.concatenate([pixels + step for step in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5))]) * (0.9, 0.6)
    assert size.long_mm == pytest.approx(max(np.linalg.norm(points - point, axis=1).max() for point in points))


@given(axis=st.integers(0, 2), seed=st.integers(0, 50))
def test_a_flip_of_the_array_changes_nothing(axis, seed):
    rng = np.random.default_rng(seed)
    array = (rng.random((3, 9, 11)) > 0.7).astype(np.uint8)
    array[1, 4, 5] = 1
    grid = grid_of(shape=array.shape, tilt_deg=10)
    size = diameters(Mask(array=array, grid=grid), label=1)
    flipped = diameters(Mask(array=np.flip(array, axis), grid=grid.flip(axis)), label=1)
    assert flipped.long_mm == pytest.approx(size.long_mm)


def test_other_labels_do_not_count():
    mask = brick((4, 5))
    array = mask.array.copy()
    array[2, 20:28] = 2
    assert diameters(Mask(array=array, grid=mask.grid), label=1) == diameters(mask, label=1)


def test_an_empty_label_is_refused():
    with pytest.raises(GeometryError, match="no voxel of label 7"):
        diameters(brick((4, 5)), label=7)
