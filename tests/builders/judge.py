"""Judge volumes of the phantom by value: the voxels of each sphere's value must lie where the sphere is, and be as many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.builders.phantom import CENTRE, SPHERES, STEP_MM, hu_at

VALUE_TOLERANCE = 40  # spheres are 200 apart


@dataclass
class Judgement:
    """What is wrong with one volume, at its worst sphere: mm, sphere values not found, volume ratios."""

    stack: int
    off_mm: float
    lost: list[str]
    ratios: list[float]

    @property
    def right(self):
        return self.off_mm <= 1.0 and not self.lost and all(0.8 <= ratio <= 1.25 for ratio in self.ratios)


def judge(volume, stacks):
    """Judge a volume against the stack that it fits best."""
    found = [_against(volume, stack, number) for number, stack in enumerate(stacks)]
    return min(found, key=lambda one: (len(one.lost), one.off_mm > 1, sum(abs(ratio - 1) for ratio in one.ratios)))


def _against(volume, stack, number):
    expected = _sampled(stack)
    worst, lost, ratios = 0.0, [], []
    for sphere in stack["spheres"]:
        if not sphere["visible"]:
            continue
        voxels = np.argwhere(np.abs(volume.array.astype(float) - sphere["hu"]) <= VALUE_TOLERANCE)
        if not len(voxels):
            lost.append(sphere["name"])
            continue
        centre, size = expected[sphere["name"]]
        worst = max(worst, float(np.linalg.norm(volume.grid.to_mm(voxels).mean(axis=0) - centre)))
        ratios.append(len(voxels) * volume.grid.voxel_volume_mm3 / size)
    return Judgement(number, worst, lost, ratios)


def _sampled(stack):
    """Return centroid and volume of each sphere as the slices show it, each standing for half the way to its neighbours."""
    planes = stack["planes"]
    normal = np.cross(planes[0].orientation[:3], planes[0].orientation[3:])
    spots = np.array([plane.position @ normal for plane in planes])
    order = np.argsort(spots)
    depth = np.full(len(planes), STEP_MM)
    if len(planes) > 1:
        depth[order] = np.gradient(spots[order])
    shift = stack["spheres"][0]["lps"] - _unmoved(stack["spheres"][0]["name"])
    out = {}
    for sphere in stack["spheres"]:
        total, moment = 0.0, np.zeros(3)
        for plane, weight in zip(planes, depth, strict=True):
            points = plane.points()
            inside = hu_at(points, shift) == sphere.get("unscaled", sphere["hu"])
            size = inside.sum() * plane.spacing[0] * plane.spacing[1] * weight
            total += size
            if inside.any():
                moment += size * points[inside].mean(axis=0)
        out[sphere["name"]] = (moment / total, total) if total else (sphere["lps"], 1.0)
    return out


def _unmoved(name):
    return CENTRE + np.array(SPHERES[name][0])
