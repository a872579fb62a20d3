"""What a structured report of measurements says, as far as it goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medimg.values.code import Code
    from medimg.values.finding import Finding
    from medimg.values.series import Skipped

    Point = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One measured number: what it is, its value in its own unit, how it was derived (mean, maximum ...) and by which method."""

    concept: Code
    value: float
    unit: Code | None = None
    derivation: Code | None = None
    method: Code | None = None


@dataclass(frozen=True, kw_only=True)
class Region:
    """A drawn point, line or outline.

    `kind` is DICOM's word (POINT, POLYLINE, POLYGON, CIRCLE, ELLIPSE ...). With `frame_of_reference` the points are LPS
    millimetres; without it they are (column, row) in the pixels of the image `instance_uid`, whose first pixel has its corner at
    0, 0 and its centre at 0.5, 0.5, and `frame` counts its frames from 0.
    """

    kind: str
    points: tuple[tuple[float, ...], ...]
    frame_of_reference: str = ""
    instance_uid: str = ""
    frame: int = 0


@dataclass(frozen=True, kw_only=True)
class MeasurementGroup:
    """One thing that was measured, as the report has it; groups of one tracking UID are one.

    Args:
        tracking_uid, name: what it is followed by, "" if the report gives none.
        kind, category, site, laterality: codes as they stand there.
        measurements: every number that could be read.
        evaluations: coded or written statements: what, and the answer (a Code, or text).
        segment: (SOP instance UID, segment number) of its outline, if there is one.
        regions: what was drawn.
        comments: sentences.
        center_mm: LPS point, where the report draws it or the segment was given.
        missing: what a Finding needs and this has not, in words; () if it is one.
    """

    tracking_uid: str = ""
    name: str = ""
    kind: Code | None = None
    category: Code | None = None
    site: Code | None = None
    laterality: Code | None = None
    measurements: tuple[Measurement, ...] = ()
    evaluations: tuple[tuple[Code, Code | str], ...] = ()
    segment: tuple[str, int] | None = None
    regions: tuple[Region, ...] = ()
    comments: tuple[str, ...] = ()
    center_mm: Point | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MeasurementReport:
    """A structured report (TID 1500) that was read.

    Args:
        title: what it calls itself.
        groups: everything that was measured or stated.
        findings: the groups that have all a Finding needs: volume, both diameters, and a place.
        skipped: what could not be read, and why.
        instance_uid, study_uid: identity; never shown.
    """

    title: str
    groups: tuple[MeasurementGroup, ...]
    findings: tuple[Finding, ...]
    skipped: tuple[Skipped, ...] = ()
    instance_uid: str = ""
    study_uid: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return what may be shown as JSON values."""
        return {
            "title": self.title,
            "findings": [finding.to_dict() for finding in self.findings],
            "incomplete": [{"name": group.name, "missing": list(group.missing)} for group in self.groups if group.missing],
            "skipped": [item.to_dict() for item in self.skipped],
        }
