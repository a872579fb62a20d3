"""What a node lists, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from medimg._tools.identity import short_name

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = "medimg.fetch/1"  # changes with every change of meaning; documented in docs/outbox.md


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A series as a node lists it.

    Attributes:
        study_uid: StudyInstanceUID; `series_uid` likewise.
        modality: what the node says it is.
        instances: SOPInstanceUID -> SOPClassUID, "" where the node does not say.
        patient_id: PatientID of the study, "" where the node does not say.
    """

    study_uid: str
    series_uid: str
    modality: str
    instances: dict[str, str] = field(repr=False)
    patient_id: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """A short name that tells nobody whose it is."""
        return short_name("series", self.series_uid)


@dataclass(frozen=True, kw_only=True)
class FetchedSeries:
    """A series as it came.

    Attributes:
        name: its short name, and that of its folder.
        modality: what the node says it is.
        expected: how many instances the node lists.
        received: how many of them came, each the one that was asked for.
        syntaxes: the transfer syntaxes that they came in.
    """

    name: str
    modality: str
    expected: int
    received: int
    syntaxes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FetchedStudy:
    """A study as it came; one that is not whole leaves no folder.

    Attributes:
        name: its short name, the same that `medimg infer` gives it.
        series: what came of each series.
        folder: where it lies, None if it is not whole.
        reason: why it is not whole, in a sentence.
        added: how many instances the node has beyond those that it listed: they came to it meanwhile, or its list was not whole.
    """

    name: str
    series: tuple[FetchedSeries, ...]
    folder: Path | None = None
    reason: str = ""
    added: int = 0

    @property
    def expected(self) -> int:
        """How many instances the node lists."""
        return sum(one.expected for one in self.series) + self.added

    @property
    def received(self) -> int:
        """How many of them came."""
        return sum(one.received for one in self.series)

    @property
    def is_whole(self) -> bool:
        """Whether all came."""
        return self.received == self.expected

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values; nothing in them says whose it is."""
        return {
            "name": self.name,
            "folder": str(self.folder) if self.folder else None,
            "whole": self.is_whole,
            "expected": self.expected,
            "received": self.received,
            "reason": self.reason,
            "series": [{**vars(one), "syntaxes": list(one.syntaxes)} for one in self.series],
        }


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What came of a question.

    Attributes:
        node: the name of the node.
        studies: those that fit the question.
        left_out: how many studies the node answered with that do not fit it.
        seconds: how long it took.
    """

    node: str
    studies: tuple[FetchedStudy, ...]
    left_out: int = 0
    seconds: float = 0.0

    @property
    def is_whole(self) -> bool:
        """Whether every study came whole."""
        return all(study.is_whole for study in self.studies)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values; nothing in them says whose it is."""
        return {
            "schema": SCHEMA,
            "node": self.node,
            "studies": [study.to_dict() for study in self.studies],
            "left_out": self.left_out,
            "seconds": round(self.seconds, 3),
        }
