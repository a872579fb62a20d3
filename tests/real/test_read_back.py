"""Masks of others and of scanners: contours of a planning system, SEG of other makers, and every geometry of real slices."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

import medimg
from medimg.errors import GeometryError, ScanError
from medimg.readers import read_series, scan
from medimg.readers._dicom_places import nearest_slices
from medimg.reports import seg
from medimg.values import Mask
from tests.builders.dicom_checks import in_order
from tests.builders.study import study_result

pytestmark = pytest.mark.skipif(not os.environ.get("MEDIMG_REAL_DATA"), reason="MEDIMG_REAL_DATA is not set")
PHANTOMS = {  # centre mm, cc: of the tumour, as they were published with the data
    "radiomics_phantom_1": ((-74.5, 16.3, -18.7), 359),
    "radiomics_phantom_2": ((-70.3, 23.2, -533.6), 6.5),
    "radiomics_phantom_3": ((43.5, 16.9, -371.3), 11.6),
}
FOLDERS = (
    "lidc_dicom/LIDC-IDRI-0003/ct",  # feet first, one file truncated
    "chest_ct/radiomics_phantom_3",
    "vendor_dicom/ge_hispeed_head_ct_tilt",  # tilted and uneven
    "vendor_dicom/siemens_t1_sagittal_HFS",
    "vendor_dicom/siemens_t1_sagittal_HFP",
    "vendor_dicom/siemens_t1_sagittal_HFDR",
    "vendor_dicom/siemens_t1_sagittal_HFDL",
    "vendor_dicom/siemens_xa10_enhanced_mr",  # several volumes in a multi-frame instance
    "vendor_dicom/philips_enhanced_fieldmap",
)


def data(name: str) -> Path:
    return Path(os.environ["MEDIMG_REAL_DATA"]) / name


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


@pytest.mark.parametrize("name", PHANTOMS)
def test_contours_of_a_tumour_fill_the_voxels_of_its_label_map(name):
    folder = data("chest_ct") / name
    mask = medimg.read_rtstruct(folder / "rtstruct.dcm", scan=folder / "ct")
    labels = medimg.read(folder / "labels.nii.gz")
    assert mask.grid.fits(labels.grid)
    assert mask.names == {1: "GTV-1"}
    assert np.array_equal(mask.array == 1, labels.array == 1)  # voxel by voxel, Dice 1.0


def test_contours_of_ibsi_fill_ibsis_own_mask():
    folder = data("chest_ct/radiomics_phantom_1")
    mask = medimg.read_rtstruct(folder / "rtstruct.dcm", scan=folder / "ct")
    theirs = medimg.read(folder / "ibsi_nifti" / "gtv.nii.gz")
    placed = medimg.resample(Mask(array=theirs.array > 0, grid=theirs.grid), like=mask.grid)
    assert dice(mask.array == 1, placed.array == 1) == 1.0


def test_contours_of_lungs_cord_and_tumour():
    """A planning system's own structures, on a scan that was cut to the lungs."""
    folder = data("chest_ct/LUNG1-001")
    with pytest.raises(GeometryError, match=r"1 \(GTV-1\) and 3 \(Lung-Left\)"):
        medimg.read_rtstruct(folder / "rtstruct.dcm", scan=folder / "ct")
    mask = medimg.read_rtstruct(folder / "rtstruct.dcm", scan=folder / "ct", overlap="smallest")
    labels = medimg.read(folder / "labels.nii.gz").array
    for mine, theirs in ((1, 1), (3, 2), (4, 3)):
        assert np.array_equal(mask.array == mine, labels == theirs)
    assert mask.names == {1: "GTV-1", 2: "Spinal-Cord", 3: "Lung-Left", 4: "Lung-Right"}


@pytest.mark.parametrize("name", PHANTOMS)
def test_an_rtstruct_becomes_a_seg_of_the_published_size_and_place(tmp_path, name):
    folder = data("chest_ct") / name
    (study,) = medimg.overlay(folder / "rtstruct.dcm", folder / "ct", output=tmp_path, kind="mass").studies
    (finding,) = study.findings
    center, volume = PHANTOMS[name]
    assert finding.center_mm == pytest.approx(center, abs=0.06)
    assert finding.measures.volume_mm3 / 1000 == pytest.approx(volume, rel=0.01)
    back = medimg.read_seg(study.folder / "seg.dcm", scan=folder / "ct")
    assert np.array_equal(back.array == 1, medimg.read(folder / "labels.nii.gz").array == 1)


