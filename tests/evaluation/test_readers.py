"""What readers that differ leave to be foretold."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.evaluation import auroc_if_perfect


def panels(spread, *, cases=400, readers=4, seed=0):
    generator = np.random.default_rng(seed)
    true = generator.uniform(1, 5, (cases, 1))
    return np.clip(np.rint(true + generator.normal(0, spread, (cases, readers))), 1, 5), true[:, 0]


def test_readers_that_agree_can_be_foretold():
    said, _ = panels(0.0)
    assert auroc_if_perfect(said)[0] > 0.995


def test_readers_that_guess_cannot():
    said = np.random.default_rng(0).integers(1, 6, (400, 4)).astype(float)
    assert auroc_if_perfect(said)[0] == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("spread", [0.5, 0.9, 1.4])
def test_it_is_what_who_knows_the_truth_scores(spread):
    """Against the truth that the panels were drawn from, which the function does not see."""
    from sklearn.metrics import roc_auc_score

    said, true = panels(spread, cases=3000)
    mean = said.mean(axis=1)
    clear = mean != 3
    assert auroc_if_perfect(said)[0] == pytest.approx(roc_auc_score(mean[clear] > 3, true[clear]), abs=0.02)


def test_the_more_readers_differ_the_less_can_be_foretold():
    values = [auroc_if_perfect(panels(spread)[0])[0] for spread in (0.3, 0.8, 1.5)]
    assert values == sorted(values, reverse=True)


def test_without_panels_there_is_none():
    assert np.isnan(auroc_if_perfect(np.full((5, 4), np.nan))[0])
