"""Inflate a packed block straight into an array, piece by piece."""

from __future__ import annotations

import bz2
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from numpy.typing import NDArray

PIECE = 1 << 20  # bytes inflated at once: a label map must not become one bytes object
PIECES_WAITING = 2  # inflated and not yet put away
FEED = 128 << 10  # packed bytes fed at once
EMPTY_MEMBERS = 1000  # of a gzip file; block compression ends with one
SLACK = 1 << 20  # bytes that may follow what the header says before the rest of the stream is left unread


class BlockError(Exception):
    """A file that cannot be read; `kind` is the hazard's, the message words about the file."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


def unpack(file: Any, packing: str, array: NDArray[Any], kind: np.dtype[Any], skip: int = 0) -> None:
    """Inflate into `array` the voxels of `kind` that follow `skip` inflated bytes of `file`.

    `kind` is the array's own, or has one byte and is widened on the way. The stream is followed to its end, so that the checksum
    is tested. One thread inflates and another puts away: both wait for memory more than they compute.

    Raises:
        BlockError: the data is damaged or ends early.
    """
    flat = array.reshape(-1) if kind.itemsize == 1 else array.reshape(-1).view(np.uint8)
    stored = kind if kind.itemsize == 1 else np.dtype(np.uint8)
    done, past = 0, 0
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[None]] = deque()
        try:
            for piece in _pieces(file, packing):
                if skip >= len(piece):
                    skip -= len(piece)
                    continue
                count = min(len(piece) - skip, len(flat) - done)
                if count:
                    waiting.append(pool.submit(_put, flat[done : done + count], np.frombuffer(piece, stored, count, skip)))
                if len(waiting) > PIECES_WAITING:
                    waiting.popleft().result()
                past += len(piece) - skip - count
                done, skip = done + count, 0
                if past > SLACK:
                    break
        except (zlib.error, OSError, EOFError, ValueError) as error:
            raise BlockError("damaged", "is damaged: its compressed data does not fit its checksum") from error
        while waiting:
            waiting.popleft().result()
    if done < len(flat):
        raise BlockError("truncated", "is cut short: its compressed data ends early")


def _put(place: NDArray[Any], values: NDArray[Any]) -> None:
    place[:] = values


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
    from isal import isal_zlib  # takes half the time of zlib

    engine = isal_zlib.decompressobj(31 if packing == "gzip" else 15)
    packed, inflated, empty = file.read(FEED), 0, 0
    while packed:
        try:
            piece = engine.decompress(packed, piece_bytes)
        except isal_zlib.error as problem:  # type: ignore[misc]  # its stubs call it an instance
            raise ValueError(str(problem)) from problem
        inflated += len(piece)
        yield piece
        if engine.eof:
            empty, inflated = empty + (not inflated), 0
            if empty > EMPTY_MEMBERS:
                raise ValueError("members without data")
            packed = engine.unused_data or file.read(FEED)
            if packed[:2] != b"\x1f\x8b":
                return  # what follows the stream is no further member
            engine = isal_zlib.decompressobj(31)
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
