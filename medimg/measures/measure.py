"""Size and density of an outlined lesion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.errors import GeometryError
from medimg.measures.diameters import diameters
from medimg.values import Measures

if TYPE_CHECKING:
    from medimg.values import Mask, Volume

PADDING_HU = -1500  # air is -1000, and its noise stays above this; scanners fill with -1500 (GE HiSpeed), -2000, -2048, -3024


def measure(volume: Volume | None, mask: Mask, *, label: int) -> Measures:
    """Measure one label of a mask in the patient.

    - `volume_mm3`: number of voxels times the volume of one (the voxel-sum volume, IBSI YEKZ), right on sheared grids too.
    - `longest_diameter_mm`, `short_diameter_mm`: see `diameters`.
    - `mean_hu`, `sd_hu` (of the population), `min_hu`, `max_hu`: of the voxels of the label, every voxel counted once; None
      without a volume or where its unit is not HU. Nothing is clipped, windowed or resampled. Voxels at or below -1500 HU are
      left out: nothing is that thin, and scanners fill with such values what lies outside of their field of view. Where
      somebody has clipped these to -1024 they cannot be told from air, and count.

    Only the label's bounding box is looked at.

    Raises:
        GeometryError: the label has no voxel, or volume and mask lie on different grids.
    """
    if volume is not None:
        volume.grid.require_fit(mask.grid, "The mask")
    size = diameters(mask, label=label)
    box = mask.box(label)
    assert box is not None  # `diameters` has refused an empty label
    found = mask.array[box] == label
    density: dict[str, float] = {}
    if volume is not None and volume.unit == "HU":
        values = volume.array[box][found].astype(np.float64)
        values = values[values > PADDING_HU]
        if len(values):
            density = {
                "mean_hu": float(values.mean()),
                "sd_hu": float(values.std()),
                "min_hu": float(values.min()),
                "max_hu": float(values.max()),
            }
    return Measures(
        volume_mm3=float(np.count_nonzero(found)) * mask.grid.voxel_volume_mm3,
        longest_diameter_mm=size.long_mm,
        short_diameter_mm=size.short_mm,
        **density,
    )


def padding(volume: Volume, mask: Mask, *, label: int) -> int:
    """Return how many voxels of a label hold what a scanner writes where it measured nothing: `measure` leaves them out of HU."""
    box = mask.box(label)
    if box is None or volume.unit != "HU":
        return 0
    return int(np.count_nonzero((volume.array[box] <= PADDING_HU) & (mask.array[box] == label)))


def center_mm(mask: Mask, *, label: int) -> tuple[float, float, float]:
    """Return the centre of mass of a label, an LPS point in millimetres. All voxels weigh the same.

    Raises:
        GeometryError: the label has no voxel.
    """
    box = mask.box(label)
    if box is None:
        raise GeometryError(f"The mask has no voxel of label {label}, so it has no centre. Give a label that it has.")
    places = np.argwhere(mask.array[box] == label).mean(axis=0) + [side.start for side in box]
    x, y, z = mask.grid.to_mm(places)
    return float(x), float(y), float(z)
