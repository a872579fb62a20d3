"""Say whether a series is one that a model was made for, from its headers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from medimg.models.card import ModelCard
    from medimg.values import Grid, Series

MOST_UNMEASURED = 0.2  # share of a grid's slices that are repeats of others; a tenth is lost when a few files are
DERIVED_IMAGES = ("LOCALIZER", "SECONDARY", "SCREEN SAVE", "MIP", "MINIP", "REFORMATTED", "PROJECTION IMAGE")


def fit(card: ModelCard, series: Series, *, modality: str = "") -> str:
    """Return "" if the headers of `series` are within the card's limits, else the reason in one sentence.

    A series without a modality (NIfTI and the like) passes here: its voxels decide. BodyPartExamined may exclude a series, it
    never admits one. `modality` is what the user says and stands in for a missing header, not against one.
    """
    limits = card.input
    if not series.is_readable or series.grid is None:
        return next(
            (hazard.sentence for hazard in series.hazards if hazard.verdict == series.verdict), "It cannot be read as a volume."
        )
    known = series.modality or modality
    if known and known != limits.modality:
        return f"It is {known}, and {card.name} reads {limits.modality}."
    derived = [word for word in DERIVED_IMAGES if word in {part.upper() for part in series.image_type}]
    if derived:
        return f"It is a derived image ({derived[0].lower()}), not a measured volume."
    body_part = series.body_part.upper().replace(" ", "")
    if body_part in limits.excluded_body_parts:
        return f"Its body part is {series.body_part}, and {card.name} reads {limits.region}."
    if series.patient_age_years is not None and series.patient_age_years < limits.age_limit_years:
        return f"The patient is under {limits.age_limit_years:g} years, and {card.name} was made for adults."
    return fit_grid(card, series.grid) or _fit_measured(card, series)


def _fit_measured(card: ModelCard, series: Series) -> str:
    """Return "" if the slices that were measured are as near to each other as the card asks; the grid's step may be finer."""
    if len(series.slices) < 2 or not series.slice_of:
        return ""
    points = np.array([source.position_mm for source in series.slices])
    least, most = card.input.slice_spacing_mm
    usual = float(np.median(np.linalg.norm(np.diff(points, axis=0), axis=1)))
    if not least <= usual <= most:
        return f"Its measured slices are {usual:.3g} mm apart, and {card.name} was made for {least:g} to {most:g} mm."
    share = series.slice_of.count(None) / len(series.slice_of)
    if share > MOST_UNMEASURED:
        return f"Of its slices {share:.0%} were not measured, and {card.name} judges a scan with {MOST_UNMEASURED:.0%} at most."
    return ""


def fit_grid(card: ModelCard, grid: Grid) -> str:
    """Return "" if a grid is within the card's limits, else the reason in one sentence."""
    limits = card.input
    axial = int(np.argmax(np.abs(grid.directions[2])))  # the axis that runs along the patient
    spacing, size = np.array(grid.spacing_mm), np.array(grid.size_mm)
    others = [axis for axis in range(3) if axis != axial]
    checks = (
        ("Its slices are", spacing[axial], limits.slice_spacing_mm),
        ("Its pixels are", spacing[others].max(), limits.pixel_spacing_mm),
        ("It covers", size[axial], limits.extent_mm),
    )
    for words, value, (low, high) in checks:
        if not low <= value <= high:
            what = {"It covers": "along the patient"}.get(words, "apart" if words == "Its slices are" else "wide")
            return f"{words} {value:.3g} mm {what}, and {card.name} was made for {low:g} to {high:g} mm."
    tilt = tilt_deg(grid)
    if tilt > limits.tilt_limit_deg:
        return f"Its gantry is tilted by {tilt:.1f} degrees, and {card.name} was made for {limits.tilt_limit_deg:g} at most."
    return ""


def tilt_deg(grid: Grid) -> float:
    """Return the angle between the slice axis and the normal of the slices; 0 for straight axes."""
    slices, rows, columns = grid.directions.T
    normal = np.cross(rows, columns)
    return float(np.degrees(np.arccos(np.clip(abs(slices @ normal) / np.linalg.norm(normal), 0, 1))))
