"""Distances and blurred edges agree with geometry."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from medimg.phantoms import _shapes


def test_a_flat_edge_blurs_to_the_normal_distribution():
    distance = np.linspace(-4, 4, 401)
    assert _shapes.coverage(distance, blur_mm=0.8) == pytest.approx(norm.cdf(-distance / 0.8), abs=1e-6)


def test_a_tube_is_as_far_as_its_axis_less_its_radius():
    x, y, z = np.array([0.0, 5.0, 5.0, 12.0]), np.array([3.0, 0.0, 4.0, 0.0]), np.zeros(4)
    field = _shapes.tube((x, y, z), [(0, 0, 0), (10, 0, 0)], [1, 2])
    assert field == pytest.approx([3 - 1, 0 - 1.5, 4 - 1.5, 2 - 2])


def test_true_distance_is_right_near_the_surface():
    axis = np.arange(-40, 41, 1.0)
    x, y, z = axis[None, None, :], axis[None, :, None], axis[:, None, None]
    field = _shapes.true_distance(_shapes.ellipsoid((x, y, z), (0, 0, 0), (30, 30, 30), power=2.0) * 7, step_mm=(1, 1, 1))
    exact = np.sqrt(x**2 + y**2 + z**2) - 30
    near = np.abs(exact) < 2
    assert np.abs(field - exact)[near].max() < 0.15


def test_union_and_intersection_without_rounding_are_the_nearest_and_the_farthest():
    one, two = np.array([-1.0, 2.0, 3.0]), np.array([4.0, -2.0, 1.0])
    assert _shapes.union(one, two).tolist() == [-1, -2, 1]
    assert _shapes.intersection(one, two).tolist() == [4, 2, 3]


def test_rounding_fills_the_inner_edge_only():
    one, two = np.array([0.0, 50.0]), np.array([0.0, 3.0])
    assert _shapes.union(one, two, rounding_mm=8).tolist() == [-2.0, 3.0]  # deepest where both are equal, nothing far away


def test_a_smooth_path_goes_through_its_points():
    points = np.array([(0, 0, 0, 3), (5, 1, 2, 2), (9, 7, 4, 2), (9, 12, 9, 1)], dtype=float)
    path = _shapes.smooth_path(points, pieces=6)
    assert path[::6] == pytest.approx(points)
