"""Put an image on another grid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from medimg.errors import GeometryError, OptionError
from medimg.preprocessing._background import background
from medimg.values import Grid, Mask, Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

INTERPOLATIONS = ("nearest", "linear", "bspline")
WHOLE_TOLERANCE = 1e-3  # of a voxel: a box that is longer than a whole number of voxels by less gets no further voxel
MARGIN = 2  # voxels round what is needed: a neighbour to interpolate with, and one to be clear of the edge
SLAB_VOXELS = 1 << 23  # voxels resampled at a time: 32 MiB as float32, so that the peak is the result and little more

Image = TypeVar("Image", Volume, Mask)


def resample(
    volume: Image,
    *,
    spacing_mm: float | Sequence[float] | None = None,
    like: Grid | None = None,
    interpolation: str | None = None,
) -> Image:
    """Return a volume or mask on another grid: of another spacing, or one that is given.

    With `spacing_mm` (one number, or slice, row, column) the axes and the centre of the scan stay, the spacing is exactly the
    one asked for, and the new grid covers the scan's box from outer edge to outer edge; where the box is not a whole number of
    voxels it reaches out by at most half a voxel on each side, so that every new voxel's centre lies in the scan. With `like`
    any grid will do: oblique, flipped and sheared ones too, on either side.

    Values are taken at voxel centres. Nothing is smoothed: to go much coarser, use `gaussian` first. Between the outermost
    centres and the outer edge the outermost value goes on; outside of the scan stands -1024 in a CT in HU, 0 in everything
    else. int16 stays int16, rounded to the nearest integer.

    `interpolation` is "linear", "nearest" or "bspline" (cubic; it may overshoot at edges and is kept within the scan's own
    range); without it a volume is taken linearly and a mask by its nearest label, which is the only way that labels can be taken.

    Raises:
        OptionError: neither or both of `spacing_mm` and `like`, a spacing that is not above 0, an unknown interpolation.
        GeometryError: `like` is in another frame of reference, or has nothing in common with the scan.

    >>> grid = Grid.straight((2, 2, 2), spacing_mm=(2, 2, 2))
    >>> fine = resample(Volume(array=np.full(grid.shape, 40, np.int16), grid=grid), spacing_mm=1)
    >>> fine.grid.describe(), fine.grid.origin_mm
    ('4 x 4 x 4 voxels of 1 x 1 x 1 mm, SPL', (-0.5, -0.5, -0.5))
    """
    is_mask = isinstance(volume, Mask)
    way = interpolation or ("nearest" if is_mask else "linear")
    if way not in INTERPOLATIONS:
        raise OptionError.unknown("interpolation", way, INTERPOLATIONS)
    if is_mask and way != "nearest":
        raise OptionError("interpolation", way, "nearest: between two labels there is no third")
    if (spacing_mm is None) == (like is None):
        raise OptionError("spacing_mm", spacing_mm, "either spacing_mm or like, one of the two")
    grid = with_spacing(volume.grid, spacing_mm) if spacing_mm is not None else _same_frame(volume.grid, like)
    if not is_mask and not _overlap(volume.grid, grid):
        raise GeometryError("The grid to resample to has nothing in common with the scan. Give one that meets it.")
    array = _resampled(volume.array, volume.grid, grid, way=way, outside=background(volume))
    if isinstance(volume, Mask):
        return replace(volume, array=array, grid=grid)
    options = {"spacing_mm": spacing_mm} if spacing_mm is not None else {"like": f"{grid.describe()} at {grid.origin_mm}"}
    return volume.with_grid(array, grid, step="resample", **options, interpolation=way)


def with_spacing(grid: Grid, spacing_mm: float | Sequence[float]) -> Grid:
    """Return the grid of that spacing with the same axes and centre that covers the same box."""
    wanted = np.array([spacing_mm] * 3 if np.isscalar(spacing_mm) else spacing_mm, dtype=np.float64)
    if wanted.shape != (3,) or not np.isfinite(wanted).all() or wanted.min() <= 0:
        raise OptionError("spacing_mm", spacing_mm, "one number above 0 mm, or three: slice, row, column")
    shape = np.maximum(np.ceil(np.array(grid.size_mm) / wanted - WHOLE_TOLERANCE), 1).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = grid.directions * wanted
    affine[:3, 3] = grid.to_mm((np.array(grid.shape) - 1) / 2) - affine[:3, :3] @ ((shape - 1) / 2)
    slices, rows, columns = (int(size) for size in shape)
    return Grid((slices, rows, columns), affine, frame_of_reference=grid.frame_of_reference)


def _same_frame(grid: Grid, like: Grid | None) -> Grid:
    if not isinstance(like, Grid):
        raise OptionError("like", type(like).__name__, "a Grid, such as that of another volume: volume.grid")
    if grid.frame_of_reference and like.frame_of_reference and grid.frame_of_reference != like.frame_of_reference:
        raise GeometryError(
            "The two grids are in different frames of reference, so their millimetres do not fit. Register them first."
        )
    return replace(like, frame_of_reference=like.frame_of_reference or grid.frame_of_reference)


def _overlap(first: Grid, second: Grid) -> bool:
    """Whether the boxes can meet: false only if a face of one parts them."""
    corners = np.array(np.meshgrid(*[(0.0, 1.0)] * 3)).reshape(3, -1).T
    for one, other in ((first, second), (second, first)):
        index = one.to_index(other.to_mm(corners * other.shape - 0.5))
        if (index.max(axis=0) < -0.5).any() or (index.min(axis=0) > np.array(one.shape) - 0.5).any():
            return False
    return True


def _resampled(array: NDArray[Any], source: Grid, target: Grid, *, way: str, outside: int) -> NDArray[Any]:
    """Resample in the index space of the source, where its grid is straight whatever it is in the patient."""
    import SimpleITK as sitk

    step = np.linalg.solve(source.affine, target.affine)  # index of the target -> index of the source
    if way != "bspline":  # whose every value depends on all others
        array, start = _what_is_needed(array, step, target.shape)
        step[:3, 3] -= start
    image = sitk.GetImageFromArray(array)
    if way == "bspline":
        image = sitk.BSplineDecomposition(sitk.Cast(image, sitk.sitkFloat32), 3)
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(step[2::-1, 2::-1].ravel().tolist())
    transform.SetTranslation(step[2::-1, 3].tolist())
    by = {"nearest": sitk.sitkNearestNeighbor, "linear": sitk.sitkLinear, "bspline": sitk.sitkBSplineResampler}[way]
    resampler = sitk.ResampleImageFilter()
    resampler.SetTransform(transform)
    resampler.SetDefaultPixelValue(outside)
    resampler.SetInterpolator(by)
    resampler.SetOutputPixelType(image.GetPixelID() if way == "nearest" else sitk.sitkFloat32)
    result = np.empty(target.shape, dtype=array.dtype)
    slices = max(1, SLAB_VOXELS // (target.shape[1] * target.shape[2]))
    for first in range(0, target.shape[0], slices):
        part = result[first : first + slices]
        resampler.SetSize(part.shape[::-1])
        resampler.SetOutputOrigin([0, 0, first])
        made = resampler.Execute(image)
        values = sitk.GetArrayViewFromImage(made)
        if way == "bspline":
            values = np.clip(values, min(array.min(), outside), max(array.max(), outside))
        if part.dtype == np.int16 and way != "nearest":
            values = np.rint(values)  # SimpleITK itself would cut towards zero
        part[...] = values
    return result


def _what_is_needed(
    array: NDArray[Any], step: NDArray[np.floating[Any]], shape: tuple[int, int, int]
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the box of the source that the target touches, and where it begins: a small target costs little in a large scan."""
    corners = np.array(np.meshgrid(*[(0, size - 1) for size in shape])).reshape(3, -1)
    reach = step[:3, :3] @ corners + step[:3, 3:]
    size = np.array(array.shape)
    low = np.clip(np.floor(reach.min(axis=1)).astype(np.int64) - MARGIN, 0, size - 1)
    high = np.clip(np.ceil(reach.max(axis=1)).astype(np.int64) + MARGIN + 1, low + 1, size)
    return array[tuple(slice(first, last) for first, last in zip(low, high, strict=True))], low
