"""Train the network that outlines and rates: crops around nodules, and around places that are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.models.networks import outline_unet
from medimg.training._augment import change_values, pose_crops, poses
from medimg.training._blocks import OWN, Stack
from medimg.training._loop import Schedule, checker, own_seed, train

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from medimg.training.chests import Chest
    from medimg.training.cubes import Cubes
    from medimg.training.mine import Places

EDGE = 40  # voxels of 1 mm
FAR_SHIFT_MM, NEAR_SHIFT_MM = 5, 2  # a nodule lies up to this far off the crop's middle, as after a detector
MINED = 0.8  # share of what is no nodule that a detector took for one; the rest is tissue beside lung
TRIES = 200  # to find tissue beside lung; then any place beside the nodules will do
TISSUE_HU, LUNG_HU = -500, -600
SCALES = ("texture", "spiculation", "lobulation", "margin", "sphericity", "subtlety")  # of LIDC's readers, 1 to 5 each
RATINGS = ("nodule", "suspicion", "calcification", *SCALES)  # of the network; those that no score of the card uses teach it
RATING_WEIGHTS = (1.0, 0.25, 0.3, *(0.15,) * 5)  # of all but "nodule"


class Crops:
    """Draw training crops (HU, outline, ratings, is a nodule) from cubes; false positives of a detector as what is no nodule.

    Without `places` (what `mine` gives, in the cubes and `chests`) places with tissue beside lung are drawn.
    """

    def __init__(
        self,
        cubes: Cubes,
        places: Places | None = None,
        chests: Sequence[Chest] = (),
        *,
        seed: int,
        device: str = "cpu",
        nodules: int = 6,
        others: int = 3,
    ) -> None:
        import torch

        from medimg.training.mine import chest_stack

        self.cubes, self.seed, self.generator, self.device = cubes, seed, np.random.default_rng(seed), device
        self.noise = torch.Generator(device).manual_seed(seed)
        self.stacks = [Stack(cubes.hu, cubes.mask, device=device)]
        self.places = [] if places is None else [places.of_cubes, places.of_chests]
        if places is not None and len(places.of_chests):
            self.stacks.append(chest_stack(chests, device=device))
        self.nodules, self.others = nodules, others
        self.order: list[int] = []
        self.centers = np.round(cubes.centroids).astype(int)
        self.ratings = soft_ratings(cubes)

    def go_on(self, step: int) -> None:
        """Draw other crops than a run that began with the same seed did before `step`."""
        self.generator = np.random.default_rng((self.seed, step))
        self.noise.manual_seed(self.seed + step)
        self.order = []

    def nodule(self) -> tuple[int, NDArray[np.int64]]:
        """Draw the next nodule and the middle of its crop, off the nodule's by up to `FAR_SHIFT_MM`."""
        if not self.order:
            self.order = self.generator.permutation(len(self.cubes.rows)).tolist()
        number = self.order.pop()
        reach = FAR_SHIFT_MM if self.generator.random() < 0.6 else NEAR_SHIFT_MM
        return number, self.centers[number] + self.generator.integers(-reach, reach + 1, 3)

    def other(self) -> tuple[int, int, NDArray[np.int64]]:
        """Draw a place that is no nodule: stack, image, and the middle of its crop."""
        if any(map(len, self.places)) and self.generator.random() < MINED:
            choice = int(self.generator.integers(sum(map(len, self.places))))
            stack = int(choice >= len(self.places[0]))
            place = self.places[stack][choice - stack * len(self.places[0])]
            return stack, int(place[0]), place[1:] + self.generator.integers(-2, 3, 3)
        for attempt in range(2 * TRIES):
            number = int(self.generator.integers(len(self.cubes.rows)))
            center = self.generator.integers(6, self.cubes.hu.shape[1] - 6, 3)
            hu, mask = self.cubes.hu[number], self.cubes.mask[number]
            near = tuple(slice(max(place - 5, 0), place + 6) for place in center)
            around = tuple(slice(max(place - 6, 0), place + 7) for place in center)
            is_wall = hu[tuple(center)] > TISSUE_HU and (hu[around] < LUNG_HU).mean() > 0.25
            if (is_wall or attempt > TRIES) and not mask[near].any():
                return 0, number, center
        return 0, number, center

    def batch(self) -> tuple[Tensor, ...]:
        """Draw a step's crops, changed at random.

        Returns:
            HU and outline (n, 1, slice, row, column), ratings (n, all but "nodule"), and whether it is a nodule (n,).
        """
        import torch

        real = [(0, *self.nodule()) for _ in range(self.nodules)]
        drawn = real + sorted((self.other() for _ in range(self.others)), key=lambda one: one[0])
        parts = []
        for number, stack in enumerate(self.stacks):
            mine = [(image, center) for where, image, center in drawn if where == number]
            if mine:
                images, centers = zip(*mine, strict=True)
                parts.append(stack.blocks(np.array(images), np.stack(centers), EDGE))
        hu, label = (torch.cat(kind) for kind in zip(*parts, strict=True))
        blocks = torch.stack([hu.float(), (label == OWN).float()], dim=1)
        crops = pose_crops(blocks, poses(len(drawn), self.generator), EDGE)
        is_real = torch.arange(len(drawn), device=self.device) < self.nodules
        ratings = np.full((len(drawn), len(RATING_WEIGHTS)), np.nan, np.float32)
        ratings[: self.nodules] = self.ratings[[image for _, image, _ in real]]
        outline = crops[:, 1:] * is_real[:, None, None, None, None]
        return change_values(crops[:, :1], self.noise), outline, torch.from_numpy(ratings).to(self.device), is_real.float()


