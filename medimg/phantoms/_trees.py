"""Branching trees that fill the lungs: bronchi with the arteries beside them, and veins.

The way of growing is the usual one for lungs: the points that a branch has to supply are split in two, and each half gets a
branch that goes part of the way to its middle; radii follow from the number of points supplied (Murray's law).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from medimg.phantoms._stream import Stream

    Points = NDArray[np.float64]

REACH, FINE_REACH = 0.34, 0.45  # share of the way to the middle of its points that a branch goes; a fine one goes further,
FINE_BELOW = 120  # for fine branches all from one place would be a star
MURRAY = 3.0  # the radius to this power is what a branch carries: 2.6 to 3 in lungs
TERMINAL_MM = 0.52  # radius of the last vessels that are drawn; finer ones are the lung's texture
STEEPEST_COS = 0.35  # a branch leaves its parent at 70 degrees at most
STEP_MM = 0.75  # between two points of a drawn line
LEAST_LENGTH_MM = 1.5
WOBBLE = 0.12  # how far a fork lies off its straight place, as a share of the branch
SMALLER_SHARE = (0.25, 0.5)  # of its points that the smaller half of a fork supplies


@dataclass(frozen=True)
class Lines:
    """Points along all branches: place (n, 3) in mm, unit direction (n, 3), radius (n) in mm."""

    points: Points
    directions: Points
    radii: Points

    @classmethod
    def join(cls, parts: Sequence[Lines]) -> Lines:
        """Return all lines as one."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("points", "directions", "radii")))

    def where(self, chosen: NDArray[np.bool_]) -> Lines:
        """Return some of the points."""
        return Lines(self.points[chosen], self.directions[chosen], self.radii[chosen])


def terminals(
    stream: Stream, inside: Callable[[Points], NDArray[np.bool_]], low: Points, high: Points, *, gap_mm: float
) -> Points:
    """Return points about `gap_mm` apart in the box `low` to `high` where `inside` holds."""
    axes = [np.arange(start, end, gap_mm) for start, end in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    grid = grid + stream.uniform(grid.shape, -0.48 * gap_mm, 0.48 * gap_mm)
    return grid[inside(grid)]


def grow(stream: Stream, root: Points, heading: Points, ends: Points, groups: NDArray[np.int64]) -> Lines:
    """Return a tree from `root`, that sets out along `heading`, to all `ends`; the first forks part the `groups` (the lobes)."""
    parts: list[Lines] = []
    todo = [(np.asarray(root, float), np.asarray(heading, float), np.arange(len(ends)))]
    while todo:
        start, direction, own = todo.pop()
        share = float(stream.uniform(1, *SMALLER_SHARE)[0])
        for half in _halves(ends[own], groups[own], direction, share):
            members = own[half]
            middle = ends[members].mean(axis=0)
            single = len(members) == 1
            reach = REACH if len(members) > FINE_BELOW else FINE_REACH
            end = middle if single else start + _turned(middle - start, direction) * reach
            length = float(np.linalg.norm(end - start))
            if not single and length < LEAST_LENGTH_MM:
                end = start + (end - start) * LEAST_LENGTH_MM / max(length, 1e-6)
            leaving = _unit(end - start)
            wobble = stream.normal(3) * WOBBLE * max(length, LEAST_LENGTH_MM)
            end = end if single else end + wobble
            parts.append(_curve(start, direction, end, leaving, _radius(len(own)), _radius(len(members))))
            if not single:
                todo.append((parts[-1].points[-1], parts[-1].directions[-1], members))
    return Lines.join(parts)


def beside(lines: Lines, *, leaning: Sequence[float], share: float) -> Lines:
    """Return the lines moved sideways, towards `leaning`, by `share` of their radius (the artery beside its bronchus)."""
    side = np.asarray(leaning, float) - lines.directions * (lines.directions @ np.asarray(leaning, float))[:, None]
    return Lines(lines.points + side * (share * lines.radii)[:, None], lines.directions, lines.radii)


def _radius(supplied: int) -> float:
    return TERMINAL_MM * float(supplied) ** (1 / MURRAY)


def _unit(vector: Points) -> Points:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def _halves(ends: Points, groups: NDArray[np.int64], direction: Points, share: float) -> list[NDArray[np.bool_]]:
    """Part the ends of a branch in two: by lobe first, then across their longest extent."""
    if len(ends) == 1:
        return [np.ones(1, bool)]
    names, counts = np.unique(groups, return_counts=True)
    if len(names) > 1:
        first = groups == names[np.argmax(counts)]
        return [first, ~first]
    centred = ends - ends.mean(axis=0)
    across = centred - np.outer(centred @ direction, direction) * 0.35  # rather beside each other than one behind the other
    _, axes = np.linalg.eigh(across.T @ across)
    axis = axes[:, -1] * np.sign(axes[np.argmax(np.abs(axes[:, -1])), -1])  # the sign of an eigenvector is a library's whim
    order = np.argsort(across @ axis, kind="stable")
    first = np.zeros(len(ends), bool)
    first[order[: max(1, round(share * len(ends)))]] = True
    return [first, ~first]


def _turned(wanted: Points, direction: Points) -> Points:
    """Return `wanted`, turned towards `direction` where the angle between them is too steep."""
    length = float(np.linalg.norm(wanted))
    unit = wanted / max(length, 1e-9)
    cosine = float(unit @ direction)
    if cosine >= STEEPEST_COS:
        return wanted
    across = _unit(unit - cosine * direction)
    return length * (STEEPEST_COS * direction + np.sqrt(1 - STEEPEST_COS**2) * across)


def _curve(start: Points, leaving: Points, end: Points, arriving: Points, first: float, last: float) -> Lines:
    """Return a smooth line between two points, its radius going over from that of the parent to its own in the first third."""
    length = float(np.linalg.norm(end - start))
    count = max(2, int(np.ceil(length / STEP_MM)) + 1)
    share = np.linspace(0, 1, count)[:, None]
    out, into = leaving * length * 0.7, arriving * length * 0.7
    points = (
        (2 * share**3 - 3 * share**2 + 1) * start
        + (share**3 - 2 * share**2 + share) * out
        + (3 * share**2 - 2 * share**3) * end
        + (share**3 - share**2) * into
    )
    slopes = np.gradient(points, axis=0)
    slopes /= np.maximum(np.linalg.norm(slopes, axis=1, keepdims=True), 1e-9)
    radii = last + (first - last) * np.clip(1 - 3 * share[:, 0], 0, 1)
    return Lines(points, slopes, radii)
