"""The default model on patients: the least that its card promises.

Scans that are not free for any use are looked at here, and never learnt from.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import medimg
from medimg import readers
from medimg.cli import main
from medimg.engine import load_model
from medimg.errors import UnsuitableScanError
from medimg.training import read_chests
from medimg.training.evaluate_chests import evaluate_chests
from tests.builders.dicom_checks import dciodvfy

DATA = Path(os.environ.get("MEDIMG_REAL_DATA", ""))
pytestmark = pytest.mark.skipif(not os.environ.get("MEDIMG_REAL_DATA"), reason="MEDIMG_REAL_DATA is not set")
LEAST_FOUND, MOST_OTHERS = 4, 15  # of 6 targets in four scans; findings a scan that no reader marked
LEAST_DICE_OF_A_MASS = 0.6
NODULE_MM, RADIUS_MM = (70.9, 76.6, -191.7), 13.3  # LIDC-IDRI-0003, marked by four readers


@pytest.fixture(scope="module")
def model():
    return load_model("lung-nodule", device="cpu")


def test_four_whole_chests(model):
    lines = evaluate_chests(model, read_chests(DATA / "whole_chest")).lines
    assert sum(line["targets"] for line in lines) == 6
    assert sum(line["found"] for line in lines) >= LEAST_FOUND
    assert max(line["others"] for line in lines) <= MOST_OTHERS, lines


def test_slices_of_a_scanner_with_a_truncated_file(tmp_path, capsys):
    """The damaged slice is at the end: the scan is read without it, that is said, and the nodule is found where it is."""
    assert main(["infer", str(DATA / "lidc_dicom" / "LIDC-IDRI-0003" / "ct"), "--output", str(tmp_path), "--json"]) == 0
    (study,) = json.loads(capsys.readouterr().out)["studies"]
    hazards = [hazard for series in study["series"] for hazard in series["hazards"]]
    assert any("001.dcm" in hazard["sentence"] for hazard in hazards)
    found = [finding for finding in study["findings"] if np.linalg.norm(np.subtract(finding["center_mm"], NODULE_MM)) < RADIUS_MM]
    assert found
    assert found[0]["laterality"] == "Left"
    keys = {f"key_{number}.dcm" for number in range(1, len(study["findings"]) + 1)}
    others = {"seg.dcm", "sr.dcm", "report.html", "heatmap.nii.gz", "findings.json", "run.json"}
    assert keys | others == set(study["files"])
    proofs = json.loads((Path(study["folder"]) / "run.json").read_text())["proof"]
    assert [(proof["file"], proof["agrees"]) for proof in proofs] == [("seg.dcm", True), ("sr.dcm", True)]
    assert proofs[0]["voxels"] > 1000
    for path in Path(study["folder"]).glob("*.dcm"):
        assert not [line for line in dciodvfy(path) or [] if line.startswith("Error")], path.name


@pytest.mark.parametrize(
    ("scan", "center_mm"), [("LUNG1-001", (82.3, -201.5, -456.8)), ("radiomics_phantom_1", (-74.5, 16.3, -18.7))]
)
def test_a_mass_is_found_as_one_finding_and_outlined(model, scan, center_mm):
    """Tumours of 67 and 88 mm, outlined by radiotherapists: larger than anything the model has learnt from."""
    folder = DATA / "chest_ct" / scan
    volume, drawn = medimg.read(folder / "ct"), medimg.read_mask(folder / "labels.nii.gz")
    prediction = model(volume)
    masses = [finding for finding in prediction.findings if finding.kind.meaning == "Mass"]
    assert len(masses) == 1
    assert np.linalg.norm(np.subtract(masses[0].center_mm, center_mm)) < 15
    found, tumour = prediction.mask.array == masses[0].id, medimg.resample(drawn, like=volume.grid).array == 1
    dice = 2 * np.count_nonzero(found & tumour) / (np.count_nonzero(found) + np.count_nonzero(tumour))
    assert dice > LEAST_DICE_OF_A_MASS
    assert len(prediction.findings) <= 2 * MOST_OTHERS


@pytest.mark.parametrize(
    "path",
    [
        "other_anatomy/sts002_ct_image.nii.gz",
        "other_anatomy/sts002_mr_t1_image.nii.gz",
        "other_anatomy/sts002_pet_image.nii.gz",
        "other_anatomy/abdomen_mr.nii.gz",
        "other_anatomy/brain_mr_image.nrrd",
        "vendor_dicom/siemens_t1_sagittal_HFS",
        "vendor_dicom/ge_hispeed_head_ct_tilt",
    ],
)
def test_what_shows_no_chest_is_refused(model, path):
    for volume in readers.read_all(DATA / path):
        with pytest.raises(UnsuitableScanError):
            model(volume)


def test_bowel_is_no_lung(model):
    """A CT of the abdomen whose voxels are in the model's range, so that nothing but what it shows keeps it out."""
    volume = readers.read(DATA / "other_anatomy" / "abdomen_pelvis_ct.nii.gz")
    fine = replace(medimg.resample(volume, spacing_mm=1.9).of_modality("CT"), unit="HU")
    with pytest.raises(UnsuitableScanError, match="bowel"):
        model(fine)
