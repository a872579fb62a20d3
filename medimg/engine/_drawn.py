"""Outlines on the scan's own voxels, and which of them stay where several are of one lesion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from medimg.engine._lesions import RIM_VOXELS, grown, middle_part
from medimg.engine.cubes import box_under, sample_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from medimg.engine._lesions import Lesion
    from medimg.values import Grid

SAME_LESION = 0.3  # share of an outline that lies in another: from here on it is the same lesion once more
WHOLE_SHARE = 0.5  # of the volume that coarser voxels show: an outline on finer ones that has less of it is a piece


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A lesion's outline on the box `place` of the scan's own voxels, and how sure it is."""

    probability: float
    lesion: Lesion
    place: tuple[slice, slice, slice]
    part: NDArray[np.bool_]
    voxels: int


def draw(grid: Grid, probability: float, lesion: Lesion, *, threshold: float) -> Drawn:
    """Return the outline of a lesion, cut at `threshold`, on the voxels of `grid`."""
    place = box_under(grid, lesion.grid)
    part = onto(grid, place, lesion, threshold=threshold)
    return Drawn(probability=probability, lesion=lesion, place=place, part=part, voxels=int(np.count_nonzero(part)))


def without_doubles(
    finer: Sequence[Drawn], coarser: Sequence[Drawn], array: NDArray[np.unsignedinteger], *, least_voxels: float
) -> tuple[list[Drawn], int]:
    """Return the outlines that stay, labelled in `array` (1 for the first), and how many were too small to.

    `finer` are the surest first, `coarser` (seen on coarser voxels) the coarsest first. Of two outlines of one lesion the first
    stays, and voxels that two claim are those of the first. A coarser one comes before what on finer voxels are pieces of it;
    where one of those is the whole lesion, seen better, the coarser one goes.
    """
    seen_whole = [any(_is_whole_of(fine, coarse) for coarse in coarser) for fine in finer]
    coarse_only = [coarse for coarse in coarser if not any(_is_whole_of(fine, coarse) for fine in finer)]
    stays: list[Drawn] = []
    small = 0
    for one in (
        *coarse_only,
        *(fine for fine, is_whole in zip(finer, seen_whole, strict=True) if is_whole),
        *(fine for fine, is_whole in zip(finer, seen_whole, strict=True) if not is_whole),
    ):
        taken = np.count_nonzero(one.part & (array[one.place] > 0))
        if one.voxels == 0 or taken > SAME_LESION * one.voxels:
            continue
        if one.voxels < least_voxels:
            small += 1
            continue
        stays.append(one)
        array[one.place][one.part & (array[one.place] == 0)] = len(stays)
    return stays, small


def _is_whole_of(fine: Drawn, coarse: Drawn) -> bool:
    if fine.voxels < WHOLE_SHARE * coarse.voxels:
        return False
    low = [max(one.start, two.start) for one, two in zip(fine.place, coarse.place, strict=True)]
    high = [max(min(one.stop, two.stop), a) for one, two, a in zip(fine.place, coarse.place, low, strict=True)]
    one, two = (
        each.part[tuple(slice(a - side.start, b - side.start) for a, b, side in zip(low, high, each.place, strict=True))]
        for each in (fine, coarse)
    )
    return bool(np.count_nonzero(one & two) > SAME_LESION * min(fine.voxels, coarse.voxels))


def onto(native: Grid, place: tuple[slice, slice, slice], lesion: Lesion, *, threshold: float) -> NDArray[np.bool_]:
    """Return the outline's middle part on the box `place` of the native grid, cut at `threshold`; its centre at least."""
    shape = tuple(axis.stop - axis.start for axis in place)
    if min(shape) == 0:
        return np.zeros(shape, bool)
    part = middle_part(lesion.outline, threshold=threshold)
    if not part.any():
        return np.zeros(shape, bool)
    # The rim below the threshold stays, so that the interpolated border lies where it belongs; a neighbour's outline does not.
    near = grown(part, RIM_VOXELS) & (part | (lesion.outline <= threshold))
    grid = native.crop([axis.start for axis in place], shape)
    result: NDArray[np.bool_] = sample_array(np.where(near, lesion.outline, 0), lesion.grid, grid, mode="constant") > threshold
    if not result.any():  # thinner than the scan's slices: the voxel that holds its centre
        index = np.round(grid.to_index(lesion.grid.to_mm(np.argwhere(part).mean(axis=0)))).astype(int)
        if (index >= 0).all() and (index < shape).all():
            result[tuple(index)] = True
    return result
