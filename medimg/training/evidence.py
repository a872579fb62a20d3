"""Put measured figures into a model's card, so that nobody types them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from medimg._tools.files import whole_file
from medimg.models.card import CARD_FILE

if TYPE_CHECKING:
    from pathlib import Path

FIRST_TABLE = re.compile(r"^\[\[?evidence\.", re.MULTILINE)
OF_A_MACHINE = ("seconds",)  # figures that say nothing of the model


def write_evidence(folder: Path, figures: dict[str, Any]) -> None:
    """Replace the tables below `[evidence]` in the card of a model's folder; its lines of plain text stay.

    `figures` are what `evaluate` prints: lists of tables, or tables of numbers and of [value, low, high].
    """
    text = (folder / CARD_FILE).read_text(encoding="utf-8")
    found = FIRST_TABLE.search(text)
    head = (text[: found.start()] if found else text).rstrip()
    parts = [head, *(_table(name, value) for name, value in figures.items() if isinstance(value, dict | list))]
    with whole_file(folder / CARD_FILE) as partial:
        partial.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _table(title: str, value: Any) -> str:
    name = re.sub(r"\W+", "_", title).strip("_")
    if isinstance(value, list):
        return "\n\n".join(f"[[evidence.{name}]]\n{_lines(row)}" for row in value)
    return f'[evidence.{name}]\ntitle = "{title}"\n{_lines(value)}'


def _lines(table: dict[str, Any]) -> str:
    return "\n".join(f"{key.replace('.', '_')} = {_value(value)}" for key, value in table.items() if key not in OF_A_MACHINE)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(f'{item:.4g}' for item in value)}]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
