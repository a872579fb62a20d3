"""What a card says of its scores is fitted on other patients, and lands where the card keeps it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from medimg.models import load_package
from medimg.models.package import PACKAGED
from medimg.training.calibrate import Line, equal_line, fit_line, sober_line, write_lines

TRUTH = Line(weights=(1.4, 0.6), intercept=0.3)


@pytest.fixture
def rated():
    """Features of 4000 lesions of 800 patients, and how often a rater of `TRUTH` would say yes."""
    generator = np.random.default_rng(3)
    features = generator.normal(size=(4000, 2))
    return features, generator.binomial(20, TRUTH(features)) / 20, np.repeat(np.arange(800), 5)


def test_a_line_is_found_again(rated):
    line = fit_line(*rated[:2])
    np.testing.assert_allclose([*line.weights, line.intercept], [*TRUTH.weights, TRUTH.intercept], atol=0.05)


def test_it_is_the_line_of_another_program(rated):
    from sklearn.linear_model import LogisticRegression

    features, share, _ = rated
    both = np.concatenate([features, features])
    weight = np.concatenate([share, 1 - share])
    other = LogisticRegression(C=np.inf).fit(both, np.repeat([1, 0], len(features)), sample_weight=weight)
    line = fit_line(features, share)
    np.testing.assert_allclose(line.weights, other.coef_[0], atol=0.05)  # ours is shrunk by a trace


def test_what_speaks_for_a_nodule_never_counts_against_it(rated):
    features, share, _ = rated
    line = fit_line(np.column_stack([features[:, 0], -features[:, 1]]), share)
    assert line.weights[0] > 1
    assert line.weights[1] == 0


def test_equal_parts_weigh_features_by_their_spread(rated):
    features, share, _ = rated
    line = equal_line(features * (1, 10), share)
    assert line.weights[0] == pytest.approx(10 * line.weights[1], rel=0.1)
    assert abs(line(features * (1, 10)).mean() - share.mean()) < 0.01


def test_lines_are_written_into_the_card(tmp_path):
    folder = shutil.copytree(PACKAGED / "lung-nodule", tmp_path / "model")
    before = load_package(folder).card
    lines = {
        "nodule": Line(weights=(0.5, 0.25), intercept=-1.5),
        "suspicion": Line(weights=(0.75, 2.0), intercept=0.125),
    }
    write_lines(folder, lines)
    stage = load_package(folder).card.stage("classify")
    scores = {line.name: line for line in stage.scores}
    assert (scores["nodule"].slope, scores["nodule"].intercept, stage.parameters["peak_weight"]) == (0.5, -1.5, 0.25)
    assert not scores["nodule"].calibrated
    suspicion = scores["suspicion"]
    assert (suspicion.slope, suspicion.opinion_weight, suspicion.intercept, suspicion.calibrated) == (0.75, 2.0, 0.125, True)
    assert scores["texture"] == {line.name: line for line in before.stage("classify").scores}["texture"]


def binormal(distance, *, count=4000, share=0.5, seed=0):
    """Logits of two classes as far apart as `distance` standard deviations, and the classes."""
    generator = np.random.default_rng(seed)
    truth = (generator.random(count) < share).astype(float)
    return (generator.normal(0, 1, count) + distance * truth)[:, None], truth


def test_a_fit_to_an_easy_sample_is_made_as_sure_as_the_rest_allows():
    """Fitted where the classes are 2.6 apart, used where they are 2.0: the slope of a calibration there is 1 again."""
    from scipy.stats import norm

    easy, truth = binormal(2.6)
    line = sober_line(fit_line(easy, truth), easy, truth, auroc=float(norm.cdf(2.0 / np.sqrt(2))), share=0.5)
    hard, outcome = binormal(2.0, seed=1)
    again = fit_line((hard @ np.array(line.weights) + line.intercept)[:, None], outcome)
    assert again.weights[0] == pytest.approx(1.0, abs=0.1)


def test_it_is_never_made_surer_and_its_mean_is_the_share_that_was_given():
    features, truth = binormal(1.5, share=0.3)
    line = fit_line(features, truth)
    same = sober_line(line, features, truth, auroc=0.999, share=0.3)
    assert same.weights == pytest.approx(line.weights)
    assert same(features).mean() == pytest.approx(0.3, abs=0.02)
    more = sober_line(line, features, truth, auroc=0.999, share=0.45)
    weight = np.where(truth > 0, 0.45 / truth.mean(), 0.55 / (1 - truth.mean()))
    assert (weight * more(features)).sum() / weight.sum() == pytest.approx(0.45, abs=1e-3)
