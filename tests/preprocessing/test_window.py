"""Windows, against the formula of the standard."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.errors import OptionError, UnsuitableScanError
from medimg.preprocessing import window
from medimg.values import Grid, Volume

GRID = Grid.straight((1, 1, 7), spacing_mm=(1, 1, 1))
VALUES = np.array([[[-2000, -1350, -1000, -600, -200, 150, 3000]]], dtype=np.int16)


def test_it_is_the_exact_linear_window_of_the_standard() -> None:
    shown = window(Volume(array=VALUES, grid=GRID, modality="CT", unit="HU"), center_hu=-600, width_hu=1500)
    # PS3.3 C.11.2.1.3.2: y = ((x - c) / w + 0.5) * (ymax - ymin) + ymin, with ymin 0, ymax 1
    wanted = np.clip((VALUES + 600) / 1500 + 0.5, 0, 1)
    np.testing.assert_allclose(shown.array, wanted, atol=1e-6)
    assert shown.array.dtype == np.float32


def test_the_result_is_no_longer_in_hu() -> None:
    shown = window(Volume(array=VALUES, grid=GRID, modality="CT", unit="HU"), center_hu=40, width_hu=400)
    assert (shown.unit, shown.modality) == ("", "CT")
    assert shown.history == ("window(center_hu=40, width_hu=400)",)


@pytest.mark.parametrize("width", [0, -400, float("nan")])
def test_a_window_without_width_is_refused(width: float) -> None:
    with pytest.raises(OptionError, match="width_hu"):
        window(Volume(array=VALUES, grid=GRID, unit="HU"), center_hu=40, width_hu=width)


def test_what_is_not_in_hu_is_refused() -> None:
    with pytest.raises(UnsuitableScanError, match="window works on Hounsfield units"):
        window(Volume(array=VALUES, grid=GRID, modality="MR"), center_hu=40, width_hu=400)
