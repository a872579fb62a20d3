"""Decode compressed frames, after the size inside the code stream was checked against the header."""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.readers import _dicom_tags as tag
from medimg.readers._dicom_codestream import CUT, DAMAGED, END, OTHER_SIZE, Stream, check_jpeg, check_jpeg_2000, check_jpeg_xl
from medimg.readers._dicom_raw import UndecodableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from medimg.readers._dicom_header import Header

RLE_SPARE = 256  # bytes that a run-length segment may be longer than its worst code: padding
FILLING = bytes(range(1, 65))  # no byte of it begins a marker


def decode(header: Header, code: bytes, rows: int, columns: int) -> NDArray[np.generic]:
    """Return the frame (rows, columns) as unsigned words of BitsAllocated.

    Raises:
        UndecodableError: the code is damaged, of another size than the header says, or of a kind that no decoder here reads.
    """
    import imagecodecs

    decoder: Callable[[bytes], NDArray[Any]]
    stream: Stream | None = None
    syntax, bits = header.syntax, header.integer(tag.BITS_ALLOCATED) or 16
    if syntax == tag.RUN_LENGTHS:
        return _run_lengths(code, rows, columns, bits)
    if syntax in (tag.ENCAPSULATED_RAW, tag.DEFLATED_FRAMES):
        return _plain(code, rows, columns, bits, is_deflated=syntax == tag.DEFLATED_FRAMES)
    if syntax in tag.LOSSLESS_JPEG:
        stream = check_jpeg(code, rows, columns, lossless=True)
        decoder = imagecodecs.jpeg8_decode if stream.has_restarts else imagecodecs.ljpeg_decode  # the latter knows no restarts
    elif syntax in tag.LOSSY_JPEG:
        check_jpeg(code, rows, columns)
        decoder = _jpeg
    elif syntax in tag.JPEG_LS:
        stream = check_jpeg(code, rows, columns, ls=True)
        decoder = imagecodecs.jpegls_decode
    elif syntax in tag.JPEG_2000 or syntax in tag.HIGH_THROUGHPUT:
        stream = check_jpeg_2000(code, rows, columns)
        decoder = imagecodecs.jpeg2k_decode  # htj2k_decode is faster, and gives back a half-filled picture where it fails
    elif syntax in tag.JPEG_XL:
        check_jpeg_xl(code, rows, columns)
        decoder = imagecodecs.jpegxl_decode
    else:
        raise UndecodableError("is compressed in a way that is not read here")
    try:
        values = decoder(code)
    except UndecodableError:
        raise
    except Exception as error:  # each codec raises its own kind
        raise UndecodableError(DAMAGED) from error
    if values.shape != (rows, columns):
        raise UndecodableError(OTHER_SIZE)
    width = f"u{bits // 8}"
    if values.dtype.itemsize * 8 > bits and values.size and (values.max() >= 1 << bits or values.min() < -(1 << (bits - 1))):
        raise UndecodableError("holds values that need more bits than it says")
    if stream is not None:
        values = _as_told(values, stream, header)
    if values.dtype.kind == "i":
        values = values.astype(f"i{bits // 8}", copy=False)
    return (
        np.ascontiguousarray(values).astype(width, copy=False)
        if values.dtype.kind == "u"
        else np.ascontiguousarray(values).view(width)
    )


def _as_told(values: NDArray[Any], stream: Stream, header: Header) -> NDArray[Any]:
    """Hold bits and sign of a stream against the header's: what contradicts it is no picture, fewer bits of a signed one are.

    A signed picture is often coded as if it had no sign; then the highest bit of the *stream* is its sign.
    """
    signed, stored = header.integer(tag.SIGNED) == 1, header.integer(tag.BITS_STORED) or stream.precision
    if stream.is_signed and not signed:
        raise UndecodableError("holds compressed pixels with a sign and says that they have none")
    if stream.precision > stored:
        low, high = (-(1 << (stored - 1)), 1 << (stored - 1)) if stream.is_signed else (0, 1 << stored)
        if values.size and (values.min() < low or values.max() >= high):
            raise UndecodableError("holds values that need more bits than it says")
    elif stream.precision < stored and signed and not stream.is_signed:
        width = values.dtype.itemsize * 8
        kept: NDArray[Any] = values.view(f"i{width // 8}") << (width - stream.precision) >> (width - stream.precision)
        return kept
    return values


def _jpeg(code: bytes) -> NDArray[Any]:
    """Decode lossy JPEG. The decoder fills what is missing at the end: then other bytes there make another picture."""
    import imagecodecs

    values: NDArray[Any] = imagecodecs.jpeg8_decode(code)
    end = code.rindex(END)
    if not np.array_equal(values, imagecodecs.jpeg8_decode(code[:end] + FILLING + code[end:])):
        raise UndecodableError(CUT)
    return values


def _plain(code: bytes, rows: int, columns: int, bits: int, *, is_deflated: bool) -> NDArray[np.generic]:
    """Return a frame that is not coded, or only deflated (PS3.5 A.4.11 and A.4.14)."""
    needed = rows * columns * bits // 8
    if is_deflated:
        engine = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            code = engine.decompress(code, needed + 2)
        except zlib.error as error:
            raise UndecodableError(DAMAGED) from error
    if len(code) < needed:
        raise UndecodableError(CUT)
    if len(code) > needed + 1:
        raise UndecodableError(OTHER_SIZE)
    return np.frombuffer(code, f"<u{bits // 8}", rows * columns).reshape(rows, columns).copy()


def _run_lengths(code: bytes, rows: int, columns: int, bits: int) -> NDArray[np.generic]:
    """Decode RLE (PS3.5 annex G): a segment a byte plane, the highest byte first."""
    import imagecodecs

    planes = bits // 8
    if len(code) < 64:
        raise UndecodableError(DAMAGED)
    count, *starts = struct.unpack_from("<16I", code)
    if count != planes:
        raise UndecodableError("holds another number of byte planes than it says")
    starts = [*starts[:count], len(code)]
    if starts[0] != 64 or any(a >= b for a, b in pairwise(starts)):
        raise UndecodableError(DAMAGED)
    pixels = rows * columns
    out = np.empty((pixels, planes), np.uint8)
    for plane in range(planes):
        segment = code[starts[plane] : starts[plane + 1]]
        if len(segment) > 2 * pixels + RLE_SPARE:  # the worst code is two bytes for a pixel
            raise UndecodableError("cannot be decoded: its compressed pixels are longer than its picture")
        if 64 * len(segment) < pixels:  # a run is two bytes for at most 128
            raise UndecodableError("cannot be decoded: its compressed pixels are cut short")
        try:
            raw = np.frombuffer(imagecodecs.packbits_decode(segment), np.uint8)
        except Exception as error:
            raise UndecodableError(DAMAGED) from error
        if len(raw) < pixels:
            raise UndecodableError("cannot be decoded: its compressed pixels are cut short")
        out[:, planes - 1 - plane] = raw[:pixels]
    return out.view(f"<u{planes}").reshape(rows, columns)
