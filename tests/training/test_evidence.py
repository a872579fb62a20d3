"""Measured figures reach the card, and nothing else of it changes."""

from __future__ import annotations

import shutil

from medimg.models import load_package
from medimg.models.package import PACKAGED
from medimg.training.evidence import write_evidence

FIGURES = {
    "model": "lung-nodule 0.1.0",
    "whole_scans": [{"scan": "A", "found": 2, "seconds": 3.5}, {"scan": "B", "found": 0, "seconds": 4.0}],
    "val cubes, centred": {"nodules": 127, "segmentation.dice_mean": [0.78912, 0.7, 0.8]},
}


def test_figures_are_written_once_and_replaced(tmp_path):
    folder = shutil.copytree(PACKAGED / "lung-nodule", tmp_path / "model")
    before = load_package(folder).card
    for figures in (FIGURES, FIGURES):
        write_evidence(folder, figures)
    card = load_package(folder).card
    plain = {name: value for name, value in before.evidence.items() if isinstance(value, str)}
    assert card.evidence == plain | {
        "whole_scans": [{"scan": "A", "found": 2}, {"scan": "B", "found": 0}],
        "val_cubes_centred": {"title": "val cubes, centred", "nodules": 127, "segmentation_dice_mean": [0.7891, 0.7, 0.8]},
    }
    assert card.stages == before.stages
