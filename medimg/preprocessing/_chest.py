"""Left and right lung on a coarse CT: slices upwards, rows to the back, columns to the patient's left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.preprocessing._airways import airways
from medimg.preprocessing._shapes import box_of, closed, dilated, distance_mm, without_holes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LEFT, RIGHT = 1, 2
AIR_BELOW_HU = -400  # half way between lung (-850) and soft tissue (50)
TISSUE_ABOVE_HU = -300  # fat begins at -120; cloth, foam and lung stay below
PURE_AIR_HU = -955  # the inside of bowel and of free air has a mean below, lung (also emphysema) above
CLOSE_MM = 15.0  # nodules of up to 30 mm at the wall, and the vessels of the hilum, are filled in
LEAST_ML = 5.0  # a smaller pocket of air is not a lung, nor a part of one worth looking at
LEAST_EDGE_CM2 = 5.0  # air that touches the edge of a slice is lung (cut off by a tight crop) only if it is at least so large
LEAST_SHARE = 0.1  # of the larger lung: a piece at least so large may be the other lung
IN_PLANE = np.array([np.zeros((3, 3)), [[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.zeros((3, 3))], dtype=bool)


def find_lungs(hu: NDArray[np.float32], spacing_mm: Sequence[float], *, voxel_ml: float) -> NDArray[np.uint8]:
    """Return 1 for the left lung, 2 for the right and 0 elsewhere."""
    labels = np.zeros(hu.shape, dtype=np.uint8)
    body = body_of(hu)
    inner = inner_air(hu, body, spacing_mm)
    tubes = airways(hu, inner, spacing_mm, voxel_ml=voxel_ml)
    tubes = dilated(tubes, 2.5, spacing_mm)
    lung = lung_pieces(hu, inner & ~tubes, enclosed(body), voxel_ml=voxel_ml)
    if not lung.any():
        return labels
    left, right = sides(lung, body, spacing_mm, voxel_ml=voxel_ml)
    for label, part, other in ((LEFT, left, right), (RIGHT, right, left)):
        whole = without_holes(closed(part, CLOSE_MM, spacing_mm)) & ~tubes & ~other
        labels[whole & (labels == 0)] = label
    return labels


def body_of(hu: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return the tissue of the patient without thin sheets (table, cloth): the largest piece and others of at least a tenth of it."""
    from scipy import ndimage

    tissue = ndimage.binary_opening(hu > TISSUE_ABOVE_HU, structure=IN_PLANE)
    pieces, _ = ndimage.label(tissue)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return (sizes >= max(1, sizes.max() / 10))[pieces] & tissue


def enclosed(body: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return in how many of the four directions of its slice (left, right, front, back) each voxel has the body."""
    count = np.zeros(body.shape, dtype=np.uint8)
    for axis in (1, 2):
        count += np.logical_or.accumulate(body, axis=axis)
        count += np.flip(np.logical_or.accumulate(np.flip(body, axis), axis=axis), axis)
    return count


def inner_air(hu: NDArray[np.float32], body: NDArray[np.bool_], spacing_mm: Sequence[float]) -> NDArray[np.bool_]:
    """Return the air that is not around the patient.

    Air that touches the edge of its slice is around the patient, unless it looks like lung that a tight crop cut off: of a lung's
    density, large, and mostly enclosed by the body.
    """
    from scipy import ndimage

    air = hu < AIR_BELOW_HU
    pieces, count = ndimage.label(air, structure=IN_PLANE)
    edge = np.zeros(count + 1, dtype=bool)
    edge[np.unique(np.concatenate([pieces[:, [0, -1]].ravel(), pieces[:, :, [0, -1]].ravel()]))] = True
    flat = pieces.ravel()
    sizes = np.maximum(np.bincount(flat, minlength=count + 1), 1)
    means = np.bincount(flat, weights=hu.ravel(), minlength=count + 1) / sizes
    shares = np.bincount(flat, weights=(enclosed(body) >= 2).ravel(), minlength=count + 1) / sizes
    area_cm2 = sizes * spacing_mm[1] * spacing_mm[2] / 100
    lung_like = (means > PURE_AIR_HU + 15) & (means < -600) & (shares > 0.7) & (area_cm2 >= LEAST_EDGE_CM2)
    keep = ~edge | lung_like
    keep[0] = False
    return keep[pieces]


def lung_pieces(
    hu: NDArray[np.float32], air: NDArray[np.bool_], around: NDArray[np.uint8], *, voxel_ml: float
) -> NDArray[np.bool_]:
    """Return the pieces of air that are lung by their density, size and place in the body."""
    from scipy import ndimage

    pieces, count = ndimage.label(air)
    inside = ndimage.binary_erosion(air, structure=IN_PLANE)
    flat = pieces.ravel()
    sizes = np.bincount(flat, minlength=count + 1)
    cores = np.maximum(np.bincount(flat, weights=inside.ravel(), minlength=count + 1), 1)
    means = np.bincount(flat, weights=(hu * inside).ravel(), minlength=count + 1) / cores
    shares = np.bincount(flat, weights=(around >= 3).ravel(), minlength=count + 1) / np.maximum(sizes, 1)
    keep = (sizes * voxel_ml >= LEAST_ML) & (means > PURE_AIR_HU) & (means < -550) & (shares > 0.5)
    keep[0] = False
    return keep[pieces]


def sides(
    lung: NDArray[np.bool_], body: NDArray[np.bool_], spacing_mm: Sequence[float], *, voxel_ml: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Part the lungs into left and right."""
    from scipy import ndimage

    box = box_of(lung)
    depth = distance_mm(lung, spacing_mm)[box]
    centre = _midline(body)
    columns = np.broadcast_to(np.arange(lung.shape[2])[box[2]], depth.shape)
    for deep in (0.0, 2.5, 4.5, 6.5, 9.0, 12.0):
        cores, count = ndimage.label(depth > deep)
        sizes = np.bincount(cores.ravel(), minlength=count + 1).astype(float)
        sizes[0] = 0
        order = np.argsort(sizes)[::-1]
        if count >= 2 and sizes[order[1]] >= LEAST_SHARE * sizes[order[0]]:
            break
    else:
        cores, count = ndimage.label(depth > 0)
        sizes = np.bincount(cores.ravel(), minlength=count + 1).astype(float)
    middles = np.bincount(cores.ravel(), weights=columns.ravel(), minlength=count + 1) / np.maximum(sizes, 1)
    is_left = middles > centre
    is_core = cores > 0
    seeds = np.where(is_core, np.where(is_left[cores], LEFT, RIGHT), 0)
    nearest = ndimage.distance_transform_edt(~is_core, sampling=spacing_mm, return_distances=False, return_indices=True)
    side = seeds[tuple(nearest)]
    left, right = np.zeros_like(lung), np.zeros_like(lung)
    left[box], right[box] = lung[box] & (side == LEFT), lung[box] & (side == RIGHT)
    return left, right


def _midline(body: NDArray[np.bool_]) -> float:
    columns = np.flatnonzero(body.any(axis=(0, 1)))
    return float(columns[0] + columns[-1]) / 2 if columns.size else body.shape[2] / 2
