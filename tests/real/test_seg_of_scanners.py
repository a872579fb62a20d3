"""Objects on the slices of real scanners: every voxel at its millimetre, proven by medimg too, and no error that is ours."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medimg.readers import read_series, scan
from medimg.reports import key_images, seg, sr
from medimg.runs._proof import prove
from medimg.values import Mask
from tests.builders.dicom_checks import dciodvfy, in_order, voxels
from tests.builders.study import study_result

pytestmark = pytest.mark.skipif(not os.environ.get("MEDIMG_REAL_DATA"), reason="MEDIMG_REAL_DATA is not set")
FOLDERS = (
    "lidc_dicom/LIDC-IDRI-0003/ct",  # feet first, one file truncated
    "chest_ct/radiomics_phantom_3",
    "chest_ct/LUNG1-001",  # JPEG-LS
    "vendor_dicom/ge_hispeed_head_ct_tilt",  # tilted
    "vendor_dicom/siemens_t1_sagittal_HFP",
    "vendor_dicom/siemens_xa10_enhanced_mr",  # several volumes in a multi-frame instance
    "vendor_dicom/philips_enhanced_fieldmap",
)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_voxel_lies_where_it_was_outlined(tmp_path, folder):
    studies, _ = scan(Path(os.environ["MEDIMG_REAL_DATA"]) / folder)
    readable = [series for study in studies for series in study.series if series.is_readable and series.reader == "dicom"]
    assert readable
    model = study_result(tmp_path / "phantom")  # its findings and provenance, on the scanner's slices
    for series in readable:
        volume = read_series(series)
        first, last = (np.array(volume.shape) * share for share in (0.3, 0.6))
        labels = np.zeros(volume.shape, dtype=np.uint8)
        labels[tuple(slice(int(a), int(b) + 1) for a, b in zip(first, last, strict=True))] = 1
        labels[0, -3:, -5:] = 2
        mask = Mask(array=labels, grid=volume.grid)
        prediction = replace(model.prediction, mask=mask)
        (path,) = seg.write(replace(model, series=series, volume=volume, prediction=prediction), tmp_path)
        measured = np.array([origin is not None for origin in series.slice_of])
        found = voxels(path)
        for label in (1, 2):
            wanted = volume.grid.to_mm(np.argwhere(mask.of(label) & measured[:, None, None]))
            assert np.abs(in_order(found[label]) - in_order(wanted)).max() < 0.05
        everything = replace(model, series=series, volume=volume, prediction=prediction)
        files = (path, *sr.write(everything, tmp_path), *key_images.write(everything, tmp_path))
        proofs = prove(everything, files)
        assert [proof.file for proof in proofs] == ["seg.dcm", "sr.dcm"]
        assert max(proof.largest_distance_mm for proof in proofs) < 0.02
        for file in files:
            errors = [line for line in dciodvfy(file) or [] if line.startswith("Error")]
            assert not errors, file.name
