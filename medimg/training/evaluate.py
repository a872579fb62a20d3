"""Measure a model on whole scans and on nodule cubes: the figures of its card, again, with one command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.engine import _scores
from medimg.engine._findings import onto
from medimg.engine._remarks import equal_volume_diameter_mm
from medimg.engine.cubes import box_under
from medimg.training._proposals import cube_volume, proposals
from medimg.training.chests import TARGET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from medimg.engine import Model
    from medimg.training.chests import Chest, Mark
    from medimg.training.cubes import Cubes

LEAST_RADIUS_MM = 2.0  # of a mark without a diameter: smaller than the nodules that count
RESAMPLES = 1000


def evaluate_chests(model: Model, chests: Iterable[Chest]) -> list[dict[str, Any]]:
    """Return per scan the targets found and the other findings, by LUNA16's rule.

    A target is found if a finding's centre is nearer to it than its radius. A finding on another reader's mark (1 or 2 readers,
    below 3 mm, non-nodule) is neither hit nor false; `others` counts the rest.
    """
    lines = []
    for chest in chests:
        prediction = model(chest.volume)
        found: dict[int, float] = {}
        ignored = others = 0
        for finding in prediction.findings:
            number = mark_of(finding.center_mm, chest.marks)
            if number is None:
                others += 1
            elif chest.marks[number].kind == TARGET:
                found[number] = max(found.get(number, 0.0), finding.detection_probability)
            else:
                ignored += 1
        targets = sum(mark.kind == TARGET for mark in chest.marks)
        lines.append(
            {
                "scan": chest.name,
                "split": chest.split,
                "targets": targets,
                "found": len(found),
                "others": others,
                "ignored": ignored,
                "seconds": round(sum(prediction.seconds.values()), 1),
            }
        )
    return lines


def mark_of(center_mm: tuple[float, float, float], marks: tuple[Mark, ...]) -> int | None:
    """Return the number of the mark that a point hits (LUNA16: nearer than its radius), a target before others; None if none."""
    near = []
    for number, mark in enumerate(marks):
        distance = float(np.linalg.norm(np.subtract(mark.center_mm, center_mm)))
        if distance <= max((mark.diameter_mm or 0) / 2, LEAST_RADIUS_MM):
            near.append((mark.kind != TARGET, distance, number))
    return min(near)[2] if near else None


def evaluate_cubes(model: Model, cubes: Cubes, *, shift_mm: float = 0.0, seed: int = 0) -> dict[str, Any]:
    """Return outline and suspicion figures over nodule cubes, each `[value, low, high]` with 95 % intervals by patient.

    The point that the model is given lies up to `shift_mm` off the nodule's centre, as a person's click does. Suspicion is held
    against two diameters of the sphere of the nodule's volume: of the readers' outline, and of the model's own.
    """
    from sklearn.metrics import roc_auc_score

    generator = np.random.default_rng(seed)
    outline, classify = model.card.stage("outline"), model.card.stage("classify")
    line = next(line for line in classify.scores if line.name == "suspicion")
    rows: list[tuple[float, float, float]] = []
    for number in range(len(cubes.rows)):
        volume = cube_volume(cubes, number)
        direction = generator.standard_normal(3)
        center = cubes.centroids[number] + direction / np.linalg.norm(direction) * generator.uniform(0, shift_mm)
        x, y, z = volume.grid.to_mm(np.round(center)).tolist()
        lesion = model.lesion_at(volume, (x, y, z))
        truth, drawn = cubes.mask[number] == 1, np.zeros(volume.shape, bool)
        place = box_under(volume.grid, lesion.grid)
        drawn[place] = onto(volume.grid, place, lesion, threshold=outline.threshold)
        dice = 2 * float((drawn & truth).sum()) / max(float(drawn.sum() + truth.sum()), 1.0)
        own = equal_volume_diameter_mm(float(drawn.sum()))
        rows.append((dice, own, _scores.value(line, lesion, threshold=outline.threshold)))
    values, own_mm, suspicion = np.array(rows).T
    patients = np.array([row["patient_id"] for row in cubes.rows])
    diameter, malignant = cubes.numbers("diameter_mm"), cubes.numbers("malignant")
    rated = ~np.isnan(malignant)
    truth_of, small = malignant[rated].astype(int), diameter < 6

    def area(score: NDArray[np.float64]) -> Callable[[NDArray[np.int64]], float]:
        return lambda rows: float(roc_auc_score(truth_of[rows], score[rated][rows]))

    def gain(score: NDArray[np.float64]) -> Callable[[NDArray[np.int64]], float]:
        return lambda rows: area(suspicion)(rows) - area(score)(rows)

    return {
        "nodules": len(values),
        "patients": len(set(patients)),
        "segmentation.dice_mean": interval(lambda rows: values[rows].mean(), patients),
        "segmentation.dice_mean_under_6mm": interval(lambda rows: values[small][rows].mean(), patients[small]),
        "malignancy.rated": int(rated.sum()),
        "malignancy.auroc": interval(area(suspicion), patients[rated]),
        "malignancy.own_diameter_auroc": interval(area(own_mm), patients[rated]),
        "malignancy.gain_over_own_diameter": interval(gain(own_mm), patients[rated]),
        "malignancy.readers_diameter_auroc": interval(area(diameter), patients[rated]),
        "malignancy.gain_over_readers_diameter": interval(gain(diameter), patients[rated]),
    }


def evaluate_detection(model: Model, cubes: Cubes) -> dict[str, Any]:
    """Return the share of nodules that the whole model finds in their cubes at its operating point, with its interval."""
    classify = model.card.stage("classify")
    found = np.array(
        [
            any(
                hit and _scores.probability(classify, lesion) >= classify.threshold
                for lesion, hit in proposals(model, cubes, number)
            )
            for number in range(len(cubes.rows))
        ],
        float,
    )
    patients = np.array([row["patient_id"] for row in cubes.rows])
    return {"nodules": len(found), "detection.sensitivity": interval(lambda rows: found[rows].mean(), patients)}


def interval(statistic: Any, patients: NDArray[Any], *, seed: int = 0) -> list[float]:
    """Return a statistic over rows with its 95 % bootstrap interval; patients, not nodules, are drawn again."""
    generator = np.random.default_rng(seed)
    members = [np.flatnonzero(patients == patient) for patient in np.unique(patients)]
    drawn = []
    for _ in range(RESAMPLES):
        rows = np.concatenate([members[k] for k in generator.integers(len(members), size=len(members))])
        try:
            drawn.append(float(statistic(rows)))
        except ValueError:  # a resample with one class only has no area under a curve
            continue
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return [round(float(value), 4) for value in (statistic(np.arange(len(patients))), low, high)]
