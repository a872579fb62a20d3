"""Results as a run returns them, made without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from medimg.values import (
    Code,
    Finding,
    Grid,
    Hazard,
    Mask,
    Measures,
    Prediction,
    Provenance,
    RunResult,
    Score,
    Series,
    Skipped,
    StudyResult,
    Verdict,
)

GRID = Grid.straight((4, 5, 6), spacing_mm=(2.5, 0.7, 0.7))
PROVENANCE = Provenance(
    model="lung-nodule",
    model_version="1.0",
    model_summary="",
    model_licence="CC-BY-4.0",
    weights_sha256={},
    medimg_version="0",
    versions={},
    parameters={},
)


def series(name: str = "series-1", **fields) -> Series:
    hazard = Hazard(kind="missing-slice", verdict=Verdict.REPAIRED, sentence="Slice 3 is missing.")
    given = {"modality": "CT", "kernel": "B30f", "grid": GRID, "hazards": (hazard,), "files": (Path("1.dcm"), Path("2.dcm"))}
    return Series(reader="dicom", name=name, **{**given, **fields})


def finding(number: int = 1, suspicion: float = 0.75) -> Finding:
    return Finding(
        id=number,
        center_mm=(1.25, -2.5, 3),
        measures=Measures(volume_mm3=523.6, longest_diameter_mm=10.1, short_diameter_mm=9, mean_hu=31.4),
        kind=Code("SCT", "27925004", "Nodule"),
        detection_probability=0.98,
        scores=(Score(name="suspicion", value=suspicion, meaning="what radiologists would rate"),),
    )


def study(
    *findings: Finding, folder: Path | None = None, error: str = "", exit_code: int = 0, name: str = "study-1"
) -> StudyResult:
    prediction = None if error else Prediction(findings=findings, mask=Mask(array=np.zeros(GRID.shape, bool), grid=GRID))
    return StudyResult(
        name=name,
        series=series(),
        provenance=PROVENANCE,
        prediction=prediction,
        other_series=(Skipped(what="series-2", reason="Its kernel B70f is sharp."),),
        folder=folder,
        files=(folder / "report.html", folder / "seg.dcm") if folder else (),
        error=error,
        exit_code=exit_code,
    )


def run(*studies: StudyResult, skipped: int = 1) -> RunResult:
    left = tuple(Skipped(what=f"notes{number}.txt", reason="It is no image.") for number in range(skipped))
    return RunResult(studies=studies, skipped=left, seconds={"total": 1.5})
