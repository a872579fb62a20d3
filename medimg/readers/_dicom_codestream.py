"""What a compressed picture says of itself, checked before a decoder believes it.

The decoders here are fast and trust headers: with tables that cannot be, some of them write past their memory or divide by
zero, and that ends the program. Their pictures' sizes are held against the DICOM header as well, and a stream that ends early is
found here, because decoders fill what is missing without a word.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from medimg.readers._dicom_raw import UndecodableError

XL_SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"
XL_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width to height (ISO 18181-1 table D.2)
JP2_SIGNATURE = b"\0\0\0\x0cjP  "
END = b"\xff\xd9"  # of an image (JPEG), of a code stream (JPEG 2000)
PADDING = 16  # zero bytes that may follow: writers make lengths even, some to words
JPEG_FRAMES = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)))  # SOF markers
LOSSLESS_FRAME, LS_FRAME = 0xC3, 0xF7
HUFFMAN_TABLES, SCAN, RESTART_INTERVAL = 0xC4, 0xDA, 0xDD
NO_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))  # markers that stand alone and do not belong in a header
RESTART_MARKS = re.compile(rb"\xff[\xd0-\xd7]")
TILES_LIMIT = 1024  # pictures of scans are one tile; every tile costs a decoder time and memory

DAMAGED = "cannot be decoded: its compressed pixels are damaged"
OTHER_SYNTAX = "cannot be decoded: its compressed pixels are not what its transfer syntax says"
OTHER_SIZE = "holds a compressed picture of another size than it says"
COLOUR = "holds a compressed colour picture and says that it is grey"
CUT = "is cut short in its compressed pixels"


def is_whole(code: bytes) -> bool:
    """Say whether a stream has its end."""
    return code[-PADDING:].rstrip(b"\0").endswith(END)


@dataclass(frozen=True, kw_only=True)
class Stream:
    """What a stream says of its samples: bits each, whether they have a sign; and whether it has restarts."""

    precision: int
    is_signed: bool = False
    has_restarts: bool = False


def check_jpeg(code: bytes, rows: int, columns: int, *, lossless: bool = False, ls: bool = False) -> Stream:
    """Walk the header of a JPEG or JPEG-LS stream (ISO 10918-1 annex B, 14495-1 annex C).

    Raises:
        UndecodableError: it is another picture than the DICOM header says, its tables cannot be, or it is cut short.
    """
    if code[:2] != b"\xff\xd8":
        raise UndecodableError(OTHER_SYNTAX)
    at, precision, restart, tables = 2, 0, 0, set()
    while True:
        if at + 4 > len(code) or code[at] != 0xFF or code[at + 1] in NO_LENGTH:
            if ls and code[at : at + 2] == b"\xff\xd8" and not precision:  # after a SPIFF header the image begins anew
                at += 2
                continue
            raise UndecodableError(DAMAGED)
        marker = code[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        (length,) = struct.unpack_from(">H", code, at + 2)
        body = code[at + 4 : at + 2 + length]
        if length < 2 or len(body) != length - 2:
            raise UndecodableError(DAMAGED)
        at += 2 + length
        if marker == SCAN:
            break
        if marker in JPEG_FRAMES or marker == LS_FRAME:
            if (marker == LS_FRAME) != ls or (lossless and marker != LOSSLESS_FRAME):
                raise UndecodableError(OTHER_SYNTAX)
            if precision or len(body) < 6:
                raise UndecodableError(DAMAGED)
            precision = _frame(body, rows, columns)
        elif marker == HUFFMAN_TABLES:
            tables |= _huffman_tables(body, largest=16 if lossless else 255)
        elif marker == RESTART_INTERVAL and len(body) >= 2:
            restart = int.from_bytes(body, "big")
    if not precision or len(body) < 6 or body[0] != 1:
        raise UndecodableError(DAMAGED)
    if lossless and (body[2] >> 4 not in tables or not 1 <= body[3] <= 7 or body[5] & 15 >= precision):
        raise UndecodableError(DAMAGED)  # its Huffman table, predictor and point transform (ISO 10918-1 table B.3)
    if not is_whole(code):
        raise UndecodableError(CUT)
    if restart and lossless and len(RESTART_MARKS.findall(code, at)) != (rows * columns - 1) // restart:
        raise UndecodableError(CUT)
    return Stream(precision=precision, has_restarts=bool(restart))


def _frame(body: bytes, rows: int, columns: int) -> int:
    precision, height, width, samples = struct.unpack_from(">BHHB", body)
    if (height, width) != (rows, columns):
        raise UndecodableError(OTHER_SIZE)
    if samples != 1:
        raise UndecodableError(COLOUR)
    if not 2 <= precision <= 16:
        raise UndecodableError(DAMAGED)
    return precision


def _huffman_tables(body: bytes, *, largest: int) -> set[int]:
    """Check tables (ISO 10918-1 B.2.4.2): as many values as codes, no more codes of a length than there can be."""
    found, at = set(), 0
    while at < len(body):
        counts = body[at + 1 : at + 17]
        values = body[at + 17 : at + 17 + sum(counts)]
        room = 1
        for count in counts:
            room = 2 * room - count
            if room < 0:
                raise UndecodableError(DAMAGED)
        if len(counts) != 16 or len(values) != sum(counts) or not values or max(values) > largest or body[at] & 0xEC:
            raise UndecodableError(DAMAGED)
        found.add(body[at] & 15)
        at += 17 + len(values)
    return found


def check_jpeg_2000(code: bytes, rows: int, columns: int) -> Stream:
    """Walk a JPEG 2000 stream, high throughput or not (ISO 15444-1 annex A), bare or in JP2 boxes.

    Raises:
        UndecodableError: it is another picture than the DICOM header says, or is cut short.
    """
    start = _codestream(code)
    if code[start : start + 4] != b"\xff\x4f\xff\x51" or start + 42 > len(code):
        raise UndecodableError(OTHER_SYNTAX)
    right, bottom, left, top, *tile = struct.unpack_from(">8I", code, start + 8)
    (samples,) = struct.unpack_from(">H", code, start + 40)
    if (bottom - top, right - left) != (rows, columns):
        raise UndecodableError(OTHER_SIZE)
    if samples != 1:
        raise UndecodableError(COLOUR)
    tiles = -(-right // tile[0]) * -(-bottom // tile[1]) if tile[0] and tile[1] else 0
    if not 0 < tiles <= TILES_LIMIT:
        raise UndecodableError(DAMAGED)
    if not is_whole(code):
        raise UndecodableError(CUT)
    at = start + 2
    while code[at : at + 2] != b"\xff\x90":
        if at + 4 > len(code):
            raise UndecodableError(DAMAGED)
        marker, length = struct.unpack_from(">HH", code, at)
        if marker < 0xFF30 or length < 2:
            raise UndecodableError(DAMAGED)
        at += 2 + length
    _follow_tile_parts(code, at, tiles)
    depth = code[start + 42] if len(code) > start + 42 else 0
    return Stream(precision=(depth & 0x7F) + 1, is_signed=depth > 0x7F)


def _codestream(code: bytes) -> int:
    """Return where the codestream begins: at once, or in the `jp2c` box of a JP2 file (other boxes hold no picture)."""
    if not code.startswith(JP2_SIGNATURE):
        return 0
    at = 0
    while at + 16 <= len(code):
        length, kind = struct.unpack_from(">I4s", code, at)
        if kind == b"jp2c":
            return at + (16 if length == 1 else 8)
        if length < 8:
            break
        at += length
    return len(code)


def _follow_tile_parts(code: bytes, at: int, tiles: int) -> None:
    """Follow the tile-parts by their lengths: they must lead to the end of the stream."""
    parts = 0
    while code[at : at + 2] != END:
        if at + 14 > len(code) or code[at : at + 4] != b"\xff\x90\0\x0a":
            raise UndecodableError(CUT)
        number, length = struct.unpack_from(">HI", code, at + 4)
        parts += 1
        if number >= tiles or parts > 255 * tiles or (length and length < 14):
            raise UndecodableError(DAMAGED)
        if not length:  # the last part reaches to the end of the stream
            return
        at += length
    if not parts:
        raise UndecodableError(DAMAGED)


def check_jpeg_xl(code: bytes, rows: int, columns: int) -> None:
    """Read the size of a JPEG XL picture (ISO 18181-1 D.2), bare or in boxes (18181-2); its decoder looks after the rest.

    Raises:
        UndecodableError: it is another picture than the DICOM header says.
    """
    start = _xl_codestream(code) if code.startswith(XL_SIGNATURE) else 0
    if code[start : start + 2] != b"\xff\x0a":
        raise UndecodableError(OTHER_SYNTAX)
    bits = _Bits(code[start + 2 : start + 18])
    small = bits.take(1)
    height = bits.size(small)
    ratio = bits.take(3)
    width = bits.size(small) if not ratio else height * XL_RATIOS[ratio - 1][0] // XL_RATIOS[ratio - 1][1]
    if (height, width) != (rows, columns):
        raise UndecodableError(OTHER_SIZE)


def _xl_codestream(code: bytes) -> int:
    at = 0
    while at + 16 <= len(code):
        length, kind = struct.unpack_from(">I4s", code, at)
        if kind in (b"jxlc", b"jxlp"):
            return at + (16 if length == 1 else 8) + (4 if kind == b"jxlp" else 0)
        if length < 8:
            break
        at += length
    return len(code)


class _Bits:
    """Numbers of any count of bits, the lowest bit of each byte first."""

    def __init__(self, code: bytes) -> None:
        self.rest = int.from_bytes(code, "little")

    def take(self, count: int) -> int:
        """Return the next `count` bits."""
        value = self.rest & ((1 << count) - 1)
        self.rest >>= count
        return value

    def size(self, small: int) -> int:
        """Return a height or width: in eights, or of as many bits as a selector says."""
        return 8 * (self.take(5) + 1) if small else self.take((9, 13, 18, 30)[self.take(2)]) + 1
