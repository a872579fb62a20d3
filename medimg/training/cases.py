"""What a model makes of every nodule of a folder of cubes: the rows that all figures are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.engine import _scores
from medimg.engine._drawn import onto
from medimg.engine._remarks import equal_volume_diameter_mm
from medimg.engine.cubes import box_under
from medimg.evaluation import compare_outlines
from medimg.measures import descriptors
from medimg.training._blocks import OTHER, OWN
from medimg.training._proposals import cube_volume, proposals, searched_litres

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from medimg.engine import Model
    from medimg.engine._lesions import Lesion
    from medimg.evaluation import Outline
    from medimg.training.cubes import Cubes

READERS = 4  # at most, whose own ratings the table has
SHIFT_MM = 5.0  # a person's click, and a detector's peak, lie up to this far off a nodule's centre


@dataclass(frozen=True, kw_only=True)
class Case:
    """One nodule.

    `drawn` is the model's outline in the cube from a point, `found_outline` fits that from a search; `found` is how sure the
    model was of it there, -1 if it was missed. `spans` and `volume_spread` are how far the flips lie apart: lowest and highest
    score, and the volumes' standard deviation over their mean. `contrast` is the agent that the header names, "" for none;
    `suspicions` what each reader rated, nan where one did not.
    """

    nodule: str
    patient: str
    manufacturer: str
    diameter_mm: float
    malignant: float
    texture: float
    calcification: float
    outline: Outline
    found_outline: Outline
    found: float
    drawn: NDArray[np.bool_]
    scores: dict[str, float]
    measured: dict[str, float]
    spans: dict[str, tuple[float, float]]
    volume_spread: float
    contrast: str
    suspicions: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Cases:
    """All nodules, and the candidates of the search in their cubes: probability, target (0 or -1), number of the cube."""

    cases: tuple[Case, ...]
    probability: NDArray[np.float64]
    target: NDArray[np.int64]
    unit: NDArray[np.int64]
    litres: NDArray[np.float64]
    notes: dict[str, Any] = field(default_factory=dict)


def collect(
    model: Model,
    cubes: Cubes,
    *,
    shift_mm: float = SHIFT_MM,
    seed: int = 0,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Cases:
    """Run the model on every nodule twice: from a point up to `shift_mm` off its centre, and by searching its cube.

    The search counts as hits what lies on or beside the cube's own nodule, as false positives what lies further from it and from
    every mark of a reader, and nothing on another nodule of the scan (which has its own cube) or near the cube's edge, where a
    nodule may be cut.
    """
    generator = np.random.default_rng(seed)
    spacing_mm = (1.0, 1.0, 1.0)
    cases, probability, target, unit, litres = [], [], [], [], []
    classify = model.card.stage("classify")
    for number, row in enumerate(cubes.rows):
        tell(number, len(cubes.rows))
        volume, truth = cube_volume(cubes, number), cubes.mask[number] == 1
        direction = generator.standard_normal(3)
        center = cubes.centroids[number] + direction / np.linalg.norm(direction) * generator.uniform(0, shift_mm)
        x, y, z = volume.grid.to_mm(np.round(center)).tolist()
        lesion = model.lesion_at(volume, (x, y, z))
        drawn = _drawn(model, volume, lesion)
        best: tuple[float, Lesion] | None = None
        for candidate, hit in proposals(model, cubes, number):
            if hit == OTHER:  # a nodule, and another cube's
                continue
            sure = _scores.probability(classify, candidate)
            probability.append(sure)
            target.append(0 if hit == OWN else -1)
            unit.append(number)
            if hit == OWN and (best is None or sure > best[0]):
                best = sure, candidate
        found = best is not None and best[0] >= classify.threshold
        searched = _drawn(model, volume, best[1]) if best and found else np.zeros_like(truth)
        litres.append(searched_litres(model, cubes, number))
        opinion, threshold = model.card.second_opinion, model.card.stage("outline").threshold
        scores = {line.name: _scores.value(line, lesion, threshold=threshold, opinion=opinion) for line in classify.scores}
        spans = {
            line.name: _scores.span(line, lesion, threshold=threshold, opinion=opinion) or (0.0, 1.0) for line in classify.scores
        }
        if opinion:
            scores[opinion.name] = opinion.value(lesion.measured)
        cases.append(
            Case(
                nodule=row["nodule_id"],
                patient=row["patient_id"],
                manufacturer=row.get("manufacturer", ""),
                diameter_mm=equal_volume_diameter_mm(float(truth.sum())),
                malignant=_number(row, "malignant"),
                texture=_number(row, "texture_mean"),
                calcification=_number(row, "calcification_mean"),
                outline=compare_outlines(drawn, truth, spacing_mm=spacing_mm),
                found_outline=compare_outlines(searched, truth, spacing_mm=spacing_mm),
                found=best[0] if best else -1.0,
                drawn=drawn,
                scores=scores,
                measured=descriptors(cubes.hu[number], truth, spacing_mm=1.0),
                spans=spans,
                volume_spread=_spread(lesion.volumes_mm3),
                contrast=row.get("contrast", ""),
                suspicions=tuple(_number(row, f"malignancy_r{reader}") for reader in range(1, READERS + 1)),
            )
        )
    tell(len(cubes.rows), len(cubes.rows))
    return Cases(
        cases=tuple(cases),
        probability=np.array(probability, float),
        target=np.array(target, int),
        unit=np.array(unit, int),
        litres=np.array(litres),
    )


def _drawn(model: Model, volume: Any, lesion: Lesion) -> NDArray[np.bool_]:
    drawn = np.zeros(volume.shape, bool)
    place = box_under(volume.grid, lesion.grid)
    drawn[place] = onto(volume.grid, place, lesion, threshold=model.card.stage("outline").threshold)
    return drawn


def _spread(volumes_mm3: tuple[float, ...]) -> float:
    """Return the standard deviation of volumes over their mean; 0 if there are none."""
    mean = float(np.mean(volumes_mm3)) if volumes_mm3 else 0.0
    return float(np.std(volumes_mm3)) / mean if mean else 0.0


def _number(row: dict[str, str], column: str) -> float:
    return float(row[column]) if row.get(column) else float("nan")
