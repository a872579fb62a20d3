"""Morphology in millimetres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def distance_mm(region: NDArray[np.bool_], spacing_mm: Sequence[float]) -> NDArray[np.float32]:
    """Return for each voxel of `region` how far the nearest voxel outside of it is, 0 outside."""
    import SimpleITK as sitk

    if not region.any() or region.all():
        return np.where(region, np.float32(np.inf), np.float32(0))
    image = sitk.GetImageFromArray((~region).view(np.uint8))
    image.SetSpacing([float(value) for value in spacing_mm[::-1]])
    away = sitk.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    found = sitk.GetArrayFromImage(away)
    return np.where(region, found, np.float32(0))


def dilated(region: NDArray[np.bool_], radius_mm: float, spacing_mm: Sequence[float]) -> NDArray[np.bool_]:
    """Return `region` and everything within `radius_mm` of it."""
    if not region.any():
        return region.copy()
    return distance_mm(~region, spacing_mm) <= radius_mm


def eroded(region: NDArray[np.bool_], radius_mm: float, spacing_mm: Sequence[float]) -> NDArray[np.bool_]:
    """Return what of `region` is more than `radius_mm` from its outside; the edge of the array is no outside."""
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


def without_holes(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `region` with what it encloses in 3-D, and in each slice, filled."""
    from scipy import ndimage

    in_plane = np.zeros((3, 3, 3), dtype=bool)
    in_plane[1] = ndimage.generate_binary_structure(2, 1)
    outside, count = ndimage.label(~region, structure=in_plane)
    open_ = np.zeros(count + 1, dtype=bool)
    open_[np.unique(np.concatenate([outside[:, [0, -1]].ravel(), outside[:, :, [0, -1]].ravel()]))] = True
    open_[0] = False
    return region | ~open_[outside]
