"""A slice as people look at it: square pixels, and the same side of the patient always on the same side of the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from medimg.values import Grid

# What lies to the right and what lies down in a picture (LPS), by the axis that a slice is nearest to being perpendicular to.
WANTED = {
    0: ((0, 1, 0), (0, 0, -1)),  # sagittal: back to the right, feet down
    1: ((1, 0, 0), (0, 0, -1)),  # coronal: the patient's left to the right, feet down
    2: ((1, 0, 0), (0, 1, 0)),  # axial, seen from the feet: the patient's left to the right, back down
}
OBLIQUE_COSINE = 0.35  # an edge that leans more than 20 degrees towards a second direction is marked with both letters


@dataclass(frozen=True)
class Plane:
    """A picture of `rows` x `columns` square pixels of `pixel_mm` in a slice; `right` and `down` are unit vectors (LPS)."""

    corner_mm: NDArray[np.float64]  # centre of the pixel at the top left
    right: NDArray[np.float64]
    down: NDArray[np.float64]
    pixel_mm: float
    rows: int
    columns: int

    @classmethod
    def around(cls, grid: Grid, slice_index: int, center_mm: Sequence[float], *, field_mm: float, size_px: int) -> Plane:
        """Return a square picture of `field_mm` around a point, in a slice of `grid`."""
        right, down = axes(grid)
        center = _onto(grid, slice_index, np.asarray(center_mm, dtype=np.float64))
        pixel = field_mm / size_px
        return cls(center - (right + down) * pixel * (size_px - 1) / 2, right, down, pixel, size_px, size_px)

    @classmethod
    def whole(cls, grid: Grid, slice_index: int, *, size_px: int) -> Plane:
        """Return a picture of a whole slice, its longer side `size_px`."""
        right, down = axes(grid)
        _, rows, columns = grid.shape
        edges = np.array([(slice_index, row, column) for row in (-0.5, rows - 0.5) for column in (-0.5, columns - 0.5)])
        corners = grid.to_mm(edges)
        along, below = corners @ right, corners @ down
        width, height = np.ptp(along), np.ptp(below)
        pixel = max(width, height) / size_px
        shape = max(1, round(height / pixel)), max(1, round(width / pixel))
        first = corners[0] + right * (along.min() - along[0]) + down * (below.min() - below[0])
        return cls(first + (right + down) * pixel / 2, right, down, float(pixel), *shape)

    def to_pixel(self, point_mm: Sequence[float]) -> tuple[float, float]:
        """Return where a point lies in the picture, (x, y) in pixels."""
        offset = np.asarray(point_mm, dtype=np.float64) - self.corner_mm
        return float(offset @ self.right / self.pixel_mm), float(offset @ self.down / self.pixel_mm)

    def indices(self, grid: Grid) -> NDArray[np.float64]:
        """Return the index in `grid` of every pixel, (3, rows, columns)."""
        start = grid.to_index(self.corner_mm)
        turn = np.linalg.inv(grid.affine[:3, :3])
        across, below = turn @ self.right * self.pixel_mm, turn @ self.down * self.pixel_mm
        return (
            start[:, None, None]
            + below[:, None, None] * np.arange(self.rows)[None, :, None]
            + across[:, None, None] * np.arange(self.columns)[None, None, :]
        )

    @property
    def edges(self) -> tuple[str, str, str, str]:
        """Letters of the patient's side at the left, right, top and bottom edge: R L A P H F."""
        return side(-self.right), side(self.right), side(-self.down), side(self.down)


def axes(grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the directions right and down in which slices of `grid` are shown.

    They follow the rows and columns of the slice, so that a slice is never turned by an odd angle, in the order and the
    sense that come nearest to how radiologists hang such a slice.
    """
    column, row = grid.directions[:, 2], grid.directions[:, 1]
    row = row - column * (column @ row)
    row /= np.linalg.norm(row)
    normal = np.cross(column, row)
    right, down = np.array(WANTED[int(np.abs(normal).argmax())], dtype=np.float64)
    choices = [(a, b) for one, other in ((column, row), (row, column)) for a in (one, -one) for b in (other, -other)]
    return max(choices, key=lambda pair: pair[0] @ right + pair[1] @ down)


def side(direction: NDArray[np.float64]) -> str:
    """Return the letters of the patient's side in a direction (LPS), the main one first.

    >>> side(np.array([-1.0, 0, 0])), side(np.array([0.9, 0, 0.44]))
    ('R', 'LH')
    """
    letters = [pair[int(value > 0)] for pair, value in zip(("RL", "AP", "FH"), direction, strict=True)]
    order = sorted(range(3), key=lambda axis: -abs(direction[axis]))
    return "".join(letters[axis] for axis in order if abs(direction[axis]) > OBLIQUE_COSINE) or letters[order[0]]


def _onto(grid: Grid, slice_index: int, point: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move a point along the slices' normal into a slice."""
    normal = np.cross(grid.affine[:3, 1], grid.affine[:3, 2])
    normal /= np.linalg.norm(normal)
    return point + normal * (normal @ (grid.to_mm((slice_index, 0, 0)) - point))
