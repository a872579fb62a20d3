"""The configuration of a training (TOML): what each step of it is told."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from medimg.errors import OptionError

COMMON = ("steps", "learning_rate", "weight_decay", "limit_s", "check_every", "patience", "seed")
REALS = ("learning_rate", "weight_decay", "limit_s")  # the other numbers are counts
KEYS = {
    "data": ("path", "collection", "licence"),
    "model": ("base", "name", "version", "summary", "licence", "training"),
    "detect": (*COMMON, "cubes_a_step", "chests_a_step"),
    "outline": (*COMMON, "nodules_a_step", "others_a_step", "channels"),
}


def read_config(path: str | Path) -> dict[str, dict[str, Any]]:
    """Read a configuration; a table or key that is unknown is refused with the nearest known one.

    Raises:
        OptionError: it cannot be read, or says something that nothing here understands.
    """
    path = Path(path)
    try:
        tables: dict[str, dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError("config", path.name, f"a TOML file that can be read ({type(error).__name__})") from error
    for table, values in tables.items():
        if table not in KEYS or not isinstance(values, dict):
            raise OptionError.unknown("config", table, tuple(KEYS))
        for key in values:
            if key not in KEYS[table]:
                raise OptionError.unknown(f"config [{table}]", key, KEYS[table])
            wanted = _wanted(key, values[key], is_text=table in ("data", "model"))
            if wanted:
                raise OptionError(f"config [{table}] {key}", values[key], wanted)
    return tables


def _wanted(key: str, value: Any, *, is_text: bool) -> str:
    """Return what a value should be, "" if it is."""
    if is_text:
        return "" if isinstance(value, str) else "words in quotes"
    if key == "channels":
        return "" if isinstance(value, list) and all(type(one) is int and one > 0 for one in value) else "a list of whole numbers"
    if key in REALS:
        least = 0 if key == "weight_decay" else 1e-12
        return "" if type(value) in (int, float) and value >= least else "a number above 0"
    least = 0 if key in ("seed", "patience", "chests_a_step", "others_a_step") else 1
    return "" if type(value) is int and value >= least else f"a whole number from {least} on"
