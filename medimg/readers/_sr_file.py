"""The content of a structured report, item by item, without recursion (PS3.3 C.17.3)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from medimg.readers._dicom_header import NESTING_LIMIT, NotDicomError
from medimg.values.measurement_report import Measurement, Region

if TYPE_CHECKING:
    from collections.abc import Iterator

    from medimg.readers._dicom_object import Item
    from medimg.values import Code

CONTENT, VALUE_TYPE, CONCEPT, CODED = 0x0040A730, 0x0040A040, 0x0040A043, 0x0040A168
TEXT, UID, MEASURED, NUMBER, UNITS, PRECISE = 0x0040A160, 0x0040A124, 0x0040A300, 0x0040A30A, 0x004008EA, 0x0040A161
REFERENCED, INSTANCE, FRAME, SEGMENT = 0x00081199, 0x00081155, 0x00081160, 0x0062000B
GRAPHIC, GRAPHIC_KIND, GRAPHIC_FRAME = 0x00700022, 0x00700023, 0x30060024
ITEMS_LIMIT = 200_000  # of a report; the largest that are known have some 10,000
SAME_NUMBER = 1e-4  # relative; a decimal string of 16 characters is rounded by less
DERIVATION, METHODS = "121401", ("370129005", "G-C036")


@dataclass(eq=False)
class Content:
    """One content item: its type, its concept, and the items under it."""

    item: Item
    kind: str
    concept: Code | None
    children: list[Content] = field(default_factory=list)

    @property
    def code(self) -> str:
        """The value of its concept's code, "" if it has none."""
        return self.concept.value if self.concept else ""

    def coded(self) -> Code | None:
        """Return the code that it says."""
        return self.item.code(CODED)

    def text(self) -> str:
        """Return the text or the UID that it says."""
        return self.item.text(TEXT) if TEXT in self.item else self.item.uid(UID)

    def of(self, *codes: str) -> Iterator[Content]:
        """Yield the items under it whose concept has one of these values."""
        return (child for child in self.children if child.code in codes)

    def below(self) -> Iterator[Content]:
        """Yield every item under it, in the order of the report."""
        waiting = self.children[::-1]
        while waiting:
            content = waiting.pop()
            yield content
            waiting.extend(content.children[::-1])


def content_of(root: Item) -> Content:
    """Return the content tree of a report; items that refer to others are leaves, so that no loop can be walked.

    Raises:
        NotDicomError: it is damaged, nested too deep, or longer than a report.
    """
    top = Content(root, root.uid(VALUE_TYPE), root.code(CONCEPT))
    waiting, count = [(top, 0)], 0
    while waiting:
        content, depth = waiting.pop()
        if depth > NESTING_LIMIT:
            raise NotDicomError(f"its content is nested deeper than {NESTING_LIMIT} levels")
        for item in content.item.items(CONTENT, most=ITEMS_LIMIT + 1):
            count += 1
            if count > ITEMS_LIMIT:
                raise NotDicomError(f"it has more than {ITEMS_LIMIT} content items")
            child = Content(item, item.uid(VALUE_TYPE), item.code(CONCEPT))
            content.children.append(child)
            waiting.append((child, depth + 1))
        content.item.tags.pop(CONTENT, None)  # it is parsed: its bytes would be held once for every level
    return top


def measurement(content: Content) -> Measurement | None:
    """Return a number that was measured, None if the item has none (a report may say that it could not be measured)."""
    measured = content.item.first(MEASURED)
    if measured is None or content.concept is None:
        return None
    value = measured.number(NUMBER)
    precise = measured.tags.get(PRECISE, b"")
    if len(precise) == 8 and value is not None:  # the same once more, in all its digits
        whole = struct.unpack(">d" if measured.big else "<d", precise)[0]
        value = whole if abs(whole - value) <= SAME_NUMBER * max(1.0, abs(value)) else None
    if value is None or not np.isfinite(value):
        return None
    derivation = next((child.coded() for child in content.of(DERIVATION)), None)
    method = next((child.coded() for child in content.of(*METHODS)), None)
    return Measurement(
        concept=content.concept, value=float(value), unit=measured.code(UNITS), derivation=derivation, method=method
    )


def region(content: Content) -> Region | None:
    """Return what was drawn, None if its points are none."""
    item = content.item
    raw, in_patient = item.tags.get(GRAPHIC, b""), content.kind == "SCOORD3D"
    size = 3 if in_patient else 2
    if not raw or len(raw) % (4 * size):
        return None
    points = np.frombuffer(raw, ">f4" if item.big else "<f4").astype(np.float64).reshape(-1, size)
    if not np.isfinite(points).all():
        return None
    instance, frame = "", 0
    image = next((child for child in content.children if child.kind == "IMAGE"), None)
    if image is not None:
        instance, frame, _ = reference(image)
    return Region(
        kind=item.uid(GRAPHIC_KIND),
        points=tuple(tuple(map(float, point)) for point in points),
        frame_of_reference=item.uid(GRAPHIC_FRAME) if in_patient else "",
        instance_uid=instance,
        frame=frame,
    )


def reference(content: Content) -> tuple[str, int, int | None]:
    """Return instance UID, frame (from 0) and segment number that an IMAGE item refers to."""
    referenced = content.item.first(REFERENCED)
    if referenced is None:
        return "", 0, None
    frame = referenced.number(FRAME)
    return referenced.uid(INSTANCE), int(frame) - 1 if frame else 0, referenced.short(SEGMENT)
