"""`report.html`: the result for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from medimg.values import StudyResult

NEEDS = ("volume", "prediction")


def write(result: StudyResult, folder: Path) -> tuple[Path, ...]:
    """Write `report.html`."""
    return ()
