"""`medimg infer` passes on what was given, shows where it is, and says what came of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medimg.cli import main
from tests.cli import _results


@pytest.fixture
def calls(monkeypatch):
    """Stand in for `medimg.infer`; it notes its arguments and returns `calls.result`."""

    class Calls(list):
        result = _results.run(_results.study(_results.finding()))

    noted = Calls()

    def infer(*paths, progress, **options):
        noted.append((paths, options))
        if progress:
            progress("read", 0, 1)
            progress("detect", 0, 3)
            progress("detect", 3, 3)
        return noted.result

    monkeypatch.setattr("medimg.runs.infer", infer)
    return noted


def test_only_what_was_given_is_passed_so_that_defaults_are_the_functions_own(calls):
    assert main(["infer", "a", "b"]) == 0
    assert calls == [((Path("a"), Path("b")), {})]


def test_every_option_reaches_the_keyword_of_its_name(calls):
    words = "infer a --output o --model m --modality CT --device cpu --series s --all-series --explain none --identify"
    assert main(words.split()) == 0
    assert calls[0][1] == {
        "output": Path("o"),
        "model": "m",
        "modality": "CT",
        "device": "cpu",
        "series": "s",
        "all_series": True,
        "explain": "none",
        "identify": True,
    }


def test_json_is_the_value_and_nothing_else_on_stdout(calls, capsys):
    assert main(["infer", "a", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == calls.result.to_dict()
    assert "detect" in err  # progress stays visible, on the other stream


def test_progress_is_a_line_a_stage_where_there_is_no_terminal(calls, capsys):
    main(["infer", "a"])
    assert capsys.readouterr().err.splitlines() == ["medimg: read", "medimg: detect"]


def test_progress_is_a_bar_on_a_terminal(calls, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    main(["infer", "a"])
    err = capsys.readouterr().err
    assert "\r" in err
    assert "100%" in err


def test_quiet_says_nothing(calls, capsys):
    assert main(["infer", "a", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_the_summary_says_what_was_taken_left_found_and_written(calls, capsys, tmp_path):
    calls.result = _results.run(_results.study(_results.finding(), folder=tmp_path / "study-1"), skipped=12)
    main(["infer", "a", "--output", str(tmp_path)])
    out = capsys.readouterr().out
    assert "took series-1: CT, 4 x 5 x 6 voxels of 2.5 x 0.7 x 0.7 mm, SPL, kernel B30f" in out
    assert "repaired: Slice 3 is missing." in out
    assert "left series-2: Its kernel B70f is sharp." in out
    assert "lung-nodule 1.0 found 1" in out
    assert ["1", "1.2,", "-2.5,", "3.0", "524", "10.1", "31", "0.98", "0.75"] in [line.split() for line in out.splitlines()]
    assert "not used: notes0.txt: It is no image." in out
    assert "2 more" in out
    assert str(tmp_path / "study-1" / "seg.dcm") in out
    assert out.splitlines()[-1].startswith(f"Look at: {tmp_path / 'study-1' / 'report.html'}")


def test_no_finding_is_a_result_and_no_output_is_said(calls, capsys):
    calls.result = _results.run(_results.study())
    assert main(["infer", "a"]) == 0
    out = capsys.readouterr().out
    assert "found nothing" in out
    assert "Give --output" in out


FAILED = {"error": "The scan could not be decoded. Copy it again."}


@pytest.mark.parametrize(
    ("studies", "code"),
    [
        ([{}], 0),
        ([{}, FAILED | {"exit_code": 3}], 9),
        ([FAILED | {"exit_code": 3}], 3),
        ([FAILED | {"exit_code": 3}, FAILED | {"exit_code": 3}], 3),
        ([FAILED | {"exit_code": 3}, FAILED | {"exit_code": 7}], 9),
        ([FAILED], 9),
    ],
)
def test_the_exit_code_is_zero_only_if_every_study_ended_well(calls, capsys, studies, code):
    calls.result = _results.run(*(_results.study(**fields) for fields in studies))
    assert main(["infer", "a"]) == code
    assert ("failed: The scan could not be decoded." in capsys.readouterr().out) == (code != 0)


@pytest.mark.parametrize("way", [[], ["--json"], ["--quiet"]])
def test_a_failed_study_is_named_on_stderr(calls, capsys, way):
    calls.result = _results.run(_results.study(**FAILED, exit_code=7))
    assert main(["infer", "a", *way]) == 7
    assert "study-1: The scan could not be decoded." in capsys.readouterr().err
