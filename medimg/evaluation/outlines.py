"""How well an outline fits another."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE_MM = 1.0  # of the surface Dice: a voxel of the cubes
MARGIN = 2  # voxels around both outlines that are looked at


@dataclass(frozen=True, kw_only=True)
class Outline:
    """How an outline fits the true one; distances are nan if one of the two is empty.

    `dice` 0 to 1; `nsd` is the share of both surfaces within `TOLERANCE_MM` of the other (normalized surface Dice); `hd95_mm` the
    95th percentile of the distance between surfaces; `volume_error` (outline - truth) / truth.
    """

    dice: float
    nsd: float
    hd95_mm: float
    volume_error: float


def compare_outlines(
    drawn: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    *,
    spacing_mm: tuple[float, float, float],
    tolerance_mm: float = TOLERANCE_MM,
) -> Outline:
    """Compare two outlines (slice, row, column) on one grid, with MONAI's metrics."""
    import torch
    from monai.metrics import compute_dice, compute_hausdorff_distance, compute_surface_dice

    both = drawn | truth
    nan = float("nan")
    if not truth.any() or not drawn.any():
        return Outline(
            dice=0.0 if both.any() else nan,
            nsd=0.0 if both.any() else nan,
            hd95_mm=nan,
            volume_error=-1.0 if truth.any() else nan,
        )
    places = np.argwhere(both)
    low, high = np.maximum(places.min(axis=0) - MARGIN, 0), places.max(axis=0) + MARGIN + 1
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    one, other = (torch.from_numpy(np.pad(mask[box], MARGIN))[None, None].float() for mask in (drawn, truth))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # MONAI warns of an argument that it sets itself
        surface = compute_surface_dice(one, other, [tolerance_mm], include_background=True, spacing=spacing_mm)
        distance = compute_hausdorff_distance(one, other, include_background=True, percentile=95, spacing=spacing_mm)
    return Outline(
        dice=float(compute_dice(one, other, include_background=True)),
        nsd=float(surface),
        hd95_mm=float(distance),
        volume_error=float(drawn.sum() / truth.sum() - 1),
    )
