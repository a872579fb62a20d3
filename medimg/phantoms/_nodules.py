"""Nodules: lobulated, a little longer than wide, with a known centre and volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from medimg.phantoms._stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Points = NDArray[np.float64]

FINE_MM = 0.25  # the shapes are worked out in steps of this
MARGIN_MM = 8.0  # room for the blurred edge
BUMPS = 9
SQUEEZE = np.array((0.93, 1.0, 1.08))  # radii along the nodule's own axes, before its lobes


@dataclass(frozen=True)
class Plan:
    """What is wanted: `diameter_mm` of the sphere of equal volume, `hu` of its material, how far its edge is smeared."""

    name: str
    kind: str  # "solid" or "ground glass"
    center_mm: tuple[float, float, float]
    diameter_mm: float
    hu: float
    edge_mm: float  # standard deviation of the material's own soft edge, before the scanner's blur
    lobes: float  # height of the bumps, as a share of the radius
    texture_hu: float = 0.0  # unevenness of the material
    against_wall: tuple[float, float] | None = None  # direction (x, y) in which to move it until it touches the chest wall


@dataclass(frozen=True)
class Nodule:
    """A nodule in place: `share` (z, y, x) is 1 inside and 0 outside, in steps of FINE_MM from `start_mm` (z, y, x)."""

    plan: Plan
    center_mm: tuple[float, float, float]  # centre of mass, x, y, z
    volume_mm3: float
    share: NDArray[np.float64]
    start_mm: Points

    @property
    def diameter_mm(self) -> float:
        """Diameter of the sphere of the same volume."""
        return float((6 * self.volume_mm3 / np.pi) ** (1 / 3))


def build(plan: Plan, depth: Callable[[Points], Points], *, seed: int) -> Nodule:
    """Make the nodule; `depth` gives the distance from the lung's surface (below 0 inside) at points (n, 3) of x, y, z in mm."""
    center = np.array(plan.center_mm)
    if plan.against_wall is not None:
        center = _moved_to_wall(center, np.array((*plan.against_wall, 0.0)), depth, gap_mm=0.46 * plan.diameter_mm)
    stream = Stream(seed, f"nodule {plan.name}")
    first, second = stream.directions(2)
    third = np.cross(first, second) / np.linalg.norm(np.cross(first, second))
    axes = np.stack([first, np.cross(third, first), third], axis=1) * SQUEEZE  # three directions at right angles
    bumps = stream.directions(BUMPS)
    heights = plan.lobes * stream.uniform(BUMPS, -0.6, 1.0)
    half = int(np.ceil((0.9 * plan.diameter_mm + MARGIN_MM) / FINE_MM))
    steps = np.arange(-half, half + 1) * FINE_MM
    z, y, x = np.meshgrid(steps, steps, steps, indexing="ij")
    places = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    near = np.linalg.norm(places, axis=1) < 0.9 * plan.diameter_mm
    own = places[near] @ np.linalg.inv(axes).T
    length = np.linalg.norm(own, axis=1)
    unit = own / np.maximum(length, 1e-9)[:, None]
    reach = 1 + (np.exp(7 * (unit @ bumps.T - 1)) * heights).sum(axis=1)
    in_lung = depth(places[near] + center) < 0
    wanted = np.pi / 6 * plan.diameter_mm**3
    # the scale at which the shape, cut off at the pleura, has the wanted volume: so many of its points are nearer than that
    ranked = np.sort((length / reach)[in_lung])
    inside = np.zeros(len(places), bool)
    inside[np.flatnonzero(near)[in_lung & (length / reach <= ranked[round(wanted / FINE_MM**3) - 1])]] = True
    middle = places[inside].mean(axis=0) + center
    share = inside.reshape(z.shape).astype(np.float64)
    return Nodule(
        plan=plan,
        center_mm=(float(middle[0]), float(middle[1]), float(middle[2])),
        volume_mm3=float(inside.sum() * FINE_MM**3),
        share=share,
        start_mm=center[::-1] - half * FINE_MM,
    )


def _moved_to_wall(center: Points, towards: Points, depth: Callable[[Points], Points], *, gap_mm: float) -> Points:
    """Move `center` until it is `gap_mm` from the lung's surface."""
    towards = towards / np.linalg.norm(towards)
    path = center + np.arange(0, 90, 0.1)[:, None] * towards
    fits = depth(path) < -gap_mm
    moved: Points = path[int(np.argmin(fits)) - 1]  # the last before the first that is too near
    return moved


def draw(nodule: Nodule, *, axes: tuple[Points, Points, Points], blur_mm: float) -> tuple[tuple[slice, slice, slice], Points]:
    """Return the box of voxels that the blurred nodule reaches, and its share of each of them; `axes` are z, y and x in mm."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    total = float(np.hypot(blur_mm, nodule.plan.edge_mm))
    soft = gaussian_filter(nodule.share, total / FINE_MM, truncate=4)
    end = nodule.start_mm + (np.array(soft.shape) - 1) * FINE_MM
    box = tuple(slice(*np.searchsorted(axis, (low, high))) for axis, low, high in zip(axes, nodule.start_mm, end, strict=True))
    index = np.meshgrid(
        *((axis[part] - low) / FINE_MM for axis, part, low in zip(axes, box, nodule.start_mm, strict=True)), indexing="ij"
    )
    return box, map_coordinates(soft, index, order=1)  # type: ignore[return-value]
