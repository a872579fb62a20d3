"""What a user may get wrong: one clear sentence with the remedy, its exit code, nothing written."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from medimg.cli import main
from medimg.values import Grid, Volume
from medimg.writers import write_nifti
from tests.builders.study import grid_of, picture, two_nodules, write_ct


@pytest.fixture
def refused(tmp_path, capsys):
    """Run a command that must fail and write nothing; return its last word, which is a sentence and the remedy."""

    def run(*words, code):
        output = tmp_path / "results"
        assert main([*map(str, words), *(["--output", str(output)] if words[0] == "infer" else [])]) == code
        assert not output.exists() or not list(output.iterdir())
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        last = captured.err.splitlines()[-1]
        assert last.startswith("medimg: ")
        assert last.count(". ") >= 1, "a sentence, and then the remedy"
        return last

    return run


@pytest.fixture
def scan(tmp_path):
    """A small CT without a name."""
    grid = Grid.straight((24, 32, 32), spacing_mm=(2, 2, 2))
    volume = Volume(array=np.zeros(grid.shape, np.int16), grid=grid)
    write_nifti(volume, tmp_path / "scan.nii.gz")
    return tmp_path / "scan.nii.gz"


@pytest.mark.parametrize("command", ["infer", "inspect"])
def test_an_empty_folder(refused, tmp_path, command):
    (tmp_path / "empty").mkdir()
    assert "empty" in refused(command, tmp_path / "empty", code=3)


@pytest.mark.parametrize("command", ["infer", "inspect"])
def test_a_path_that_is_not_there(refused, tmp_path, command):
    assert "missing" in refused(command, tmp_path / "missing", code=3)


def test_a_path_that_is_not_there_beside_one_that_is(refused, tmp_path, scan):
    assert "missing" in refused("infer", scan, tmp_path / "missing", "--modality", "CT", code=3)


def test_a_folder_without_images_names_what_is_there(refused, tmp_path):
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "notes.txt").write_text("no image")
    (folder / "paper.pdf").write_bytes(b"%PDF-1.7")
    assert "notes.txt" in refused("infer", folder, code=3)


def test_a_single_broken_dicom(refused, tmp_path):
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "1.dcm").write_bytes(bytes(128) + b"DICM" + b"\x02\x00\x10\x00UI\xff\xff" + b"\x00" * 40)
    assert "1.dcm" in refused("infer", folder, code=3)


def test_a_truncated_nifti(refused, scan):
    whole = scan.read_bytes()
    scan.write_bytes(whole[: len(whole) // 2])
    refused("infer", scan, "--modality", "CT", code=3)


def test_a_wrong_modality_in_the_header(refused, tmp_path):
    write_ct(tmp_path / "mr", picture(two_nodules(grid_of())), Modality="MR")
    assert "MR" in refused("infer", tmp_path / "mr", code=4)


def test_a_wrong_modality_by_the_user(refused, scan):
    assert "MR" in refused("infer", scan, "--modality", "MR", code=4)


def test_a_scan_that_is_no_chest(refused, scan):
    refused("infer", scan, "--modality", "CT", code=4)


@pytest.mark.parametrize(
    ("option", "value", "nearest"),
    [
        ("--device", "cdua", "cuda"),
        ("--model", "lung-nodul", "lung-nodule"),
        ("--explain", "gradcm", "gradcam"),
        ("--modality", "CTT", "CT"),
    ],
)
def test_an_unknown_value_is_answered_with_the_nearest(refused, scan, option, value, nearest):
    assert f"Give {nearest} (the nearest)" in refused("infer", scan, option, value, code=2)


def test_a_read_only_output_is_refused_before_any_work(scan, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # permissions do not bind the administrator, who may run the tests
    assert main(["infer", str(scan), "--modality", "CT", "--output", str(tmp_path / "results")]) == 6
    assert "may not be written. Free some space or give another output folder" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_an_unknown_series_is_answered_with_those_there_are(refused, scan):
    assert "series-" in refused("infer", scan, "--series", "series-1", code=2)


@pytest.fixture
def copied_model(root, tmp_path):
    shutil.copytree(root / "medimg" / "models" / "packaged" / "lung-nodule", tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("damage", ["missing weights", "damaged weights", "missing card", "damaged card", "no folder"])
def test_a_model_that_is_not_whole(refused, scan, copied_model, damage):
    weights = sorted(copied_model.glob("*.safetensors"))[0]
    match damage:
        case "missing weights":
            weights.unlink()
        case "damaged weights":
            content = bytearray(weights.read_bytes())
            content[-1] ^= 1
            weights.write_bytes(content)
        case "missing card":
            (copied_model / "model.toml").unlink()
        case "damaged card":
            (copied_model / "model.toml").write_text("name = ")
        case "no folder":
            shutil.rmtree(copied_model)
    refused("infer", scan, "--model", copied_model, code=5)
