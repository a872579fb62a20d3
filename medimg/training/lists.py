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
from medimg.training.chests import TARGET, Chest, Mark
from medimg.training.cubes import NUMBERS, Cubes, require_numbers
from medimg.values import Mask

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from numpy.typing import NDArray

    from medimg.values import Grid, Volume

EDGE, SPACING_MM = 50, 1.0  # of a cube
LEAST_MM3 = 10.0  # a piece of an outline that is smaller is a stray voxel
NEEDED = ("image", "mask", "patient_id")
SEPARATORS = ",;\t"  # of columns; the first one where none finds more than the others
AIR_HU = -1024


def read_list(path: str | Path, *, splits: Collection[str] = (), without: Collection[str] = ()) -> Cubes:
    """Cut a cube of 50 mm at 1 mm around every lesion of a list of scans.

    The list is a CSV with a header, its columns parted by commas, semicolons or tabs: `image` and `mask` (NIfTI, NRRD, MHA or a
    DICOM folder; the mask may be a DICOM SEG or RTSTRUCT), each relative to the list, and `patient_id`. `split`, `manufacturer`,
    `malignant` (0 or 1) and LIDC's ratings (`malignancy_mean`, `texture_mean` ...) are taken where they stand. Every connected
    piece of a mask is a lesion.
    Beyond the ends of a scan its cube holds air, as those of a folder of cubes do.

    Raises:
        ScanError: the list cannot be read, a scan or mask of it cannot, or they lie on different places; the line is named.
    """
    path = Path(path)
    parts = [part for line, pair in _pairs(path, splits, without) for part in _lesions(line, *pair)]
    if not parts:
        of_others = " of patients that the model was not made with" if without else ""
        whose = f" of the split {', '.join(splits)}" if splits else of_others
        raise ScanError(f"{path.name} holds no lesion{whose}. Give a list with masks of lesions, or another split.")
    hu, mask, rows = zip(*parts, strict=True)
    return Cubes(hu=np.stack(hu), mask=np.stack(mask), rows=tuple(rows))


def list_chests(path: str | Path, *, splits: Collection[str] = (), without: Collection[str] = ()) -> Iterator[Chest]:
    """Give the scans of a list whole, one after the other, each connected piece of its mask as a mark: what a search should find.

    Raises:
        ScanError: as `read_list`.
    """
    for line, (volume, mask) in _pairs(Path(path), splits, without):
        marks = []
        for inside, corner in _pieces(mask, volume.grid):
            center = volume.grid.to_mm(np.argwhere(inside).mean(axis=0) + corner)
            volume_mm3 = np.count_nonzero(inside) * volume.grid.voxel_volume_mm3
            x, y, z = center.tolist()
            marks.append(Mark(kind=TARGET, center_mm=(x, y, z), diameter_mm=float(np.cbrt(6 / np.pi * volume_mm3))))
        name = short_name("scan", line["image"])
        patient = line["patient_id"]
        yield Chest(name=name, split=line.get("split") or "", volume=volume, marks=tuple(marks), patient=patient)


def _pairs(
    path: Path, splits: Collection[str], without: Collection[str]
) -> Iterator[tuple[dict[str, str], tuple[Volume, NDArray[np.bool_]]]]:
    """Give every line of a list that was asked for, with its scan and its mask; what is wrong with one names the line."""
    try:
        lines = _lines(path)
    except (OSError, ValueError) as error:
        raise ScanError(f"{path.name} cannot be read as a list: {error}. Give a CSV with columns {', '.join(NEEDED)}.") from error
    missing = [name for name in NEEDED if not lines or name not in lines[0]]
    if missing:
        raise ScanError(f"{path.name} has no column {', '.join(missing)}. Give a CSV with columns {', '.join(NEEDED)}.")
    seen: set[str] = set()
    for number, line in enumerate(lines, 2):
        if (splits and line.get("split") not in splits) or line["patient_id"] in without:
            continue
        empty = [name for name in NEEDED if not line[name]]
        if empty:
            raise ScanError(f"Line {number} of {path.name} says nothing for {', '.join(empty)}. Complete or remove it.")
        try:
            require_numbers(line)
        except ValueError as error:
            raise ScanError(f"Line {number} of {path.name}: {error}. Correct it, or leave it empty.") from error
        if line["image"] in seen:
            raise ScanError(f"Line {number} of {path.name} names a scan again. Put all lesions of a scan into one mask.")
        seen.add(line["image"])
        try:
            volume = read(path.parent / line["image"])
            pair = volume, _mask(path.parent / line["mask"], path.parent / line["image"], volume)
        except MedimgError as error:
            raise ScanError(f"Line {number} of {path.name}: {error}") from error
        yield line, pair


