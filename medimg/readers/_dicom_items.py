"""The items of a DICOM sequence (PS3.5 section 7.5) as raw values by tag: only what is asked for is ever looked into."""

from __future__ import annotations

import struct

from medimg.readers._dicom_header import (
    BIG,
    END,
    LITTLE,
    LONG_FORM,
    SHORT_FORM,
    UNDEFINED,
    NeedMoreError,
    NotDicomError,
    element_at,
    skip_sequence,
)

ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


def items(raw: bytes, *, big: bool = False, most: int | None = None) -> list[dict[int, bytes]]:
    """Return the first `most` items of a sequence's value; a sequence within an item is the bytes of its own value.

    Whether VRs are written out is seen in each item itself: a sequence of unknown VR is written implicitly in an explicit file.

    Raises:
        NotDicomError: the bytes are no sequence.
    """
    order = ">" if big else "<"
    found: list[dict[int, bytes]] = []
    pos = 0
    try:
        while pos + 8 <= len(raw) and len(found) != most:
            group, element, length = struct.unpack_from(f"{order}HHI", raw, pos)
            key = group << 16 | element
            if key == SEQUENCE_END:
                break
            if key != ITEM:
                raise NotDicomError("a sequence of it holds no items")
            attributes: dict[int, bytes] = {}
            pos = _attributes(raw, pos + 8, len(raw) if length == UNDEFINED else pos + 8 + length, attributes, big=big)
            found.append(attributes)
    except NeedMoreError as error:
        raise NotDicomError("a sequence of it is cut short") from error
    return found


def _attributes(raw: bytes, pos: int, end: int, found: dict[int, bytes], *, big: bool) -> int:
    """Fill in the elements of one item and return where it ends."""
    short, long = BIG if big else LITTLE
    if end > len(raw):
        raise NeedMoreError(end)
    kind = raw[pos + 4 : pos + 6]
    explicit = kind in SHORT_FORM or kind in LONG_FORM
    while pos + 8 <= end:
        if raw[pos : pos + 4] == (b"\xff\xfe\xe0\x0d" if big else b"\xfe\xff\x0d\xe0"):
            return pos + 8
        key, start, length, kind = element_at(raw, pos, len(raw), explicit, short, long)
        if key == END:
            break
        if length == UNDEFINED:
            pos = skip_sequence(raw, start, explicit and kind != b"UN", short, long)
        else:
            pos = start + length
        if pos > end:
            raise NeedMoreError(pos)
        found[key] = raw[start:pos]
    return end


def numbers(raw: bytes, form: str, big: bool) -> tuple[float, ...]:
    """Return binary numbers; what is left over at the end is none."""
    size = struct.calcsize(form)
    return struct.unpack_from(f"{'>' if big else '<'}{len(raw) // size}{form}", raw)
