"""What lies in zip archives and in gzip files of formats that have no packed form: put into a folder of its own, by number.

A member's name is never a path and never shown: it may hold a patient's name, or lead out of any folder.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medimg.readers._walk import FIRST_BYTES
from medimg.values import Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ZIP, GZIP = b"PK\x03\x04", b"\x1f\x8b"
MEMBERS_LIMIT = 200_000
TIMES_LIMIT, ALWAYS_BYTES = 20, 1 << 30  # an archive of scans is 2 to 5 times smaller; up to 1 GiB it may be anything
BLOCK = 1 << 20
DAMAGED = "a damaged member of a zip archive"
ENCRYPTED = 1  # flag bit of a member

_folder: tempfile.TemporaryDirectory[str] | None = None
_known: dict[str, tuple[tuple[int, int], list[tuple[str, str] | Skipped]]] = {}


def unpacked(path: str, shown: str, *, is_wanted: Callable[[bytes], bool]) -> list[tuple[str, str] | Skipped]:
    """Unpack what `is_wanted` by its first bytes; return (path, name to show) of each file, and what was left.

    The files are gone when the program ends. An archive that has not changed is not unpacked again.
    """
    status = Path(path).stat()
    state = status.st_size, status.st_mtime_ns
    if path not in _known or _known[path][0] != state:
        with open(path, "rb") as file:
            is_zip = file.read(4) == ZIP
        _known[path] = state, list((_zip if is_zip else _gzip)(path, shown, is_wanted))
    return _known[path][1]


def _place() -> Path:
    global _folder
    if _folder is None:
        _folder = tempfile.TemporaryDirectory(prefix="medimg-")
    return Path(tempfile.mkdtemp(dir=_folder.name))


def _zip(path: str, shown: str, is_wanted: Callable[[bytes], bool]) -> Iterator[tuple[str, str] | Skipped]:
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) > MEMBERS_LIMIT:
                yield Skipped(what=shown, reason=f"a zip archive of more than {MEMBERS_LIMIT:,} members; unpack it first")
                return
            wanted, damaged = [], 0
            for number, member in enumerate(members, 1):
                first = _first_bytes(archive, member, zipfile)
                if first is None:
                    damaged += 1
                    yield Skipped(what=f"{shown} member {number}", reason=DAMAGED)
                elif is_wanted(first):
                    wanted.append((number, member))
            if any(member.flag_bits & ENCRYPTED for member in members):
                yield Skipped(what=shown, reason="a zip archive with a password; unpack it first")
            elif not wanted and not damaged:
                yield Skipped(what=shown, reason="a zip archive without a scan in it")
            size = sum(member.file_size for _, member in wanted)
            trouble = _too_large(path, size) if wanted else ""
            if trouble:
                yield Skipped(what=shown, reason=f"a zip archive {trouble}")
                return
            folder = _place() if wanted else Path()
            for number, member in wanted:
                name, target = f"{shown} member {number}", folder / f"member {number}"
                try:
                    with archive.open(member) as source, target.open("wb") as copy:
                        shutil.copyfileobj(source, copy, BLOCK)
                except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError):
                    target.unlink(missing_ok=True)
                    yield Skipped(what=name, reason=DAMAGED)
                    continue
                yield str(target), name
            left = len(members) - len(wanted) - damaged
            if wanted and left:
                yield Skipped(what=shown, reason=f"{left} of its {len(members)} members are no images")
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        yield Skipped(what=shown, reason="a zip archive that is damaged")


def _first_bytes(archive: Any, member: Any, zipfile: Any) -> bytes | None:
    """Return how a member begins, nothing of one with a password, None if it is damaged."""
    try:
        with archive.open(member) as file:
            first: bytes = file.read(FIRST_BYTES)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError):
        return b"" if member.flag_bits & ENCRYPTED else None
    except RuntimeError:  # zipfile wants a password
        return b""
    return first


def _gzip(path: str, shown: str, is_wanted: Callable[[bytes], bool]) -> Iterator[tuple[str, str] | Skipped]:
    target = _place() / Path(path).name.removesuffix(".gz")
    most = _most(path)
    try:
        with gzip.open(path) as source, target.open("wb") as copy:
            while piece := source.read(BLOCK):
                copy.write(piece)
                if copy.tell() > most:
                    target.unlink()
                    yield Skipped(what=shown, reason=f"a gzip file that becomes more than {most >> 30} GiB; unpack it first")
                    return
    except (OSError, EOFError, zlib.error):
        target.unlink(missing_ok=True)
        yield Skipped(what=shown, reason="a gzip file that is damaged")
        return
    yield str(target), shown


def _most(path: str) -> int:
    return max(ALWAYS_BYTES, TIMES_LIMIT * Path(path).stat().st_size)


def _too_large(path: str, size: int) -> str:
    if size > _most(path):
        return "that becomes more than a scan does when it is unpacked; unpack it first"
    if size > shutil.disk_usage(tempfile.gettempdir()).free // 2:
        return "that is too large for the folder of temporary files; unpack it first"
    return ""
