"""Find the files below what the user gave, and look at how they begin."""

from __future__ import annotations

import os
import re
import stat
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from medimg._tools.text import printable
from medimg.errors import ScanError
from medimg.values import Skipped

if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST_BYTES = 8192  # every magic of every format lies within, and the whole header of nearly every DICOM image
DEPTH_LIMIT = 64  # folders within folders; deeper is a loop of mounts or an attack
FILES_LIMIT = 2_000_000  # of one call; beyond it the user gave the wrong folder

KINDS = ((stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"))
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # pacs:/, https:/; a drive has one letter

_last: tuple[str, tuple[int, ...], bytes] = ("", (), b"")


@dataclass
class Found:
    """Files by absolute path with the names to show for them, and what was not looked into."""

    names: dict[str, str] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)


def find_files(paths: Iterable[str | Path]) -> Found:
    """List every regular file below `paths`, in order of name.

    A link that the user gave is followed; a link inside a folder is not (what it names inside the folder is found anyway, and
    what lies outside was not given). Pipes, sockets and devices are never opened.

    Raises:
        ScanError: a path that does not exist or may not be read.
    """
    found = Found()
    for given in paths:
        path = Path(given)
        try:
            real = path.resolve(strict=True)
            mode = real.stat().st_mode
        except (OSError, RuntimeError, ValueError) as error:
            if ADDRESS.match(str(given)):  # it is not shown: it may say whose study it is, or hold a password
                raise ScanError(
                    "An address was given in the place of a file. Give a file or folder that exists; of the commands only "
                    "medimg infer takes pacs://, and medimg fetch brings the same studies into a folder."
                ) from None
            reason = getattr(error, "strerror", None) or "it cannot be followed"
            raise ScanError(
                f"{printable(path.name or str(path))} cannot be opened: {reason}. Give a file or folder that exists."
            ) from error
        if stat.S_ISDIR(mode):
            _walk(real, found)
        elif stat.S_ISREG(mode):
            found.names.setdefault(str(real), printable(path.name))
        else:
            found.skipped.append(Skipped(what=printable(path.name), reason=_kind(mode)))
    return found


def _walk(root: Path, found: Found) -> None:
    """Walk a folder without recursion; entries in order of name, so that results do not depend on the disk."""
    base = str(root)
    start = len(base.rstrip(os.sep)) + 1
    waiting = [(base, 0)]
    while waiting:
        folder, depth = waiting.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            found.skipped.append(Skipped(what=printable(folder[start:]) or ".", reason=f"cannot be opened: {error.strerror}"))
            continue
        deeper: list[tuple[str, int]] = []
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                found.names.setdefault(entry.path, printable(entry.path[start:]))
            elif entry.is_symlink():
                found.skipped.append(Skipped(what=printable(entry.path[start:]), reason=_link(entry.path, root)))
            elif entry.is_dir(follow_symlinks=False):
                if depth < DEPTH_LIMIT:
                    deeper.append((entry.path, depth + 1))
                else:
                    found.skipped.append(
                        Skipped(what=printable(entry.path[start:]), reason=f"lies deeper than {DEPTH_LIMIT} folders")
                    )
            else:
                found.skipped.append(
                    Skipped(what=printable(entry.path[start:]), reason=_kind(entry.stat(follow_symlinks=False).st_mode))
                )
        waiting += reversed(deeper)
        if len(found.names) > FILES_LIMIT:
            raise ScanError(f"{printable(root.name)} holds more than {FILES_LIMIT:,} files. Give the folder of the scan itself.")


def _link(path: str, root: Path) -> str:
    try:
        inside = Path(path).resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError, ValueError):
        return "a link that leads nowhere"
    return "a link to what lies in this folder anyway" if inside else "a link out of this folder; give what it names instead"


def _kind(mode: int) -> str:
    return next((name for test, name in KINDS if test(mode)), "neither a file nor a folder")


def read_head(path: str) -> bytes:
    """Return the first bytes of a file, inflated if it is gzip.

    Raises:
        OSError: it cannot be read.
    """
    global _last
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        head = os.pread(handle, FIRST_BYTES, 0)
        _last = (path, state_of(handle), head)
    finally:
        os.close(handle)
    return inflated(head)


def inflated(head: bytes) -> bytes:
    """Return the first bytes of a file, inflated if it is gzip."""
    if head[:2] != b"\x1f\x8b":
        return head
    try:
        return zlib.decompressobj(31).decompress(head, FIRST_BYTES)
    except zlib.error:
        return head  # not whole; what it begins with says that it is gzip


def last_look(path: str) -> tuple[tuple[int, ...], bytes]:
    """Return state and first bytes of a file if it is the very last that `read_head` read; it need not be opened twice then."""
    known, state, head = _last
    return (state, head) if known == path else ((), b"")


def is_packed(path: str) -> bool:
    """Say whether a file that `read_head` has just read is gzip."""
    known, _, head = _last
    return known == path and head[:2] == b"\x1f\x8b"


def state_of(handle: int) -> tuple[int, ...]:
    """Return what changes when a file does: size, time, number, device."""
    status = os.fstat(handle)
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev
