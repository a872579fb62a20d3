"""Sixty small series, each odd in one way, with what is true of each."""

from __future__ import annotations

from tests.builders import (  # noqa: F401
    hazards_enhanced,
    hazards_files,
    hazards_mixed,
    hazards_orientations,
    hazards_places,
    hazards_values,
)
from tests.builders.hazard_kit import HAZARDS, RANDOM, save

NAMES = tuple(HAZARDS)


def write(name, folder, seed=20240102):
    """Write a hazard's files into `folder`; return the hazard and its true stacks."""
    RANDOM.seed(f"{seed}/{name}")
    found = HAZARDS[name]
    made, stacks = found.make()
    folder.mkdir(parents=True, exist_ok=True)
    for item in made:
        save(folder / item[0], *item[1:])
    return found, stacks
