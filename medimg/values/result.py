"""What a run returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from medimg.values.finding import Finding, Heatmap, Prediction
    from medimg.values.proof import Proof
    from medimg.values.series import Series, Skipped, SourceSlice
    from medimg.values.volume import Volume

SCHEMA = "medimg.run/1"  # changes with every change of meaning; documented in docs/findings.md
FINDINGS_SCHEMA = "medimg.findings/1"  # of findings.json
STUDY_SCHEMA = "medimg.study/1"  # of run.json in a study's folder: findings.json and what belongs to this one run


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What made a result: enough to make it again.

    `parameters` are the card's operating point and the options given; `versions` the packages that took part. `outlines` is ""
    where the model made the outlines; where they were given, it is how they were made, in DICOM's words (MANUAL, SEMIAUTOMATIC,
    AUTOMATIC), and no model took part.
    """

    model: str
    model_version: str
    model_summary: str
    model_licence: str
    weights_sha256: dict[str, str]
    medimg_version: str
    versions: dict[str, str]
    parameters: dict[str, Any]
    research_only: str = ""
    outlines: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return dict(vars(self))


@dataclass(frozen=True, kw_only=True, eq=False)
class StudyResult:
    """One study: what was read, what was found, with which model, and what was written where.

    `volume` and `heatmaps` are there for the writers of reports; they are not part of `to_dict`.
    `labelmap` asks for the outlines as a LABELMAP segmentation; `proof` is what reading the written objects back has shown.
    `error` is the sentence of a study that ended badly; it then has no findings and no files.
    """

    name: str
    series: Series
    provenance: Provenance
    prediction: Prediction | None = None
    volume: Volume | None = None
    heatmaps: tuple[Heatmap, ...] = ()
    other_series: tuple[Skipped, ...] = ()
    folder: Path | None = None
    files: tuple[Path, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    identify: bool = False
    labelmap: bool = False
    proof: tuple[Proof, ...] = ()
    error: str = ""
    exit_code: int = 0

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings, most suspicious first as the model ordered them; none if the study ended badly."""
        return self.prediction.findings if self.prediction else ()

    @property
    def source_instances(self) -> tuple[SourceSlice, ...]:
        """The measured slices as DICOM instances, which a DICOM object can refer to; empty for other formats.

        It is empty, too, where a slice has no SOPInstanceUID or two have the same: a reference would lead to another slice.
        """
        slices = self.series.slices
        known = {(source.instance_uid, source.frame) for source in slices if source.instance_uid}
        return slices if len(known) == len(slices) else ()

    @property
    def has_no_dicom_frame(self) -> bool:
        """Whether the scan came in another format or names no frame of reference, so that outlines are written as NIfTI."""
        return not self.source_instances or not (self.series.grid and self.series.grid.frame_of_reference)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values, as `findings.json` and `--json` have it."""
        return {
            "name": self.name,
            "folder": str(self.folder) if self.folder else None,
            "series": [self.series.to_dict()],
            "findings": [finding.to_dict() for finding in self.findings],
            "not_evaluated": [item.to_dict() for item in self.prediction.not_evaluated] if self.prediction else [],
            "remarks": list(self.prediction.remarks) if self.prediction else [],
            "other_series": [item.to_dict() for item in self.other_series],
            "files": [path.name for path in self.files],
            "provenance": self.provenance.to_dict(),
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "error": self.error,
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class RunResult:
    """Everything one call of `medimg.infer` did."""

    studies: tuple[StudyResult, ...]
    skipped: tuple[Skipped, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    schema: str = SCHEMA

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of all studies."""
        return tuple(finding for study in self.studies for finding in study.findings)

    @property
    def ok(self) -> bool:
        """Whether every study ended well."""
        return not any(study.error for study in self.studies)

    def to_dict(self) -> dict[str, Any]:
        """Return the run as JSON values."""
        return {
            "schema": self.schema,
            "studies": [study.to_dict() for study in self.studies],
            "skipped": [item.to_dict() for item in self.skipped],
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
        }
