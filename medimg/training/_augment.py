"""Change crops the way scanners and patients differ: turned, scaled, thicker slices, other kernel, other dose, other offset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

AIR_HU = -1000.0
TURN_DEG = 20.0  # about the body's long axis; half of it about the others
SCALE = 0.08  # a nodule grows or shrinks by this share at most: more would contradict its ratings
TURNED = 0.6  # share of crops that are turned and scaled; the others keep their voxels, and with them their noise


def poses(count: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Return matrices (n, 3, 3) from a crop's steps (slice, row, column) to those of its source.

    Each has flips and an exchange of rows and columns at random, and some a turn and a scale too.
    """
    result = np.empty((count, 3, 3), np.float32)
    for number in range(count):
        pose = np.diag(generator.choice([-1.0, 1.0], 3))
        if generator.random() < 0.5:
            pose = pose[:, [0, 2, 1]]
        if generator.random() < TURNED:
            angles = np.deg2rad(generator.uniform(-TURN_DEG, TURN_DEG, 3) * (1.0, 0.5, 0.5))
            pose = _turn(angles) @ pose * np.exp(generator.uniform(-SCALE, SCALE))
        result[number] = pose
    return result


def _turn(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        one, other = [side for side in range(3) if side != axis]
        step = np.eye(3)
        step[[one, other], [one, other]] = np.cos(angle)
        step[one, other], step[other, one] = -np.sin(angle), np.sin(angle)
        turn = step @ turn
    return turn


def pose_crops(blocks: Tensor, matrices: NDArray[np.float32], edge: int) -> Tensor:
    """Cut the middle `edge` voxels out of blocks (n, channel, slice, row, column), each in its pose; linear in between."""
    import torch
    from torch.nn import functional

    side = blocks.shape[-1]
    steps = torch.arange(edge, device=blocks.device, dtype=torch.float32) - edge // 2
    out = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij"), dim=-1).reshape(1, -1, 3)
    source = out @ torch.from_numpy(matrices).to(blocks.device).transpose(1, 2) + side // 2
    grid = (source.flip(-1) * (2 / (side - 1)) - 1).reshape(-1, edge, edge, edge, 3)  # grid_sample counts column, row, slice
    return functional.grid_sample(blocks, grid, padding_mode="reflection", align_corners=True)


def change_values(hu: Tensor, generator: torch.Generator) -> Tensor:
    """Change HU (n, 1, slice, row, column) alone.

    Thicker slices (2 to 4 mm, one crop in four), a softer or sharper kernel (two in five), a gain of 5 % and an offset of 25 HU
    at most, and noise of 5 to 45 HU (one in two, half of it correlated within a slice as a soft kernel's is).
    """
    import torch
    from torch.nn import functional

    count, device = len(hu), hu.device

    def draw(low: float, high: float) -> Tensor:
        return torch.rand(count, 1, 1, 1, 1, generator=generator, device=device) * (high - low) + low

    thick = draw(0, 1)
    for slices, share in ((2, 0.0), (3, 1 / 12), (4, 2 / 12)):
        before = slices // 2
        padded = functional.pad(hu, (0, 0, 0, 0, before, slices - 1 - before), mode="replicate")
        mean = functional.avg_pool3d(padded, (slices, 1, 1), stride=1)
        hu = torch.where((thick >= share) & (thick < share + 1 / 12), mean, hu)
    smooth = functional.avg_pool3d(functional.pad(hu, (1,) * 6, mode="replicate"), 3, stride=1)
    hu = torch.where(draw(0, 1) < 0.4, hu + (hu - smooth) * draw(-0.8, 0.5), hu)
    hu = (hu - AIR_HU) * draw(0.95, 1.05) + AIR_HU + draw(-25, 25)
    noise = torch.randn(hu.shape, generator=generator, device=device)
    within = functional.avg_pool3d(noise, (1, 3, 3), stride=1, padding=(0, 1, 1)) * 3  # as strong as white noise is
    noise = torch.where(draw(0, 1) < 0.5, within, noise) * draw(5, 45)
    return torch.where(draw(0, 1) < 0.5, hu + noise, hu)
