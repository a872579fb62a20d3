"""Figures against what is known of them: formulas, scikit-learn, scipy, analytic shapes, statsmodels' published numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, stats
from sklearn.metrics import roc_auc_score

from medimg.evaluation import bootstrap, calibration, classification, compare_outlines, detection
from medimg.evaluation.calibration import expected_error
from medimg.evaluation.classification import auroc_gain

RANDOM = np.random.default_rng(0)


def sample(count=1000, slope=1.0, shift=0.0):
    """Return outcomes and probabilities whose logits are off by a slope and a shift."""
    logit = RANDOM.normal(0, 1.5, count)
    truth = (RANDOM.random(count) < 1 / (1 + np.exp(-logit))).astype(int)
    return truth, 1 / (1 + np.exp(-(logit - shift) / slope))


def test_the_interval_of_a_mean_is_that_of_the_normal_law():
    values = RANDOM.normal(3, 2, 400)
    value, low, high = bootstrap(lambda rows: values[rows].mean(), np.arange(400))
    assert value == pytest.approx(values.mean())
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.15)


def test_lesions_of_one_patient_are_drawn_together():
    values = np.repeat(RANDOM.normal(0, 1, 40), 25)
    wide = bootstrap(lambda rows: values[rows].mean(), np.repeat(np.arange(40), 25))
    narrow = bootstrap(lambda rows: values[rows].mean(), np.arange(1000))
    assert wide[2] - wide[1] > 3 * (narrow[2] - narrow[1])


def test_what_cannot_be_had_is_nan():
    assert np.isnan(bootstrap(lambda rows: 1.0, [])).all()
    value, low, high = bootstrap(lambda rows: 1.0, ["one patient"] * 30)
    assert value == 1
    assert np.isnan([low, high]).all()
    figures = classification(np.zeros(30, int), RANDOM.random(30), patients=np.arange(30))
    assert np.isnan(figures["auroc"]).all()
    assert figures["specificity"][0] == pytest.approx(figures["accuracy"][0])


def test_areas_and_rates_are_those_of_their_definitions():
    truth, probability = sample()
    figures = classification(truth, probability, patients=np.arange(len(truth)), threshold=0.4, prevalences=(0.1,))
    told = probability >= 0.4
    assert figures["auroc"][0] == pytest.approx(roc_auc_score(truth, probability))
    assert figures["auroc"][1] < figures["auroc"][0] < figures["auroc"][2]
    assert figures["sensitivity"][0] == pytest.approx(told[truth == 1].mean())
    assert figures["specificity"][0] == pytest.approx(1 - told[truth == 0].mean())
    assert figures["ppv"][0] == pytest.approx(truth[told].mean())
    assert figures["npv"][0] == pytest.approx(1 - truth[~told].mean())
    sure, sound = figures["sensitivity"][0], figures["specificity"][0]
    assert figures["ppv_at_10_percent"][0] == pytest.approx(0.1 * sure / (0.1 * sure + 0.9 * (1 - sound)))  # Bayes
    assert figures["npv_at_10_percent"][0] == pytest.approx(0.9 * sound / (0.9 * sound + 0.1 * (1 - sure)))


def test_a_gain_is_paired():
    truth, probability = sample()
    worse = np.clip(probability + RANDOM.normal(0, 0.1, len(truth)), 0, 1)
    gain = auroc_gain(truth, probability, worse, patients=np.arange(len(truth)))
    alone = classification(truth, probability, patients=np.arange(len(truth)))["auroc"]
    assert gain[0] == pytest.approx(roc_auc_score(truth, probability) - roc_auc_score(truth, worse))
    assert gain[2] - gain[1] < alone[2] - alone[1]


@pytest.mark.parametrize(("slope", "shift"), [(1.0, 0.0), (0.5, 0.0), (1.0, 1.0), (2.0, 0.0)])
def test_slope_and_intercept_find_what_was_put_in(slope, shift):
    truth, probability = sample(5_000, slope, shift)
    figures = calibration(truth, probability, patients=np.arange(len(truth)))
    assert figures["calibration_slope"][0] == pytest.approx(slope, abs=0.12 * slope)
    if slope == 1:
        assert figures["calibration_intercept"][0] == pytest.approx(shift, abs=0.12)
        assert figures["brier"][0] == pytest.approx(np.mean((probability - truth) ** 2))


def test_a_perfect_score_has_the_error_that_chance_gives_it():
    truth, probability = sample(300)
    figures = calibration(truth, probability, patients=np.arange(300))
    assert 0.3 * figures["ece_if_perfect"] < figures["ece"][0] < 2 * figures["ece_if_perfect"]
    assert expected_error(truth, truth.astype(float)) == 0
    assert expected_error(truth, 1 - truth.astype(float)) > 0.8


def ball(radius, center=(20, 20, 20), spacing=(1.0, 1.0, 1.0)):
    axes = np.ogrid[:40, :40, :40]
    return sum(((axis - place) * step) ** 2 for axis, place, step in zip(axes, center, spacing, strict=True)) < radius**2


def test_outlines_of_balls_are_what_geometry_says():
    inner, outer = ball(8), ball(11)
    figures = compare_outlines(inner, outer, spacing_mm=(1, 1, 1), tolerance_mm=1)
    assert figures.dice == pytest.approx(2 * inner.sum() / (inner.sum() + outer.sum()))
    assert figures.volume_error == pytest.approx((8 / 11) ** 3 - 1, abs=0.02)
    assert figures.hd95_mm == pytest.approx(3, abs=0.5)
    assert figures.nsd == 0
    assert compare_outlines(inner, outer, spacing_mm=(1, 1, 1), tolerance_mm=4).nsd == 1
    assert compare_outlines(inner, inner, spacing_mm=(1, 1, 1)).hd95_mm == 0


def test_distances_are_millimetres():
    one = ball(10, spacing=(2.0, 1.0, 1.0))
    moved = ndimage.shift(one.astype(float), (2, 0, 0), order=0) > 0
    assert compare_outlines(moved, one, spacing_mm=(2.0, 1.0, 1.0)).hd95_mm == pytest.approx(4, abs=1)


def test_nothing_drawn_is_a_dice_of_0_and_no_distance():
    figures = compare_outlines(np.zeros((40, 40, 40), bool), ball(5), spacing_mm=(1, 1, 1))
    assert (figures.dice, figures.nsd, figures.volume_error) == (0, 0, -1)
    assert np.isnan(figures.hd95_mm)


def test_sensitivity_at_a_rate_counts_by_hand():
    # two scans with two targets each; hits 0.9 (twice on one target), 0.6, 0.3; false positives 0.8, 0.5, 0.4, 0.2
    probability = np.array([0.9, 0.85, 0.6, 0.3, 0.8, 0.5, 0.4, 0.2])
    target = np.array([0, 0, 1, 0, -1, -1, -1, -1])
    unit = np.array([0, 0, 0, 1, 0, 0, 1, 1])
    figures = detection(probability, target, unit, targets=[2, 2], amounts=[1, 1], patients=["a", "b"], rates=(0.125, 0.5, 1, 2))
    assert figures["sensitivity_at_0.125_fp_per_scan"][0] == 0.25  # no false positive is allowed: above 0.8
    assert figures["sensitivity_at_0.5_fp_per_scan"][0] == 0.5  # one: above 0.5
    assert figures["sensitivity_at_1_fp_per_scan"][0] == 0.5  # two: above 0.4
    assert figures["sensitivity_at_2_fp_per_scan"][0] == 0.75  # all four; the fourth target was never proposed
    assert figures["cpm"][0] == pytest.approx(0.5)
    # precision at each hit: 1/1, 2/3, 3/6, weighed with recall steps of a quarter
    assert figures["average_precision"][0] == pytest.approx((1 + 2 / 3 + 0.5) / 4)


def test_no_candidate_finds_nothing():
    none = np.empty(0)
    figures = detection(none, none.astype(int), none.astype(int), targets=[1, 2], amounts=[1, 1], patients=[0, 1], rates=(1,))
    assert figures["sensitivity_at_1_fp_per_scan"][0] == 0
    assert figures["average_precision"][0] == 0


def test_the_law_behind_the_auroc():
    truth, probability = sample(500)
    figure = classification(truth, probability, patients=np.arange(500))["auroc"][0]
    u = stats.mannwhitneyu(probability[truth == 1], probability[truth == 0]).statistic
    assert figure == pytest.approx(u / ((truth == 1).sum() * (truth == 0).sum()))
