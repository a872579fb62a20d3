"""A DICOM SEG as it lies in its file: segments, frames with their place, and their pixels on demand (PS3.3 A.51, C.8.20)."""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.errors import ScanError
from medimg.readers import _dicom_tags as tag
from medimg.readers._dicom_frames import PIXELS_LIMIT, encapsulated_trouble, orientation, pixel_spacing, position
from medimg.readers._dicom_header import NotDicomError, decimals
from medimg.readers._dicom_items import items
from medimg.readers._dicom_multiframe import FRAMES_LIMIT, Groups
from medimg.readers._dicom_object import Item, damaged, read_object, told, words_of
from medimg.readers._dicom_raw import UndecodableError, encoded, stored_values
from medimg.readers._scan_slices import Plane
from medimg.values import Segment
from medimg.values.segment import HOW_MADE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from medimg.readers._dicom_header import Header
    from medimg.values import Code

CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
SEGMENTATION_TYPE, SEGMENTS, FRACTIONAL_TYPE, MAXIMUM_FRACTION = 0x00620001, 0x00620002, 0x00620010, 0x0062000E
NUMBER, LABEL, CATEGORY, PROPERTY = 0x00620004, 0x00620005, 0x00620003, 0x0062000F
PROPERTY_MODIFIER, HOW, ALGORITHM, ALGORITHMS, TRACKING_UID = 0x00620011, 0x00620008, 0x00620009, 0x00620007, 0x00620021
ALGORITHM_NAME, REGION, REGION_MODIFIER = 0x00660036, 0x00082218, 0x00082220
IDENTIFICATION, SEGMENT_OF_FRAME = 0x0062000A, 0x0062000B
DERIVATION, SOURCES, SOURCE_INSTANCE, SOURCE_FRAME = 0x00089124, 0x00082112, 0x00081155, 0x00081160
REFERENCED_SERIES = 0x00081115
SIDES = ("7771000", "24028007", "51440002")  # left, right, both
SEGMENTS_LIMIT = 65535
A_SEG = "a DICOM SEG"


@dataclass(frozen=True, kw_only=True, eq=False)
class SegFrame:
    """One frame: its segment (None in a LABELMAP), its place, and the instances (UID, frame from 0) it was drawn on."""

    index: int
    segment: int | None
    plane: Plane
    sources: tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class SegFile:
    """A segmentation without its pixels.

    `kind` is BINARY, FRACTIONAL or LABELMAP; `background` the LABELMAP's value for none; `told` are the segments' labels as a
    sentence may have them, without those that hold the patient's name or ID.
    """

    path: Path
    header: Header
    kind: str
    fraction: str
    most: int
    background: int
    segments: dict[int, Segment]
    codes: dict[int, Code]
    frames: tuple[SegFrame, ...]
    slice_mm: tuple[float | None, float | None]
    series_uids: tuple[str, ...]
    patient: bytes
    frame_of_reference: str
    told: dict[int, str]

    def pixels(self, index: int) -> NDArray[Any]:
        """Return the stored values of a frame (rows, columns); of a BINARY one 0 and 1.

        Raises:
            ScanError: they cannot be decoded.
        """
        try:
            if self.kind == "BINARY" and self.header.integer(tag.BITS_ALLOCATED) == 1:
                return _bits(self.header, index)
            return stored_values(self.header, index)
        except UndecodableError as error:
            raise damaged(self.path, f"frame {index + 1} {error}") from error
        except OSError as error:
            raise damaged(self.path, f"frame {index + 1} cannot be had") from error


