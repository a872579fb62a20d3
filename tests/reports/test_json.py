"""The JSON files are what docs/findings.md and the schema say, and tell nobody's name."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files

import jsonschema
import pytest

from medimg.reports import write_all
from medimg.values import Hazard, RunResult, Score, Skipped, Verdict
from tests.builders.study import study_result

PATIENT = ("Mustermann", "Jörg", "PID4711", "19500101", "ACC4711")


@pytest.fixture(scope="module")
def schema():
    return json.loads((files("medimg.reports") / "findings.schema.json").read_text(encoding="utf-8"))


@pytest.fixture
def result(tmp_path):
    """A result in which every list has something."""
    result = study_result(tmp_path / "source")
    hazard = Hazard("missing-slice", Verdict.REPAIRED, "One slice is missing at z = 3 mm.", ("a/IM0003",))
    texture = Score(name="texture", value=0.75, meaning="0 is ground glass, 1 is solid.")
    findings = tuple(replace(finding, scores=(*finding.scores, texture), remarks=("Cut.",)) for finding in result.findings)
    skipped = Skipped(what="series-1", reason="A localizer.")
    prediction = replace(result.prediction, findings=findings, not_evaluated=(skipped,), remarks=("Said.",))
    return replace(result, series=replace(result.series, hazards=(hazard,)), prediction=prediction, other_series=(skipped,))


def test_what_is_written_is_what_the_schema_says(tmp_path, schema, result):
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    write_all(result, tmp_path)
    for name in ("findings.json", "run.json"):
        validator.validate(json.loads((tmp_path / name).read_text(encoding="utf-8")))
    run = RunResult(studies=(result, replace(result, prediction=None, error="It ended badly.")), skipped=result.other_series)
    validator.validate(json.loads(json.dumps(run.to_dict())))


def test_the_schema_notices_what_it_does_not_know(tmp_path, schema, result):
    write_all(result, tmp_path)
    content = json.loads((tmp_path / "findings.json").read_text(encoding="utf-8"))
    for broken in (content | {"extra": 1}, content | {"schema": "medimg.findings/0"}, {**content, "findings": [{"id": 0}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema)


def test_the_same_result_gives_the_same_findings_whatever_the_run(tmp_path, result):
    again = replace(result, seconds={"read": 99.0}, folder=tmp_path / "elsewhere")
    for name, given in (("a", result), ("b", again)):
        (tmp_path / name).mkdir()
        write_all(given, tmp_path / name)
    assert (tmp_path / "a" / "findings.json").read_bytes() == (tmp_path / "b" / "findings.json").read_bytes()
    run = json.loads((tmp_path / "b" / "run.json").read_text(encoding="utf-8"))
    assert run["seconds"] == {"read": 99.0}
    assert str(tmp_path) not in (tmp_path / "b" / "run.json").read_text(encoding="utf-8")


def test_numbers_are_those_of_the_findings(tmp_path, result):
    write_all(result, tmp_path)
    found = json.loads((tmp_path / "findings.json").read_text(encoding="utf-8"))["findings"]
    for entry, finding in zip(found, result.findings, strict=True):
        assert entry["center_mm"] == pytest.approx(finding.center_mm, abs=0.005)
        assert entry["volume_mm3"] == pytest.approx(finding.measures.volume_mm3, abs=0.005)
        assert entry["suspicion"] == finding.score("suspicion")
        assert entry["texture"] == entry["scores"]["texture"]["value"] == 0.75


def test_nobody_is_named(tmp_path, result):
    write_all(result, tmp_path)
    for name in ("findings.json", "run.json", "report.html"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert not [word for word in PATIENT if word in text], name
