"""What a card says of its scores is fitted on other patients, and lands where the card keeps it."""

from __future__ import annotations

import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from medimg.models import load_package
from medimg.models.package import PACKAGED
from medimg.training.calibrate import Line, calibrate, density_line, equal_line, fit_cuts, fit_line, sober_line, write_lines
from medimg.training.cubes import Cubes
from medimg.training.outline_and_rate import RATINGS
from medimg.training.own_card import begin_card

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


@pytest.mark.parametrize("density", ["", "density_weight = 1.5, "])
@pytest.mark.parametrize("cuts", ["", ", cuts = [0.34, 0.88]"])
def test_density_and_cuts_are_written_whether_the_card_had_them_or_not(tmp_path, density, cuts):
    folder = shutil.copytree(PACKAGED / "lung-nodule", tmp_path / "model")
    card = folder / "model.toml"
    text = re.sub(r", cuts = \[[^\]]*\]", "", re.sub(r"density_weight = [\d.]+, ", "", card.read_text(encoding="utf-8")))
    row = re.search(r'^.*name = "texture".*$', text, re.MULTILINE)[0]
    text = text.replace(row, row.replace("intercept", f"{density}intercept").replace(" },", f"{cuts} }},"))
    card.write_text(text, encoding="utf-8")
    write_lines(folder, {"texture": Line(weights=(0.75, 3.0), intercept=1.5, cuts=(0.25, 0.875))})
    texture = written(folder)
    assert (texture.slope, texture.density_weight, texture.intercept, texture.cuts) == (0.75, 3.0, 1.5, (0.25, 0.875))
    write_lines(folder, {"texture": Line(weights=(0.5, 2.0), intercept=1.0)})
    assert (written(folder).density_weight, written(folder).cuts) == (2.0, ())  # cuts of another line mean nothing for this one


def written(folder):
    return next(line for line in load_package(folder).card.stage("classify").scores if line.name == "texture")


def three_kinds(count=(40, 20, 400), *, seed=0):
    """Logit and density (1000 HU) of ground-glass, part-solid and solid nodules, and which each is."""
    generator = np.random.default_rng(seed)
    kinds = np.repeat([0, 1, 2], count)
    noise = generator.normal(size=(len(kinds), 2))
    return np.array([-2.0, 0.0, 2.0])[kinds] + noise[:, 0], np.array([-0.6, -0.45, -0.2])[kinds] + 0.05 * noise[:, 1], kinds


def test_density_counts_beside_the_logit_in_a_fixed_part():
    logit, density, kinds = three_kinds()
    line = density_line(logit, 1000 * density, kinds / 2)
    assert line.weights[1] == pytest.approx(4 * line.weights[0])
    assert line(np.column_stack([logit, density])).mean() == pytest.approx((kinds / 2).mean(), abs=0.01)


def test_cuts_lie_in_the_middle_between_neighbours_however_many_there_are_of_each():
    """The classes of a score are 2 apart with one spread, so that both cuts lie half way: at -1 and 1."""
    logit, _, kinds = three_kinds((2000, 200, 8000))
    line = Line(weights=(1.0,), intercept=0.0)
    lower, upper = np.log(np.divide(*np.array([(cut, 1 - cut) for cut in fit_cuts(line, logit[:, None], kinds)]).T))
    assert (lower, upper) == pytest.approx((-1, 1), abs=0.15)


def test_cuts_that_cannot_be_told_are_left_out():
    line = Line(weights=(1.0,), intercept=0.0)
    logit, _, kinds = three_kinds((40, 2, 40))
    assert fit_cuts(line, logit[:, None], kinds) == ()  # two part-solid nodules are no class
    logit, _, kinds = three_kinds((40, 40, 40))
    assert fit_cuts(line, -logit[:, None], kinds) == ()  # a score that falls where it should rise


def test_where_each_case_counts_the_same_few_are_taken_for_the_rarer_class():
    line, (logit, _, kinds) = Line(weights=(1.0,), intercept=0.0), three_kinds((4000, 200, 0))
    two = kinds < 2
    (even,) = fit_cuts(line, logit[two, None], kinds[two])
    (each,) = fit_cuts(line, logit[two, None], kinds[two], is_balanced=False)
    assert even < each
    assert np.count_nonzero(line(logit[two, None]) > each) <= 200


def test_texture_is_fitted_on_validation_patients_and_parted_on_all(monkeypatch):
    """The network is surer of what it learnt from: no line is fitted there. Few are not solid: the cuts are fitted to all."""
    parts = {name: three_kinds(seed=seed) for seed, name in enumerate(("train", "val"))}
    cubes = {
        name: Cubes(
            hu=np.zeros((0, 1, 1, 1), np.int16),
            mask=np.zeros((0, 1, 1, 1), np.uint8),
            rows=tuple({"split": name, "texture_mean": str(1 + 2 * kind)} for kind in kinds),
        )
        for name, (_, _, kinds) in parts.items()
    }

    def rated_lesions(model, some):
        logit, density, _ = parts[some.rows[0]["split"]]
        logits = np.zeros((len(logit), len(RATINGS)))
        logits[:, RATINGS.index("texture")] = logit * (3 if some.rows[0]["split"] == "train" else 1)
        return logits, np.zeros(len(logit)), 1000 * density

    monkeypatch.setattr("medimg.training.calibrate.rated_lesions", rated_lesions)
    model = SimpleNamespace(card=load_package("lung-nodule").card)
    both = calibrate(model, cubes["val"], (), everyone=(cubes["train"], cubes["val"]), only="texture")
    alone = calibrate(model, cubes["val"], (), only="texture")
    assert both.keys() == alone.keys() == {"texture"}
    assert both["texture"].weights == alone["texture"].weights
    assert len(both["texture"].cuts) == len(alone["texture"].cuts) == 2
    assert both["texture"].cuts != alone["texture"].cuts


def test_a_model_of_its_own_begins_without_the_weights_and_cuts_of_the_one_it_was_copied_from(tmp_path):
    folder = shutil.copytree(PACKAGED / "lung-nodule", tmp_path / "model")
    assert written(folder).cuts
    begin_card(folder, load_package(folder).card, {})
    texture = written(folder)
    assert (texture.slope, texture.density_weight, texture.intercept, texture.cuts) == (1.0, 0.0, 0.0, ())


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
