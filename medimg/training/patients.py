"""The patients a model has seen, by their public ids, so that others can leave them out."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from medimg._tools.files import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from medimg.training.chests import Chest
    from medimg.training.cubes import Cubes


def write_patients(path: Path, cubes: Cubes, chests: Iterable[Chest] = (), *, collection: str = "", licence: str = "") -> None:
    """Write `patients.csv`: collection, licence, patient, and what each patient was used for (train, val).

    `collection` and `licence` are of the data, and empty where nobody said them: they are not guessed.
    """
    seen = sorted({(row["patient_id"], row["split"]) for row in cubes.rows} | {(chest.whose, chest.split) for chest in chests})
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["collection", "licence", "patient_id", "split"])
        writer.writerows((collection, licence, patient, split) for patient, split in seen)
