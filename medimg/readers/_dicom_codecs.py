"""Decode compressed frames, after the size inside the code stream was checked against the header."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.readers import _dicom_tags as tag
from medimg.readers._dicom_raw import UndecodableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from medimg.readers._dicom_header import Header

JP2_SIGNATURE = b"\0\0\0\x0cjP  "
RLE_SPARE = 256  # bytes that a run-length segment may be longer than its worst code: padding
FRAME_MARKERS = frozenset(
    (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0), 0xF7)
)  # SOF of JPEG and JPEG-LS


def decode(header: Header, code: bytes, rows: int, columns: int) -> NDArray[np.generic]:
    """Return the frame (rows, columns) as unsigned words of BitsAllocated.

    Raises:
        UndecodableError: the code is damaged, of another size than the header says, or of a kind that no decoder here reads.
    """
    import imagecodecs

    decoders: tuple[Callable[[bytes], NDArray[Any]], ...]
    syntax, bits = header.syntax, header.integer(tag.BITS_ALLOCATED) or 16
    if syntax == tag.RUN_LENGTHS:
        return _run_lengths(code, rows, columns, bits)
    if syntax in tag.LOSSLESS_JPEG:
        _check_jpeg(code, rows, columns)
        decoders = (imagecodecs.ljpeg_decode, imagecodecs.jpegsof3_decode)
    elif syntax in tag.LOSSY_JPEG:
        _check_jpeg(code, rows, columns)
        decoders = (imagecodecs.jpeg8_decode,)
    elif syntax in tag.JPEG_LS:
        _check_jpeg(code, rows, columns)
        decoders = (imagecodecs.jpegls_decode,)
    elif syntax in tag.JPEG_2000:
        _check_jpeg_2000(code, rows, columns)
        decoders = (imagecodecs.jpeg2k_decode,)
    elif syntax in tag.HIGH_THROUGHPUT:
        _check_jpeg_2000(code, rows, columns)
        decoders = (imagecodecs.htj2k_decode, imagecodecs.jpeg2k_decode)
    else:
        raise UndecodableError("is compressed in a way that is not read here")
    values = _first_that_works(decoders, code)
    if values.shape != (rows, columns):
        raise UndecodableError("holds a compressed picture of another size than it says")
    width = f"u{bits // 8}"
    if values.dtype.itemsize * 8 > bits and values.size and (values.max() >= 1 << bits or values.min() < -(1 << (bits - 1))):
        raise UndecodableError("holds values that need more bits than it says")
    if values.dtype.kind == "i":
        values = values.astype(f"i{bits // 8}", copy=False)
    return (
        np.ascontiguousarray(values).astype(width, copy=False)
        if values.dtype.kind == "u"
        else np.ascontiguousarray(values).view(width)
    )


def _first_that_works(decoders: tuple[Callable[[bytes], NDArray[Any]], ...], code: bytes) -> NDArray[Any]:
    for decoder in decoders:
        try:
            values: NDArray[np.generic] = decoder(code)
        except Exception:  # noqa: BLE001, S112 - each codec raises its own kind; what failed is said below
            continue
        return values
    raise UndecodableError("cannot be decoded: its compressed pixels are damaged")


def _run_lengths(code: bytes, rows: int, columns: int, bits: int) -> NDArray[np.generic]:
    """Decode RLE (PS3.5 annex G): a segment a byte plane, the highest byte first."""
    import imagecodecs

    planes = bits // 8
    if len(code) < 64:
        raise UndecodableError("cannot be decoded: its compressed pixels are damaged")
    count, *starts = struct.unpack_from("<16I", code)
    if count != planes:
        raise UndecodableError("holds another number of byte planes than it says")
    starts = [*starts[:count], len(code)]
    if starts[0] != 64 or any(a >= b for a, b in pairwise(starts)):
        raise UndecodableError("cannot be decoded: its compressed pixels are damaged")
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
            raise UndecodableError("cannot be decoded: its compressed pixels are damaged") from error
        if len(raw) < pixels:
            raise UndecodableError("cannot be decoded: its compressed pixels are cut short")
        out[:, planes - 1 - plane] = raw[:pixels]
    return out.view(f"<u{planes}").reshape(rows, columns)


def _check_jpeg(code: bytes, rows: int, columns: int) -> None:
    """Find the frame header of a JPEG or JPEG-LS stream; its size must be the DICOM header's, its samples one."""
    at = 2
    if code[:2] != b"\xff\xd8":
        raise UndecodableError("cannot be decoded: its compressed pixels are not what its transfer syntax says")
    while at + 9 < len(code):
        if code[at] != 0xFF:
            break
        marker = code[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        (length,) = struct.unpack_from(">H", code, at + 2)
        if marker in FRAME_MARKERS:
            height, width, samples = struct.unpack_from(">HHB", code, at + 5)
            if (height, width) != (rows, columns):
                raise UndecodableError("holds a compressed picture of another size than it says")
            if samples != 1:
                raise UndecodableError("holds a compressed colour picture and says that it is grey")
            return
        at += 2 + length
    raise UndecodableError("cannot be decoded: its compressed pixels are damaged")


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


def _check_jpeg_2000(code: bytes, rows: int, columns: int) -> None:
    """Find the SIZ marker of a JPEG 2000 stream (bare or in JP2 boxes)."""
    at = _codestream(code)
    if code[at : at + 4] != b"\xff\x4f\xff\x51" or at + 42 > len(code):
        raise UndecodableError("cannot be decoded: its compressed pixels are not what its transfer syntax says")
    right, bottom, left, top = struct.unpack_from(">4I", code, at + 8)
    (samples,) = struct.unpack_from(">H", code, at + 40)
    if (bottom - top, right - left) != (rows, columns):
        raise UndecodableError("holds a compressed picture of another size than it says")
    if samples != 1:
        raise UndecodableError("holds a compressed colour picture and says that it is grey")
