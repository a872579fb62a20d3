"""Say which objects a study does not get, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medimg.values import Skipped

if TYPE_CHECKING:
    from medimg.values import StudyResult

MOST_KEY_IMAGES = 20  # nobody looks through more; they are the most suspicious ones
NOT_ONE_EACH = "Slices of the source have no SOPInstanceUID or share one, so no DICOM object can say which one it means."


def not_written(result: StudyResult) -> tuple[Skipped, ...]:
    """Return the objects that a reader would look for and that this study does not get, each with its reason."""
    absent = []
    if result.prediction and result.series.slices and result.series.reader == "dicom" and not result.source_instances:
        absent += [Skipped(what=what, reason=NOT_ONE_EACH) for what in ("seg.dcm", "sr.dcm", "key_1.dcm")]
    if result.prediction and result.source_instances:
        for what, reason in (("seg.dcm", why_no_seg(result)), ("sr.dcm", why_no_sr(result)), ("key_1.dcm", why_no_key(result))):
            if reason:
                absent.append(Skipped(what=what, reason=reason))
        if len(result.findings) > MOST_KEY_IMAGES:
            few = f"Only the first {MOST_KEY_IMAGES} of {len(result.findings)} findings get a key image; sr.dcm has all."
            absent.append(Skipped(what=f"key_{MOST_KEY_IMAGES + 1}.dcm", reason=few))
    if result.findings and not result.heatmaps:
        absent.append(Skipped(what="heatmap.nii.gz", reason="No explanation of the findings was asked for."))
    return tuple(absent)


def why_no_sr(result: StudyResult) -> str:
    """Say why a study from DICOM gets no `sr.dcm`, "" if it gets one."""
    if result.series.grid is None or not result.series.grid.frame_of_reference:
        return "The source has no frame of reference, so no measurement can be tied to a place in it: it gets key images only."
    return ""


def why_no_key(result: StudyResult) -> str:
    """Say why a study from DICOM gets no key images, "" if it gets them."""
    return "" if result.findings else "No finding, so there is no slice to show."


def why_no_seg(result: StudyResult) -> str:
    """Say why a study from DICOM gets no `seg.dcm`, "" if it gets one."""
    series = result.series
    assert result.prediction is not None  # the caller has looked
    if not result.findings:
        return "No finding: a DICOM SEG without a segment is not legal. findings.json and report.html say it."
    if series.grid is None or not series.grid.frame_of_reference:
        return "The source has no frame of reference, so no DICOM SEG can be tied to it."
    mask = result.prediction.mask
    if not any(bool(mask.array[index].any()) for index, source in enumerate(series.slice_of) if source is not None):
        return "The outlines lie only where slices are missing, so no measured slice carries them."
    return ""
