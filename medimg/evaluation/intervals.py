"""95 % intervals by bootstrap, in which patients are drawn again, not their lesions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

RESAMPLES = 1000
LEAST_PATIENTS = 2  # of one alone every resample is the same, which would look like certainty
LEAST_SHARE = 0.5  # of resamples that must give a number; else there is too little for an interval


def bootstrap(
    statistic: Callable[[NDArray[np.int64]], float],
    patients: Sequence[Any] | NDArray[Any],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[float]:
    """Return [value, low, high] of a statistic of rows, by the percentile bootstrap with patients as units (Efron 1979).

    `statistic` takes row numbers (a patient that is drawn twice has its rows twice) and returns a number; nan, or a ValueError,
    where they allow none. A value that cannot be had, or too seldom, is nan, and so are the ends of an interval of one patient.
    """
    names, codes = np.unique(np.asarray(patients), return_inverse=True)
    if not len(names):
        return [float("nan")] * 3
    order = np.argsort(codes, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamples):
        chosen = generator.integers(len(members), size=len(members))
        rows = order[chosen] if len(members) == len(order) else np.concatenate([members[k] for k in chosen])
        drawn.append(_value(statistic, rows))
    value = _value(statistic, np.arange(len(codes)))
    known = np.array(drawn)[np.isfinite(drawn)]
    if not np.isfinite(value) or len(names) < LEAST_PATIENTS or len(known) < LEAST_SHARE * resamples:
        return [value, float("nan"), float("nan")]
    low, high = np.percentile(known, [2.5, 97.5])
    return [value, float(low), float(high)]


def _value(statistic: Callable[[NDArray[np.int64]], float], rows: NDArray[np.int64]) -> float:
    try:
        return float(statistic(rows))
    except ValueError:  # for example one class only, which has no area under a curve
        return float("nan")
