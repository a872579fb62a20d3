"""A ball in air-filled lung: the simplest scan with a known answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.errors import OptionError
from medimg.values import Grid, Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LINES = 8  # lines through a voxel along each in-plane axis; along the slices the share is exact


def ball(
    *,
    radius_mm: float,
    spacing_mm: Sequence[float] = (1.0, 1.0, 1.0),
    center_mm: Sequence[float] = (0.0, 0.0, 0.0),
    margin_mm: float = 8.0,
    inside_hu: float = 40.0,
    outside_hu: float = -850.0,
) -> Volume:
    """Make a CT of a ball of soft tissue in lung, every voxel as bright as the share of it that the ball fills.

    The grid is axial (SPL), `spacing_mm` (slice, row, column), and reaches at least `margin_mm` beyond the ball, which lies at
    `center_mm` (LPS x, y, z). No blur, no noise: the sum over the voxels is the ball's volume to well within 1 %, from a radius
    of one voxel up.

    Raises:
        OptionError: a radius, spacing or margin that cannot be.

    >>> scan = ball(radius_mm=6)
    >>> scan.describe()
    'CT, 29 x 29 x 29 voxels of 1 x 1 x 1 mm, SPL, HU'
    >>> int(scan.array.max()), int(scan.array.min())
    (40, -850)
    """
    if not radius_mm > 0:
        raise OptionError("radius_mm", radius_mm, "a radius above 0 mm")
    if len(spacing_mm) != 3 or not min(spacing_mm) > 0:
        raise OptionError("spacing_mm", spacing_mm, "three steps above 0 mm")
    if not margin_mm >= 0:
        raise OptionError("margin_mm", margin_mm, "0 mm or more")
    half = [int(np.ceil((radius_mm + margin_mm) / step)) for step in spacing_mm]
    shape = tuple(2 * count + 1 for count in half)
    origin = [middle - count * step for middle, count, step in zip(center_mm, half[::-1], list(spacing_mm)[::-1], strict=True)]
    grid = Grid.straight(shape, spacing_mm=spacing_mm, origin_mm=origin)
    z = (np.arange(shape[0]) - half[0]) * spacing_mm[0]
    y, x = (_lines(count, step) for count, step in zip(half[1:], list(spacing_mm)[1:], strict=True))
    chord = np.sqrt(np.clip(radius_mm**2 - y[:, None] ** 2 - x[None, :] ** 2, 0, None))
    share = np.empty(shape)
    for number, middle in enumerate(z):
        top, bottom = middle + spacing_mm[0] / 2, middle - spacing_mm[0] / 2
        length = np.clip(np.minimum(top, chord) - np.maximum(bottom, -chord), 0, None) / spacing_mm[0]
        share[number] = length.reshape(shape[1], LINES, shape[2], LINES).mean(axis=(1, 3))
    array = (outside_hu + (inside_hu - outside_hu) * share).astype(np.float32)
    return Volume(array=array, grid=grid, modality="CT", unit="HU")


def _lines(half: int, step: float) -> NDArray[np.float64]:
    """Return where the lines run along one axis."""
    voxels = (np.arange(2 * half + 1) - half)[:, None] + ((np.arange(LINES) + 0.5) / LINES - 0.5)[None, :]
    return voxels.ravel() * step
