"""Read a folder of whole chest CT scans: NAME/info.json, NAME/volume.npy.xz and one `lesions.csv` with every reader's mark.

The voxels are two-dimensional differences of (HU + 1024) / hu_step in two bytes, low byte plane first. Nothing in the folder is
executed.
"""

from __future__ import annotations

import csv
import json
import lzma
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medimg.errors import ScanError
from medimg.values import Grid, Volume

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET = "nodule"  # marked as 3 mm or more by at least 3 of 4 readers: what a detector has to find
AIR_HU = -1024


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A reader's mark: LPS point, diameter (None for a point), kind as in lesions.csv; only `TARGET` is a miss or a hit."""

    kind: str
    center_mm: tuple[float, float, float]
    diameter_mm: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Chest:
    """A whole scan with its marks; `patient` is whose it is, "" where only its name says it."""

    name: str
    split: str
    volume: Volume
    marks: tuple[Mark, ...]
    patient: str = ""

    @property
    def whose(self) -> str:
        """The id of the patient; a scan that names none is a patient of its own."""
        return self.patient or self.name


def read_chests(folder: str | Path) -> Iterator[Chest]:
    """Read the scans one after the other, in the order of their names.

    Raises:
        ScanError: the folder is not laid out so, or a file is damaged.
    """
    folder = Path(folder)
    try:
        with (folder / "lesions.csv").open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        for where in sorted(path.parent for path in folder.glob("*/info.json")):
            info = json.loads((where / "info.json").read_text(encoding="utf-8"))
            grid = Grid.straight(info["size_zyx"], spacing_mm=info["spacing_xyz_mm"][::-1], origin_mm=info["origin_xyz_mm"])
            volume = Volume(array=_voxels(where / "volume.npy.xz", info["hu_step"]), grid=grid, modality="CT", unit="HU")
            marks = tuple(_mark(line) for line in lines if line["scan"] == info["name"])
            patient = str(info.get("patient_id") or "")  # two scans of a patient have two names
            yield Chest(name=info["name"], split=info["split"], volume=volume, marks=marks, patient=patient)
    except (OSError, EOFError, KeyError, TypeError, ValueError, lzma.LZMAError) as error:
        raise ScanError(
            f"{folder.name} is not a folder of chest scans: {error}. Give the folder that holds lesions.csv and the scans."
        ) from error


def _mark(line: dict[str, str]) -> Mark:
    diameter = float(line["diameter_mm"]) if line["diameter_mm"] else None
    return Mark(kind=line["kind"], center_mm=(float(line["x"]), float(line["y"]), float(line["z"])), diameter_mm=diameter)


def _voxels(path: Path, hu_step: int) -> np.ndarray:
    with lzma.open(path) as file:
        low, high = np.load(file, allow_pickle=False)
    code = low.astype(np.int16) | (high.astype(np.int16) << 8)
    value = (code >> 1) ^ -(code & 1)
    for axis in (1, 2):
        np.cumsum(value, axis=axis, dtype=np.int16, out=value)
    value *= hu_step
    value += AIR_HU
    return value
