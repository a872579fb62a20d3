"""What a model was not made for, it says so from the headers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medimg.models import fit, load_package
from medimg.models.fit import tilt_deg
from medimg.values import Grid, Hazard, Series, SourceSlice, Verdict

CARD = load_package("lung-nodule").card
CHEST = Series(
    reader="dicom",
    files=(),
    name="series-1",
    grid=Grid.straight((120, 512, 512), spacing_mm=(2.5, 0.7, 0.7)),
    modality="CT",
    body_part="CHEST",
)


def tilted(angle_deg):
    grid = CHEST.grid
    affine = grid.affine.copy()
    affine[:3, 0] = 2.5 * np.array([0, np.sin(np.radians(angle_deg)), np.cos(np.radians(angle_deg))])
    return Grid(grid.shape, affine)


def test_a_chest_ct_fits():
    assert fit(CARD, CHEST) == ""


def test_a_series_without_modality_or_body_part_is_not_excluded():
    assert fit(CARD, replace(CHEST, modality="", body_part="")) == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"modality": "MR"}, "It is MR"),
        ({"body_part": "HEAD"}, "body part is HEAD"),
        ({"body_part": "Abdomen"}, "body part is Abdomen"),
        ({"image_type": ("DERIVED", "SECONDARY", "MIP")}, "derived image"),
        ({"patient_age_years": 7.0}, "under 18"),
        ({"grid": Grid.straight((40, 512, 512), spacing_mm=(8.0, 0.7, 0.7))}, "8 mm apart"),
        ({"grid": Grid.straight((120, 512, 512), spacing_mm=(2.5, 4.0, 4.0))}, "4 mm wide"),
        ({"grid": Grid.straight((3, 512, 512), spacing_mm=(2.5, 0.7, 0.7))}, "covers 7.5 mm"),
        ({"grid": tilted(15)}, "tilted by 15.0 degrees"),
        (
            {"grid": None, "hazards": (Hazard("no-position", Verdict.REFUSED, "No slice has a position."),)},
            "No slice has a position",
        ),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(change, words):
    reason = fit(CARD, replace(CHEST, **change))
    assert words in reason
    assert reason.endswith(".")


def test_what_the_user_says_stands_in_for_a_missing_header_not_against_one():
    assert fit(CARD, replace(CHEST, modality=""), modality="MR") != ""
    assert fit(CARD, CHEST, modality="MR") == ""


@pytest.mark.parametrize("angle_deg", [0, 4, 20])
def test_the_tilt_is_the_angle_of_the_gantry(angle_deg):
    assert tilt_deg(tilted(angle_deg)) == pytest.approx(angle_deg, abs=1e-6)


def test_a_coronal_grid_is_judged_by_its_own_axes():
    coronal = CHEST.grid.transpose((1, 0, 2))
    assert fit(CARD, replace(CHEST, grid=coronal)) == ""


def test_slices_that_were_measured_far_apart_do_not_fit_however_fine_the_grid_is():
    """A grid of 2.5 mm over slices 12.5 mm apart: four of five of its slices are repeats."""
    slices = tuple(SourceSlice(file=Path(f"{number}"), position_mm=(0, 0, 12.5 * number)) for number in range(20))
    slice_of = tuple(place // 5 if place % 5 == 0 else None for place in range(96))
    grid = Grid.straight((96, 512, 512), spacing_mm=(2.5, 0.7, 0.7))
    far = Series(reader="dicom", files=(), name="a", modality="CT", grid=grid, slices=slices, slice_of=slice_of)
    assert "12.5 mm apart" in fit(CARD, far)


def test_a_series_with_many_gaps_does_not_fit():
    slices = tuple(SourceSlice(file=Path(f"{number}"), position_mm=(0, 0, 2.5 * number)) for number in range(70))
    slice_of = (*range(70), *(None,) * 26)
    grid = Grid.straight((96, 512, 512), spacing_mm=(2.5, 0.7, 0.7))
    holed = Series(reader="dicom", files=(), name="a", modality="CT", grid=grid, slices=slices, slice_of=slice_of)
    assert "were not measured" in fit(CARD, holed)
