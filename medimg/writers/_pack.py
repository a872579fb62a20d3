"""Compress a file's bytes so that the same voxels give the same file: blocks on two threads, one gzip member."""

from __future__ import annotations

import struct
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future
    from typing import BinaryIO

    from numpy.typing import NDArray

BLOCK = 4 << 20  # bytes compressed at a time: large enough that starting anew costs no size, small enough for two threads
THREADS = 2  # more gain nothing: the disk and the memory are the limit then
LEVEL = 1  # of isal; a CT is 5 % larger than with zlib's level 6, in a tenth of its time
HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # gzip without a name or a time, so that it depends on the content alone


@contextmanager
def packed(raw: BinaryIO) -> Iterator[BinaryIO]:
    """Compress what is written into `raw`, as one gzip member (some readers stop after the first).

    What is written is read until the stream has ended: it must not change before.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        stream = _Packer(raw, pool)
        yield stream  # type: ignore[misc]
        stream.end()


class _Packer:
    """Collects blocks, has them compressed, and writes them in their order.

    Each block is raw deflate that ends with a full flush, so that blocks need not know of each other; put one after the other
    they are one stream (RFC 1951, 3.2.4).
    """

    def __init__(self, raw: BinaryIO, pool: ThreadPoolExecutor) -> None:
        self.raw, self.pool = raw, pool
        self.waiting: deque[Future[tuple[bytes, int, int]]] = deque()
        self.block = bytearray()
        self.crc = self.size = 0
        raw.write(HEAD)

    def write(self, data: bytes | memoryview) -> int:
        """Take further bytes; whole blocks are compressed where they lie, only what is less is kept."""
        view = memoryview(data).cast("B")
        start = 0
        if len(self.block) + len(view) >= BLOCK:
            if self.block:
                start = BLOCK - len(self.block) if len(view) < BLOCK else 0
                self._hand_over(bytes(self.block) + view[:start])
                self.block = bytearray()
            while len(view) - start >= BLOCK:
                self._hand_over(view[start : start + BLOCK])
                start += BLOCK
        self.block += view[start:]
        return len(view)

    def end(self) -> None:
        """Write what is left, the end of the stream, its checksum and its size."""
        self._hand_over(bytes(self.block), last=True)
        while self.waiting:
            self._write_one()
        self.raw.write(struct.pack("<II", self.crc, self.size & 0xFFFFFFFF))

    def _hand_over(self, block: bytes | memoryview, *, last: bool = False) -> None:
        self.waiting.append(self.pool.submit(_deflated, block, last=last))
        while len(self.waiting) > 2 * THREADS:
            self._write_one()

    def _write_one(self) -> None:
        from isal import isal_zlib

        code, crc, size = self.waiting.popleft().result()
        self.raw.write(code)
        self.crc, self.size = isal_zlib.crc32_combine(self.crc, crc, size), self.size + size


def _deflated(block: bytes | memoryview, *, last: bool) -> tuple[bytes, int, int]:
    """Return a block's code, checksum and size."""
    from isal import isal_zlib

    engine = isal_zlib.compressobj(LEVEL, zlib.DEFLATED, -15)
    code = engine.compress(block) + engine.flush(isal_zlib.Z_FINISH if last else isal_zlib.Z_FULL_FLUSH)
    return code, isal_zlib.crc32(block), len(block)


def write_planes(stream: BinaryIO, blocks: Iterable[NDArray[np.generic]]) -> None:
    """Write arrays (slice, row, column) one after the other, little endian; what must be copied is copied a slice at a time."""
    for block in blocks:
        wanted = block.dtype.newbyteorder("<")
        whole = block.flags.c_contiguous and block.dtype == wanted
        for part in (block,) if whole else block:
            stream.write(np.ascontiguousarray(part, dtype=wanted).data.cast("B"))
