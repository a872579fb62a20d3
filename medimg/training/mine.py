"""Collect what a detector takes for nodules in training data and is none: what the classifier has to learn to refuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.engine._windows import peaks, run_windows
from medimg.models.networks import centre_unet
from medimg.preprocessing import resample
from medimg.training._blocks import IGNORED, OWN, Stack
from medimg.training.chests import TARGET

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from medimg.training.chests import Chest
    from medimg.training.cubes import Cubes
    from medimg.values import Volume

THRESHOLD = 0.05  # well below any operating point
AWAY = 5  # voxels of 1 mm from any marked nodule
WINDOW, MARGIN = 112, 12
IGNORED_MM = {"nodule_1_2_readers": 3.0, "small_nodule": 4.0, "non_nodule": 4.0}  # margin around marks: neither hit nor false


@dataclass(frozen=True, kw_only=True, eq=False)
class Places:
    """Where a detector was wrong: lines of (image, slice, row, column) in cubes, and in chests of 1 mm."""

    of_cubes: NDArray[np.int64]
    of_chests: NDArray[np.int64]

    def save(self, path: Path) -> None:
        """Write them as an .npz file."""
        np.savez(path, of_cubes=self.of_cubes, of_chests=self.of_chests)

    @classmethod
    def load(cls, path: Path) -> Places:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            return cls(of_cubes=file["of_cubes"], of_chests=file["of_chests"])


def mine(checkpoint: Path, cubes: Cubes, chests: Sequence[Chest]) -> Places:
    """Return the false positives of a detector on training cubes and chests."""
    import torch

    network = centre_unet.build()
    network.load_state_dict(torch.load(checkpoint, weights_only=True, map_location="cpu")["average"])
    network.eval().to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    of_cubes = [(number, *place) for number in range(len(cubes.rows)) for place in _of_cube(network, cubes, number)]
    of_chests = [(number, *place) for number, chest in enumerate(chests) for place in _of_chest(network, chest)]
    return Places(of_cubes=np.array(of_cubes).reshape(-1, 4), of_chests=np.array(of_chests).reshape(-1, 4))


def _of_cube(network: torch.nn.Module, cubes: Cubes, number: int) -> list[tuple[int, ...]]:
    from scipy import ndimage

    hu, size = cubes.hu[number], cubes.hu.shape[1]
    heat = _heat(network, np.pad(hu, 3, mode="symmetric"))[3:-3, 3:-3, 3:-3]
    far = ndimage.distance_transform_edt(cubes.mask[number] == 0)
    found = peaks(heat, threshold=THRESHOLD, apart=5, most=30)
    return [place for place, _ in found if far[place] > AWAY and min(place) >= 3 and max(place) < size - 3]


def _of_chest(network: torch.nn.Module, chest: Chest) -> list[tuple[int, ...]]:
    volume = at_1_mm(chest)
    marks = [(volume.grid.to_index(mark.center_mm), (mark.diameter_mm or AWAY) / 2 + 4) for mark in chest.marks]
    found = peaks(_heat(network, volume.array), threshold=THRESHOLD, apart=5, most=400)
    return [place for place, _ in found if all(np.linalg.norm(center - place) > radius for center, radius in marks)]


def _heat(network: torch.nn.Module, array: NDArray[Any]) -> NDArray[np.float32]:
    return run_windows(network, array, channel=0, window=WINDOW, margin=MARGIN, device="cpu", background=-1024.0)


def at_1_mm(chest: Chest) -> Volume:
    """Return a chest as training sees it."""
    if chest.volume.grid.spacing_mm == (1.0, 1.0, 1.0):
        return chest.volume
    return resample(chest.volume, spacing_mm=(1.0, 1.0, 1.0))


def chest_stack(chests: Sequence[Chest], *, device: str) -> Stack:
    """Return chests at 1 mm as a `Stack`: targets are spheres of the readers' diameter, what 1 or 2 readers marked is ignored."""
    volumes = [at_1_mm(chest) for chest in chests]
    labels = []
    for chest, volume in zip(chests, volumes, strict=True):
        label = np.zeros(volume.shape, np.uint8)
        axes = np.ogrid[tuple(slice(size) for size in volume.shape)]
        for mark in sorted(chest.marks, key=lambda mark: mark.kind == TARGET):
            center, wanted = volume.grid.to_index(mark.center_mm), mark.kind == TARGET
            radius = (mark.diameter_mm or 0) / 2 + (0 if wanted else IGNORED_MM[mark.kind])
            near = sum((axis - place) ** 2 for axis, place in zip(axes, center, strict=True)) < radius**2
            label[near] = OWN if wanted else IGNORED
        labels.append(label)
    return Stack([volume.array for volume in volumes], labels, device=device)
