"""SEG, RTSTRUCT and SR files that were made to harm whoever reads them back, on a small scan."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from medimg.reports import seg as seg_object
from medimg.reports import sr as sr_object
from tests.builders.rtstruct import structures
from tests.builders.study import study_result

if TYPE_CHECKING:
    from pathlib import Path

SQUARE = ((10.4, 12.4), (10.4, 20.4), (16.4, 20.4), (16.4, 12.4))
DEFLATED = b"1.2.840.10008.1.2.1.99"
EXPLICIT = b"1.2.840.10008.1.2.1\0"


def make(folder: Path) -> dict[str, str]:
    """Write the scan to `folder`/scan and the files to `folder`; return what must be told of each, "" if it is read."""
    result = study_result(folder / "scan", heat=False)
    (seg,), (sr,) = seg_object.write(result, folder), sr_object.write(result, folder)
    told: dict[str, str] = {}

    def add(name: str, words: str, content: bytes | None = None, source: Path = seg, **change: object) -> None:
        told[name] = words
        if content is not None:
            (folder / name).write_bytes(content)
            return
        dataset = pydicom.dcmread(source)
        with pydicom.config.disable_value_validation():
            change["change"](dataset)
            dataset.save_as(folder / name)

    _segs(add, seg)
    _structures(add, folder, result.series.grid)
    _reports(add, sr)
    return told


def _segs(add, seg: Path) -> None:
    def set_to(**values):
        return lambda dataset: [setattr(dataset, name, value) for name, value in values.items()]

    def frame(dataset, number=0):
        return dataset.PerFrameFunctionalGroupsSequence[number]

    def number_of(dataset, value):
        frame(dataset).SegmentIdentificationSequence[0].ReferencedSegmentNumber = value

    def segment(dataset, value):
        dataset.SegmentSequence[0].SegmentNumber = value

    def no_number(dataset):
        del dataset.SegmentSequence[0].SegmentNumber

    def place(dataset, text, number=0):
        frame(dataset, number).PlanePositionSequence[0].ImagePositionPatient = text

    def itself(dataset):
        for group in dataset.PerFrameFunctionalGroupsSequence:
            for derivation in group.DerivationImageSequence:
                derivation.SourceImageSequence[0].ReferencedSOPInstanceUID = dataset.SOPInstanceUID
        dataset.ReferencedSeriesSequence[0].SeriesInstanceUID = dataset.SeriesInstanceUID

    add("seg_number_0", "the number 0, which means no segment", change=lambda data: segment(data, 0))
    add("seg_number_absent", "has no number", change=no_number)
    add("seg_number_twice", "two segments of it have the number 2", change=lambda data: segment(data, 2))
    add("seg_frame_of_segment_0", "belongs to segment 0", change=lambda data: number_of(data, 0))
    add("seg_frame_of_segment_9", "belongs to segment 9", change=lambda data: number_of(data, 9))
    add("seg_no_segments", "it has no segment", change=set_to(SegmentSequence=[]))
    add("seg_frames_99", "says that it has 99 frames", change=set_to(NumberOfFrames=99))
    add("seg_frames_2147483647", "says that it has 2147483647 frames", change=set_to(NumberOfFrames=2147483647))
    add("seg_no_groups", "and describes 0", change=set_to(PerFrameFunctionalGroupsSequence=[]))
    add("seg_stream_short", "cut short", change=lambda data: setattr(data, "PixelData", data.PixelData[:64]))
    add("seg_stream_long", "bytes more than its", change=lambda data: setattr(data, "PixelData", data.PixelData + bytes(1000)))
    add("seg_rows_65535", "pixels", change=set_to(Rows=65535, Columns=65535))
    add("seg_bits_16", "which those of a BINARY SEG never have", change=set_to(BitsAllocated=16))
    add("seg_type_absent", "BINARY, FRACTIONAL or LABELMAP", change=set_to(SegmentationType=""))
    add("seg_itself", "", change=itself)
    add("seg_nowhere", "has no position", change=lambda data: delattr(frame(data), "PlanePositionSequence"))
    far = lambda data: place(data, ["0", "0", "99999"])  # noqa: E731
    add("seg_far", "off the nearest slice", change=far)
    text = seg.read_bytes()
    spot = text.index(b"\x20\x00\x32\x00DS")
    length = struct.unpack_from("<H", text, spot + 6)[0]
    for name, value in (("nan", b"nan\\nan\\nan"), ("1e400", b"1e400\\0\\0"), ("comma", b"1,5\\0\\0"), ("two", b"1\\2")):
        odd = text[: spot + 8] + value.ljust(length) + text[spot + 8 + length :]
        add(f"seg_position_{name}", "has no position", odd)
    add("seg_cut_in_half", "cannot be read", text[: len(text) // 2])
    nested = text.replace(EXPLICIT, EXPLICIT)
    deep = b"\x62\x00\x02\x00SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 200_000
    add("seg_depth_200000", "cannot be read", nested[: nested.index(b"\x62\x00\x02\x00SQ")] + deep)
    start = 132 + 12 + struct.unpack_from("<I", text, 140)[0]
    packed = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = text[:start].replace(EXPLICIT, DEFLATED[:20]) if len(DEFLATED) == 20 else text[:start]
    add("seg_bomb", "cannot be read", _deflated(head, packed))


def _deflated(head: bytes, engine) -> bytes:
    """Return a file whose deflated data set becomes 320 MiB."""
    meta = head[132:]
    at = meta.index(b"\x02\x00\x10\x00UI")
    length = struct.unpack_from("<H", meta, at + 6)[0]
    meta = meta[: at + 6] + struct.pack("<H", 22) + DEFLATED + meta[at + 8 + length :]
    body = b"".join([engine.compress(bytes(1 << 24)) for _ in range(20)]) + engine.flush()
    return head[:132] + meta + body


def _structures(add, folder: Path, grid) -> None:
    def written(name, rois, words, change=None, **options):
        path = structures(folder / name, rois, grid=options.get("grid"))
        if change:
            dataset = pydicom.dcmread(path)
            with pydicom.config.disable_value_validation():
                change(dataset)
                dataset.save_as(path)
        add(name, words, path.read_bytes())

    def contour(dataset):
        return dataset.ROIContourSequence[0].ContourSequence[0]

    def rows_up_and_down(count):
        rows = np.tile([0.4, 38.4], count // 2)
        columns = np.linspace(1, 45, count)
        return grid.to_mm(np.stack([np.full(count, 4.0), rows, columns], axis=1))

    square = {"GTV": [(4, *SQUARE)]}
    written("rt_million_points", {"GTV": [_ring(grid, 1_000_000)]}, "")
    written("rt_zigzag", {"GTV": [rows_up_and_down(200_000)]}, "")
    written("rt_many_contours", {"GTV": [grid.to_mm([(4, *corner) for corner in SQUARE])] * 4_001}, "")
    written("rt_two_points", {"GTV": [(4, *SQUARE[:2])]}, "", grid=grid)
    written("rt_no_contours", {"GTV": []}, "")
    written("rt_no_rois", square, "it has no ROI", grid=grid, change=lambda data: setattr(data, "StructureSetROISequence", []))
    written(
        "rt_count_differs",
        square,
        "not as many points",
        grid=grid,
        change=lambda d: setattr(contour(d), "NumberOfContourPoints", 9),
    )
    for name, value in (("nan", ["nan"] * 9), ("1e400", ["1e400"] * 9), ("comma", ["1,5"] * 9), ("odd", ["1"] * 8)):
        change = lambda data, value=value: _set_points(contour(data), value)  # noqa: E731
        written(f"rt_points_{name}", square, "points that are no places", grid=grid, change=change)


def _set_points(contour, value) -> None:
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    raw = "\\".join(value).encode()
    raw += b" " * (len(raw) % 2)
    contour[Tag(0x3006, 0x0050)] = RawDataElement(Tag(0x3006, 0x0050), "DS", len(raw), raw, 0, False, True)


def _ring(grid, count):
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    rows, columns = 19.5 + 12 * np.cos(angles), 23.5 + 12 * np.sin(angles)
    return grid.to_mm(np.stack([np.full(count, 4.0), rows, columns], axis=1))


def _reports(add, sr: Path) -> None:
    text = sr.read_bytes()
    start = text.index(b"\x40\x00\x30\xa7SQ")  # ContentSequence of the root
    level = b"\x40\x00\x30\xa7SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    add("sr_depth_100000", "cannot be read", text[:start] + level * 100_000)
    add("sr_depth_defined_lengths", "nested deeper than", text[:start] + _nested(400))
    item = b"\xfe\xff\x00\xe0\0\0\0\0" * 1_000_000
    add("sr_million_items", "content items", text[:start] + b"\x40\x00\x30\xa7SQ\0\0" + struct.pack("<I", len(item)) + item)
    add("sr_cut_in_half", "cannot be read", text[: len(text) // 2])

    def loop(dataset):
        reference = Dataset()
        reference.RelationshipType, reference.ReferencedContentItemIdentifier = "CONTAINS", [1]
        dataset.ContentSequence.append(reference)

    def measured(dataset):
        groups = next(item for item in dataset.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "126010")
        return [item for item in groups.ContentSequence[0].ContentSequence if item.ValueType == "NUM"]

    def value(dataset, text):
        from pydicom.dataelem import RawDataElement
        from pydicom.tag import Tag

        sequence = measured(dataset)[0].MeasuredValueSequence[0]
        sequence[Tag(0x0040, 0xA30A)] = RawDataElement(Tag(0x0040, 0xA30A), "DS", len(text), text, 0, False, True)

    add("sr_loop", "", source=sr, change=loop)
    for name, number in (("nan", b"nan "), ("1e400", b"1e400 "), ("comma", b"1,50"), ("twice", b"7 ")):
        add(f"sr_number_{name}", "", source=sr, change=lambda data, number=number: value(data, number))


def _nested(depth: int) -> bytes:
    """Return content in content, each with its length written out, which no walk over undefined lengths meets."""
    inner = b""
    for _ in range(depth):
        item = b"\xfe\xff\x00\xe0" + struct.pack("<I", len(inner)) + inner
        inner = b"\x40\x00\x30\xa7SQ\0\0" + struct.pack("<I", len(item)) + item
    return inner
