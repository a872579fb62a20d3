"""A residual U-Net that outlines the lesion in the middle of a crop and rates it.

The rating heads pool the decoder's features over the predicted outline, so that a score is about the outlined lesion and not
about what lies beside it. Blocks are MONAI's.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from monai.networks.blocks import ResidualUnit, UpSample
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence

MEAN_HU_SCALE = 1000.0  # the network's input is HU / 1000, so that features stay near one


class OutlineUNet(nn.Module):
    """Outline and ratings of one lesion.

    Args:
        channels: features at full, half, quarter and eighth resolution.
        windows_hu: one input channel a window, each (low, high) in HU and scaled to -1..1.
        ratings: names of the scores, in the order of the output.
        hidden: width of the rating head.
    """

    def __init__(
        self, *, channels: Sequence[int], windows_hu: Sequence[Sequence[float]], ratings: Sequence[str], hidden: int
    ) -> None:
        super().__init__()
        self.ratings = tuple(ratings)
        self.windows_hu = tuple((float(low), float(high)) for low, high in windows_hu)
        sizes = tuple(channels)
        inputs = (len(self.windows_hu), *sizes[:-1])
        self.encoders = nn.ModuleList(
            ResidualUnit(3, a, b, strides=1 if level == 0 else 2, subunits=2, act="RELU", norm="BATCH")
            for level, (a, b) in enumerate(zip(inputs, sizes, strict=True))
        )
        self.lifts = nn.ModuleList(UpSample(3, b, a, scale_factor=2, mode="deconv") for a, b in pairwise(sizes))
        self.decoders = nn.ModuleList(
            ResidualUnit(3, 2 * a, a, strides=1, subunits=2, act="RELU", norm="BATCH") for a in sizes[:-1]
        )
        self.outline = nn.Conv3d(sizes[0], 1, kernel_size=1)
        # what the rating heads pool, at half and quarter resolution: here saliency methods look, as the features
        # beside the outline never reach a score
        self.evidence = nn.ModuleList(nn.Identity() for _ in range(2))
        pooled = 2 * sizes[1] + 2 * sizes[2] + sizes[3] + 2
        self.rate = nn.Sequential(nn.Linear(pooled, hidden), nn.ReLU(), nn.Dropout(0.3), nn.Linear(hidden, len(self.ratings)))

    def windows(self, hu: Tensor) -> Tensor:
        """Turn HU (n, 1, z, y, x) into one channel a window, each -1..1."""
        scaled = [hu.clamp(low, high).sub((low + high) / 2).div((high - low) / 2) for low, high in self.windows_hu]
        return torch.cat(scaled, dim=1)

    def forward(self, hu: Tensor) -> tuple[Tensor, Tensor]:
        """Return outline logits (n, 1, z, y, x) and rating logits (n, ratings) of crops in HU (n, 1, z, y, x)."""
        features, kept = self.windows(hu), []
        for encoder in self.encoders:
            features = encoder(features)
            kept.append(features)
        bottom = kept.pop()
        decoded = {}
        for level in reversed(range(len(kept))):
            features = self.decoders[level](torch.cat([self.lifts[level](features), kept[level]], dim=1))
            decoded[level] = features
        outline = self.outline(features)
        return outline, self.rate(self.pool(hu, outline, decoded[1], decoded[2], bottom))

    def pool(self, hu: Tensor, outline: Tensor, half: Tensor, quarter: Tensor, bottom: Tensor) -> Tensor:
        """Pool features over the outline (mean and maximum); beside them stand its volume and mean HU."""
        inside = outline.detach().float().sigmoid()
        parts = []
        for features, size, evidence in zip((half, quarter), (2, 4), self.evidence, strict=True):
            weight = nn.functional.avg_pool3d(inside, size)
            values = evidence(features.float() * weight)
            parts += [values.sum(dim=(2, 3, 4)) / (weight.sum(dim=(2, 3, 4)) + 1e-3), values.amax(dim=(2, 3, 4))]
        parts.append(bottom.float().mean(dim=(2, 3, 4)))
        volume = inside.sum(dim=(2, 3, 4))
        parts += [torch.log1p(volume) / 5, (hu.float() * inside).sum(dim=(2, 3, 4)) / (volume + 1) / MEAN_HU_SCALE]
        return torch.cat(parts, dim=1)


def build(
    *,
    channels: Sequence[int] = (16, 32, 64, 128),
    windows_hu: Sequence[Sequence[float]] = ((-1000, 400), (-200, 800)),
    ratings: Sequence[str] = ("nodule", "suspicion", "texture", "calcification"),
    hidden: int = 64,
) -> nn.Module:
    """Build the network; crops of HU (n, 1, z, y, x), sides a multiple of 8, give outline and rating logits."""
    return OutlineUNet(channels=channels, windows_hu=windows_hu, ratings=ratings, hidden=hidden)
