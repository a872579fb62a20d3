"""What is said of a series, and to whom."""

from __future__ import annotations

import json
from pathlib import Path

from medimg.values import Grid, Hazard, Series, Skipped, SourceSlice, Study, Verdict

GRID = Grid.straight((3, 4, 5), spacing_mm=(2.5, 0.5, 0.5))
SECRET = "1.2.826.0.1.3680043.8.498.77"


def series(**words: object) -> Series:
    given = {
        "reader": "dicom",
        "files": (Path("a/SMITH_JOHN.dcm"),),
        "name": "series-1f3a5c7e9b2d",
        "grid": GRID,
        "modality": "CT",
        "kernel": "STANDARD",
        "study_uid": SECRET,
        "series_uid": SECRET,
        "slices": (SourceSlice(file=Path("a/SMITH_JOHN.dcm"), position_mm=(0, 0, 0), instance_uid=SECRET),),
    }
    return Series(**{**given, **words})  # type: ignore[arg-type]


def test_the_verdict_is_that_of_the_gravest_hazard() -> None:
    noted, split = Hazard("a", Verdict.NOTED, "A."), Hazard("b", Verdict.SPLIT, "B.")
    assert series().verdict is Verdict.EXACT
    assert series(hazards=(noted, split)).verdict is Verdict.SPLIT


def test_only_what_has_a_grid_and_was_not_refused_can_be_read() -> None:
    assert series().is_readable
    assert not series(grid=None).is_readable
    assert not series(hazards=(Hazard("tilt", Verdict.REFUSED, "No."),)).is_readable


def test_what_may_be_shown_holds_neither_identifiers_nor_file_names() -> None:
    study = Study(name="study-0011aabbccdd", series=(series(),), study_uid=SECRET)
    shown = json.dumps(study.to_dict()) + series().describe()
    assert SECRET not in shown
    assert "SMITH" not in shown
    assert json.loads(json.dumps(series().to_dict()))["files"] == 1


def test_it_describes_itself_in_one_line() -> None:
    assert series().describe() == "series-1f3a5c7e9b2d: CT, 3 x 4 x 5 voxels of 2.5 x 0.5 x 0.5 mm, SPL, kernel STANDARD"
    assert series(grid=None, kernel="", modality="").describe() == "series-1f3a5c7e9b2d: dicom, no volume"


def test_what_was_skipped_has_its_reason() -> None:
    assert Skipped(what="notes.txt", reason="It is not an image.").to_dict() == {
        "what": "notes.txt",
        "reason": "It is not an image.",
    }
