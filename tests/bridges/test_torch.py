"""A tensor of the voxels as networks take them."""

from __future__ import annotations

import numpy as np
import torch

from medimg.bridges import to_torch
from medimg.values import Grid, Mask, Volume

GRID = Grid.straight((2, 3, 4), spacing_mm=(1, 1, 1))


def test_a_volume_becomes_float32_of_batch_channel_slice_row_column() -> None:
    array = np.arange(24, dtype=np.int16).reshape(GRID.shape)
    tensor = to_torch(Volume(array=array, grid=GRID))
    assert tensor.dtype == torch.float32
    assert tensor.shape == (1, 1, 2, 3, 4)
    assert tensor[0, 0, 1, 2, 3] == 23


def test_the_tensor_is_a_copy() -> None:
    volume = Volume(array=np.zeros(GRID.shape, np.float32), grid=GRID)
    to_torch(volume).fill_(7)
    assert not volume.array.any()


def test_a_flipped_mask_is_no_obstacle() -> None:
    array = np.arange(24, dtype=np.uint8).reshape(GRID.shape)
    tensor = to_torch(Mask(array=array[:, ::-1, ::-1], grid=GRID))  # torch itself refuses negative strides
    assert tensor[0, 0, 0, 0, 0] == 11
