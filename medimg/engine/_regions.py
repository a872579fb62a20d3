"""Where in a scan to look: the box of the lungs, and the hull that they had if nothing dense had taken a part of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.preprocessing import resample
from medimg.values import Grid, Mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medimg.values import Volume

CLOSED_MM = 50.0  # a gap in a lung that is up to twice as wide is filled: what a mass of 10 cm takes of it
HULL_SPACING_MM = 6.0  # nothing hangs on a voxel of it
REACH_MM = 30.0  # how far beyond that hull a mass at the wall or the mediastinum may have its centre


def box_around(volume: Volume, region: Mask, *, margin_mm: float, spacing_mm: Sequence[float]) -> Volume:
    """Return the box of `region` and a margin around it, as far as the scan goes, on straight voxels of a spacing."""
    ends = []
    for axis in range(3):
        inside = np.flatnonzero(region.array.any(axis=tuple(other for other in range(3) if other != axis)))
        ends.append((inside[0], inside[-1]))
    first, last = np.array(ends).T
    corners = region.grid.to_mm(np.array(list(np.ndindex(2, 2, 2))) * (last - first) + first)
    outer = volume.grid.to_mm(np.array(list(np.ndindex(2, 2, 2))) * (np.array(volume.shape) - 1))
    low = np.maximum(corners.min(axis=0) - margin_mm, outer.min(axis=0))
    high = np.minimum(corners.max(axis=0) + margin_mm, outer.max(axis=0))
    step = np.array(spacing_mm, float)
    shape = np.maximum(np.floor((high - low)[::-1] / step).astype(int) + 1, 8)
    grid = Grid.straight(shape, spacing_mm=step, origin_mm=low, frame_of_reference=volume.grid.frame_of_reference)
    return resample(volume, like=grid)


def lung_hull(volume: Volume, region: Mask) -> Mask:
    """Return each lung closed over gaps of up to 10 cm, and 3 cm around it, as label 1 on straight voxels of 6 mm.

    A mass, and a lung that is dense for another reason, are not in a mask of air-holding lung; their place is in this one.
    """
    from scipy import ndimage

    grid = box_around(volume, region, margin_mm=REACH_MM, spacing_mm=(HULL_SPACING_MM,) * 3).grid
    lungs = resample(region, like=grid).array
    hull = np.zeros(grid.shape, bool)
    pad = int(np.ceil((CLOSED_MM + REACH_MM) / HULL_SPACING_MM))
    for label in np.unique(lungs[lungs > 0]):
        lung = np.pad(lungs == label, pad)
        wide = ndimage.distance_transform_edt(~lung, sampling=HULL_SPACING_MM) <= CLOSED_MM
        closed = ndimage.distance_transform_edt(wide, sampling=HULL_SPACING_MM) > CLOSED_MM - REACH_MM
        hull |= closed[pad:-pad, pad:-pad, pad:-pad]
    return Mask(array=hull, grid=grid)
