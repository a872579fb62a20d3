"""The default model on the phantom: what is there is found, outlined and told apart; what cannot be judged is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import medimg
from medimg.engine import load_model
from medimg.errors import OptionError, UnsuitableScanError
from medimg.values import Grid, Volume

MOST_OTHERS = 6  # findings that are no nodule of the phantom: its vessels branch in more places than a patient's


@pytest.fixture(scope="module")
def model():
    return load_model("lung-nodule", device="cpu")


@pytest.fixture(scope="module")
def scan(example_dicoms):
    return medimg.read(example_dicoms)


@pytest.fixture(scope="module")
def truth(example_dicoms):
    return json.loads((example_dicoms / "truth.json").read_text())["nodules"]


@pytest.fixture(scope="module")
def prediction(model, scan):
    return model(scan)


def nearest(findings, center_mm):
    return min(findings, key=lambda finding: np.linalg.norm(np.subtract(finding.center_mm, center_mm)))


def off_mm(finding, nodule):
    return float(np.linalg.norm(np.subtract(finding.center_mm, nodule["center_mm"])))


def test_it_finds_what_is_there_and_little_else(prediction, truth):
    hits = [nearest(prediction.findings, nodule["center_mm"]) for nodule in truth]
    for finding, nodule in zip(hits, truth, strict=True):
        assert off_mm(finding, nodule) < 2.5, nodule["id"]
    assert len({finding.id for finding in hits}) == len(truth)
    assert len(prediction.findings) - len(hits) <= MOST_OTHERS


def test_solid_nodules_have_about_their_size(prediction, truth):
    for nodule in truth:
        if nodule["kind"] != "solid":
            continue
        measures = nearest(prediction.findings, nodule["center_mm"]).measures
        diameter = (6 / np.pi * measures.volume_mm3) ** (1 / 3)
        assert diameter == pytest.approx(nodule["diameter_mm"], abs=3.0)  # readers draw a millimetre wide, and so does the model


def test_each_is_on_its_side_and_tells_solid_from_ground_glass(prediction, truth):
    found = {nodule["id"]: nearest(prediction.findings, nodule["center_mm"]) for nodule in truth}
    assert found["solid-14"].laterality.meaning == "Left"
    assert found["solid-9"].laterality.meaning == found["ground-glass-16"].laterality.meaning == "Right"
    assert found["ground-glass-16"].score("texture") < min(found[name].score("texture") for name in ("solid-14", "solid-9"))


def test_mask_and_findings_are_of_one_mind(prediction, scan):
    assert prediction.mask.grid == scan.grid
    assert [finding.id for finding in prediction.findings] == list(range(1, len(prediction.findings) + 1))
    assert set(np.unique(prediction.mask.array)) == {0, *range(1, len(prediction.findings) + 1)}
    suspicion = [finding.score("suspicion") for finding in prediction.findings]
    assert suspicion == sorted(suspicion, reverse=True)
    assert len({finding.tracking_uid for finding in prediction.findings}) == len(prediction.findings)


def test_the_same_scan_stored_otherwise_gives_the_same_findings(model, prediction, scan):
    """Slices from head to feet, columns from left to right: nothing of the patient has moved."""
    turned = scan.with_grid(scan.array[::-1, :, ::-1], scan.grid.flip(0).flip(2))
    found = model(turned)
    assert len(found.findings) == len(prediction.findings)
    for finding in prediction.findings:
        twin = nearest(found.findings, finding.center_mm)
        np.testing.assert_allclose(twin.center_mm, finding.center_mm, atol=0.5)
        assert twin.score("suspicion") == pytest.approx(finding.score("suspicion"), abs=0.02)


def test_a_scan_that_does_not_say_what_it_is_is_judged_by_its_voxels_and_it_is_said(model, scan, prediction):
    part = scan.with_array(scan.array, step="copy")
    found = model(replace(part, modality="", unit=""))
    assert len(found.findings) == len(prediction.findings)
    assert any("CT" in remark for remark in found.remarks)
    assert not any("CT" in remark for remark in prediction.remarks)


def test_what_size_it_does_not_look_for_is_said(prediction):
    """A chest whose only lesion is a mass of 9 cm has "no finding": whoever reads that must know why."""
    (remark,) = prediction.remarks
    assert "3 to 30 mm: larger masses" in remark
    assert "may miss" in remark


def test_a_person_may_point_at_a_lesion(model, scan, truth):
    nodule = truth[0]
    outline, scores = model.at(scan, tuple(np.add(nodule["center_mm"], (2, -1, 1)).tolist()))
    assert outline.grid == scan.grid
    volume = np.count_nonzero(outline.array) * scan.grid.voxel_volume_mm3
    assert volume == pytest.approx(nodule["volume_mm3"], rel=0.6)
    assert {"suspicion", "texture"} <= set(scores)


def test_lungs_cut_by_the_end_of_the_scan_are_said(model, scan):
    half = medimg.crop(scan, start=(40, 0, 0), shape=(scan.shape[0] - 40, *scan.shape[1:]))
    assert any("lower end" in item.reason for item in model(half).not_evaluated)


def block(value, *, modality="CT", spacing_mm=(2, 1, 1), shape=(60, 80, 80)):
    grid = Grid.straight(shape, spacing_mm=spacing_mm)
    return Volume(array=np.full(shape, value, np.int16), grid=grid, modality=modality, unit="HU" if modality == "CT" else "")


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        (block(-800, modality="MR"), "This is MR"),
        (block(40), "not HU"),
        (block(-1000), "no lungs"),
        (block(-800, spacing_mm=(9, 1, 1)), "slices are 9 mm apart"),
        (block(-800, shape=(5, 80, 80)), "covers 10 mm"),
    ],
)
def test_what_it_was_not_made_for_is_refused_in_words(model, volume, words):
    with pytest.raises(UnsuitableScanError, match=words):
        model(volume)


def test_an_unknown_device_is_answered_with_the_nearest():
    with pytest.raises(OptionError, match=r"cuda \(the nearest\)"):
        load_model("lung-nodule", device="cdua")


def phantom(*, lungs):
    """A body of water with noise, with or without two lungs in it that hold nothing."""
    grid = Grid.straight((90, 200, 200), spacing_mm=(2.5, 1.8, 1.8))
    _, y, x = np.ogrid[:90, :200, :200]
    hu = np.where(((y - 100) / 62) ** 2 + ((x - 100) / 86) ** 2 < 1, 0.0, -1000.0) + np.zeros((90, 1, 1))
    for side in (-1, 1) if lungs else ():
        hu[np.broadcast_to(((y - 100) / 43) ** 2 + ((x - 100 - side * 40) / 29) ** 2 < 1, hu.shape)] = -850
    hu += np.random.default_rng(0).normal(0, 12, hu.shape)
    return Volume(array=np.round(hu).astype(np.int16), grid=grid, modality="CT", unit="HU")


def test_a_phantom_of_water_has_no_nodules(model):
    with pytest.raises(UnsuitableScanError, match="no lungs"):
        model(phantom(lungs=False))
    assert model(phantom(lungs=True)).findings == ()
