"""The patients a model has seen, by their public ids, so that others can leave them out."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from medimg._tools.files import whole_file

if TYPE_CHECKING:
    from pathlib import Path

    from medimg.training.cubes import Cubes

COLLECTION = "LIDC-IDRI"


def write_patients(path: Path, cubes: Cubes) -> None:
    """Write `patients.csv`: collection, licence, patient and what the patient was used for (train, val)."""
    seen = sorted({(row["patient_id"], row["split"]) for row in cubes.rows})
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["collection", "licence", "patient_id", "split"])
        writer.writerows((COLLECTION, "CC BY 3.0", patient, split) for patient, split in seen)
