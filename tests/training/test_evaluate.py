"""`medimg evaluate` reads a folder of cubes, leaves out who was seen, and gives every figure with its interval."""

from __future__ import annotations

import contextlib
import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from medimg.cli import main
from medimg.engine import load_model
from medimg.training.evaluate import patients_of
from tests.training.folder_of_cubes import write_cubes

NODULES = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Balls of 5 to 13 mm; the last is of a patient that the model has seen."""
    seen = sorted(patients_of(load_model()))[0]
    return write_cubes(
        tmp_path_factory.mktemp("cubes"),
        np.linspace(2.5, 6.5, NODULES),
        row_of=lambda number: {"patient_id": seen} if number == NODULES - 1 else {},
    )


@pytest.fixture(scope="module")
def measured(folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("out")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["evaluate", "--data", str(folder), "--output", str(output), "--json"]) == 0
    return json.loads(printed.getvalue()), output


@pytest.mark.parametrize(
    "name",
    [
        "malignancy.auroc",
        "malignancy.baseline_auroc",
        "malignancy.auroc_gain",
        "malignancy.calibration_slope",
        "segmentation.dice_mean",
        "detection.sensitivity_at_1_fp_per_litre",
    ],
)
def test_a_figure_that_others_rely_on_is_there(measured, name):
    value, low, high = measured[0][name]
    assert value is not None
    assert low is None or low <= value <= high


def test_a_patient_whom_the_model_has_seen_is_left_out(measured):
    assert measured[0]["nodules"] == NODULES - 1
    assert measured[0]["patients"] == NODULES - 1


def test_clear_balls_are_outlined(measured):
    assert measured[0]["segmentation.dice_mean"][0] > 0.6


def test_a_small_subgroup_has_no_figure(measured):
    assert not any("under_6mm" in name or "maker" in name for name in measured[0])


def test_what_is_written_is_what_was_printed(measured):
    figures, output = measured
    assert json.loads((output / "figures.json").read_text()) == figures
    with (output / "cases.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == figures["nodules"]
    assert np.mean([float(row["dice"]) for row in rows]) == pytest.approx(figures["segmentation.dice_mean"][0], abs=1e-3)
    for name in ("dice", "roc", "reliability", "froc", "failures"):
        with Image.open(output / f"{name}.png") as picture:
            assert picture.width > 300
    page = (output / "evaluation.html").read_text()
    assert page.count("data:image/png") == 5
    assert "segmentation.dice_mean" in page


def test_a_split_can_be_asked_for(folder, capsys):
    assert main(["evaluate", "--data", str(folder), "--split", "other"]) == 3
    assert "split other" in capsys.readouterr().err


def test_a_folder_without_data_is_refused(tmp_path, capsys):
    assert main(["evaluate", "--data", str(tmp_path)]) == 3
    assert "neither labels.csv" in capsys.readouterr().err
