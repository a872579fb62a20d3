"""Verdicts have an order, and the worst is what counts."""

from __future__ import annotations

import json

import pytest

from medimg.values import Hazard, Verdict


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        ((), Verdict.EXACT),
        ((Verdict.EXACT, Verdict.NOTED), Verdict.NOTED),
        ((Verdict.SPLIT, Verdict.REPAIRED, Verdict.NOTED), Verdict.SPLIT),
        ((Verdict.REFUSED, Verdict.SPLIT), Verdict.REFUSED),
    ],
)
def test_the_worst_counts(verdicts: tuple[Verdict, ...], worst: Verdict) -> None:
    assert Verdict.worst(*verdicts) is worst
    assert Verdict.worst(*reversed(verdicts)) is worst


def test_a_hazard_is_written_as_json() -> None:
    hazard = Hazard("missing-slice", Verdict.REPAIRED, "Slice 4 is missing.", files=("4.dcm",))
    assert json.loads(json.dumps(hazard.to_dict())) == {
        "kind": "missing-slice",
        "verdict": "repaired",
        "sentence": "Slice 4 is missing.",
        "files": ["4.dcm"],
    }
