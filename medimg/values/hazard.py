"""What a reader found out about the soundness of a series."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from medimg._tools.text import printable


class Verdict(StrEnum):
    """How a series was read, best first; `worst` of several is what counts."""

    EXACT = "exact"
    NOTED = "noted"  # read exactly; something about it is worth knowing
    REPAIRED = "repaired"  # read, after something was left out or filled, and it is said what
    SPLIT = "split"  # one SeriesInstanceUID held several volumes; this is one of them
    REFUSED = "refused"  # not read: no reading of it could be trusted
    SKIPPED = "skipped"  # not an image

    @property
    def severity(self) -> int:
        """Rank among the verdicts, 0 for exact."""
        return list(Verdict).index(self)

    @classmethod
    def worst(cls, *verdicts: Verdict) -> Verdict:
        """Return the gravest of `verdicts`, `exact` of none.

        >>> Verdict.worst(Verdict.NOTED, Verdict.REPAIRED, Verdict.EXACT)
        <Verdict.REPAIRED: 'repaired'>
        """
        return max(verdicts, key=lambda verdict: verdict.severity, default=cls.EXACT)


@dataclass(frozen=True)
class Hazard:
    """One thing about a series that could put a result in the wrong place or give it a wrong value.

    `kind` is a short fixed word for programs (`missing-slice`), `sentence` says it to people and names the slice, position or
    file. `files` are names relative to what the user gave; a sentence never holds patient data.
    """

    kind: str
    verdict: Verdict
    sentence: str
    files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "sentence", printable(self.sentence))  # names of files are in it, and whatever they hold

    def to_dict(self) -> dict[str, object]:
        """Return the hazard as JSON values."""
        return {
            "kind": self.kind,
            "verdict": str(self.verdict),
            "sentence": self.sentence,
            "files": [printable(file) for file in self.files],
        }
