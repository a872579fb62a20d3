"""A lock that dies with its holder: kill -9 leaves none behind, and no clock is asked."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from medimg.errors import WriteError
from medimg.nodes._outbox_files import make_private_file, outbox_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IN_USE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
OTHER_OUTBOX = "Give --outbox a folder on a disk of this machine"


@contextmanager
def locked(path: Path, *, wait_s: float = 0.0, what: str = "The outbox", remedy: str = OTHER_OUTBOX) -> Iterator[bool]:
    """Hold the lock `path` for the time of the block; gives False where somebody else holds it for longer than `wait_s`.

    It is SQLite's own lock on a database that stays empty: the operating system's, on every system, and good between the threads
    of a process too.

    Raises:
        WriteError: the lock's file cannot be written; `what` is locked and the `remedy` are the words of it.
    """
    try:
        make_private_file(path)
    except OSError as error:
        raise outbox_error(error) from error
    connection = sqlite3.connect(path, timeout=wait_s, isolation_level=None, check_same_thread=False)
    try:
        try:
            connection.execute("BEGIN EXCLUSIVE")
            got = True
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in IN_USE:
                raise WriteError(f"{what} cannot be locked: {error}. {remedy}.") from error
            got = False
        yield got
    finally:
        with suppress(sqlite3.Error):
            connection.close()  # gives the lock back
