"""Prove that a structured report on disk says what was found: every number, every reference, every line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.reports._sr_content import classes, score_concept, shown_diameters
from medimg.values import Proof

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from medimg.measures import Diameters
    from medimg.values import Finding, StudyResult

COMPARED = "every number, score and its calibration, line, tracking UID and reference with the findings and with the segmentation"
MEASUREMENTS, GROUP, LIBRARY, TRACKING = "126010", "125007", "111028", "112040"
FINDING, SITE, SIDE = "121071", "363698007", "272741003"
SEGMENT, DERIVATION, METHOD = "121191", "121401", "370129005"
VOLUME, LONG_AXIS, SHORT_AXIS, ATTENUATION, ABSENT = "118565006", "103339001", "103340004", "112031", "272519000"
DERIVED = {"mean_hu": "373098007", "sd_hu": "386136009", "min_hu": "255605001", "max_hu": "56851009"}
RELATIVE = 1e-8  # nine digits are written
TOLERANCE_MM = 0.05  # of the end of a line; coordinates are float32 in pixels

Key = tuple[str, str, str]  # concept, derivation, calibration


def prove_sr(result: StudyResult, path: Path, segmentation: Path | None) -> Proof:
    """Read a report and compare it with the findings of `result`, and its references with the segmentation beside it."""
    import pydicom

    dataset = pydicom.dcmread(path)
    seg = pydicom.dcmread(segmentation, stop_before_pixels=True, specific_tags=["SOPInstanceUID"]) if segmentation else None
    groups = [item for item in _children(_child(dataset, MEASUREMENTS)) if _name(item) == GROUP]
    volumes = [group for group in groups if any(_name(item) == VOLUME for item in _children(group))]
    lines = [group for group in groups if any(item.ValueType == "SCOORD" for item in _children(group))]
    drawn = [(finding, size) for finding in result.findings if (size := shown_diameters(result, finding)) is not None]
    good = len(volumes) == len(result.findings) and len(lines) == 2 * len(drawn)
    count, references, farthest = 0, 0, 0.0
    for number, (finding, group) in enumerate(zip(result.findings, volumes, strict=False), 1):
        expected, said = dict(_expected(finding)), dict(_said(group))
        good &= len(expected) == sum(1 for _ in _expected(finding)) == sum(1 for _ in _said(group))  # nothing stands for two
        good &= expected.keys() == said.keys() and all(_near(said[key], expected[key]) for key in expected)
        good &= not finding.tracking_uid or finding.tracking_uid == _child(group, TRACKING).UID
        good &= _is_what_was_found(finding, group) and _is_of_its_classes(finding, group)
        count += len(said)
        referred = [item for item in _children(group) if _name(item) == SEGMENT]
        good &= bool(referred) == (seg is not None and _is_measured(result, finding))
        for item in referred:
            reference = item.ReferencedSOPSequence[0]
            good &= seg is not None and reference.ReferencedSOPInstanceUID == seg.SOPInstanceUID
            good &= int(reference.ReferencedSegmentNumber) == number
            references += 1
    for (finding, size), pair in zip(drawn, zip(lines[::2], lines[1::2], strict=False), strict=False):
        good &= all(_is_what_was_found(finding, group) for group in pair)
        good &= not finding.tracking_uid or finding.tracking_uid == _child(pair[0], TRACKING).UID
        farthest = max(farthest, *_distances(result, size, pair))
        good &= _lengths(pair) == [float(f"{length:.9g}") for length in (size.long_mm, size.short_mm)]
        count += 2
    good &= not result.series.study_uid or dataset.StudyInstanceUID == result.series.study_uid
    good &= farthest <= TOLERANCE_MM and _absence_is_sure(result, dataset)
    looked_at = {item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in _images(_child(dataset, LIBRARY))}
    good &= looked_at == {source.instance_uid for source in result.series.slices}
    return Proof(
        file=path.name,
        compared=COMPARED,
        agrees=bool(good),
        numbers=count,
        references=references + len(looked_at),
        largest_distance_mm=farthest,
    )


def _expected(finding: Finding) -> Iterator[tuple[Key, float]]:
    size = finding.measures
    yield (VOLUME, "", ""), size.volume_mm3
    yield (LONG_AXIS, "", ""), size.longest_diameter_mm
    yield (SHORT_AXIS, "", ""), size.short_diameter_mm
    for name, derivation in DERIVED.items():
        value = getattr(size, name)
        if value is not None:
            yield (ATTENUATION, derivation, ""), value
    if finding.detection_probability is not None:
        yield ("detection", "", "not-calibrated"), finding.detection_probability
    for score in finding.scores:
        yield (score_concept(score.name).value, "", "calibrated" if score.calibrated else "not-calibrated"), score.value


def _is_what_was_found(finding: Finding, group: Dataset) -> bool:
    """Say whether a group is of the kind of thing that was found, where and on which side."""
    told = {_name(item): item for item in _children(group) if item.ValueType == "CODE"}
    site = told.get(SITE)
    side = next((item for item in _children(site) if _name(item) == SIDE), None) if site else None
    said = [item and item.ConceptCodeSequence[0].CodeValue for item in (told.get(FINDING), site, side)]
    codes = (finding.kind, finding.site, finding.laterality if finding.site else None)
    return said == [code and code.value for code in codes]


def _is_of_its_classes(finding: Finding, group: Dataset) -> bool:
    """Say whether each score that is parted into classes has its class in a group."""
    told = {(_name(item), item.ConceptCodeSequence[0].CodeValue) for item in _children(group) if item.ValueType == "CODE"}
    return all((name.value, value.value) in told for name, value in classes(finding))


def _said(group: Dataset) -> Iterator[tuple[Key, float]]:
    """Give the numbers of a group by what they are."""
    for item in _children(group):
        if item.ValueType == "NUM":
            told = {_name(child): child for child in _children(item)}
            derivation, method = (
                told[name].ConceptCodeSequence[0].CodeValue if name in told else "" for name in (DERIVATION, METHOD)
            )
            value = float(item.MeasuredValueSequence[0].NumericValue)
            yield (str(_name(item)), str(derivation), str(method)), value


def _lengths(pair: tuple[Dataset, Dataset]) -> list[float]:
    return [number for group in pair for _, number in _said(group)]


def _distances(result: StudyResult, size: Diameters, pair: tuple[Dataset, Dataset]) -> Iterator[float]:
    """Give how far the ends of the long and the short axis lie from where they were measured, in the patient."""
    assert result.prediction is not None  # whoever writes has looked
    grid = result.prediction.mask.grid
    origin = result.series.slice_of[size.slice_index]
    # readers even out slices that are a little uneven: a line lies where its slice was measured, as the outline does
    moved = (
        np.array(result.series.slices[origin].position_mm) - grid.to_mm((size.slice_index, 0, 0))
        if origin is not None
        else np.zeros(3)
    )
    for group, ends in zip(pair, (size.long_ends_mm, size.short_ends_mm), strict=True):
        item = next(item for item in _children(group) if item.ValueType == "SCOORD")
        yield float(np.linalg.norm(_in_patient(result, item) - (np.array(ends) + moved), axis=1).max())


def _in_patient(result: StudyResult, item: Dataset) -> NDArray[np.float64]:
    """Return the points of a line in LPS mm: by the position of the slice that it refers to (PS3.3 C.7.6.2.1.1)."""
    data = np.array(item.GraphicData, dtype=np.float64)
    reference = item.ContentSequence[0].ReferencedSOPSequence[0]
    frame = int(reference.get("ReferencedFrameNumber") or 1) - 1
    source = next(
        source
        for source in result.series.slices
        if source.instance_uid == reference.ReferencedSOPInstanceUID and source.frame == frame
    )
    steps = result.series.grid.affine[:3, 2:0:-1]  # type: ignore[union-attr]
    points: NDArray[np.float64] = np.array(source.position_mm) + (data.reshape(-1, 2) - 0.5) @ steps.T
    return points


def _is_measured(result: StudyResult, finding: Finding) -> bool:
    """Say whether any measured slice carries the outline of a finding."""
    assert result.prediction is not None  # whoever writes has looked
    mask, origins = result.prediction.mask, result.series.slice_of
    box = mask.box(finding.id)
    places = range(box[0].start, box[0].stop) if box else range(0)
    return any(origins[index] is not None and bool((mask.array[index] == finding.id).any()) for index in places)


def _absence_is_sure(result: StudyResult, dataset: Dataset) -> bool:
    """Say whether the report says Absent where nothing was found and everything was looked at, and nowhere else."""
    prediction = result.prediction
    assert prediction is not None  # whoever writes has looked
    sure = not result.findings and not prediction.not_evaluated and prediction.looked_for is not None
    return sure == any(item.ConceptCodeSequence[0].CodeValue == ABSENT for item in _all(dataset) if item.ValueType == "CODE")


def _near(value: float, expected: float) -> bool:
    return abs(value - expected) <= RELATIVE * max(1.0, abs(expected))


def _children(item: Dataset) -> list[Dataset]:
    return list(item.get("ContentSequence") or ())


def _all(item: Dataset) -> Iterator[Dataset]:
    for child in _children(item):
        yield child
        yield from _all(child)


def _images(item: Dataset) -> Iterator[Dataset]:
    return (child for child in _all(item) if child.ValueType == "IMAGE")


def _name(item: Dataset) -> Any:
    names = item.get("ConceptNameCodeSequence")
    return names[0].CodeValue if names else ""


def _child(item: Dataset, name: str) -> Dataset:
    return next(child for child in _children(item) if _name(child) == name)
