"""Series from scanners: placed and valued as independent readers and references have them."""

from __future__ import annotations

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medimg import readers
from medimg.values import Verdict

DATA = Path(os.environ.get("MEDIMG_REAL_DATA", "."))
pytestmark = real = pytest.mark.skipif(not os.environ.get("MEDIMG_REAL_DATA"), reason="MEDIMG_REAL_DATA is not set")
RAS_TO_LPS = np.array([-1, -1, 1])
SYNTAX_REFERENCE = "ct_ImplicitVRLittleEndian_reference.dcm"
LOSSLESS = ("Deflated", "JPEG2000LosslessOnly", "JPEGLSLossless", "JPEGProcess14SV1", "JPEGProcess14_", "RLELossless")
LOSSY = {
    "JPEG2000_1": 8,
    "JPEGLSLossy": 8,
    "JPEGProcess2_4": 40,
    "JPEGProcess6_8": 40,
    "JPEGProcess10_12": 40,
}  # largest error in HU that the encoder made


def series_of(folder):
    studies, _ = readers.scan(folder)
    return [item for study in studies for item in study.series]


def reference_values(path, points_mm, number=None):
    """Return the values of a reference NIfTI at LPS points that are voxel centres of it."""
    image = nib.load(path)
    array = np.asarray(image.dataobj, float)
    array = array[..., number] if number is not None and array.ndim == 4 else array
    index = nib.affines.apply_affine(np.linalg.inv(image.affine), points_mm * RAS_TO_LPS)
    nearest = np.rint(index).astype(int)
    assert np.abs(index - nearest).max() < 0.02
    return array[tuple(nearest.T)]


def test_a_cut_file_at_the_end_of_a_real_series_is_left_out():
    (series,) = series_of(DATA / "lidc_dicom")
    volume = readers.read_series(series)
    assert series.verdict is Verdict.REPAIRED
    assert series.hazards[0].files[0].endswith("001.dcm")
    assert volume.shape == (10, 512, 512)
    assert volume.grid.spacing_mm[0] == pytest.approx(2.5)
    assert volume.grid.contains((70.9, 76.6, -191.7))
    row = tuple(np.rint(volume.grid.to_index((70.9, 76.6, -191.7))).astype(int))
    assert volume.array[row] > -200  # the nodule of the readers' outlines is solid


def test_jpeg_ls_series_equals_its_label_maps_grid():
    (series,) = [item for item in series_of(DATA / "chest_ct" / "LUNG1-001") if item.reader == "dicom"]
    assert series.verdict is Verdict.EXACT
    volume = readers.read_series(series)
    labels = readers.read(DATA / "chest_ct" / "LUNG1-001" / "labels.nii.gz")
    inside = np.argwhere(labels.array == 1)
    centre = labels.grid.to_mm(inside).mean(axis=0)
    assert np.allclose(centre, (82.3, -201.5, -456.8), atol=0.5)
    values = [volume.array[tuple(index)] for index in np.rint(volume.grid.to_index(labels.grid.to_mm(inside[::997]))).astype(int)]
    assert np.median(values) > -100  # a solid tumour


@pytest.mark.parametrize("position", ["HFS", "HFP", "HFDR", "HFDL"])
def test_a_head_that_lies_in_four_ways(position):
    folder = DATA / "vendor_dicom" / f"siemens_t1_sagittal_{position}"
    (series,) = series_of(folder / "dicom")
    volume = readers.read_series(series)
    index = np.argwhere(np.ones(volume.shape, bool))[::101]
    expected = reference_values(next(folder.glob("*.nii.gz")), volume.grid.to_mm(index))
    assert np.array_equal(volume.array[tuple(index.T)], expected)


@pytest.mark.parametrize(
    ("name", "count"),
    [("philips_classic_fmri", 3), ("ge_epi_mr_0004", 3), ("siemens_xa10_enhanced_mr", 4), ("philips_enhanced_fieldmap", 2)],
)
def test_passes_over_one_place_come_apart_and_equal_the_reference(name, count):
    folder = DATA / "vendor_dicom" / name
    series = series_of(folder / "dicom")
    assert len(series) == count
    references = sorted(folder.glob("*.nii.gz"))
    for item in series:
        assert item.verdict is Verdict.SPLIT
        volume = readers.read_series(item)
        index = np.argwhere(np.ones(volume.shape, bool))[::37]
        values, points = volume.array[tuple(index.T)].astype(float), volume.grid.to_mm(index)
        fits = []
        for reference in references:
            for number in range((*nib.load(reference).shape, 1)[3]):
                expected = reference_values(reference, points, number)
                fits.append(1 - np.corrcoef(values, expected)[0, 1])  # the reference has Philips' private scale, a factor apart
        assert min(fits) < 1e-6


def test_a_tilted_series_with_two_spacings_keeps_every_slice_at_its_place():
    series = series_of(DATA / "vendor_dicom" / "ge_hispeed_head_ct_tilt" / "dicom")
    assert sum(len(item.slices) for item in series) == 28
    for item in series:
        assert "gantry-tilt" in {hazard.kind for hazard in item.hazards}
        assert not item.grid.is_straight
        for place, source in enumerate(item.slice_of):
            if source is not None:
                assert np.allclose(item.grid.to_mm((place, 0, 0)), item.slices[source].position_mm, atol=0.15)


@pytest.mark.parametrize("name", ["siemens_mosaic_axial", "siemens_mosaic_coronal", "siemens_epi_pe_ap"])
def test_mosaics_are_refused_in_words(name):
    (series,) = series_of(DATA / "vendor_dicom" / name / "dicom")
    assert series.verdict is Verdict.REFUSED
    assert series.hazards[0].kind == "mosaic"


@pytest.mark.parametrize("start", [*LOSSLESS, *LOSSY])
def test_transfer_syntaxes_equal_the_reference(start):
    (file,) = (DATA / "transfer_syntaxes").glob(f"ct_{start}*.dcm")
    expected = readers.read(DATA / "transfer_syntaxes" / SYNTAX_REFERENCE)
    volume = readers.read(file)
    assert volume.grid.fits(expected.grid)
    difference = np.abs(volume.array.astype(int) - expected.array.astype(int)).max()
    assert difference <= LOSSY.get(start, 0)
