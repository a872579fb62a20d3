"""What lies on disk: studies, their series, and the true place of every slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from medimg._tools.text import printable
from medimg.values.hazard import Hazard, Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from medimg.values.grid import Grid


@dataclass(frozen=True, kw_only=True)
class SourceSlice:
    """One measured slice: its file, its frame in it, and where it really lies.

    `position_mm` is the LPS point of its first voxel. `instance_uid` and `class_uid` are DICOM's, "" for other formats.
    """

    file: Path
    frame: int = 0
    position_mm: tuple[float, float, float]
    instance_uid: str = ""
    class_uid: str = ""


@dataclass(frozen=True, kw_only=True)
class Series:
    """One volume on disk, described from its headers; voxels are read on demand by `medimg.readers`.

    Args:
        reader: name of the module in `readers/` that scanned it and can read it.
        files: every file that belongs to it, in slice order where there is one.
        grid: where its voxels will lie; None if it was refused.
        slices: the measured slices in grid order (empty for formats that are one block).
        slice_of: for each slice of the grid the index into `slices` it comes from, None where nothing was measured (a gap that
            was filled from the nearest slice). Results are written to measured slices only.
        hazards: what was found; `verdict` is the worst of them.
        modality, kernel, thickness_mm, body_part, image_type, contrast, manufacturer, patient_age_years: the header's words.
        suv_factor: what a PET value in Bq/ml is multiplied with to be an SUV by body weight (g/ml), None if the header does not
            allow it.
        study_uid, series_uid, frame_of_reference: identity. These are never shown; `name` is what people see.
        name: short hash, stable for the same data, free of patient data.
        acquisition: what series of one acquisition share (reconstructions of the same raw data), "" if unknown.
    """

    reader: str
    files: tuple[Path, ...]
    name: str
    grid: Grid | None = None
    slices: tuple[SourceSlice, ...] = ()
    slice_of: tuple[int | None, ...] = ()
    hazards: tuple[Hazard, ...] = ()
    modality: str = ""
    kernel: str = ""
    thickness_mm: float | None = None
    body_part: str = ""
    image_type: tuple[str, ...] = ()
    contrast: bool | None = None
    manufacturer: str = ""
    patient_age_years: float | None = None
    patient_position: str = ""
    series_number: int | None = None
    suv_factor: float | None = None
    transfer_syntax: str = ""
    study_uid: str = ""
    series_uid: str = ""
    acquisition: str = ""

    @property
    def verdict(self) -> Verdict:
        """The gravest verdict of all hazards, `exact` if there are none."""
        return Verdict.worst(*(hazard.verdict for hazard in self.hazards))

    @property
    def is_readable(self) -> bool:
        """Whether it can be read as a Volume."""
        return self.grid is not None and self.verdict is not Verdict.REFUSED

    def describe(self) -> str:
        """Say the series in one line, without patient data."""
        grid = self.grid.describe() if self.grid else "no volume"
        kernel = f", kernel {self.kernel}" if self.kernel else ""
        return f"{self.name}: {self.modality or self.reader}, {grid}{kernel}"

    def to_dict(self) -> dict[str, object]:
        """Return what may be shown of the series as JSON values."""
        return {
            "name": self.name,
            "reader": self.reader,
            "modality": self.modality,
            "files": len(self.files),
            "grid": self.grid.to_dict() if self.grid else None,
            "kernel": self.kernel,
            "thickness_mm": self.thickness_mm,
            "body_part": self.body_part,
            "manufacturer": self.manufacturer,
            "patient_position": self.patient_position,
            "suv_factor": self.suv_factor,
            "verdict": str(self.verdict),
            "hazards": [hazard.to_dict() for hazard in self.hazards],
        }


@dataclass(frozen=True, kw_only=True)
class Study:
    """The series of one examination; `name` is a short hash that people see and folders are named by."""

    name: str
    series: tuple[Series, ...]
    study_uid: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return what may be shown of the study as JSON values."""
        return {"name": self.name, "series": [series.to_dict() for series in self.series]}


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """Something that was there and was not used, and why. `what` is a file's name as the user gave it or a series' short name."""

    what: str
    reason: str

    def __post_init__(self) -> None:
        for name in ("what", "reason"):
            object.__setattr__(self, name, printable(getattr(self, name)))

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON values."""
        return {"what": self.what, "reason": self.reason}
