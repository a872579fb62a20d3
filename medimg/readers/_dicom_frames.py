"""From headers to frames: one measured picture each, with its place, its values' scale, and what is wrong with it."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from medimg.readers import _dicom_tags as tag
from medimg.readers._dicom_header import decimals, plain_text
from medimg.readers._dicom_objects import FUNCTIONAL_GROUP_CLASSES, PROJECTIONS, modality_of, not_a_scan

if TYPE_CHECKING:
    from medimg.readers._dicom_header import Header
    from medimg.readers._dicom_quantities import Mapping

Triple = tuple[float, float, float]
Six = tuple[float, float, float, float, float, float]

UNIT_TOLERANCE = 1e-2  # length of a direction cosine vector: two decimals are all that some writers give
RIGHT_ANGLE_TOLERANCE = 2e-3  # cosine between rows and columns: rounding of cosines to three decimals stays below
SPACING_LIMITS_MM = (1e-3, 100.0)  # a micrometre to a decimetre; outside of it the number is no pixel spacing
POSITION_LIMIT_MM = 1e5  # 100 m from the origin
SLOPE_LIMIT, INTERCEPT_LIMIT = 1e6, 1e9  # 16-bit values beyond them are no longer told apart in float32
PIXELS_LIMIT = 1 << 26  # of one frame, 8192 x 8192; the largest radiographs have half of it
LAYOUT = (tag.ROWS, tag.COLUMNS, tag.SAMPLES, tag.BITS_ALLOCATED, tag.BITS_STORED, tag.HIGH_BIT, tag.SIGNED, tag.PHOTOMETRIC)
UNDEFINED = 0xFFFFFFFF  # the length of compressed pixels
PIXEL_PADDING = 8  # bytes that may follow the pixels: some writers fill words; a row more is another picture
INTEGER_BITS = (8, 16, 32)
NEEDS_RESCALE = frozenset({"CT", "PT"})
CODE_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _")
# What tells passes over the same place apart, the plainest first; looked at only where slices share a place or interleave.
PASSES = (
    tag.STACK,
    tag.TEMPORAL_POSITION,
    tag.ACQUISITION_NUMBER,
    tag.SERIES_NUMBER,
    tag.COMPLEX_COMPONENT,
    tag.CARDIAC_PHASE,
    tag.ECHO_NUMBER,
    tag.INVERSION_TIME,
    tag.FLIP_ANGLE,
    tag.TRIGGER_TIME,
    tag.SIEMENS_B_VALUE,
    tag.SIEMENS_GRADIENT,
    tag.GE_B_VALUE,
    tag.GE_GRADIENT_X,
    tag.GE_GRADIENT_Y,
    tag.GE_GRADIENT_Z,
    tag.PHILIPS_B_VALUE,
    tag.PHILIPS_GRADIENT_1,
    tag.PHILIPS_GRADIENT_2,
    tag.PHILIPS_GRADIENT_3,
    tag.GRADIENT_DIRECTION,
    tag.FRAME_REFERENCE_TIME,
    tag.CONTRAST_AGENT,
    tag.SLICE_THICKNESS,
    tag.ACQUISITION_DATETIME,
    tag.ACQUISITION_TIME,
    tag.CONTENT_TIME,
    tag.OTHER_DIMENSIONS,
)


@dataclass(slots=True)
class Frame:
    """One picture of one file. `trouble` is (kind, words) for one that cannot be used, None for a sound one."""

    header: Header
    index: int = 0
    modality: str = ""
    rows: int = 0
    columns: int = 0
    position: Triple | None = None
    orientation: Six | None = None
    spacing: tuple[float, float] | None = None
    thickness: float | None = None
    slope: float = 1.0
    intercept: float = 0.0
    has_lut: bool = False
    has_mapping: bool = False
    mapping: Mapping | None = None
    is_stored: bool = False  # nothing scales its values: no rescale, no table, no mapping
    is_mapped: bool = False  # the mapping is what scales the values, for want of a rescale
    nature: tuple[bytes, ...] = ()
    own: dict[int, bytes] = field(default_factory=dict)  # attributes of this frame that stand in the functional groups
    trouble: tuple[str, str] | None = None

    @property
    def path(self) -> str:
        """The file, as a string."""
        return self.header.path

    @property
    def name(self) -> str:
        """The file's name, and the frame's number if there are several."""
        name = os.path.basename(self.header.path)
        return name if tag.FRAMES not in self.header.tags or not self.own else f"{name} frame {self.index + 1}"

    def tell(self, key: int) -> bytes:
        """Return an attribute as bytes, the frame's own first."""
        if key in self.own:
            return self.own[key]
        return self.header.tags.get(key, b"").rstrip(b"\0 ")

    def apply_mapping(self) -> None:
        """Take the scale of the real-world value mapping."""
        assert self.mapping is not None  # asked by the caller
        set_scale(self, self.mapping.slope, self.mapping.intercept)
        self.is_mapped = self.trouble is None

    def moment(self, key: int) -> float | None:
        """Return a time, a date and time, or a number as something to sort by; None if it is none."""
        try:
            return float(self.tell(key))
        except ValueError:
            return None

    def text(self, key: int) -> str:
        """Return an attribute as text, the frame's own first."""
        return self.own[key].decode("ascii", "replace").strip() if key in self.own else self.header.text(key)


