"""What is larger than a model learnt from: found on coarser voxels, called what it is, and said to be rough."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medimg.engine import Model, load_model
from medimg.engine._findings import findings_of
from medimg.engine._lesions import Lesion
from medimg.engine._regions import lung_hull
from medimg.engine.cubes import cube_grid
from medimg.errors import ModelError
from medimg.models import load_package
from medimg.models.card import read_card
from medimg.saliency import explain
from medimg.values import Grid, Mask, Volume

NATIVE = Grid.straight((80, 100, 100), spacing_mm=(2, 1.5, 1.5), origin_mm=(-75, -75, -80))
MASS_MM, CENTER_MM = 60.0, (72.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def model():
    return load_model("lung-nodule", device="cpu")


@pytest.fixture(scope="module")
def chest():
    """A body of water with two empty lungs, and in the left one, at the wall, a ball of 60 mm."""
    grid = Grid.straight((90, 170, 230), spacing_mm=(2.5, 1.8, 1.8), origin_mm=(-206, -152, -111))
    z, y, x = np.moveaxis(grid.to_mm(np.stack(np.indices(grid.shape), axis=-1)), -1, 0)[::-1]
    hu = np.where((y / 115) ** 2 + (x / 170) ** 2 < 1, 0.0, -1000.0)
    for side in (-1, 1):
        hu[(y / 85) ** 2 + ((x - side * 80) / 58) ** 2 + (z / 105) ** 2 < 1] = -850
    hu[np.sqrt((x - CENTER_MM[0]) ** 2 + y**2 + z**2) < MASS_MM / 2] = 35
    hu += np.random.default_rng(0).normal(0, 12, hu.shape)
    return Volume(array=np.round(hu).astype(np.int16), grid=grid, modality="CT", unit="HU")


@pytest.fixture(scope="module")
def prediction(model, chest):
    return model(chest)


def test_a_mass_is_found_and_called_so(prediction):
    (finding,) = prediction.findings
    assert finding.kind.meaning == prediction.mask.labels[1].meaning == "Mass"
    assert np.linalg.norm(np.subtract(finding.center_mm, CENTER_MM)) < 6
    assert np.cbrt(6 / np.pi * finding.measures.volume_mm3) == pytest.approx(MASS_MM, rel=0.15)
    assert finding.laterality.meaning == "Left"


def test_its_numbers_are_said_to_be_rough(prediction):
    (finding,) = prediction.findings
    assert not any(score.calibrated for score in finding.scores)
    assert any("more than 30 mm" in remark for remark in finding.remarks)


def test_the_heatmap_shows_all_of_it(model, chest, prediction):
    (finding,) = prediction.findings
    grid = explain(model, chest, finding).grid
    assert np.array(grid.shape[0]) * grid.spacing_mm[0] > 1.3 * finding.measures.longest_diameter_mm
    assert grid.contains(finding.center_mm)


def test_a_person_may_point_at_a_mass(model, chest):
    outline, _ = model.at(chest, tuple(np.add(CENTER_MM, (-6, 5, 4)).tolist()))
    assert outline.labels[1].meaning == "Mass"
    size_mm = np.cbrt(6 / np.pi * np.count_nonzero(outline.array) * chest.grid.voxel_volume_mm3)
    assert size_mm == pytest.approx(MASS_MM, rel=0.15)


def test_on_the_voxels_of_its_training_alone_it_is_not_seen_as_a_whole(model, chest):
    """If this ever fails, the coarser voxels are no longer needed."""
    blind = Model(replace(model.package, card=replace(model.card, larger=None)), device="cpu")
    volumes = [finding.measures.volume_mm3 for finding in blind(chest).findings]
    assert max(volumes, default=0) < 0.7 * np.pi / 6 * MASS_MM**3


CARD = load_package("lung-nodule").card


def ball(diameter_mm, *, spacing_mm, center=(0.0, 0.0, 0.0)):
    grid = cube_grid(center, edge=40, spacing_mm=spacing_mm)
    away_mm = np.linalg.norm((np.stack(np.indices(grid.shape), axis=-1) - 20) * spacing_mm, axis=-1)
    outline = (1 / (1 + np.exp(2 * (away_mm - diameter_mm / 2) / spacing_mm))).astype(np.float32)
    return Lesion(grid=grid, outline=outline, logits={line.name: 0.0 for line in CARD.stage("classify").scores}, peak=0.5)


def found(kept, larger):
    volume = Volume(array=np.full(NATIVE.shape, -800, np.int16), grid=NATIVE, modality="CT", unit="HU")
    region = Mask(array=np.ones(NATIVE.shape, np.uint8), grid=NATIVE)
    return findings_of(CARD, volume, region, kept, larger=larger)[0]


def diameters(findings):
    return sorted(float(np.cbrt(6 / np.pi * finding.measures.volume_mm3)) for finding in findings)


def test_pieces_of_a_mass_are_no_findings_of_their_own():
    pieces = [(0.99, ball(12, spacing_mm=1.0, center=(10, 0, 0))), (0.95, ball(20, spacing_mm=1.0, center=(-14, 0, 5)))]
    assert diameters(found(pieces, [(0.7, ball(60, spacing_mm=3.0))])) == pytest.approx([60], abs=2)


def test_what_lies_beside_a_mass_stays():
    beside = (0.8, ball(12, spacing_mm=1.0, center=(45, 0, 0)))
    assert diameters(found([beside], [(0.7, ball(60, spacing_mm=3.0))])) == pytest.approx([12, 60], abs=2)


def test_a_lesion_that_is_seen_whole_on_finer_voxels_stays_as_it_is_there():
    whole, piece = (0.9, ball(27, spacing_mm=1.0)), (0.99, ball(10, spacing_mm=1.0, center=(5, 0, 0)))
    (finding,) = found([whole, piece], [(0.95, ball(31, spacing_mm=2.0))])
    assert diameters([finding]) == pytest.approx([27], abs=1)
    assert finding.kind.meaning == "Nodule"


def test_of_two_coarse_outlines_the_coarser_stays():
    both = [(0.7, ball(60, spacing_mm=3.0)), (0.9, ball(48, spacing_mm=2.0, center=(4, 0, 0)))]
    assert diameters(found([], both)) == pytest.approx([60], abs=2)


def test_the_hull_fills_what_a_mass_takes_of_a_lung():
    lung = np.zeros(NATIVE.shape, np.uint8)
    lung[10:70, 20:80, 30:70] = 1
    lung[25:55, 40:80, 30:70] = 0  # 60 mm at the wall
    volume = Volume(array=np.zeros(NATIVE.shape, np.int16), grid=NATIVE, modality="CT", unit="HU")
    hull = lung_hull(volume, Mask(array=lung, grid=NATIVE))
    at = np.round(hull.grid.to_index(NATIVE.to_mm((40, 60, 50)))).astype(int)
    assert hull.array[tuple(at)]


@pytest.mark.parametrize("steps", ["[]", "[0.0]", "[-2.0]"])
def test_a_card_whose_coarser_voxels_have_no_size_is_refused(tmp_path, steps):
    package = load_package("lung-nodule")
    text = (package.folder / "model.toml").read_text(encoding="utf-8")
    (tmp_path / "model.toml").write_text(text.replace("spacings_mm = [3.0, 2.0]", f"spacings_mm = {steps}"), encoding="utf-8")
    with pytest.raises(ModelError, match="spacings_mm"):
        read_card(tmp_path / "model.toml")
