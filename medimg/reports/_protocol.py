"""What a file of this room has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from medimg.values import StudyResult


class ReportObject(Protocol):
    """An object that is written for a study.

    `NEEDS` names attributes of StudyResult; where one of them is empty the object is not written.
    """

    NEEDS: tuple[str, ...]

    def write(self, result: StudyResult, folder: Path) -> tuple[Path, ...]:
        """Write the object into `folder` and return the files, none if it has nothing to hold."""
        ...
