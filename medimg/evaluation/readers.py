"""How well anything could foretell what a panel of readers says, when the readers differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAWS = 1000
LOWEST, HIGHEST = 1, 5  # of a rating
LEAST_READERS = 3  # of a panel whose mean counts


def auroc_if_perfect(ratings: NDArray[np.float64], *, middle: float = 3.0, seed: int = 0) -> list[float]:
    """Return the AUROC, [mean, low, high], of who knew what readers think on average, for whether a panel is above `middle`.

    A panel is a few of many possible readers; another one would put some cases on the other side of `middle`. Every case is given
    a true mean (the observed one, drawn in so that the means' variance is what is left without the readers' own), panels of
    the same size rate it (normal about it with the variance that readers had within cases, whole numbers from 1 to 5), and the
    true means are scored against the panels. Panels that end on `middle` are left out, as in the data. A one-way random-effects
    model (Shrout and Fleiss, Psychol Bull 1979;86:420) without further assumptions on cases: an estimate, no bound.

    Args:
        ratings: (case, reader), nan where a reader gave none; cases with fewer than three ratings are left out.
        middle: the rating that parts the two outcomes.
        seed: of the draws; `low` and `high` hold 95 % of samples of this size.
    """
    from sklearn.metrics import roc_auc_score

    counts = (~np.isnan(ratings)).sum(axis=1)
    panels, counts = ratings[counts >= LEAST_READERS], counts[counts >= LEAST_READERS]
    if not len(panels):
        return [float("nan")] * 3
    means = np.nanmean(panels, axis=1)
    within = float(np.nanvar(panels, axis=1, ddof=1).mean())
    between = max(float(means.var() - within * (1 / counts).mean()), 0.0)
    true = means.mean() + (means - means.mean()) * np.sqrt(between / means.var() if means.var() else 0.0)
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(DRAWS):
        said = true[:, None] + generator.normal(0, np.sqrt(within), (len(true), ratings.shape[1]))
        said = np.clip(np.rint(said), LOWEST, HIGHEST)
        said[np.arange(ratings.shape[1]) >= counts[:, None]] = np.nan
        panel = np.nanmean(said, axis=1)
        clear = panel != middle
        if 0 < (panel[clear] > middle).sum() < clear.sum():
            drawn.append(roc_auc_score(panel[clear] > middle, true[clear]))
    if not drawn:
        return [float("nan")] * 3
    low, high = np.percentile(drawn, [2.5, 97.5])
    return [float(np.mean(drawn)), float(low), float(high)]
