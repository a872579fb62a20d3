"""A few numbers of a lesion that a small model can weigh and a person can check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.measures.diameters import diameters
from medimg.values import Grid, Mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMES = ("log_diameter", "mean_hu", "sd_hu", "max_hu", "min_hu", "elongation", "roundness")
TEN_MM = 10.0


def descriptors(hu: NDArray[Any], inside: NDArray[np.bool_], *, spacing_mm: float) -> dict[str, float]:
    """Return what `NAMES` lists of the voxels `inside` (slice, row, column) on a grid with equal steps; {} if there are none.

    - `log_diameter`: ln(d / 10 mm), with d the diameter of the sphere of the same volume;
    - `mean_hu`, `sd_hu`, `max_hu`, `min_hu`: of all the voxels: what a scanner writes outside of its field of view counts
      here as it stands, for a model weighs these numbers as it was taught them (`measure` leaves it out);
    - `elongation`: longest diameter within a slice over d; `roundness`: short over long diameter (see `diameters`).
    """
    places = np.argwhere(inside)
    if not len(places):
        return {}
    low, high = places.min(axis=0), places.max(axis=0) + 1
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    part = inside[box]
    size = diameters(Mask(array=part, grid=Grid.straight(part.shape, spacing_mm=(spacing_mm,) * 3)), label=1)
    diameter_mm = float(np.cbrt(6 / np.pi * len(places))) * spacing_mm
    values = np.asarray(hu[box], np.float64)[part]
    return {
        "log_diameter": float(np.log(diameter_mm / TEN_MM)),
        "mean_hu": float(values.mean()),
        "sd_hu": float(values.std()),
        "max_hu": float(values.max()),
        "min_hu": float(values.min()),
        "elongation": size.long_mm / diameter_mm,
        "roundness": size.short_mm / size.long_mm,
    }
