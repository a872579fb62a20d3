"""Left and right lung on a coarse CT: slices upwards, rows to the back, columns to the patient's left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.preprocessing._airways import airways
from medimg.preprocessing._shapes import (
    IN_PLANE,
    at_the_edge,
    box_of,
    closed,
    dilated,
    distance_mm,
    piece_means,
    touching_the_edge,
    without_holes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LEFT, RIGHT = 1, 2
AIR_BELOW_HU = -400  # half way between lung (-850) and soft tissue (50)
TISSUE_ABOVE_HU = -300  # fat begins at -120; cloth, foam and lung stay below
PADDING_HU = -1023  # a block of nothing but the lowest value was not measured: measured air has noise
PURE_AIR_HU = -955  # the inside of bowel and of free air has a mean below, lung (also emphysema) above
CLOSE_MM = 15.0  # nodules of up to 30 mm at the wall, and the vessels of the hilum, are filled in
HELD = 0.3  # of a piece of lung, at least, lies between parts of the body in a tight crop; of table foam nothing does
LEAST_ML = 5.0  # a smaller pocket of air is not a lung, nor a part of one worth looking at
LEAST_EDGE_CM2 = 1.5  # air that touches the edge of a slice is lung (cut off by a tight crop) only if it is at least so large
LEAST_SHARE = 0.1  # of the larger lung: a piece at least so large may be the other lung
BOTH_SHARE = 0.2  # of the air on the far side of the midline: one lung that bulges over it has less, two that are joined more
APART_MM = 45.0  # the middles of two lungs are 60 (child) to 150 mm apart, those of two pieces of one lung seldom 40
WEAR_MM = (0.0, 2.5, 4.5, 6.5, 9.0, 12.0)  # the bridge between two lungs is thin in front, seldom as thick as the last
WALL_MM = 2.5  # of trachea and main bronchi, with the partial volume of a coarse voxel


def find_lungs(hu: NDArray[np.float32], spacing_mm: Sequence[float], *, voxel_ml: float) -> NDArray[np.uint8]:
    """Return 1 for the left lung, 2 for the right and 0 elsewhere."""
    labels = np.zeros(hu.shape, dtype=np.uint8)
    body = body_of(hu)
    around, between = enclosed(body)
    inner = inner_air(hu, around, spacing_mm)
    tubes = airways(hu, inner, around, spacing_mm, voxel_ml=voxel_ml)
    tubes = dilated(tubes, WALL_MM, spacing_mm)
    lung = lung_pieces(hu, inner & ~tubes, between, voxel_ml=voxel_ml)
    if not lung.any():
        return labels
    left, right = sides(lung, tubes, middle_of(hu, body), spacing_mm)
    for label, part, other in ((LEFT, left, right), (RIGHT, right, left)):
        whole = without_holes(closed(part, CLOSE_MM, spacing_mm)) & ~tubes & ~other
        labels[whole & (labels == 0)] = label
    return labels


def body_of(hu: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return the patient's tissue without thin sheets (table, cloth): the largest piece and others of a tenth of it or more."""
    from scipy import ndimage

    tissue = ndimage.binary_opening(hu > TISSUE_ABOVE_HU, structure=IN_PLANE)
    pieces, _ = ndimage.label(tissue)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return (sizes >= max(1, sizes.max() / 10))[pieces] & tissue


def middle_of(hu: NDArray[np.float32], body: NDArray[np.bool_]) -> float | None:
    """Return the middle column of the body, None if an edge of the scan or of a round field of view cuts off a side."""
    there = np.flatnonzero(body.any(axis=(0, 1)))
    if not there.size or there[0] == 0 or there[-1] == body.shape[2] - 1:
        return None
    beyond = at_the_edge(hu <= PADDING_HU)
    if (body[:, :, 1:] & beyond[:, :, :-1]).any() or (body[:, :, :-1] & beyond[:, :, 1:]).any():
        return None
    return float(there[0] + there[-1]) / 2


