"""Turn the axes of an array without moving a voxel."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np

from medimg.errors import OptionError
from medimg.values import Mask, Volume

PAIRS = ("LR", "PA", "SI")

Image = TypeVar("Image", Volume, Mask)


def orient(volume: Image, *, axis_codes: str = "SPL") -> Image:
    """Return a volume or mask with its axes permuted and flipped so that slices, rows and columns grow as `axis_codes` says.

    The default is axial from the feet up, rows to the back, columns to the patient's left. Nothing is interpolated and every
    voxel keeps its place in the patient; oblique axes count as the direction they are nearest to.

    Raises:
        OptionError: `axis_codes` are not three letters, one each of L/R, P/A and S/I.

    >>> from medimg.values import Grid
    >>> grid = Grid.straight((1, 1, 3), spacing_mm=(1, 1, 1))
    >>> turned = orient(Volume(array=np.array([[[1, 2, 3]]], np.int16), grid=grid), axis_codes="SPR")
    >>> turned.array, turned.grid.origin_mm
    (array([[[3, 2, 1]]], dtype=int16), (2.0, 0.0, 0.0))
    """
    wanted = [next((pair for pair in PAIRS if letter in pair), "") for letter in axis_codes]
    if sorted(wanted) != sorted(PAIRS):
        raise OptionError("axis_codes", axis_codes, 'three letters such as "SPL": one each of L or R, P or A, S or I')
    grid, array = volume.grid, volume.array
    present = [next(pair for pair in PAIRS if letter in pair) for letter in grid.axis_codes]
    axes = [present.index(pair) for pair in wanted]
    grid, array = grid.transpose(axes), array.transpose(axes)
    for axis, letter in enumerate(axis_codes):
        if grid.axis_codes[axis] != letter:
            grid, array = grid.flip(axis), np.flip(array, axis)
    array = np.ascontiguousarray(array)
    if isinstance(volume, Mask):
        return replace(volume, array=array, grid=grid)
    return volume.with_grid(array, grid, step="orient", axis_codes=axis_codes)
