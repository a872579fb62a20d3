"""Frames of enhanced multi-frame objects: each with the place and scale that its functional groups give (PS3.3 C.7.6.16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medimg.readers import _dicom_tags as tag
from medimg.readers._dicom_frames import (
    NEEDS_RESCALE,
    Frame,
    nature,
    no_rescale,
    orientation,
    pixel_spacing,
    pixel_trouble,
    position,
    set_mapping,
    set_scale,
)
from medimg.readers._dicom_header import NotDicomError, decimals
from medimg.readers._dicom_items import items, numbers
from medimg.readers._walk import FIRST_BYTES

if TYPE_CHECKING:
    from medimg.readers._dicom_header import Header

FRAMES_LIMIT = 100_000  # of one file
# attribute of ours: (functional group, its attribute, how its value is written) in the order they are asked
TEXTS = {
    tag.TEMPORAL_POSITION: ((tag.FRAME_CONTENT, tag.TEMPORAL_INDEX, "I"),),
    tag.ACQUISITION_NUMBER: ((tag.FRAME_CONTENT, tag.FRAME_ACQUISITION_NUMBER, "H"),),
    tag.STACK: ((tag.FRAME_CONTENT, tag.STACK, ""),),
    tag.ACQUISITION_DATETIME: (
        (tag.FRAME_CONTENT, tag.FRAME_ACQUISITION_DATETIME, ""),
        (tag.FRAME_CONTENT, tag.FRAME_REFERENCE_DATETIME, ""),
    ),
    tag.ECHO_TIME: ((tag.MR_ECHO, tag.EFFECTIVE_ECHO_TIME, "d"), (tag.MR_TIMING, tag.ECHO_TIME, "")),
    tag.B_VALUE: ((tag.MR_DIFFUSION, tag.B_VALUE, "d"),),
    tag.GRADIENT_DIRECTION: ((tag.MR_DIFFUSION, tag.GRADIENT_SEQUENCE, "B"),),  # only whether two are the same counts
    tag.FLIP_ANGLE: ((tag.MR_TIMING, tag.FLIP_ANGLE, ""),),
    tag.CARDIAC_PHASE: ((tag.CARDIAC, tag.CARDIAC_PHASE, "f"),),
    tag.COMPLEX_COMPONENT: tuple((group, tag.COMPLEX_COMPONENT, "") for group in tag.FRAME_TYPES),
    tag.TRIGGER_TIME: ((tag.CARDIAC, tag.TRIGGER_DELAY, "d"),),
    tag.KERNEL: ((tag.CT_RECONSTRUCTION, tag.KERNEL, ""),),
    tag.IMAGE_TYPE: tuple((group, tag.FRAME_TYPE, "") for group in tag.FRAME_TYPES),
    tag.RESCALE_TYPE: ((tag.VALUE_TRANSFORMATION, tag.RESCALE_TYPE, ""),),
}
POSITION_POINTERS = frozenset(
    {tag.POSITION, tag.ORIENTATION, tag.STACK, 0x00209057, 0x00201041}
)  # dimensions that only count places


def frames_of_groups(header: Header, modality: str) -> list[Frame]:
    """Return the frames of an object with functional groups; one with its trouble if they cannot be read."""
    try:
        shared, groups, index = (_taken(header, key) for key in (tag.SHARED_GROUPS, tag.PER_FRAME_GROUPS, tag.DIMENSION_INDEX))
        pointers = [((*numbers(item.get(tag.DIMENSION_POINTER, b""), "H", header.big), 0, 0))[:2] for item in index]
    except NotDicomError:
        return [Frame(header, modality=modality, trouble=("bad-groups", "has functional groups that cannot be read"))]
    count = header.first_number(tag.FRAMES) or 1
    if not 0 < count <= FRAMES_LIMIT or len(groups) != count:
        words = f"says that it has {count:.0f} frames and describes {len(groups)}"
        return [Frame(header, modality=modality, trouble=("frame-count", words))]
    trouble = pixel_trouble(header, len(groups))
    if trouble:  # of the whole object: what stands in the frames' groups does not matter
        return [Frame(header, modality=modality, trouble=trouble)]
    others = [at for at, (group, element) in enumerate(pointers) if int(group) << 16 | int(element) not in POSITION_POINTERS]
    common = Groups(shared[0] if shared else {}, header.big)
    frames = []
    for number, group in enumerate(groups):
        try:
            frame = _frame(header, modality, number, Groups(group, header.big, common), others)
        except NotDicomError:
            frame = Frame(header, number, modality, trouble=("bad-groups", "has functional groups that cannot be read"))
        frames.append(frame)
    return frames


def _taken(header: Header, key: int) -> list[dict[int, bytes]]:
    """Return the items of one of the header's sequences; a long one is dropped from the header, which is kept for long."""
    raw = header.tags.get(key, b"")
    if len(raw) > FIRST_BYTES:  # such a header is not remembered, so nobody asks again
        header.tags[key] = b""
    return items(raw, big=header.big)


