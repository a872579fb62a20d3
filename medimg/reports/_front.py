"""Write everything that a study's result can become."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medimg._tools import registry
from medimg.reports._absent import not_written

if TYPE_CHECKING:
    from collections.abc import Callable

    from medimg.values import Proof, StudyResult

ROOM = "medimg.reports"
FIRST = ("findings_json", "seg", "sr", "key_images", "seg_nifti", "heatmap", "html")
LAST = "run_json"  # it lists the files of the others

__all__ = ["not_written", "write_all"]


def write_all(
    result: StudyResult,
    folder: str | Path,
    *,
    prove: Callable[[StudyResult, tuple[Path, ...]], tuple[Proof, ...]] | None = None,
) -> tuple[Path, ...]:
    """Write every object whose needs `result` meets into `folder`, which exists; return the files in the order written.

    `findings.json` comes first, `run.json` last. What is not written and why is in both (see `not_written`). `prove` reads the
    files back before `run.json` is written, which holds what it returns; what it raises ends the writing.

    Raises:
        WriteError: the disk refuses.
        GeometryError: the outlines do not lie on the source slices.
    """
    folder = Path(folder)
    known = set(registry.names(ROOM))
    order = [*FIRST, *sorted(known - {*FIRST, LAST}), LAST]
    files: tuple[Path, ...] = ()
    for name in order:
        if name == LAST and prove is not None:
            result = replace(result, proof=prove(result, files))
        module = registry.load(ROOM, name, option="report")
        if all(getattr(result, need) for need in module.NEEDS):
            files += module.write(replace(result, files=files), folder)
    return files
