"""Trachea and main bronchi on a coarse CT."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SEED_MEAN_HU = -880  # the inside of a trachea is air; a tip of lung of the same size is not
SEED_CM2 = (0.5, 8.0)  # cross section of a child's to a wide adult trachea
GROW_BELOW_HU = (-900, -925, -950, -970, -985)  # tried from the widest; the lung itself begins above
MOST_ML = 100.0  # trachea and the bronchi that can be followed hold 40 to 80 ml; more is a leak into the lung
IN_PLANE = np.array([np.zeros((3, 3)), [[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.zeros((3, 3))], dtype=bool)


def airways(
    hu: NDArray[np.float32], air: NDArray[np.bool_], spacing_mm: Sequence[float], *, voxel_ml: float
) -> NDArray[np.bool_]:
    """Return the lumen of trachea and main bronchi within `air`."""
    from scipy import ndimage

    pieces, count = ndimage.label(air, structure=IN_PLANE)
    flat = pieces.ravel()
    inside = ndimage.binary_erosion(air, structure=IN_PLANE)
    sizes = np.bincount(flat, minlength=count + 1)
    cores = np.bincount(flat, weights=inside.ravel(), minlength=count + 1)
    means = np.bincount(flat, weights=(hu * inside).ravel(), minlength=count + 1) / np.maximum(cores, 1)
    area = sizes * spacing_mm[1] * spacing_mm[2] / 100
    seed = (area >= SEED_CM2[0]) & (area <= SEED_CM2[1]) & (means < SEED_MEAN_HU) & (cores > 0)
    seed[0] = False
    seeds = seed[pieces]
    # only chains of at least some length are tubes
    chains, _ = ndimage.label(seeds)
    best = np.zeros_like(seeds)
    for number, box in enumerate(ndimage.find_objects(chains), 1):
        if (box[0].stop - box[0].start) * spacing_mm[0] >= 10:
            best[box] |= chains[box] == number
    if not best.any():
        return best
    for limit in GROW_BELOW_HU:
        grown, _ = ndimage.label(air & ((hu < limit) | best), structure=np.ones((3, 3, 3)))
        touched = np.unique(grown[best])
        found = np.isin(grown, touched[touched > 0])
        if found.sum() * voxel_ml <= MOST_ML:
            return found
    return best
