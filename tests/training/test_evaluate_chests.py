"""Whole scans: what is hit, what is not, what a model refuses, and the curve behind it."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from medimg.engine import load_model
from medimg.errors import ScanError, UnsuitableScanError
from medimg.training import Evaluation, evaluate, read_chests, write_evaluation
from medimg.training.chests import TARGET, Chest, Mark
from medimg.training.evaluate import patients_of
from medimg.training.evaluate_chests import LEAST_SCANS, evaluate_chests, mark_of
from medimg.values import Grid, Volume
from tests.training.folder_of_cubes import write_xz, zigzag

NODULE = Mark(kind=TARGET, center_mm=(0.0, 0.0, 0.0), diameter_mm=8.0)
OTHER = Mark(kind="small", center_mm=(20.0, 0.0, 0.0), diameter_mm=None)


def chest(number):
    volume = Volume(array=np.zeros((2, 2, 2), np.int16), grid=Grid.straight((2, 2, 2), spacing_mm=(1, 1, 1)))
    return Chest(name=f"scan {number}", split="", volume=volume, marks=(NODULE, OTHER), patient=f"P{number}")


class Scripted:
    """A model that says what it is told, scan by scan: candidates (probability, x), kept from 0.5 on."""

    def __init__(self, said):
        self.said = iter(said)

    def search(self, volume):
        places = next(self.said)
        if isinstance(places, str):
            raise UnsuitableScanError(places)
        candidates = tuple((sure, (x, 0.0, 0.0)) for sure, x in places)
        findings = [SimpleNamespace(center_mm=at, detection_probability=sure) for sure, at in candidates if sure >= 0.5]
        return SimpleNamespace(findings=findings, seconds={"detect": 1.0}), candidates


def test_a_mark_is_hit_within_its_radius_and_small_ones_within_2_mm():
    assert mark_of((3.9, 0, 0), (NODULE, OTHER)) == 0
    assert mark_of((4.1, 0, 0), (NODULE, OTHER)) is None
    assert mark_of((21.9, 0, 0), (NODULE, OTHER)) == 1


def test_hits_others_and_ignored_are_counted_apart():
    (line,) = evaluate_chests(Scripted([[(0.9, 1.0), (0.8, 20.5), (0.7, -30.0), (0.4, 60.0)]]), [chest(0)]).lines
    assert {name: line[name] for name in ("targets", "found", "others", "ignored")} == {
        "targets": 1,
        "found": 1,
        "others": 1,
        "ignored": 1,
    }


def test_few_scans_have_counts_and_no_curve_and_a_refused_one_is_said():
    figures = evaluate_chests(Scripted([[(0.9, 1.0)], "no lung"]), [chest(0), chest(1)]).figures()
    assert (figures["whole_scans.scans"], figures["whole_scans.refused"], figures["whole_scans.found"]) == (2, 1, 1)
    assert figures["whole_scans"][1]["refused"] == "no lung"
    assert not any("fp_per_scan" in name for name in figures)


def test_many_scans_have_a_curve_that_reaches_below_the_operating_point():
    """Every second scan has its nodule at 0.4 only, and each has one false positive at 0.45: half at 0.5, all at 1 a scan."""
    said = [[(0.9 if number % 2 else 0.4, 0.0), (0.45, 50.0)] for number in range(LEAST_SCANS)]
    said.append("no lung")
    figures = evaluate_chests(Scripted(said), [chest(number) for number in range(len(said))]).figures()
    assert figures["whole_scans.sensitivity_at_0.5_fp_per_scan"][0] == pytest.approx(0.5)
    assert figures["whole_scans.sensitivity_at_1_fp_per_scan"][0] == 1.0
    assert figures["whole_scans.cpm"][0] == pytest.approx((4 * 0.5 + 3) / 7, abs=0.08)


def test_the_page_has_a_line_for_each_scan_and_says_why_one_was_refused(tmp_path):
    said = ([(0.9, 0.0), (0.8, 60.0)], "Its slices are 5 mm <apart>.")
    searched = evaluate_chests(Scripted(said), [chest(0), chest(1)])
    unsure = {"model": "m 1", "split": "val", "segmentation.dice_mean": [0.8, float("nan"), float("nan")]}
    write_evaluation(Evaluation(figures=unsure | searched.figures()), tmp_path)
    page = (tmp_path / "evaluation.html").read_text()
    assert "<tr><td>scan 0<td><td>1<td>1<td>1<td>0</tr>" in page
    assert "<tr><td>scan 1<td colspan=5>Its slices are 5 mm &lt;apart&gt;.</tr>" in page
    assert "too few patients" in page
    assert "- to -" not in page


def test_a_scan_of_a_patient_that_the_model_has_seen_is_left_out_whatever_its_name(tmp_path):
    """Two scans of a patient have two names; it is the patient that must not be seen twice."""
    model = load_model(device="cpu")
    (tmp_path / "A").mkdir()
    write_xz(tmp_path / "A" / "volume.npy.xz", zigzag(np.zeros((3, 4, 5), np.int16)))
    info = {"name": "A", "patient_id": sorted(patients_of(model))[0], "split": "train", "hu_step": 8}
    info |= {"size_zyx": [3, 4, 5], "spacing_xyz_mm": [1, 1, 1], "origin_xyz_mm": [0, 0, 0]}
    (tmp_path / "A" / "info.json").write_text(json.dumps(info))
    (tmp_path / "lesions.csv").write_text("scan,kind,x,y,z,diameter_mm\n")
    (found,) = read_chests(tmp_path)
    assert found.whose == info["patient_id"]
    with pytest.raises(ScanError, match="no scan that was asked for"):
        evaluate(model, tmp_path)
