"""Provenance is enough to make a result again."""

from __future__ import annotations

from medimg.models import load_package
from medimg.runs._provenance import provenance


def test_every_number_that_a_score_is_made_with_is_told():
    """What the second opinion counts for in suspicion is one of them: half of the score is made of it."""
    card = load_package("lung-nodule").card
    line = next(line for line in card.stage("classify").scores if line.name == "suspicion")
    assert line.opinion_weight
    assert provenance(card).parameters["suspicion_line"] == [line.slope, line.size_weight, line.opinion_weight, line.intercept]