class Groups:
    """The functional groups of a frame, or of all frames: found in its own first, else in the common ones."""

    def __init__(self, own: dict[int, bytes], big: bool, common: Groups | None = None) -> None:
        self.own, self.big, self.common = own, big, common
        self.parsed: dict[int, dict[int, bytes]] = {}

    def text(self, group: int, key: int) -> bytes:
        """Return a text attribute of a functional group without its padding, b"" if it is nowhere."""
        value = self._own(group).get(key, b"").strip(b"\0 ")
        return value if value or not self.common else self.common.text(group, key)

    def numbers(self, group: int, key: int, form: str) -> tuple[float, ...]:
        """Return the binary numbers (`struct`'s letter) of an attribute of a functional group, none if it is nowhere."""
        value = self._own(group).get(key, b"")
        return numbers(value, form, self.big) if value or not self.common else self.common.numbers(group, key, form)

    def value(self, group: int, key: int, form: str) -> bytes:
        """Return an attribute as text, whatever it is written as."""
        if not form:
            return self.text(group, key)
        return b"\\".join(str(number).encode() for number in self.numbers(group, key, form))

    def sequence(self, group: int) -> bytes:
        """Return a functional group as bytes."""
        return self.own.get(group) or (self.common.sequence(group) if self.common else b"")

    def _own(self, group: int) -> dict[int, bytes]:
        if group not in self.own:
            return {}
        if group not in self.parsed:
            first = items(self.own[group], big=self.big, most=1)
            self.parsed[group] = first[0] if first else {}
        return self.parsed[group]


def _frame(header: Header, modality: str, index: int, groups: Groups, others: list[int]) -> Frame:
    frame = Frame(header, index, modality)
    frame.rows, frame.columns = header.integer(tag.ROWS) or 0, header.integer(tag.COLUMNS) or 0
    frame.position = position(groups.text(tag.PLANE_POSITION, tag.POSITION))
    frame.orientation = orientation(groups.text(tag.PLANE_ORIENTATION, tag.ORIENTATION))
    frame.spacing = pixel_spacing(groups.text(tag.PIXEL_MEASURES, tag.PIXEL_SPACING))
    thickness = decimals(groups.text(tag.PIXEL_MEASURES, tag.SLICE_THICKNESS), 1)
    frame.thickness = thickness[0] if thickness else None
    for key, places in TEXTS.items():
        value = next((found for found in (groups.value(*place) for place in places) if found), b"")
        if value:
            frame.own[key] = value
    if others:
        listed = groups.numbers(tag.FRAME_CONTENT, tag.OTHER_DIMENSIONS, "I")
        frame.own[tag.OTHER_DIMENSIONS] = b",".join(str(listed[at]).encode() for at in others if at < len(listed))
    frame.own.setdefault(tag.STACK, b"")
    frame.nature = nature(tuple(frame.tell(key) for key in tag.NATURE))
    set_mapping(frame, groups.sequence(tag.REAL_WORLD_VALUES))
    slope, intercept = (groups.text(tag.VALUE_TRANSFORMATION, key) for key in (tag.SLOPE, tag.INTERCEPT))
    if slope or intercept:
        scales = [decimals(value, 1) for value in (slope, intercept)]
        set_scale(frame, *(value[0] if value else None for value in scales))
    elif frame.mapping:
        frame.apply_mapping()
    elif modality in NEEDS_RESCALE:
        frame.trouble = no_rescale(modality)
    else:
        frame.is_stored = True
    return frame
