"""A chest CT phantom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from medimg._tools.identity import uid_from
from medimg.errors import OptionError
from medimg.values import Code, Grid, Mask, Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from medimg.phantoms._nodules import Nodule, Plan

PIXEL_MM, SLICE_MM, SUBSLICES = 1.0, 2.5, 3  # a slice is the mean of three thin ones, as its thickness is
ROWS, COLUMNS, SLICES = 244, 332, 95
FRONT_MM = -118.0  # the first row's outer edge
SCAN_FLOOR_MM = -312.5  # z of the lowest slice in the frame of reference of the study, as a scanner would have it
NOISE_AIR_HU, NOISE_HU, NOISE_MIDDLE_HU = 0.6, 10.4, 5.0  # deviation in air, what the body adds, and its middle
SHOULDER_MM, SHOULDER_NOISE = 214.0, 0.5  # above this level the shoulders take away light, and the noise grows by this share
HU_STEP = 4  # values are rounded to this: a quarter of the noise, and half of the bytes
LEAST_HU, MOST_HU = -1024, 3064
NODULE = Code("SCT", "27925004", "Nodule")
VERSION = 1  # counts up when the same seed gives another phantom


@dataclass(frozen=True)
class Made:
    """The phantom, its nodules' voxels, and what is known of them without looking at voxels."""

    seed: int
    volume: Volume
    mask: Mask
    nodules: tuple[Nodule, ...]


def chest(*, seed: int = 1) -> tuple[Volume, Mask]:
    """Make a chest CT, lungs and all, with three nodules in it: the scan, and the nodules' voxels as labels 1 to 3.

    Label 1 is a solid nodule of 14 mm in the left lower lobe, 2 a solid one of 9 mm at the chest wall of the right lower lobe, 3
    a ground-glass nodule of 16 mm in the right upper lobe. The scan is 95 slices of 2.5 mm, 244 x 332 pixels of 1 mm, in HU
    rounded to steps of 4. The same seed gives the same voxels on every machine. It takes some 20 seconds; asked again, none.

    Raises:
        OptionError: the seed is below 0.
    """
    made = make(seed)
    return made.volume, made.mask


@lru_cache(maxsize=1)
def make(seed: int) -> Made:
    """Make the phantom and keep the last one."""
    from medimg.phantoms import _anatomy, _nodules, _scanner, _vessels

    if seed < 0:
        raise OptionError("seed", seed, "a whole number from 0 up")
    z = np.arange(SLICES * SUBSLICES, dtype=np.float64) * (SLICE_MM / SUBSLICES)
    y = FRONT_MM + (np.arange(ROWS, dtype=np.float64) + 0.5) * PIXEL_MM
    x = (np.arange(COLUMNS, dtype=np.float64) + 0.5 - COLUMNS / 2) * PIXEL_MM
    back = FRONT_MM + ROWS * PIXEL_MM
    anatomy = _anatomy.build(width_mm=COLUMNS * PIXEL_MM, front_mm=FRONT_MM, back_mm=back, height_mm=float(z[-1]))
    depth = _vessels.interpolator(anatomy, anatomy.lungs)
    nodules = [_nodules.build(plan, depth, seed=seed) for plan in plans()]
    painter = _scanner.Painter(anatomy, axes=(z, y, x), plumbing=_vessels.build(anatomy, seed=seed), nodules=nodules, seed=seed)
    clean = np.stack(
        [np.mean([painter.slice(SUBSLICES * number + part) for part in range(SUBSLICES)], axis=0) for number in range(SLICES)]
    )
    middle = float(z[:SUBSLICES].mean())  # of the lowest slice
    array = _measured(clean, seed=seed)
    origin = (float(x[0]), float(y[0]), SCAN_FLOOR_MM)
    frame = uid_from("medimg phantom", "chest", VERSION, seed, "frame of reference")
    spacing = (SLICE_MM, PIXEL_MM, PIXEL_MM)
    grid = Grid.straight((SLICES, ROWS, COLUMNS), spacing_mm=spacing, origin_mm=origin, frame_of_reference=frame)
    placed = [_lifted(nodule, SCAN_FLOOR_MM - middle) for nodule in nodules]
    return Made(seed, Volume(array=array, grid=grid, modality="CT", unit="HU"), _mask(placed, grid), tuple(placed))


