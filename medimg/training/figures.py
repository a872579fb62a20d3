"""From cases to the figures of a card: flat names, each [value, low, high] with a 95 % interval by patient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.evaluation import auroc_if_perfect, bootstrap, calibration, classification, detection
from medimg.evaluation.classification import auroc_gain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from medimg.models import ModelCard
    from medimg.training.cases import Case, Cases

SMALL_MM, LARGE_MM = 6.0, 10.0
LEAST_CASES = 20  # of a subgroup: with fewer an interval says nothing
RATES_PER_LITRE = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
PREVALENCES = (0.05, 0.5)  # nodules of a screening round that turn out suspicious; as many as not
SOLID, GROUND_GLASS = 4.0, 2.0  # mean texture of the readers, 1 (ground glass) to 5 (solid)
ABSENT = 5.0  # mean calcification from which on a nodule counts as not calcified: 6 is absent


def figures(card: ModelCard, cases: Cases) -> dict[str, Any]:
    """Return every figure of nodule cubes under its name; a subgroup of fewer than 20 nodules has none."""
    rows = cases.cases
    return {
        "nodules": len(rows),
        "patients": len({case.patient for case in rows}),
        **_outlines(rows),
        **_suspicion(card, rows),
        **_texture(card, rows),
        **_calcification(card, rows),
        **_uncertainty(rows),
        **_prefixed("detection", _detection(cases)),
    }


def _outlines(rows: tuple[Case, ...]) -> dict[str, Any]:
    patients = _column(rows, "patient")
    found: dict[str, Any] = {}
    diameter = _column(rows, "diameter_mm")
    for name, key in (("dice", "dice"), ("nsd", "nsd"), ("hd95_mm", "hd95_mm"), ("volume_error", "volume_error")):
        values = np.array([getattr(case.outline, key) for case in rows])
        found[f"segmentation.{name}_mean"] = bootstrap(lambda take, values=values: float(np.nanmean(values[take])), patients)  # type: ignore[misc]
    error = np.abs([case.outline.volume_error for case in rows])
    found["segmentation.absolute_volume_error_median"] = bootstrap(lambda take: float(np.median(error[take])), patients)
    found["segmentation.missed"] = int(sum(case.outline.dice == 0 for case in rows))
    dice = np.array([case.outline.dice for case in rows])
    searched = np.array([case.found_outline.dice for case in rows])
    groups = {
        "under_6mm": diameter < SMALL_MM,
        "6_to_10mm": (diameter >= SMALL_MM) & (diameter < LARGE_MM),
        "over_10mm": diameter >= LARGE_MM,
    }
    for name, members in (groups | _kinds(rows)).items():
        if members.sum() >= LEAST_CASES:
            found[f"segmentation.dice_mean_{name}"] = _mean(dice[members], patients[members])
    found["segmentation.end_to_end_dice_mean"] = _mean(searched, patients)
    return found


def _kinds(rows: tuple[Case, ...]) -> dict[str, NDArray[np.bool_]]:
    """Return who belongs to which subgroup of texture and maker."""
    texture, maker = _column(rows, "texture"), _column(rows, "manufacturer")
    groups = {
        "solid": texture >= SOLID,
        "part_solid": (texture > GROUND_GLASS) & (texture < SOLID),
        "ground_glass": texture <= GROUND_GLASS,
    }
    contrast = _column(rows, "contrast")
    if (contrast != "").any():
        groups |= {"with_contrast_named": contrast != "", "without_contrast_named": contrast == ""}
    for name in sorted(set(maker) - {""}):
        groups[f"of_{''.join(c if c.isalnum() else '_' for c in name.lower()).strip('_')}"] = maker == name
    return groups


def _suspicion(card: ModelCard, rows: tuple[Case, ...]) -> dict[str, Any]:
    """Return how well suspicion tells the nodules that radiologists rated above 3 from those below.

    The baseline is the card's second opinion; it is given the readers' own outlines, which is more than the model has.
    `auroc_if_perfect` is what the readers' own differences leave to be reached, where the table has the rating of each.
    """
    known = tuple(case for case in rows if not np.isnan(case.malignant))
    if not known or "suspicion" not in known[0].scores:
        return {}
    patients, truth = _column(known, "patient"), _column(known, "malignant").astype(int)
    score = np.array([case.scores["suspicion"] for case in known])
    diameter = _column(known, "diameter_mm")
    found = classification(truth, score, patients=patients, prevalences=PREVALENCES) | calibration(
        truth, score, patients=patients
    )
    found["diameter_auroc"] = classification(truth, diameter, patients=patients)["auroc"]
    found["gain_over_diameter"] = auroc_gain(truth, score, diameter, patients=patients)
    found["auroc_if_perfect"] = auroc_if_perfect(np.array([case.suspicions for case in rows]))
    opinion = card.second_opinion
    if opinion:
        base = np.array([opinion.value(case.measured) for case in known])
        own = np.array([case.scores[opinion.name] for case in known])
        found["baseline_auroc"] = classification(truth, base, patients=patients)["auroc"]
        found["auroc_gain"] = auroc_gain(truth, score, base, patients=patients)
        found["baseline_brier"] = bootstrap(lambda take: float(np.mean((base[take] - truth[take]) ** 2)), patients)
        found["second_opinion_auroc"] = classification(truth, own, patients=patients)["auroc"]
    for name, members in ({"under_6mm": diameter < SMALL_MM, "over_6mm": diameter >= SMALL_MM} | _kinds(known)).items():
        if members.sum() >= LEAST_CASES and len(set(truth[members])) > 1:
            found[f"auroc_{name}"] = classification(truth[members], score[members], patients=patients[members])["auroc"]
    return _prefixed("malignancy", found)


def _texture(card: ModelCard, rows: tuple[Case, ...]) -> dict[str, Any]:
    """Return how well solid, part-solid and ground-glass nodules are told apart, and how many there are: the last two are few."""
    from sklearn.metrics import balanced_accuracy_score

    known = tuple(case for case in rows if not np.isnan(case.texture))
    if not known or "texture" not in known[0].scores:
        return {}
    patients, texture = _column(known, "patient"), _column(known, "texture")
    score = np.array([case.scores["texture"] for case in known])
    truth = texture_classes(texture)
    line = next(line for line in card.stage("classify").scores if line.name == "texture")
    told = np.digitize(score, line.cuts or ((GROUND_GLASS - 1) / 4, (SOLID - 1) / 4))
    kinds = len(set(truth))

    def balanced(take: NDArray[np.int64]) -> float:
        if kinds == 1 or len(set(truth[take])) < kinds:
            raise ValueError("a class is missing")
        return float(balanced_accuracy_score(truth[take], told[take]))

    return {
        **{f"texture.{name}": int((truth == at).sum()) for at, name in enumerate(("ground_glass", "part_solid", "solid"))},
        "texture.balanced_accuracy": bootstrap(balanced, patients),
        "texture.solid_auroc": classification((truth == 2).astype(int), score, patients=patients)["auroc"],
    }


def texture_classes(texture: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return 0 (ground glass), 1 (part-solid) or 2 (solid) for the mean texture of the readers, 1 to 5; nan is no texture."""
    return (texture > GROUND_GLASS).astype(int) + (texture >= SOLID)