def seg_file(path: str | Path) -> SegFile:
    """Read everything of a DICOM SEG but its pixels.

    Raises:
        ScanError: it is none, or it does not say what a SEG must say.
    """
    path = Path(path)
    header, content = read_object(path, what=A_SEG)
    kind = content.uid(SEGMENTATION_TYPE)
    if content.uid(tag.SOP_CLASS) not in CLASSES and content.uid(tag.MODALITY) != "SEG":
        raise ScanError(f"{path.name} is DICOM, and no SEG. Give the path of {A_SEG}.")
    if kind not in ("BINARY", "FRACTIONAL", "LABELMAP"):
        raise damaged(path, "it does not say whether it is BINARY, FRACTIONAL or LABELMAP")
    try:
        segments, codes = _segments(path, content, kind)
        frames, slice_mm = _frames(path, header, content, kind, segments)
        series = tuple(item.uid(tag.SERIES_UID) for item in content.items(REFERENCED_SERIES, most=1000))
    except NotDicomError as error:
        raise damaged(path, str(error)) from error
    padding = content.short(tag.PADDING)
    found = SegFile(
        path=path,
        header=header,
        kind=kind,
        fraction=content.uid(FRACTIONAL_TYPE),
        most=content.short(MAXIMUM_FRACTION) or 255,
        background=padding if kind == "LABELMAP" and padding is not None else 0,
        segments=segments,
        codes=codes,
        frames=frames,
        slice_mm=slice_mm,
        series_uids=series,
        patient=content.tags.get(tag.PATIENT_ID, b"").strip(b"\0 "),
        frame_of_reference=content.uid(tag.FRAME_OF_REFERENCE),
        told={number: told(segment.name, words_of(content)) for number, segment in segments.items()},
    )
    if found.background and 0 in segments:
        raise damaged(path, "a segment of it has the number 0, which in a mask is none")
    trouble = _pixel_trouble(found, len(frames))
    if trouble:
        raise damaged(path, trouble)
    return found


def _segments(path: Path, content: Item, kind: str) -> tuple[dict[int, Segment], dict[int, Code]]:
    segments: dict[int, Segment] = {}
    codes: dict[int, Code] = {}
    for item in content.items(SEGMENTS, most=SEGMENTS_LIMIT + 1):
        number = item.short(NUMBER)
        if number is None or (number == 0 and kind != "LABELMAP"):
            raise damaged(path, "a segment of it has no number, or the number 0, which means no segment")
        if number in segments:
            raise damaged(path, f"two segments of it have the number {number}")
        how, algorithms, region = item.uid(HOW), item.first(ALGORITHMS), item.first(REGION)
        kind_of_thing = item.first(PROPERTY)  # its modifier stands in it; some writers put it beside
        modifiers = [one.code(PROPERTY_MODIFIER) for one in (kind_of_thing, item) if one]
        modifiers += [region.code(REGION_MODIFIER)] if region else []
        segments[number] = Segment(
            name=item.text(LABEL)[:64],
            category=item.code(CATEGORY),
            site=region.own_code() if region else None,
            laterality=next((code for code in modifiers if code and code.value in SIDES), None),
            how_made=how if how in HOW_MADE else "",
            algorithm=item.text(ALGORITHM)[:64] or (algorithms.text(ALGORITHM_NAME)[:64] if algorithms else ""),
            tracking_uid=item.uid(TRACKING_UID),
        )
        code = item.code(PROPERTY)
        if code:
            codes[number] = code
    if not segments or set(segments) == {0}:
        raise damaged(path, "it has no segment")
    return segments, codes


def _frames(
    path: Path, header: Header, content: Item, kind: str, segments: dict[int, Segment]
) -> tuple[tuple[SegFrame, ...], tuple[float | None, float | None]]:
    shared = items(content.tags.get(tag.SHARED_GROUPS, b""), big=content.big, most=1)
    groups = items(content.tags.get(tag.PER_FRAME_GROUPS, b""), big=content.big, most=FRAMES_LIMIT + 1)
    count = content.number(tag.FRAMES)
    if not groups or len(groups) != count or len(groups) > FRAMES_LIMIT:
        said = "no number of" if count is None else f"{count:.0f}"
        raise damaged(path, f"it says that it has {said} frames and describes {len(groups)}")
    rows, columns = header.integer(tag.ROWS) or 0, header.integer(tag.COLUMNS) or 0
    if not rows or not columns or rows * columns > PIXELS_LIMIT:
        raise damaged(path, f"it says that its frames have {rows} x {columns} pixels")
    common = Groups(shared[0] if shared else {}, content.big)
    frames = []
    for index, own in enumerate(groups):
        group = Groups(own, content.big, common)
        segment: int | None = None
        if kind != "LABELMAP":
            numbers = group.numbers(IDENTIFICATION, SEGMENT_OF_FRAME, "H")
            segment = int(numbers[0]) if numbers else None
            if segment not in segments:
                named = "no segment" if segment is None else f"segment {segment}, which it does not describe"
                raise damaged(path, f"frame {index + 1} of it belongs to {named}")
        place = position(group.text(tag.PLANE_POSITION, tag.POSITION))
        axes = orientation(group.text(tag.PLANE_ORIENTATION, tag.ORIENTATION))
        spacing = pixel_spacing(group.text(tag.PIXEL_MEASURES, tag.PIXEL_SPACING))
        if place is None or axes is None or spacing is None:
            missing = "position" if place is None else "orientation" if axes is None else "pixel spacing"
            raise damaged(path, f"frame {index + 1} of it has no {missing} in the patient")
        plane = Plane(
            position_mm=np.array(place),
            right=np.array(axes[:3]),
            down=np.array(axes[3:]),
            spacing_mm=spacing,
            shape=(rows, columns),
        )
        frames.append(SegFrame(index=index, segment=segment, plane=plane, sources=_sources(group, content.big)))
    first = Groups(groups[0], content.big, common)
    between, thickness = (
        decimals(first.text(tag.PIXEL_MEASURES, key), 1) for key in (tag.SPACING_BETWEEN_SLICES, tag.SLICE_THICKNESS)
    )
    return tuple(frames), (between[0] if between else None, thickness[0] if thickness else None)


