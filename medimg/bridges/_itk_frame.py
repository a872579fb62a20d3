"""ITK's way of placing an image: LPS millimetres like medimg's, but axes counted columns first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.values import Grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


def frame(grid: Grid) -> tuple[list[float], list[float], NDArray[np.float64]]:
    """Return spacing, origin and 3 x 3 direction of a grid, axes in the order column, row, slice."""
    return list(grid.spacing_mm[::-1]), list(grid.origin_mm), grid.directions[:, ::-1].copy()


def grid_of(
    shape: Sequence[int],
    *,
    spacing: Sequence[float],
    origin: Sequence[float],
    direction: ArrayLike,
    frame_of_reference: str | None,
) -> Grid:
    """Return the grid of an array (slice, row, column) from ITK's spacing, origin and direction."""
    affine = np.eye(4)
    affine[:3, :3] = (np.asarray(direction, dtype=np.float64).reshape(3, 3) * np.asarray(spacing, dtype=np.float64))[:, ::-1]
    affine[:3, 3] = origin
    return Grid(tuple(shape), affine, frame_of_reference=frame_of_reference)  # type: ignore[arg-type]
