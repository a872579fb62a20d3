"""The numbers of the second opinion on shapes whose numbers are known."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.measures import descriptors
from medimg.measures.descriptors import NAMES


def block(size, edge=30):
    inside = np.zeros((edge,) * 3, bool)
    inside[tuple(slice(5, 5 + side) for side in size)] = True
    return inside


def test_a_ball_of_one_density():
    places = np.stack(np.indices((30, 30, 30)), axis=-1) - 15
    inside = np.linalg.norm(places, axis=-1) <= 10
    found = descriptors(np.where(inside, 40, -900), inside, spacing_mm=0.5)
    assert tuple(found) == NAMES
    assert found["log_diameter"] == pytest.approx(0, abs=0.02)  # a radius of ten voxels of half a millimetre
    assert [found[name] for name in ("mean_hu", "sd_hu", "max_hu", "min_hu")] == [40, 0, 40, 40]
    assert found["elongation"] == pytest.approx(1.05, abs=0.05)
    assert found["roundness"] == pytest.approx(1, abs=0.06)


def test_a_rod_is_long_and_not_round():
    found = descriptors(np.zeros((30, 30, 30)), block((4, 4, 20)), spacing_mm=1.0)
    assert found["elongation"] > 2
    assert found["roundness"] < 0.3


def test_nothing_has_no_numbers():
    assert descriptors(np.zeros((5, 5, 5)), np.zeros((5, 5, 5), bool), spacing_mm=1.0) == {}
