"""One round of sending from the outbox to one node; who calls holds the lock of the node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from medimg._tools.identity import digest
from medimg._tools.text import printable
from medimg.errors import MedimgError, NodeError, OptionError
from medimg.nodes._delivery import Outcome
from medimg.nodes._outbox_entry import Entry, State
from medimg.nodes._outbox_files import hash_of
from medimg.nodes.send import SAID_YES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from medimg.nodes._delivery import Sent
    from medimg.nodes._node import Node
    from medimg.nodes.outbox import Outbox

    Progress = Callable[[str, int, int], None]

BATCH = 64  # entries: what is known of them is written down after each batch
INTERRUPTED = "The try before this one did not come to its end; the node is asked before it is sent again."
BINARY = "Its binary form is sent"
VANISHED = "The node took it, and does not have it; it is sent again."
DROPS_LIMIT = 8  # tries, an hour or so, until an archive that takes and does not show is no longer thought to be only slow
LOST = "Its copy in the outbox is missing or was changed, so it is not sent. Put the object into the outbox anew."


@dataclass(frozen=True, kw_only=True)
class End:
    """How a try of an entry ended."""

    state: State
    reason: str = ""
    unclear: bool = False


def lock_of(folder: Path, node: str) -> Path:
    """Return the file that who sends to `node` holds locked."""
    return folder / f"lock-{digest('lock', node).hex()[:16]}.sqlite"


def recover(outbox: Outbox, node: str) -> None:
    """Let what is being sent to `node` wait again: who holds its lock knows that nobody sends it, so its sender ended."""
    with outbox.store.change() as database:
        database.execute(
            "UPDATE entry SET state = ?, unclear = 1, reason = ?, next_try_at = ? WHERE node = ? AND state = ?",
            (State.WAITING.value, INTERRUPTED, outbox.clock(), node, State.SENDING.value),
        )


def send_due(outbox: Outbox, name: str, progress: Progress | None) -> list[int]:
    """Send what is due for the node `name`; return the numbers of the entries that were tried."""
    recover(outbox, name)
    tried: list[int] = []
    while batch := _claim(outbox, name):
        tried += [entry.id for entry in batch]
        try:
            ends = _ends(outbox, name, batch, progress)
        except BaseException:  # Ctrl-C, or a fault: how far it came is not known
            recover(outbox, name)
            raise
        _record(outbox, batch, ends)
        if all(end.state is State.WAITING and not end.reason.endswith(SAID_YES) for end in ends.values()):
            break  # the node is not there: what else is due would only wait for the same silence
    return tried


def _claim(outbox: Outbox, name: str) -> tuple[Entry, ...]:
    """Mark what is due as being sent, before a byte of it leaves."""
    now = outbox.clock()
    waiting = outbox.store.entries("node = ? AND state = ?", (name, State.WAITING.value))
    due = [entry for entry in waiting if outbox.backoff.is_due(entry.next_try_at, now)]
    maps = {entry.study_uid for entry in waiting if entry.is_map}
    # First it must be known whether the node takes the label map of a study: what refers to it has two forms as well
    due = [entry for entry in due if entry.is_map] or [entry for entry in due if not (entry.other and entry.study_uid in maps)]
    claimed: list[int] = []
    with outbox.store.change() as database:
        for entry in due[:BATCH]:
            done = database.execute(
                "UPDATE entry SET state = ?, tries = tries + 1 WHERE id = ? AND state = ?",
                (State.SENDING.value, entry.id, State.WAITING.value),
            )
            claimed += [entry.id] * done.rowcount  # somebody may have given it up meanwhile
    return outbox.store.by_ids(claimed)


def _ends(outbox: Outbox, name: str, batch: Sequence[Entry], progress: Progress | None) -> dict[int, End]:
    """Deliver a batch; what stops the whole of it is tried one by one, so that one bad object keeps no other back."""
    from medimg.nodes._config import find_node

    try:
        return _deliver(find_node(name, pacs_config=outbox.pacs_config), batch, progress)
    except MedimgError as error:
        if len(batch) == 1 or isinstance(error, OptionError):
            return {entry.id: End(state=State.WAITING, reason=str(error), unclear=True) for entry in batch}
    ends: dict[int, End] = {}
    for entry in batch:
        ends |= _ends(outbox, name, [entry], progress)
    return ends


def _deliver(node: Node, batch: Sequence[Entry], progress: Progress | None) -> dict[int, End]:
    """Ask for what the node may have, send the rest, and say how each ended."""
    from medimg.nodes._found import is_there
    from medimg.nodes.send import send

    whole = [entry for entry in batch if hash_of(entry.file) == entry.sha256]
    ends = {entry.id: End(state=State.GIVEN_UP, reason=LOST) for entry in batch if entry not in whole}
    asked = [entry for entry in whole if entry.unclear]
    if asked:
        there = is_there(node, [(entry.study_uid, entry.series_uid, entry.instance_uid) for entry in asked])
        ends |= {entry.id: End(state=State.DELIVERED, reason=_form(entry)) for entry in asked if there.get(entry.instance_uid)}
    rest = [entry for entry in whole if entry.id not in ends]
    if rest:
        delivery = send([entry.file for entry in rest], node, progress=progress)
        sent = {one.instance_uid: one for one in delivery.sent}
        ends |= {entry.id: _end(sent.get(entry.instance_uid), entry) for entry in rest}
        ends |= _doubted(node, [entry for entry in rest if ends[entry.id].state in (State.ACCEPTED, State.GIVEN_UP)], ends)
    return ends


def _doubted(node: Node, entries: Sequence[Entry], ends: dict[int, End]) -> dict[int, End]:
    """Look whether a node that gave no good answer is there at all: only then is what it said of an object an end.

    An archive that dies while it is asked looks like one that lets nobody ask, and one whose certificate or our token has run out
    refuses everything "for good": these entries wait.
    """
    from medimg.nodes._found import is_there
    from medimg.nodes.echo import echo

    if not entries:
        return {}
    try:
        echo(node)
    except NodeError as error:
        reasons = {entry.id: ends[entry.id].reason if ends[entry.id].state is State.GIVEN_UP else str(error) for entry in entries}
        return {one: End(state=State.WAITING, reason=reason, unclear=True) for one, reason in reasons.items()}
    accepted = [entry for entry in entries if ends[entry.id].state is State.ACCEPTED]
    if not accepted:
        return {}
    there = is_there(node, [(entry.study_uid, entry.series_uid, entry.instance_uid) for entry in accepted])
    found = {entry.id: End(state=State.DELIVERED) for entry in accepted if there.get(entry.instance_uid)}
    gone = [entry for entry in accepted if there.get(entry.instance_uid) is False]
    return found | {entry.id: End(state=State.WAITING, reason=VANISHED, unclear=True) for entry in gone}


def _end(sent: Sent | None, entry: Entry) -> End:
    if sent is None:
        return End(state=State.WAITING, reason="It is not known what became of it.", unclear=True)
    if sent.outcome is Outcome.FOUND:
        return End(state=State.DELIVERED, reason=sent.note or _form(entry))
    if sent.outcome is Outcome.ACCEPTED and not sent.retry:
        return End(state=State.ACCEPTED, reason=sent.reason)
    # taken, and not shown (yet), or the question after it failed for now (retry): it is asked for again before anything is sent
    is_slow = sent.reason.endswith(SAID_YES) and entry.tries < DROPS_LIMIT and not entry.is_map  # which has another form to go
    return End(state=State.WAITING if sent.retry or is_slow else State.GIVEN_UP, reason=sent.reason, unclear=True)


def _form(entry: Entry) -> str:
    """Return what is to be said of an entry that another form was put in the place of."""
    return entry.reason if entry.reason.startswith(BINARY) else ""


def _record(outbox: Outbox, batch: Sequence[Entry], ends: dict[int, End]) -> None:
    """Write down how a batch ended, and in the same change what takes the place of a label map that was refused.

    In two changes, the end of the process between them would leave a label map given up for good and its study without outlines.
    """
    now = outbox.clock()
    with outbox.store.change() as database:
        for entry in batch:
            end = ends[entry.id]
            wait = outbox.backoff.after(entry.tries, outbox.chance) if end.state is State.WAITING else 0.0
            database.execute(
                "UPDATE entry SET state = ?, reason = ?, unclear = ?, next_try_at = ? WHERE id = ? AND state = ?",
                (end.state.value, printable(end.reason), end.unclear, now + wait, entry.id, State.SENDING.value),
            )
        for entry in batch:
            if entry.is_map and ends[entry.id].state is State.GIVEN_UP and ends[entry.id].reason != LOST:
                reason = f"{BINARY}, because the label map was refused: {ends[entry.id].reason}"
                outbox.store.take_other_form(database, entry.node, entry.study_uid, reason=printable(reason), now=now)
