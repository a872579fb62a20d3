"""Collect what a detector takes for nodules in training data and is none: what the classifier has to learn to refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.engine._windows import peaks, run_windows
from medimg.models.networks import centre_unet
from medimg.preprocessing import resample
from medimg.training._augment import cut
from medimg.training.outline_and_rate import EDGE, PAD

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from medimg.training.chests import Chest
    from medimg.training.cubes import Cubes

THRESHOLD = 0.07  # well below any operating point
AWAY = 5  # voxels of 1 mm from any marked nodule
WINDOW, MARGIN = 112, 12
ROOM = EDGE + 4  # so that the middle of a crop can be moved


def mine(checkpoint: Path, cubes: Cubes, chests: Sequence[Chest]) -> NDArray[np.int16]:
    """Return crops (n, slice, row, column) of HU around the false positives of a detector on training cubes and chests."""
    import torch

    network = centre_unet.build()
    network.load_state_dict(torch.load(checkpoint, weights_only=True)["average"])
    network.eval().to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    crops = [crop for number in range(len(cubes.rows)) for crop in _of_cube(network, cubes, number)]
    crops += [crop for chest in chests for crop in _of_chest(network, chest)]
    return np.stack(crops)


def _of_cube(network: torch.nn.Module, cubes: Cubes, number: int) -> list[NDArray[np.int16]]:
    from scipy import ndimage

    hu, size = cubes.hu[number], cubes.hu.shape[1]
    padded = np.pad(hu, 3, mode="symmetric")
    heat = _heat(network, padded)[3:-3, 3:-3, 3:-3]
    far = ndimage.distance_transform_edt(cubes.mask[number] == 0)
    places = [np.array(place) for place, _ in peaks(heat, threshold=THRESHOLD, apart=5, most=30) if far[place] > AWAY]
    return [
        cut(hu, np.clip(place, 8, size - 9) - ROOM // 2, ROOM, pad=PAD)
        for place in places
        if place.min() >= 3 and place.max() < size - 3
    ]


def _of_chest(network: torch.nn.Module, chest: Chest) -> list[NDArray[np.int16]]:
    volume = resample(chest.volume, spacing_mm=(1.0, 1.0, 1.0))
    array, shape = volume.array, np.array(volume.shape)
    marks = [(volume.grid.to_index(mark.center_mm), (mark.diameter_mm or AWAY) / 2 + 4) for mark in chest.marks]
    crops = []
    for place, _ in peaks(_heat(network, array), threshold=THRESHOLD, apart=5, most=400):
        if all(np.linalg.norm(center - place) > radius for center, radius in marks):
            start = np.clip(np.array(place) - ROOM // 2, 0, shape - ROOM)
            crops.append(array[tuple(slice(first, first + ROOM) for first in start)])
    return crops


def _heat(network: torch.nn.Module, array: NDArray[Any]) -> NDArray[np.float32]:
    return run_windows(network, array, channel=0, window=WINDOW, margin=MARGIN, device="cpu", background=-1024.0)
