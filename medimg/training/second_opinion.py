"""Fit the readable model beside the network: a logistic regression on what is measured on the readers' outlines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from medimg._tools.files import whole_file
from medimg.measures import descriptors
from medimg.measures.descriptors import NAMES
from medimg.models import SecondOpinion, Term
from medimg.models.card import CARD_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from medimg.training.cubes import Cubes

NAME = "second_opinion"
LEAST_PATIENTS = 50  # for a cross-validation that says anything
MEANING = (
    "Probability that radiologists would rate it more suspicious than not, by its size, density and shape alone: "
    "a logistic regression whose weights are shown."
)
WORDS = {
    "log_diameter": "diameter (mm)",
    "mean_hu": "mean density (HU)",
    "sd_hu": "spread of density (HU)",
    "max_hu": "highest density (HU)",
    "min_hu": "lowest density (HU)",
    "elongation": "longest over equal-volume diameter",
    "roundness": "short over long diameter",
}


def fit_second_opinion(cubes: Cubes) -> SecondOpinion:
    """Fit on nodules whose mean malignancy is above or below 3 (columns of `cubes`: malignant), every number standardized."""
    from sklearn.linear_model import LogisticRegression

    known, table = _described(cubes)
    mean, spread = table.mean(axis=0), table.std(axis=0)
    spread[spread == 0] = 1.0  # what all of them have alike tells nothing
    fitted = LogisticRegression().fit((table - mean) / spread, cubes.numbers("malignant")[known].astype(int))
    terms = (
        Term(feature=name, words=WORDS[name], mean=float(a), spread=float(b), weight=float(c))
        for name, a, b, c in zip(NAMES, mean, spread, fitted.coef_[0], strict=True)
    )
    return SecondOpinion(name=NAME, meaning=MEANING, intercept=float(fitted.intercept_[0]), terms=tuple(terms))


def cross_validated_auroc(parts: Sequence[Cubes], *, folds: int = 5, repeats: int = 4) -> float:
    """Return the AUROC of the second opinion for nodules of patients that it was not fitted on: the mean of some partitions.

    Of fewer patients than `LEAST_PATIENTS` it is nan: too few to say.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    chosen, tables = zip(*(_described(cubes) for cubes in parts), strict=True)
    rated = [(cubes, number) for cubes, numbers in zip(parts, chosen, strict=True) for number in numbers]
    truth = np.array([int(float(cubes.rows[number]["malignant"])) for cubes, number in rated])
    patients = np.array([cubes.rows[number]["patient_id"] for cubes, number in rated])
    if len(set(patients)) < LEAST_PATIENTS or len(set(truth)) < 2:
        return float("nan")
    fitted, found, table = make_pipeline(StandardScaler(), LogisticRegression()), [], np.concatenate(tables)
    for seed in range(repeats):
        folded = GroupKFold(folds, shuffle=True, random_state=seed)
        logit = cross_val_predict(fitted, table, truth, groups=patients, cv=folded, method="decision_function")
        found.append(roc_auc_score(truth, logit))
    return float(np.mean(found))


def _described(cubes: Cubes) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the numbers of the nodules with a clear rating, and the descriptors of each on the readers' outline."""
    known = np.flatnonzero(~np.isnan(cubes.numbers("malignant")))
    rows = [descriptors(cubes.hu[number], cubes.mask[number] == 1, spacing_mm=1.0) for number in known]
    return known, np.array([[row[name] for name in NAMES] for row in rows]).reshape(-1, len(NAMES))


def write_second_opinion(folder: Path, opinion: SecondOpinion) -> None:
    """Put a second opinion into the card of a model's folder, in place of the one there or before the evidence."""
    text = (folder / CARD_FILE).read_text(encoding="utf-8")
    rows = "\n".join(
        f'    {{ feature = "{term.feature}", words = "{term.words}", mean = {term.mean:.5g}, spread = {term.spread:.5g}, '
        f"weight = {term.weight:.4f} }},"
        for term in opinion.terms
    )
    table = (
        f'[second_opinion]\nname = "{opinion.name}"\nmeaning = "{opinion.meaning}"\nintercept = {opinion.intercept:.4f}\n'
        f"terms = [\n{rows}\n]\n\n"
    )
    text = re.sub(r"^\[second_opinion\]\n.*?(?=^\[)", "", text, flags=re.MULTILINE | re.DOTALL)
    text = text.replace("[evidence]\n", f"{table}[evidence]\n", 1)
    with whole_file(folder / CARD_FILE) as partial:
        partial.write_text(text, encoding="utf-8")
