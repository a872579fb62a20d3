"""Read a structured report of measurements (TID 1500), anybody's, back as findings, as far as it goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medimg.errors import GeometryError, ScanError
from medimg.readers import _dicom_tags as tag
from medimg.readers._dicom_header import NotDicomError
from medimg.readers._dicom_object import damaged, read_object
from medimg.readers._seg import read_seg, segments_of
from medimg.readers._sr_file import Content, content_of, measurement, reference, region
from medimg.values import Finding, Mask, Measures, Score, Skipped
from medimg.values.code import PRIVATE_SCHEME, SCORE_OF_A_MODEL
from medimg.values.measurement_report import MeasurementGroup, MeasurementReport

if TYPE_CHECKING:
    from collections.abc import Iterable

    from medimg.values import Code
    from medimg.values.measurement_report import Measurement

AN_SR = "a DICOM structured report of measurements (TID 1500)"
SR_CLASSES = "1.2.840.10008.5.1.4.1.1.88."
REPORT, MEASUREMENTS, GROUP = "126000", "126010", "125007"
TRACKING_NAME, TRACKING_UID, FINDING = "112039", "112040", "121071"
CATEGORY, SITE, LATERALITY = ("276214006", "R-427CE"), ("363698007", "G-C0E3"), ("272741003", "G-C171")
SEGMENT, COMMENT, CENTER = "121191", "121106", "111010"
VOLUMES = ("118565006", "G-D705", "YEKZ", "RNU0")
LONG_AXES, SHORT_AXES = ("103339001", "G-A185"), ("103340004", "G-A186")
ATTENUATION = ("112031", "112181")
DERIVATIONS = {  # of an attenuation: SNOMED CT, its retired form
    "mean_hu": ("373098007", "R-00317"),
    "sd_hu": ("386136009", "R-10047"),
    "min_hu": ("255605001", "R-404FB"),
    "max_hu": ("56851009", "G-A437"),
}
MM3 = {"mm3": 1.0, "cm3": 1e3, "ml": 1e3, "mL": 1e3, "dm3": 1e6, "l": 1e6, "L": 1e6}
MM = {"mm": 1.0, "cm": 10.0, "um": 1e-3, "m": 1e3}
DETECTION, CALIBRATED, HASHED = "detection", "calibrated", "score-"


def read_sr(path: str | Path, *, segmentation: Mask | str | Path | None = None) -> MeasurementReport:
    """Read a DICOM structured report of measurements (TID 1500): every group of it, and those that are whole as findings.

    A group becomes a Finding where it has a volume, a long and a short axis in units of length, and a place. A report seldom says
    where the centre lies: give the `segmentation` that it refers to, and the centre of mass of the group's segment is taken.
    Scores of medimg (scheme 99MEDIMG) come back as scores with what they mean; other makers' numbers are in `groups`. What a
    group lacks stands in its `missing`, what could not be read in `skipped`.

    Args:
        path: the file.
        segmentation: the SEG that the report refers to: its path, or its Mask (labels are segment numbers).

    Raises:
        ScanError: the file is no such report or is damaged, or the SEG is another one than the report refers to.
        GeometryError: the SEG has no grid of its own (read it with `read_seg(..., scan=...)` and give the Mask).
    """
    path = Path(path)
    _, root = read_object(path, what=AN_SR)
    if not root.uid(tag.SOP_CLASS).startswith(SR_CLASSES) and root.uid(tag.MODALITY) != "SR":
        raise ScanError(f"{path.name} is DICOM, and no structured report. Give the path of {AN_SR}.")
    try:
        top = content_of(root)
        lists = [content for content in (top, *top.below()) if content.code == MEASUREMENTS]
        if not lists:
            title = top.concept.meaning if top.concept else "a report without a title"
            raise ScanError(
                f"{path.name} is a structured report ({title}) without Imaging Measurements. Give the path of {AN_SR}."
            )
        skipped: list[Skipped] = []
        groups = _joined([_group(group, number, skipped) for number, group in enumerate(_groups(lists), 1)])
    except NotDicomError as error:
        raise damaged(path, str(error)) from error
    groups = _placed(groups, segmentation, skipped)
    findings: list[Finding] = []
    described: list[MeasurementGroup] = []
    for group in groups:
        missing = _missing(group)
        described.append(replace(group, missing=missing))
        if not missing:
            findings.append(_finding(group, len(findings) + 1))
    numbers = [group.segment[1] for group in described if group.segment and not group.missing]
    if len(numbers) == len(findings) == len(set(numbers)):  # a finding's number is its segment's, wherever all have one
        findings = [replace(finding, id=number) for finding, number in zip(findings, numbers, strict=True)]
    return MeasurementReport(
        title=top.concept.meaning if top.concept else "",
        groups=tuple(described),
        findings=tuple(findings),
        skipped=tuple(skipped),
        instance_uid=root.uid(tag.SOP_INSTANCE),
        study_uid=root.uid(tag.STUDY_UID),
    )


def _groups(lists: Iterable[Content]) -> list[Content]:
    return [content for one in lists for content in one.below() if content.code == GROUP and content.kind == "CONTAINER"]


def _group(content: Content, number: int, skipped: list[Skipped]) -> MeasurementGroup:
    """Return what one measurement group says; what of it cannot be read is told in `skipped`."""
    measurements, evaluations, regions, comments = [], [], [], []
    segment = None
    site = next(content.of(*SITE), None)
    known = {TRACKING_NAME, TRACKING_UID, FINDING, *CATEGORY, *SITE, SEGMENT, COMMENT}
    for child in content.children:
        what = f"group {number}, {child.concept.meaning if child.concept else child.kind}"
        if child.kind == "NUM":
            value = measurement(child)
            if value is None:
                skipped.append(Skipped(what=what, reason="The number is missing, is none, or is there twice with two values."))
            else:
                measurements.append(value)
        elif child.kind in ("SCOORD", "SCOORD3D"):
            drawn = region(child)
            if drawn is None:
                skipped.append(Skipped(what=what, reason="What was drawn has no points that are numbers."))
            else:
                regions.append(drawn)
        elif child.kind == "IMAGE" and child.code == SEGMENT:
            uid, _, label = reference(child)
            segment = (uid, label) if uid and label else segment
        elif child.code == COMMENT and child.kind == "TEXT":
            comments.append(child.text())
        elif child.code not in known and child.concept and child.kind in ("CODE", "TEXT"):
            answer = child.coded() if child.kind == "CODE" else child.text()
            if answer:
                evaluations.append((child.concept, answer))
        elif child.kind == "CONTAINER" and child.code != GROUP:
            skipped.append(Skipped(what=what, reason="A part of a group that is not read here."))
    return MeasurementGroup(
        tracking_uid=next((child.text() for child in content.of(TRACKING_UID)), ""),
        name=next((child.text()[:64] for child in content.of(TRACKING_NAME)), ""),
        kind=next((child.coded() for child in content.of(FINDING)), None),
        category=next((child.coded() for child in content.of(*CATEGORY)), None),
        site=site.coded() if site else None,
        laterality=next((child.coded() for child in site.of(*LATERALITY)), None) if site else None,
        measurements=tuple(measurements),
        evaluations=tuple(evaluations),
        segment=segment,
        regions=tuple(regions),
        comments=tuple(comments),
        center_mm=_drawn_center(content),
    )


def _drawn_center(content: Content) -> tuple[float, float, float] | None:
    """Return the point that a group draws as its centre in the patient."""
    drawn = [(child, region(child)) for child in content.children if child.kind == "SCOORD3D"]
    points = [one for child, one in drawn if one and one.kind == "POINT" and (child.code == CENTER or len(drawn) == 1)]
    if not points or len(points[0].points) != 1:
        return None
    x, y, z = points[0].points[0]
    return x, y, z


def _joined(groups: list[MeasurementGroup]) -> list[MeasurementGroup]:
    """Join groups of one tracking UID: a volume and its lines, or several methods; the first to say a thing is heard.

    Groups that refer to two segments are two outlines (of two points in time, say), and stay apart.
    """
    found: dict[str, MeasurementGroup] = {}
    latest: dict[str, str] = {}
    for number, group in enumerate(groups):
        key = latest.get(group.tracking_uid, "") if group.tracking_uid else ""
        first = found.get(key)
        if first is None or (first.segment and group.segment and first.segment != group.segment):
            key, first = f"group {number}", None
            latest[group.tracking_uid] = key
        if first is None:
            found[key] = group
            continue
        news = tuple(value for value in group.measurements if value not in first.measurements)
        found[key] = replace(
            first,
            kind=first.kind or group.kind,
            site=first.site or group.site,
            laterality=first.laterality or group.laterality,
            segment=first.segment or group.segment,
            center_mm=first.center_mm or group.center_mm,
            measurements=first.measurements + news,
            evaluations=first.evaluations + tuple(one for one in group.evaluations if one not in first.evaluations),
            regions=first.regions + group.regions,
            comments=first.comments + tuple(one for one in group.comments if one not in first.comments),
        )
    return list(found.values())


def _placed(
    groups: list[MeasurementGroup], segmentation: Mask | str | Path | None, skipped: list[Skipped]
) -> list[MeasurementGroup]:
    """Return the groups with the centre of their segment."""
    if segmentation is None:
        return groups
    referred = {group.segment[0] for group in groups if group.segment}
    if isinstance(segmentation, Mask):
        if len(referred) > 1:
            raise ScanError(
                f"The report refers to {len(referred)} segmentations, and a Mask does not say which it is. "
                "Give the path of one of them."
            )
        own, mask_of = (
            next(iter(referred), ""),
            dict.fromkeys((group.segment[1] for group in groups if group.segment), segmentation),
        )
    else:
        _, root = read_object(segmentation, what="a DICOM SEG")
        own = root.uid(tag.SOP_INSTANCE)
        if referred and own not in referred:
            raise ScanError(
                f"{Path(segmentation).name} is not the segmentation that the report refers to. Give that one, or none."
            )
        mask_of = _masks(segmentation, {group.segment[1] for group in groups if group.segment and group.segment[0] == own})
    placed = []
    for group in groups:
        if group.segment is None or group.center_mm:
            placed.append(group)
            continue
        name, number = group.name or "a group", group.segment[1]
        if group.segment[0] != own:
            skipped.append(Skipped(what=name, reason="It refers to another segmentation than the one that was given."))
            placed.append(group)
            continue
        mask = mask_of.get(number)
        box = mask.box(number) if mask else None
        if mask is None or box is None:
            skipped.append(Skipped(what=name, reason=f"The mask has no voxel of segment {number}."))
            placed.append(group)
            continue
        inside = np.argwhere(mask.array[box] == number).mean(axis=0) + [side.start for side in box]
        x, y, z = mask.grid.to_mm(inside).tolist()
        placed.append(replace(group, center_mm=(x, y, z)))
    return placed


def _masks(segmentation: str | Path, numbers: set[int]) -> dict[int, Mask]:
    """Return a mask that holds each of these segments whole: one for all, or where they overlap one for each."""
    there = numbers & set(segments_of(segmentation))
    if not there:
        return {}
    try:
        return dict.fromkeys(there, read_seg(segmentation, segments=sorted(there)))
    except GeometryError:  # they overlap; what keeps each alone from being read is raised here again
        return {number: read_seg(segmentation, segments=[number]) for number in sorted(there)}


def _value(measurements: Iterable[Measurement], codes: tuple[str, ...], units: dict[str, float]) -> float | None:
    """Return the first measurement of a concept in millimetres, None if there is none in a unit that is known."""
    for one in measurements:
        if one.concept.value in codes and one.unit and one.unit.value in units and not one.derivation:
            return one.value * units[one.unit.value]
    return None


def _missing(group: MeasurementGroup) -> tuple[str, ...]:
    numbers = group.measurements
    wanted = {
        "kind": group.kind,
        "volume": _value(numbers, VOLUMES, MM3),
        "long axis": _value(numbers, LONG_AXES, MM),
        "short axis": _value(numbers, SHORT_AXES, MM),
        "centre": group.center_mm,
    }
    return tuple(name for name, value in wanted.items() if value is None)


def _score_name(concept: Code) -> str:
    """Return the name of a score: its code, or what its meaning says where a name was none that a code can be."""
    return concept.meaning.removeprefix(SCORE_OF_A_MODEL) if concept.value.startswith(HASHED) else concept.value


def _finding(group: MeasurementGroup, number: int) -> Finding:
    numbers = group.measurements
    volume, long_mm, short_mm = (
        _value(numbers, codes, units) for codes, units in ((VOLUMES, MM3), (LONG_AXES, MM), (SHORT_AXES, MM))
    )
    assert volume is not None  # nothing is missing: the caller has looked
    assert long_mm is not None
    assert short_mm is not None
    assert group.center_mm is not None
    assert group.kind is not None
    derived = [(one.derivation.value, one.value) for one in numbers if one.concept.value in ATTENUATION and one.derivation]
    density = {
        name: next((value for derivation, value in derived if derivation in codes), None) for name, codes in DERIVATIONS.items()
    }
    meanings = dict(comment.split(": ", 1) for comment in group.comments if ": " in comment)
    rated = [one for one in numbers if one.concept.scheme == PRIVATE_SCHEME and 0 <= one.value <= 1]
    scores = tuple(
        Score(
            name=_score_name(one.concept),
            value=one.value,
            meaning=meanings.get(_score_name(one.concept), one.concept.meaning),
            calibrated=bool(one.method and one.method.value == CALIBRATED),
        )
        for one in rated
        if one.concept.value != DETECTION
    )
    said = {score.name for score in scores}
    called = f"{group.kind.meaning} {number}"
    return Finding(
        id=number,
        center_mm=group.center_mm,
        measures=Measures(volume_mm3=volume, longest_diameter_mm=long_mm, short_diameter_mm=short_mm, **density),
        kind=group.kind,
        category=group.category,
        site=group.site,
        laterality=group.laterality,
        detection_probability=next((one.value for one in rated if one.concept.value == DETECTION), None),
        scores=scores,
        tracking_uid=group.tracking_uid,
        name="" if group.name == called else group.name,
        remarks=tuple(comment for comment in group.comments if comment.split(": ", 1)[0] not in said),
    )
