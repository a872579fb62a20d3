"""How many lesions larger than any it learnt from `lung-nodule` finds: nodules of validation patients, enlarged, in whole scans.

Usage: python benchmarks/masses.py DATA [COUNT]    (a folder with lidc_nodules/ and whole_chest/; 40 if no count is given)

The shape is that of a solid nodule of a validation patient as readers drew it, enlarged to 35, 45, 60 or 80 mm (diameter of a
sphere of its volume); its middle is a random place of a lung, and what would lie outside of the lung is cut off, so that many lie
at the wall or the mediastinum. Density: 35 HU and noise. A mass is found if a finding overlaps it with a Dice of 0.3 or more.
Beside it stands what the same model finds on its own voxels alone. No mass of a patient is at hand that a model may be chosen on.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from medimg.engine import load_model
from medimg.engine._findings import findings_of
from medimg.preprocessing import lungs
from medimg.training import read_chests, read_cubes

if TYPE_CHECKING:
    from medimg.engine import Model
    from medimg.values import Mask, Volume

SIZES_MM = (35.0, 45.0, 60.0, 80.0)
LEAST_SOURCE_MM, SOLID = 9.0, 4.0  # smaller nodules have no shape to enlarge
LEAST_SHARE, WITHIN = 0.6, 0.95  # of an enlarged nodule that lies in the lung, at least; from where on it is within the lung
MASS_HU, NOISE_HU, GRAIN = 35.0, 14.0, 0.6
HIT_DICE = 0.3


def laid_into(
    volume: Volume, lung: np.ndarray, shape: np.ndarray, diameter_mm: float, index: np.ndarray, generator: np.random.Generator
) -> tuple[Volume, np.ndarray, float]:
    """Return the scan with a shape (of 1 mm voxels) enlarged at a voxel, where it lies, and its share within the lung."""
    factor = diameter_mm / np.cbrt(6 / np.pi * shape.sum())
    spacing = np.array(volume.grid.spacing_mm)
    reach = np.ceil(1.6 * diameter_mm / spacing).astype(int)
    low, high = np.maximum(index - reach, 0), np.minimum(index + reach + 1, volume.shape)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    away_mm = (
        np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"), -1) - index
    ) * spacing
    places = np.moveaxis(away_mm / factor + np.argwhere(shape).mean(axis=0), -1, 0)
    soft = ndimage.map_coordinates(ndimage.gaussian_filter(shape.astype(float), 0.7), places, order=1)
    share = np.clip((soft - 0.5) * 1.5 * factor + 0.5, 0, 1)  # a border of about a millimetre, however much it is enlarged
    inside = np.where(lung[box], share, 0)
    labels, _ = ndimage.label(inside > 0.5)
    truth = np.zeros(volume.shape, bool)
    truth[box] = labels == 1 + np.argmax(np.bincount(labels.ravel(), minlength=2)[1:])
    noise = ndimage.gaussian_filter(generator.standard_normal(inside.shape), GRAIN)
    array = volume.array.astype(np.float32)
    array[box] = array[box] * (1 - inside) + inside * (MASS_HU + noise * (NOISE_HU / noise.std()))
    whole = max(int(np.count_nonzero(share > 0.5)), 1)
    return replace(volume, array=np.rint(array).astype(np.int16)), truth, float(truth.sum() / whole)


def both(model: Model, volume: Volume) -> tuple[Mask, Mask]:
    """Return what is found with the coarser voxels, and without them, of one search."""
    region, _, seen, _ = model._search(volume, lambda stage, done, total: None)
    larger = model._larger(volume, region)
    with_them, without = (findings_of(model.card, volume, region, model._kept(seen), larger=coarse)[1] for coarse in (larger, ()))
    return with_them, without


def dice_of(found: Mask, truth: np.ndarray) -> float:
    """Return the Dice of the finding that overlaps the truth best."""
    labels, counts = np.unique(found.array[truth], return_counts=True)
    dice = [2 * n / (truth.sum() + np.count_nonzero(found.array == k)) for k, n in zip(labels, counts, strict=True) if k]
    return max(dice, default=0.0)


def main(data: Path, count: int) -> None:
    """Print a line for every mass, then how many were found by size and place."""
    cubes = read_cubes(data / "lidc_nodules", splits=("val",))
    sources = np.flatnonzero((cubes.numbers("texture_mean") >= SOLID) & (cubes.numbers("diameter_mm") > LEAST_SOURCE_MM))
    chests = list(read_chests(data / "whole_chest"))
    model = load_model("lung-nodule")
    inside = [lungs(chest.volume).array > 0 for chest in chests]
    before = [[len(mask.labels) for mask in both(model, chest.volume)] for chest in chests]
    print("findings in the scans as they are, with coarser voxels and without:", before, flush=True)
    generator = np.random.default_rng(0)
    rows = []
    for number in range(count):
        at = number // len(SIZES_MM) % len(chests)
        shape = cubes.mask[sources[number % len(sources)]] == 1
        share = 0.0
        while share < LEAST_SHARE:
            index = np.argwhere(inside[at])[generator.integers(np.count_nonzero(inside[at]))]
            scan, truth, share = laid_into(
                chests[at].volume, inside[at], shape, SIZES_MM[number % len(SIZES_MM)], index, generator
            )
        found = both(model, scan)
        dice = [dice_of(mask, truth) for mask in found]
        size_mm = float(np.cbrt(6 / np.pi * truth.sum() * scan.grid.voxel_volume_mm3))
        more = [int(len(mask.labels) - (one >= HIT_DICE) - was) for mask, one, was in zip(found, dice, before[at], strict=True)]
        rows.append((SIZES_MM[number % len(SIZES_MM)], share >= WITHIN, *dice, *more))
        told = f"{number:3} {size_mm:4.0f} mm, {share:4.0%} of it in the lung"
        print(f"{told}: Dice {dice[0]:.2f}, without {dice[1]:.2f}; more findings {more}", flush=True)
    table = np.array(rows)
    for words, members in (
        *((f"{size:g} mm", table[:, 0] == size) for size in SIZES_MM),
        ("within the lung", table[:, 1] == 1),
        ("at its border", table[:, 1] == 0),
        ("all", table[:, 0] > 0),
    ):
        group = table[members]
        print(f"{words} ({len(group)}):")
        for which, dice, more in (("with coarser voxels", group[:, 2], group[:, 4]), ("without", group[:, 3], group[:, 5])):
            hits = np.count_nonzero(dice >= HIT_DICE)
            print(f"    {which}: {hits} found, Dice {dice.mean():.2f}, {more.mean():+.1f} other findings a scan")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) == 3 else 40)
