"""`medimg infer example_dicoms/`: seconds and peak memory, stage by stage."""

from __future__ import annotations

from pathlib import Path

from _stages import measure, show

EXAMPLE = Path(__file__).resolve().parent.parent / "example_dicoms"

if __name__ == "__main__":
    show(measure(EXAMPLE))
