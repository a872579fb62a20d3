"""NIfTI lies where nibabel and SimpleITK say it lies, and what is doubtful about a file is said."""

from __future__ import annotations

import gzip
import struct

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medimg import readers
from medimg.errors import ScanError
from medimg.values import Verdict

RAS_TO_LPS = np.array([-1, -1, 1])


def only_series(path):
    studies, _ = readers.scan(path)
    (series,) = [item for study in studies for item in study.series]
    return series


def save(path, array, affine, *, sform=1, qform=0, kind=nib.Nifti1Image, slope=None):
    image = kind(array, affine)
    image.set_sform(affine if sform else None, sform)
    image.set_qform(affine if qform else None, qform)
    if slope:
        image.header.set_slope_inter(*slope)
    nib.save(image, path)
    return image


def voxels(shape=(5, 6, 4), kind=np.int16):
    return np.random.default_rng(0).integers(-500, 500, shape).astype(kind)


def affine_of(seed, shear=0.0, flip=False):
    random = np.random.default_rng(seed)
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
    if (np.linalg.det(turn) < 0) != flip:
        turn[:, 0] *= -1
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.array([[1, shear, 0], [0, 1, 0], [0, 0, 1]]) * random.uniform(0.5, 3, 3)
    affine[:3, 3] = random.uniform(-200, 200, 3)
    return affine


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("flip", [False, True])
def test_every_voxel_lies_where_nibabel_says(ending, kind, flip, tmp_path):
    array = voxels()
    image = save(tmp_path / f"a{ending}", array, affine_of(3, flip=flip), kind=kind)
    volume = readers.read(tmp_path / f"a{ending}")
    assert np.array_equal(volume.array, array.transpose(2, 1, 0))
    index = np.argwhere(np.ones(volume.shape, bool))
    expected = nib.affines.apply_affine(image.affine, index[:, ::-1]) * RAS_TO_LPS
    assert np.allclose(volume.grid.to_mm(index), expected, atol=1e-4)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 9999), flip=st.booleans())
def test_every_voxel_lies_where_simpleitk_says(tmp_path_factory, seed, flip):
    path = tmp_path_factory.mktemp("nifti") / "a.nii.gz"
    save(path, voxels(), affine_of(seed, flip=flip), qform=1)
    volume, image = readers.read(path), sitk.ReadImage(str(path))
    for index in ((0, 0, 0), (3, 5, 4), (1, 2, 0)):
        expected = image.TransformIndexToPhysicalPoint([int(value) for value in index[::-1]])
        assert np.allclose(volume.grid.to_mm(index), expected, atol=1e-3)
        assert volume.array[index] == image[tuple(int(value) for value in index[::-1])]


def test_a_sheared_affine_is_kept(tmp_path):
    affine = affine_of(1, shear=0.3)
    save(tmp_path / "a.nii", voxels(), affine)
    grid = readers.read(tmp_path / "a.nii").grid
    assert not grid.is_straight
    assert np.allclose(grid.to_mm((0, 0, 1)), nib.affines.apply_affine(affine, (1, 0, 0)) * RAS_TO_LPS, atol=1e-4)


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_kind_of_number(kind, order, tmp_path):
    array = np.abs(voxels(kind=np.int64) % 100).astype(kind)
    header = nib.Nifti1Header(endianness=order)
    header.set_data_dtype(kind)
    nib.save(nib.Nifti1Image(array, np.eye(4), header), tmp_path / "a.nii")
    volume = readers.read(tmp_path / "a.nii")
    assert np.array_equal(volume.array, array.transpose(2, 1, 0))
    assert volume.array.dtype == (np.int16 if np.issubdtype(kind, np.integer) else np.float32)


def test_scaled_values_are_as_nibabel_scales_them(tmp_path):
    image = save(tmp_path / "a.nii", voxels(), np.eye(4))
    raw = bytearray((tmp_path / "a.nii").read_bytes())
    struct.pack_into("<2f", raw, 112, 0.25, -7.5)
    (tmp_path / "a.nii").write_bytes(raw)
    expected = nib.load(tmp_path / "a.nii").get_fdata()
    assert np.allclose(readers.read(tmp_path / "a.nii").array, expected.transpose(2, 1, 0), atol=1e-4)
    assert image.shape == (5, 6, 4)


def test_forms_that_disagree_are_noted_and_the_sform_counts(tmp_path):
    image = save(tmp_path / "a.nii", voxels(), affine_of(5), qform=1)
    other = image.affine.copy()
    other[:3, 3] += 10
    image.set_sform(other, 1)
    nib.save(image, tmp_path / "b.nii")
    series = only_series(tmp_path / "b.nii")
    assert [hazard.kind for hazard in series.hazards] == ["forms-disagree"]
    assert np.allclose(series.grid.to_mm((0, 0, 0)), other[:3, 3] * RAS_TO_LPS, atol=1e-4)
    assert only_series(tmp_path / "a.nii").verdict is Verdict.EXACT


def test_a_file_without_forms_says_so(tmp_path):
    save(tmp_path / "a.nii", voxels(), np.diag([2.0, 3, 4, 1]), sform=0)
    series = only_series(tmp_path / "a.nii")
    assert series.verdict is Verdict.REPAIRED
    assert series.hazards[0].kind == "no-orientation"


