"""A chest of ellipsoids, whose lungs are known exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from medimg.values import Grid, Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

WALL_NODULE_MM = (-118.0, 0.0, 20.0)  # its middle, at the right chest wall
TRACHEA_MM = (0.0, 20.0, 85.0)
BOWEL_MM = (50.0, -40.0, -150.0)


@dataclass(frozen=True, kw_only=True)
class Thorax:
    """The scan and the truth: lung air with nodule and vessels (1 left, 2 right)."""

    volume: Volume
    truth: NDArray[np.uint8]


def thorax(
    *, spacing_mm: tuple[float, float, float] = (3.0, 3.0, 3.0), left: bool = True, right: bool = True, seed: int = 0
) -> Thorax:
    """Make a chest in air on a table, 400 x 300 x 400 mm: two lungs, trachea, heart, spine, bowel gas, a nodule at the wall."""
    grid = Grid.straight(
        (round(400 / spacing_mm[0]), round(300 / spacing_mm[1]), round(400 / spacing_mm[2])),
        spacing_mm=spacing_mm,
        origin_mm=(-200.0, -150.0, -200.0),
    )
    z, y, x = np.meshgrid(*(np.arange(size) * step for size, step in zip(grid.shape, spacing_mm, strict=True)), indexing="ij")
    x, y, z = x - 200, y - 150, z - 200

    def ellipsoid(middle: tuple[float, float, float], radii: tuple[float, float, float]) -> NDArray[np.bool_]:
        return sum(((c - m) / r) ** 2 for c, m, r in zip((x, y, z), middle, radii, strict=True)) <= 1

    hu = np.full(grid.shape, -1000.0)
    hu[(np.abs(y - 125) < 3) & (np.abs(x) < 190)] = -200  # the table's plate; the foam under it:
    hu[(y > 128) & (y < 146) & (np.abs(x) < 190)] = -900
    hu[(x / 170) ** 2 + (y / 110) ** 2 <= 1] = 40
    truth = np.zeros(grid.shape, dtype=np.uint8)
    heart = ellipsoid((15, -15, -20), (60, 50, 60))
    for label, side, wanted in ((1, 75, left), (2, -75, right)):
        lung = ellipsoid((side, 0, 20), (52, 78, 115)) & ~heart
        if wanted:
            hu[lung] = -850
            truth[lung] = label
    vessel = (truth > 0) & ((np.abs(y - 10) % 30 < 4) & (np.abs(z) % 30 < 4))
    hu[vessel] = 40
    hu[ellipsoid((0, 75, 0), (20, 20, 1e6))] = 500
    hu[((x - TRACHEA_MM[0]) / 9) ** 2 + ((y - TRACHEA_MM[1]) / 9) ** 2 <= np.where(z > 30, 1, 0)] = -1000
    if right:
        nodule = ellipsoid(WALL_NODULE_MM, (10, 10, 10))
        hu[nodule] = 40
    hu[ellipsoid(BOWEL_MM, (40, 30, 25))] = -1000
    hu += np.random.default_rng(seed).normal(0, 20, hu.shape)
    return Thorax(volume=Volume(array=np.rint(hu).astype(np.int16), grid=grid, modality="CT", unit="HU"), truth=truth)
