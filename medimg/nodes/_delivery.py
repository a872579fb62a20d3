"""How a delivery ended, instance by instance."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from medimg._tools.text import printable

if TYPE_CHECKING:
    from pathlib import Path

    from medimg.values import Skipped


class Outcome(StrEnum):
    """The three ends of a delivery, best first."""

    FOUND = "found"  # the node was asked afterwards, and has it
    ACCEPTED = "accepted"  # the node said that it took it, and lets nobody ask; the reason says why
    FAILED = "failed"  # it is not there

    @classmethod
    def worst(cls, *outcomes: Outcome) -> Outcome:
        """Return the worst of `outcomes`, `found` of none."""
        return max(outcomes, key=list(cls).index, default=cls.FOUND)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """How the delivery of one instance ended.

    Attributes:
        instance_uid: its SOPInstanceUID.
        class_uid: its SOPClassUID.
        file: where it lay.
        outcome: how it ended.
        reason: why it is not `found`, in a sentence without patient data.
        note: what was done to it on the way (transcoded, sent as another object), in a sentence.
        in_place_of: the SOPInstanceUID of the label map that the node did not take, where this was sent in its place.
        retry: a later try may succeed: the node was down, busy or too slow. What is refused for good is not retried.
    """

    instance_uid: str
    class_uid: str
    file: Path
    outcome: Outcome
    reason: str = ""
    note: str = ""
    in_place_of: str = ""
    retry: bool = False

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON values; the file by its name."""
        return {
            "instance_uid": self.instance_uid,
            "class_uid": self.class_uid,
            "file": printable(self.file.name),
            "outcome": str(self.outcome),
            "reason": self.reason,
            "note": self.note,
            "in_place_of": self.in_place_of,
            "retry": self.retry,
        }


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """How a delivery ended.

    Attributes:
        node: the name of the node.
        sent: one for each instance, in the order of their files.
        skipped: files that were not sent because they are no DICOM instances, and why.
        seconds: how long it took, the question afterwards included.
    """

    node: str
    sent: tuple[Sent, ...]
    skipped: tuple[Skipped, ...] = ()
    seconds: float = 0.0

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of all instances."""
        return Outcome.worst(*(sent.outcome for sent in self.sent))

    def of(self, outcome: Outcome) -> tuple[Sent, ...]:
        """Return the instances that ended so."""
        return tuple(sent for sent in self.sent if sent.outcome is outcome)

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON values."""
        return {
            "schema": "medimg.delivery/1",
            "node": self.node,
            "outcome": str(self.outcome),
            "sent": [sent.to_dict() for sent in self.sent],
            "skipped": [{"what": item.what, "reason": item.reason} for item in self.skipped],
            "seconds": round(self.seconds, 3),
        }
