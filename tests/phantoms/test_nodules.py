"""Nodules have the volume, the centre and the shape that the truth says."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.phantoms import _nodules
from medimg.phantoms._chest import plans
from medimg.phantoms._nodules import FINE_MM, Plan


def deep(points):
    return np.full(len(points), -50.0)


def wall_at_x20(points):
    return points[:, 0] - 20.0


@pytest.fixture(scope="module", params=plans(), ids=lambda plan: plan.name)
def nodule(request):
    return _nodules.build(request.param, lambda points: points[:, 0] * np.sign(points[:, 0]) - 100.0, seed=1)


def test_volume_is_that_of_the_wanted_sphere(nodule):
    assert nodule.share.sum() * FINE_MM**3 == pytest.approx(np.pi / 6 * nodule.plan.diameter_mm**3, rel=1e-3)
    assert nodule.diameter_mm == pytest.approx(nodule.plan.diameter_mm, rel=1e-3)


def test_centre_is_the_centre_of_its_own_shape(nodule):
    middle = [(nodule.share * axis).sum() / nodule.share.sum() for axis in np.indices(nodule.share.shape)]
    assert (nodule.start_mm + np.array(middle) * FINE_MM)[::-1] == pytest.approx(nodule.center_mm, abs=1e-6)


def test_it_is_no_perfect_ball_and_in_one_piece(nodule):
    from scipy.ndimage import binary_erosion, label

    inside = nodule.share > 0
    shell = np.argwhere(inside & ~binary_erosion(inside)) * FINE_MM + nodule.start_mm
    reach = np.linalg.norm(shell - np.array(nodule.center_mm)[::-1], axis=1)
    assert reach.std() / reach.mean() > 0.04
    assert label(inside)[1] == 1


def test_drawing_keeps_volume_and_centre(nodule):
    axes = tuple(start + np.arange(90) * step for start, step in zip(nodule.start_mm - 5, (0.9, 1.0, 1.0), strict=True))
    box, share = _nodules.draw(nodule, axes=axes, blur_mm=0.6)
    assert share.sum() * 0.9 == pytest.approx(nodule.volume_mm3, rel=0.01)
    places = np.meshgrid(*(axis[part] for axis, part in zip(axes, box, strict=True)), indexing="ij")
    middle = [(share * place).sum() / share.sum() for place in places]
    assert middle[::-1] == pytest.approx(nodule.center_mm, abs=0.05)


def test_against_the_wall_it_touches_and_is_cut_off_there():
    plan = Plan("at-wall", "solid", (0.0, 0.0, 0.0), 9.0, 40.0, edge_mm=0.3, lobes=0.2, against_wall=(1.0, 0.0))
    nodule = _nodules.build(plan, wall_at_x20, seed=1)
    x = nodule.start_mm[2] + np.flatnonzero(nodule.share.any(axis=(0, 1))) * FINE_MM
    assert 19 < x.max() < 20
    assert nodule.diameter_mm == pytest.approx(9, rel=1e-3)


def test_another_seed_gives_another_shape():
    plan = plans()[0]
    assert not np.array_equal(_nodules.build(plan, deep, seed=1).share, _nodules.build(plan, deep, seed=2).share)
