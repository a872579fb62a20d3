"""Take noise away and leave edges."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from medimg.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from medimg.values import Volume

MOST_STEPS = 1000  # a width that needs more steps smooths over hundreds of voxels: surely a slip of the unit


def denoise(volume: Volume, *, sigma_mm: float = 1.0, edge_per_mm: float = 150.0) -> Volume:
    """Return a volume with its noise smoothed away and its edges left, as float32.

    Heat flows between neighbouring voxels for as long as it takes to smooth flat regions with a standard deviation of `sigma_mm`,
    and stops where the slope is above `edge_per_mm` (in the volume's unit per millimetre). In a chest CT noise has slopes
    of 50 HU/mm, the border of a ground-glass nodule 150, a vessel's or the pleura's 500; the default is meant for it, and says
    nothing for another modality. The mean of the scan stays exactly, and no value leaves the scan's range: nothing is made up.
    (Anisotropic diffusion after Perona and Malik, IEEE PAMI 12:629, 1990, on the true spacing.)

    Raises:
        OptionError: a width or slope that is not above 0, or a width of far too many voxels.
        GeometryError: the grid is sheared.

    >>> from medimg.values import Grid, Volume
    >>> grid = Grid.straight((5, 5, 5), spacing_mm=(1, 1, 1))
    >>> denoise(Volume(array=np.zeros(grid.shape, np.int16), grid=grid), sigma_mm=2).history
    ('denoise(sigma_mm=2, edge_per_mm=150.0)',)
    """
    for name, value in (("sigma_mm", sigma_mm), ("edge_per_mm", edge_per_mm)):
        if not (value > 0 and math.isfinite(value)):
            raise OptionError(name, value, "a number above 0")
    volume.grid.require_straight("denoise")
    spacing = volume.grid.spacing_mm
    longest = 0.5 / sum(1 / step**2 for step in spacing)  # mm2: a longer step of the explicit scheme would overshoot
    steps = math.ceil(sigma_mm**2 / 2 / longest)
    if steps > MOST_STEPS:
        raise OptionError(
            "sigma_mm",
            sigma_mm,
            f"a width of some voxels; this scan's are {spacing[0]:.2g} x {spacing[1]:.2g} x {spacing[2]:.2g} mm",
        )
    array = volume.array.astype(np.float32)
    for _ in range(steps):
        _diffuse(array, spacing, sigma_mm**2 / 2 / steps, edge_per_mm)
    return volume.with_array(array, step="denoise", sigma_mm=sigma_mm, edge_per_mm=edge_per_mm)


def _diffuse(array: NDArray[np.float32], spacing_mm: tuple[float, float, float], time_mm2: float, edge_per_mm: float) -> None:
    """Do one step in place, slice by slice: the old values of a slice are needed only until the next one is done."""
    below = np.zeros(array.shape[1:], dtype=np.float32)  # what flowed in from the slice before
    for index, plane in enumerate(array):
        change = below.copy()
        for axis, step in ((0, spacing_mm[1]), (1, spacing_mm[2])):
            flow = _flow(np.diff(plane, axis=axis), step, time_mm2, edge_per_mm)
            first, last = [slice(None)] * 2, [slice(None)] * 2
            first[axis], last[axis] = slice(None, -1), slice(1, None)
            change[tuple(first)] += flow
            change[tuple(last)] -= flow
        if index + 1 < len(array):
            flow = _flow(array[index + 1] - plane, spacing_mm[0], time_mm2, edge_per_mm)
            change += flow
            below = -flow
        plane += change


def _flow(difference: NDArray[np.float32], step_mm: float, time_mm2: float, edge_per_mm: float) -> NDArray[np.float32]:
    """Return what flows to the voxel before from the voxel after."""
    open_ = difference * np.float32(1 / (step_mm * edge_per_mm))
    np.exp(-(open_ * open_), out=open_)
    open_ *= difference
    open_ *= np.float32(time_mm2 / step_mm**2)
    return open_