def calcification_classes(calcification: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return 1 for calcified, 0 for not, for the mean calcification of the readers, 1 to 6 (absent); nan is none."""
    return (calcification < ABSENT).astype(int)


def _calcification(card: ModelCard, rows: tuple[Case, ...]) -> dict[str, Any]:
    """Return how well calcified nodules are told, beside their highest HU on the readers' outline."""
    known = tuple(case for case in rows if not np.isnan(case.calcification) and case.measured)
    if not known or "calcification" not in known[0].scores:
        return {}
    patients = _column(known, "patient")
    truth = calcification_classes(_column(known, "calcification"))
    line = next(line for line in card.stage("classify").scores if line.name == "calcification")
    score = np.array([case.scores["calcification"] for case in known])
    highest = np.array([case.measured["max_hu"] for case in known])
    parted: dict[str, Any] = {}
    if line.cuts:
        told = classification(truth, score, patients=patients, threshold=line.cuts[0])
        parted = {f"calcification.{name}": told[name] for name in ("sensitivity", "specificity", "ppv") if name in told}
    return {
        "calcification.calcified": int(truth.sum()),
        **parted,
        "calcification.auroc": classification(truth, score, patients=patients)["auroc"],
        "calcification.baseline_auroc": classification(truth, highest, patients=patients)["auroc"],
        "calcification.auroc_gain": auroc_gain(truth, score, highest, patients=patients),
    }


def _uncertainty(rows: tuple[Case, ...]) -> dict[str, Any]:
    """Return whether the model is more often wrong where its flips disagree: rank correlations of the spread with the error.

    0 would say that the spread tells nothing, 1 that it puts the cases into the order of their errors.
    """
    if len(rows) < LEAST_CASES:
        return {}
    wrong = 1 - np.array([case.outline.dice for case in rows])
    found: dict[str, Any] = {"outline_rank_correlation": _ranks(_column(rows, "volume_spread"), wrong, _column(rows, "patient"))}
    known = tuple(case for case in rows if not np.isnan(case.malignant) and "suspicion" in case.spans)
    if len(known) >= LEAST_CASES:
        width = np.array([case.spans["suspicion"][1] - case.spans["suspicion"][0] for case in known])
        off = np.abs(np.array([case.scores["suspicion"] for case in known]) - _column(known, "malignant"))
        found["suspicion_rank_correlation"] = _ranks(width, off, _column(known, "patient"))
        found["suspicion_span_median"] = float(np.median(width))
    return _prefixed("uncertainty", found)


def _ranks(one: NDArray[np.float64], other: NDArray[np.float64], patients: NDArray[Any]) -> list[float]:
    from scipy.stats import spearmanr

    def correlation(take: NDArray[np.int64]) -> float:
        if len(set(one[take])) < 2 or len(set(other[take])) < 2:
            raise ValueError("nothing to correlate")
        return float(spearmanr(one[take], other[take]).statistic)

    return bootstrap(correlation, patients)


def _detection(cases: Cases) -> dict[str, Any]:
    patients = _column(cases.cases, "patient")
    found = detection(
        cases.probability,
        cases.target,
        cases.unit,
        targets=np.ones(len(cases.cases), int),
        amounts=cases.litres,
        patients=patients,
        rates=RATES_PER_LITRE,
        per="litre",
    )
    found["litres"] = round(found.pop("amount"), 3)
    return {name: value for name, value in found.items() if name not in ("units", "cpm")}


def _column(rows: tuple[Case, ...], name: str) -> NDArray[Any]:
    return np.array([getattr(case, name) for case in rows])


def _mean(values: NDArray[np.float64], patients: NDArray[Any]) -> list[float]:
    return bootstrap(lambda take: float(np.nanmean(values[take])), patients)


def _prefixed(prefix: str, found: dict[str, Any]) -> dict[str, Any]:
    return {f"{prefix}.{name}": value for name, value in found.items()}
