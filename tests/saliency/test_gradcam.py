"""A heatmap means something: it lies on the lesion, moves with it, and comes from these very weights."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.engine import load_model
from medimg.errors import ModelError, OptionError
from medimg.saliency import explain, methods
from medimg.values import Code, Finding, Grid, Measures, Volume

NODULE_MM = np.array([12.0, -8.0, 40.0])


@pytest.fixture(scope="module")
def model():
    return load_model("lung-nodule", device="cpu")


def lung_with_nodule(center_mm, *, radius_mm=7.0):
    """Return a block of lung with one solid nodule, its edge as soft as a scanner makes it."""
    grid = Grid.straight((90, 90, 90), spacing_mm=(1.0, 1.0, 1.0), origin_mm=(-35, -55, -5))
    points = grid.to_mm(np.stack(np.indices(grid.shape), axis=-1))
    distance = np.linalg.norm(points - center_mm, axis=-1)
    inside = 1 / (1 + np.exp((distance - radius_mm) / 0.5))
    noise = np.random.default_rng(0).normal(0, 15, grid.shape)
    return Volume(array=np.round(-850 + 880 * inside + noise).astype(np.int16), grid=grid, modality="CT", unit="HU")


def finding_at(center_mm):
    measures = Measures(volume_mm3=1400, longest_diameter_mm=14, short_diameter_mm=14)
    return Finding(
        id=1, center_mm=tuple(center_mm), measures=measures, kind=Code("SCT", "27925004", "Nodule"), detection_probability=0.9
    )


def centre_of(heatmap):
    points = heatmap.grid.to_mm(np.stack(np.indices(heatmap.grid.shape), axis=-1))
    return (points * heatmap.array[..., None]).sum(axis=(0, 1, 2)) / heatmap.array.sum()


def test_the_map_lies_on_the_nodule_in_the_patients_millimetres(model):
    heatmap = explain(model, lung_with_nodule(NODULE_MM), finding_at(NODULE_MM))
    assert heatmap.array.max() == pytest.approx(1.0)
    assert heatmap.array.min() >= 0
    assert np.linalg.norm(centre_of(heatmap) - NODULE_MM) < 3.0


@pytest.mark.parametrize("offset", [(5, 0, 0), (-5, 0, 0), (0, -5, 0), (0, 5, 0), (0, 0, 5), (0, 0, -5)])
def test_an_off_centre_nodule_moves_the_map_by_the_same_millimetres(model, offset):
    """The cube stays where it is and the nodule moves in it, as far off the middle as the network learnt nodules to lie.

    A map that only shows the cube's middle stays behind.
    """
    here = explain(model, lung_with_nodule(NODULE_MM), finding_at(NODULE_MM))
    moved = explain(
        model, lung_with_nodule(NODULE_MM + np.array(offset, float)), finding_at(NODULE_MM), center_mm=tuple(NODULE_MM)
    )
    assert moved.grid == here.grid
    np.testing.assert_allclose(centre_of(moved) - centre_of(here), offset, atol=2.0)


def test_the_map_is_the_same_on_a_flipped_array(model):
    volume = lung_with_nodule(NODULE_MM)
    flipped = volume.with_grid(volume.array[:, ::-1], volume.grid.flip(1))
    first, second = (explain(model, one, finding_at(NODULE_MM)) for one in (volume, flipped))
    assert first.grid == second.grid
    np.testing.assert_allclose(first.array, second.array, atol=1e-4)


def test_random_weights_change_the_map(model):
    import torch

    volume = lung_with_nodule(NODULE_MM)
    trained = explain(model, volume, finding_at(NODULE_MM))
    other = load_model("lung-nodule", device="cpu")
    torch.manual_seed(0)
    for weights in other.network(other.card.stage("classify")).parameters():
        if weights.ndim > 1:
            torch.nn.init.kaiming_normal_(weights)
    shuffled = explain(other, volume, finding_at(NODULE_MM))
    likeness = np.corrcoef(trained.array.ravel(), shuffled.array.ravel())[0, 1]
    assert not likeness > 0.5  # a map of zeros has no likeness at all


def test_an_unknown_score_and_an_unknown_method(model):
    volume, finding = lung_with_nodule(NODULE_MM), finding_at(NODULE_MM)
    with pytest.raises(OptionError, match=r"suspicion \(the nearest\)"):
        explain(model, volume, finding, target="suspicions")
    with pytest.raises(OptionError, match=r"gradcam \(the nearest\)"):
        explain(model, volume, finding, method="gradcm")
    assert "gradcam" in methods()


def test_a_card_without_a_saliency_layer(model):
    from dataclasses import replace

    from medimg.engine import Model

    stages = tuple(replace(stage, saliency_layer="") for stage in model.card.stages)
    package = replace(model.package, card=replace(model.card, stages=stages))
    with pytest.raises(ModelError, match="no saliency layer"):
        explain(Model(package, device="cpu"), lung_with_nodule(NODULE_MM), finding_at(NODULE_MM))
