"""Take what a node sends, onto the disk: named by a counter of ours, and kept only if it is what was asked for."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from medimg._tools.files import write_error
from medimg.errors import NodeError
from medimg.nodes._instances import Instance, look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from medimg.nodes._fetched import Listed

PRIVATE_FILE = 0o600


class TooMuchError(NodeError):
    """More came than was to be taken."""


class Budget:
    """How many bytes may come in all."""

    def __init__(self, node: str, limit_mib: int) -> None:
        self.node, self.limit_mib = node, limit_mib
        self.left_bytes = limit_mib << 20

    def count(self, size: int) -> None:
        """Note that `size` bytes came.

        Raises:
            TooMuchError: more than may come.
        """
        self.left_bytes -= size
        if self.left_bytes < 0:
            raise TooMuchError(
                f"{self.node} sends more than {self.limit_mib} MiB. Ask for less, or raise --limit-mib.", retry=False
            )


class Receiver:
    """A folder that the instances of one series come into.

    Args:
        listed: what the node says it has of the series; nothing else is kept.
        folder: where the files go, `000001.dcm` and on; it exists.
        budget: how much may come.
        tell: is called with how many have come.
    """

    def __init__(self, listed: Listed, folder: Path, *, budget: Budget, tell: Callable[[int], None]) -> None:
        self.listed, self.folder, self.budget, self.tell = listed, folder, budget, tell
        self.received: dict[str, Path] = {}
        self.syntaxes: set[str] = set()
        self.unasked = 0  # what came and was something else
        self.unlisted: set[str] = set()  # instances of this very series that came and are not in the list: it is not whole
        self.of_others = 0  # what was asked for, with the ID of another patient in it
        self._number = 0

    @property
    def missing(self) -> tuple[str, ...]:
        """The SOPInstanceUIDs that have not come."""
        return tuple(uid for uid in self.listed.instances if uid not in self.received)

    @contextmanager
    def file(self, *, claimed_uid: str | None = None) -> Iterator[Callable[[bytes | memoryview], None]]:
        """Give what writes to a new file of one instance; it is kept if it is one that is missing, and vanishes if not.

        Args:
            claimed_uid: which instance the node says it is, where its protocol says so beside the data set.

        Raises:
            WriteError: the disk refuses.
        """
        path = self.folder / f"{self._number + 1:06}.dcm"
        kept = False
        try:
            with self._in_words():
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
            with open(handle, "wb", buffering=0) as opened:

                def write(piece: bytes | memoryview) -> None:
                    with self._in_words(), memoryview(piece) as left:
                        done = 0
                        while done < len(left):  # a disk that is nearly full takes a part, and says so by the number only
                            done += opened.write(left[done:])

                yield write
            kept = self._keep(path, claimed_uid)
        finally:
            if not kept:
                path.unlink(missing_ok=True)

    @staticmethod
    @contextmanager
    def _in_words() -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise write_error(Path("What came"), error) from error

    def _keep(self, path: Path, claimed_uid: str | None) -> bool:
        one = look(path, path.name)
        uid = one.instance_uid if isinstance(one, Instance) else ""
        listed = self.listed
        good = (
            isinstance(one, Instance)
            and claimed_uid in (None, uid)
            and uid in listed.instances
            and uid not in self.received
            and (one.study_uid, one.series_uid) == (listed.study_uid, listed.series_uid)
            and one.class_uid == (listed.instances[uid] or one.class_uid)
        )
        if not good:
            self.unasked += 1
            is_of_series = isinstance(one, Instance) and (one.study_uid, one.series_uid) == (listed.study_uid, listed.series_uid)
            if is_of_series and uid not in listed.instances:
                self.unlisted.add(uid)
            return False
        assert isinstance(one, Instance)
        if listed.patient_id and one.patient_id != listed.patient_id:
            self.of_others += 1
            return False
        self._number += 1
        self.received[uid] = path
        self.syntaxes.add(one.syntax)
        self.tell(len(self.received))
        return True
