"""How many targets are found, at what cost of false positives."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.evaluation.intervals import bootstrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # false positives per scan (van Ginneken et al., Med Image Anal 2010;14:707)


def detection(
    probability: NDArray[np.float64],
    target: NDArray[np.int64],
    unit: NDArray[np.int64],
    *,
    targets: Sequence[int] | NDArray[np.int64],
    amounts: Sequence[float] | NDArray[np.float64],
    patients: Sequence[Any] | NDArray[Any],
    rates: Sequence[float] = RATES,
    per: str = "scan",
) -> dict[str, Any]:
    """Return the free-response figures of candidates, each [value, low, high].

    Args:
        probability: how sure each candidate is.
        target: the number of the target within its unit that each candidate hits; -1 for none, a false positive.
        unit: the number of the unit (a scan, a cube) that each candidate lies in.
        targets: how many targets each unit has.
        amounts: how much of what false positives are counted by (scans, litres) each unit is.
        patients: whose each unit is.
        rates: false positives for each `per` at which the sensitivity is told; `cpm` is their mean.
        per: the word for what amounts count.

    A target that several candidates hit counts once, with the surest; further ones are not false.
    """
    wanted, sizes = np.asarray(targets), np.asarray(amounts, float)
    hits_of, others_of = [], []
    for number in range(len(wanted)):
        mine = np.flatnonzero(unit == number)
        found = np.unique(target[mine][target[mine] >= 0])
        hits_of.append(np.array([probability[mine[target[mine] == one]].max() for one in found]))
        others_of.append(probability[mine[target[mine] < 0]])

    def curve(rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
        """Return the probabilities of hits (a target's surest) and of false positives, and the count of targets."""
        hits, others = (np.concatenate([parts[number] for number in rows]) for parts in (hits_of, others_of))
        return hits, others, int(wanted[rows].sum())

    def sensitivity(rows: NDArray[np.int64], rate: float) -> float:
        hits, others, count = curve(rows)
        if not count:
            return float("nan")
        allowed = int(np.floor(rate * sizes[rows].sum() + 1e-9))
        sure = np.sort(others)[::-1]
        limit = sure[allowed] if allowed < len(sure) else -np.inf  # the first false positive that is too many
        return float((hits > limit).sum() / count)

    figures: dict[str, Any] = {
        "units": len(wanted),
        "targets": int(wanted.sum()),
        "amount": float(sizes.sum()),
        "candidates": len(probability),
    }
    for rate in rates:
        figures[f"sensitivity_at_{rate:g}_fp_per_{per}"] = bootstrap(partial(sensitivity, rate=rate), patients)
    if len(rates) > 1:
        figures["cpm"] = bootstrap(lambda rows: float(np.mean([sensitivity(rows, rate) for rate in rates])), patients)
    figures["average_precision"] = bootstrap(lambda rows: _average_precision(*curve(rows)), patients)
    return figures


def _average_precision(hits: NDArray[np.float64], others: NDArray[np.float64], count: int) -> float:
    """Return the area under precision over recall; targets that nothing hits are never recalled."""
    from sklearn.metrics import average_precision_score

    if not count:
        return float("nan")
    if not len(hits):
        return 0.0
    truth = np.concatenate([np.ones(len(hits)), np.zeros(len(others))])
    return float(average_precision_score(truth, np.concatenate([hits, others]))) * len(hits) / count
