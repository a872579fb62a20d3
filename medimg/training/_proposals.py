"""What a detector proposes in the cube of a nodule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.engine import _windows
from medimg.training._blocks import OTHER, OWN
from medimg.values import Grid, Volume

if TYPE_CHECKING:
    from collections.abc import Iterator

    from medimg.engine import Model
    from medimg.engine._lesions import Lesion
    from medimg.training.cubes import Cubes

MM3_A_LITRE = 1e6
NONE = 0  # a proposal that is no nodule
NEAR_MM = 3.0  # a peak this near to a marked nodule of a cube, or inside it, is a hit
AWAY_MM = 5.0  # and one further than this from all of them is none
# Voxels that a search leaves out along each axis, at random on one side or both: a nodule lies in the middle of its cube.
SHIFT = 4


def proposals(model: Model, cubes: Cubes, number: int) -> Iterator[tuple[Lesion, int]]:
    """Give what the detector proposes in a cube, and what it is: `OWN` or `OTHER` nodule of the cube, or `NONE`.

    What is no nodule and near the cube's edge is left out.

    The search is of a crop whose corner is drawn at random (the same for the same cube): in the middle of whole cubes every
    nodule would lie at the same place of the detector's coarse grid, whose best place that could be.
    """
    from scipy import ndimage

    stage, volume = model.card.stage("detect"), cube_volume(cubes, number)
    crop = _crop(cubes, number)
    corner, shape = np.array([side.start for side in crop]), volume.array[crop].shape
    heat = _windows.run_windows(
        model.network(stage),
        np.ascontiguousarray(volume.array[crop]),
        channel=0,
        window=stage.window,
        margin=stage.margin,
        device=model.device,
        background=float(volume.array.min()),
    )
    far = ndimage.distance_transform_edt(cubes.mask[number] == 0)
    near = {label: ndimage.distance_transform_edt(cubes.mask[number] != label) for label in (OWN, OTHER)}
    if not (cubes.mask[number] == OTHER).any():
        del near[OTHER]  # of an empty label every distance is 0
    apart = round(stage.parameters["apart_mm"])
    found = _windows.peaks(heat, threshold=stage.threshold, apart=apart, most=int(stage.parameters["most"]))
    for place, height in found:
        inner = stage.margin <= min(place) and max(np.subtract(place, shape)) < -stage.margin
        place = tuple(np.add(place, corner).tolist())
        nearest = min(near, key=lambda label: near[label][place])
        hit = nearest if near[nearest][place] <= NEAR_MM else NONE
        if hit != NONE or (inner and far[place] > AWAY_MM):
            center = volume.grid.to_mm(place)
            yield model.lesion_at(volume, tuple(center.tolist()), peak=height), hit


def searched_litres(model: Model, cubes: Cubes, number: int) -> float:
    """Return how much of a cube `proposals` looks for false positives in: not near its edge, nor near a mark of a reader."""
    from scipy import ndimage

    margin = model.card.stage("detect").margin
    away = ndimage.distance_transform_edt(cubes.mask[number] == 0) > AWAY_MM
    inner = tuple(slice(side.start + margin, side.stop - margin) for side in _crop(cubes, number))
    return float(np.count_nonzero(away[inner])) / MM3_A_LITRE


def _crop(cubes: Cubes, number: int) -> tuple[slice, slice, slice]:
    """Return the crop of a cube that is searched."""
    low = np.random.default_rng(number).integers(0, SHIFT + 1, 3)
    z, y, x = (slice(int(a), size - SHIFT + int(a)) for a, size in zip(low, cubes.hu.shape[1:], strict=True))
    return z, y, x


def cube_volume(cubes: Cubes, number: int) -> Volume:
    """Return a cube as a CT whose origin is the cube's corner."""
    grid = Grid.straight(cubes.hu.shape[1:], spacing_mm=(1.0, 1.0, 1.0))
    return Volume(array=cubes.hu[number], grid=grid, modality="CT", unit="HU")
