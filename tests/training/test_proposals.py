"""What a search of a cube finds is told apart: its own nodule, another nodule of the scan, and neither."""

from __future__ import annotations

import numpy as np
import pytest

from medimg.engine import load_model
from medimg.training._blocks import OTHER, OWN
from medimg.training._proposals import proposals
from medimg.training.cases import collect
from medimg.training.cubes import Cubes

EDGE = 50
OWN_AT, OTHER_AT = (25, 25, 25), (25, 25, 40)


@pytest.fixture(scope="module")
def cubes():
    """A ball of 7 mm in the middle, and one of 9 mm, surer to be found, beside it, which is the nodule of another cube."""
    places = np.moveaxis(np.indices((EDGE,) * 3), 0, -1)
    own, other = (np.linalg.norm(places - at, axis=-1) <= radius for at, radius in ((OWN_AT, 3.5), (OTHER_AT, 4.5)))
    hu = np.where(own | other, 40, -850) + np.random.default_rng(0).normal(0, 15, own.shape)
    mask = np.where(own, OWN, np.where(other, OTHER, 0)).astype(np.uint8)
    row = dict.fromkeys(("malignant", "texture_mean", "calcification_mean"), "") | {"nodule_id": "n", "patient_id": "P"}
    row |= {f"origin_{axis}": "0" for axis in "xyz"} | {f"centroid_{axis}": "25" for axis in "xyz"}
    return Cubes(hu=hu.round().astype(np.int16)[None], mask=mask[None], rows=(row,))


def test_both_nodules_are_proposed_and_told_apart(cubes):
    found = {hit: lesion for lesion, hit in proposals(load_model(), cubes, 0)}
    for hit, at in ((OWN, OWN_AT), (OTHER, OTHER_AT)):
        lesion = found[hit]
        center = lesion.grid.to_index(np.array(at, float)[::-1]) - np.array(lesion.grid.shape) // 2
        assert np.abs(center).max() <= 2


def test_another_cubes_nodule_is_neither_hit_nor_false(cubes):
    cases = collect(load_model(), cubes)
    assert (cases.target >= 0).sum() == 1
    assert cases.cases[0].found_outline.dice > 0.6
