"""The patient without table and outside air."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.errors import UnsuitableScanError
from medimg.preprocessing import body, orient
from medimg.values import Grid, Volume
from tests.builders.thorax import thorax


@pytest.fixture(scope="module")
def scan() -> Volume:
    return thorax().volume


def test_it_is_the_patient_with_the_air_inside_and_without_the_table(scan: Volume) -> None:
    mask = body(scan)
    _, y, x = (np.arange(size) * 3.0 - half for size, half in zip(scan.shape, (200, 150, 200), strict=True))
    truth = np.broadcast_to((x[None, :] / 170) ** 2 + (y[:, None] / 110) ** 2 <= 1, scan.shape)
    found = mask.array > 0
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.98
    assert not found[:, y > 122].any()  # the table
    assert mask.labels[1].meaning == "Entire body"


def test_a_turned_copy_gives_the_same_result(scan: Volume) -> None:
    back = orient(body(orient(scan, axis_codes="RIA")), axis_codes=scan.grid.axis_codes)
    np.testing.assert_array_equal(back.array, body(scan).array)


def test_air_alone_has_no_body() -> None:
    grid = Grid.straight((8, 32, 32), spacing_mm=(3, 3, 3))
    assert body(Volume(array=np.full(grid.shape, -1000, np.int16), grid=grid, modality="CT", unit="HU")).is_empty


def test_what_is_not_in_hu_is_refused() -> None:
    grid = Grid.straight((2, 2, 2), spacing_mm=(3, 3, 3))
    with pytest.raises(UnsuitableScanError, match="body works on Hounsfield units, and this MR"):
        body(Volume(array=np.zeros(grid.shape, np.int16), grid=grid, modality="MR"))