def test_volumes_of_a_time_course_come_one_by_one(tmp_path):
    array = voxels((5, 6, 4, 3))
    save(tmp_path / "a.nii.gz", array, np.eye(4))
    (study,), _ = readers.scan(tmp_path)
    assert [item.verdict for item in study.series] == [Verdict.SPLIT] * 3
    assert len({item.name for item in study.series}) == 3
    for number, item in enumerate(study.series):
        assert np.array_equal(readers.read_series(item).array, array[..., number].transpose(2, 1, 0))


def test_numbers_that_are_none_are_replaced_and_said(tmp_path):
    array = voxels(kind=np.float32)
    array[0, 0, 0], array[1, 0, 0] = np.nan, np.inf
    save(tmp_path / "a.nii", array, np.eye(4))
    volume, series = readers.load_series(only_series(tmp_path / "a.nii"))
    assert np.isfinite(volume.array).all()
    assert volume.array[0, 0, 0] == array[np.isfinite(array)].min()
    assert "2 voxels" in series.hazards[-1].sentence


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_cut_file_is_refused(ending, tmp_path):
    path = tmp_path / f"a{ending}"
    save(path, voxels((40, 40, 20)), np.eye(4))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ScanError, match="cut short"):
        readers.read(path)


def test_a_damaged_gzip_is_refused(tmp_path):
    path = tmp_path / "a.nii.gz"
    save(path, voxels((40, 40, 20)), np.eye(4))
    raw = bytearray(path.read_bytes())
    raw[-6] ^= 0xFF  # the checksum
    path.write_bytes(raw)
    with pytest.raises(ScanError, match="damaged"):
        readers.read(path)


def test_gzip_of_several_members_is_read_whole(tmp_path):
    save(tmp_path / "a.nii", voxels(), np.eye(4))
    raw = (tmp_path / "a.nii").read_bytes()
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(raw[:400]) + gzip.compress(raw[400:]))
    assert np.array_equal(readers.read(tmp_path / "a.nii.gz").array, voxels().transpose(2, 1, 0))


@pytest.mark.parametrize(
    ("offset", "code", "values", "kind"),
    [
        (70, "<h", (128,), "bad-kind"),  # RGB
        (70, "<h", (32,), "bad-kind"),  # complex
        (42, "<3h", (0, 6, 4), "no-size"),
        (42, "<3h", (-5, 6, 4), "no-size"),
        (42, "<3h", (30000, 30000, 30000), "too-large"),
        (42, "<3h", (500, 600, 400), "truncated"),
        (280, "<f", (np.nan,), "bad-affine"),
        (280, "<12f", (0,) * 12, "bad-affine"),
        (108, "<f", (np.nan,), "bad-offset"),
        (40, "<8h", (5, 5, 6, 2, 1, 2, 1, 1), "vectors"),
    ],
)
def test_a_header_that_cannot_be_is_refused_in_words(offset, code, values, kind, tmp_path):
    save(tmp_path / "a.nii", voxels(), np.eye(4))
    raw = bytearray((tmp_path / "a.nii").read_bytes())
    struct.pack_into(code, raw, offset, *values)
    (tmp_path / "a.nii").write_bytes(raw)
    series = only_series(tmp_path / "a.nii")
    assert series.verdict is Verdict.REFUSED
    assert series.hazards[0].kind == kind
    assert "a.nii" in series.hazards[0].sentence


def test_analyze_is_refused(tmp_path):
    nib.save(nib.Spm2AnalyzeImage(voxels(), np.eye(4)), tmp_path / "a.hdr")
    studies, _ = readers.scan(tmp_path / "a.hdr")
    assert studies[0].series[0].hazards[0].kind == "analyze"


def test_equal_headers_with_other_voxels_have_other_names(tmp_path):
    save(tmp_path / "a.nii", voxels(), np.eye(4))
    (tmp_path / "other").mkdir()
    save(tmp_path / "other" / "a.nii", voxels() + 1, np.eye(4))
    studies, _ = readers.scan(tmp_path)
    assert len({study.name for study in studies}) == 2


@pytest.mark.parametrize("form", ["sform", "qform", "none"])
def test_a_single_slice_without_a_depth_is_read_and_said(form, tmp_path):
    array = np.arange(20, dtype=np.int16).reshape(5, 4)
    image = nib.Nifti1Image(array, None)
    affine = np.diag([2.0, 3.0, 0.0, 1.0])
    affine[:3, 3] = 7, 8, 9
    if form == "sform":
        image.set_sform(affine, code=1)
        image.header["qform_code"] = 0
    image.header["pixdim"][1:4] = 2, 3, 0
    nib.save(image, tmp_path / "a.nii")
    raw = bytearray((tmp_path / "a.nii").read_bytes())
    raw[76:92] = np.array([1, 2, 3, 0], "<f4").tobytes()
    if form == "qform":
        raw[252:268] = np.array([1, 0], "<i2").tobytes() + bytes(12)  # the codes of both forms; no turn
        raw[268:280] = np.array([7, 8, 9], "<f4").tobytes()
    (tmp_path / "a.nii").write_bytes(raw)
    (series,) = [one for study in readers.scan(tmp_path / "a.nii")[0] for one in study.series]
    assert "no-thickness" in {hazard.kind for hazard in series.hazards}
    volume = readers.read(tmp_path / "a.nii")
    assert np.array_equal(volume.array[0], array.T)
    assert volume.grid.spacing_mm == pytest.approx((1, 3, 2))
    if form != "none":
        assert np.allclose(volume.grid.to_mm((0, 1, 1)), np.array([9, 11, 9]) * RAS_TO_LPS)