def frames_of(header: Header) -> list[Frame] | str:
    """Return the frames of a file, or what it is if it is no scan."""
    tags = header.tags
    sop_class, modality, image_type, what = _object(*map(tags.get, (tag.SOP_CLASS, tag.MODALITY, tag.IMAGE_TYPE)))
    if what:
        return what
    if header.pixel_offset is None:
        if sop_class or modality:
            return "a DICOM object without pixels"
        return "DICOM without an image in it"
    if "LOCALIZER" in image_type[2:]:
        return "a localizer (scout), for planning only"
    if tag.PER_FRAME_GROUPS in tags or sop_class in FUNCTIONAL_GROUP_CLASSES:
        from medimg.readers._dicom_multiframe import frames_of_groups

        return frames_of_groups(header, modality)
    frame = Frame(header, modality=modality)
    if "MOSAIC" in image_type or _has_mosaic_images(header):
        frame.trouble = ("mosaic", "is a mosaic: many slices drawn in one picture, whose places are not in standard attributes")
        return [frame]
    if tags.get(tag.FRAMES, b"").strip(b"\0 ") and header.first_number(tag.FRAMES) != 1:
        frame.trouble = ("multi-frame", "holds several frames without saying where each lies")
        return [frame]
    fill_place(frame)
    fill_values(frame)
    frame.trouble = frame.trouble or pixel_trouble(header, 1)
    return [frame]


@lru_cache(maxsize=256)
def _object(sop_class: bytes | None, modality: bytes | None, image_type: bytes | None) -> tuple[str, str, list[str], str]:
    """Return SOP class, modality and the values of the image type as text, and what the object is if it is no scan."""
    uid, told, kinds = (plain_text(raw or b"") for raw in (sop_class, modality, image_type))
    known = code_string(told) or modality_of(uid)
    return uid, known, kinds.split("\\"), not_a_scan(uid, known)


def _has_mosaic_images(header: Header) -> bool:
    """Say whether Siemens' own header counts several images in the picture; converters can lose the word in ImageType."""
    if tag.SIEMENS_MOSAIC_IMAGES not in header.tags or not header.text(tag.SIEMENS_CREATOR).startswith("SIEMENS"):
        return False
    return (header.integer(tag.SIEMENS_MOSAIC_IMAGES) or 0) > 1 or (header.first_number(tag.SIEMENS_MOSAIC_IMAGES) or 0) > 1


def fill_place(frame: Frame) -> None:
    """Take place, spacing and nature of a single frame from its header."""
    header = frame.header
    tags = header.tags
    frame.rows, frame.columns = header.integer(tag.ROWS) or 0, header.integer(tag.COLUMNS) or 0
    frame.position = position(tags.get(tag.POSITION, b""))
    frame.orientation = orientation(tags.get(tag.ORIENTATION, b""))
    spacing = tags.get(tag.PIXEL_SPACING) or (tags.get(tag.IMAGER_PIXEL_SPACING, b"") if frame.modality in PROJECTIONS else b"")
    frame.spacing = pixel_spacing(spacing)
    frame.thickness = header.number(tag.SLICE_THICKNESS)
    frame.nature = nature(tuple(map(tags.get, tag.NATURE)))
    if tag.ORIENTATION in tags and frame.orientation is None and tags[tag.ORIENTATION].strip(b"\0 "):
        frame.trouble = ("bad-orientation", "has an ImageOrientationPatient that is not two unit vectors at a right angle")
    if tag.POSITION in tags and frame.position is None and tags[tag.POSITION].strip(b"\0 "):
        frame.trouble = ("bad-position", "has an ImagePositionPatient that is not three finite numbers")
    if spacing.strip(b"\0 ") and frame.spacing is None:
        frame.trouble = ("bad-spacing", "has a PixelSpacing that is not two numbers above 0")


