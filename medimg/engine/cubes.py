"""Cut a straight cube out of a volume of any grid, and put a result back onto it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.values import Grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from medimg.values import Volume


def cube_grid(center_mm: Sequence[float], *, edge: int, spacing_mm: float, frame_of_reference: str | None = None) -> Grid:
    """Return a straight axial grid of `edge` voxels a side whose middle voxel (edge // 2) lies at `center_mm` (LPS)."""
    origin = np.asarray(center_mm, float) - (edge // 2) * spacing_mm
    return Grid.straight((edge,) * 3, spacing_mm=(spacing_mm,) * 3, origin_mm=origin, frame_of_reference=frame_of_reference)


def sample(volume: Volume, grid: Grid) -> NDArray[np.float32]:
    """Return `volume` at the voxels of `grid`, linearly interpolated; outside of the scan its nearest voxel goes on.

    Only the box of `volume` under `grid` is touched, so a cube out of a large scan costs what the cube costs.
    """
    array, grid_of = volume.array, volume.grid
    return sample_array(array, grid_of, grid, mode="nearest")


def sample_array(array: NDArray[Any], source: Grid, target: Grid, *, mode: str) -> NDArray[np.float32]:
    """Return `array` on `source` at the voxels of `target`, linearly interpolated; `mode` is scipy.ndimage's."""
    from scipy import ndimage

    matrix = np.linalg.inv(source.affine) @ target.affine
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(target.shape) - 1)
    reach = corners @ matrix[:3, :3].T + matrix[:3, 3]
    low = np.clip(np.floor(reach.min(axis=0)).astype(int) - 1, 0, np.array(source.shape) - 1)
    high = np.clip(np.ceil(reach.max(axis=0)).astype(int) + 2, low + 1, source.shape)
    box = array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))].astype(np.float32)
    # "nearest" of the cut box equals that of the whole array: the box is only cut where target does not reach
    result: NDArray[np.float32] = ndimage.affine_transform(
        box, matrix[:3, :3], matrix[:3, 3] - low, output_shape=target.shape, order=1, mode=mode, output=np.float32
    )
    return result


def box_under(native: Grid, cube: Grid) -> tuple[slice, slice, slice]:
    """Return the box of `native` that holds every voxel whose centre may lie in `cube`; it may be empty."""
    corners = cube.to_mm(np.array(list(np.ndindex(2, 2, 2))) * (np.array(cube.shape) - 1))
    reach = native.to_index(corners)
    low = np.clip(np.floor(reach.min(axis=0)).astype(int), 0, native.shape)
    high = np.clip(np.ceil(reach.max(axis=0)).astype(int) + 1, low, native.shape)
    z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return z, y, x
