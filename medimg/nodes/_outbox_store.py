"""Where the outbox lies: a SQLite database of entries, and a folder of the objects themselves.

What was put there survives the end of the process and of the machine at any moment: SQLite runs with a rollback journal and
`synchronous=EXTRA` (an answer means that data, journal and folder were synced; WAL would need shared memory, which network
folders lack), and an object is synced before its entry is. Which is there first matters: an object without an entry is rubbish
that `sweep` removes, an entry without an object would be a loss.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from medimg._tools.identity import digest
from medimg._tools.text import printable
from medimg.errors import DeliveryError, MedimgError, OutboxError, WriteError
from medimg.nodes._outbox_entry import BY_A_PERSON, Entry, State
from medimg.nodes._outbox_files import copy_whole, describe, forms, make_private, make_private_file, outbox_error, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

DATABASE, OBJECTS = "outbox.sqlite", "objects"
APPLICATION_ID = 0x6D69_6F62  # "miob", in the header of the file: whose database it is
SCHEMA = 1
BUSY_S = 60.0  # the longest that another process may write: a study's objects, copied to a slow disk
TABLE = """
CREATE TABLE entry (
    id INTEGER PRIMARY KEY,
    node TEXT NOT NULL,
    instance_uid TEXT NOT NULL,
    class_uid TEXT NOT NULL,
    study_uid TEXT NOT NULL,
    series_uid TEXT NOT NULL,
    file TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    tries INTEGER NOT NULL DEFAULT 0,
    unclear INTEGER NOT NULL DEFAULT 0,
    other TEXT NOT NULL DEFAULT '',
    put_at REAL NOT NULL,
    next_try_at REAL NOT NULL,
    UNIQUE (node, instance_uid)
)
"""
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
IN_USE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class Store:
    """The entries and objects of an outbox; every change is whole or not at all.

    Raises:
        OutboxError: the folder holds something else, or a damaged outbox, or one of a newer medimg.
        WriteError: it may not be written, or the disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.objects = folder / OBJECTS
        path = folder / DATABASE
        if folder.exists() and not path.exists() and (not folder.is_dir() or _holds_other(folder)):
            raise OutboxError(f"{printable(folder.name)} is not an outbox of medimg. Give --outbox a new or an empty folder.")
        try:
            make_private(folder)
            make_private(self.objects)
            make_private_file(path)
        except OSError as error:
            raise outbox_error(error) from error
        with self._in_words():
            self._database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            self._database.row_factory = sqlite3.Row
            try:
                self._open()
            except BaseException:
                self._database.close()
                raise

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """Give the database for one change; no other process changes anything meanwhile."""
        with self._in_words():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    def entries(self, condition: str = "1", values: Sequence[object] = ()) -> tuple[Entry, ...]:
        """Return the entries that meet an SQL condition, oldest first."""
        with self._in_words():
            rows = self._database.execute(f"SELECT * FROM entry WHERE {condition} ORDER BY id", tuple(values)).fetchall()  # noqa: S608 - conditions are this room's own words
        return tuple(self._entry(row) for row in rows)

    def by_ids(self, ids: Iterable[int]) -> tuple[Entry, ...]:
        """Return the entries of these numbers, oldest first; those that are gone are left out."""
        return self.entries("id IN (SELECT value FROM json_each(?))", (json.dumps(list(ids)),))

    def add(self, files: Iterable[Path], node: str, *, now: float) -> tuple[Entry, ...]:
        """Copy files into the outbox, all of them or none.

        One that is there already stays one entry; if it had come to an end, it waits again, and the node is asked before it is
        sent.

        Raises:
            ScanError: a file is no DICOM instance.
            DeliveryError: an instance is there with other bytes under the same UID.
            WriteError: the disk is full.
        """
        ids: list[int] = []
        try:
            with self.change() as database:
                for file, other in forms(files):
                    instead = json.dumps(self._copy(file=other, node=node)) if other else ""
                    ids.append(self._add(database, {**self._copy(file=file, node=node), "node": node, "other": instead}, now))
                self._sync()
        except BaseException:
            with suppress(MedimgError):
                self.sweep()  # copies that no entry names: a full disk needs their room
            raise
        return self.by_ids(ids)

    @staticmethod
    def take_other_form(database: sqlite3.Connection, node: str, study_uid: str, *, reason: str, now: float) -> None:
        """Let the other forms of a study's objects take the place of those that were not delivered, as a part of a change.

        What a person gave up stays given up.
        """
        rows = database.execute(
            "SELECT * FROM entry WHERE node = ? AND study_uid = ? AND other != '' AND state IN (?, ?)",
            (node, study_uid, State.WAITING.value, State.GIVEN_UP.value),
        ).fetchall()
        for row in rows:
            if _is_stopped(row):
                continue
            values = {**json.loads(row["other"]), "other": "", "state": State.WAITING.value, "reason": reason, "unclear": 0}
            same = "SELECT * FROM entry WHERE node = ? AND instance_uid = ?"
            there = database.execute(same, (node, values["instance_uid"])).fetchone()
            if there is not None and (there["sha256"] != values["sha256"] or _is_stopped(there)):
                database.execute("DELETE FROM entry WHERE id = ?", (row["id"],))  # that one stays as it is
                continue
            if there is not None:  # it went there before: the node is asked whether it still has it
                database.execute("DELETE FROM entry WHERE id = ?", (there["id"],))
                values["unclear"] = 1
            columns = ", ".join(f"{name} = ?" for name in values)
            database.execute(
                f"UPDATE entry SET {columns}, next_try_at = ? WHERE id = ?",  # noqa: S608 - names of columns
                (*values.values(), now, row["id"]),
            )

    def remove(self, entries: Iterable[Entry]) -> tuple[Entry, ...]:
        """Forget entries, then their objects; return those that were still in the same state, which alone are forgotten."""
        gone: list[Entry] = []
        with self.change() as database:
            for entry in entries:
                done = database.execute("DELETE FROM entry WHERE id = ? AND state = ?", (entry.id, entry.state.value))
                gone += [entry] * done.rowcount
        self.sweep()
        return tuple(gone)

    def sweep(self) -> None:
        """Remove objects that no entry names: a process ended between the two."""
        with self.change() as database:
            rows = database.execute("SELECT file, other FROM entry").fetchall()
            known = {row["file"] for row in rows} | {json.loads(row["other"])["file"] for row in rows if row["other"]}
            for path in self.objects.iterdir():
                if path.name not in known:
                    path.unlink(missing_ok=True)

    def _copy(self, *, file: Path, node: str) -> dict[str, Any]:
        """Copy a file to where an entry may name it, and return the columns that say what it is."""
        partial = self.objects / ".partial"
        try:
            sha256, size = copy_whole(file, partial)
            uids = describe(partial, file.name)
            name = f"{digest('outbox', node, uids.instance_uid, sha256).hex()}.dcm"
            os.replace(partial, self.objects / name)  # of the same bytes, if it was there
        except OSError as error:
            raise outbox_error(error) from error
        finally:
            partial.unlink(missing_ok=True)
        return {**uids._asdict(), "file": name, "sha256": sha256, "size": size}

    @staticmethod
    def _add(database: sqlite3.Connection, columns: dict[str, Any], now: float) -> int:
        there = database.execute("SELECT * FROM entry WHERE instance_uid = ?", (columns["instance_uid"],)).fetchall()
        if any(row["sha256"] != columns["sha256"] for row in there):
            raise DeliveryError(
                "The outbox holds another object of the same UID, and one UID must mean the same bytes. "
                "Deliver or purge that one first (medimg outbox list), or have this one written anew under a UID of its own."
            )
        same = next((row for row in there if row["node"] == columns["node"]), None)
        if same is None:
            columns = {**columns, "state": State.WAITING.value, "put_at": now, "next_try_at": now}
            names, marks = ", ".join(columns), ", ".join("?" * len(columns))
            added = database.execute(f"INSERT INTO entry ({names}) VALUES ({marks})", tuple(columns.values()))  # noqa: S608 - names of columns
            return int(added.lastrowid or 0)
        if State(same["state"]).is_end:
            again = "UPDATE entry SET state = ?, reason = '', unclear = 1, put_at = ?, next_try_at = ? WHERE id = ?"
            database.execute(again, (State.WAITING.value, now, now, same["id"]))
        return int(same["id"])

    def _sync(self) -> None:
        try:
            sync_folder(self.objects)
        except OSError as error:
            raise outbox_error(error) from error

    def _entry(self, row: sqlite3.Row) -> Entry:
        values = dict(row)
        values |= {"file": self.objects / row["file"], "state": State(row["state"]), "unclear": bool(row["unclear"])}
        return Entry(**values)

    def _open(self) -> None:
        for pragma in ("journal_mode = DELETE", "synchronous = EXTRA", "secure_delete = ON", "trusted_schema = OFF"):
            self._database.execute(f"PRAGMA {pragma}")
        with self.change() as database:
            owner, version = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
            empty = not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if empty and owner == version == 0:
                database.execute(TABLE)
                database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                database.execute(f"PRAGMA user_version = {SCHEMA}")
            elif owner != APPLICATION_ID:
                raise OutboxError(f"{DATABASE} is the database of another program. Give --outbox a new or an empty folder.")
            elif version != SCHEMA:
                raise OutboxError(
                    f"The outbox was made by another medimg (form {version}, this one knows {SCHEMA}). Use that one, or a newer."
                )
            elif database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise self._damaged()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Say what SQLite says in a sentence and a remedy."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the extended part
            if code in DAMAGED:
                raise self._damaged() from error
            if code in IN_USE:
                raise OutboxError(
                    f"Another process has written to the outbox for more than {BUSY_S:.0f} s. Try again when it is done."
                ) from error
            told = "the disk is full" if code == sqlite3.SQLITE_FULL else str(error)
            raise WriteError(
                f"The outbox could not be written: {told}. Free some space, or give --outbox a folder that you may write to."
            ) from error

    def _damaged(self) -> OutboxError:
        return OutboxError(
            f"The outbox is damaged: {DATABASE} is not whole. Its objects are files of their own: move the folder away, and send "
            f"what lies in its {OBJECTS}/ with medimg send."
        )


def _is_stopped(row: sqlite3.Row) -> bool:
    """Say whether a person gave an entry up."""
    return bool(row["state"] == State.GIVEN_UP.value and row["reason"].startswith(BY_A_PERSON))


def _holds_other(folder: Path) -> bool:
    return any(
        path.name != OBJECTS and not path.name.startswith(DATABASE) for path in folder.iterdir()
    )  # another process may begin it