def test_a_mask_on_another_patients_scan_is_refused():
    one, other = data("chest_ct/radiomics_phantom_2"), data("chest_ct/radiomics_phantom_3")
    with pytest.raises(ScanError, match="two patients"):
        medimg.overlay(one / "rtstruct.dcm", other / "ct")
    with pytest.raises(GeometryError, match="another grid"):
        medimg.overlay(one / "labels.nii.gz", other / "ct")
    with pytest.raises(ScanError, match="two patients"):
        medimg.read_seg(data("seg_examples/liver.dcm"), scan=other / "ct")


def test_segs_of_another_maker():
    """dcmqi's own examples, as highdicom places them."""
    import highdicom as hd

    mask = medimg.read_seg(data("seg_examples/liver.dcm"))
    theirs = hd.seg.segread(data("seg_examples/liver.dcm")).get_volume(combine_segments=True)
    places = np.argwhere(theirs.array) @ theirs.affine[:3, :3].T + theirs.affine[:3, 3]  # it may count slices the other way
    assert np.abs(in_order(mask.grid.to_mm(np.argwhere(mask.array))) - in_order(places)).max() < 0.01
    assert mask.labels[1].value == "10200004"  # from its retired code
    sparse = medimg.read_seg(data("seg_examples/sparse-labelmap-noppv.dcm"))
    assert sparse.shape == (3, 38, 24)
    assert np.unique(sparse.array).tolist() == [0, 1]
    assert not sparse.array[1].any()  # the frame that is not there
    with pytest.raises(GeometryError, match="GREEN"):
        medimg.read_seg(data("seg_examples/partial_overlaps.dcm"))
    dataset = pydicom.dcmread(data("seg_examples/partial_overlaps.dcm"))
    total = 0
    for number in range(1, 6):
        read = medimg.read_seg(data("seg_examples/partial_overlaps.dcm"), segments=[number])
        total += int((read.array == number).sum())
    assert total == int(dataset.pixel_array.sum())


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_seg_on_real_slices_comes_back(tmp_path, folder):
    studies, _ = scan(data(folder))
    readable = [series for study in studies for series in study.series if series.is_readable and series.reader == "dicom"]
    assert readable
    model = study_result(tmp_path / "phantom")  # its findings and provenance, on the scanner's slices
    for series in readable:
        volume = read_series(series)
        first, last = (np.array(volume.shape) * share for share in (0.3, 0.6))
        labels = np.zeros(volume.shape, dtype=np.uint8)
        labels[tuple(slice(int(a), int(b) + 1) for a, b in zip(first, last, strict=True))] = 1
        labels[0, -3:, -5:] = 2
        prediction = replace(model.prediction, mask=Mask(array=labels, grid=volume.grid))
        (path,) = seg.write(replace(model, series=series, volume=volume, prediction=prediction), tmp_path)
        mask = medimg.read_seg(path, scan=series)
        measured = [place for place, origin in enumerate(series.slice_of) if origin is not None]
        assert np.array_equal(mask.array[measured], labels[measured])
        nearest = nearest_slices(series.grid, np.array([item.position_mm for item in series.slices]))
        for place, origin in enumerate(series.slice_of):
            if origin is None:
                assert np.array_equal(mask.array[place], mask.array[series.slice_of.index(nearest[place])])


@pytest.mark.parametrize("folder", ["chest_ct/radiomics_phantom_3/ct", "chest_ct/LUNG1-001/ct"])
def test_a_lost_sign_of_z_is_said_on_real_slices(tmp_path, folder):
    """A SEG that a writer mirrored: refused with how far off it is, and read by its sources."""
    studies, _ = scan(data(folder))
    series = studies[0].series[0]
    volume = read_series(series)
    model = study_result(tmp_path / "phantom")
    labels = np.zeros(volume.shape, dtype=np.uint8)
    labels[10:14, 40:60, 40:60], labels[20:22, 70:80, 70:80] = 1, 2
    prediction = replace(model.prediction, mask=Mask(array=labels, grid=volume.grid))
    (path,) = seg.write(replace(model, series=series, volume=volume, prediction=prediction), tmp_path)
    dataset = pydicom.dcmread(path)
    for group in dataset.PerFrameFunctionalGroupsSequence:
        place = group.PlanePositionSequence[0].ImagePositionPatient
        group.PlanePositionSequence[0].ImagePositionPatient = [place[0], place[1], -place[2]]
    dataset.save_as(path)
    with pytest.raises(GeometryError, match=r"mm off the nearest slice; with the sign of z turned they would lie on it"):
        medimg.read_seg(path, scan=data(folder))
    assert np.array_equal(medimg.read_seg(path, scan=series, place_by="source").array, labels)
