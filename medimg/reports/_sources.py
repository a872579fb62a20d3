"""The source slices of an object: their headers as highdicom wants them, and the references back to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.errors import GeometryError
from medimg.reports._source_header import read_header, source_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pydicom.dataset import Dataset

    from medimg.values import SourceSlice

SAME_PLACE_MM = 0.05  # a source slice lies here or it is another one; readers accept positions rounded to this
PER_INSTANCE = [
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Rows", "Columns"),
    *("PixelSpacing", "SliceThickness", "ImagePositionPatient", "ImageOrientationPatient"),
]
GEOMETRY = ("PlaneOrientationSequence", "PixelMeasuresSequence")
ONE_FRAME = "1.2.840.10008.5.1.4.1.1.2"
WITH_FRAMES = tuple(  # NM, enhanced CT, MR and PET and their legacy forms, multi-frame US and captures, RT dose (PS3.4 B.5)
    f"1.2.840.10008.5.1.4.1.1.{number}" for number in ("20", "130", "128.1", "3.1", "481.2")
)
ENHANCED = tuple(f"1.2.840.10008.5.1.4.1.1.{number}." for number in ("2", "4", "7", "12", "13"))
OF_A_FRAME = (*GEOMETRY, "PlanePositionSequence")


def source_images(sources: Sequence[SourceSlice], whose: SourceSlice) -> list[Dataset]:
    """Return what highdicom takes as source images, one plane for each of `sources`, from headers alone.

    The first one has the header of `whose`, which all objects of a study take patient and study from, at its own place.
    Single-frame sources are their headers, of which only what places them is read. Frames of multi-frame
    sources become one header that holds these frames only, in this order: highdicom takes one such source, all of its frames,
    and no two at one place. `refer` mends the references afterwards.

    Raises:
        ScanError: a source was moved or changed since it was read.
        GeometryError: a header puts its slice elsewhere than it was read.
    """
    first, _ = source_header(whose)
    if "PerFrameFunctionalGroupsSequence" in first:
        return [_as_one(first, sources, whose)]
    found = [read_header(source, tags=PER_INSTANCE) for source in sources]
    for keyword in PER_INSTANCE:
        if found[0].get(keyword):
            first[keyword] = found[0][keyword]
    found[0] = first
    for source, header in zip(sources, found, strict=True):
        _require_place(source, header.get("ImagePositionPatient"))
        header.ImageOrientationPatient = first.ImageOrientationPatient  # its rounding varies; the reader found them equal
        header.SOPClassUID = ONE_FRAME  # of other classes highdicom thinks that they have frames, whatever they are
        if not header.get("StudyInstanceUID"):
            header.StudyInstanceUID = first.StudyInstanceUID
    return found


def frame_number(source: SourceSlice, slices: Iterable[SourceSlice]) -> int | None:
    """Return the frame of a source as DICOM counts them, None where its instance has no other.

    Of an instance that may have frames only the first may be in use: a reference without a number would mean all of them.
    """
    may_have_frames = source.class_uid in WITH_FRAMES or source.class_uid.startswith(ENHANCED)
    if not may_have_frames and not source.frame and sum(other.instance_uid == source.instance_uid for other in slices) == 1:
        return None
    return source.frame + 1


def refer(dataset: Dataset, planes: Sequence[SourceSlice], every: Iterable[SourceSlice]) -> None:
    """Let each frame of `dataset` refer to its true source, and the whole to `every` slice of the source series, in their order.

    `planes` are the slices given to `source_images`.
    """
    from pydicom.dataset import Dataset as New

    items: dict[int, Dataset] = {}  # segments on one slice share an item, which must be mended once
    for group in dataset.PerFrameFunctionalGroupsSequence:
        for derivation in group.get("DerivationImageSequence", ()):
            items |= {id(item): item for item in derivation.SourceImageSequence}
    classes = {source.instance_uid: source.class_uid for source in planes}
    for item in items.values():
        if "ReferencedFrameNumber" in item:
            source = planes[int(item.ReferencedFrameNumber) - 1]
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = source.class_uid, source.instance_uid
            item.ReferencedFrameNumber = source.frame + 1
        else:
            item.ReferencedSOPClassUID = classes[item.ReferencedSOPInstanceUID]
    references = []
    for uid, class_uid in dict.fromkeys((source.instance_uid, source.class_uid) for source in every):
        reference = New()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = class_uid, uid
        references.append(reference)
    dataset.SourceImageSequence = references
    dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence = references


def _as_one(first: Dataset, sources: Sequence[SourceSlice], whose: SourceSlice) -> Dataset:
    """Make one multi-frame header of the frames in `sources`, which may stand in several instances."""
    from pydicom.dataset import Dataset as New

    headers: dict[Path, Dataset] = {whose.file: first}
    frames = []
    for source in sources:
        if source.file not in headers:
            headers[source.file] = read_header(source)
        header = headers[source.file]
        shared = header.SharedFunctionalGroupsSequence[0]
        own = header.PerFrameFunctionalGroupsSequence[source.frame]
        frame = New()
        for keyword in OF_A_FRAME:
            if keyword in own or keyword in shared:
                setattr(frame, keyword, (own if keyword in own else shared)[keyword].value)
        position = frame.PlanePositionSequence[0].ImagePositionPatient if "PlanePositionSequence" in frame else None
        _require_place(source, position)
        frames.append(frame)
    shared = first.SharedFunctionalGroupsSequence[0]
    for keyword in GEOMETRY:  # where highdicom looks; some scanners give them per frame
        if keyword not in shared:
            setattr(shared, keyword, frames[0][keyword].value)
    first.PerFrameFunctionalGroupsSequence = frames
    first.NumberOfFrames = len(frames)
    return first


def _require_place(source: SourceSlice, position: Iterable[float] | None) -> None:
    if position is None or np.abs(np.array(list(position), dtype=np.float64) - source.position_mm).max() > SAME_PLACE_MM:
        raise GeometryError(
            f"The header of {source.file.name} puts its slice elsewhere than the scan that was read. Run it again."
        )
