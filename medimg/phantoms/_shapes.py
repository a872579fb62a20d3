"""Shapes as fields of signed distance in mm: below 0 inside, 0 on the surface.

A field is only roughly a distance far from its surface; `true_distance` makes it one near the surface, where it matters.
"""

from __future__ import annotations

from math import erf
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Field = NDArray[np.float64]
    Point = Sequence[float]

STEEPEST = 1e-6  # keeps the middle of a shape, where the slope vanishes, from dividing by 0
ERF_REACH = 4.0  # the error function is 1 beyond, to 2e-8
_ERF_AT = np.linspace(-ERF_REACH, ERF_REACH, 8001)
_ERF = np.array([erf(value) for value in _ERF_AT])


def coverage(distance_mm: Field, *, blur_mm: float) -> Field:
    """Return how much of each point a shape covers after a blur of standard deviation `blur_mm`, as for a flat surface."""
    share = (distance_mm < 0).astype(np.float64)
    position = distance_mm / (np.sqrt(2) * blur_mm)
    edge = np.abs(position) < ERF_REACH
    share[edge] = 0.5 - 0.5 * np.interp(position[edge], _ERF_AT, _ERF)
    return share


def union(*fields: Field, rounding_mm: float = 0.0) -> Field:
    """Return the union, its inner edges filled with a radius of about `rounding_mm`."""
    result = fields[0]
    for field in fields[1:]:
        if rounding_mm:
            mixing = np.clip(rounding_mm - np.abs(result - field), 0, None)
            result = np.minimum(result, field) - mixing**2 / (4 * rounding_mm)
        else:
            result = np.minimum(result, field)
    return result


def intersection(*fields: Field, rounding_mm: float = 0.0) -> Field:
    """Return what is in all of them, its outer edges rounded with about `rounding_mm`."""
    return -union(*(-field for field in fields), rounding_mm=rounding_mm)


def ellipsoid(points: Sequence[Field], center: Point, radii: Point, *, power: float = 2.0) -> Field:
    """Return an ellipsoid along the axes (a superellipsoid for a `power` above 2), as a distance of the right order."""
    parts = [np.abs((axis - middle) / radius) ** power for axis, middle, radius in zip(points, center, radii, strict=True)]
    return (sum(parts, np.zeros(())) ** (1 / power) - 1) * min(radii)


def tube(points: Sequence[Field], path: ArrayLike, radii: ArrayLike) -> Field:
    """Return a tube along a polyline `path` (n, 3) whose radius runs evenly between the `radii` (n)."""
    path, radii = np.asarray(path, dtype=np.float64), np.asarray(radii, dtype=np.float64)
    result: Field | None = None
    for start, end, first, last in zip(path[:-1], path[1:], radii[:-1], radii[1:], strict=True):
        along = end - start
        share = sum((axis - origin) * step for axis, origin, step in zip(points, start, along, strict=True)) / (along @ along)
        share = np.clip(share, 0, 1)
        square = sum((axis - origin - share * step) ** 2 for axis, origin, step in zip(points, start, along, strict=True))
        field = np.sqrt(square) - (first + (last - first) * share)
        result = field if result is None else np.minimum(result, field)
    if result is None:
        raise ValueError("a tube needs two points")
    return result


def smooth_path(path: ArrayLike, *, pieces: int = 6) -> NDArray[np.float64]:
    """Return a Catmull-Rom curve through the points (n, k), `pieces` to a stretch."""
    path = np.asarray(path, dtype=np.float64)
    padded = np.vstack([2 * path[0] - path[1], path, 2 * path[-1] - path[-2]])
    share = np.arange(pieces)[:, None] / pieces
    curve = [
        0.5 * (2 * b + (c - a) * share + (2 * a - 5 * b + 4 * c - d) * share**2 + (3 * b - a - 3 * c + d) * share**3)
        for a, b, c, d in zip(padded[:-3], padded[1:-2], padded[2:-1], padded[3:], strict=True)
    ]
    return np.vstack([*curve, path[-1:]])


def true_distance(field: Field, *, step_mm: Sequence[float]) -> Field:
    """Return the field divided by its slope: near the surface, the distance in mm."""
    slope = np.sqrt(sum(part**2 for part in np.gradient(field, *step_mm)))
    return field / np.maximum(slope, STEEPEST)
