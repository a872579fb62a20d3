"""Run a fully convolutional network over a volume that is larger than its window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from torch import nn

STEP = 8  # sides of a window are rounded up to this: three halvings of the resolution


def starts(size: int, *, window: int, margin: int) -> list[tuple[int, int, int]]:
    """Cut `size` voxels into pieces: where each window starts, and from where to where its result is kept.

    A window's outer `margin` is not kept, except at the ends of the volume. Pieces are of even length and cover every voxel once.

    >>> starts(100, window=60, margin=10)
    [(0, 0, 50), (40, 50, 100)]
    """
    if size <= window:
        return [(0, 0, size)]
    count = int(np.ceil((size - 2 * margin) / (window - 2 * margin)))
    first = np.round(np.linspace(0, size - window, count)).astype(int)
    cuts = [0, *((first[1:] + first[:-1] + window) // 2).tolist(), size]
    return [(int(start), low, high) for start, low, high in zip(first, cuts[:-1], cuts[1:], strict=True)]


def windows(
    shape: tuple[int, int, int], *, window: int, margin: int
) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...], tuple[slice, ...]]]:
    """Give for each window what to read, what of the result to keep, and where that lies in the volume."""
    axes = [starts(size, window=window, margin=margin) for size in shape]
    for z in axes[0]:
        for y in axes[1]:
            for x in axes[2]:
                triples = (z, y, x)
                read = tuple(slice(start, min(start + window, size)) for (start, _, _), size in zip(triples, shape, strict=True))
                keep = tuple(slice(low - start, high - start) for start, low, high in triples)
                yield read, keep, tuple(slice(low, high) for _, low, high in triples)


def run_windows(
    network: nn.Module,
    array: NDArray[Any],
    *,
    channel: int,
    window: int,
    margin: int,
    device: str,
    background: float,
    wanted: NDArray[np.bool_] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Return sigmoid(output[channel]) of `network` over `array` (slice, row, column).

    Windows whose kept part holds nothing of `wanted` are left at 0. A window that is smaller than its rounded size is filled with
    `background`.
    """
    import torch

    result = np.zeros(array.shape, np.float32)
    pieces = [piece for piece in windows(array.shape, window=window, margin=margin) if wanted is None or wanted[piece[2]].any()]
    with torch.inference_mode():
        for number, (read, keep, place) in enumerate(pieces):
            part = array[read]
            sides = [-(-side // STEP) * STEP for side in part.shape]
            filled = np.full(sides, background, np.float32)
            filled[tuple(slice(0, side) for side in part.shape)] = part
            given = torch.from_numpy(filled)[None, None].to(device).to(memory_format=torch.channels_last_3d)
            result[place] = network(given)[0, channel].float().sigmoid().cpu().numpy()[keep]
            if progress:
                progress(number + 1, len(pieces))
    return result


def peaks(heat: NDArray[np.float32], *, threshold: float, apart: int, most: int) -> list[tuple[tuple[int, int, int], float]]:
    """Return the local maxima of `heat` above `threshold`, strongest first, at least `apart` voxels from a stronger one."""
    from scipy import ndimage

    edge = 2 * (apart // 2) + 1
    top = (heat == ndimage.maximum_filter(heat, size=edge, mode="constant")) & (heat > threshold)
    places = np.argwhere(top)
    order = np.argsort(-heat[tuple(places.T)], kind="stable")
    kept: list[tuple[tuple[int, int, int], float]] = []
    for z, y, x in places[order]:
        if all((z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2 >= apart**2 for (a, b, c), _ in kept):
            kept.append(((int(z), int(y), int(x)), float(heat[z, y, x])))
        if len(kept) == most:
            break
    return kept
