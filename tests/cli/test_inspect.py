"""`medimg inspect` says what lies there, and what would run on it."""

from __future__ import annotations

import json

import pytest

from medimg.cli import main
from medimg.runs import Inspection
from medimg.values import Skipped, Study
from tests.cli import _results

SEEN = Inspection(
    studies=(Study(name="study-1", series=(_results.series(), _results.series("series-2", modality="MR"))),),
    skipped=(Skipped(what="notes.txt", reason="It is no image."),),
    models={"series-1": {"lung-nodule": ""}, "series-2": {"lung-nodule": "It is MR, and lung-nodule reads CT."}},
)


@pytest.fixture
def inspection(monkeypatch):
    monkeypatch.setattr(
        "medimg.runs.inspect", lambda *paths: SEEN if str(paths[0]) == "full" else Inspection(studies=(), skipped=SEEN.skipped)
    )


@pytest.mark.usefixtures("inspection")
def test_it_names_geometry_verdict_hazards_models_and_what_was_skipped(capsys):
    assert main(["inspect", "full"]) == 0
    out = capsys.readouterr().out
    assert "series-1: CT, 4 x 5 x 6 voxels of 2.5 x 0.7 x 0.7 mm, SPL" in out
    assert "10 x 4 x 4 mm, 2 files read by dicom" in out
    assert "verdict: repaired" in out
    assert "repaired: Slice 3 is missing." in out
    assert "model lung-nodule: would run" in out
    assert "model lung-nodule: It is MR" in out
    assert "notes.txt: It is no image." in out


@pytest.mark.usefixtures("inspection")
def test_json_has_it_all(capsys):
    assert main(["inspect", "full", "--json"]) == 0
    seen = json.loads(capsys.readouterr().out)
    assert seen["schema"] == "medimg.inspection/1"
    first, second = seen["studies"][0]["series"]
    assert first["models"] == [{"name": "lung-nodule", "fits": True, "reason": ""}]
    assert second["models"][0]["fits"] is False
    assert first["grid"]["spacing_mm"] == [2.5, 0.7, 0.7]
    assert seen["skipped"] == [{"what": "notes.txt", "reason": "It is no image."}]


@pytest.mark.usefixtures("inspection")
def test_a_folder_without_scans_is_shown_and_has_its_exit_code(capsys):
    assert main(["inspect", "empty"]) == 3
    assert "notes.txt: It is no image." in capsys.readouterr().out
