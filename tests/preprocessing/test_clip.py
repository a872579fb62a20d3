"""Clipping HU."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.errors import OptionError, UnsuitableScanError
from medimg.preprocessing import clip
from medimg.values import Grid, Volume

GRID = Grid.straight((1, 1, 4), spacing_mm=(1, 1, 1))


def scan(values: list[float], dtype: type = np.int16, unit: str = "HU") -> Volume:
    return Volume(array=np.array([[values]], dtype=dtype), grid=GRID, modality="CT", unit=unit)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_values_beyond_the_limits_become_the_limits(dtype: type) -> None:
    clipped = clip(scan([-2048, -1000, 30, 3071], dtype), low_hu=-1000, high_hu=400)
    assert clipped.array.ravel().tolist() == [-1000, -1000, 30, 400]
    assert clipped.array.dtype == dtype
    assert clipped.history == ("clip(low_hu=-1000, high_hu=400)",)
    assert clipped.unit == "HU"


def test_limits_beyond_what_int16_holds_do_not_wrap_round() -> None:
    assert clip(scan([-2048, 0, 5, 3071]), low_hu=-100_000, high_hu=100_000).array.ravel().tolist() == [-2048, 0, 5, 3071]


def test_a_limit_between_two_whole_numbers_is_kept_exactly() -> None:
    assert clip(scan([0, 1, 2, 3]), low_hu=0.5, high_hu=2.5).array.ravel().tolist() == [0.5, 1, 2, 2.5]


def test_limits_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(OptionError, match="low_hu cannot be 400"):
        clip(scan([0, 0, 0, 0]), low_hu=400, high_hu=-1000)


def test_what_is_not_in_hu_is_refused() -> None:
    with pytest.raises(UnsuitableScanError, match="clip works on Hounsfield units"):
        clip(scan([0, 0, 0, 0], unit=""), low_hu=0, high_hu=1)
