"""The two diameters that radiologists measure on a lesion (RECIST 1.1, Eisenhauer et al. 2009)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from medimg.errors import GeometryError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from medimg.values import Mask

Point = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Diameters:
    """The long axis of a lesion and the short axis across it, both in one slice.

    `long_ends_mm` and `short_ends_mm` are the LPS end points; their distances are `long_mm` and `short_mm`.
    """

    long_mm: float
    short_mm: float
    slice_index: int
    long_ends_mm: tuple[Point, Point]
    short_ends_mm: tuple[Point, Point]


def diameters(mask: Mask, *, label: int) -> Diameters:
    """Return the longest diameter of a label within one slice, and the longest one perpendicular to it in that slice.

    The slices are those of the mask's own grid, as RECIST measures in the plane of acquisition. The outline of a label runs
    through the **middles of the outer edges of its pixels**: n pixels in a row are n pixels long, a single pixel is one pixel
    wide. That is where IBSI's mesh has its corners and where a reader sets the calipers (outer edge to outer edge). On a ball the
    largest of so many distances is on average 0.7 pixel longer than the true diameter (between the centres of pixels it would be
    0.2 too short, between their corners 1.1 too long). Distances are taken in the patient, so pixels may be oblong and axes
    sheared. The short axis is the longest chord of the outline's convex hull at a right angle to the long axis. If a label has
    several pieces in a slice they are measured as one.

    Raises:
        GeometryError: the label has no voxel.
    """
    box = mask.box(label)
    if box is None:
        raise GeometryError(f"The mask has no voxel of label {label}, so there is nothing to measure. Give a label that it has.")
    found = mask.array[box] == label
    row_start, column_start = box[1].start, box[2].start
    steps = mask.grid.affine[:3, :3]
    across = steps[:, 2] / np.linalg.norm(steps[:, 2])
    down = steps[:, 1] - across * (across @ steps[:, 1])
    down /= np.linalg.norm(down)
    # pixel (row, column) to millimetres in the plane
    plane = np.array([[across @ steps[:, 1], down @ steps[:, 1]], [across @ steps[:, 2], down @ steps[:, 2]]])

    best: tuple[float, int, NDArray[np.float64], NDArray[np.float64]] | None = None
    for index in np.argsort(-found.sum(axis=(1, 2)), kind="stable"):  # the largest section first: most others need no closer look
        points = _edge_middles(found[index])
        if not len(points):
            break
        points = points @ plane
        extent = np.ptp(points, axis=0)
        if best is not None and float(np.hypot(*extent)) <= best[0]:
            continue
        hull = _convex_hull(points)
        square = ((hull[:, None] - hull[None]) ** 2).sum(axis=-1)
        first, second = np.unravel_index(int(square.argmax()), square.shape)
        length = float(np.sqrt(square[first, second]))
        if best is None or length > best[0]:
            best = length, int(index), hull, hull[[first, second]]
    assert best is not None  # the label has voxels, so one slice has points
    length, index, hull, long_ends = best
    short_ends = _widest_across(hull, long_ends)

    origin = mask.grid.to_mm((box[0].start + index, row_start, column_start))

    def in_patient(points: NDArray[np.float64]) -> tuple[Point, Point]:
        first, second = (tuple(map(float, origin + x * across + y * down)) for x, y in points)
        return first, second  # type: ignore[return-value]

    return Diameters(
        long_mm=length,
        short_mm=float(np.linalg.norm(short_ends[1] - short_ends[0])),
        slice_index=box[0].start + index,
        long_ends_mm=in_patient(long_ends),
        short_ends_mm=in_patient(short_ends),
    )


def _edge_middles(section: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the middles of the outer pixel edges (row, column) that can lie on the hull: those at the ends of each row."""
    rows = np.flatnonzero(section.any(axis=1))
    if not len(rows):
        return np.empty((0, 2))
    left = section[rows].argmax(axis=1)
    right = section.shape[1] - 1 - section[rows, ::-1].argmax(axis=1)
    return np.concatenate(
        [
            np.stack([rows, left - 0.5], axis=1),
            np.stack([rows, right + 0.5], axis=1),
            *(np.stack([rows + half, ends], axis=1) for half in (-0.5, 0.5) for ends in (left, right)),
        ]
    ).astype(np.float64)


def _convex_hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the corners of the convex hull in order (Andrew's monotone chain)."""
    ordered = [tuple(point) for point in np.unique(points, axis=0)]
    chains = []
    for sequence in (ordered, ordered[::-1]):
        chain: list[tuple[float, ...]] = []
        for point in sequence:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], point) <= 0:
                chain.pop()
            chain.append(point)
        chains += chain[:-1]
    return np.array(chains)


def _turn(first: tuple[float, ...], second: tuple[float, ...], third: tuple[float, ...]) -> float:
    return (second[0] - first[0]) * (third[1] - first[1]) - (second[1] - first[1]) * (third[0] - first[0])


def _widest_across(hull: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ends of the longest chord of a convex hull at a right angle to the line between `ends`."""
    along = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    across = np.array([-along[1], along[0]])
    place, height = (hull - ends[0]) @ along, (hull - ends[0]) @ across
    # the chord's length is a concave, piecewise straight function of the place, so it is greatest at a corner
    upper, lower = height >= -1e-9, height <= 1e-9
    order_up, order_low = np.argsort(place[upper]), np.argsort(place[lower])
    top = np.interp(place, place[upper][order_up], height[upper][order_up])
    bottom = np.interp(place, place[lower][order_low], height[lower][order_low])
    widest = int((top - bottom).argmax())
    foot = ends[0] + along * place[widest]
    return np.array([foot + across * bottom[widest], foot + across * top[widest]])
