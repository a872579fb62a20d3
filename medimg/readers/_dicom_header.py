"""The header of one DICOM file, by a walk over its first bytes: nothing is parsed that is not wanted, and no pixel is read."""

from __future__ import annotations

import math
import os
import struct
import zlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medimg.readers import _dicom_tags as tag
from medimg.readers._walk import FIRST_BYTES, last_look, state_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Unpack = Callable[[bytes, int], tuple[Any, ...]]

HEADER_LIMIT = 256 << 20  # bytes of header; enhanced objects of 10,000 frames have some 20 MiB
ELEMENTS_LIMIT = 100_000  # of a data set; images have some 300, with private ones some thousands
ELEMENT_START = 12  # bytes of tag, VR and length
STEPS_LIMIT = 3_000_000  # elements looked at within sequences of undefined length; a few seconds
NESTING_LIMIT = 32  # sequences within sequences; real objects have under 10
INFLATED_LIMIT = 1 << 28  # bytes a deflated file may become; they are held in memory
INFLATED_PIECE = 1 << 20
LONG_FORM = frozenset((b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UC", b"UN", b"UR", b"UT", b"SV", b"UV"))
SHORT_FORM = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
UNDEFINED = 0xFFFFFFFF
END = 1 << 32  # above every tag
HERE = Path(".")
PIXEL_TAGS = (tag.PIXELS, tag.FLOAT_PIXELS, tag.DOUBLE_PIXELS)
NUMBER_BYTES = 64  # of one number as text; the standard allows 16
ELEMENTS_KNOWN = 16384  # files of one maker share some 200 elements, of a few lengths each
REMEMBERED = 8192  # headers that are remembered, some 3 kB each: what was scanned is usually read next
LITTLE = (struct.Struct("<HH2sH").unpack_from, struct.Struct("<I").unpack_from)
BIG = (struct.Struct(">HH2sH").unpack_from, struct.Struct(">I").unpack_from)


_remembered: dict[str, tuple[tuple[int, ...], Header]] = {}
_elements: dict[bytes, tuple[int, bool, int]] = {}  # how a short element begins: its tag, whether it is wanted, its length


class NotDicomError(Exception):
    """The bytes are no DICOM, or too damaged to be walked; the message says how."""


class NeedMoreError(Exception):
    """The bytes at hand end before the pixel data; the file is needed up to `upto` at least."""

    def __init__(self, upto: int) -> None:
        super().__init__(upto)
        self.upto = upto


class Header:
    """What a walk found: wanted attributes as raw bytes, and where the pixels are.

    `size` is the file's (or `content`'s) length; `pixel_offset` is None if there is no pixel data. `content` is the inflated data
    set of a deflated file (offsets count in it), else None.
    """

    __slots__ = (
        "big",
        "content",
        "file",
        "path",
        "pixel_kind",
        "pixel_length",
        "pixel_offset",
        "pixel_tag",
        "size",
        "syntax",
        "tags",
    )

    def __init__(self, path: str, syntax: str) -> None:
        self.path, self.syntax, self.big = path, syntax, syntax == tag.EXPLICIT_BIG
        self.tags: dict[int, bytes] = {}
        self.pixel_offset: int | None = None
        self.pixel_length = 0
        self.pixel_tag = 0
        self.pixel_kind = b""
        self.size = 0
        self.file = HERE
        self.content: bytes | None = None

    def text(self, key: int) -> str:
        """Return a text attribute, "" if it is absent; only for attributes without patient data."""
        raw = self.tags.get(key)
        return plain_text(raw) if raw else ""

    def uid(self, key: int) -> str:
        """Return a UID that every file has its own of, as `text` does."""
        return self.tags.get(key, b"").strip(b"\0 ").decode("ascii", "replace")

    def integer(self, key: int) -> int | None:
        """Return an unsigned short, None if it is absent or has another size."""
        raw = self.tags.get(key)
        if raw is None or len(raw) != 2:
            return None
        return int.from_bytes(raw, "big" if self.big else "little")

    def number(self, key: int) -> float | None:
        """Return a decimal string's one finite value, None if it is absent or not one."""
        values = self.numbers(key, 1)
        return values[0] if values else None

    def numbers(self, key: int, count: int) -> tuple[float, ...] | None:
        """Return a decimal string's `count` finite values, None if it is absent or not so."""
        raw = self.tags.get(key)
        return decimals(raw, count) if raw else None

    def first_number(self, key: int) -> float | None:
        """Return the first value of an integer or decimal string, None if there is none."""
        raw = self.tags.get(key)
        values = decimals(raw.partition(b"\\")[0], 1) if raw else None
        return values[0] if values else None


@lru_cache(maxsize=1024)
def plain_text(raw: bytes) -> str:
    """Return a text attribute without its padding; only for attributes without patient data."""
    return raw.rstrip(b"\0 ").lstrip(b" ").decode("ascii", "replace")


@lru_cache(maxsize=1024)
def decimals(raw: bytes, count: int) -> tuple[float, ...] | None:
    """Parse a decimal string: exactly `count` finite numbers, a comma or a letter is no number."""
    if len(raw) > NUMBER_BYTES * count or b"_" in raw or raw.count(b"\\") != count - 1:
        return None
    try:
        values = tuple(map(float, (raw.replace(b"\0", b" ") if b"\0" in raw else raw).split(b"\\")))
    except ValueError:
        return None
    return values if all(map(math.isfinite, values)) else None


def claims(head: bytes) -> bool:
    """Say whether a file that begins with `head` is DICOM, with the preamble or (an old habit) without it."""
    if head[128:132] == b"DICM":
        return True
    if len(head) < 16 or head[0] not in (2, 8) or head[1] or head[3] > 1 or head[2:4] == b"\xff\xff":
        return False
    if head[4:6].isalpha():
        return head[4:6] in SHORT_FORM or head[4:6] in LONG_FORM
    return int.from_bytes(head[4:8], "little") < 256  # a group length, a character set or an image type, written implicitly


def read_header(path: str | Path) -> Header:
    """Walk the head of a file; more of it is read only if the pixel data is not reached.

    The headers looked at last are remembered, and walked again only if the file's size, time or number changed since.

    Raises:
        NotDicomError: it cannot be walked.
        OSError: it cannot be read.
    """
    name = os.fspath(path)
    state, head = last_look(name)
    handle, count = -1, FIRST_BYTES
    try:
        if not state:
            handle = os.open(name, os.O_RDONLY | os.O_NONBLOCK)
            state = state_of(handle)
        known = _remembered.get(name)
        if known is not None and known[0] == state:
            return known[1]
        size = state[0]
        while True:
            if not head:
                handle = os.open(name, os.O_RDONLY | os.O_NONBLOCK) if handle < 0 else handle
                head = os.pread(handle, count, 0)
            try:
                header = _walk_file(name, head, size)
                break
            except NeedMoreError as more:
                if more.upto > size + ELEMENT_START or len(head) >= size:  # a look for another element may reach past the last
                    raise NotDicomError("it ends in the middle of its header") from None
                if more.upto > HEADER_LIMIT or len(head) >= HEADER_LIMIT:
                    raise NotDicomError(f"its header is longer than {HEADER_LIMIT >> 20} MiB") from None
                count, head = max(8 * len(head), more.upto + FIRST_BYTES), b""
    finally:
        if handle >= 0:
            os.close(handle)
    header.size = size if header.content is None else len(header.content)
    header.file = path if isinstance(path, Path) else Path(name)
    if header.content is None and len(head) <= FIRST_BYTES:
        if len(_remembered) >= REMEMBERED:
            _remembered.clear()
        _remembered[name] = (state, header)
    return header


def _walk_file(path: str, head: bytes, size: int) -> Header:
    if head[128:132] == b"DICM":
        syntax, start = meta_group(head, 132)
    elif head[:2] == b"\x02\0":
        syntax, start = meta_group(head, 0)
    else:
        syntax, start = "", 0
    if start + 8 > len(head):
        raise NeedMoreError(start + 8) if len(head) < size else NotDicomError("it holds no data set")
    if syntax == tag.DEFLATED_LITTLE:
        header = Header(path, syntax)
        header.content = head = inflate(path, start)
        size, start = len(head), 0
    else:
        if not syntax:
            syntax = tag.EXPLICIT_LITTLE if head[start + 4 : start + 6].isalpha() else tag.IMPLICIT_LITTLE
        header = Header(path, syntax)
    header.tags[tag.TRANSFER_SYNTAX] = syntax.encode()
    kind = head[start + 4 : start + 6]
    explicit = kind in SHORT_FORM or kind in LONG_FORM  # what the bytes are counts, whatever the syntax says
    _walk(head, start, len(head) >= size, explicit, header)
    return header


def meta_group(head: bytes, pos: int) -> tuple[str, int]:
    """Return the transfer syntax of the file meta group (always explicit little endian) and where the group ends."""
    syntax = ""
    while pos + 12 <= len(head) and head[pos : pos + 2] == b"\x02\0":
        element, kind, length = struct.unpack_from("<H2sH", head, pos + 2)
        if kind in LONG_FORM:
            length = struct.unpack_from("<I", head, pos + 8)[0]
            pos += 4
        if element == 0x0010:
            syntax = head[pos + 8 : pos + 8 + length].rstrip(b"\0 ").decode("ascii", "replace")
        pos += 8 + length
    return syntax, pos


def _walk(head: bytes, pos: int, whole: bool, explicit: bool, header: Header) -> None:
    """Walk the elements of the data set up to the pixel data; fill `header`."""
    short, long = BIG if header.big else LITTLE
    tags, size, known = header.tags, len(head), _elements if explicit and not header.big else {}
    last = slow = 0
    while True:
        element = known.get(head[pos : pos + 8])
        if element is not None:  # a short element of this length that was met before: most are
            key, is_wanted, length = element
            if key <= last:
                slow += 1
                if (
                    key < last
                    or slow > ELEMENTS_LIMIT
                    or tags.get(key, head[pos + 8 : pos + 8 + length]) != head[pos + 8 : pos + 8 + length]
                ):
                    break
            last = key
            start = pos + 8
            pos = start + length
            if is_wanted:
                if pos > size:
                    raise NeedMoreError(pos)
                tags[key] = head[start:pos]
            continue
        end = size if whole else -1
        key, start, length, kind = element_at(head, pos, end, explicit, short, long)
        if key <= last:
            break
        slow += 1
        if slow > ELEMENTS_LIMIT:
            raise NotDicomError(f"its header has more than {ELEMENTS_LIMIT} elements")
        if key >= tag.FLOAT_PIXELS:
            if key in PIXEL_TAGS:
                header.pixel_offset, header.pixel_length, header.pixel_tag, header.pixel_kind = start, length, key, kind
            if key in PIXEL_TAGS or key > tag.PIXELS:
                return
        elif explicit and not header.big and kind not in LONG_FORM and len(_elements) < ELEMENTS_KNOWN:
            _elements[head[pos : pos + 8]] = key, key in tag.WANTED, length
        last = key
        if length == UNDEFINED:
            pos = skip_sequence(head, start, explicit and kind != b"UN", short, long)
        else:
            pos = start + length
        if key == tag.MODALITY_LUT:
            if head[start : start + 4] == (b"\xff\xfe\xe0\x00" if header.big else b"\xfe\xff\x00\xe0"):  # not empty
                tags[key] = b""
        elif key in tag.SEQUENCES or (key in tag.WANTED and length != UNDEFINED):
            if pos > size:
                raise NeedMoreError(pos)
            tags[key] = head[start:pos]
    raise NotDicomError("its elements are out of order or there twice, so its header cannot be trusted")


def element_at(head: bytes, pos: int, end: int, explicit: bool, short: Unpack, long: Unpack) -> tuple[int, int, int, bytes]:
    """Return the tag of the element at `pos`, where its value starts, its length and its VR; the last tag of all at `end`."""
    size = len(head)
    if pos + 12 > size:
        if pos == end:
            return END, pos, 0, b""
        if end < 0 or pos + 8 > size:
            raise NeedMoreError(pos + 12)
    group, element, kind, length = short(head, pos)
    key = group << 16 | element
    if not explicit:
        return key, pos + 8, long(head, pos + 4)[0], kind
    if kind not in LONG_FORM:
        return key, pos + 8, length, kind
    if pos + 12 > size:
        raise NeedMoreError(pos + 12)
    return key, pos + 12, long(head, pos + 8)[0], kind


def skip_sequence(head: bytes, pos: int, explicit: bool, short: Unpack, long: Unpack) -> int:
    """Return where a sequence of undefined length that starts at `pos` ends; a loop, so that no depth of nesting can harm.

    A sequence of unknown VR (UN) is written implicitly, whatever is around it (PS3.5 section 6.2.2); so each level has its own
    form.
    """
    forms, steps, size = [explicit], 0, len(head)
    while forms:
        steps += 1
        if steps > STEPS_LIMIT or len(forms) > 2 * NESTING_LIMIT:  # a level is a sequence and an item
            raise NotDicomError("its sequences are nested too deep or too long to be an image's")
        if pos + 8 > size:
            raise NeedMoreError(pos + 8)
        group, element, kind, length = short(head, pos)
        if group == 0xFFFE:
            length = long(head, pos + 4)[0]
            pos += 8
            if element != 0xE000:
                forms.pop()
            elif length == UNDEFINED:
                forms.append(forms[-1])
            else:
                pos += length
            continue
        explicit = forms[-1]
        if not explicit:
            length = long(head, pos + 4)[0]
            pos += 8
        elif kind in LONG_FORM:
            if pos + 12 > size:
                raise NeedMoreError(pos + 12)
            length = long(head, pos + 8)[0]
            pos += 12
        else:
            pos += 8
        if length == UNDEFINED:
            forms.append(explicit and kind != b"UN")
        else:
            pos += length
    return pos


def inflate(path: str, start: int) -> bytes:
    """Inflate a whole data set, piece by piece, so that one that inflates without end is left in time."""
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    pieces, size = [], 0
    with open(path, "rb") as file:
        file.seek(start)
        try:
            while not engine.eof and size <= INFLATED_LIMIT:
                packed = engine.unconsumed_tail or file.read(INFLATED_PIECE)
                if not packed:
                    break
                pieces.append(engine.decompress(packed, INFLATED_PIECE))
                size += len(pieces[-1])
        except zlib.error as error:
            raise NotDicomError("its deflated data set is damaged") from error
    if size > INFLATED_LIMIT:
        raise NotDicomError(f"its deflated data set is longer than {INFLATED_LIMIT >> 20} MiB")
    if not engine.eof:
        raise NotDicomError("its deflated data set is cut short")
    return b"".join(pieces)
