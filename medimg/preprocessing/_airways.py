"""Trachea and main bronchi on a coarse CT."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.preprocessing._shapes import IN_PLANE, dilated, distance_mm, piece_means

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FREE_AIR_HU = -1000
LEAST_PURE_HU, PUREST_HU = -880, -960  # a seed's inside is nearer to free air than to this patient's lung, within these limits
SEED_CM2 = (0.5, 8.0)  # cross section of a child's to a wide adult trachea
MOSTLY = 0.9  # of a pocket has the body around it
SEED_MM = 10.0  # a bubble is shorter
BRONCHUS_RADIUS_MM = 3.0  # main bronchi have 5 to 8, less half a coarse voxel; lobar bronchi 4
GROW_BELOW_HU = (-900, -925, -950, -970, -985)  # tried from the widest; the lung itself begins above
MOST_ML = 100.0  # trachea and the bronchi that can be followed hold 40 to 80 ml; more is a leak into the lung


def airways(
    hu: NDArray[np.float32],
    air: NDArray[np.bool_],
    around: NDArray[np.uint8],
    spacing_mm: Sequence[float],
    *,
    voxel_ml: float,
) -> NDArray[np.bool_]:
    """Return the lumen of trachea and main bronchi within `air` (the air inside of the patient).

    `around` says in how many of the four directions of its slice each voxel has the body.

    A trachea begins where a slice cuts it as a small round pocket of pure air, over at least a centimetre of slices. From there
    it is followed downwards through pure air; if that leaks into the lung, through purer air. What is narrower than a main
    bronchus belongs to the lung.
    """
    from scipy import ndimage

    seeds = _tubes(hu, air, around, spacing_mm)
    if not seeds.any():
        return seeds
    for limit in GROW_BELOW_HU:
        grown, _ = ndimage.label(air & ((hu < limit) | seeds), structure=np.ones((3, 3, 3)))
        touched = np.unique(grown[seeds])
        found = np.isin(grown, touched[touched > 0])
        if found.sum() * voxel_ml <= max(MOST_ML, 1.5 * seeds.sum() * voxel_ml):
            break
    else:
        return seeds
    wide = dilated(distance_mm(found, spacing_mm) > BRONCHUS_RADIUS_MM, BRONCHUS_RADIUS_MM, spacing_mm) & found
    joined, _ = ndimage.label(wide | seeds)
    touched = np.unique(joined[seeds])
    return np.isin(joined, touched[touched > 0])


def _tubes(
    hu: NDArray[np.float32], air: NDArray[np.bool_], around: NDArray[np.uint8], spacing_mm: Sequence[float]
) -> NDArray[np.bool_]:
    """Return the pockets that look like a cut through a trachea or main bronchus, where they continue over some slices."""
    from scipy import ndimage

    inside = ndimage.binary_erosion(air, structure=IN_PLANE)
    if not inside.any():
        return np.zeros_like(air)
    lung_hu = float(np.median(hu[inside]))
    pure_hu = min(max((lung_hu + FREE_AIR_HU) / 2, PUREST_HU), LEAST_PURE_HU)
    pieces, _ = ndimage.label(air, structure=IN_PLANE)
    area_cm2 = np.bincount(pieces.ravel()) * spacing_mm[1] * spacing_mm[2] / 100
    means = piece_means(pieces, hu, inside)[1]
    shares = piece_means(pieces, around >= 3, air)[1]  # an edge of the scan may cut off the fourth
    seed = (area_cm2 >= SEED_CM2[0]) & (area_cm2 <= SEED_CM2[1]) & (means < pure_hu) & (shares > MOSTLY)
    seed[0] = False
    chains, _ = ndimage.label(seed[pieces])
    long_enough = [0] + [int((box[0].stop - box[0].start) * spacing_mm[0] >= SEED_MM) for box in ndimage.find_objects(chains)]
    return np.asarray(long_enough, dtype=bool)[chains]
