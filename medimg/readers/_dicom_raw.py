"""The stored values of one frame: bytes from the file, decoded where they are compressed, nothing scaled yet."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.readers import _dicom_tags as tag
from medimg.readers._dicom_frames import fragments
from medimg.readers._dicom_header import read_header

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from medimg.readers._dicom_frames import Frame
    from medimg.readers._dicom_header import Header

STREAM_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51")  # JPEG and JPEG-LS; JPEG 2000


class UndecodableError(Exception):
    """The pixels of a frame cannot be had; the message is words about the file."""


def same_pixels(one: Frame, other: Frame) -> bool:
    """Say whether two frames hold the same values, as far as that can be told without scaling them."""
    if (one.slope, one.intercept, one.has_lut) != (other.slope, other.intercept, other.has_lut):
        return False  # the same stored values, and other values
    try:
        if one.header.syntax not in tag.NATIVE and encoded(one.header, one.index) == encoded(other.header, other.index):
            return one.header.syntax == other.header.syntax
        return bool(np.array_equal(stored_values(one.header, one.index), stored_values(other.header, other.index)))
    except (UndecodableError, OSError):
        return False


def stored_values(header: Header, frame: int) -> NDArray[Any]:
    """Return the stored values of a frame (rows, columns): integers with the sign and the bits that the header says, or floats.

    Raises:
        UndecodableError: they cannot be had.
    """
    if header.syntax == tag.DEFLATED_LITTLE and header.content is None:
        header = read_header(header.path)  # a scan drops what it inflated
    rows, columns = header.integer(tag.ROWS) or 0, header.integer(tag.COLUMNS) or 0
    if header.pixel_tag == tag.FLOAT_PIXELS:
        return _native(header, frame, np.dtype(np.float32)).reshape(rows, columns)
    if header.pixel_tag == tag.DOUBLE_PIXELS:
        return _native(header, frame, np.dtype(np.float64)).reshape(rows, columns)
    bits = header.integer(tag.BITS_ALLOCATED) or 16
    if header.syntax in tag.NATIVE:
        values = _native(header, frame, np.dtype(f"u{bits // 8}")).reshape(rows, columns)
    else:
        from medimg.readers._dicom_codecs import decode

        values = decode(header, encoded(header, frame), rows, columns)
    return with_sign(values, header)


def with_sign(values: NDArray[Any], header: Header) -> NDArray[Any]:
    """Drop what is above BitsStored and give the rest its sign. Pixels of the padding value keep it, whatever its bits."""
    width = values.dtype.itemsize * 8
    stored, signed = header.integer(tag.BITS_STORED) or width, header.integer(tag.SIGNED) == 1
    if stored >= width:
        return values.view(f"i{width // 8}") if signed else values
    padded = _padding(values, header, stored, signed)
    if signed:
        shift = width - stored
        kept: NDArray[Any] = (values.view(f"i{width // 8}") << shift) >> shift
    else:
        kept = values & np.array((1 << stored) - 1, values.dtype)
    if padded is not None:
        where, value = padded
        if kept.dtype.kind == "u" and value < 0:
            kept = kept.astype(np.int32)
        kept[where] = value
    return kept


def _padding(values: NDArray[Any], header: Header, stored: int, signed: bool) -> tuple[NDArray[np.bool_], int] | None:
    """Find pixels of a padding value that does not fit into BitsStored; its value as a signed word, as writers mean it."""
    raw = header.tags.get(tag.PADDING, b"")
    if len(raw) != 2 or values.dtype.itemsize != 2:
        return None
    word = int.from_bytes(raw, "big" if header.big else "little")
    value = word - 0x10000 if word & 0x8000 else word
    inside = -(1 << (stored - 1)) <= value < 1 << (stored - 1) if signed else 0 <= value < 1 << stored
    where = None if inside else values.view(np.uint16) == word
    return (where, value) if where is not None and where.any() else None


def _native(header: Header, frame: int, kind: np.dtype[Any]) -> NDArray[Any]:
    rows, columns = header.integer(tag.ROWS) or 0, header.integer(tag.COLUMNS) or 0
    count = rows * columns * kind.itemsize
    start = (header.pixel_offset or 0) + frame * count
    if header.big and kind.itemsize == 1 and header.pixel_kind == b"OW":
        return _swapped(header, frame * count, count)
    if header.content is not None:
        piece = header.content[start : start + count]
    else:
        handle = os.open(header.path, os.O_RDONLY)
        try:
            piece = os.pread(handle, count, start)
        finally:
            os.close(handle)
    if len(piece) != count:
        raise UndecodableError("is cut short in its pixels")
    values: NDArray[Any] = np.frombuffer(bytearray(piece), kind.newbyteorder(">" if header.big else "<"))
    return values.astype(kind.newbyteorder("=")) if header.big else values


def _swapped(header: Header, begin: int, count: int) -> NDArray[Any]:
    """Return bytes of pixels that were written as big endian words of two (PS3.5 8.1.1)."""
    low, high = begin & ~1, (begin + count + 1) & ~1
    handle = os.open(header.path, os.O_RDONLY)
    try:
        piece = os.pread(handle, high - low, (header.pixel_offset or 0) + low)
    finally:
        os.close(handle)
    if len(piece) != high - low:
        raise UndecodableError("is cut short in its pixels")
    return np.frombuffer(piece, np.uint16).byteswap().view(np.uint8)[begin - low : begin - low + count]


def encoded(header: Header, frame: int) -> bytes:
    """Return the code stream of a frame, its fragments joined.

    Raises:
        UndecodableError: the fragments do not say which are this frame's, or the file is cut short.
    """
    try:
        table, *pieces = fragments(header)
    except ValueError as error:
        raise UndecodableError(str(error)) from error
    frames = int(header.first_number(tag.FRAMES) or 1)
    handle = os.open(header.path, os.O_RDONLY)
    try:
        if frames > 1:
            pieces = _of_frame(handle, table, pieces, frame, frames)
        code = [os.pread(handle, length, start) for start, length in pieces]
    finally:
        os.close(handle)
    if any(len(piece) != length for piece, (_, length) in zip(code, pieces, strict=True)) or not code:
        raise UndecodableError("is cut short in its compressed pixels")
    return code[0] if len(code) == 1 else b"".join(code)


def _of_frame(
    handle: int, table: tuple[int, int], pieces: list[tuple[int, int]], frame: int, frames: int
) -> list[tuple[int, int]]:
    if len(pieces) == frames:
        return [pieces[frame]]
    start, length = table
    if not length:
        return _from_start_to_start(handle, pieces, frame, frames)
    if length != 4 * frames:
        raise UndecodableError("has compressed frames without a table of where each begins")
    offsets = [*struct.unpack(f"<{frames}I", os.pread(handle, length, start)), 1 << 62]
    base = pieces[0][0] - 8
    mine = [piece for piece in pieces if offsets[frame] <= piece[0] - 8 - base < offsets[frame + 1]]
    if not mine or mine[0][0] - 8 - base != offsets[frame]:
        raise UndecodableError("has a table of frames that does not fit its fragments")
    return mine


def _from_start_to_start(handle: int, pieces: list[tuple[int, int]], frame: int, frames: int) -> list[tuple[int, int]]:
    """Find the fragments of a frame where no table lists them: each code stream begins with its own mark."""
    starts = [at for at, (start, _) in enumerate(pieces) if os.pread(handle, 4, start).startswith(STREAM_STARTS)]
    if len(starts) != frames or starts[0] != 0:
        raise UndecodableError("has compressed frames without a table of where each begins")
    return pieces[starts[frame] : [*starts, len(pieces)][frame + 1]]
