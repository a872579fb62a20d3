"""`report.html`: the result for people, one file that needs nothing else."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from medimg._tools.files import whole_file
from medimg.drawing import draw_crop, draw_overview, draw_slice
from medimg.measures import diameters
from medimg.reports._absent import not_written
from medimg.values import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from medimg.measures import Diameters
    from medimg.values import Finding, Hazard, Heatmap, Score, StudyResult

NEEDS = ("volume", "prediction")
FILE = "report.html"
RESEARCH_ONLY = "For research only. This is not a medical device, and nothing in it is a diagnosis."
SUSPICION = "suspicion"
PICTURE_PX = 420  # twice what the page gives it, so that it stays sharp on a fine screen and in print
METHODS = {"gradcam": "Grad-CAM"}
IDENTITY = (
    ("Name", "PatientName"),
    ("Patient ID", "PatientID"),
    ("Born", "PatientBirthDate"),
    ("Accession number", "AccessionNumber"),
    ("Study date", "StudyDate"),
)


@dataclass(frozen=True, kw_only=True)
class Card:
    """What the page shows of one finding."""

    finding: Finding
    place: str
    slice_number: int
    size: Diameters
    whole: str
    crop: str
    heat: str
    method: str
    target: str
    other_scores: tuple[Score, ...]


def write(result: StudyResult, folder: Path) -> tuple[Path, ...]:
    """Write `report.html`: findings with key slices and evidence, what was used and what not, and what made it.

    One file without scripts that loads nothing; pictures stand in it. It holds no patient data unless `result.identify`: then
    name, id, birth date, accession number and study date are read from the first source file.
    """
    path = folder / FILE
    with whole_file(path) as partial:
        partial.write_text(page(result), encoding="utf-8")
    return (path,)


def page(result: StudyResult) -> str:
    """Return the page."""
    import jinja2

    assert result.volume is not None  # NEEDS has looked
    assert result.prediction is not None
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("medimg.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"number": number, "signed": signed}
    series, others = result.series, result.other_series
    return environment.get_template("report.html").render(
        result=result,
        cards=[_card(result, finding) for finding in result.findings],
        overview=_uri(
            draw_overview(
                result.volume, [(str(finding.id), finding.center_mm) for finding in result.findings], size_px=PICTURE_PX
            )
        ),
        research_only=result.provenance.research_only or RESEARCH_ONLY,
        suspicion=next((score for finding in result.findings for score in finding.scores if score.name == SUSPICION), None),
        calibration=calibration_words(result.findings),
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        identity=_identity(result) if result.identify else (),
        modality=series.modality or result.volume.modality or "Scan",
        shape=" × ".join(str(size) for size in result.volume.shape),
        spacing=" × ".join(f"{step:.3g}" for step in result.volume.grid.spacing_mm),
        hazards=_by_gravity(series.hazards),
        others=others,
        not_evaluated=result.prediction.not_evaluated,
        remarks=result.prediction.remarks,
        not_written=not_written(result),
        clean=series.verdict in (Verdict.EXACT, Verdict.NOTED),
    )


def number(value: float | None, digits: int = 0, unit: str = "") -> str:
    r"""Write a number for people: a thin space between thousands, a dash where there is none.

    >>> number(12345.6), number(None), number(-3.26, 1, "HU")
    ('12\u202f346', '–', '−3.3\u202fHU')
    """
    if value is None:
        return "–"
    text = f"{value:,.{digits}f}".replace(",", "\u202f").replace("-", "−")
    return f"{text}\u202f{unit}" if unit else text


def signed(point: tuple[float, ...]) -> str:
    """Write an LPS point as a reader says it: the side of each number in place of its sign.

    >>> signed((-31.24, 12.0, -150.06))
    'R 31.2, P 12.0, F 150.1'
    """
    return ", ".join(f"{pair[int(value > 0)]} {abs(value):.1f}" for pair, value in zip(("RL", "AP", "FH"), point, strict=True))


def calibration_words(findings: Sequence[Finding]) -> dict[str, str]:
    """Say of each score by its name that it is not calibrated, where that is so, for all of the findings or for some."""
    calibrated: dict[str, list[bool]] = {}
    for finding in findings:
        for score in finding.scores:
            calibrated.setdefault(score.name, []).append(score.calibrated)
    return {
        name: "" if all(each) else " Not calibrated where its number says so." if any(each) else " Not calibrated."
        for name, each in calibrated.items()
    }


def _card(result: StudyResult, finding: Finding) -> Card:
    volume, mask = result.volume, result.prediction.mask if result.prediction else None
    assert volume is not None
    assert mask is not None
    size = diameters(mask, label=finding.id)
    heatmap: Heatmap | None = next((heatmap for heatmap in result.heatmaps if heatmap.finding_id == finding.id), None)
    where: dict[str, Any] = {"label": finding.id, "slice_index": size.slice_index, "size_px": PICTURE_PX}
    calipers = [size.long_ends_mm, size.short_ends_mm]
    words = [finding.laterality.meaning.lower()] if finding.laterality else []
    words += [finding.site.meaning.lower()] if finding.site else []
    return Card(
        finding=finding,
        place=" ".join(words).capitalize() or "Site unknown",
        slice_number=size.slice_index + 1,
        size=size,
        whole=_uri(draw_slice(volume, mask, **where)),
        crop=_uri(draw_crop(volume, mask, calipers_mm=calipers, **where)),
        heat=_uri(draw_crop(volume, mask, heatmap=heatmap, **where)) if heatmap else "",
        method=METHODS.get(heatmap.method, heatmap.method) if heatmap else "",
        target=heatmap.target if heatmap else "",
        other_scores=tuple(score for score in finding.scores if score.name != SUSPICION),
    )


def _uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _by_gravity(hazards: tuple[Hazard, ...]) -> list[Hazard]:
    return sorted(hazards, key=lambda hazard: -hazard.verdict.severity)


def _identity(result: StudyResult) -> tuple[tuple[str, str], ...]:
    """Return what the header says of the patient; the one place where medimg reads it."""
    sources = result.series.slices if result.series.reader == "dicom" else ()
    if not sources:
        return (("Patient", "this format names nobody"),)
    import pydicom

    header = pydicom.dcmread(
        sources[0].file,
        stop_before_pixels=True,
        force=True,
        specific_tags=["SpecificCharacterSet", *(keyword for _, keyword in IDENTITY)],
    )
    return tuple((name, str(header.get(keyword) or "–")) for name, keyword in IDENTITY)
