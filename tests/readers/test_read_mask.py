"""Labels in formats of volumes: what a scan's reader repairs is no label, and what a file leaves in doubt is said."""

from __future__ import annotations

import numpy as np
import pytest

import medimg
from medimg.errors import GeometryError, ManyVolumesError, ScanError
from medimg.values import Volume
from medimg.writers import write_nifti
from tests.builders.study import study_result

RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A result of two balls, and the folder of its slices."""
    folder = tmp_path_factory.mktemp("given")
    return study_result(folder / "source", heat=False), folder / "source"


def saved(path, array, grid, *, sform=None):
    """Write an array with nibabel; the qform is the grid's, the sform another one where it is given."""
    import nibabel

    affine = RAS_FROM_LPS @ grid.affine @ np.eye(4)[[2, 1, 0, 3]]
    image = nibabel.Nifti1Image(np.moveaxis(array, (-3, -2, -1), (2, 1, 0)), affine)
    image.set_qform(affine, 1)
    image.set_sform(affine if sform is None else sform(affine), 1)
    nibabel.save(image, path)
    return path


def moved_mm(*by):
    return lambda affine: affine + np.pad(np.reshape(by, (3, 1)), ((0, 1), (3, 0)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_voxel_that_is_no_number_is_never_outlined(tmp_path, given, value):
    """Some tools write NaN where there is nothing; a scan's reader gives it the lowest of the others, here label 1."""
    result, folder = given
    mask = result.prediction.mask
    array = np.where(mask.array > 0, mask.array, value).astype(np.float32)
    with pytest.raises(ScanError, match="voxels that are no number"):
        medimg.read_mask(saved(tmp_path / "mask.nii.gz", array, mask.grid), scan=folder)


def test_forms_that_disagree_are_said(tmp_path, given):
    result, folder = given
    mask = result.prediction.mask

    def one_row_on(affine):
        return affine @ np.array([[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1.0]])

    whole = medimg.read_mask(saved(tmp_path / "mask.nii", mask.array, mask.grid, sform=one_row_on), scan=folder)
    assert np.array_equal(whole.array[:, 1:], mask.array[:, :-1])
    assert [remark for remark in whole.remarks if "qform would place it" in remark]
    run = medimg.overlay(tmp_path / "mask.nii", folder)
    assert "qform would place it" in " ".join(run.studies[0].prediction.remarks)
    half = saved(tmp_path / "half.nii", mask.array, mask.grid, sform=moved_mm(0, 0, 0.5))
    with pytest.raises(GeometryError, match=r"0\.5 mm off the scan's .*the qform would place it"):
        medimg.read_mask(half, scan=folder)


def test_a_mask_of_several_volumes_is_refused_with_what_helps(tmp_path, given):
    result, _ = given
    mask = result.prediction.mask
    four = np.stack([mask.array == 1, mask.array == 2]).astype(np.uint8)
    with pytest.raises(ManyVolumesError, match=r"a mask is one.*a label for each"):
        medimg.read_mask(saved(tmp_path / "four.nii", four, mask.grid))


def test_what_is_no_mask_at_all_is_told_what_one_is(tmp_path, given):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(ScanError, match=r"holds no mask that can be read.*RTSTRUCT, or labels in NIfTI"):
        medimg.read_mask(tmp_path / "notes.txt")


def test_a_sound_mask_has_no_remark(tmp_path, given):
    result, folder = given
    mask = result.prediction.mask
    path = write_nifti(Volume(array=mask.array.astype(np.float32), grid=mask.grid), tmp_path / "mask.nii")
    assert medimg.read_mask(path, scan=folder).remarks == ()
