"""`seg.dcm`: the outlines as a DICOM Segmentation on the source's own slices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medimg._tools.identity import uid_from
from medimg.errors import GeometryError
from medimg.reports._absent import why_no_seg
from medimg.reports._dicom import (
    CONTENT_CREATOR,
    body_part,
    category,
    complete,
    concept,
    contributing,
    description,
    equipment,
    fix_dates,
    identity,
    plain,
    save,
)
from medimg.reports._source_header import quiet
from medimg.reports._sources import refer, source_images

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from medimg.values import Finding, Grid, SourceSlice, StudyResult

NEEDS = ("findings", "source_instances")
FILE = "seg.dcm"
BINARY_FILE = "seg_binary.dcm"  # beside a LABELMAP, for a peer that refuses one
SERIES_NUMBER = 9001  # ours begin at 9000, after anything a scanner numbers; a second model takes the next hundred
SEGMENTATION_CLASS, LABELMAP_CLASS = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"
CATEGORY = ("49755003", "SCT", "Morphologically Abnormal Structure")
EVEN_MM = 1e-3
UNKNOWN = "not known: the outlines were given"
HALF_STEP, A_PIXEL = 0.51, 1.01  # how far readers let a slice lie from its place on the grid, with rounding
COLOURS = ((60, 60, 45), (75, -5, 65), (55, 65, -40), (65, -45, 35), (55, -10, -45), (70, 35, 60))  # CIELab, told apart on grey


def write(result: StudyResult, folder: Path) -> tuple[Path, ...]:
    """Write `seg.dcm`: BINARY, one segment per finding, each frame on the measured source slice that it was drawn on.

    Segment number n is the n-th finding. Slices that were filled in because nothing was measured there get no frame. The same
    result gives the same UIDs and the same bytes; dates are the source's. Of the source only headers are read. Nothing is written
    where a SEG would not be legal or has no place (see `not_written`). With `result.labelmap` it is a LABELMAP (DICOM's
    Supplement 243: one frame a slice, the number of the segment in each pixel), and `seg_binary.dcm` holds the same outlines
    as BINARY, for a peer that does not take a LABELMAP; one of the two is meant for an archive, never both.

    Raises:
        GeometryError: the outlines do not lie on the source's slices.
        ScanError: the source was moved or changed since it was read.
        WriteError: the disk refuses.
    """
    if why_no_seg(result):
        return ()
    files: tuple[Path, ...] = (save(segmentation(result, labelmap=result.labelmap), folder / FILE),)
    if result.labelmap:
        files += (save(segmentation(result, labelmap=False), folder / BINARY_FILE),)
    return files


def uids(parts: Sequence[str], *, labelmap: bool) -> tuple[str, str]:
    """Return class and instance UID of the segmentation of a result with this identity."""
    kind, class_uid = ("labelmap", LABELMAP_CLASS) if labelmap else ("seg", SEGMENTATION_CLASS)
    return class_uid, uid_from(*parts, kind, "instance")


def segment_numbers(result: StudyResult) -> dict[int, int]:
    """Return the segment number of each finding, by its id."""
    return {finding.id: number for number, finding in enumerate(result.findings, 1)}


def tracking(result: StudyResult, finding: Finding, parts: Sequence[str]) -> tuple[str, str]:
    """Return what a finding is followed by, the same in every object: its identifier for people, and its UID."""
    uid = finding.tracking_uid or uid_from(*parts, "tracking", finding.id)
    name = plain(finding.name)
    if not any(letter.isalnum() for letter in name):  # none, or none that can be written
        name = plain(f"{finding.kind.meaning} {finding.id}")
    return name[:64], uid


def segmentation(result: StudyResult, *, labelmap: bool) -> Dataset:
    """Return the Segmentation of a result, as `write` writes it."""
    with quiet():
        return _segmentation(result, labelmap=labelmap)


def _segmentation(result: StudyResult, *, labelmap: bool) -> Dataset:
    import highdicom as hd

    assert result.prediction is not None
    result.series.grid.require_fit(result.prediction.mask.grid, "The outlines")  # type: ignore[union-attr]
    planes = _planes(result)
    sources = source_images([source for source, _ in planes], result.source_instances[0])
    parts, kind = identity(result), "labelmap" if labelmap else "seg"
    made_by = result.provenance
    types = hd.seg.SegmentationTypeValues
    dataset: Dataset = hd.seg.Segmentation(
        source_images=sources,
        pixel_array=np.stack([plane for _, plane in planes]),
        segmentation_type=types.LABELMAP if labelmap else types.BINARY,
        segment_descriptions=[_description(result, finding, number, parts) for number, finding in enumerate(result.findings, 1)],
        series_instance_uid=uid_from(*parts, kind, "series"),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uids(parts, labelmap=labelmap)[1],
        instance_number=1,
        content_label="FINDINGS",
        content_description=plain(f"{made_by.model} {made_by.model_version}")[:64],
        content_creator_name=CONTENT_CREATOR,
        series_description=description(result, "outlines"),
        contributing_equipment=contributing(result),
        **equipment(result),
    )
    for item in dataset.SegmentSequence if made_by.outlines else ():
        if "SegmentationAlgorithmIdentificationSequence" in item:
            del item.SegmentationAlgorithmIdentificationSequence  # family and version are not known; the name stays
    organization = uid_from(*parts, kind, "dimensions")
    for item in (*dataset.DimensionIndexSequence, *dataset.DimensionOrganizationSequence):
        item.DimensionOrganizationUID = organization
    _spacing(dataset, result)
    fix_dates(dataset, sources[0])
    refer(dataset, [source for source, _ in planes], result.series.slices)
    complete(dataset, sources[0], body_part=body_part(result))
    return dataset


def _planes(result: StudyResult) -> list[tuple[SourceSlice, NDArray[np.unsignedinteger]]]:
    """Return the measured slices that carry an outline, in grid order, with the segment number of each pixel."""
    assert result.prediction is not None
    mask, series = result.prediction.mask, result.series
    if len(series.slice_of) != mask.shape[0]:
        raise GeometryError(
            "The outlines have another number of slices than the source. Outline the volume that was read from it."
        )
    numbers = np.zeros(
        max(int(mask.array.max()), *(finding.id for finding in result.findings)) + 1,
        dtype=np.uint8 if len(result.findings) < 256 else np.uint16,
    )
    for label, number in segment_numbers(result).items():
        numbers[label] = number
    planes = []
    for index, origin in enumerate(series.slice_of):
        if origin is None or not mask.array[index].any():
            continue
        plane = numbers[mask.array[index]]
        if plane.any():
            source = series.slices[origin]
            _require_on_grid(source, mask.grid, index)
            planes.append((source, plane))
    return planes


def _require_on_grid(source: SourceSlice, grid: Grid, index: int) -> None:
    """Refuse a slice that is not the nearest to its place on the grid; readers even out what is uneven by less than that."""
    off = np.abs(grid.to_index(source.position_mm) - (index, 0, 0))
    if (off > (HALF_STEP, A_PIXEL, A_PIXEL)).any():
        raise GeometryError(f"Slice {index} of the outlines does not lie on its source slice. Read the scan again with medimg.")


def _spacing(dataset: Dataset, result: StudyResult) -> None:
    """State the distance of the source's planes where it is even: frames of a SEG have gaps, and readers guess otherwise."""
    grid = result.series.grid
    assert grid is not None
    normal = np.cross(grid.affine[:3, 1], grid.affine[:3, 2])
    distances = np.diff([np.dot(source.position_mm, normal / np.linalg.norm(normal)) for source in result.series.slices])
    measures = dataset.SharedFunctionalGroupsSequence[0].get("PixelMeasuresSequence")
    if not measures:
        return
    if len(distances) and np.ptp(np.abs(distances)) <= EVEN_MM:
        measures[0].SpacingBetweenSlices = float(f"{np.abs(distances).mean():.6g}")
    elif "SpacingBetweenSlices" in measures[0]:
        del measures[0].SpacingBetweenSlices


