"""Volume, centre and density are those of the shape in the patient."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.errors import GeometryError
from medimg.measures import center_mm, measure
from medimg.values import Grid, Mask, Volume
from tests.builders.study import balls, grid_of, picture


@pytest.mark.parametrize("tilt_deg", [0.0, 20.0])
@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (2.5, 0.7, 0.7), (1.0, 0.8, 0.6)])
def test_a_ball_has_its_volume_and_centre(tilt_deg, spacing_mm):
    grid = grid_of(shape=(26, 40, 48), spacing_mm=spacing_mm, tilt_deg=tilt_deg)
    center = tuple(grid.to_mm((np.array(grid.shape) - 1) / 2 + (0.3, -0.2, 0.4)))
    mask = balls(grid, [(center, 8.0)])
    assert measure(None, mask, label=1).volume_mm3 == pytest.approx(4 / 3 * np.pi * 8**3, rel=0.02)
    assert center_mm(mask, label=1) == pytest.approx(center, abs=0.15)


def test_density_is_that_of_the_label_alone():
    mask = balls(grid_of(), [((30, -20, -150), 4.0), ((18, -20, -150), 3.0)])
    volume = picture(mask)
    first, second = measure(volume, mask, label=1), measure(volume, mask, label=2)
    assert (first.mean_hu, first.sd_hu, first.min_hu, first.max_hu) == (40, 0, 40, 40)
    assert second.mean_hu == -60


def test_density_is_of_the_population():
    grid = Grid.straight((1, 1, 4), spacing_mm=(1, 1, 1))
    volume = Volume(array=np.array([[[-100, 0, 100, 500]]], dtype=np.int16), grid=grid, unit="HU")
    found = measure(volume, Mask(array=np.array([[[1, 1, 1, 0]]], dtype=np.uint8), grid=grid), label=1)
    assert found.mean_hu == 0
    assert found.sd_hu == pytest.approx(np.sqrt(20000 / 3))


@pytest.mark.parametrize("filled_with", [-1500, -2000, -2048, -3024])
def test_what_the_scanner_did_not_measure_has_no_density(filled_with):
    """Outside of a round field of view scanners write a value that no tissue has; it is no air, and drowns the lesion."""
    grid = Grid.straight((1, 1, 5), spacing_mm=(1, 1, 1))
    array = np.array([[[-1100, 0, 100, filled_with, filled_with]]], dtype=np.int16)  # noise in air is measured
    volume = Volume(array=array, grid=grid, unit="HU")
    found = measure(volume, Mask(array=np.array([[[1, 1, 1, 1, 2]]], dtype=np.uint8), grid=grid), label=1)
    assert (found.min_hu, found.max_hu, found.volume_mm3) == (-1100, 100, 4)
    assert found.mean_hu == pytest.approx(-1000 / 3)
    nothing = measure(volume, Mask(array=np.array([[[1, 1, 1, 1, 2]]], dtype=np.uint8), grid=grid), label=2)
    assert (nothing.mean_hu, nothing.sd_hu, nothing.min_hu, nothing.max_hu) == (None,) * 4


def test_without_hounsfield_units_there_is_no_density():
    mask = balls(grid_of(), [((30, -20, -150), 4.0)])
    volume = Volume(array=np.zeros(mask.shape, dtype=np.float32), grid=mask.grid, modality="MR")
    assert measure(volume, mask, label=1).mean_hu is None
    assert measure(None, mask, label=1).mean_hu is None


def test_another_grid_is_refused():
    mask = balls(grid_of(), [((30, -20, -150), 4.0)])
    moved = Volume(array=np.zeros(mask.shape, dtype=np.int16), grid=grid_of(center=(0, 0, 0)), unit="HU")
    with pytest.raises(GeometryError, match="another grid"):
        measure(moved, mask, label=1)


def test_a_centre_needs_a_voxel():
    with pytest.raises(GeometryError, match="no voxel of label 3"):
        center_mm(balls(grid_of(), [((30, -20, -150), 4.0)]), label=3)


def test_a_box_holds_every_voxel_of_its_label_and_no_empty_side():
    array = np.zeros((6, 7, 8), dtype=np.uint16)
    array[1, 2, 3], array[4, 6, 3], array[5, 0, 7] = 300, 300, 2
    mask = Mask(array=array, grid=Grid.straight(array.shape, spacing_mm=(1, 1, 1)))
    assert mask.box(300) == (slice(1, 5), slice(2, 7), slice(3, 4))
    assert mask.box(2) == (slice(5, 6), slice(0, 1), slice(7, 8))
    assert mask.box(1) is None
