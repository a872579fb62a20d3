"""The second opinion is the logistic regression that its card says, and its parts add up to it."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pytest

from medimg.errors import ModelError
from medimg.models import SecondOpinion, Term, load_package
from medimg.models.package import PACKAGED
from medimg.training.second_opinion import write_second_opinion

OPINION = SecondOpinion(
    name="second_opinion",
    meaning="Test.",
    intercept=-0.5,
    terms=(
        Term(feature="log_diameter", words="diameter (mm)", mean=0.25, spread=0.5, weight=2.0),
        Term(feature="mean_hu", words="mean density (HU)", mean=-100.0, spread=200.0, weight=-1.5),
    ),
)


def test_the_parts_add_up():
    measured = {"log_diameter": 0.75, "mean_hu": 0.0}
    assert OPINION.contributions(measured) == {"log_diameter": 2.0, "mean_hu": -0.75}
    assert OPINION.logit(measured) == 0.75
    assert OPINION.value(measured) == pytest.approx(1 / (1 + math.exp(-0.75)))


def test_it_is_written_into_the_card_and_read_again(tmp_path):
    folder = shutil.copytree(PACKAGED / "lung-nodule", tmp_path / "model")
    before = load_package(folder).card
    for _ in range(2):
        write_second_opinion(folder, OPINION)
    after = load_package(folder).card
    assert after.second_opinion == OPINION
    assert (after.stages, after.evidence) == (before.stages, before.evidence)


def test_a_number_that_nobody_measures_is_refused(tmp_path):
    folder = shutil.copytree(PACKAGED / "lung-nodule", tmp_path / "model")
    card = (folder / "model.toml").read_text()
    (folder / "model.toml").write_text(card.replace('feature = "mean_hu"', 'feature = "mood"'))
    with pytest.raises(ModelError, match="mood"):
        load_package(folder)


def test_the_packaged_one_calls_a_large_nodule_more_suspicious():
    opinion = load_package("lung-nodule").card.second_opinion
    usual = {term.feature: term.mean for term in opinion.terms}
    values = [opinion.value(usual | {"log_diameter": float(np.log(size / 10))}) for size in (4, 8, 16, 30)]
    assert values == sorted(values)
    assert values[0] < 0.3
    assert values[-1] > 0.8


def test_what_all_nodules_have_alike_weighs_nothing(tmp_path):
    """Few nodules can be of one size: a spread of nothing is no number to divide by."""
    from medimg.training import read_cubes
    from medimg.training.second_opinion import fit_second_opinion
    from tests.training.folder_of_cubes import write_cubes

    cubes = read_cubes(write_cubes(tmp_path / "data", [5, 5, 5, 5], row_of=lambda number: {"malignant": number % 2}))
    size = next(term for term in fit_second_opinion(cubes).terms if term.feature == "log_diameter")
    assert (size.spread, size.weight) == (1.0, pytest.approx(0, abs=1e-9))
