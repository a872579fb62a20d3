"""What a detector proposes in the cube of a nodule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.engine import _windows
from medimg.training._blocks import IGNORED
from medimg.values import Grid, Volume

if TYPE_CHECKING:
    from collections.abc import Iterator

    from medimg.engine import Model
    from medimg.engine._lesions import Lesion
    from medimg.training.cubes import Cubes

MM3_A_LITRE = 1e6
NEAR_MM = 3.0  # a peak this near to a marked nodule of a cube, or inside it, is a hit
AWAY_MM = 5.0  # and one further than this from all of them is none


def proposals(model: Model, cubes: Cubes, number: int) -> Iterator[tuple[Lesion, bool]]:
    """Give what the detector proposes in a cube, and whether it is a nodule; other places near the cube's edge are left out."""
    from scipy import ndimage

    stage, volume = model.card.stage("detect"), cube_volume(cubes, number)
    heat = _windows.run_windows(
        model.network(stage),
        volume.array,
        channel=0,
        window=stage.window,
        margin=stage.margin,
        device=model.device,
        background=float(volume.array.min()),
    )
    far = ndimage.distance_transform_edt(cubes.mask[number] == 0)
    nodule = ndimage.distance_transform_edt((cubes.mask[number] == 0) | (cubes.mask[number] == IGNORED))
    apart = round(stage.parameters["apart_mm"])
    found = _windows.peaks(heat, threshold=stage.threshold, apart=apart, most=int(stage.parameters["most"]))
    for place, height in found:
        inner = stage.margin <= min(place) and max(place) < volume.shape[0] - stage.margin
        if nodule[place] <= NEAR_MM or (inner and far[place] > AWAY_MM):
            center = volume.grid.to_mm(place)
            yield model.lesion_at(volume, tuple(center.tolist()), peak=height), bool(nodule[place] <= NEAR_MM)


def searched_litres(model: Model, cubes: Cubes, number: int) -> float:
    """Return how much of a cube `proposals` looks for false positives in: not near its edge, nor near a mark of a reader."""
    from scipy import ndimage

    margin = model.card.stage("detect").margin
    away = ndimage.distance_transform_edt(cubes.mask[number] == 0) > AWAY_MM
    inner = (slice(margin, -margin or None),) * 3
    return float(np.count_nonzero(away[inner])) / MM3_A_LITRE


def cube_volume(cubes: Cubes, number: int) -> Volume:
    """Return a cube as a CT whose origin is the cube's corner."""
    grid = Grid.straight(cubes.hu.shape[1:], spacing_mm=(1.0, 1.0, 1.0))
    return Volume(array=cubes.hu[number], grid=grid, modality="CT", unit="HU")
