"""A small copy of a CT to find organs on, and the way back to the voxels of the scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.preprocessing._background import AIR_HU
from medimg.preprocessing.orient import orient
from medimg.values import Mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from medimg.values import Volume

BLOCK_MM = 2.0  # fine enough for the walls of main bronchi and the pleura between the lungs, and averages the noise away
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
    axis_codes: str  # of the scan as it came

    @property
    def voxel_ml(self) -> float:
        """Millilitres of one block."""
        return self.scan.grid.voxel_volume_mm3 * float(np.prod(self.factors)) / 1000

    def back(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return labels of the oriented scan from labels of the blocks."""
        for axis, factor in enumerate(self.factors):
            labels = np.repeat(labels, factor, axis=axis) if factor > 1 else labels
        slices, rows, columns = self.scan.shape
        return labels[:slices, :rows, :columns]


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
    return Coarse(hu=hu, spacing_mm=spacing, factors=factors, scan=scan, axis_codes=volume.grid.axis_codes)  # type: ignore[arg-type]


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
