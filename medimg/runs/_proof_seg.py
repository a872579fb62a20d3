"""Prove that a segmentation on disk shows the outlines that were found, voxel by voxel, in the patient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.values import Proof

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from medimg.values import Finding, SourceSlice, StudyResult

COMPARED = "every voxel of every frame, by its own position, orientation and spacing, with the outlines on the source's slices"
TOLERANCE_MM = 0.05  # as far as readers round positions of slices; what is written repeats the source's own digits


def prove_seg(result: StudyResult, path: Path) -> Proof:
    """Read a BINARY or LABELMAP segmentation and compare it with the mask of `result`.

    Each set pixel is put into the patient by PS3.3 C.7.6.2.1.1 from its frame alone, then looked for on the measured slice it
    lies in. Nothing of the code that wrote it is used.
    """
    import pydicom

    dataset = pydicom.dcmread(path)
    assert result.prediction is not None  # whoever writes has looked
    mask, series = result.prediction.mask, result.series
    labels = [finding.id for finding in result.findings]
    seen: dict[tuple[int, int], NDArray[np.int64]] = {}
    farthest, references = 0.0, 0
    good = _same_header(dataset, result)
    index_of = {origin: index for index, origin in enumerate(series.slice_of) if origin is not None}
    steps = mask.grid.affine[:3, 1:3]
    middle = steps @ ((np.array(mask.shape[1:]) - 1) / 2)
    centers = np.array([source.position_mm for source in series.slices]) + middle
    for number, plane, group in frames(dataset):
        measures, orientation = (_shared(dataset, group, name) for name in ("PixelMeasuresSequence", "PlaneOrientationSequence"))
        origin = np.array(group.PlanePositionSequence[0].ImagePositionPatient, dtype=np.float64)
        across, down = np.array(orientation.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
        row_step, column_step = (float(step) for step in measures.PixelSpacing)
        axes = np.stack([down * row_step, across * column_step], axis=1)
        place = int(np.linalg.norm(centers - (origin + axes @ ((np.array(plane.shape) - 1) / 2)), axis=1).argmin())
        source = series.slices[place]
        points = origin + np.argwhere(plane) @ axes.T
        local = (points - source.position_mm) @ np.linalg.pinv(steps).T
        index = np.rint(local).astype(np.int64)
        if not len(index) or (index < 0).any() or (index >= mask.shape[1:]).any() or not 0 < number <= len(labels):
            good = False
            continue
        farthest = max(farthest, float(np.linalg.norm(points - (source.position_mm + index @ steps.T), axis=1).max()))
        key = number, index_of[place]
        flat = index[:, 0] * mask.shape[2] + index[:, 1]
        good &= key not in seen
        seen[key] = np.unique(flat)
        good &= len(seen[key]) == len(flat) and _refers(group, source)
        references += 1
    good &= farthest <= TOLERANCE_MM and _all_seen(result, labels, seen, index_of)
    voxels = sum(len(flat) for flat in seen.values())
    return Proof(
        file=path.name,
        compared=COMPARED,
        agrees=bool(good),
        voxels=voxels,
        references=references,
        largest_distance_mm=farthest,
    )


def frames(dataset: Dataset) -> Iterator[tuple[int, NDArray[np.bool_], Dataset]]:
    """Give segment number, pixels and functional groups of every frame; a frame of a LABELMAP once for each of its segments."""
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    groups, size = dataset.PerFrameFunctionalGroupsSequence, rows * columns
    raw = np.frombuffer(dataset.PixelData, dtype=np.uint8)
    for index, group in enumerate(groups):
        if dataset.SegmentationType == "LABELMAP":
            dtype = np.dtype("<u2" if dataset.BitsAllocated == 16 else np.uint8)
            start = index * size * dtype.itemsize
            plane = raw[start : start + size * dtype.itemsize].view(dtype).reshape(rows, columns)
            for number in np.unique(plane[plane > 0]):
                yield int(number), plane == number, group
        else:
            first, last = index * size, (index + 1) * size  # frames follow each other without a gap, bit by bit
            bits = np.unpackbits(raw[first // 8 : (last + 7) // 8], bitorder="little")[first % 8 :][:size]
            number = _shared(dataset, group, "SegmentIdentificationSequence").ReferencedSegmentNumber
            yield int(number), bits.reshape(rows, columns).astype(bool), group


def _shared(dataset: Dataset, group: Dataset, name: str) -> Any:
    """Return an item of a frame's own functional groups, else of those that all frames share."""
    return (group if name in group else dataset.SharedFunctionalGroupsSequence[0])[name].value[0]


def _same_header(dataset: Dataset, result: StudyResult) -> bool:
    """Say whether frame of reference, study, segments and the list of source instances are those of the result."""
    segments = [segment for segment in dataset.SegmentSequence if segment.SegmentNumber]  # a LABELMAP may name its background 0
    same = [
        dataset.FrameOfReferenceUID == result.series.grid.frame_of_reference,  # type: ignore[union-attr]
        not result.series.study_uid or dataset.StudyInstanceUID == result.series.study_uid,
        [int(segment.SegmentNumber) for segment in segments] == list(range(1, len(result.findings) + 1)),
        all(
            not finding.tracking_uid or segment.TrackingUID == finding.tracking_uid
            for finding, segment in zip(result.findings, segments, strict=False)
        ),
        all(_is_what_was_found(finding, segment) for finding, segment in zip(result.findings, segments, strict=False)),
        {item.ReferencedSOPInstanceUID for item in dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence}
        == {source.instance_uid for source in result.series.slices},
    ]
    return all(same)


def _is_what_was_found(finding: Finding, segment: Dataset) -> bool:
    """Say whether a segment is the kind of thing that was found, where and on which side."""
    region = next(iter(segment.get("AnatomicRegionSequence") or ()), None)
    kind = segment.SegmentedPropertyTypeCodeSequence[0]
    of_kind = kind.get("SegmentedPropertyTypeModifierCodeSequence")
    side = next(iter((region.get("AnatomicRegionModifierSequence") if region else of_kind) or ()), None)
    said = [kind, region, side]
    told = [finding.kind, finding.site, finding.laterality]
    return [item and item.CodeValue for item in said] == [code and code.value for code in told]


def _refers(group: Dataset, source: SourceSlice) -> bool:
    """Say whether a frame refers to the slice that it lies on."""
    reference = group.DerivationImageSequence[0].SourceImageSequence[0]
    frame = int(reference.get("ReferencedFrameNumber") or 1)
    return bool(reference.ReferencedSOPInstanceUID == source.instance_uid and frame == source.frame + 1)


def _all_seen(
    result: StudyResult, labels: list[int], seen: dict[tuple[int, int], NDArray[np.int64]], index_of: dict[int, int]
) -> bool:
    """Say whether each outline was seen whole on every measured slice, and nothing besides."""
    assert result.prediction is not None  # whoever writes has looked
    mask, left = result.prediction.mask, set(seen)
    for number, label in enumerate(labels, 1):
        box = mask.box(label)
        places = range(box[0].start, box[0].stop) if box else range(0)
        for index in set(places) & set(index_of.values()):
            flat = np.flatnonzero(mask.array[index] == label)
            left.discard((number, index))
            if not np.array_equal(flat, seen.get((number, index), np.empty(0, np.int64))):
                return False
    return not left
