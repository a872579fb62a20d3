"""A list of scans with outlines (CSV) as nodule cubes: what a user has is cut to what training and evaluation take."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg._tools.identity import short_name
from medimg.engine.cubes import cube_grid, sample, sample_array
from medimg.errors import MedimgError, ScanError
from medimg.preprocessing import resample
from medimg.readers import read, read_mask
from medimg.readers._mask import RTSTRUCT, SEG, kind_of
from medimg.training.cubes import Cubes
from medimg.values import Mask

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from numpy.typing import NDArray

    from medimg.values import Grid, Volume

EDGE, SPACING_MM = 50, 1.0  # of a cube
LEAST_MM3 = 10.0  # a piece of an outline that is smaller is a stray voxel
NEEDED = ("image", "mask", "patient_id")
AIR_HU = -1024


def read_list(path: str | Path, *, splits: Collection[str] = (), without: Collection[str] = ()) -> Cubes:
    """Cut a cube of 50 mm at 1 mm around every lesion of a list of scans.

    The list is a CSV with a header: `image` and `mask` (NIfTI, NRRD, MHA or a DICOM folder; the mask may be a DICOM SEG or
    RTSTRUCT), each relative to the list, and `patient_id`. `split`, `manufacturer`, `malignant` (0 or 1) and LIDC's ratings
    (`malignancy_mean`, `texture_mean` ...) are taken where they stand. Every connected piece of a mask is a lesion.

    Raises:
        ScanError: the list cannot be read, a scan or mask of it cannot, or they lie on different places; the line is named.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
    except (OSError, ValueError) as error:
        raise ScanError(f"{path.name} cannot be read as a list: {error}. Give a CSV with columns {', '.join(NEEDED)}.") from error
    missing = [name for name in NEEDED if not lines or name not in lines[0]]
    if missing:
        raise ScanError(f"{path.name} has no column {', '.join(missing)}. Give a CSV with columns {', '.join(NEEDED)}.")
    chosen = [
        (number, line)
        for number, line in enumerate(lines, 2)
        if (not splits or line.get("split") in splits) and line["patient_id"] not in without
    ]
    parts = []
    for number, line in chosen:
        try:
            parts += list(_lesions(path.parent, line))
        except MedimgError as error:
            raise ScanError(f"Line {number} of {path.name}: {error}") from error
    if not parts:
        raise ScanError(f"{path.name} holds no lesion that was asked for. Give a list with masks of lesions, or another split.")
    hu, mask, rows = zip(*parts, strict=True)
    return Cubes(hu=np.stack(hu), mask=np.stack(mask), rows=tuple(rows))


def _lesions(folder: Path, line: dict[str, str]) -> Iterator[tuple[NDArray[np.int16], NDArray[np.uint8], dict[str, str]]]:
    from scipy import ndimage

    volume = read(folder / line["image"])
    mask = _mask(folder / line["mask"], folder / line["image"], volume)
    labels, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    voxel_mm3 = volume.grid.voxel_volume_mm3
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        inside = labels[box] == number
        if inside.sum() * voxel_mm3 < LEAST_MM3:
            continue
        index = np.argwhere(inside).mean(axis=0) + [side.start for side in box]
        grid = cube_grid(volume.grid.to_mm(index).tolist(), edge=EDGE, spacing_mm=SPACING_MM)
        hu = np.clip(np.rint(sample(volume, grid)), AIR_HU, 32767).astype(np.int16)
        own = sample_array((labels == number).astype(np.float32), volume.grid, grid, mode="constant") >= 0.5
        others = sample_array((mask & (labels != number)).astype(np.float32), volume.grid, grid, mode="constant") >= 0.5
        if not own.any():
            continue
        centroid = grid.to_mm(np.argwhere(own).mean(axis=0))
        diameter_mm = float(np.cbrt(6 / np.pi * own.sum() * SPACING_MM**3))
        yield hu, np.where(own, 1, np.where(others, 2, 0)).astype(np.uint8), _row(line, number, grid, centroid, diameter_mm)


def _row(line: dict[str, str], number: int, grid: Grid, centroid: Any, diameter_mm: float) -> dict[str, str]:
    scan = short_name("scan", line["image"])
    places = {f"origin_{axis}": f"{value:.4f}" for axis, value in zip("xyz", grid.origin_mm, strict=True)}
    places |= {f"centroid_{axis}": f"{value:.4f}" for axis, value in zip("xyz", centroid, strict=True)}
    told = {name: value for name, value in line.items() if name not in ("image", "mask") and value is not None}
    return _Row({"nodule_id": f"{scan}-{number}", "series_uid": scan, "diameter_mm": f"{diameter_mm:.3f}", **told, **places})


class _Row(dict[str, str]):
    """A line in which every column that the list has not is empty."""

    def __missing__(self, key: str) -> str:
        return ""


def _mask(path: Path, image: Path, volume: Volume) -> NDArray[np.bool_]:
    """Read an outline, all its labels as one, and put it onto the scan's grid; one that lies elsewhere is refused."""
    if kind_of(path) in (SEG, RTSTRUCT):
        return read_mask(path, scan=image, overlap="smallest").array > 0
    mask = _of_volume(read(path))
    if mask.grid.fits(volume.grid):
        return mask.array > 0
    placed = resample(mask, like=volume.grid).array > 0
    if not placed.any():
        raise ScanError("The mask does not lie on the scan. Give the mask of this very scan.")
    return placed


def _of_volume(volume: Volume) -> Mask:
    return Mask(array=volume.array > 0, grid=volume.grid)
