"""What a run returns, as programs read it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from medimg.values import (
    Code,
    Finding,
    Grid,
    Mask,
    Measures,
    Prediction,
    Provenance,
    RunResult,
    Series,
    Skipped,
    SourceSlice,
    StudyResult,
)

GRID = Grid.straight((2, 2, 2), spacing_mm=(1, 1, 1))
PROVENANCE = Provenance(
    model="lung-nodule",
    model_version="1.0.0",
    model_summary="Finds nodules.",
    model_licence="CC-BY-4.0",
    weights_sha256={"detect.safetensors": "00"},
    medimg_version="0.1.0",
    versions={"numpy": "2"},
    parameters={"threshold": 0.5},
)
FINDING = Finding(
    id=1,
    center_mm=(0, 0, 0),
    measures=Measures(volume_mm3=1, longest_diameter_mm=1, short_diameter_mm=1),
    kind=Code("SCT", "27925004", "Nodule"),
    detection_probability=0.9,
)
PREDICTION = Prediction(
    findings=(FINDING,),
    mask=Mask(array=np.ones(GRID.shape, np.uint8), grid=GRID),
    not_evaluated=(Skipped(what="the apex", reason="It is not in the scan."),),
)
DONE = StudyResult(
    name="study-1",
    series=Series(reader="nifti", files=(Path("scan.nii.gz"),), name="series-1", grid=GRID),
    provenance=PROVENANCE,
    prediction=PREDICTION,
    files=(Path("results/study-1/report.html"),),
    seconds={"read": 0.123456},
)
FAILED = replace(DONE, name="study-2", prediction=None, files=(), error="The weights are damaged.", exit_code=5)


def test_a_run_is_written_as_json_with_its_schema() -> None:
    written = json.loads(json.dumps(RunResult(studies=(DONE, FAILED), seconds={"all": 1.23456}).to_dict()))
    assert written["schema"] == "medimg.run/1"
    assert [len(study["findings"]) for study in written["studies"]] == [1, 0]
    assert written["studies"][0]["not_evaluated"] == [{"what": "the apex", "reason": "It is not in the scan."}]
    assert written["studies"][0]["provenance"]["weights_sha256"] == {"detect.safetensors": "00"}
    assert written["studies"][0]["files"] == ["report.html"]
    assert written["seconds"] == {"all": 1.235}


def test_a_run_is_well_only_if_every_study_is() -> None:
    assert RunResult(studies=(DONE,)).ok
    assert not RunResult(studies=(DONE, FAILED)).ok
    assert RunResult(studies=(DONE, FAILED)).findings == (FINDING,)


def test_dicom_objects_refer_to_measured_dicom_instances_only() -> None:
    first = SourceSlice(file=Path("1.dcm"), position_mm=(0, 0, 0), instance_uid="1.2")
    second = SourceSlice(file=Path("2"), position_mm=(0, 0, 1), instance_uid="1.3")
    grid = Grid.straight((2, 2, 2), spacing_mm=(1, 1, 1), frame_of_reference="1.2.3")
    dicom = replace(DONE, series=replace(DONE.series, slices=(first, second), grid=grid))
    assert dicom.source_instances == (first, second)
    for other in (replace(second, instance_uid=""), replace(second, instance_uid="1.2")):  # a reference would lead elsewhere
        assert replace(DONE, series=replace(DONE.series, slices=(first, other), grid=grid)).source_instances == ()
    assert not dicom.has_no_dicom_frame
    assert replace(dicom, series=replace(dicom.series, grid=None)).has_no_dicom_frame
    assert DONE.has_no_dicom_frame
