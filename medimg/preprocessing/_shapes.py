"""Morphology in millimetres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


IN_PLANE = np.array([np.zeros((3, 3)), [[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.zeros((3, 3))], dtype=bool)


def distance_mm(region: NDArray[np.bool_], spacing_mm: Sequence[float]) -> NDArray[np.float32]:
    """Return how far the nearest voxel outside of `region` is, 0 for what is outside; the edge of the array is no outside."""
    import SimpleITK as sitk

    far = np.zeros(region.shape, dtype=np.float32)
    if not region.any():
        return far
    box = wider(box_of(region), (1, 1, 1), region.shape)
    part = region[box]
    if part.all():
        far[box] = np.inf
        return far
    image = sitk.GetImageFromArray((~part).view(np.uint8))
    image.SetSpacing([float(value) for value in spacing_mm[::-1]])
    away = sitk.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    np.multiply(sitk.GetArrayViewFromImage(away), part, out=far[box])
    return far


def dilated(region: NDArray[np.bool_], radius_mm: float, spacing_mm: Sequence[float]) -> NDArray[np.bool_]:
    """Return `region` and everything within `radius_mm` of it."""
    result = region.copy()
    if region.any():
        box = wider(box_of(region), [int(radius_mm / step) + 1 for step in spacing_mm], region.shape)
        result[box] = distance_mm(~region[box], spacing_mm) <= radius_mm
    return result


def eroded(region: NDArray[np.bool_], radius_mm: float, spacing_mm: Sequence[float]) -> NDArray[np.bool_]:
    """Return what of `region` is more than `radius_mm` from its outside."""
    return distance_mm(region, spacing_mm) > radius_mm


def closed(region: NDArray[np.bool_], radius_mm: float, spacing_mm: Sequence[float]) -> NDArray[np.bool_]:
    """Return `region` with every gap filled that a ball of `radius_mm` cannot enter.

    Where it reaches the edge of the array it is taken to go on beyond: the end of a scan is not the end of an organ.
    """
    if not region.any():
        return region.copy()
    box = box_of(region)
    margin = [int(np.ceil(radius_mm / step)) + 1 for step in spacing_mm]
    padded = region[box]
    for axis, (side, size) in enumerate(zip(box, region.shape, strict=True)):
        for end, reached in ((0, side.start == 0), (1, side.stop == size)):
            width = [(0, 0)] * 3
            width[axis] = (margin[axis], 0) if end == 0 else (0, margin[axis])
            padded = np.pad(padded, width, mode="edge" if reached else "constant")
    filled = eroded(dilated(padded, radius_mm, spacing_mm), radius_mm, spacing_mm)
    inner = tuple(slice(width, -width) for width in margin)
    result = region.copy()
    result[box] |= filled[inner]
    return result


def box_of(region: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    """Return the smallest box that holds `region`, which must not be empty."""
    bounds = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        there = np.flatnonzero(region.any(axis=others))
        bounds.append(slice(int(there[0]), int(there[-1]) + 1))
    first, second, third = bounds
    return first, second, third


def wider(box: Sequence[slice], margin: Sequence[int], shape: Sequence[int]) -> tuple[slice, slice, slice]:
    """Return a box with a margin on every side, as far as the array goes."""
    first, second, third = (
        slice(max(side.start - more, 0), min(side.stop + more, size)) for side, more, size in zip(box, margin, shape, strict=True)
    )
    return first, second, third


def touching_the_edge(pieces: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the labels of the pieces (0 too) that touch the edge of their slice."""
    return np.unique(np.concatenate([pieces[:, [0, -1]].ravel(), pieces[:, :, [0, -1]].ravel()]))


def at_the_edge(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return what of `region` is joined, within its slice, to the edge of the slice."""
    from scipy import ndimage

    if not (region[:, [0, -1]].any() or region[:, :, [0, -1]].any()):
        return np.zeros_like(region)
    pieces, count = ndimage.label(region, structure=IN_PLANE)
    joined = np.zeros(count + 1, dtype=bool)
    joined[touching_the_edge(pieces)] = True
    joined[0] = False
    return joined[pieces]


def without_holes(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `region` with everything filled that it encloses within a slice."""
    return region | ~at_the_edge(~region)


def piece_means(
    pieces: NDArray[np.int32], values: NDArray[np.generic], where: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return, for each label of `pieces`, how many of its voxels are in `where` and the mean of `values` there (0 if none is)."""
    voxels = np.flatnonzero(where)
    labels, count = pieces.ravel()[voxels], int(pieces.max()) + 1
    sizes = np.bincount(labels, minlength=count).astype(np.float64)
    means = np.bincount(labels, weights=values.ravel()[voxels], minlength=count) / np.maximum(sizes, 1)
    return sizes, means
