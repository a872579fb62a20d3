"""What a model found, as people and programs read it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from medimg.values import Code, Finding, Grid, Heatmap, Measures, Score

MEASURES = Measures(volume_mm3=523.598775, longest_diameter_mm=10.004, short_diameter_mm=9.996, mean_hu=31.25)
NODULE = Code("SCT", "27925004", "Nodule")


def finding(**words: object) -> Finding:
    given = {"id": 1, "center_mm": (1.23456, -2.0, 3.0), "measures": MEASURES, "kind": NODULE, "detection_probability": 0.91237}
    return Finding(**{**given, **words})  # type: ignore[arg-type]


def test_a_finding_is_written_as_json_with_what_can_be_meant() -> None:
    written = json.loads(json.dumps(finding(remarks=("Cut by the edge.",)).to_dict()))
    assert written["center_mm"] == [1.23, -2.0, 3.0]
    assert (written["volume_mm3"], written["longest_diameter_mm"], written["mean_hu"]) == (523.6, 10.0, 31.25)
    assert written["sd_hu"] is None
    assert written["detection_probability"] == 0.9124
    assert written["remarks"] == ["Cut by the edge."]
    assert (written["kind"], written["site"]) == ("Nodule", None)


def test_suspicion_is_always_a_key_and_only_a_model_gives_it_a_value() -> None:
    assert finding().to_dict()["suspicion"] is None
    rated = finding(scores=(Score(name="suspicion", value=0.7, meaning="what radiologists would rate"),))
    assert rated.to_dict()["suspicion"] == 0.7
    assert rated.score("suspicion") == 0.7
    assert rated.score("malignancy") is None
    assert rated.to_dict()["scores"]["suspicion"]["calibrated"] is False


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan")])
def test_a_score_is_between_0_and_1(value: float) -> None:
    with pytest.raises(ValueError, match="not between 0 and 1"):
        Score(name="suspicion", value=value, meaning="what radiologists would rate")


def test_a_heatmap_fits_its_grid_and_cannot_be_written() -> None:
    grid = Grid.straight((2, 2, 2), spacing_mm=(1, 1, 1))
    heat = Heatmap(array=np.zeros((2, 2, 2)), grid=grid, finding_id=1, target="nodule", method="gradcam")
    assert heat.array.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        heat.array[0, 0, 0] = 1
    with pytest.raises(ValueError, match="does not fit"):
        Heatmap(array=np.zeros((2, 2, 3)), grid=grid, finding_id=1, target="nodule", method="gradcam")
