"""`heatmap.nii.gz`: where the evidence for each finding lies, a channel each, on one grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.values import Grid
from medimg.writers.nifti import nifti_header, write_nifti_blocks

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from medimg.values import Heatmap, StudyResult

NEEDS = ("heatmaps", "findings")
FILE = "heatmap.nii.gz"
SPACINGS_MM = (1.0, 1.5, 2.0, 3.0, 4.0)  # the finest that keeps the file at most MOST_VALUES; maps are smooth over some 4 mm
MOST_VALUES = 48_000_000  # 192 MB of float32 when unpacked, whatever the number of findings


def write(result: StudyResult, folder: Path) -> tuple[Path, ...]:
    """Write `heatmap.nii.gz`: float32, 0..1, channel (fourth axis) id - 1 for the finding of that id.

    The grid is straight and axial (columns to the left, rows back, slices up), starts at whole multiples of its spacing, holds
    every voxel of every map, and has cubic voxels of 1 mm, or of 1.5, 2, 3 or 4 mm where 1 mm would make more than 48 million
    values. Each map is interpolated linearly at the centres of these voxels and is 0 outside of its own box; several maps of one
    finding are joined by their maximum. A finding without a map has a channel of zeros.
    """
    channels = max(finding.id for finding in result.findings)
    grid = common_grid(result.heatmaps, channels=channels)
    header = nifti_header(grid, np.float32, channels=channels)
    blocks = (channel(result.heatmaps, grid, number) for number in range(1, channels + 1))
    return (write_nifti_blocks(header, blocks, folder / FILE),)


def common_grid(heatmaps: tuple[Heatmap, ...], *, channels: int) -> Grid:
    """Return the straight axial grid that holds all maps."""
    corners = np.concatenate([heatmap.grid.to_mm(_corners(heatmap.grid.shape)) for heatmap in heatmaps])
    low, high = corners.min(axis=0), corners.max(axis=0)
    for spacing in SPACINGS_MM:
        start = np.floor(low / spacing)
        shape = (np.ceil(high / spacing) - start + 1).astype(int)[::-1]
        if channels * int(np.prod(shape)) <= MOST_VALUES:
            break
    frame = heatmaps[0].grid.frame_of_reference
    return Grid.straight(shape.tolist(), spacing_mm=(spacing,) * 3, origin_mm=start * spacing, frame_of_reference=frame)


def channel(heatmaps: tuple[Heatmap, ...], grid: Grid, finding_id: int) -> NDArray[np.float32]:
    """Return the map of one finding on `grid`."""
    from scipy.ndimage import affine_transform

    out = np.zeros(grid.shape, dtype=np.float32)
    for heatmap in (heatmap for heatmap in heatmaps if heatmap.finding_id == finding_id):
        places = grid.to_index(heatmap.grid.to_mm(_corners(heatmap.grid.shape)))
        start = np.maximum(np.floor(places.min(axis=0)), 0).astype(int)
        stop = np.minimum(np.ceil(places.max(axis=0)) + 1, grid.shape).astype(int)
        box = grid.crop(start, stop - start)
        step = np.linalg.inv(heatmap.grid.affine) @ box.affine
        sampled = affine_transform(
            heatmap.array, step[:3, :3], step[:3, 3], output_shape=box.shape, order=1, mode="constant", cval=0.0
        )
        part = out[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
        np.maximum(part, sampled, out=part)
    return out


def _corners(shape: tuple[int, int, int]) -> NDArray[np.float64]:
    corners: NDArray[np.float64] = np.array(list(np.ndindex(2, 2, 2)), dtype=np.float64) * (np.array(shape) - 1)
    return corners
