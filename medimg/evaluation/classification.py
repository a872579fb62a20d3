"""How well a probability tells two classes apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medimg.evaluation.intervals import bootstrap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray


def classification(
    truth: NDArray[np.int64],
    probability: NDArray[np.float64],
    *,
    patients: Sequence[Any] | NDArray[Any],
    threshold: float = 0.5,
    prevalences: Sequence[float] = (),
) -> dict[str, Any]:
    """Return areas under curves, and what an operating point gives, each [value, low, high].

    Args:
        truth: 0 or 1 for each case.
        probability: 0 to 1 for each case.
        patients: whose case each is.
        threshold: a probability of this or more is positive.
        prevalences: shares of positives for which PPV and NPV are told besides that of the sample.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    positive = probability >= threshold

    def of(figure: Callable[[float, float, float, float], float]) -> list[float]:
        def at(rows: NDArray[np.int64]) -> float:
            hit, told = truth[rows] == 1, positive[rows]
            return figure((hit & told).sum(), (~hit & told).sum(), (~hit & ~told).sum(), (hit & ~told).sum())

        return bootstrap(at, patients)

    def area(rows: NDArray[np.int64]) -> float:
        _need_both(truth[rows])
        return float(roc_auc_score(truth[rows], probability[rows]))

    def precision(rows: NDArray[np.int64]) -> float:
        _need_both(truth[rows])
        return float(average_precision_score(truth[rows], probability[rows]))

    figures: dict[str, Any] = {
        "cases": len(truth),
        "positives": int((truth == 1).sum()),
        "auroc": bootstrap(area, patients),
        "auprc": bootstrap(precision, patients),
        "threshold": threshold,
        "accuracy": of(lambda tp, fp, tn, fn: _share(tp + tn, tp + fp + tn + fn)),
        "sensitivity": of(lambda tp, fp, tn, fn: _share(tp, tp + fn)),
        "specificity": of(lambda tp, fp, tn, fn: _share(tn, tn + fp)),
        "ppv": of(lambda tp, fp, tn, fn: _share(tp, tp + fp)),
        "npv": of(lambda tp, fp, tn, fn: _share(tn, tn + fn)),
        "f1": of(lambda tp, fp, tn, fn: _share(2 * tp, 2 * tp + fp + fn)),
    }
    for prevalence in prevalences:
        percent = f"{100 * prevalence:g}"
        figures[f"ppv_at_{percent}_percent"] = of(
            lambda tp, fp, tn, fn, p=prevalence: _share(
                p * _share(tp, tp + fn), p * _share(tp, tp + fn) + (1 - p) * _share(fp, fp + tn)
            )  # type: ignore[misc]  # a default binds the loop's value
        )
        figures[f"npv_at_{percent}_percent"] = of(
            lambda tp, fp, tn, fn, p=prevalence: _share(
                (1 - p) * _share(tn, fp + tn), (1 - p) * _share(tn, fp + tn) + p * _share(fn, tp + fn)
            )  # type: ignore[misc]  # a default binds the loop's value
        )
    return figures


def auroc_gain(
    truth: NDArray[np.int64],
    probability: NDArray[np.float64],
    other: NDArray[np.float64],
    *,
    patients: Sequence[Any] | NDArray[Any],
) -> list[float]:
    """Return by how much a score's AUROC is above another's on the same cases, [value, low, high]: the bootstrap is paired."""
    from sklearn.metrics import roc_auc_score

    def gain(rows: NDArray[np.int64]) -> float:
        _need_both(truth[rows])
        return float(roc_auc_score(truth[rows], probability[rows]) - roc_auc_score(truth[rows], other[rows]))

    return bootstrap(gain, patients)


def _need_both(truth: NDArray[np.int64]) -> None:
    if truth.min() == truth.max():
        raise ValueError("one class only")


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")
