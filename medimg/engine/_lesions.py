"""From a place to a lesion: its outline and its scores, by the outline and the classify stage of a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from medimg.engine.cubes import cube_grid, sample
from medimg.measures import descriptors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import nn

    from medimg.models import Stage
    from medimg.values import Grid, Volume

ONCE = ((),)
FLIPS = ((), (4,), (3,), (2,))  # of (n, channel, slice, row, column): as it is, left-right, front-back, head-feet
RIM_VOXELS = 2  # around an outline: where its border lies between one voxel and the next
BATCH = 4  # crops at a time: more gains nothing on two cores


@dataclass(frozen=True, kw_only=True)
class Lesion:
    """What the networks say of one place: outline probability on a cube, and raw rating logits by name.

    `measured` are the descriptors of the outline's middle part on that cube. `each` and `volumes_mm3` are the logits and the
    volume of every flip alone: what lies between them is what the networks are unsure of.
    """

    grid: Grid
    outline: NDArray[np.float32]
    logits: dict[str, float]
    peak: float
    measured: dict[str, float] = field(default_factory=dict)
    each: tuple[dict[str, float], ...] = ()
    volumes_mm3: tuple[float, ...] = ()


def describe(
    network: nn.Module,
    stage: Stage,
    volume: Volume,
    places: Sequence[tuple[tuple[float, float, float], float]],
    *,
    spacing_mm: float,
    device: str,
    flips: tuple[tuple[int, ...], ...] = FLIPS,
) -> list[Lesion]:
    """Outline and rate the lesion at each place (LPS point, peak height): the mean over `flips`."""
    import torch

    lesions: list[Lesion] = []
    for first in range(0, len(places), BATCH):
        part = places[first : first + BATCH]
        grids = [cube_grid(_on_voxel(volume, center), edge=stage.window, spacing_mm=spacing_mm) for center, _ in part]
        cubes = torch.from_numpy(np.stack([sample(volume, grid) for grid in grids]))[:, None].to(device)
        outlines, ratings = [], []
        with torch.inference_mode():
            for axes in flips:
                given = torch.flip(cubes, axes).to(memory_format=torch.channels_last_3d)
                outline, rating = network(given)
                outlines.append(torch.flip(outline.float().sigmoid(), axes))
                ratings.append(rating.float())
        given_hu = cubes[:, 0].cpu().numpy()
        stacked = torch.stack(outlines)[:, :, 0].cpu().numpy()
        outline_mean = stacked.mean(axis=0)
        logits = torch.stack(ratings).cpu().numpy()
        names: tuple[str, ...] = network.ratings  # type: ignore[assignment]  # nn.Module says Tensor of every attribute
        for row, (grid, (_, peak)) in enumerate(zip(grids, part, strict=True)):
            middle = middle_part(outline_mean[row], threshold=stage.threshold)
            near = grown(middle, RIM_VOXELS)
            lesions.append(
                Lesion(
                    grid=grid,
                    outline=outline_mean[row],
                    logits=dict(zip(names, logits[:, row].mean(axis=0).tolist(), strict=True)),
                    peak=peak,
                    measured=descriptors(given_hu[row], middle, spacing_mm=spacing_mm),
                    each=tuple(dict(zip(names, one.tolist(), strict=True)) for one in logits[:, row]),
                    volumes_mm3=tuple(
                        float(np.count_nonzero((one > stage.threshold) & near)) * spacing_mm**3 for one in stacked[:, row]
                    ),
                )
            )
    return lesions


def _on_voxel(volume: Volume, center_mm: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return the voxel centre that is nearest to a point: a scan of the cube's own spacing is then not blurred."""
    x, y, z = volume.grid.to_mm(np.round(volume.grid.to_index(center_mm))).tolist()
    return x, y, z


def middle_part(outline: NDArray[np.float32], *, threshold: float) -> NDArray[np.bool_]:
    """Return the connected part of `outline` > threshold that is nearest to the middle of the cube; empty if there is none."""
    from scipy import ndimage

    inside = outline > threshold
    labels, count = ndimage.label(inside)
    if count == 0:
        return inside
    middle = tuple(side // 2 for side in outline.shape)
    label = labels[middle]
    if label == 0:
        places = np.argwhere(inside)
        label = labels[tuple(places[np.argmin(((places - middle) ** 2).sum(axis=1))])]
    part: NDArray[np.bool_] = labels == label
    return part


def grown(mask: NDArray[np.bool_], voxels: int | NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return `mask` grown by a box of `voxels` to each side along each axis."""
    from scipy import ndimage

    reach = np.ceil(np.broadcast_to(voxels, 3)).astype(int)
    larger: NDArray[np.bool_] = ndimage.maximum_filter(mask, size=tuple(2 * int(size) + 1 for size in reach))
    return larger
