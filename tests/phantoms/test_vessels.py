"""A drawn tube weighs what a tube weighs, however thin and however it lies."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.phantoms import _vessels
from medimg.phantoms._trees import STEP_MM, Lines

AXES = (np.arange(40) * 0.8, np.arange(44) * 1.0, np.arange(48) * 1.0)


@pytest.mark.parametrize("radius_mm", [0.3, 0.52, 1.0, 3.0])
@pytest.mark.parametrize("direction", [(0, 0, 1), (1, 0, 0), (1, 1, 1), (0.2, -0.7, 0.3)])
def test_weight_of_a_tube(radius_mm, direction):
    along = np.array(direction, float) / np.linalg.norm(direction)
    length = 16.0
    places = np.arange(-length / 2, length / 2 + 1e-9, STEP_MM)
    points = np.array([24.3, 21.8, 15.7]) + places[:, None] * along
    lines = Lines(points, np.tile(along, (len(points), 1)), np.full(len(points), radius_mm))
    filled = _vessels.draw(lines, axes=AXES, blur_mm=0.6).sum() * 0.8
    longer = places[-1] - places[0] + 2 * STEP_MM  # each point stands for a piece that reaches one step to both sides
    assert filled == pytest.approx(np.pi * radius_mm**2 * longer, rel=0.06)


def test_a_thick_tube_is_full_inside_and_empty_outside():
    points = np.array([24.0, 21.0, 16.0]) + np.arange(-10, 10, STEP_MM)[:, None] * np.array([0, 0, 1.0])
    lines = Lines(points, np.tile((0, 0, 1.0), (len(points), 1)), np.full(len(points), 4.0))
    filled = _vessels.draw(lines, axes=AXES, blur_mm=0.6)
    middle = filled[20, 21]
    assert middle[24] == pytest.approx(1, abs=1e-3)
    assert middle[28] == pytest.approx(0.47, abs=0.04)  # at the radius: a half, less the bend of the surface
    assert middle[31] == 0
