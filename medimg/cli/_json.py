"""Print a value as JSON."""

from __future__ import annotations

import json
from typing import Any


def show(value: dict[str, Any] | list[Any]) -> None:
    """Print `value` on stdout; a number that JSON does not have (NaN) is a fault and raises ValueError."""
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))
