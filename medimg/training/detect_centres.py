"""Train the detector: crops of nodule cubes at random offsets, and crops of whole lungs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.models.networks import centre_unet
from medimg.training._augment import change_values, pose_crops, poses
from medimg.training._blocks import IGNORED, OTHER, OWN, Stack
from medimg.training._loop import Schedule, checker, own_seed, train
from medimg.training.chests import TARGET
from medimg.training.mine import at_1_mm, chest_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from medimg.training.chests import Chest
    from medimg.training.cubes import Cubes

EDGE = 48  # voxels of 1 mm
PAD = 14  # how far a crop may reach out of its cube, so that nodules lie anywhere in it
LUNG_HU = -600


class Crops:
    """Draw training crops (HU, outline, peak map, weight) from cubes and whole chests."""

    def __init__(
        self,
        cubes: Cubes,
        chests: Sequence[Chest],
        *,
        seed: int,
        device: str = "cpu",
        of_cubes: int = 6,
        of_chests: int = 2,
    ) -> None:
        import torch

        self.cubes, self.seed, self.generator = cubes, seed, np.random.default_rng(seed)
        self.noise = torch.Generator(device).manual_seed(seed)
        self.order: list[int] = []
        diameters, origins, scans = cubes.numbers("diameter_mm"), cubes.origins_mm, [row["series_uid"] for row in cubes.rows]
        places = origins + cubes.centroids
        peaks = [
            [(*(places[other] - origins[here]), diameters[other]) for other in range(len(scans)) if scans[other] == scans[here]]
            for here in range(len(scans))
        ]
        self.stacks = [Stack(cubes.hu, cubes.mask, device=device)]
        self.stacks[0].draw_heat(peaks)
        self.of_cubes, self.of_chests = of_cubes, of_chests if chests else 0
        self.peaks: list[list[tuple[float, ...]]] = []
        self.lung: list[NDArray[np.int64]] = []
        for chest in chests:
            volume = at_1_mm(chest)
            self.peaks.append(
                [(*volume.grid.to_index(mark.center_mm), mark.diameter_mm or 0.0) for mark in chest.marks if mark.kind == TARGET]
            )
            self.lung.append(np.argwhere(volume.array[::2, ::2, ::2] < LUNG_HU) * 2)
        if chests:
            self.stacks.append(chest_stack(chests, device=device))
            self.stacks[1].draw_heat(self.peaks)

    def go_on(self, step: int) -> None:
        """Draw other crops than a run that began with the same seed did before `step`."""
        self.generator = np.random.default_rng((self.seed, step))
        self.noise.manual_seed(self.seed + step)
        self.order = []

    def in_cube(self) -> tuple[int, NDArray[np.int64]]:
        """Draw the next nodule's cube and the middle of a crop: anywhere, or near the nodule."""
        if not self.order:
            self.order = self.generator.permutation(len(self.cubes.rows)).tolist()
        number = self.order.pop()
        size = self.cubes.hu.shape[1]
        low, high = (-PAD, size + PAD - EDGE) if self.generator.random() < 0.7 else (-6, 8)
        return number, self.generator.integers(low, high + 1, 3) + EDGE // 2

    def in_chest(self) -> tuple[int, NDArray[np.int64]]:
        """Draw the middle of a crop of a whole chest: mostly anywhere in the lungs, one in seven at a nodule."""
        number = int(self.generator.integers(len(self.lung)))
        near = self.peaks[number] and self.generator.random() < 0.15
        source = np.array(self.peaks[number]) if near else self.lung[number]
        center = source[self.generator.integers(len(source))][:3] + self.generator.integers(-18, 19, 3)
        size = self.stacks[1].sizes[number]
        return number, np.clip(center.astype(int), EDGE // 2, size - EDGE // 2)

    def batch(self) -> tuple[Tensor, ...]:
        """Draw one step's crops, changed at random: HU, outline, peak map, weight, each (n, 1, slice, row, column)."""
        import torch

        drawn = [[self.in_cube() for _ in range(self.of_cubes)], [self.in_chest() for _ in range(self.of_chests)]]
        parts = []
        for stack, places in zip(self.stacks, drawn, strict=False):
            if places:
                numbers, centers = zip(*places, strict=True)
                parts.append(stack.blocks(np.array(numbers), np.stack(centers), EDGE))
        hu, label, heat = (torch.cat(kind) for kind in zip(*parts, strict=True))
        inside = (label == OWN) | (label == OTHER)
        blocks = torch.stack([hu.float(), inside.float(), heat.float(), (label != IGNORED).float()], dim=1)
        crops = pose_crops(blocks, poses(len(blocks), self.generator), EDGE)
        return change_values(crops[:, :1], self.noise), crops[:, 1:2], crops[:, 2:3], crops[:, 3:]


def detector_loss(network: torch.nn.Module, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """Return the loss's parts: quality focal loss of the peak map (Li et al. 2020), cross-entropy and Dice of the outline."""
    import torch
    from torch.nn import functional

    hu, outline, heat, weight = batch
    with torch.autocast(hu.device.type, torch.bfloat16):
        output = network(hu.to(memory_format=torch.channels_last_3d)).float()
    peak, shape = output[:, :1], output[:, 1:]
    entropy = functional.binary_cross_entropy_with_logits(peak, heat, reduction="none")
    focal = ((peak.sigmoid() - heat).abs() ** 2 * entropy * weight).sum() / (heat * weight).sum().clamp_min(20) * 10
    more = torch.tensor(3.0, device=hu.device)
    entropy = functional.binary_cross_entropy_with_logits(shape, outline, reduction="none", pos_weight=more)
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
    weight_decay: float = 1e-3,
    limit_s: float = float("inf"),
    check_every: int = 200,
    patience: int = 0,
    others: Cubes | None = None,
    cubes_a_step: int = 6,
    chests_a_step: int = 2,
    seed: int = 0,
    device: str = "cpu",
    tell: Callable[[str], None] = print,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Train `centre_unet` on training cubes and chests; `checkpoint` is taken up if it is there.

    With cubes of `others` (validation patients) the weights are checked on them, see `train`.
    """
    import torch

    network = centre_unet.build()
    last = next(module for module in reversed(list(network.modules())) if getattr(module, "bias", None) is not None)
    torch.nn.init.constant_(last.bias, -4.0)  # type: ignore[arg-type]  # nearly every voxel is no centre
    crops = Crops(cubes, chests, seed=own_seed(seed), device=device, of_cubes=cubes_a_step, of_chests=chests_a_step)
    schedule = Schedule(
        steps=steps,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        seed=seed,
        save_every=200,
        limit_s=limit_s,
        check_every=check_every,
        patience=patience,
    )
    fixed = Crops(others, (), seed=1, device=device, of_cubes=cubes_a_step, of_chests=0) if others is not None else None
    train(
        network,
        lambda net: detector_loss(net, crops.batch()),
        schedule=schedule,
        checkpoint=checkpoint,
        taken_up=crops.go_on,
        check=checker(fixed.batch, detector_loss) if fixed is not None else None,
        tell=tell,
        progress=progress,
        device=device,
    )