def soft_ratings(cubes: Cubes) -> NDArray[np.float32]:
    """Return the readers' mean ratings, in the order of `RATINGS` without "nodule", scaled to 0..1; nan where nobody rated.

    LIDC's scales go from 1 to 5; that of calcification from 3 (solid) to 6 (absent), and turns round here. Where the readers'
    mean of suspicion is not told, whether it is malignant (0 or 1) stands for it.
    """
    suspicion = (cubes.numbers("malignancy_mean") - 1) / 4
    suspicion = np.where(np.isnan(suspicion), cubes.numbers("malignant"), suspicion)
    calcification = np.clip((6 - cubes.numbers("calcification_mean")) / 3, 0, 1)
    others = [(cubes.numbers(f"{scale}_mean") - 1) / 4 for scale in SCALES]
    return np.stack([suspicion, calcification, *others], axis=1).astype(np.float32)


def outline_loss(network: torch.nn.Module, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """Return the loss's parts: Dice of the nodules, cross-entropy of outline, nodule or not, and the readers' mean ratings."""
    import torch
    from torch.nn import functional

    hu, outline, ratings, real = batch
    with torch.autocast(hu.device.type, torch.bfloat16):
        shape, rated = network(hu.to(memory_format=torch.channels_last_3d))
    shape, rated, dims = shape.float(), rated.float(), (1, 2, 3, 4)
    inside = shape.sigmoid()
    dice = 1 - (2 * (inside * outline).sum(dims) + 1) / (inside.sum(dims) + outline.sum(dims) + 1)
    entropy = functional.binary_cross_entropy_with_logits(shape, outline)
    nodule = functional.binary_cross_entropy_with_logits(rated[:, 0], real * 0.98 + 0.01)
    known = ~torch.isnan(ratings)
    each = functional.binary_cross_entropy_with_logits(rated[:, 1:], torch.nan_to_num(ratings), reduction="none")
    weights = torch.tensor(RATING_WEIGHTS, device=hu.device)
    count = real.sum().clamp_min(1)
    rating = (each * weights * known).sum() / count
    return {"dice": (dice * real).sum() / count, "entropy": entropy * 5, "nodule": nodule, "rating": rating}


def train_outline(
    cubes: Cubes,
    *,
    checkpoint: Path,
    places: Places | None = None,
    chests: Sequence[Chest] = (),
    start_from: Path | None = None,
    steps: int = 2200,
    learning_rate: float = 2e-3,
    weight_decay: float = 2e-3,
    limit_s: float = float("inf"),
    check_every: int = 200,
    patience: int = 0,
    others: Cubes | None = None,
    channels: Sequence[int] = (16, 32, 64, 128),
    nodules_a_step: int = 6,
    others_a_step: int = 3,
    seed: int = 0,
    device: str = "cpu",
    tell: Callable[[str], None] = print,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Train `outline_unet` on training cubes; `checkpoint` is taken up if it is there, `start_from` gives the first weights.

    With cubes of `others` (validation patients) the weights are checked on them, see `train`.
    """
    crops = Crops(cubes, places, chests, seed=own_seed(seed), device=device, nodules=nodules_a_step, others=others_a_step)
    schedule = Schedule(
        steps=steps,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        seed=seed,
        limit_s=limit_s,
        check_every=check_every,
        patience=patience,
    )
    fixed = Crops(others, seed=1, device=device, nodules=nodules_a_step, others=others_a_step) if others is not None else None
    network = outline_unet.build(channels=channels, ratings=RATINGS)
    train(
        network,
        lambda net: outline_loss(net, crops.batch()),
        schedule=schedule,
        checkpoint=checkpoint,
        start_from=start_from,
        taken_up=crops.go_on,
        check=checker(fixed.batch, outline_loss) if fixed is not None else None,
        tell=tell,
        progress=progress,
        device=device,
    )
