"""Train the network that outlines and rates: crops around nodules, and around places that are none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.models.networks import outline_unet
from medimg.training._augment import augment, cut
from medimg.training._loop import Schedule, train

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from medimg.training.cubes import Cubes

EDGE = 40  # voxels of 1 mm
PAD = 14
FAR_SHIFT_MM, NEAR_SHIFT_MM = 5, 2  # a nodule lies up to this far off the crop's middle, as after a detector
NODULES_A_STEP, OTHERS_A_STEP = 6, 3
TISSUE_HU, LUNG_HU = -500, -600
SCALES = ("texture", "spiculation", "lobulation", "margin", "sphericity", "subtlety")  # of LIDC's readers, 1 to 5 each
RATINGS = ("nodule", "suspicion", "calcification", *SCALES)  # of the network; those that no score of the card uses teach it
RATING_WEIGHTS = (1.0, 0.25, 0.3, *(0.15,) * 5)  # of all but "nodule"


class Crops:
    """Draw training crops (HU, outline, ratings, is a nodule) from cubes; false positives of a detector as what is no nodule.

    `others` are crops of `EDGE` + 4 voxels around false positives, int16; without them places with tissue beside lung are drawn.
    """

    def __init__(self, cubes: Cubes, others: NDArray[np.int16] | None = None, *, seed: int) -> None:
        self.cubes, self.others, self.generator = cubes, others, np.random.default_rng(seed)
        self.order: list[int] = []
        self.centers = np.round(cubes.centroids).astype(int)
        self.ratings = soft_ratings(cubes)

    def nodule(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], float]:
        """Draw the next nodule, off the middle by up to `FAR_SHIFT_MM`."""
        if not self.order:
            self.order = self.generator.permutation(len(self.cubes.rows)).tolist()
        number = self.order.pop()
        reach = FAR_SHIFT_MM if self.generator.random() < 0.6 else NEAR_SHIFT_MM
        start = self.centers[number] + self.generator.integers(-reach, reach + 1, 3) - EDGE // 2
        start = np.clip(start, 0, self.cubes.hu.shape[1] - EDGE)
        box = tuple(slice(first, first + EDGE) for first in start)
        return self.cubes.hu[number][box], (self.cubes.mask[number][box] == 1).astype(np.uint8), self.ratings[number], 1.0

    def other(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], float]:
        """Draw a place that is no nodule."""
        nothing, unrated = np.zeros((EDGE,) * 3, np.uint8), np.full(len(RATING_WEIGHTS), np.nan, np.float32)
        if self.others is not None and len(self.others) and self.generator.random() < 0.8:
            crop = self.others[self.generator.integers(len(self.others))]
            start = self.generator.integers(0, crop.shape[0] - EDGE + 1, 3)
            return crop[tuple(slice(first, first + EDGE) for first in start)], nothing, unrated, 0.0
        while True:
            number = int(self.generator.integers(len(self.cubes.rows)))
            center = self.generator.integers(6, self.cubes.hu.shape[1] - 6, 3)
            hu, mask = self.cubes.hu[number], self.cubes.mask[number]
            near = tuple(slice(max(place - 5, 0), place + 6) for place in center)
            around = tuple(slice(max(place - 6, 0), place + 7) for place in center)
            if hu[tuple(center)] > TISSUE_HU and not mask[near].any() and (hu[around] < LUNG_HU).mean() > 0.25:
                return cut(hu, center - EDGE // 2, EDGE, pad=PAD), nothing, unrated, 0.0

    def batch(self) -> tuple[torch.Tensor, ...]:
        """Draw a step's crops, augmented: HU, outline (n, 1, slice, row, column), ratings (n, all but "nodule"), is a nodule."""
        import torch

        crops = [self.nodule() for _ in range(NODULES_A_STEP)] + [self.other() for _ in range(OTHERS_A_STEP)]
        values, outlines = [], []
        for hu, outline, _, _ in crops:
            changed, (moved,) = augment(hu, [outline], self.generator)
            values.append(np.ascontiguousarray(changed))
            outlines.append(np.ascontiguousarray(moved))
        return (
            torch.from_numpy(np.stack(values))[:, None],
            torch.from_numpy(np.stack(outlines))[:, None].float(),
            torch.from_numpy(np.stack([rating for _, _, rating, _ in crops])),
            torch.tensor([real for *_, real in crops]),
        )


def soft_ratings(cubes: Cubes) -> NDArray[np.float32]:
    """Return the readers' mean ratings, in the order of `RATINGS` without "nodule", scaled to 0..1; nan where nobody rated.

    LIDC's scales go from 1 to 5; that of calcification from 3 (solid) to 6 (absent), and turns round here.
    """
    suspicion = (cubes.numbers("malignancy_mean") - 1) / 4
    calcification = np.clip((6 - cubes.numbers("calcification_mean")) / 3, 0, 1)
    others = [(cubes.numbers(f"{scale}_mean") - 1) / 4 for scale in SCALES]
    return np.stack([suspicion, calcification, *others], axis=1).astype(np.float32)


def outline_loss(network: torch.nn.Module, batch: tuple[torch.Tensor, ...]) -> dict[str, torch.Tensor]:
    """Return the loss's parts: Dice of the nodules, cross-entropy of outline, nodule or not, and the readers' mean ratings."""
    import torch
    from torch.nn import functional

    hu, outline, ratings, real = batch
    with torch.autocast("cpu", torch.bfloat16):
        shape, rated = network(hu.to(memory_format=torch.channels_last_3d))
    shape, rated, dims, is_nodule = shape.float(), rated.float(), (1, 2, 3, 4), real.bool()
    inside = shape.sigmoid()
    dice = 1 - (2 * (inside * outline).sum(dims) + 1) / (inside.sum(dims) + outline.sum(dims) + 1)
    entropy = functional.binary_cross_entropy_with_logits(shape, outline)
    nodule = functional.binary_cross_entropy_with_logits(rated[:, 0], real * 0.98 + 0.01)
    known = ~torch.isnan(ratings)
    each = functional.binary_cross_entropy_with_logits(rated[:, 1:], torch.nan_to_num(ratings), reduction="none")
    rating = (each * torch.tensor(RATING_WEIGHTS) * known).sum() / is_nodule.sum().clamp_min(1)
    return {"dice": dice[is_nodule].mean(), "entropy": entropy * 5, "nodule": nodule, "rating": rating}


def train_outline(
    cubes: Cubes,
    *,
    checkpoint: Path,
    others: NDArray[np.int16] | None = None,
    start_from: Path | None = None,
    steps: int = 2200,
    learning_rate: float = 2e-3,
    seed: int = 0,
    tell: Callable[[str], None] = print,
) -> None:
    """Train `outline_unet` on training cubes; `checkpoint` is taken up if it is there, `start_from` gives the first weights."""
    crops = Crops(cubes, others, seed=seed)
    schedule = Schedule(steps=steps, learning_rate=learning_rate, weight_decay=2e-3, seed=seed)
    network = outline_unet.build(ratings=RATINGS)
    train(
        network,
        lambda net: outline_loss(net, crops.batch()),
        schedule=schedule,
        checkpoint=checkpoint,
        start_from=start_from,
        tell=tell,
    )
