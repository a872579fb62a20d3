"""A small copy of a CT to find organs on, and the way back to the voxels of the scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.preprocessing._background import AIR_HU
from medimg.preprocessing._shapes import box_of, wider
from medimg.preprocessing.orient import orient
from medimg.values import Mask

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from medimg.values import Volume

    Weights: TypeAlias = tuple[NDArray[np.intp], NDArray[np.float32]]

BLOCK_MM = 2.0  # fine enough for the walls of main bronchi and the pleura between the lungs, and averages the noise away
NEXT_TO = 0.05  # of a block: a voxel with less of the labels around it lies a whole block away
HIGHEST_HU = 1500  # metal is no more than bone to whoever looks for organs; keeps it from brightening its neighbours


@dataclass(frozen=True, kw_only=True)
class Coarse:
    """A CT with slices upwards, rows to the back and columns to the left, whole blocks of voxels averaged to some 2 mm.

    Blocks keep the way back exact: voxel (k, j, i) of the oriented scan lies in block (k // factor ...), however the scan was
    turned. Oblique and sheared scans stay as they are, named by their nearest directions.
    """

    hu: NDArray[np.float32]
    spacing_mm: tuple[float, float, float]
    factors: tuple[int, int, int]
    scan: Volume  # oriented SPL

    @property
    def voxel_ml(self) -> float:
        """Millilitres of one block."""
        return self.scan.grid.voxel_volume_mm3 * float(np.prod(self.factors)) / 1000

    def back(self, labels: NDArray[np.uint8], *, air_below_hu: float | None = None) -> NDArray[np.uint8]:
        """Return labels 1 and 2 of the oriented scan from labels of the blocks, smooth at the border instead of in steps.

        With `air_below_hu` darker voxels of the scan join where they lie within a block of the labels.
        """
        fine = np.zeros(self.scan.shape, dtype=np.uint8)
        if not labels.any():
            return fine
        box = wider(box_of(labels > 0), (1, 1, 1), labels.shape)
        region = tuple(
            slice(side.start * factor, min(side.stop * factor, size))
            for side, factor, size in zip(box, self.factors, self.scan.shape, strict=True)
        )
        part = labels[box]
        any_, side = (part > 0).astype(np.float32), (part == 2).astype(np.float32) - (part == 1).astype(np.float32)
        wide = [_weights(stop.stop - stop.start, factor) for stop, factor in zip(region, self.factors, strict=True)]
        result, hu = fine[region], self.scan.array[region]
        for index, (low, weight) in enumerate(zip(*wide[0], strict=True)):
            planes = [_plane(block, low, weight, wide[1], wide[2]) for block in (any_, side)]
            inside = planes[0] >= 0.5
            if air_below_hu is not None:
                inside |= (planes[0] > NEXT_TO) & (hu[index] < air_below_hu)
            result[index] = np.where(inside, np.where(planes[1] > 0, np.uint8(2), np.uint8(1)), np.uint8(0))
        return fine


def _weights(size: int, factor: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return for each voxel the block before it and the weight of the block after that one (linear between block centres)."""
    place = np.maximum((np.arange(size) + 0.5) / factor - 0.5, 0)
    low = np.minimum(place.astype(np.intp), max(-(-size // factor) - 2, 0))
    return low, np.minimum(place - low, 1 if size > factor else 0).astype(np.float32)


def _plane(block: NDArray[np.float32], low: int, weight: float, rows: Weights, columns: Weights) -> NDArray[np.float32]:
    """Return one slice of the scan, linear between the centres of the blocks."""
    plane = block[low] if weight == 0 else block[low] * (1 - weight) + block[low + 1] * weight
    (first, part), (left, share) = rows, columns
    plane = plane[first] + (plane[np.minimum(first + 1, len(plane) - 1)] - plane[first]) * part[:, None]
    plane = plane.T
    plane = plane[left] + (plane[np.minimum(left + 1, len(plane) - 1)] - plane[left]) * share[:, None]
    return plane.T


def coarse(volume: Volume, *, block_mm: float = BLOCK_MM) -> Coarse:
    """Return the small copy of a CT in HU."""
    scan = orient(volume, axis_codes="SPL")
    slices, rows, columns = (max(1, round(block_mm / spacing)) for spacing in scan.grid.spacing_mm)
    factors = (slices, rows, columns)
    shape = tuple(-(-size // factor) for size, factor in zip(scan.shape, factors, strict=True))
    hu = np.empty(shape, dtype=np.float32)
    for block in range(shape[0]):
        hu[block] = _mean(scan.array[block * slices : (block + 1) * slices], factors, shape)
    spacing = tuple(spacing * factor for spacing, factor in zip(scan.grid.spacing_mm, factors, strict=True))
    return Coarse(hu=hu, spacing_mm=spacing, factors=factors, scan=scan)  # type: ignore[arg-type]


def _mean(slab: NDArray[Any], factors: tuple[int, ...], shape: tuple[int, ...]) -> NDArray[np.float32]:
    plane = np.clip(slab, AIR_HU, HIGHEST_HU).sum(axis=0, dtype=np.float32) / len(slab)
    missing = [size * factor - there for size, factor, there in zip(shape[1:], factors[1:], plane.shape, strict=True)]
    if any(missing):
        plane = np.pad(plane, [(0, more) for more in missing], mode="edge")
    total = np.zeros(shape[1:], dtype=np.float32)
    for row in range(factors[1]):
        for column in range(factors[2]):
            total += plane[row :: factors[1], column :: factors[2]]
    total /= factors[1] * factors[2]
    return total


def as_it_came(labels: NDArray[np.uint8], small: Coarse, volume: Volume) -> NDArray[np.uint8]:
    """Return labels of the oriented scan on the grid of the volume it was made from."""
    turned = orient(Mask(array=labels, grid=small.scan.grid), axis_codes=volume.grid.axis_codes)
    turned.grid.require_fit(volume.grid, "The mask")
    return np.asarray(turned.array)
