"""The vessels and airways inside the lungs, and how much of each voxel they fill."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from medimg.phantoms import _anatomy, _trees
from medimg.phantoms._stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from medimg.phantoms._anatomy import Anatomy
    from medimg.phantoms._trees import Lines, Points

GAP_MM = 10.0  # between the last vessels of one kind
CLEAR_OF_PLEURA_MM = 3.0  # vessels are seen to within some mm of the pleura
BRONCHUS_SHARE = 0.62  # inner radius of a bronchus, as a share of the radius of the artery beside it
BRONCHUS_LEAST_MM = 0.9  # thinner ones are not seen
WALL_MM, WALL_SHARE = 0.35, 0.18  # wall of a bronchus: a little, and a share of its radius
STEMS = (("right", "lower"), ("right", "upper"), ("left", "lower"), ("left", "upper"))
VEINS = dict(zip(STEMS, _anatomy.LUNG_VEINS, strict=True))
CHUNK = 600_000  # voxels that are worked on at a time: few enough for the cache
RADII_MM = np.array([0.25, 0.6, 1.0, 1.7, 2.8, 4.5, 9.0])  # lines are drawn in groups of like radius


@dataclass(frozen=True)
class Plumbing:
    """Lines of the vessels, the bronchi's inside and the bronchi's outside."""

    vessels: Lines
    lumen: Lines
    wall: Lines


def build(anatomy: Anatomy, *, seed: int) -> Plumbing:
    """Grow bronchi, arteries and veins of both lungs."""
    depth = interpolator(anatomy, anatomy.lungs)
    vessels, lumen, wall = [], [], []
    for side, sign in (("right", -1.0), ("left", 1.0)):
        arteries = _ends(depth, Stream(seed, f"arteries {side}"), sign)
        root = np.array(_anatomy.HILUM[side])
        heading = np.array((sign * 0.85, 0.25, -0.45))
        forks = Stream(seed, f"artery forks {side}")
        tree = _trees.grow(forks, root, heading / np.linalg.norm(heading), arteries, _lobes(arteries))
        vessels.append(_trees.beside(tree, leaning=(sign * 0.3, -0.75, 0.55), share=1.75))
        bronchi = tree.where(tree.radii * BRONCHUS_SHARE > BRONCHUS_LEAST_MM)
        inner = bronchi.radii * BRONCHUS_SHARE
        lumen.append(_trees.Lines(bronchi.points, bronchi.directions, inner))
        wall.append(_trees.Lines(bronchi.points, bronchi.directions, inner * (1 + WALL_SHARE) + WALL_MM))
        veins = _ends(depth, Stream(seed, f"veins {side}"), sign)
        lower = _lobes(veins) == 0
        for part, group in (("lower", lower), ("upper", ~lower)):
            stem = VEINS[side, part][:, :3]
            start, heading = stem[-2], stem[-1] - stem[-2]
            ends = veins[group]
            forks = Stream(seed, f"vein forks {side} {part}")
            vessels.append(_trees.grow(forks, start, heading / np.linalg.norm(heading), ends, _lobes(ends)))
    return Plumbing(*(_trees.Lines.join(parts) for parts in (vessels, lumen, wall)))


def interpolator(anatomy: Anatomy, field: NDArray[np.float64]) -> Callable[[Points], NDArray[np.float64]]:
    """Return a function that looks `field` up at points (n, 3) of x, y, z in mm."""
    from scipy.ndimage import map_coordinates

    starts = np.array([axis[0] for axis in anatomy.axes])

    def look_up(points: Points) -> NDArray[np.float64]:
        index = (points[:, ::-1] - starts).T / _anatomy.COARSE_MM
        found: NDArray[np.float64] = map_coordinates(field, index, order=1, mode="nearest")
        return found

    return look_up


def _ends(depth: Callable[[Points], NDArray[np.float64]], stream: Stream, sign: float) -> Points:
    low, high = np.array((4.0, -100.0, 0.0)), np.array((150.0, 100.0, 240.0))
    if sign < 0:
        low[0], high[0] = -150.0, -4.0
    return _trees.terminals(stream, lambda points: depth(points) < -CLEAR_OF_PLEURA_MM, low, high, gap_mm=GAP_MM)


def _lobes(points: Points) -> NDArray[np.int64]:
    return _anatomy.lobe(points[:, 0], points[:, 1], points[:, 2])


def draw(lines: Lines, *, axes: tuple[Points, Points, Points], blur_mm: float) -> NDArray[np.float32]:
    """Return how much of each voxel the tubes fill after a blur of standard deviation `blur_mm`; `axes` are z, y and x in mm.

    Each point of a line stands for a short piece of a straight tube. A blurred disc is looked up in a table, so that a tube
    thinner than a voxel has its true weight and no steps.
    """
    shape = tuple(len(axis) for axis in axes)
    start = np.array([axis[0] for axis in axes])
    step = np.array([axis[1] - axis[0] for axis in axes])
    filled = np.zeros(shape, np.float32)
    for low, high in pairwise(RADII_MM):
        group = lines.where((lines.radii >= low) & (lines.radii < high))
        if not len(group.radii):
            continue
        reach = np.ceil((high + 2.5 * blur_mm) / step).astype(int)
        box = np.stack(np.meshgrid(*(np.arange(-size, size + 1) for size in reach), indexing="ij"), axis=-1).reshape(-1, 3)
        table, radii, gaps = _disc_table(low, high, blur_mm)
        size = max(1, CHUNK // len(box))
        for first in range(0, len(group.radii), size):
            part = slice(first, first + size)
            points, directions = group.points[part, ::-1], group.directions[part, ::-1]
            index = np.rint((points - start) / step).astype(np.int64)[:, None, :] + box
            away = index * step + start - points[:, None, :]
            along = np.einsum("nbk,nk->nb", away, directions)
            gap = np.sqrt(np.clip(np.einsum("nbk,nbk->nb", away, away) - along**2, 0, None))
            row = np.clip((group.radii[part, None] - radii[0]) / (radii[1] - radii[0]), 0, len(radii) - 1.001)
            use = (np.abs(along) <= _trees.STEP_MM) & (gap < gaps[-1]) & ((index >= 0) & (index < shape)).all(axis=-1)
            flat = np.ravel_multi_index(tuple(index[use].T), shape)
            value = _bilinear(table, np.broadcast_to(row, gap.shape)[use], gap[use] / (gaps[1] - gaps[0]))
            np.maximum.at(filled.reshape(-1), flat, value.astype(np.float32))
    return filled


def _bilinear(table: Points, row: Points, column: Points) -> Points:
    i, j = row.astype(np.int64), np.minimum(column.astype(np.int64), table.shape[1] - 2)
    u, v = row - i, column - j
    return (1 - u) * ((1 - v) * table[i, j] + v * table[i, j + 1]) + u * ((1 - v) * table[i + 1, j] + v * table[i + 1, j + 1])


def _disc_table(low: float, high: float, blur_mm: float) -> tuple[Points, Points, Points]:
    """Return the value of a blurred disc by radius and distance from its middle, with the radii and the distances."""
    radii = np.linspace(low, high, 12)
    gaps = np.linspace(0, high + 2.5 * blur_mm, 96)
    rings = np.linspace(0, high, 800)
    pull = rings[None, :] * gaps[:, None] / blur_mm**2
    bell = np.exp(-((rings[None, :] - gaps[:, None]) ** 2) / (2 * blur_mm**2))
    density = rings / blur_mm**2 * bell * np.i0(pull) * np.exp(-pull)
    slabs = (density[:, 1:] + density[:, :-1]) / 2 * np.diff(rings)
    inside = np.concatenate([np.zeros((len(gaps), 1)), np.cumsum(slabs, axis=1)], axis=1)
    return np.stack([[np.interp(radius, rings, line) for line in inside] for radius in radii]), radii, gaps
