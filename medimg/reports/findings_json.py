"""`findings.json`: what was found and what made it, for programs (schema: docs/findings.md)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from medimg._tools.files import whole_file
from medimg.reports._absent import not_written
from medimg.values.result import FINDINGS_SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

    from medimg.values import StudyResult

NEEDS = ("provenance",)
FILE = "findings.json"
OF_A_RUN = ("folder", "files", "seconds")  # these differ from run to run; the same scan and model give the same findings.json


def write(result: StudyResult, folder: Path) -> tuple[Path, ...]:
    """Write `findings.json`; the same input, model and options give the same bytes. It holds no patient data."""
    return (write_json(findings(result), folder / FILE),)


def findings(result: StudyResult) -> dict[str, Any]:
    """Return the content of `findings.json`."""
    kept = {name: value for name, value in result.to_dict().items() if name not in OF_A_RUN}
    return {"schema": FINDINGS_SCHEMA, **kept, "not_written": [item.to_dict() for item in not_written(result)]}


def write_json(content: dict[str, Any], path: Path) -> Path:
    """Write JSON that a person can read too; the file appears whole or not at all. NaN is refused, JSON has none."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    with whole_file(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")
    return path
