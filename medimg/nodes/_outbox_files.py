"""Objects as the outbox takes them: copied whole, checked, under names that say nothing."""

from __future__ import annotations

import os
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from medimg._tools.text import printable
from medimg.errors import ScanError, WriteError
from medimg.nodes._instances import Damaged, Instance, look

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PIECE = 1 << 20
OTHER_FORM = "_binary.dcm"
PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700

_making = Lock()  # of a file that SQLite will lock, between the threads of this process


class Uids(NamedTuple):
    """What an instance says it is."""

    class_uid: str
    instance_uid: str
    study_uid: str
    series_uid: str


def forms(files: Iterable[Path]) -> list[tuple[Path, Path | None]]:
    """Return files, and for each what is sent in its place where a node takes no label maps: `seg_binary.dcm` for `seg.dcm`.

    >>> from pathlib import Path
    >>> [(one.name, other and other.name) for one, other in forms(map(Path, ["seg.dcm", "seg_binary.dcm", "key_1.dcm"]))]
    [('seg.dcm', 'seg_binary.dcm'), ('key_1.dcm', None)]
    """
    known = dict.fromkeys(files)
    others = {file: file.with_name(file.stem + OTHER_FORM) for file in known if file.with_name(file.stem + OTHER_FORM) in known}
    return [(file, others.get(file)) for file in known if file not in others.values()]


def outbox_error(error: OSError) -> WriteError:
    """Say the system's refusal to write to the outbox in one sentence, with the remedy."""
    why = error.strerror or "the disk refused"
    return WriteError(
        f"The outbox could not be written: {why}. Free some space, or give --outbox a folder that you may write to."
    )


def copy_whole(source: Path, target: Path) -> tuple[str, int]:
    """Copy a file to the disk itself, not only to its cache; return its SHA-256 and its size.

    Raises:
        ScanError: the source cannot be read.
        WriteError: the target cannot be written; nothing of it is left.
    """
    hashed, size = sha256(), 0
    try:
        opened = source.open("rb")
    except OSError as error:
        raise ScanError(
            f"{printable(source.name)} cannot be read ({error.strerror}). Give a DICOM file that may be read."
        ) from error
    with opened as reader:
        try:
            handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
            with open(handle, "wb") as writer:
                while piece := reader.read(PIECE):
                    hashed.update(piece)
                    size += len(piece)
                    writer.write(piece)
                writer.flush()
                os.fsync(writer.fileno())
        except BaseException as error:
            target.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise outbox_error(error) from error
            raise
    return hashed.hexdigest(), size


def describe(copy: Path, shown: str) -> Uids:
    """Return the UIDs of a DICOM file; `shown` is the name that errors give it.

    Raises:
        ScanError: it is no DICOM instance, or not one clear instance.
    """
    one = look(copy, shown)
    if isinstance(one, Instance):
        return Uids(one.class_uid, one.instance_uid, one.study_uid, one.series_uid)
    why = f"it {one.reason}" if isinstance(one, Damaged) else one.reason
    raise ScanError(f"{printable(shown)} cannot be sent: {why}. Give DICOM objects that medimg or another program wrote.")


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits, "" if it cannot be read."""
    hashed = sha256()
    try:
        with path.open("rb") as reader:
            while piece := reader.read(PIECE):
                hashed.update(piece)
    except OSError:
        return ""
    return hashed.hexdigest()


def sync_folder(folder: Path) -> None:
    """Have the names in a folder written to the disk; systems whose folders cannot be opened do it by themselves."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_private(folder: Path) -> None:
    """Make a folder that nobody else may look into, with its parents, or make one of ours so."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        folder.chmod(PRIVATE_FOLDER)


def make_private_file(path: Path) -> None:
    """Make an empty file that nobody else may read, for SQLite to open; one that is there is not touched.

    Not even opened: on POSIX, to close a file ends every lock that the process has on it, also those that SQLite holds for
    another thread, and another process then believes that it is alone.

    Raises:
        OSError: it cannot be made.
    """
    with _making:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        except FileExistsError:
            return
        os.close(handle)
