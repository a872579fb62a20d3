"""From a folder to its results, with a model that answers at once: what is written, and what never is."""

from __future__ import annotations

import json
import resource
import shutil
import sys

import pytest

import medimg
from medimg.cli import main
from medimg.models import load_package
from tests.builders.study import study_result

PATIENT = ("Jörg", "Doe^", "PID4711", "ACC4711", "19500101", "1.2.826")  # what the source says of its patient, and its UIDs


class QuickModel:
    """A model that knows its answer; everything around it is the real thing."""

    device = "cpu"

    def __init__(self, prediction):
        self.card = load_package("lung-nodule").card
        self.prediction = prediction

    def __call__(self, volume, **_):
        self.prediction.mask.grid.require_fit(volume.grid, "The scan")
        return self.prediction


@pytest.fixture
def study(tmp_path):
    """A study with two nodules: its series lies in `tmp_path / scan`."""
    return study_result(tmp_path / "scan", heat=False)


@pytest.fixture
def infer(study, tmp_path, monkeypatch):
    """Run `medimg infer` on the study and return its exit code."""
    medimg.infer  # noqa: B018 - loads the module that is changed next
    monkeypatch.setattr(sys.modules["medimg.runs.infer"], "load_model", lambda *_, **__: QuickModel(study.prediction))

    def run(*words):
        return main(["infer", str(tmp_path / "scan"), "--explain", "none", "--output", str(tmp_path / "results"), *words])

    return run


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def only(folder):
    (entry,) = folder.iterdir()
    return entry


def test_the_files_are_there_and_the_summary_ends_with_them(infer, tmp_path, capsys):
    assert infer() == 0
    folder = only(tmp_path / "results")
    written = set(contents(folder))
    assert {"seg.dcm", "findings.json", "report.html", "run.json"} <= written
    out = capsys.readouterr().out.splitlines()
    assert {line.strip() for line in out} >= {str(folder / name) for name in written}
    assert out[-1] == f"Look at: {folder / 'report.html'} (open it in a browser)"


def test_json_names_what_others_rely_on(infer, tmp_path, capsys):
    assert infer("--json") == 0
    run = json.loads(capsys.readouterr().out)
    assert set(run) == {"schema", "studies", "skipped", "seconds"}
    (study,) = run["studies"]
    assert study["folder"] == str(only(tmp_path / "results"))
    assert len(study["findings"]) == 2
    named = {"id", "center_mm", "volume_mm3", "longest_diameter_mm", "mean_hu", "detection_probability", "suspicion"}
    assert all(named <= set(finding) for finding in study["findings"])
    assert json.loads((only(tmp_path / "results") / "run.json").read_text())["schema"]


def test_nothing_names_the_patient_or_repeats_an_identifier(infer, tmp_path, capfd):
    assert infer() == 0
    said = "".join(capfd.readouterr())
    assert [word for word in PATIENT if word in said] == []
    for name, content in contents(tmp_path / "results").items():
        assert [word for word in PATIENT if word in name] == []
        if not name.endswith(".dcm"):  # a DICOM object belongs to its patient and says so
            assert [word for word in PATIENT if word.encode() in content] == [], name


def test_a_second_run_replaces_its_own_results_whole(infer, tmp_path):
    assert infer() == 0
    folder = only(tmp_path / "results")
    (folder / "report.html").write_text("old")
    (folder / "left over").write_text("from an older version")
    assert infer() == 0
    assert only(tmp_path / "results") == folder
    assert "left over" not in contents(folder)
    assert contents(folder)["report.html"] != b"old"


def test_a_full_disk_leaves_the_former_results_and_nothing_half_written(infer, tmp_path, capsys):
    assert infer() == 0
    before = contents(tmp_path / "results")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, hard))  # no file may grow over this: a disk that fills up
    try:
        code = infer()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == 6
    assert contents(tmp_path / "results") == before
    assert [path.name for path in (tmp_path / "results").iterdir()] == [only(tmp_path / "results").name]
    assert "could not be written" in capsys.readouterr().err


def test_ctrl_c_while_writing_leaves_the_former_results(infer, tmp_path, monkeypatch):
    assert infer() == 0
    before = contents(tmp_path / "results")

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("medimg.reports.run_json.write", interrupt)
    assert infer() == 130
    assert contents(tmp_path / "results") == before


def test_one_study_that_cannot_be_written_spares_the_others(study, infer, tmp_path, capsys):
    """Two studies; in the place of one result lies a folder that is not ours."""
    import pydicom

    (tmp_path / "scan" / "second").mkdir()
    for path in sorted((tmp_path / "scan").glob("*")):
        if path.is_file():
            data = pydicom.dcmread(path)
            data.StudyInstanceUID, data.SeriesInstanceUID = "1.2.826.77", "1.2.826.78"
            data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID + ".9"
            data.save_as(tmp_path / "scan" / "second" / path.name)
    assert infer() == 0
    first, second = sorted((tmp_path / "results").iterdir())
    shutil.rmtree(first)
    first.mkdir()
    (first / "thesis.txt").write_text("three years")
    shutil.rmtree(second)
    assert infer() == 9
    assert {"report.html", "seg.dcm"} <= set(contents(second))
    assert contents(first) == {"thesis.txt": b"three years"}
    assert first.name in capsys.readouterr().err


def test_a_folder_that_is_not_ours_is_never_replaced(infer, tmp_path, capsys):
    assert infer() == 0
    folder = only(tmp_path / "results")
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "thesis.txt").write_text("three years")
    assert infer() == 6
    assert contents(folder) == {"thesis.txt": b"three years"}
    assert "is not replaced" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["a file", "below a file"])
def test_an_output_that_cannot_be_a_folder(infer, tmp_path, capsys, place):
    (tmp_path / "file").write_text("x")
    output = tmp_path / "file" if place == "a file" else tmp_path / "file" / "results"
    assert infer("--output", str(output)) == 6
    err = capsys.readouterr().err
    assert err.splitlines()[-1].startswith("medimg: ")
    assert "--output" in err
    assert (tmp_path / "file").read_text() == "x"