def fill_values(frame: Frame) -> None:
    """Take the scale of the values from the header; say what makes them unusable."""
    header, tags = frame.header, frame.header.tags
    frame.has_lut = tag.MODALITY_LUT in tags
    if frame.has_lut:
        return
    slope, intercept = tags.get(tag.SLOPE), tags.get(tag.INTERCEPT)
    if tag.REAL_WORLD_VALUES in tags:
        set_mapping(frame, tags[tag.REAL_WORLD_VALUES])
    if slope or intercept:
        set_scale(frame, header.number(tag.SLOPE), header.number(tag.INTERCEPT))
    elif frame.mapping:
        frame.apply_mapping()
    elif frame.modality in NEEDS_RESCALE:
        frame.trouble = frame.trouble or no_rescale(frame.modality)
    else:
        frame.is_stored = True


def no_rescale(modality: str) -> tuple[str, str]:
    """Return the trouble of a frame whose values nothing scales, of a modality whose values mean something only when scaled."""
    meant = {"CT": "Hounsfield units", "PT": "an activity"}.get(modality, "what the others of its series have")
    return "no-rescale", f"has no RescaleSlope and RescaleIntercept, so its values are not {meant}"


def set_scale(frame: Frame, slope: float | None, intercept: float | None) -> None:
    """Set slope and intercept, or the trouble if they scale nothing."""
    if slope is None or intercept is None:
        frame.trouble = frame.trouble or (
            "bad-rescale",
            "has only one of RescaleSlope and RescaleIntercept, or one that is no number",
        )
    elif abs(slope) > SLOPE_LIMIT or abs(intercept) > INTERCEPT_LIMIT:
        frame.trouble = frame.trouble or ("bad-rescale", "has a rescale that makes values no scanner measures")
    elif slope == 0:
        frame.trouble = frame.trouble or ("rescale-slope-0", "has RescaleSlope 0, which makes every value the same")
    else:
        frame.slope, frame.intercept = slope, intercept


def set_mapping(frame: Frame, raw: bytes) -> None:
    """Keep the real-world value mapping, if there is one that is linear."""
    if raw:
        from medimg.readers._dicom_quantities import mapping_of

        frame.has_mapping = True
        frame.mapping = mapping_of(raw, big=frame.header.big)


def pixel_trouble(header: Header, frames: int) -> tuple[str, str] | None:
    """Say what makes the pixels of a file unusable, from its header and the file's length alone."""
    trouble, bits = _layout(header.pixel_tag, header.big, *map(header.tags.get, LAYOUT))
    if trouble:
        return trouble
    if header.syntax not in tag.NATIVE:
        return encapsulated_trouble(header)
    needed, start = bits * frames // 8, header.pixel_offset or 0
    if header.pixel_length == UNDEFINED:
        return "encapsulated", "holds compressed pixels and says that it does not"
    if (
        start + header.pixel_length > header.size + 1 or start + min(needed, header.pixel_length) > header.size
    ):  # a padding byte may be lost
        return "truncated", "is cut short in its pixels"
    if header.pixel_length < needed:
        return "truncated", "has fewer pixels than its rows and columns need"
    if header.pixel_length > needed + PIXEL_PADDING:
        return "pixel-length", "has more pixels than its rows and columns need"
    return None


@lru_cache(maxsize=1024)
def _layout(pixel_tag: int, big: bool, *raw: bytes | None) -> tuple[tuple[str, str] | None, int]:
    """Return what makes pixels of these attributes (`LAYOUT`) unusable, and the bits of a frame."""
    order: Literal["big", "little"] = "big" if big else "little"
    *shorts, photometric = raw
    rows, columns, samples, allocated, stored, high, signed = (
        int.from_bytes(value, order) if value is not None and len(value) == 2 else None for value in shorts
    )
    if not rows or not columns:
        return ("no-size", "does not say how many rows and columns it has"), 0
    if rows * columns > PIXELS_LIMIT:
        return ("too-large", f"says it has {rows} x {columns} pixels, which is more than is read"), 0
    if (samples or 1) != 1 or (photometric or b"").strip(b"\0 ") not in (b"MONOCHROME1", b"MONOCHROME2", b""):
        return ("colour", "is a colour picture, not a scan"), 0
    if pixel_tag != tag.PIXELS:
        return None, rows * columns * (32 if pixel_tag == tag.FLOAT_PIXELS else 64)
    if allocated not in INTEGER_BITS or not stored or stored > allocated:
        return ("bits", f"stores {stored} of {allocated} bits a pixel, which no scanner's image does"), 0
    if high not in (stored - 1, None):
        return ("bits", "keeps its bits in the middle of a word (HighBit is not BitsStored - 1)"), 0
    if signed not in (0, 1):
        return ("no-sign", "does not say whether its pixels have a sign (PixelRepresentation)"), 0
    return None, rows * columns * allocated


