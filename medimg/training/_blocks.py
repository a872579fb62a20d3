"""Training data as tensors on the device that trains, and blocks cut out of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

OWN, OTHER, IGNORED = 1, 2, 3  # labels: the nodule of a cube (in a chest: any), another one of its scan, a mark of 1 or 2 readers
SLACK = 12  # voxels that a block is wider than its crop, so that a turned crop finds its corners


class Stack:
    """Images with labels, as one tensor each; beyond an image's border lies its mirror image.

    A mirror image is plausible anatomy, where a constant would be an edge that a network learns.

    Args:
        hu: int16 arrays (slice, row, column), of any sizes.
        labels: uint8 alike.
        device: where the tensors lie.
    """

    def __init__(
        self,
        hu: Sequence[NDArray[np.int16]] | NDArray[np.int16],
        labels: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
        *,
        device: str,
    ) -> None:
        import torch

        self.device = device
        self.sizes = np.array([one.shape for one in hu]).reshape(-1, 3)
        self.hu = torch.from_numpy(_together(hu, self.sizes)).to(device)
        self.labels = torch.from_numpy(_together(labels, self.sizes)).to(device)
        self.heat: Tensor | None = None

    def __len__(self) -> int:
        return len(self.sizes)

    def draw_heat(self, peaks: Sequence[Sequence[tuple[float, ...]]]) -> None:
        """Draw the map of every image's peaks (slice, row, column, diameter)."""
        import torch

        heat = torch.zeros(self.hu.shape, dtype=torch.float16)
        for number, (size, some) in enumerate(zip(self.sizes, peaks, strict=True)):
            z, y, x = size
            heat[number, :z, :y, :x] = torch.from_numpy(peak_map((z, y, x), some)).half()
        self.heat = heat.to(self.device)

    def blocks(self, numbers: NDArray[np.int64], centers: NDArray[np.int64], edge: int) -> list[Tensor]:
        """Cut blocks of `edge` + `SLACK` voxels around `centers` (n, 3): HU, label, and heat if drawn; each (n, s, s, s)."""
        import torch

        side = edge + SLACK
        index = centers[:, :, None] - side // 2 + np.arange(side)
        size = self.sizes[numbers][:, :, None]
        index %= 2 * size
        index = np.where(index >= size, 2 * size - 1 - index, index)
        z, y, x = torch.from_numpy(index).to(self.device).unbind(1)
        where = (
            torch.from_numpy(numbers).to(self.device)[:, None, None, None],
            z[:, :, None, None],
            y[:, None, :, None],
            x[:, None, None, :],
        )
        kinds = [self.hu, self.labels] + ([self.heat] if self.heat is not None else [])
        return [kind[where] for kind in kinds]


def _together(arrays: Sequence[NDArray[np.generic]] | NDArray[np.generic], sizes: NDArray[np.int64]) -> NDArray[np.generic]:
    if isinstance(arrays, np.ndarray):
        return arrays
    whole = np.zeros((len(arrays), *sizes.max(axis=0)), arrays[0].dtype)
    for number, (array, (z, y, x)) in enumerate(zip(arrays, sizes, strict=True)):
        whole[number, :z, :y, :x] = array
    return whole


LEAST_SIGMA_MM = 1.6  # of the peak drawn on a nodule's centre


def peak_map(shape: tuple[int, ...], peaks: Sequence[tuple[float, ...]]) -> NDArray[np.float32]:
    """Draw a Gaussian on every centre (slice, row, column, diameter); its width grows with the nodule."""
    heat = np.zeros(shape, np.float32)
    for *center, diameter in peaks:
        sigma = max(LEAST_SIGMA_MM, diameter / 6)
        z, y, x = (
            np.exp(-((np.arange(size) - middle) ** 2) / (2 * sigma**2)) for size, middle in zip(shape, center, strict=True)
        )
        np.maximum(heat, z[:, None, None] * y[:, None] * x, out=heat)
    return heat
