"""Map a window of HU to 0..1."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from medimg.errors import OptionError
from medimg.preprocessing._background import require_hu

if TYPE_CHECKING:
    from medimg.values import Volume


def window(volume: Volume, *, center_hu: float, width_hu: float) -> Volume:
    """Return a CT as float32 from 0 (at `center_hu` - `width_hu` / 2 and below) to 1 (at `center_hu` + `width_hu` / 2 and above).

    This is DICOM's LINEAR_EXACT (PS3.3 C.11.2.1.3.2) with an output of 0..1. The result has no unit: it is no longer HU.

    Raises:
        OptionError: `width_hu` is not above 0.
        UnsuitableScanError: the volume is not in HU.

    >>> from medimg.values import Grid, Volume
    >>> grid = Grid.straight((1, 1, 3), spacing_mm=(1, 1, 1))
    >>> scan = Volume(array=np.array([[[-2000, -600, 900]]], np.int16), grid=grid, modality="CT", unit="HU")
    >>> window(scan, center_hu=-600, width_hu=1500).array
    array([[[0. , 0.5, 1. ]]], dtype=float32)
    """
    require_hu(volume, "window")
    if not width_hu > 0:
        raise OptionError("width_hu", width_hu, "a width above 0 HU")
    shown = volume.array.astype(np.float32)
    shown -= np.float32(center_hu - width_hu / 2)
    shown *= np.float32(1 / width_hu)
    np.clip(shown, 0, 1, out=shown)
    return replace(volume.with_array(shown, step="window", center_hu=center_hu, width_hu=width_hu), unit="")
