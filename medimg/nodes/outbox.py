"""The outbox: results wait here until an archive has them, and nothing is lost meanwhile."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from medimg._tools.text import printable
from medimg.errors import OptionError
from medimg.nodes._outbox_entry import BY_A_PERSON, Backoff, Entry, State
from medimg.nodes._outbox_lock import locked
from medimg.nodes._outbox_send import lock_of, recover, send_due
from medimg.nodes._outbox_store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    Progress = Callable[[str, int, int], None]

SCHEMA = "medimg.outbox/1"  # changes with every change of meaning; documented in docs/outbox.md
LOOK_EVERY_S = 0.2  # while another process sends to the same node
REASON_LIMIT = 200  # characters that a person may give as a reason


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one round of sending did.

    Attributes:
        tried: the entries that were tried, as they are now.
        busy: nodes that another process sends to at this moment; what waits for them is sent by that one.
        seconds: how long it took.
    """

    tried: tuple[Entry, ...]
    busy: tuple[str, ...] = ()
    seconds: float = 0.0


class Outbox:
    """Objects on their way to nodes, kept on disk.

    What `put` returned from is not lost: not by the end of the process or of the archive at any moment, nor by that of the
    machine. An object is sent at least once, and is in the archive exactly once: its UID means its bytes, and after a try whose
    end is not known the node is asked before the object is sent again. Processes may share an outbox; one at a time sends to a
    node.

    Args:
        folder: where it lies, for nobody but its owner; by default `outbox` in the user's state folder.
        pacs_config: the configuration of the nodes; by default that of the user's configuration folder.
        backoff: how long a failed try waits for the next.
        clock: seconds since 1970; it may jump.
        chance: what the waits are varied with.

    Raises:
        OutboxError: the folder holds something else, or a damaged outbox, or one of another medimg.
        WriteError: it may not be written, or the disk is full.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        pacs_config: str | Path | None = None,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.time,
        chance: Random | None = None,
    ) -> None:
        self.folder = Path(folder) if folder is not None else default_folder()
        self.pacs_config = pacs_config
        self.backoff = backoff or Backoff()
        self.clock = clock
        self.chance = chance or Random()  # noqa: S311 - spreads senders in time, guards nothing
        self.store = Store(self.folder)

    def __enter__(self) -> Outbox:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close it; what is in it stays."""
        self.store.close()

    def put(self, files: Iterable[str | Path], node: str) -> tuple[Entry, ...]:
        """Copy DICOM objects into the outbox, for the node of that name: all of them, or none if one cannot be taken.

        The same object put twice is one entry. One that was delivered before waits again: the node is asked, and it is sent if it
        is not there any more.

        Raises:
            OptionError: there is no node of that name.
            ScanError: a file is no DICOM instance.
            DeliveryError: the outbox holds other bytes under the same UID.
            WriteError: the disk is full.
        """
        from medimg.nodes._config import find_node

        find_node(node, pacs_config=self.pacs_config)
        return self.store.add([Path(file) for file in files], node, now=self.clock())

    def entries(self, *names: str, node: str | None = None, states: Iterable[State] = tuple(State)) -> tuple[Entry, ...]:
        """Return the entries in these states, oldest first; `names` are short names of studies or objects.

        Raises:
            OptionError: there is no such study or object in the outbox, or no node of that name there or in the configuration.
        """
        every = self.store.entries()
        known = {name for entry in every for name in (entry.name, entry.study)}
        for name in names:
            if name not in known:
                raise OptionError.unknown("NAME", name, known)
        if node is not None and node not in {entry.node for entry in every}:
            self._require_known(node)
        wanted = set(states)
        return tuple(
            entry
            for entry in every
            if entry.state in wanted
            and (not names or entry.name in names or entry.study in names)
            and (node is None or entry.node == node)
        )

    def send(
        self,
        node: str | None = None,
        *,
        wait_s: float = 0.0,
        wanted: Sequence[Entry] = (),
        progress: Progress | None = None,
    ) -> Round:
        """Send what is due, to one node or to all, and ask whether it arrived.

        A node that is down is no exception: its entries wait, each with the reason and the time of its next try.

        Args:
            node: the name of the node.
            wait_s: how long to wait for another process that sends to the same node at this moment.
            wanted: entries that are waited for; where the other process ended them, the wait is over.
            progress: is called with (stage, done, total).

        Raises:
            OptionError: there is no node of that name in the outbox or in the configuration.
        """
        start = time.perf_counter()
        self.store.sweep()
        if node is not None and not self.store.entries("node = ?", (node,)):
            self._require_known(node)
        on_the_way = self.store.entries("state IN (?, ?)", (State.WAITING.value, State.SENDING.value))
        names = dict.fromkeys(entry.node for entry in on_the_way if node is None or entry.node == node)
        tried: list[int] = []
        busy: list[str] = []
        for name in names:
            while True:
                with locked(lock_of(self.folder, name)) as got:
                    if got:
                        tried += send_due(self, name, progress)
                        break
                ended = bool(wanted) and all(entry.state.is_end for entry in self.again(wanted))
                if ended or time.perf_counter() - start >= wait_s:
                    busy += [] if ended else [name]
                    break
                time.sleep(LOOK_EVERY_S)
        entries = self.store.by_ids(tried)
        return Round(tried=entries, busy=tuple(busy), seconds=time.perf_counter() - start)

    def again(self, entries: Iterable[Entry]) -> tuple[Entry, ...]:
        """Return these entries as they are now; those purged meanwhile are left out."""
        return self.store.by_ids(entry.id for entry in entries)

    def retry(self, *names: str, node: str | None = None) -> tuple[Entry, ...]:
        """Make entries due at once, also those that were given up; `send` then tries them.

        Named ones may be in any state; without names those that wait or were given up are meant.

        Raises:
            OptionError: there is no such study, object or node in the outbox.
        """
        states = set(State) if names else {State.WAITING, State.GIVEN_UP}
        self._recover()
        chosen = self.entries(*names, node=node, states=states - {State.SENDING})
        with self.store.change() as database:
            for entry in chosen:
                unclear = entry.unclear or entry.state is not State.WAITING
                database.execute(
                    "UPDATE entry SET state = ?, next_try_at = ?, unclear = ? WHERE id = ? AND state = ?",
                    (State.WAITING.value, self.clock(), unclear, entry.id, entry.state.value),
                )
        return self.again(chosen)

    def give_up(self, *names: str, reason: str, node: str | None = None) -> tuple[Entry, ...]:
        """Stop trying entries that wait, and keep them with the reason; `retry` takes them up again.

        Raises:
            OptionError: there is no such study, object or node in the outbox, or neither names nor a node nor a reason is given.
        """
        words = printable(reason.strip())[:REASON_LIMIT]
        if not words:
            raise OptionError("reason", "empty", "why these objects need not arrive any more")
        if not names and node is None:
            raise OptionError("NAME", "left out", "the short names of studies or objects (medimg outbox list), or a node")
        self._recover()
        chosen = self.entries(*names, node=node, states=(State.WAITING,))
        with self.store.change() as database:
            for entry in chosen:
                database.execute(
                    "UPDATE entry SET state = ?, reason = ? WHERE id = ? AND state = ?",
                    (State.GIVEN_UP.value, f"{BY_A_PERSON}: {words}", entry.id, State.WAITING.value),
                )
        return tuple(entry for entry in self.again(chosen) if entry.state is State.GIVEN_UP)

    def purge(self, *, accepted: bool = False, given_up: bool = False, node: str | None = None) -> tuple[Entry, ...]:
        """Remove what was found again in its archive, and its copies; return what was removed.

        Args:
            accepted: also what a node took without letting anybody ask for it.
            given_up: also what was given up: nothing is left of it then.
            node: only what went to this node.
        """
        states = [State.DELIVERED, *([State.ACCEPTED] if accepted else []), *([State.GIVEN_UP] if given_up else [])]
        return self.store.remove(self.entries(node=node, states=states))

    def to_dict(self, entries: Iterable[Entry]) -> dict[str, Any]:
        """Return entries as JSON values; nothing in them says whose they are."""
        now = self.clock()
        return {"schema": SCHEMA, "entries": [entry.to_dict(now=now) for entry in entries]}

    def _require_known(self, node: str) -> None:
        """Raise OptionError for a name that is misspelt; a node that nothing waits for is none."""
        from medimg.nodes._config import find_node

        find_node(node, pacs_config=self.pacs_config)

    def _recover(self) -> None:
        """Take back what a process that ended left as being sent."""
        for name in dict.fromkeys(entry.node for entry in self.store.entries("state = ?", (State.SENDING.value,))):
            with locked(lock_of(self.folder, name)) as got:
                if got:
                    recover(self, name)


def default_folder() -> Path:
    """Return `outbox` in the user's state folder."""
    import platformdirs

    return Path(platformdirs.user_state_path("medimg", appauthor=False)) / "outbox"
