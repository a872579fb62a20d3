"""Smooth with a Gaussian."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.errors import OptionError

if TYPE_CHECKING:
    from medimg.values import Volume


def gaussian(volume: Volume, *, sigma_mm: float) -> Volume:
    """Return a volume smoothed with standard deviation `sigma_mm` along every axis, as float32.

    The width is in the patient, not in voxels. Grid and unit stay as they are; beyond the edge the outermost voxel goes on.

    Raises:
        OptionError: `sigma_mm` is not above 0.
        GeometryError: the grid is sheared.

    >>> from medimg.values import Grid, Volume
    >>> grid = Grid.straight((5, 5, 5), spacing_mm=(1, 1, 1))
    >>> gaussian(Volume(array=np.zeros(grid.shape, np.int16), grid=grid), sigma_mm=2).history
    ('gaussian(sigma_mm=2)',)
    """
    if not sigma_mm > 0:
        raise OptionError("sigma_mm", sigma_mm, "a width above 0 mm")
    volume.grid.require_straight("gaussian")
    from scipy import ndimage

    smooth = volume.array.astype(np.float32)
    for axis, spacing in enumerate(volume.grid.spacing_mm):
        if volume.shape[axis] > 1:
            ndimage.gaussian_filter1d(smooth, sigma_mm / spacing, axis=axis, output=smooth, mode="nearest")
    return volume.with_array(smooth, step="gaussian", sigma_mm=sigma_mm)
