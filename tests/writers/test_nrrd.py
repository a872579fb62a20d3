"""What is written as NRRD lies where it lay, a sheared grid too."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.errors import OptionError
from medimg.values import Volume
from medimg.writers import write_nrrd
from tests.builders.study import balls, grid_of


@pytest.mark.parametrize("tilt_deg", [0.0, 18.0])
def test_simpleitk_finds_every_voxel_where_it_lay(tmp_path, tilt_deg):
    import SimpleITK as sitk

    grid = grid_of(shape=(5, 6, 7), tilt_deg=tilt_deg)
    array = np.random.default_rng(0).integers(-1000, 3000, grid.shape).astype(np.int16)
    image = sitk.ReadImage(str(write_nrrd(Volume(array=array, grid=grid), tmp_path / "x.nrrd")))
    assert np.array_equal(sitk.GetArrayFromImage(image), array)
    assert image.TransformIndexToPhysicalPoint((6, 5, 4)) == pytest.approx(grid.to_mm((4, 5, 6)), abs=1e-9)


def test_a_mask_keeps_its_labels(tmp_path):
    import SimpleITK as sitk

    grid = grid_of(shape=(5, 6, 7))
    mask = balls(grid, [(tuple(grid.to_mm((2, 3, 3))), 2.0)])
    image = sitk.ReadImage(str(write_nrrd(mask, tmp_path / "x.nrrd")))
    assert np.array_equal(sitk.GetArrayFromImage(image), mask.array)


def test_a_name_that_is_no_nrrd_is_refused(tmp_path):
    with pytest.raises(OptionError, match=r"\.nrrd"):
        write_nrrd(balls(grid_of(), [((30, -20, -150), 4.0)]), tmp_path / "x.nhdr")
