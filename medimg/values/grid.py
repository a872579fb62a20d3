"""Where the voxels of an array lie in the patient."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.errors import GeometryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

LENGTHS_MM = (1e-4, 1e4)  # of a step; outside of it a number in a file is no size of a voxel
STRAIGHT_TOLERANCE = 1e-3  # cosine between two axes; scanners round ImageOrientationPatient to about 1e-4
SAME_PLACE_MM = 1e-3  # corners of two equal grids agree to this: float32 headers, DS strings of 16 characters


@dataclass(frozen=True, eq=False)
class Grid:
    """The place of an array (slice, row, column) in the patient.

    Args:
        shape: number of slices, rows, columns.
        affine: 4 x 4, takes an index (slice, row, column, 1) to **LPS millimetres** (x, y, z, 1). Columns 0..2 are the step of
            one slice, one row (down), one column (right). A sheared one is legal (a tilted gantry); a step that needs straight
            axes calls `require_straight`, which refuses it in words.
        frame_of_reference: the UID of the patient's frame, if known; grids of different frames are never equal.

    Equal grids are the only proof that two arrays fit.

    >>> grid = Grid.straight((3, 4, 5), spacing_mm=(2.5, 0.5, 0.5), origin_mm=(-10, -20, 30))
    >>> grid.to_mm((1, 0, 2))
    array([ -9. , -20. ,  32.5])
    >>> grid.to_index((-9, -20, 32.5))
    array([1., 0., 2.])
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    frame_of_reference: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        shape = tuple(int(size) for size in self.shape)
        if len(shape) != 3 or min(shape) < 1:
            raise GeometryError(f"A grid of {shape} has no voxels. Give slices, rows and columns, each at least 1.")
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or not np.array_equal(affine[3], (0, 0, 0, 1)):
            raise GeometryError(
                "The affine of a grid is not 4 x 4, finite, with a last row of 0 0 0 1. Check the file's geometry."
            )
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        if not LENGTHS_MM[0] <= lengths.min() <= lengths.max() <= LENGTHS_MM[1]:
            raise GeometryError(
                "The steps of a grid are no sizes of voxels (0.1 micrometres to 10 metres). Check the file's geometry."
            )
        if abs(np.linalg.det(affine[:3, :3])) < 1e-6 * lengths.prod():
            raise GeometryError("The axes of a grid lie in one plane, so it has no volume. Check the file's geometry.")
        affine.setflags(write=False)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", affine)

    @classmethod
    def straight(
        cls,
        shape: Sequence[int],
        *,
        spacing_mm: Sequence[float] | NDArray[np.floating[Any]],
        origin_mm: Sequence[float] | NDArray[np.floating[Any]] = (0.0, 0.0, 0.0),
        frame_of_reference: str | None = None,
    ) -> Grid:
        """Make an axial grid: slices go up (S), rows back (P), columns to the patient's left (L).

        `spacing_mm` is (slice, row, column); `origin_mm` the LPS point (x, y, z) of voxel 0, 0, 0.
        """
        affine = np.eye(4)
        affine[:3, :3] = 0
        for axis, step in enumerate(spacing_mm):
            affine[2 - axis, axis] = step
        affine[:3, 3] = origin_mm
        return cls(tuple(shape), affine, frame_of_reference=frame_of_reference)  # type: ignore[arg-type]

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Length of one step along slices, rows and columns. For a sheared grid the first is not the distance of the planes."""
        slices, rows, columns = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(slices), float(rows), float(columns)

    @property
    def origin_mm(self) -> tuple[float, float, float]:
        """LPS point of the centre of voxel 0, 0, 0."""
        x, y, z = self.affine[:3, 3]
        return float(x), float(y), float(z)

    @property
    def directions(self) -> NDArray[np.float64]:
        """3 x 3, column k the unit vector (LPS) of axis k (slice, row, column)."""
        return self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel, right for sheared grids too."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def size_mm(self) -> tuple[float, float, float]:
        """Extent along slices, rows and columns, outer edge to outer edge."""
        slices, rows, columns = (n * step for n, step in zip(self.shape, self.spacing_mm, strict=True))
        return slices, rows, columns

    @property
    def is_straight(self) -> bool:
        """Whether the axes are orthogonal (no gantry tilt)."""
        products = self.directions.T @ self.directions
        return bool(np.abs(products - np.eye(3)).max() < STRAIGHT_TOLERANCE)

    @property
    def axis_codes(self) -> str:
        """The direction in which slices, rows and columns grow, e.g. "SPL" for axial slices from the feet up.

        >>> Grid.straight((2, 2, 2), spacing_mm=(1, 1, 1)).axis_codes
        'SPL'
        """
        return axis_codes(self.directions)

    def require_straight(self, step: str) -> None:
        """Refuse a sheared grid in words, for a `step` that needs orthogonal axes."""
        if not self.is_straight:
            raise GeometryError(
                f"{step} needs straight axes, and this scan's are sheared (a tilted gantry). "
                "Resample it onto a straight grid first: medimg.resample(scan, like=grid)."
            )

    def to_mm(self, index: ArrayLike) -> NDArray[np.float64]:
        """Return the LPS point(s) of index (slice, row, column); `index` is (..., 3), fractions are allowed."""
        points = np.asarray(index, dtype=np.float64)
        return points @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_index(self, point_mm: ArrayLike) -> NDArray[np.float64]:
        """Return the index (slice, row, column), with fractions, of LPS point(s) (..., 3)."""
        points = np.asarray(point_mm, dtype=np.float64) - self.affine[:3, 3]
        index = np.linalg.solve(self.affine[:3, :3], points[..., None])[..., 0]
        return index.astype(np.float64, copy=False)

    def contains(self, point_mm: ArrayLike) -> bool:
        """Whether an LPS point lies in one of the voxels."""
        index = self.to_index(point_mm)
        return bool((index >= -0.5).all() and (index <= np.array(self.shape) - 0.5).all())

    def crop(self, start: Sequence[int], shape: Sequence[int]) -> Grid:
        """Return the grid of the box that begins at index `start`; it may reach outside of this grid."""
        return self._moved(np.eye(3), np.asarray(start, float), tuple(shape))

    def flip(self, axis: int) -> Grid:
        """Return the grid of the array flipped along `axis`; every voxel keeps its place in the patient."""
        turn, start = np.eye(3), np.zeros(3)
        turn[axis, axis], start[axis] = -1, self.shape[axis] - 1
        return self._moved(turn, start, self.shape)

    def transpose(self, axes: Sequence[int]) -> Grid:
        """Return the grid of the array with its axes in another order; every voxel keeps its place in the patient."""
        return self._moved(np.eye(3)[:, list(axes)], np.zeros(3), tuple(self.shape[axis] for axis in axes))

    def fits(self, other: Grid) -> bool:
        """Whether both have the same shape and, to `SAME_PLACE_MM`, the same place (and the same frame where both know it)."""
        if self.shape != other.shape:
            return False
        frames = {self.frame_of_reference, other.frame_of_reference} - {None}
        corners = np.array([(0, 0, 0), *np.diag(self.shape), self.shape], dtype=np.float64)
        return len(frames) < 2 and bool(np.abs(self.to_mm(corners) - other.to_mm(corners)).max() <= SAME_PLACE_MM)

    def require_fit(self, other: Grid, what: str) -> None:
        """Refuse two grids that do not fit; `what` names the second one."""
        if not self.fits(other):
            raise GeometryError(
                f"{what} lies on another grid ({other.describe()}; the scan is {self.describe()}). "
                "Resample it onto the scan's grid first."
            )

    def describe(self) -> str:
        """Say the grid in one line: shape, spacing, direction.

        >>> Grid.straight((3, 4, 5), spacing_mm=(2.5, 0.5, 0.5)).describe()
        '3 x 4 x 5 voxels of 2.5 x 0.5 x 0.5 mm, SPL'
        """
        shape, step = " x ".join(map(str, self.shape)), " x ".join(f"{value:.4g}" for value in self.spacing_mm)
        return f"{shape} voxels of {step} mm, {self.axis_codes}{'' if self.is_straight else ', sheared'}"

    def to_dict(self) -> dict[str, object]:
        """Return the grid as JSON values (the affine row by row)."""
        return {
            "shape": list(self.shape),
            "spacing_mm": [round(value, 6) for value in self.spacing_mm],
            "origin_mm": list(self.origin_mm),
            "affine": self.affine.tolist(),
            "axis_codes": self.axis_codes,
            "straight": self.is_straight,
        }

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Grid):
            return NotImplemented
        return self.fits(other)

    __hash__ = None  # type: ignore[assignment]  # equality has a tolerance, so no hash can agree with it

    def _moved(self, turn: NDArray[np.float64], start: NDArray[np.float64], shape: Sequence[int]) -> Grid:
        step = np.eye(4)
        step[:3, :3], step[:3, 3] = turn, start
        return Grid(tuple(shape), self.affine @ step, frame_of_reference=self.frame_of_reference)  # type: ignore[arg-type]


def axis_codes(directions: NDArray[np.float64]) -> str:
    """Name the nearest patient direction of each column of a 3 x 3 matrix of LPS vectors, no direction twice."""
    letters, free = ["?"] * 3, [0, 1, 2]
    for column in np.argsort(-np.abs(directions).max(axis=0), kind="stable"):
        axis = max(free, key=lambda row: abs(directions[row, column]))
        free.remove(axis)
        letters[column] = "LPS"[axis] if directions[axis, column] > 0 else "RAI"[axis]
    return "".join(letters)
