"""`run.json`: findings.json and what belongs to this one run: seconds, files, proof (schema: docs/findings.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medimg.reports._absent import not_written
from medimg.reports._source_header import source_faults
from medimg.reports.findings_json import write_json
from medimg.values.result import STUDY_SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

    from medimg.values import StudyResult

NEEDS = ("provenance",)
FILE = "run.json"


def write(result: StudyResult, folder: Path) -> tuple[Path, ...]:
    """Write `run.json`. `result.files` are the files written before it; it adds itself. It holds no patient data and no path."""
    content: dict[str, Any] = {"schema": STUDY_SCHEMA, **result.to_dict()}
    del content["folder"]  # it lies in it; a folder's path can name a person
    content["files"] = [*(path.relative_to(folder).as_posix() for path in result.files), FILE]
    content["proof"] = [proof.to_dict() for proof in result.proof]
    content["source_faults"] = list(source_faults(result))
    content["not_written"] = [item.to_dict() for item in not_written(result)]
    return (write_json(content, folder / FILE),)
