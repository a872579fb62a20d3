"""A DICOM object that is no image (SEG, RTSTRUCT, SR), opened with the same care: bounded, without recursion, nothing guessed."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from medimg._tools.text import printable
from medimg.errors import ScanError
from medimg.readers import _dicom_tags as tag
from medimg.readers._dicom_header import (
    BIG,
    END,
    LITTLE,
    LONG_FORM,
    SHORT_FORM,
    UNDEFINED,
    NeedMoreError,
    NotDicomError,
    claims,
    decimals,
    element_at,
    inflate,
    meta_group,
    read_header,
    skip_sequence,
)
from medimg.readers._dicom_items import items
from medimg.values import Code

if TYPE_CHECKING:
    from medimg.readers._dicom_header import Header

PATIENT_NAME, PATIENT_ID = 0x00100010, 0x00100020
LEAST_LETTERS = 3  # of a part of a name that is looked for
CODE_VALUE, LONG_CODE_VALUE, SCHEME, MEANING = 0x00080100, 0x00080119, 0x00080102, 0x00080104
TEXT_SHOWN = 64  # characters of a name that is shown, as LO allows
SRT_TO_SCT = {  # retired SNOMED-RT codes that older files have for what medimg writes with numbers (PS3.16 annex O)
    "M-01000": ("49755003", "Morphologically Abnormal Structure"),
    "T-D0050": ("85756007", "Tissue"),
    "M-03010": ("27925004", "Nodule"),
    "M-03000": ("4147007", "Mass"),
    "M-01100": ("52988006", "Lesion"),
    "T-28000": ("39607008", "Lung"),
    "T-62000": ("10200004", "Liver"),
    "T-71000": ("64033007", "Kidney"),
    "G-A100": ("24028007", "Right"),
    "G-A101": ("7771000", "Left"),
}


class Item:
    """One data set, or one item of a sequence: raw values by tag, parsed when they are asked for.

    A sequence that is damaged raises NotDicomError when it is looked into; `read_object`'s callers turn it into a sentence.
    """

    __slots__ = ("big", "charset", "tags")

    def __init__(self, tags: dict[int, bytes], *, big: bool = False, charset: bytes = b"") -> None:
        self.tags, self.big = tags, big
        self.charset = tags.get(tag.CHARACTER_SET, charset)

    def __contains__(self, key: int) -> bool:
        return key in self.tags

    def uid(self, key: int) -> str:
        """Return a UID or another text of plain letters, "" if it is absent."""
        return self.tags.get(key, b"").strip(b"\0 ").decode("ascii", "replace")

    def text(self, key: int) -> str:
        """Return a text in its character set, on one line and printable, "" if it is absent."""
        raw = self.tags.get(key, b"").strip(b"\0 ")
        return " ".join(printable(decoded(raw, self.charset)).split()) if raw else ""

    def decimals(self, key: int, count: int) -> tuple[float, ...] | None:
        """Return a decimal string's `count` finite values, None if it is absent or not so."""
        raw = self.tags.get(key, b"")
        return decimals(raw, count) if raw else None

    def number(self, key: int) -> float | None:
        """Return the first value of an integer or decimal string, None if there is none."""
        raw = self.tags.get(key, b"")
        values = decimals(raw.partition(b"\\")[0], 1) if raw else None
        return values[0] if values else None

    def short(self, key: int) -> int | None:
        """Return an unsigned short, None if it is absent or has another size."""
        raw = self.tags.get(key, b"")
        return int.from_bytes(raw, "big" if self.big else "little") if len(raw) == 2 else None

    def items(self, key: int, *, most: int | None = None) -> list[Item]:
        """Return the (first `most`) items of a sequence, none if it is absent."""
        raw = self.tags.get(key, b"")
        found = items(raw, big=self.big, most=most) if raw else []
        return [Item(tags, big=self.big, charset=self.charset) for tags in found]

    def first(self, key: int) -> Item | None:
        """Return the first item of a sequence, None if there is none."""
        found = self.items(key, most=1)
        return found[0] if found else None

    def code(self, key: int) -> Code | None:
        """Return the coded concept in a sequence, None if it has none that is whole. Retired SNOMED-RT codes become SNOMED CT."""
        item = self.first(key)
        return item.own_code() if item else None

    def own_code(self) -> Code | None:
        """Return the coded concept that this item is."""
        value = self.text(CODE_VALUE) or self.text(LONG_CODE_VALUE)
        scheme, meaning = self.text(SCHEME), self.text(MEANING)
        if scheme in ("SRT", "99SDM", "SNM3") and value in SRT_TO_SCT:
            scheme, (value, meaning) = "SCT", SRT_TO_SCT[value]
        try:
            return Code(scheme, value, meaning[:TEXT_SHOWN].replace("\\", "/"))  # one value, as it was read
        except ValueError:
            return None


