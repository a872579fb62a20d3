"""Whether probabilities mean what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.evaluation.intervals import bootstrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BINS = 10
LEAST = 1e-6  # probabilities are kept this far from 0 and 1, where their logit is endless
DRAWS = 1000  # of outcomes, for what perfect calibration would give


def calibration(
    truth: NDArray[np.int64], probability: NDArray[np.float64], *, patients: Sequence[Any] | NDArray[Any]
) -> dict[str, Any]:
    """Return Brier score, calibration error, slope and intercept, each [value, low, high].

    Slope and intercept are of a logistic regression of the outcome on the logit, and 1 and 0 if perfect; the intercept is that
    with the slope held at 1, "calibration in the large" (Van Calster et al., J Clin Epidemiol 2016;74:167). `ece` is the expected
    calibration error over ten bins of equal count; `ece_if_perfect` what it would be on average at this size if every
    probability were right, because the error of a small sample is never 0.
    """
    logit = np.log(np.clip(probability, LEAST, 1 - LEAST) / (1 - np.clip(probability, LEAST, 1 - LEAST)))
    generator = np.random.default_rng(0)
    perfect = [expected_error((generator.random(len(truth)) < probability).astype(int), probability) for _ in range(DRAWS)]
    return {
        "brier": bootstrap(lambda rows: float(np.mean((probability[rows] - truth[rows]) ** 2)), patients),
        "ece": bootstrap(lambda rows: expected_error(truth[rows], probability[rows]), patients),
        "ece_if_perfect": float(np.mean(perfect)),
        "calibration_slope": bootstrap(lambda rows: _slope(truth[rows], logit[rows]), patients),
        "calibration_intercept": bootstrap(lambda rows: _intercept(truth[rows], logit[rows]), patients),
    }


def expected_error(truth: NDArray[np.int64], probability: NDArray[np.float64]) -> float:
    """Return the expected calibration error over bins of equal count (Naeini et al., AAAI 2015)."""
    order = np.argsort(probability, kind="stable")
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    return float(sum(len(part) * abs(truth[part].mean() - probability[part].mean()) for part in bins) / len(truth))


def reliability(truth: NDArray[np.int64], probability: NDArray[np.float64]) -> list[tuple[float, float, int]]:
    """Return mean probability, share of outcomes and count of each bin, for a reliability plot."""
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    return [(float(probability[part].mean()), float(truth[part].mean()), len(part)) for part in parts]


def _slope(truth: NDArray[np.int64], logit: NDArray[np.float64]) -> float:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1e6, solver="newton-cholesky").fit(logit[:, None], truth)  # as good as without a penalty
    return float(fitted.coef_[0, 0])


def _intercept(truth: NDArray[np.int64], logit: NDArray[np.float64]) -> float:
    """Solve for the intercept with the slope held at 1: the one that makes expected and observed counts equal."""
    from scipy.optimize import brentq

    if truth.min() == truth.max():
        raise ValueError("one class only")
    return float(brentq(lambda shift: (1 / (1 + np.exp(-(logit + shift))) - truth).mean(), -30, 30))