def _sources(group: Groups, big: bool) -> tuple[tuple[str, int], ...]:
    """Return the instances and frames that a frame names as its sources."""
    found = []
    for derivation in items(group.sequence(DERIVATION), big=big, most=8):
        for source in Item(derivation, big=big).items(SOURCES, most=64):
            uid, number = source.uid(SOURCE_INSTANCE), source.number(SOURCE_FRAME)
            if uid:
                found.append((uid, int(number) - 1 if number else 0))
    return tuple(found)


def _pixel_trouble(found: SegFile, frames: int) -> str:
    """Say what makes the pixels unusable, from the header and the file's length alone."""
    header = found.header
    bits, samples = header.integer(tag.BITS_ALLOCATED), header.integer(tag.SAMPLES)
    wanted = {"BINARY": (1, 8), "FRACTIONAL": (8,), "LABELMAP": (8, 16)}[found.kind]
    if header.pixel_tag != tag.PIXELS:
        return "it has no pixels"
    if bits not in wanted or samples not in (1, None):
        return f"its pixels have {bits} bits, which those of a {found.kind} SEG never have"
    rows, columns = header.integer(tag.ROWS) or 0, header.integer(tag.COLUMNS) or 0
    if header.syntax not in tag.NATIVE:
        trouble = encapsulated_trouble(header)
        if trouble is None and bits == 1 and header.syntax not in (tag.ENCAPSULATED_RAW, tag.DEFLATED_FRAMES):
            return "its bits are compressed in a way that is not read here"
        return f"it {trouble[1]}" if trouble else ""
    if bits == 1 and header.big:
        return "its bits are written in big endian words, which is not read here"
    needed = (rows * columns * frames * bits + 7) // 8
    if header.pixel_length < needed or (header.pixel_offset or 0) + needed > header.size:
        return f"its pixels are cut short ({frames} frames need {needed} bytes)"
    spare = header.pixel_length - needed
    if spare > 8 or (spare > 1 and bits == 1 and rows * columns % 8):  # each frame filled to whole bytes: nobody can tell
        return f"it has {spare} bytes more than its {frames} frames need, so where each begins is not known"
    return ""


def _bits(header: Header, frame: int) -> NDArray[np.uint8]:
    """Return one frame of bits, the first pixel in the lowest one (PS3.5 8.1.1); frames follow each other without a gap."""
    rows, columns = header.integer(tag.ROWS) or 0, header.integer(tag.COLUMNS) or 0
    count = rows * columns
    if header.syntax in tag.NATIVE:
        first, skip = divmod(frame * count, 8)
        length = (skip + count + 7) // 8
        piece = _piece(header, first, length)
    else:
        skip, length = 0, (count + 7) // 8
        piece = encoded(header, frame)
        if header.syntax == tag.DEFLATED_FRAMES:
            try:
                piece = zlib.decompressobj(-zlib.MAX_WBITS).decompress(piece, length)
            except zlib.error as error:
                raise UndecodableError("is deflated and damaged") from error
        piece = piece[:length]
    if len(piece) != length:
        raise UndecodableError("is cut short in its pixels")
    bits = np.unpackbits(np.frombuffer(piece, np.uint8), bitorder="little")
    return bits[skip : skip + count].reshape(rows, columns)


def _piece(header: Header, first: int, length: int) -> bytes:
    start = (header.pixel_offset or 0) + first
    if header.syntax == tag.DEFLATED_LITTLE:
        from medimg.readers._dicom_header import read_header

        content = header.content if header.content is not None else read_header(header.path).content
        return (content or b"")[start : start + length]
    handle = os.open(header.path, os.O_RDONLY)
    try:
        return os.pread(handle, length, start)
    finally:
        os.close(handle)
