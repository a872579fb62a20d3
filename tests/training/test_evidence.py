"""Measured figures reach the card, and nothing else of it changes."""

from __future__ import annotations

import shutil

from medimg.models import load_package
from medimg.models.package import PACKAGED
from medimg.training.evidence import write_evidence

FIGURES = {
    "model": "lung-nodule 0.1.0",
    "split": "val",
    "nodules": 127,
    "segmentation.dice_mean": [0.78912, 0.7, 0.8],
    "malignancy.auroc": [0.9, None, None],
    "whole_scans.found": 2,
    "whole_scans": [{"scan": "A", "split": "val", "found": 2, "seconds": 3.5}],
}


def test_figures_of_a_split_replace_those_and_no_others(tmp_path):
    folder = shutil.copytree(PACKAGED / "lung-nodule", tmp_path / "model")
    before = load_package(folder).card
    plain = {name: value for name, value in before.evidence.items() if isinstance(value, str)}
    text = (folder / "model.toml").read_text()
    (folder / "model.toml").write_text(text[: text.index("[[evidence.")])
    for split in ("test", "val", "val"):
        scans = [dict(row, split=split, scan=split) for row in FIGURES["whole_scans"]]
        write_evidence(folder, split, FIGURES | {"split": split, "whole_scans": scans})
    card = load_package(folder).card
    numbers = {"nodules": 127, "segmentation_dice_mean": [0.7891, 0.7, 0.8], "whole_scans_found": 2}
    assert card.evidence == plain | {
        "whole_scans": [{"scan": split, "split": split, "found": 2} for split in ("test", "val")],
        "test_nodules": {"title": "nodules of the split test", **numbers},
        "val_nodules": {"title": "nodules of the split val", **numbers},
    }
    assert card.stages == before.stages
