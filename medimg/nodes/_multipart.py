"""Take a multipart answer apart as it comes (RFC 2046): nothing is held in memory but a piece of it."""

from __future__ import annotations

from email.message import Message
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEAD_LIMIT = 1 << 14  # bytes of a part's own head; a few lines are normal


class MultipartError(ValueError):
    """It is no multipart, or not whole; the words say why."""


class Event(StrEnum):
    """What comes next of a multipart."""

    BEGIN = "begin"  # of a part
    PIECE = "piece"  # of its content
    END = "end"  # of the part


def boundary_of(content_type: str) -> bytes:
    """Return the boundary that a Content-Type names.

    Raises:
        MultipartError: it is no multipart, or names none.

    >>> boundary_of('multipart/related; type="application/dicom"; boundary=abc')
    b'abc'
    """
    message = Message()
    message["Content-Type"] = content_type
    boundary = message.get_param("boundary")
    if message.get_content_maintype() != "multipart" or not isinstance(boundary, str) or not 0 < len(boundary) <= 128:
        raise MultipartError("it is no multipart")
    return boundary.encode("latin-1", "replace")


def split(pieces: Iterable[bytes], boundary: bytes) -> Iterator[tuple[Event, bytes]]:
    """Yield what comes: the beginning of each part, its content in pieces, its end.

    Args:
        pieces: the body in pieces of any size.
        boundary: as `boundary_of` returns it.

    Raises:
        MultipartError: the body ends before its last boundary, or a part has no head.
    """
    mark = b"\r\n--" + boundary
    source, held = iter(pieces), b"\r\n"  # the first boundary may stand at the very beginning
    held, _ = _until(source, held, mark, limit=HEAD_LIMIT)
    while True:
        while len(held) < 2:
            held += _more(source)
        if held.startswith(b"--"):
            return
        held, head = _until(source, held, b"\r\n\r\n", limit=HEAD_LIMIT)
        if head and not head.startswith((b"\r\n", b" ", b"\t")):
            raise MultipartError("a part of it has no head")
        yield Event.BEGIN, b""
        while (place := held.find(mark)) < 0:
            safe = len(held) - len(mark) + 1  # a mark may have begun in the last bytes
            if safe > 0:
                yield Event.PIECE, held[:safe]
                held = held[safe:]
            held += _more(source)
        if place:
            yield Event.PIECE, held[:place]
        held = held[place + len(mark) :]
        yield Event.END, b""


def _until(source: Iterator[bytes], held: bytes, mark: bytes, *, limit: int) -> tuple[bytes, bytes]:
    """Read up to `mark`; return what comes after it, and what came before."""
    while (place := held.find(mark)) < 0:
        if len(held) > limit:
            raise MultipartError("a part of it has no head")
        held += _more(source)
    return held[place + len(mark) :], held[:place]


def _more(source: Iterator[bytes]) -> bytes:
    try:
        return next(source)
    except StopIteration:
        raise MultipartError("it ends before it is complete") from None
