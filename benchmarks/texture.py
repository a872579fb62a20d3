"""How well ground-glass, part-solid and solid nodules are told apart by what is weighed: figures of docs/models/tried.md.

Usage: python benchmarks/texture.py DATA    (a folder with lidc_nodules/; training and validation patients alone are read)

The model looks at every nodule first, which takes a second or two of one core each.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold

from medimg.engine import load_model
from medimg.evaluation import bootstrap
from medimg.training import read_cubes
from medimg.training.calibrate import Line, equal_line, fit_cuts, fit_line, rated_lesions
from medimg.training.figures import texture_classes
from medimg.training.outline_and_rate import RATINGS

if TYPE_CHECKING:
    from collections.abc import Callable

PARTITIONS, FOLDS = 12, 5
CLASSES = ("ground glass", "part-solid", "solid")
READERS = (1, 2, 3, 4)


def in_parts(features: np.ndarray, target: np.ndarray, *, parts: tuple[float, ...]) -> Line:
    """Fit a line on which the features count in the given parts."""
    line = fit_line((features @ np.array(parts))[:, None], target)
    return Line(weights=tuple(part * line.weights[0] for part in parts), intercept=line.intercept)


def ways() -> dict[str, Callable[[np.ndarray, np.ndarray], Line]]:
    """Return what is fitted to the texture logit and to the mean density in 1000 HU."""
    fixed = {f"logit + {part} x density": partial(in_parts, parts=(1.0, float(part))) for part in (1, 2, 3, 4, 6, 8, 12)}
    return {
        "logit alone": partial(in_parts, parts=(1.0, 0.0)),
        **fixed,
        "density alone": partial(in_parts, parts=(0.0, 1.0)),
        "both weights fitted": fit_line,
        "equal parts, each in its spread": equal_line,
    }


def told(line: Line, features: np.ndarray, truth: np.ndarray, fit: np.ndarray, use: np.ndarray) -> np.ndarray:
    """Return the classes of the nodules `use` by a line whose cuts are fitted on the nodules `fit`."""
    return np.digitize(line(features[use]), fit_cuts(line, features[fit], truth[fit]))


def balanced(right: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean over the classes of a share per nodule: of its partitions in which it was told right."""
    if len(set(truth)) < len(CLASSES):
        raise ValueError("a class is missing")
    return float(np.mean([right[truth == at].mean() for at in range(len(CLASSES))]))


def one_reader(ratings: np.ndarray) -> float:
    """Return the balanced accuracy of one reader against the mean of the others."""
    pairs = []
    for row in ratings[(~np.isnan(ratings)).sum(axis=1) >= 3]:
        known = row[~np.isnan(row)]
        pairs += [(float(np.delete(known, one).mean()), known[one]) for one in range(len(known))]
    others, own = np.array(pairs).T
    return float(balanced_accuracy_score(texture_classes(others), texture_classes(own)))


def main(data: Path) -> None:
    """Print per way how well classes are told on patients that nothing was fitted on, and how far the score is off the ratings.

    As for a card, the line is fitted on validation patients and the cuts on all, of the patients of a fit.
    """
    model, column = load_model(), RATINGS.index("texture")
    cubes = read_cubes(data / "lidc_nodules", splits=("train", "val"))
    logits, _, densities = rated_lesions(model, cubes)
    texture = cubes.numbers("texture_mean")
    known = ~np.isnan(texture)
    features = np.column_stack([logits[:, column], densities / 1000])[known]
    target, truth = (texture[known] - 1) / 4, texture_classes(texture[known])
    val = np.array([row["split"] == "val" for row in cubes.rows])[known]
    patients = np.array([row["patient_id"] for row in cubes.rows])[known]
    for split, members in (("train", ~val), ("val", val)):
        counts = ", ".join(f"{np.sum(truth[members] == at)} {name}" for at, name in enumerate(CLASSES))
        print(f"{split}: {members.sum()} nodules of {len(set(patients[members]))} patients: {counts}")
    ratings = np.stack([cubes.numbers(f"texture_r{reader}") for reader in READERS], axis=1)
    print(f"one reader against the mean of the others: {one_reader(ratings):.3f}")
    print(f"balanced accuracy, {PARTITIONS} partitions of the patients into {FOLDS} (all: with a 95 % interval by patient);")
    print("val: that of the nodules of val among them; Brier: mean square off the mean rating, of val;")
    print("gain: over the logit alone, with its 95 % interval by patient")
    print(f"{'':31} all                    val   train->val val->train Brier  told right: glass, part-solid, solid; gain")
    alone: np.ndarray | None = None
    for name, fitted in ways().items():
        of_val, brier, right = [], [], []
        for seed in range(PARTITIONS):
            found, score = np.zeros(len(truth), int), np.zeros(len(truth))
            for fit, use in GroupKFold(FOLDS, shuffle=True, random_state=seed).split(features, truth, patients):
                own = fit[val[fit]]
                line = fitted(features[own], target[own])
                found[use], score[use] = told(line, features, truth, fit, use), line(features[use])
            of_val.append(balanced_accuracy_score(truth[val], found[val]))
            brier.append(np.mean((score - target)[val] ** 2))
            right.append(found == truth)
        across = [
            balanced_accuracy_score(
                truth[~fit], told(fitted(features[fit], target[fit]), features, truth, np.flatnonzero(fit), np.flatnonzero(~fit))
            )
            for fit in (~val, val)
        ]
        share = np.mean(right, axis=0)
        alone = share if alone is None else alone
        gain = bootstrap(lambda take, more=share - alone: balanced(more[take], truth[take]), patients)
        whole = bootstrap(lambda take, right=share: balanced(right[take], truth[take]), patients)
        shares = " ".join(f"{share[truth == at].mean():.2f}" for at in range(len(CLASSES)))
        print(
            f"{name:31} {whole[0]:.3f} ({whole[1]:.3f} to {whole[2]:.3f}) {np.mean(of_val):.3f} {across[0]:.3f}      "
            f"{across[1]:.3f}      {np.mean(brier):.4f} {shares}  {gain[0]:+.3f} ({gain[1]:+.3f} to {gain[2]:+.3f})",
            flush=True,
        )
    line = next(line for line in model.card.stage("classify").scores if line.name == "texture")
    of_card = Line(weights=(line.slope, line.density_weight), intercept=line.intercept, cuts=line.cuts)
    for split, members in (("train", ~val), ("val", val)):
        found = np.digitize(of_card(features[members]), of_card.cuts)
        print(f"the card as it is, not cross-validated, on {split}: {balanced_accuracy_score(truth[members], found):.3f}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
