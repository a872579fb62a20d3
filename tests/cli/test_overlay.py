"""`medimg overlay` on the command line."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from medimg.cli import main
from medimg.values import Mask
from medimg.writers import write_nifti
from tests.builders.study import study_result


@pytest.fixture
def files(tmp_path):
    """A mask and the folder of its scan."""
    result = study_result(tmp_path / "source", heat=False)
    mask = result.prediction.mask
    return str(write_nifti(Mask(array=mask.array, grid=mask.grid), tmp_path / "mask.nii.gz")), str(tmp_path / "source")


def test_it_says_what_it_measured_and_wrote(files, tmp_path, capsys):
    assert (
        main(["overlay", *files, "--output", str(tmp_path / "out"), "--made-by", "manual", "--segment-names", "1=GTV, 2=met"])
        == 0
    )
    said = capsys.readouterr().out
    assert "measured 2 given outlines (manual):" in said
    assert "GTV" in said
    assert "seg.dcm" in said


def test_json_is_the_result(files, capsys):
    assert main(["overlay", *files, "--json", "--quiet", "--segments", "2"]) == 0
    (study,) = json.loads(capsys.readouterr().out)["studies"]
    assert [finding["id"] for finding in study["findings"]] == [1]
    assert study["provenance"]["parameters"]["segments"] == [2]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--segment-names", "GTV"], 2, "NUMBER=NAME"),
        (["--segments", "9"], 2, "one of: 1, 2"),
        (["--kind", "nodul"], 2, "nodule (the nearest)"),
        (["--overlap", "smalest"], 2, "smallest (the nearest)"),
    ],
)
def test_an_option_that_cannot_be_is_one_sentence(files, capsys, words, code, told):
    assert main(["overlay", *files, *words, "--quiet"]) == code
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


def test_a_mask_that_is_not_there(files, capsys):
    assert main(["overlay", files[0] + "x", files[1], "--quiet"]) == 3
    assert "cannot be opened" in capsys.readouterr().err


def test_a_remedy_is_the_option_that_can_be_typed(files, tmp_path, capsys):
    """And the keyword of the function behind it, for those who call it."""
    mask = study_result(tmp_path / "again", heat=False).prediction.mask
    moved = mask.grid.affine.copy()
    moved[:3, 3] -= moved[:3, 0] * (mask.box(1)[0].start + 1)  # some slices before the scan's first
    path = write_nifti(Mask(array=mask.array, grid=replace(mask.grid, affine=moved)), tmp_path / "moved.nii.gz")
    assert main(["overlay", str(path), files[1], "--quiet"]) == 7
    assert "leave them out with --cut (cut=True)." in capsys.readouterr().err
    assert main(["overlay", str(path), files[1], "--quiet", "--cut"]) == 0


def test_an_option_is_called_as_it_was_typed(files, capsys):
    assert main(["overlay", *files, "--made-by", "manul", "--quiet"]) == 2
    assert capsys.readouterr().err.startswith("medimg: --made-by cannot be manul. Give manual (the nearest)")
    assert main(["overlay", *files, "--place-by=sauce", "--quiet"]) == 2
    assert capsys.readouterr().err.startswith("medimg: --place-by cannot be sauce.")
