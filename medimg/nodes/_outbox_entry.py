"""What lies in the outbox: an entry is one instance for one node, and where it is on its way."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from medimg._tools.identity import short_name

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
BY_A_PERSON = "Given up by a person"  # the reason begins so
KINDS = {  # SOP class (PS3.4 B.5) -> the word for it
    "1.2.840.10008.5.1.4.1.1.66.4": "SEG",
    LABEL_MAP: "SEG",
    "1.2.840.10008.5.1.4.1.1.88.33": "SR",
    "1.2.840.10008.5.1.4.1.1.88.34": "SR",
    "1.2.840.10008.5.1.4.1.1.7": "picture",
}


class State(StrEnum):
    """Where an entry is on its way; the last three are ends."""

    WAITING = "waiting"
    SENDING = "sending"
    DELIVERED = "delivered"  # found again in the archive
    ACCEPTED = "accepted"  # the node said that it took it, and lets nobody ask; the reason says why
    GIVEN_UP = "given up"  # refused for good, or given up by a person; the reason says why

    @property
    def is_end(self) -> bool:
        """Whether nothing more is tried by itself."""
        return self in (State.DELIVERED, State.ACCEPTED, State.GIVEN_UP)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One instance on its way to one node.

    Attributes:
        id: its number in the outbox.
        node: the name of the node in the configuration.
        instance_uid: its SOPInstanceUID; `class_uid`, `study_uid` and `series_uid` likewise.
        file: the outbox's own copy.
        sha256: of the whole file, in hexadecimal digits.
        size: of the file, in bytes.
        state: where it is.
        reason: why it waits, was only accepted, or was given up.
        tries: how often it was to be sent.
        unclear: a try began whose end is not known, so the archive may have it: it is asked before it is sent again.
        other: what is sent in its place where the node takes no label maps (JSON, for the store), "" if nothing is.
        put_at: when it was put into the outbox, in seconds since 1970; `next_try_at` likewise.
    """

    id: int
    node: str
    instance_uid: str
    class_uid: str
    study_uid: str
    series_uid: str
    file: Path
    sha256: str
    size: int
    state: State
    reason: str = ""
    tries: int = 0
    unclear: bool = False
    other: str = ""
    put_at: float = 0.0
    next_try_at: float = 0.0

    @property
    def study(self) -> str:
        """The study's short name, the same that `medimg infer` gives it; it tells nobody whose it is."""
        return short_name("study", self.study_uid)

    @property
    def name(self) -> str:
        """The object's short name."""
        return short_name("object", self.instance_uid)

    @property
    def is_map(self) -> bool:
        """Whether it is a label map that has another form, for nodes that take none."""
        return bool(self.other) and self.class_uid == LABEL_MAP

    @property
    def kind(self) -> str:
        """What it is, in a word."""
        return KINDS.get(self.class_uid, "object")

    def to_dict(self, *, now: float) -> dict[str, Any]:
        """Return it as JSON values at the time `now` (seconds since 1970): no UID, no path, nothing of a patient."""
        return {
            "object": self.name,
            "kind": self.kind,
            "study": self.study,
            "node": self.node,
            "state": self.state.value,
            "reason": self.reason,
            "tries": self.tries,
            "size": self.size,
            "age_s": round(max(0.0, now - self.put_at)),
            "next_try_s": round(max(0.0, self.next_try_at - now)) if self.state is State.WAITING else None,
        }


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """How long to wait after a try that failed: twice as long each time, up to a limit, and not as long for everybody.

    Attributes:
        first_s: after the first try.
        most_s: never longer than this.
    """

    first_s: float = 30.0
    most_s: float = 3600.0

    def after(self, tries: int, chance: Random) -> float:
        """Return the seconds to wait after `tries` tries: between half and all of the doubled time.

        Chance keeps many senders that lost the same archive from coming back to it in the same second.

        >>> from random import Random
        >>> [round(Backoff().after(tries, Random(7))) for tries in (1, 2, 3, 20)]
        [20, 40, 79, 2383]
        """
        doubled = self.first_s * 2.0 ** min(max(tries, 1) - 1, 32)
        return min(self.most_s, doubled) * (0.5 + 0.5 * chance.random())

    def is_due(self, next_try_at: float, now: float) -> bool:
        """Whether a try planned for `next_try_at` is due; one further off than the longest wait means a clock set back."""
        return next_try_at <= now or next_try_at > now + self.most_s
