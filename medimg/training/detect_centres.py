"""Train the detector: crops of nodule cubes at random offsets, and crops of whole lungs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.models.networks import centre_unet
from medimg.preprocessing import resample
from medimg.training._augment import augment, cut
from medimg.training._loop import Schedule, train
from medimg.training.chests import TARGET

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from medimg.training.chests import Chest
    from medimg.training.cubes import Cubes

EDGE = 48  # voxels of 1 mm
PAD = 14  # how far a crop may reach out of its cube, so that nodules lie anywhere in it
CUBES_A_STEP, CHESTS_A_STEP = 6, 2
LEAST_SIGMA_MM = 1.6  # of the peak drawn on a nodule's centre
IGNORED_MM = {
    "nodule_1_2_readers": 3.0,
    "small_nodule": 4.0,
    "non_nodule": 4.0,
}  # margin around marks that are neither hit nor false
LUNG_HU = -600


class Crops:
    """Draw training crops (HU, outline, peak map, weight) from cubes and whole chests."""

    def __init__(self, cubes: Cubes, chests: Sequence[Chest], *, seed: int) -> None:
        self.cubes, self.generator = cubes, np.random.default_rng(seed)
        self.order: list[int] = []
        diameters, origins, scans = cubes.numbers("diameter_mm"), cubes.origins_mm, [row["series_uid"] for row in cubes.rows]
        places = origins + cubes.centroids
        self.peaks = [
            [(*(places[other] - origins[here]), diameters[other]) for other in range(len(scans)) if scans[other] == scans[here]]
            for here in range(len(scans))
        ]
        self.chests = [self._chest(chest) for chest in chests]

    def _chest(self, chest: Chest) -> dict[str, Any]:
        volume = resample(chest.volume, spacing_mm=(1.0, 1.0, 1.0))
        array, grid = volume.array, volume.grid
        axes = np.ogrid[tuple(slice(size) for size in array.shape)]
        outline, weight = np.zeros(array.shape, np.uint8), np.ones(array.shape, np.uint8)
        peaks = []
        for mark in chest.marks:
            center = grid.to_index(mark.center_mm)
            distance = sum((axis - place) ** 2 for axis, place in zip(axes, center, strict=True))
            if mark.kind == TARGET:
                peaks.append((*center, mark.diameter_mm))
                outline[distance < ((mark.diameter_mm or 0) / 2) ** 2] = 1
            else:
                weight[distance < ((mark.diameter_mm or 0) / 2 + IGNORED_MM[mark.kind]) ** 2] = 0
        lung = np.argwhere(array[::2, ::2, ::2] < LUNG_HU) * 2
        return {"hu": array, "outline": outline, "weight": weight, "peaks": peaks, "lung": lung}

    def of_cube(self) -> tuple[NDArray[Any], ...]:
        """Draw a crop of the next nodule's cube."""
        if not self.order:
            self.order = self.generator.permutation(len(self.cubes.rows)).tolist()
        number = self.order.pop()
        size = self.cubes.hu.shape[1]
        anywhere = self.generator.random() < 0.7
        low, high = (-PAD, size + PAD - EDGE) if anywhere else (-6, 8)
        start = self.generator.integers(low, high + 1, 3)
        heat = peak_map((size,) * 3, self.peaks[number])
        parts = (self.cubes.hu[number], (self.cubes.mask[number] > 0).astype(np.uint8), heat)
        return (*(cut(part, start, EDGE, pad=PAD) for part in parts), np.ones((EDGE,) * 3, np.uint8))

    def of_chest(self) -> tuple[NDArray[Any], ...]:
        """Draw a crop of a whole chest: mostly anywhere in the lungs, one in seven at a nodule."""
        chest = self.chests[self.generator.integers(len(self.chests))]
        near = chest["peaks"] and self.generator.random() < 0.15
        source = chest["peaks"] if near else chest["lung"]
        center = np.asarray(source[self.generator.integers(len(source))][:3], float)
        start = np.clip(
            (center + self.generator.integers(-18, 19, 3) - EDGE // 2).astype(int), 0, np.array(chest["hu"].shape) - EDGE
        )
        box = tuple(slice(first, first + EDGE) for first in start)
        return chest["hu"][box], chest["outline"][box], peak_map((EDGE,) * 3, chest["peaks"], start=start), chest["weight"][box]

    def batch(self) -> tuple[torch.Tensor, ...]:
        """Draw one step's crops, augmented, as tensors (n, 1, slice, row, column)."""
        import torch

        crops = [self.of_cube() for _ in range(CUBES_A_STEP)]
        crops += [self.of_chest() for _ in range(CHESTS_A_STEP if self.chests else 0)]
        drawn = []
        for hu, *maps in crops:
            values, changed = augment(hu, list(maps), self.generator)
            drawn.append((values, *changed))
        return tuple(
            torch.from_numpy(np.stack([np.ascontiguousarray(crop[k]) for crop in drawn]))[:, None].float() for k in range(4)
        )


def peak_map(
    shape: tuple[int, ...], peaks: Sequence[tuple[float, ...]], *, start: Sequence[float] = (0, 0, 0)
) -> NDArray[np.float32]:
    """Draw a Gaussian on every centre (slice, row, column, diameter); its width grows with the nodule."""
    heat = np.zeros(shape, np.float32)
    for *center, diameter in peaks:
        sigma = max(LEAST_SIGMA_MM, diameter / 6)
        z, y, x = (
            np.exp(-((np.arange(size) + first - middle) ** 2) / (2 * sigma**2))
            for size, first, middle in zip(shape, start, center, strict=True)
        )
        np.maximum(heat, z[:, None, None] * y[:, None] * x, out=heat)
    return heat


def detector_loss(network: torch.nn.Module, batch: tuple[torch.Tensor, ...]) -> dict[str, torch.Tensor]:
    """Return the loss's parts: quality focal loss of the peak map (Li et al. 2020), cross-entropy and Dice of the outline."""
    import torch
    from torch.nn import functional

    hu, outline, heat, weight = batch
    with torch.autocast("cpu", torch.bfloat16):
        output = network(hu.to(memory_format=torch.channels_last_3d)).float()
    peak, shape = output[:, :1], output[:, 1:]
    entropy = functional.binary_cross_entropy_with_logits(peak, heat, reduction="none")
    focal = ((peak.sigmoid() - heat).abs() ** 2 * entropy * weight).sum() / (heat * weight).sum().clamp_min(20) * 10
    entropy = functional.binary_cross_entropy_with_logits(shape, outline, reduction="none", pos_weight=torch.tensor(3.0))
    inside = shape.sigmoid()
    overlap = (2 * (inside * outline * weight).sum() + 1) / ((inside * weight).sum() + (outline * weight).sum() + 1)
    return {"peak": focal, "entropy": (entropy * weight).mean() * 5, "dice": 1 - overlap}


def train_detector(
    cubes: Cubes,
    chests: Sequence[Chest],
    *,
    checkpoint: Path,
    steps: int = 3000,
    learning_rate: float = 2e-3,
    seed: int = 0,
    tell: Callable[[str], None] = print,
) -> None:
    """Train `centre_unet` on training cubes and chests; `checkpoint` is taken up if it is there."""
    import torch

    network = centre_unet.build()
    last = next(module for module in reversed(list(network.modules())) if getattr(module, "bias", None) is not None)
    torch.nn.init.constant_(last.bias, -4.0)  # type: ignore[arg-type]  # nearly every voxel is no centre
    crops = Crops(cubes, chests, seed=seed)
    schedule = Schedule(steps=steps, learning_rate=learning_rate, weight_decay=1e-3, seed=seed, save_every=200)
    train(network, lambda net: detector_loss(net, crops.batch()), schedule=schedule, checkpoint=checkpoint, tell=tell)
