"""How far size, density and shape foretell what radiologists rate, and how far anything could: figures of docs/models/tried.md.

Usage: python benchmarks/suspicion.py DATA    (a folder with lidc_nodules/; training and validation patients alone are read)
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from medimg.evaluation import auroc_if_perfect
from medimg.measures.descriptors import NAMES, descriptors
from medimg.training import read_cubes

PARTITIONS, FOLDS = 6, 5
SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)  # of the patients of a fit


def models() -> dict[str, tuple[object, slice]]:
    """Return what is fitted, and on which numbers."""
    plain = make_pipeline(StandardScaler(), LogisticRegression())
    squares = make_pipeline(StandardScaler(), PolynomialFeatures(2), StandardScaler(), LogisticRegression(C=0.05, max_iter=1000))
    return {
        "diameter": (plain, slice(0, 1)),
        "seven numbers": (plain, slice(None)),
        "squares and products": (squares, slice(None)),
    }


def main(data: Path) -> None:
    """Print the AUROC of each on patients it was not fitted on, by the share of patients that it was fitted on."""
    cubes = read_cubes(data / "lidc_nodules", splits=("train", "val"))
    ratings = np.stack([cubes.numbers(f"malignancy_r{reader}") for reader in (1, 2, 3, 4)], axis=1)
    panels = ratings[(~np.isnan(ratings)).sum(axis=1) >= 3]
    within = float(np.sqrt(np.nanvar(panels, axis=1, ddof=1).mean()))
    print(f"readers of one nodule lie {within:.2f} points apart (standard deviation within a nodule)")
    value, low, high = auroc_if_perfect(ratings)
    print(f"who knew readers' average: {value:.3f} ({low:.3f} to {high:.3f})")
    known = np.flatnonzero(~np.isnan(cubes.numbers("malignant")))
    truth = cubes.numbers("malignant")[known].astype(int)
    patients = np.array([cubes.rows[number]["patient_id"] for number in known])
    rows = [descriptors(cubes.hu[number], cubes.mask[number] == 1, spacing_mm=1.0) for number in known]
    table = np.array([[row[name] for name in NAMES] for row in rows])
    print(f"{len(known)} nodules of {len(set(patients))} patients, {PARTITIONS} partitions into {FOLDS}")
    for share in SHARES:
        found: dict[str, list[float]] = {name: [] for name in models()}
        for seed in range(PARTITIONS):
            generator = np.random.default_rng(seed)
            scores = {name: np.zeros(len(known)) for name in found}
            for train, test in GroupKFold(FOLDS, shuffle=True, random_state=seed).split(table, truth, patients):
                names = generator.permutation(np.unique(patients[train]))
                chosen = train[np.isin(patients[train], names[: max(8, round(share * len(names)))])]
                for name, (model, columns) in models().items():
                    scores[name][test] = model.fit(table[chosen][:, columns], truth[chosen]).decision_function(
                        table[test][:, columns]
                    )
            for name, values in scores.items():
                found[name].append(float(roc_auc_score(truth, values)))
        told = "  ".join(f"{name} {np.mean(values):.3f}" for name, values in found.items())
        print(f"fitted on {share:4.0%} of the other patients: {told}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