def _description(result: StudyResult, finding: Finding, number: int, parts: Sequence[str]) -> Any:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    made_by = result.provenance
    how = made_by.outlines or "AUTOMATIC"
    algorithm = hd.AlgorithmIdentificationSequence(
        name=plain(str(made_by.parameters.get("outlined_by") or UNKNOWN) if made_by.outlines else made_by.model)[:64],
        family=codes.DCM.ArtificialIntelligence,
        version=plain(made_by.model_version)[:64],
        source="medimg",
        parameters={f"weights_sha256 {name}": value for name, value in sorted(made_by.weights_sha256.items())} or None,
    )
    tracking_id, tracking_uid = tracking(result, finding, parts)
    described = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=tracking_id,
        segmented_property_category=category(finding),
        segmented_property_type=concept(finding.kind),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues[how],
        algorithm_identification=None if how == "MANUAL" else algorithm,
        tracking_uid=tracking_uid,
        tracking_id=tracking_id,
        anatomic_regions=[concept(finding.site)] if finding.site else None,
        display_color=hd.color.CIELabColor(*COLOURS[(number - 1) % len(COLOURS)]),
    )
    if finding.laterality and finding.site:
        described.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [concept(finding.laterality)]
    elif finding.laterality:  # of the thing itself, as a left kidney that names no region besides
        described.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [concept(finding.laterality)]
    return described