def encapsulated_trouble(header: Header) -> tuple[str, str] | None:
    """Follow the fragments of compressed pixels by their lengths; say if the file ends before they do."""
    if header.syntax not in tag.DECODED:
        return (
            "transfer-syntax",
            f"is compressed in a way that is not read here (transfer syntax {printable_syntax(header.syntax)})",
        )
    if header.pixel_length != UNDEFINED:
        return "encapsulated", "says its pixels are compressed, and they are not"
    try:
        fragments(header)
    except ValueError as error:
        return "truncated", str(error)
    return None


def code_string(text: str) -> str:
    """Return a code string (VR CS: capitals, digits, space, underscore, 16 at most), "" of what is none and may not be shown."""
    return text if len(text) <= 16 and set(text) <= CODE_LETTERS else ""


def printable_syntax(syntax: str) -> str:
    """Return a transfer syntax as it may be shown: a UID, or nothing of what stands in its place."""
    return syntax if len(syntax) <= 64 and set(syntax) <= set("0123456789.") else "that is no UID"


FRAGMENTS_LIMIT = 1_000_000
EMPTY_LIMIT = 1000  # fragments without a byte
FRAGMENTS_READ = 4096  # bytes read at once: fragments are longer, so more would be read in vain


@lru_cache(maxsize=2)
def fragments(header: Header) -> list[tuple[int, int]]:
    """Return (offset, length) of each fragment of compressed pixels, the offset table first.

    Raises:
        ValueError: the file ends before they do, or they are no fragments; the message is words about the file.
    """
    found: list[tuple[int, int]] = []
    handle = os.open(header.path, os.O_RDONLY)
    try:
        at, empty, start, piece = header.pixel_offset or 0, 0, 0, b""
        while at + 8 <= header.size:
            if not start <= at <= start + len(piece) - 8:
                start, piece = at, os.pread(handle, FRAGMENTS_READ, at)
                if len(piece) < 8:
                    break
            group_element, length = struct.unpack_from("<II", piece, at - start)
            if group_element == 0xE0DDFFFE:
                return found
            empty += not length
            if group_element != 0xE000FFFE or len(found) > FRAGMENTS_LIMIT or empty > EMPTY_LIMIT:
                raise ValueError("has compressed pixels that are not a row of fragments")
            found.append((at + 8, length))
            at += 8 + length
        if at == header.size and len(found) > 1:
            return found  # only the delimiter is missing; every fragment is whole
    finally:
        os.close(handle)
    raise ValueError("is cut short in its compressed pixels")


@lru_cache(maxsize=4096)
def nature(values: tuple[bytes | None, ...]) -> tuple[bytes, ...]:
    """Return the attributes of `tag.NATURE` as they are compared."""
    return tuple(_plain(value) for value in values)


def _plain(value: bytes | None) -> bytes:
    """A value as it is compared: without padding, a number as it is read (5 and 5.0 are one echo time)."""
    text = (value or b"").strip(b"\0 ")
    try:
        return b"%.4f" % float(text)
    except ValueError:
        return b"\\".join(part.strip() for part in text.split(b"\\"))


def position(raw: bytes) -> Triple | None:
    """Return an ImagePositionPatient, None if it is none."""
    values = decimals.__wrapped__(raw, 3) if raw else None  # every slice has its own: nothing to remember
    if values is None or max(map(abs, values)) > POSITION_LIMIT_MM:
        return None
    return values  # type: ignore[return-value]


@lru_cache(maxsize=4096)
def orientation(raw: bytes) -> Six | None:
    """Return an ImageOrientationPatient as two unit vectors at a right angle, None if it is none."""
    values = decimals(raw, 6) if raw else None
    if values is None:
        return None
    row, column = values[:3], values[3:]
    lengths = [sum(x * x for x in vector) ** 0.5 for vector in (row, column)]
    if any(abs(length - 1) > UNIT_TOLERANCE for length in lengths):
        return None
    row, column = (tuple(x / length for x in vector) for vector, length in zip((row, column), lengths, strict=True))
    cosine = sum(a * b for a, b in zip(row, column, strict=True))
    if abs(cosine) > RIGHT_ANGLE_TOLERANCE:
        return None
    return row + column  # type: ignore[return-value]


@lru_cache(maxsize=4096)
def pixel_spacing(raw: bytes) -> tuple[float, float] | None:
    """Return a PixelSpacing (rows apart, columns apart), None if it is none."""
    values = decimals(raw, 2) if raw else None
    low, high = SPACING_LIMITS_MM
    if values is None or min(values) < low or max(values) > high:
        return None
    return values  # type: ignore[return-value]
