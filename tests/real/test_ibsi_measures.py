"""The measures against the reference values of the Image Biomarker Standardisation Initiative."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from medimg.measures import measure
from medimg.values import Grid, Mask, Volume

pytestmark = pytest.mark.skipif(not os.environ.get("MEDIMG_REAL_DATA"), reason="MEDIMG_REAL_DATA is not set")
LPS_FROM_RAS, REVERSE = np.diag([-1.0, -1.0, 1.0, 1.0]), np.eye(4)[[2, 1, 0, 3]]


def load(name):
    import nibabel

    image = nibabel.load(Path(os.environ["MEDIMG_REAL_DATA"]) / "ibsi_digital_phantom" / name)
    array = np.asarray(image.dataobj).T
    return array, Grid(array.shape, LPS_FROM_RAS @ image.affine @ REVERSE)


def reference():
    path = Path(os.environ["MEDIMG_REAL_DATA"]) / "ibsi_digital_phantom" / "reference_values" / "ibsi_1_dig_phantom.csv"
    rows = [line.split(";") for line in path.read_text().splitlines()]
    return {row[2]: float(row[0]) for row in rows if len(row) == 3 and row[0].replace(".", "").isdigit()}


def test_the_digital_phantom_has_its_reference_values():
    pixels, grid = load("image.nii.gz")
    found, _ = load("mask.nii.gz")
    volume = Volume(array=pixels.astype(np.int16), grid=grid, unit="HU")  # unit as if, so that intensities are measured
    measures, wanted = measure(volume, Mask(array=found.astype(np.uint8), grid=grid), label=1), reference()
    assert measures.volume_mm3 == pytest.approx(wanted["morph_vol_approx"])  # YEKZ, the voxel sum
    assert measures.mean_hu == pytest.approx(wanted["stat_mean"], abs=0.005)
    assert measures.sd_hu**2 == pytest.approx(wanted["stat_var"], abs=0.005)
    assert (measures.min_hu, measures.max_hu) == (wanted["stat_min"], wanted["stat_max"])
    assert measures.longest_diameter_mm <= wanted["morph_diam"] + 0.1  # L0JK is over all slices, ours within one
