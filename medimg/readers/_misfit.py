"""Say why something drawn does not lie on a scan: what is off, by how many millimetres, and what to do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from medimg.errors import GeometryError, ScanError
from medimg.readers._scan_slices import Fit, Miss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from medimg.readers._scan_slices import Plane, ScanSlices

GIVE_ITS_OWN = "Give the scan it was drawn on"
TURNS = (  # what writers do to a place, and how it is said
    (np.array([1.0, 1.0, -1.0]), "with the sign of z turned"),
    (np.array([-1.0, -1.0, 1.0]), "with the signs of x and y turned (RAS in place of LPS)"),
    (np.array([-1.0, -1.0, -1.0]), "with all signs turned"),
)
SAME_SHIFT_MM = 0.5  # planes that are off by the same to this are off by one shift


@dataclass(frozen=True)
class Drawn:
    """What was drawn, in words: `subject` ("The frames"), `one` ("frame"), and a remedy of its own, "" if there is none."""

    subject: str
    one: str
    remedy: str = ""


def require_same_patient(slices: ScanSlices, *, patient: bytes, frame_of_reference: str, name: str) -> None:
    """Refuse what says that it belongs to another patient, or that its millimetres are another frame's.

    Raises:
        ScanError: both say whose they are, and it is not the same patient.
        GeometryError: another frame of reference.
    """
    theirs = slices.patient
    if patient and theirs and patient != theirs:
        raise ScanError(f"{name} and the scan name two patients (PatientID differs). {GIVE_ITS_OWN}.")
    frame = slices.grid.frame_of_reference
    if frame_of_reference and frame and frame_of_reference != frame:
        raise GeometryError(
            f"{name} lies in another frame of reference than the scan, so their millimetres do not fit. "
            f"{GIVE_ITS_OWN}, or register the two first."
        )


def misfit(planes: Sequence[Plane], misses: Sequence[Miss], total: int, slices: ScanSlices, drawn: Drawn) -> GeometryError:
    """Make the error for planes that lie on no slice of the scan; `total` is how many there are with those that do."""
    whys = {miss.why for miss in misses}
    if whys == {"turned"}:
        return GeometryError(
            f"{_count(len(misses), total, drawn)} turned to the slices of the scan, so no pixel lies on one of its. "
            "Read it without scan=, and resample it: medimg.resample(mask, like=volume.grid)."
        )
    if whys == {"spacing"}:
        sizes = {tuple(round(size, 4) for size in plane.spacing_mm) for plane in planes}
        wide, own = sorted(sizes)[0], (slices.row_mm, slices.column_mm)
        return GeometryError(
            f"{_count(len(misses), total, drawn)} drawn on pixels of {wide[0]:.4g} x {wide[1]:.4g} mm, and the scan's are of "
            f"{own[0]:.4g} x {own[1]:.4g} mm. Read it without scan=, and resample it: medimg.resample(mask, like=volume.grid)."
        )
    off = np.array([miss.off_mm for miss in misses])
    off = off[np.isfinite(off)]
    far = f"{off.min():.3g} mm" if np.ptp(off) < 0.1 else f"{off.min():.3g} to {off.max():.3g} mm"
    nearest = "the nearest slice" if "slice" in whys else "the scan's pixels"
    words = f"{_count(len(misses), total, drawn)} not on the scan: {far} off {nearest}"
    guess = _guess(planes, slices)
    remedy = drawn.remedy or f"{GIVE_ITS_OWN}"
    if not slices.is_exact and "slice" in whys and off.max() <= slices.plane_mm:
        remedy = "Give the scan as a path or a Series, which know where each slice was measured; a Volume has them evened out"
    return GeometryError(f"{words}{guess}. {remedy}.")


def _guess(planes: Sequence[Plane], slices: ScanSlices) -> str:
    """Say what would put all planes on slices, if it is one of the things that writers do."""
    for signs, words in TURNS:
        if all(isinstance(slices.fit(replace(plane, position_mm=plane.position_mm * signs)), Fit) for plane in planes):
            return f"; {words} they would lie on it, so whatever wrote them lost it"
    heights = np.array([plane.position_mm @ slices.normal for plane in planes])
    apart = np.array([height - slices.heights[np.abs(slices.heights - height).argmin()] for height in heights])
    beyond = (heights < slices.heights.min()) | (heights > slices.heights.max())
    if beyond.all():
        return ", beyond its ends"
    if len(apart) > 1 and np.ptp(apart) < SAME_SHIFT_MM and np.abs(apart).min() > SAME_SHIFT_MM:
        return ", all by the same"
    return ""


def contradiction(numbers: Sequence[int], off_mm: Sequence[float], total: int, guess: str, drawn: Drawn) -> GeometryError:
    """Make the error for planes that name one slice as their source and say that they lie on another."""
    return GeometryError(
        f"{_count(len(numbers), total, drawn)} up to {max(off_mm):.3g} mm from the slice that it names as its source{guess}, "
        f"so where it lies is not known. {drawn.remedy or GIVE_ITS_OWN}."
    )


def guess_for(planes: Sequence[Plane], sources: Sequence[NDArray[np.float64]]) -> str:
    """Say which turn of signs would bring planes to the places of their sources, "" if none does."""
    for signs, words in TURNS:
        if all(
            np.abs(plane.position_mm * signs - source).max() < SAME_SHIFT_MM
            for plane, source in zip(planes, sources, strict=True)
        ):
            return f" ({words} it would lie there: whatever wrote it lost it)"
    return ""


def _count(some: int, total: int, drawn: Drawn) -> str:
    if some == total:
        return f"{drawn.subject} are" if total > 1 else f"The one {drawn.one} is"
    return f"{some} of {total} {drawn.one}s {'is' if some == 1 else 'are'}"
