"""Provenance is enough to make a result again."""

from __future__ import annotations

from medimg.models import load_package
from medimg.runs._provenance import provenance


def test_every_number_that_a_score_is_made_with_is_told():
    """What the second opinion counts for in suspicion is one of them, and density in texture: half of the score is made of it."""
    card = load_package("lung-nodule").card
    lines = {line.name: line for line in card.stage("classify").scores}
    assert lines["suspicion"].opinion_weight
    assert lines["texture"].density_weight
    for name, line in lines.items():
        weights = [line.slope, line.size_weight, line.opinion_weight, line.density_weight]
        assert provenance(card).parameters[f"{name}_line"] == [*weights, line.intercept]
