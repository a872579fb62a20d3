"""To torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

    from medimg.values import Mask, Volume


def to_torch(image: Volume | Mask) -> torch.Tensor:
    """Return a float32 tensor (1, 1, slice, row, column) with a copy of the voxels, as networks take them.

    A tensor knows no millimetres: keep the grid beside it.

    >>> from medimg.values import Grid, Volume
    >>> grid = Grid.straight((2, 3, 4), spacing_mm=(1, 1, 1))
    >>> tuple(to_torch(Volume(array=np.zeros(grid.shape, np.int16), grid=grid)).shape)
    (1, 1, 2, 3, 4)
    """
    import torch

    return torch.from_numpy(np.array(image.array, dtype=np.float32, order="C"))[None, None]
