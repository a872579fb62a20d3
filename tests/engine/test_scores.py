"""The numbers of a report are those that the card's calibration says, and no others."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log

import numpy as np
import pytest

from medimg.engine import _scores
from medimg.engine._lesions import Lesion, middle_part
from medimg.engine.cubes import cube_grid
from medimg.models import ScoreLine, Stage, load_package


def ball(radius, *, spacing_mm=1.0, beside=False):
    grid = cube_grid((0, 0, 0), edge=40, spacing_mm=spacing_mm)
    place = np.stack(np.indices(grid.shape), axis=-1) - 20
    outline = (np.linalg.norm(place, axis=-1) <= radius).astype(np.float32)
    if beside:
        outline[2:6, 2:6, 2:6] = 1
    return Lesion(grid=grid, outline=outline, logits={"nodule": 1.5, "suspicion": -0.5}, peak=0.8)


def line(name, **values):
    return ScoreLine(name=name, meaning="", **values)


@pytest.mark.parametrize("spacing_mm", [1.0, 1.8])
def test_the_diameter_is_that_of_the_ball_in_millimetres(spacing_mm):
    lesion = ball(8, spacing_mm=spacing_mm, beside=True)
    assert _scores.diameter_mm(lesion, threshold=0.5) == pytest.approx(16 * spacing_mm, rel=0.03)


def test_a_score_weighs_logit_and_size_as_the_card_says():
    lesion = ball(8)
    size = log(_scores.diameter_mm(lesion, threshold=0.5) / 10)
    value = _scores.value(line("suspicion", slope=2.0, size_weight=3.0, intercept=0.25), lesion, threshold=0.5)
    assert value == pytest.approx(1 / (1 + exp(-(2.0 * -0.5 + 3.0 * size + 0.25))))


@pytest.mark.parametrize(("measured", "mean_hu"), [({"mean_hu": -600.0}, -600.0), ({}, -300.0)])
def test_a_score_weighs_the_density_of_the_outline_and_the_usual_one_where_there_is_none(measured, mean_hu):
    lesion = replace(ball(8), measured=measured, each=({"texture": 0.5}, {"texture": 1.5}), logits={"texture": 1.0})
    dense = line("texture", slope=0.5, density_weight=2.0, intercept=1.0)
    assert _scores.value(dense, lesion, threshold=0.5) == pytest.approx(1 / (1 + exp(-(0.5 + 2.0 * mean_hu / 1000 + 1.0))))
    ends = _scores.span(dense, lesion, threshold=0.5)
    assert ends == pytest.approx([1 / (1 + exp(-(half + 2.0 * mean_hu / 1000 + 1.0))) for half in (0.25, 0.75)])


def test_the_probability_weighs_the_detectors_peak():
    stage = Stage(
        task="classify",
        network="outline_unet",
        weights_file="a",
        weights_sha256="",
        scores=(line("nodule", slope=0.5, intercept=-1.0),),
        parameters={"peak_weight": 2.0},
    )
    assert _scores.probability(stage, ball(5)) == pytest.approx(1 / (1 + exp(-(0.5 * 1.5 + 2.0 * log(0.8 / 0.2) - 1.0))))


def test_the_middle_part_is_the_nearest_to_the_middle():
    outline = np.zeros((20, 20, 20), np.float32)
    outline[2:4, 2:4, 2:4] = outline[12:14, 10:12, 10:12] = 1
    part = middle_part(outline, threshold=0.5)
    assert part[12, 10, 10]
    assert not part[2, 2, 2]
    assert not middle_part(np.zeros_like(outline), threshold=0.5).any()


def test_a_score_that_is_parted_has_the_name_of_its_class():
    card = load_package("lung-nodule").card
    lines = {line.name: line for line in card.stage("classify").scores}
    assert [lines["texture"].class_of(value) for value in (0.0, 0.6, 1.0)] == ["ground glass", "part-solid", "solid"]
    assert [lines["calcification"].class_of(value) for value in (0.0, 1.0)] == ["not calcified", "calcified"]
    assert lines["suspicion"].class_of(0.9) == ""
    assert replace(lines["texture"], cuts=()).class_of(0.9) == ""