def enclosed(body: NDArray[np.bool_]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Say what is inside of the body, slice by slice, also where an edge of the scan cuts through it.

    Returns in how many of four directions (left, right, front, back) each voxel has the body, and whether it lies between two
    parts of it: left and right, or front and back.
    """
    sides = []
    for axis in (1, 2):
        before = np.logical_or.accumulate(body, axis=axis)
        after = np.flip(np.logical_or.accumulate(np.flip(body, axis), axis=axis), axis)
        sides.append((before, after))
    count = np.zeros(body.shape, dtype=np.uint8)
    for pair in sides:
        for side in pair:
            count += side
    return count, (sides[0][0] & sides[0][1]) | (sides[1][0] & sides[1][1])


def inner_air(hu: NDArray[np.float32], around: NDArray[np.uint8], spacing_mm: Sequence[float]) -> NDArray[np.bool_]:
    """Return the air that is not around the patient.

    Air that touches the edge of its slice is around the patient, unless it looks like lung that a tight crop cut off: of a lung's
    density, large, and mostly enclosed by the body.
    """
    from scipy import ndimage

    outside = at_the_edge(hu <= PADDING_HU)  # what lies beyond a round field of view is no air, but another edge
    air = (hu < AIR_BELOW_HU) & ~outside
    pieces, count = ndimage.label(air, structure=IN_PLANE)
    edge = np.zeros(count + 1, dtype=bool)
    edge[touching_the_edge(pieces)] = True
    if outside.any():
        edge[np.unique(pieces[ndimage.binary_dilation(outside, structure=IN_PLANE)])] = True
    sizes, means = piece_means(pieces, hu, air)
    shares = piece_means(pieces, around >= 2, air)[1]
    area_cm2 = sizes * spacing_mm[1] * spacing_mm[2] / 100
    lung_like = (means > PURE_AIR_HU + 15) & (means < -600) & (shares > HELD) & (area_cm2 >= LEAST_EDGE_CM2)
    keep = ~edge | lung_like
    keep[0] = False
    return keep[pieces]


def lung_pieces(
    hu: NDArray[np.float32], air: NDArray[np.bool_], between: NDArray[np.bool_], *, voxel_ml: float
) -> NDArray[np.bool_]:
    """Return the pieces of air that are lung by their density, size and place in the body."""
    from scipy import ndimage

    pieces, _ = ndimage.label(air)
    sizes, shares = piece_means(pieces, between, air)
    means = piece_means(pieces, hu, ndimage.binary_erosion(air, structure=IN_PLANE))[1]
    keep = (sizes * voxel_ml >= LEAST_ML) & (means > PURE_AIR_HU) & (means < -550) & (shares > HELD)
    keep[0] = False
    return keep[pieces]


def sides(
    lung: NDArray[np.bool_], tubes: NDArray[np.bool_], body_middle: float | None, spacing_mm: Sequence[float]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Part the air of the lungs into left and right.

    Where the lungs touch, they are worn down until two cores side by side are left; each voxel then goes with the nearest core.
    """
    from scipy import ndimage

    box = box_of(lung)
    part = lung[box]
    depth = distance_mm(part, spacing_mm)
    columns = np.arange(lung.shape[2])[box[2]]
    for deep in WEAR_MM:
        cores, count = ndimage.label(depth > deep)
        counts = _by_column(cores, count)
        pair = _side_by_side(counts, spacing_mm[2])
        if pair:
            middle = columns[0] + sum(pair) / 2
            break
    else:  # a single lung, or two that cannot be told apart
        middle = _midline(lung, tubes, body_middle)
        across = part.sum(axis=(0, 1))
        share = across[columns > middle].sum() / across.sum()
        cores, count = (part.astype(np.int32), 1)
        if min(share, 1 - share) > BOTH_SHARE:
            cores = np.where(part & (columns > middle), 2, cores)
            count = 2
        counts = _by_column(cores, count)
    centres = counts @ columns / np.maximum(counts.sum(axis=1), 1)
    side_of = np.where(centres > middle, LEFT, RIGHT).astype(np.uint8)
    nearest = ndimage.distance_transform_edt(cores == 0, sampling=spacing_mm, return_distances=False, return_indices=True)
    side = side_of[cores[tuple(nearest)]]
    left, right = np.zeros_like(lung), np.zeros_like(lung)
    left[box], right[box] = part & (side == LEFT), part & (side == RIGHT)
    return left, right


def _by_column(cores: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Count the voxels of each core in each column: (count + 1, columns), no voxels for 0."""
    width = cores.shape[2]
    voxels = np.flatnonzero(cores)
    counts = np.bincount(cores.ravel()[voxels].astype(np.int64) * width + voxels % width, minlength=(count + 1) * width)
    return counts.reshape(count + 1, width)


def _side_by_side(counts: NDArray[np.int64], step_mm: float) -> tuple[float, float] | None:
    """Return the middle columns of two large cores that lie beside each other without overlap, None if there are none."""
    sizes = counts.sum(axis=1)
    large = np.flatnonzero(sizes >= max(1, LEAST_SHARE * sizes.max()))
    best: tuple[float, float] | None = None
    for one in large:
        for other in large:
            reach = [np.searchsorted(np.cumsum(counts[core]), (0.1 * sizes[core], 0.9 * sizes[core])) for core in (one, other)]
            if reach[0][1] >= reach[1][0]:
                continue
            low, high = (float(counts[core] @ np.arange(counts.shape[1]) / sizes[core]) for core in (one, other))
            if (high - low) * step_mm >= APART_MM and (best is None or high - low > best[1] - best[0]):
                best = low, high
    return best


def _midline(lung: NDArray[np.bool_], tubes: NDArray[np.bool_], body_middle: float | None) -> float:
    """Return the column of the patient's middle where only one lung is seen.

    The trachea says it; without one the middle of a body that is whole from side to side; and in a crop the lung itself, which is
    hollow where the heart, the hilum and the dome of the diaphragm lie.
    """
    columns = np.arange(lung.shape[2])
    if tubes.any():
        return float(np.average(columns, weights=tubes.sum(axis=(0, 1))))
    if body_middle is not None:
        return body_middle
    from skimage.morphology import convex_hull_image

    hollow = np.zeros(lung.shape[2])
    for plane in lung:
        if plane.sum() > 9:  # a hull needs some points
            hollow += (convex_hull_image(plane) & ~plane).sum(axis=0)
    centre = float(np.average(columns, weights=lung.sum(axis=(0, 1))))
    if not hollow.any():
        return lung.shape[2] / 2
    return lung.shape[2] if float(np.average(columns, weights=hollow)) > centre else -1.0
