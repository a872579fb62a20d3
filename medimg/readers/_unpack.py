"""Inflate a packed block straight into an array, piece by piece."""

from __future__ import annotations

import bz2
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE = 4 << 20  # bytes inflated at once: a label map must not become one bytes object
FEED = 128 << 10  # packed bytes fed at once
SLACK = 1 << 20  # bytes that may follow what the header says before the rest of the stream is left unread


class BlockError(Exception):
    """A file that cannot be read; `kind` is the hazard's, the message words about the file."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


def unpack(file: Any, packing: str, view: memoryview, skip: int = 0) -> None:
    """Inflate into `view` what follows `skip` inflated bytes of `file`, and go on to the end, so that the checksum is tested.

    Raises:
        BlockError: the data is damaged or ends early.
    """
    done, past = 0, 0
    try:
        for piece in _pieces(file, packing):
            if skip >= len(piece):
                skip -= len(piece)
                continue
            part = memoryview(piece)[skip : skip + len(view) - done]
            view[done : done + len(part)] = part
            past += len(piece) - skip - len(part)
            done, skip = done + len(part), 0
            if past > SLACK:
                break
    except (zlib.error, OSError, EOFError, ValueError) as error:
        raise BlockError("damaged", "is damaged: its compressed data does not fit its checksum") from error
    if done < len(view):
        raise BlockError("truncated", "is cut short: its compressed data ends early")


def first_bytes(file: Any, packing: str, count: int) -> bytes:
    """Return the first inflated bytes of `file`, fewer if there are not so many.

    Raises:
        BlockError: the data is damaged.
    """
    found = b""
    try:
        for piece in _pieces(file, packing, piece_bytes=count):
            found += piece
            if len(found) >= count:
                break
    except (zlib.error, OSError, EOFError, ValueError, BlockError) as error:
        if len(found) < count:
            raise BlockError("damaged", "is damaged: its compressed data cannot be read") from error
    return found[:count]


def _pieces(file: Any, packing: str, *, piece_bytes: int = PIECE) -> Iterator[bytes]:
    """Yield the inflated data of all members of a stream; it is an error if the last one does not end."""
    if packing == "bzip2":
        yield from _bzip2_pieces(file, piece_bytes)
        return
    maker, error = _inflater()
    engine = maker(31 if packing == "gzip" else 15)
    packed = file.read(FEED)
    while packed:
        try:
            yield engine.decompress(packed, piece_bytes)
        except error as problem:
            raise ValueError(str(problem)) from problem
        if engine.eof:
            packed = engine.unused_data or file.read(FEED)
            if packed[:2] != b"\x1f\x8b":
                return  # what follows the stream is no further member
            engine = maker(31)
        else:
            packed = engine.unconsumed_tail or file.read(FEED)
    while not engine.eof:
        piece = engine.decompress(b"", piece_bytes)
        if not piece:
            raise BlockError("truncated", "is cut short: its compressed data ends early")
        yield piece


def _bzip2_pieces(file: Any, piece_bytes: int) -> Iterator[bytes]:
    engine = bz2.BZ2Decompressor()
    while not engine.eof:
        packed = file.read(FEED) if engine.needs_input else b""
        if engine.needs_input and not packed:
            raise BlockError("truncated", "is cut short: its compressed data ends early")
        yield engine.decompress(packed, piece_bytes)


def _inflater() -> tuple[Any, Any]:
    """Return the maker of inflating engines and its error: Intel's, where the package is there, takes half the time of zlib."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib.decompressobj, zlib.error
    return isal_zlib.decompressobj, isal_zlib.error
