"""Say a run in lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from medimg.values import Finding, RunResult, StudyResult

SKIPPED_SHOWN = 10  # a folder may hold thousands of files that are no images; --json and the report name all


def lines(result: RunResult, *, sent_to: str = "") -> Iterator[str]:
    """Say what was taken, what was found, what was not used and why, and last which files were written.

    Args:
        result: of a run.
        sent_to: the node that its objects were for.
    """
    for study in result.studies:
        yield from _study(study)
    hidden = len(result.skipped) - SKIPPED_SHOWN
    for item in result.skipped[:SKIPPED_SHOWN]:
        yield f"not used: {item.what}: {item.reason}"
    if hidden > 0:
        yield f"not used: {hidden} more; --json names them all"
    written = [path for study in result.studies for path in study.files]
    if not written:
        kept = f"Nothing was kept here but what is for {sent_to}" if sent_to else "Nothing was written"
        yield f"{kept}. Give --output FOLDER for the report, the masks and the rest."
        return
    yield "files written:"
    for path in written:
        yield f"  {path}"
    reports = [path for path in written if path.name == "report.html"]
    if reports:
        yield f"Look at: {' and '.join(map(str, reports))} (open it in a browser)"


def _study(study: StudyResult) -> Iterator[str]:
    yield study.name
    yield f"  took {study.series.describe()}"
    for hazard in study.series.hazards:
        yield f"    {hazard.verdict}: {hazard.sentence}"
    for item in study.other_series:
        yield f"  left {item.what}: {item.reason}"
    if study.error:
        yield f"  failed: {study.error}"
        return
    if study.prediction:
        for remark in study.prediction.remarks:
            yield f"  note: {remark}"
        for item in study.prediction.not_evaluated:
            if item.reason not in study.prediction.remarks:  # said already
                yield f"  not evaluated: {item.what}: {item.reason}"
    if not study.findings:
        yield f"  {study.provenance.model} {study.provenance.model_version} found nothing"
        return
    made_by = study.provenance
    if made_by.outlines:
        yield f"  measured {len(study.findings)} given outlines ({made_by.outlines.lower()}):"
    else:
        yield f"  {made_by.model} {made_by.model_version} found {len(study.findings)}:"
    yield "   no   centre L, P, S mm        volume mm3  longest mm  mean HU  detection  suspicion"
    for finding in study.findings:
        yield _finding(finding)


def _finding(finding: Finding) -> str:
    measures, suspicion = finding.measures, finding.score("suspicion")
    center = ", ".join(f"{value:.1f}" for value in finding.center_mm)
    mean = "-" if measures.mean_hu is None else f"{measures.mean_hu:.0f}"
    sure = "-" if finding.detection_probability is None else f"{finding.detection_probability:.2f}"
    rated = "-" if suspicion is None else f"{suspicion:.2f}"
    return (
        f"  {finding.id:>3}   {center:<22} {measures.volume_mm3:>12.0f} {measures.longest_diameter_mm:>11.1f} {mean:>8} "
        f"{sure:>10} {rated:>10}{'  ' + finding.name if finding.name else ''}"
    )
