"""Read a folder of nodule cubes: `labels.csv` beside `cubes_GROUP.npy.xz` and `masks_GROUP.npy.xz`.

A cube is 50 mm of CT at 1 mm around one nodule, straight and axial (LPS). The images are three-dimensional differences of
(HU + 1024) / 8 in two bytes, low byte plane first; the masks are packed bits. Nothing in the folder is executed.
"""

from __future__ import annotations

import csv
import lzma
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medimg.errors import ScanError

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

PLACE = tuple(f"{what}_{axis}" for what in ("origin", "centroid") for axis in "xyz")
NUMBERS = ("malignan", "texture_", "calcification_", "diameter_mm")  # columns whose names begin so hold numbers, or nothing
HU_STEP = 8
AIR_HU = -1024


@dataclass(frozen=True, kw_only=True, eq=False)
class Cubes:
    """Nodule cubes in memory.

    Args:
        hu: int16 (nodule, slice, row, column).
        mask: uint8 alike: 1 the cube's own nodule, 2 other marked nodules of the same scan.
        rows: the lines of labels.csv, in the same order.
    """

    hu: NDArray[np.int16]
    mask: NDArray[np.uint8]
    rows: tuple[dict[str, str], ...]

    def numbers(self, column: str) -> NDArray[np.float64]:
        """Return a column of the table as numbers, nan where it is empty."""
        return np.array([float(row[column]) if row.get(column) else np.nan for row in self.rows])

    @property
    def origins_mm(self) -> NDArray[np.float64]:
        """LPS point of voxel 0, 0, 0 as (z, y, x): the order of the arrays."""
        return np.stack([self.numbers(f"origin_{axis}") for axis in "zyx"], axis=1)

    @property
    def centroids(self) -> NDArray[np.float64]:
        """Index (slice, row, column) of each nodule's centre of mass."""
        return np.stack([self.numbers(f"centroid_{axis}") for axis in "zyx"], axis=1) - self.origins_mm


def read_cubes(folder: str | Path, *, splits: Collection[str] = (), without: Collection[str] = ()) -> Cubes:
    """Read the cubes of the given splits (of all, if none is given), but for the patients `without`.

    Every cube also carries the other nodules of its scan that reach into it.

    Raises:
        ScanError: the folder is not laid out so, or a file is damaged.
    """
    folder = Path(folder)
    try:
        with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
            rows = [
                row for row in csv.DictReader(file) if (not splits or row["split"] in splits) and row["patient_id"] not in without
            ]
        rows.sort(key=lambda row: (row["file"], int(row["row"])))
        groups = {group: _group(folder, group) for group in dict.fromkeys(row["file"] for row in rows)}
        for row in rows:
            _check(row, len(groups[row["file"]][0]))
    except (OSError, EOFError, KeyError, TypeError, ValueError, lzma.LZMAError) as error:
        raise ScanError(
            f"{folder.name} is not a folder of nodule cubes: {error}. Give the folder that holds labels.csv and the cubes."
        ) from error
    if not rows:
        raise ScanError(
            f"{folder.name} holds no cubes of {_asked(splits, without)}. Give a split that labels.csv names, or another folder."
        )
    hu = np.stack([groups[row["file"]][0][int(row["row"])] for row in rows])
    mask = np.stack([groups[row["file"]][1][int(row["row"])] for row in rows])
    cubes = Cubes(hu=hu, mask=mask, rows=tuple(rows))
    _mark_neighbours(cubes)
    return cubes


def _asked(splits: Collection[str], without: Collection[str]) -> str:
    if splits:
        return f"split {', '.join(splits)}"
    return "patients that the model was not made with" if without else "any patient"


def _check(row: dict[str, str], cubes: int) -> None:
    """Refuse a line that names a cube which is not there, lacks its place, or has a word for a number."""
    if not 0 <= int(row["row"]) < cubes:
        raise ValueError(f"labels.csv names cube {row['row']} of {row['file']}, which holds {cubes}")
    for column in PLACE:
        float(row[column])
    require_numbers(row)


def require_numbers(row: dict[str, str]) -> None:
    """Refuse a word where a rating or a diameter is expected.

    Raises:
        ValueError: the column is named.
    """
    for column, value in row.items():
        if value and column and column.startswith(NUMBERS):
            try:
                float(value)
            except (TypeError, ValueError) as error:
                raise ValueError(f"column {column} holds something that is no number") from error
        if column == "malignant" and value and float(value) not in (0.0, 1.0):
            raise ValueError("column malignant holds something else than 0 and 1")


def _group(folder: Path, group: str) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    if not group.replace("_", "").isalnum():
        raise ValueError("a file name in labels.csv is not a bare word")
    low, high = _array(folder / f"cubes_{group}.npy.xz")
    code = low.astype(np.int32) | (high.astype(np.int32) << 8)
    steps = ((code >> 1) ^ -(code & 1)).astype(np.int16)  # zigzag: small differences of either sign are small codes
    for axis in (1, 2, 3):
        steps = np.cumsum(steps, axis=axis, dtype=np.int16)
    packed = _array(folder / f"masks_{group}.npy.xz")
    if packed.size != -(-steps.size // 8):
        raise ValueError(f"masks_{group} are not those of cubes_{group}: their sizes differ")
    bits = np.unpackbits(packed, count=steps.size)
    return steps * np.int16(HU_STEP) + np.int16(AIR_HU), bits.reshape(steps.shape)


def _array(path: Path) -> NDArray[np.uint8]:
    with lzma.open(path) as file:
        array: NDArray[np.uint8] = np.load(file, allow_pickle=False)
    return array


def _mark_neighbours(cubes: Cubes) -> None:
    edge = np.array(cubes.mask.shape[1:])
    scans: dict[str, list[int]] = {}
    for number, row in enumerate(cubes.rows):
        scans.setdefault(row["series_uid"], []).append(number)
    for members in scans.values():
        for here in members:
            for other in members:
                shift = np.round(cubes.origins_mm[other] - cubes.origins_mm[here]).astype(int) if other != here else edge
                if (np.abs(shift) >= edge).any():
                    continue
                into = tuple(slice(max(step, 0), size + min(step, 0)) for step, size in zip(shift, edge, strict=True))
                from_ = tuple(slice(max(-step, 0), size + min(-step, 0)) for step, size in zip(shift, edge, strict=True))
                target = cubes.mask[here][into]
                target[(cubes.mask[other][from_] == 1) & (target == 0)] = 2