def plans() -> tuple[Plan, ...]:
    """Say what nodules the phantom has (x, y, z with z = 0 at its lowest slice)."""
    from medimg.phantoms._nodules import Plan

    return (
        Plan("solid-14", "solid", (72.0, 34.0, 96.0), 14.0, 34.0, edge_mm=0.3, lobes=0.30),
        Plan("solid-9", "solid", (-84.0, 36.0, 74.0), 9.0, 40.0, edge_mm=0.3, lobes=0.20, against_wall=(-0.8, 0.6)),
        Plan("ground-glass-16", "ground glass", (-76.0, -26.0, 168.0), 16.0, -560.0, edge_mm=1.0, lobes=0.25, texture_hu=45.0),
    )


def _lifted(nodule: Nodule, by_mm: float) -> Nodule:
    """Move a nodule from the phantom's own z to the scan's."""
    from dataclasses import replace

    x, y, z = nodule.center_mm
    return replace(nodule, center_mm=(x, y, float(z + by_mm)), start_mm=nodule.start_mm + np.array((by_mm, 0, 0)))


def _measured(clean: NDArray[np.float64], *, seed: int) -> NDArray[np.int16]:
    """Return what the scanner writes: with noise, rounded, within its range."""
    from medimg.phantoms._noise import scanner_noise
    from medimg.phantoms._stream import Stream

    noise = scanner_noise(Stream(seed, "scanner"), clean.shape, pixel_mm=PIXEL_MM)
    y = FRONT_MM + np.arange(ROWS)[:, None] * PIXEL_MM
    x = (np.arange(COLUMNS)[None, :] - COLUMNS / 2) * PIXEL_MM
    middle = np.exp(-((x / 110) ** 2) - ((y - 10) / 75) ** 2)
    body = np.exp(-(((x / 164) ** 2 + ((y + 2) / 113) ** 2) ** 4))
    level = np.arange(SLICES) * SLICE_MM
    shoulders = 1 + SHOULDER_NOISE * np.clip((level - SHOULDER_MM) / 20, 0, 1)
    noisy = clean + noise * (NOISE_AIR_HU + NOISE_HU * body + NOISE_MIDDLE_HU * middle) * shoulders[:, None, None]
    steps = np.rint((np.clip(noisy, LEAST_HU, MOST_HU) - LEAST_HU) / HU_STEP)
    return (steps * HU_STEP + LEAST_HU).astype(np.int16)


def _mask(nodules: list[Nodule], grid: Grid) -> Mask:
    """Label the voxels that a nodule fills by half or more."""
    from scipy.ndimage import map_coordinates

    from medimg.phantoms._nodules import FINE_MM

    labels = np.zeros(grid.shape, np.uint8)
    thin = 5  # thin slices in a slice, to weigh what a slice holds
    for label, nodule in enumerate(nodules, start=1):
        size = np.array(nodule.share.shape) * FINE_MM
        low = np.floor(grid.to_index(nodule.start_mm[::-1])).astype(int) - 1
        high = np.ceil(grid.to_index((nodule.start_mm + size)[::-1])).astype(int) + 1
        low, high = np.maximum(low, 0), np.minimum(high, grid.shape)
        offsets = (np.arange(thin) + 0.5) / thin - 0.5
        axes = [(np.arange(a, b)[:, None] + offsets).ravel() for a, b in zip(low, high, strict=True)]
        points = [axis * step + origin for axis, step, origin in zip(axes, grid.spacing_mm, grid.origin_mm[::-1], strict=True)]
        places = [(axis - start) / FINE_MM for axis, start in zip(points, nodule.start_mm, strict=True)]
        index = np.meshgrid(*places, indexing="ij")
        share = map_coordinates(nodule.share, index, order=0)
        shape = high - low
        share = share.reshape(shape[0], thin, shape[1], thin, shape[2], thin).mean(axis=(1, 3, 5))
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        labels[box][share >= 0.5] = label
    return Mask(array=labels, grid=grid, labels=dict.fromkeys(range(1, len(nodules) + 1), NODULE))
