"""A folder for the time of a run; what a killed run left behind goes at the next one."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from medimg._tools.files import write_error
from medimg.errors import WriteError
from medimg.nodes._outbox_lock import locked

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "medimg-scratch-"
LOCK = "lock.sqlite"
TRIES = 5


@contextmanager
def scratch() -> Iterator[Path]:
    """Give an empty folder of mode 0700 in the system's folder for temporary files; it is gone after the block.

    Raises:
        WriteError: there is no room.
    """
    _sweep(Path(tempfile.gettempdir()))
    with ExitStack() as held:
        folder = _made(held)
        for _ in range(TRIES):
            if held.enter_context(locked(folder / LOCK)) and (folder / LOCK).is_file():
                break
            folder = _made(held)  # another run swept it between its making and its lock
        yield folder


def _made(held: ExitStack) -> Path:
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    except OSError as error:
        raise write_error(Path("The folder for temporary files"), error) from error
    held.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _sweep(place: Path) -> None:
    """Remove folders of ours that nobody holds: they hold scans, and who made them was killed."""
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError, WriteError):  # of another user, who lets nobody look into it; or it went in this moment
            if folder.is_symlink() or (os.name == "posix" and folder.stat().st_uid != os.getuid()):
                continue
            if not (folder / LOCK).is_file():
                continue  # just being made
            with locked(folder / LOCK) as got:
                if got:
                    shutil.rmtree(folder, ignore_errors=True)
