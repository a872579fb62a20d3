"""Cut out a box."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from medimg.errors import GeometryError, OptionError
from medimg.preprocessing._background import background
from medimg.values import Mask, Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

Image = TypeVar("Image", Volume, Mask)


def crop(volume: Image, *, start: Sequence[int], shape: Sequence[int]) -> Image:
    """Return the box of a volume or mask that begins at voxel `start` (slice, row, column) and has `shape` voxels.

    No voxel moves in the patient. The box may reach outside; there it holds -1024 in a CT in HU and 0 in everything else.

    Raises:
        OptionError: `start` or `shape` are not three whole numbers, or a size is below 1.
        GeometryError: the box has no voxel in common with the volume.

    >>> from medimg.values import Grid
    >>> grid = Grid.straight((1, 1, 3), spacing_mm=(1, 1, 1))
    >>> scan = Volume(array=np.array([[[1, 2, 3]]], np.int16), grid=grid)
    >>> crop(scan, start=(0, 0, 1), shape=(1, 1, 2)).array
    array([[[2, 3]]], dtype=int16)
    """
    start, shape = _whole("start", start), _whole("shape", shape)
    if min(shape) < 1:
        raise OptionError("shape", shape, "sizes of at least 1")
    source, target = [], []
    for first, wanted, there in zip(start, shape, volume.shape, strict=True):
        low, high = max(first, 0), min(first + wanted, there)
        if low >= high:
            raise GeometryError(
                f"The box from {start} of {shape} lies outside of the scan of {volume.shape}. Give one that meets it."
            )
        source.append(slice(low, high))
        target.append(slice(low - first, high - first))
    box = np.full(shape, background(volume), dtype=volume.array.dtype)
    box[tuple(target)] = volume.array[tuple(source)]
    grid = volume.grid.crop(start, shape)
    if isinstance(volume, Mask):
        return replace(volume, array=box, grid=grid)
    return volume.with_grid(box, grid, step="crop", start=start, shape=shape)


def _whole(name: str, numbers: Sequence[int]) -> tuple[int, int, int]:
    if len(numbers) != 3 or any(int(number) != number for number in numbers):
        raise OptionError(name, tuple(numbers), "three whole numbers: slice, row, column")
    first, second, third = (int(number) for number in numbers)
    return first, second, third
