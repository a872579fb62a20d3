"""How a model's figures move when the same nodules are scanned otherwise: thicker slices, less dose, another kernel, turned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.engine import _scores
from medimg.engine._accept import require_input
from medimg.engine._drawn import onto
from medimg.engine.cubes import box_under
from medimg.errors import UnsuitableScanError
from medimg.evaluation import bootstrap, compare_outlines
from medimg.evaluation.classification import auroc_gain, classification
from medimg.training.cases import SHIFT_MM
from medimg.values import Grid, Volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from medimg.engine import Model
    from medimg.training.cubes import Cubes

AIR_HU = -1024
SOFT_MM, SHARP = 0.8, 1.0  # a smoother kernel's width in the slice; how much of what it takes away a sharper one adds


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One way of scanning otherwise: what it does to HU, to what is where, and the distance of slices that it leaves."""

    words: str
    values: Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]] = lambda hu, generator: hu
    places: Callable[[NDArray[Any]], NDArray[Any]] = lambda array: array
    slices_mm: float = 1.0


def _noise(sd_hu: float) -> Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]]:
    return lambda hu, generator: hu + generator.normal(0, sd_hu, hu.shape).astype(np.float32)


def _kernel(share: float) -> Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]]:
    def change(hu: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
        from scipy import ndimage

        changed: NDArray[np.float32] = hu + share * (hu - ndimage.gaussian_filter(hu, (0, SOFT_MM, SOFT_MM)))
        return changed

    return change


CONDITIONS = {
    "as_scanned": Condition(words="as scanned, at 1 mm"),
    "slices_2_5mm": Condition(words="slices of 2.5 mm", slices_mm=2.5),
    "slices_3_3mm": Condition(words="slices of 3.33 mm", slices_mm=10 / 3),
    "slices_5mm": Condition(words="slices of 5 mm", slices_mm=5.0),
    "noise_20hu": Condition(words="20 HU of noise more", values=_noise(20)),
    "noise_50hu": Condition(words="50 HU of noise more", values=_noise(50)),
    "kernel_soft": Condition(words="a softer kernel", values=_kernel(-1.0)),
    "kernel_sharp": Condition(words="a sharper kernel", values=_kernel(SHARP)),
    "turned_90deg": Condition(
        words="turned by 90 degrees about the long axis", places=lambda array: np.rot90(array, axes=(1, 2))
    ),
    "left_for_right": Condition(words="left for right", places=lambda array: array[:, :, ::-1]),
    "head_for_feet": Condition(words="head for feet", places=lambda array: array[::-1]),
}


def measure_robustness(
    model: Model, cubes: Cubes, *, seed: int = 0, tell: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, Any]:
    """Return Dice and the AUROC of suspicion of the same nodules under every condition, and what each takes away from them.

    Every nodule is outlined from the same point up to 5 mm off its centre. `robustness.NAME.dice_change` and
    `robustness.NAME.auroc_change` are paired with the nodules as they were scanned, with their 95 % intervals by patient;
    `robustness.NAME.refused` says that the model does not take such a scan.
    """
    patients = np.array([row["patient_id"] for row in cubes.rows])
    truth = cubes.numbers("malignant")
    known = np.flatnonzero(~np.isnan(truth))
    found: dict[str, Any] = {}
    before: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    for number, (name, condition) in enumerate(CONDITIONS.items()):
        tell(number, len(CONDITIONS))
        try:
            dice, score = _measured(model, cubes, condition, seed)
        except UnsuitableScanError as error:
            found[f"robustness.{name}.refused"] = str(error)
            continue
        before = before or (dice, score)
        figures = {"dice": _mean(dice, patients), "dice_change": _mean(dice - before[0], patients)}
        if len(set(truth[known])) > 1 and not np.isnan(score).any():
            outcome, whose = truth[known].astype(int), patients[known]
            figures["auroc"] = classification(outcome, score[known], patients=whose)["auroc"]
            figures["auroc_change"] = auroc_gain(outcome, score[known], before[1][known], patients=whose)
        found |= {f"robustness.{name}.{key}": value for key, value in figures.items()}
    tell(len(CONDITIONS), len(CONDITIONS))
    return found


def _measured(model: Model, cubes: Cubes, condition: Condition, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Dice and suspicion of every nodule under a condition."""
    generator = np.random.default_rng(seed)
    outline, opinion = model.card.stage("outline"), model.card.second_opinion
    line = next((line for line in model.card.stage("classify").scores if line.name == "suspicion"), None)
    dice, score = [], []
    for number in range(len(cubes.rows)):
        volume, truth = altered(cubes.hu[number], cubes.mask[number] == 1, condition, np.random.default_rng((seed, number)))
        fine = Grid.straight(truth.shape, spacing_mm=(1.0, 1.0, 1.0))
        direction = generator.standard_normal(3)
        center = np.argwhere(truth).mean(axis=0) + direction / np.linalg.norm(direction) * generator.uniform(0, SHIFT_MM)
        x, y, z = fine.to_mm(np.round(center)).tolist()
        require_input(model.card, volume)
        lesion = model.lesion_at(volume, (x, y, z))
        drawn = np.zeros(truth.shape, bool)
        place = box_under(fine, lesion.grid)
        drawn[place] = onto(fine, place, lesion, threshold=outline.threshold)
        dice.append(compare_outlines(drawn, truth, spacing_mm=fine.spacing_mm).dice)
        score.append(_scores.value(line, lesion, threshold=outline.threshold, opinion=opinion) if line else np.nan)
    return np.array(dice), np.array(score)


def altered(
    hu: NDArray[np.int16], truth: NDArray[np.bool_], condition: Condition, generator: np.random.Generator
) -> tuple[Volume, NDArray[np.bool_]]:
    """Return a cube of 1 mm as a CT scanned otherwise, and its outline at 1 mm in the same millimetres.

    Thicker slices are means over their thickness, as a scanner's are.
    """
    values = np.ascontiguousarray(condition.places(condition.values(hu.astype(np.float32), generator)))
    inside = np.ascontiguousarray(condition.places(truth))
    step = condition.slices_mm
    if step != 1.0:
        values = _thicker(values, step)
    grid = Grid.straight(values.shape, spacing_mm=(step, 1.0, 1.0), origin_mm=(0.0, 0.0, (step - 1) / 2))
    array = np.clip(np.rint(values), AIR_HU, 32767).astype(np.int16)
    return Volume(array=array, grid=grid, modality="CT", unit="HU"), inside


def _thicker(values: NDArray[np.float32], step: float) -> NDArray[np.float32]:
    """Return the mean of each slab of `step` slices; a slice that lies in two slabs counts in each by its share."""
    count = int(len(values) / step + 1e-6)
    edges = np.arange(count + 1) * step
    slices = np.arange(len(values))
    shares = np.clip(np.minimum(slices + 1, edges[1:, None]) - np.maximum(slices, edges[:-1, None]), 0, 1) / step
    thick: NDArray[np.float32] = np.tensordot(shares.astype(np.float32), values, axes=1)
    return thick


def _mean(values: NDArray[np.float64], patients: NDArray[Any]) -> list[float]:
    return bootstrap(lambda take: float(np.mean(values[take])), patients)
