"""Trees reach every point they are to supply, and grow thinner on the way."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.phantoms import _trees
from medimg.phantoms._stream import Stream


@pytest.fixture(scope="module")
def ends():
    inside = lambda points: np.linalg.norm(points, axis=1) < 40  # noqa: E731
    return _trees.terminals(Stream(5, "ends"), inside, np.full(3, -40.0), np.full(3, 40.0), gap_mm=10)


@pytest.fixture(scope="module")
def tree(ends):
    return _trees.grow(Stream(5, "forks"), np.array((-45.0, 0, 0)), np.array((1.0, 0, 0)), ends, np.zeros(len(ends), np.int64))


def test_ends_are_spread_over_the_whole_place(ends):
    assert len(ends) == pytest.approx(4 / 3 * np.pi * 40**3 / 10**3, rel=0.1)


def test_every_end_is_reached(ends, tree):
    gaps = np.linalg.norm(ends[:, None] - tree.points[None], axis=2).min(axis=1)
    assert gaps.max() < 1e-6


def test_radii_follow_from_what_is_supplied(ends, tree):
    assert tree.radii.max() == pytest.approx(_trees.TERMINAL_MM * len(ends) ** (1 / _trees.MURRAY))
    assert tree.radii.min() == pytest.approx(_trees.TERMINAL_MM)
    outer = np.linalg.norm(tree.points, axis=1) > 33
    assert np.median(tree.radii[outer]) < 0.5 * tree.radii.max()


@pytest.mark.parametrize("turn_deg", [0, 40, 70])
def test_a_branch_has_no_holes(turn_deg):
    turn = np.deg2rad(turn_deg)
    way = np.array((np.cos(turn), np.sin(turn), 0))
    branch = _trees._curve(np.zeros(3), np.array((1.0, 0, 0)), 20 * way, way, 3.0, 2.0)
    assert branch.points[[0, -1]] == pytest.approx(np.array([np.zeros(3), 20 * way]))
    steps = np.linalg.norm(np.diff(branch.points, axis=0), axis=1)
    assert steps.max() < 2 * _trees.STEP_MM  # a drawn point stands for one step to both sides
    assert branch.radii.min() == 2.0


def test_groups_are_parted_at_the_root(ends):
    groups = (ends[:, 2] > 0).astype(np.int64)
    tree = _trees.grow(Stream(5, "forks"), np.array((-45.0, 0, 0)), np.array((1.0, 0, 0)), ends, groups)
    thick = tree.radii > _trees.TERMINAL_MM * (0.6 * min(groups.sum(), (~groups.astype(bool)).sum())) ** (1 / _trees.MURRAY)
    assert {True, False} == set((tree.points[thick][:, 2] > 5).tolist())  # a stem goes up, and one stays below
