"""Put measured figures into a model's card, so that nobody types them."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from medimg._tools.files import whole_file
from medimg.models.card import CARD_FILE

if TYPE_CHECKING:
    from pathlib import Path

FIRST_TABLE = re.compile(r"^\[\[?evidence\.", re.MULTILINE)
SCANS = "whole_scans"
REFUSED = ".refused"  # the reason why a model takes no such scan
OF_A_MACHINE = ("seconds",)  # figures that say nothing of the model


def write_evidence(folder: Path, split: str, figures: dict[str, Any]) -> None:
    """Put the figures of a split into the card of a model's folder, in place of those of that split that are there.

    `figures` are what `evaluate` gives: numbers, [value, low, high], and a list of tables (the whole scans).
    """
    text = (folder / CARD_FILE).read_text(encoding="utf-8")
    found = FIRST_TABLE.search(text)
    head = (text[: found.start()] if found else text).rstrip()
    kept = tomllib.loads(text).get("evidence", {})
    tables = {name: value for name, value in kept.items() if isinstance(value, dict) and name != f"{split}_nodules"}
    scans = [row for row in kept.get(SCANS, []) if row["split"] != split] + figures.get(SCANS, [])
    told = {name: value for name, value in figures.items() if isinstance(value, int | float | list) or name.endswith(REFUSED)}
    numbers = {name: value for name, value in told.items() if name != SCANS}
    tables[f"{split}_nodules"] = {"title": f"nodules of the split {split}", **numbers}
    parts = [_table(name, value) for name, value in sorted(tables.items())]
    if scans:
        parts.insert(0, _table(SCANS, sorted(scans, key=lambda row: row["scan"])))
    with whole_file(folder / CARD_FILE) as partial:
        partial.write_text("\n\n".join([head, *parts]) + "\n", encoding="utf-8")


def _table(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "\n\n".join(f"[[evidence.{name}]]\n{_lines(row)}" for row in value)
    return f"[evidence.{name}]\n{_lines(value)}"


def _lines(table: dict[str, Any]) -> str:
    known = {key: value for key, value in table.items() if key not in OF_A_MACHINE and not _is_unknown(value)}
    return "\n".join(f"{key.replace('.', '_')} = {_value(value)}" for key, value in known.items())


def _is_unknown(value: Any) -> bool:
    return value is None or (isinstance(value, list) and None in value)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(f'{item:.4g}' for item in value)}]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