def read_object(path: str | Path, *, what: str) -> tuple[Header, Item]:
    """Read a DICOM file up to its pixels (all of it if it has none): its header, and its attributes.

    `what` is what the caller takes it for, in words ("a DICOM SEG").

    Raises:
        ScanError: it is not there, is no DICOM, or is damaged.
    """
    path = Path(path)
    name = printable(path.name) or "The file"
    remedy = f"Give the path of {what}"
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ScanError(f"{name} is not a file. {remedy}.")
        with path.open("rb") as file:
            head = file.read(160)
        if not claims(head):
            raise ScanError(f"{name} is not DICOM. {remedy}.")
        header = read_header(path)
        content = _before_pixels(path, header)
        return header, Item(_elements(content, header), big=header.big)
    except OSError as error:
        raise ScanError(f"{name} cannot be opened: {error.strerror or error}. {remedy}.") from error
    except NeedMoreError as error:
        raise damaged(path, "it ends in the middle of its header") from error
    except NotDicomError as error:
        raise damaged(path, str(error)) from error


def damaged(path: str | Path, how: str) -> ScanError:
    """Make the error for an object that cannot be read as it is."""
    return ScanError(f"{printable(Path(path).name)} cannot be read: {how}. Export it again from where it was made.")


def patient_words(path: str | Path) -> tuple[str, ...]:
    """Return the patient's ID and the parts of the name in a file, in small letters, to find them in what is to be written.

    Of a folder it is the one SEG or RTSTRUCT in it. They are never shown; parts of one or two letters are left out, because they
    stand in every text. () if nothing can be read.
    """
    from medimg.readers._mask import the_object_in

    try:
        path = the_object_in(Path(path))
        _, content = read_object(path, what="a DICOM scan")
    except ScanError:
        return ()
    return words_of(content)


def words_of(content: Item) -> tuple[str, ...]:
    """Return the patient's ID and the parts of the name in a data set, in small letters."""
    words = [content.text(PATIENT_ID), *re.split(r"[\\^= ,]+", content.text(PATIENT_NAME))]
    return tuple(word.lower() for word in words if len(word) >= LEAST_LETTERS)


def told(name: str, words: tuple[str, ...]) -> str:
    """Return a name as a sentence may have it: "" if it holds one of the patient's `words`."""
    return "" if any(word in name.lower() for word in words) else name


def _before_pixels(path: Path, header: Header) -> tuple[bytes, int]:
    """Return the bytes of the data set and where it starts in them."""
    stop = header.pixel_offset if header.pixel_offset is not None else header.size
    with path.open("rb") as file:
        if header.syntax == tag.DEFLATED_LITTLE:
            start = _start(file.read(1 << 16))
            return inflate(str(path), start)[:stop], 0
        content = file.read(stop)
    return content, _start(content)


def _start(head: bytes) -> int:
    """Return where the data set starts: behind the file meta group, if there is one."""
    if head[128:132] == b"DICM":
        return meta_group(head, 132)[1]
    return meta_group(head, 0)[1] if head[:2] == b"\x02\0" else 0


def _elements(content: tuple[bytes, int], header: Header) -> dict[int, bytes]:
    """Return every element before the pixels; sequences are the bytes of their value."""
    raw, pos = content
    short, long = BIG if header.big else LITTLE
    kind = raw[pos + 4 : pos + 6]
    explicit = kind in SHORT_FORM or kind in LONG_FORM
    found: dict[int, bytes] = {}
    while pos + 8 <= len(raw):
        key, start, length, kind = element_at(raw, pos, len(raw), explicit, short, long)
        if key == END or key in (tag.PIXELS, tag.FLOAT_PIXELS, tag.DOUBLE_PIXELS):
            break
        if length == UNDEFINED:
            pos = skip_sequence(raw, start, explicit and kind != b"UN", short, long)
        else:
            pos = start + length
        if pos > len(raw):
            raise NeedMoreError(pos)
        found[key] = raw[start:pos]
    return found


def decoded(raw: bytes, charset: bytes) -> str:
    """Return text in a DICOM character set; what is none in it becomes a mark, never an error."""
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii")
    import warnings

    from pydicom.charset import convert_encodings, decode_bytes

    named = [part.strip() for part in charset.decode("ascii", "replace").strip("\0 ").split("\\")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return str(decode_bytes(raw, convert_encodings(named or [""]), set()))
        except (LookupError, ValueError):
            return raw.decode("latin-1")
