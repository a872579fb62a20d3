"""Say in lines for people what lies in the outbox, and how a round of sending ended."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from medimg.errors import NOT_PROVEN, RESULTS_WAIT, DeliveryError
from medimg.nodes._outbox_entry import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from medimg.nodes._outbox_entry import Entry

WORDS = {  # the three ends of a delivery, and what is none yet
    State.DELIVERED: "delivered: found again in the archive",
    State.ACCEPTED: "accepted, but not proven",
    State.GIVEN_UP: "given up",
    State.WAITING: "waiting",
    State.SENDING: "being sent",
}
UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def lines(entries: Iterable[Entry], *, now: float) -> Iterator[str]:
    """Say entries by study and node, each object with its state, its next try and the reason."""
    for (study, node), members in groupby(
        sorted(entries, key=lambda one: (one.study, one.node, one.id)), key=lambda one: (one.study, one.node)
    ):
        group = list(members)
        yield f"{study} to {node}, put {duration(now - min(one.put_at for one in group))} ago: {counted(group)}"
        for entry in group:
            yield f"  {entry.name}  {entry.kind:<8} {WORDS[entry.state]}{_next(entry, now)}{_why(entry)}"


def counted(entries: Iterable[Entry]) -> str:
    """Say how many are in which state."""
    counts = Counter(entry.state for entry in entries)
    return ", ".join(f"{counts[state]} {state}" for state in State if counts[state]) or "nothing"


def duration(seconds: float) -> str:
    """Say seconds in the largest unit that fits.

    >>> duration(42), duration(200), duration(7300)
    ('42 s', '3 min', '2 h')
    """
    for size, unit in UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def exit_code(entries: Iterable[Entry]) -> int:
    """Return 0 if all were found again, else the code of the worst that happened."""
    states = {entry.state for entry in entries}
    if State.GIVEN_UP in states:
        return DeliveryError.exit_code
    if states & {State.WAITING, State.SENDING}:
        return RESULTS_WAIT
    return NOT_PROVEN if State.ACCEPTED in states else 0


def _next(entry: Entry, now: float) -> str:
    if entry.state is not State.WAITING:
        return ""
    wait = entry.next_try_at - now
    tried = f", {entry.tries} {'try' if entry.tries == 1 else 'tries'} so far" if entry.tries else ""
    return f", {'due now' if wait <= 0 else f'next try in {duration(wait)}'}{tried}"


def _why(entry: Entry) -> str:
    return f": {entry.reason}" if entry.reason else ""
