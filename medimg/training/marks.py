"""Marks of one or two readers inside nodule cubes: neither nodule nor background, in training and in measuring.

LIDC's table gives a mark's place in pixels of its series; the cubes give millimetres. A series' origin follows from the nodules
that both name: those of three and more readers.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from medimg.training._blocks import IGNORED

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from medimg.training.cubes import Cubes

TABLE = "tables/lidc_reader_ratings_all.csv"
ENOUGH_READERS = 3
SAME_SLICE_MM = 4.0  # the table gives one slice of a nodule, the cubes the centre of its mask
AGREE_MM = 4.0  # origins that two nodules of a series give differ by their outlines' centres, not by more
MARGIN_MM = 3.0  # round a mark's half long axis: the table has its middle slice only


def mark_ignored(cubes: Cubes, table: Path) -> int:
    """Label what one or two readers marked in `cubes.mask` (where no nodule is), and return how many cubes have such a mark."""
    with table.open(newline="", encoding="utf-8") as file:
        lines: dict[str, list[dict[str, str]]] = defaultdict(list)
        for line in csv.DictReader(file):
            lines[line["series_uid"]].append(line)
    members: dict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(cubes.rows):
        if row.get("source_flipped") != "1":  # pixels of a turned scan count the other way
            members[row["series_uid"]].append(number)
    axes = np.ogrid[tuple(slice(size) for size in cubes.mask.shape[1:])]
    marked = set()
    for series, numbers in members.items():
        origin = _origin(cubes, numbers, lines[series])
        if origin is None:
            continue
        for line in lines[series]:
            if int(line["n_readers"]) >= ENOUGH_READERS:
                continue
            x, y = _plane(line) + origin
            radius = float(line["major_axis_mm"] or 0) / 2 + MARGIN_MM
            for number in numbers:
                center = np.array([float(line["slice_z_mm"]), y, x]) - cubes.origins_mm[number]
                near = sum((axis - place) ** 2 for axis, place in zip(axes, center, strict=True)) < radius**2
                target = cubes.mask[number]
                if (near & (target == 0)).any():
                    target[near & (target == 0)] = IGNORED
                    marked.add(number)
    return len(marked)


def _plane(line: dict[str, str]) -> NDArray[np.float64]:
    spacing = float(line["pixel_spacing_mm"])
    return np.array([float(line["column_px"]) * spacing, float(line["row_px"]) * spacing])


def _origin(cubes: Cubes, numbers: list[int], lines: list[dict[str, str]]) -> NDArray[np.float64] | None:
    """Return the LPS x, y of a series' first pixel; None where its nodules do not agree on one."""
    agreed = [line for line in lines if int(line["n_readers"]) >= ENOUGH_READERS]
    origins = []
    for number in numbers:
        row = cubes.rows[number]
        z = float(row["centroid_z"])
        near = [line for line in agreed if abs(float(line["slice_z_mm"]) - z) < SAME_SLICE_MM]
        same = [line for line in near if all(line[f"malignancy_r{k}"] == row[f"malignancy_r{k}"] for k in range(1, 5))]
        if len(same or near) == 1:
            origins.append(np.array([float(row["centroid_x"]), float(row["centroid_y"])]) - _plane((same or near)[0]))
    if not origins or np.ptp(origins, axis=0).max() > AGREE_MM:
        return None
    middle: NDArray[np.float64] = np.median(origins, axis=0)
    return middle