def _lines(path: Path) -> list[dict[str, str]]:
    """Return the lines of a list by its columns; in much of the world spreadsheets part these by semicolons and write 4,25.

    The separator is the one that finds the most columns in the header: paths may hold each of them.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets write a mark of order first
        header = file.readline()
        found = {mark: next(csv.reader([header], delimiter=mark), []) for mark in SEPARATORS}
        mark = max(SEPARATORS, key=lambda mark: sum(name in found[mark] for name in NEEDED))
        file.seek(0)
        lines = list(csv.DictReader(file, delimiter=mark))
    for line in lines if mark != "," else ():
        for name in found[mark]:
            if name.startswith(NUMBERS) and line[name]:
                line[name] = line[name].replace(",", ".")
    return lines


def _pieces(mask: NDArray[np.bool_], grid: Grid) -> Iterator[tuple[NDArray[np.bool_], tuple[int, int, int]]]:
    """Give each connected piece of a mask that is no stray voxel: in its box, and the box's corner."""
    from scipy import ndimage

    labels, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        inside = labels[box] == number
        if np.count_nonzero(inside) * grid.voxel_volume_mm3 >= LEAST_MM3:
            yield inside, (box[0].start, box[1].start, box[2].start)


def _lesions(
    line: dict[str, str], volume: Volume, mask: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.int16], NDArray[np.uint8], dict[str, str]]]:
    for number, (inside, corner) in enumerate(_pieces(mask, volume.grid), 1):
        box = tuple(slice(low, low + size) for low, size in zip(corner, inside.shape, strict=True))
        alone = np.zeros_like(mask)
        alone[box] = inside
        index = np.argwhere(inside).mean(axis=0) + corner
        grid = cube_grid(volume.grid.to_mm(index).tolist(), edge=EDGE, spacing_mm=SPACING_MM)
        scanned = _is_scanned(volume.grid, grid)
        values = np.where(scanned, sample(volume, grid), AIR_HU)
        hu = np.clip(np.rint(values), AIR_HU, 32767).astype(np.int16)
        own = (sample_array(alone, volume.grid, grid, mode="nearest") >= 0.5) & scanned
        others = (sample_array(mask & ~alone, volume.grid, grid, mode="nearest") >= 0.5) & scanned
        if not own.any():
            continue
        centroid = grid.to_mm(np.argwhere(own).mean(axis=0))
        diameter_mm = float(np.cbrt(6 / np.pi * own.sum() * SPACING_MM**3))
        yield hu, np.where(own, 1, np.where(others, 2, 0)).astype(np.uint8), _row(line, number, grid, centroid, diameter_mm)


def _is_scanned(scan: Grid, cube: Grid) -> NDArray[np.bool_]:
    """Say which voxels of a cube lie in a scan.

    Beyond its end a lesion that it cuts would go on, and there is no outline there: it would be learnt and counted as wrong.
    """
    places = scan.to_index(cube.to_mm(np.array(list(np.ndindex(*cube.shape)))))
    inside = np.asarray(np.logical_and(places >= -0.5, places <= np.array(scan.shape) - 0.5).all(axis=1), bool)
    return inside.reshape(cube.shape)


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
