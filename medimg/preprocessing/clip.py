"""Clip values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.errors import OptionError
from medimg.preprocessing._background import require_hu

if TYPE_CHECKING:
    from medimg.values import Volume


def clip(volume: Volume, *, low_hu: float, high_hu: float) -> Volume:
    """Return a CT with values below `low_hu` raised to it and values above `high_hu` lowered to it.

    Grid, unit and kind of number stay (float32 where a limit is no whole number).

    Raises:
        OptionError: `low_hu` is not below `high_hu`.
        UnsuitableScanError: the volume is not in HU.

    >>> from medimg.values import Grid, Volume
    >>> grid = Grid.straight((1, 1, 3), spacing_mm=(1, 1, 1))
    >>> scan = Volume(array=np.array([[[-3000, 40, 3000]]], np.int16), grid=grid, modality="CT", unit="HU")
    >>> clip(scan, low_hu=-1000, high_hu=400).array
    array([[[-1000,    40,   400]]], dtype=int16)
    """
    require_hu(volume, "clip")
    if not low_hu < high_hu:
        raise OptionError("low_hu", low_hu, f"a value below high_hu, which is {high_hu}")
    array = volume.array
    if array.dtype == np.int16 and not (float(low_hu).is_integer() and float(high_hu).is_integer()):
        array = array.astype(np.float32)  # a limit between two integers cannot be written as int16
    limits = np.iinfo(np.int16) if array.dtype == np.int16 else np.finfo(np.float32)
    clipped = np.clip(array, array.dtype.type(max(low_hu, limits.min)), array.dtype.type(min(high_hu, limits.max)))
    return volume.with_array(clipped, step="clip", low_hu=low_hu, high_hu=high_hu)
