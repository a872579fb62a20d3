"""How unsure a model is: what its flips give, each alone."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.engine import load_model
from medimg.values import Grid, Score, Volume


@pytest.fixture(scope="module")
def lesions():
    """A plain ball, the same from every side, and one with a tail to one side, each seen once."""
    grid = Grid.straight((60, 60, 60), spacing_mm=(1, 1, 1))
    places = np.moveaxis(np.indices(grid.shape), 0, -1) - 30
    ball = np.linalg.norm(places, axis=-1) <= 5
    tail = ball | ((np.abs(places[..., 0]) <= 2) & (np.abs(places[..., 1]) <= 2) & (places[..., 2] >= 0))
    model = load_model()
    found = []
    for inside in (ball, tail):
        volume = Volume(array=np.where(inside, 40, -850).astype(np.int16), grid=grid, modality="CT", unit="HU")
        found.append(model.lesion_at(volume, (30.0, 30.0, 30.0)))
    return found


def test_every_flip_is_kept_and_the_mean_lies_between_them(lesions):
    for lesion in lesions:
        assert len(lesion.each) == len(lesion.volumes_mm3) == 4
        for name, value in lesion.logits.items():
            each = [one[name] for one in lesion.each]
            assert min(each) - 1e-5 <= value <= max(each) + 1e-5
            assert np.mean(each) == pytest.approx(value, abs=1e-4)


def test_the_volumes_are_those_of_the_lesion(lesions):
    assert lesions[0].volumes_mm3 == pytest.approx([4 / 3 * np.pi * 125] * 4, rel=0.35)


def test_a_score_outside_of_its_span_cannot_be():
    assert Score(name="suspicion", value=0.5, meaning="", span=(0.4, 0.6)).span == (0.4, 0.6)
    with pytest.raises(ValueError, match="span"):
        Score(name="suspicion", value=0.7, meaning="", span=(0.4, 0.6))
