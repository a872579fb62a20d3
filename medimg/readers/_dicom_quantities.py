"""What values mean beyond their rescale: real-world value mapping (PS3.3 C.7.6.16.2.11), standardized uptake value of PET."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from medimg._tools.text import printable
from medimg.readers import _dicom_tags as tag
from medimg.readers._dicom_header import NotDicomError, decimals
from medimg.readers._dicom_items import items, numbers
from medimg.values import Hazard, Verdict

if TYPE_CHECKING:
    from medimg.readers._dicom_frames import Frame

HOUNSFIELD = "[hnsf'U]"  # UCUM
LONGEST_HALF_LIVES = 8  # from injection to scan: after more there is nothing left to see, so the clocks disagree
DOSES_BQ, WEIGHTS_KG, HALF_LIVES_S = (1e6, 1e11), (0.5, 500.0), (60.0, 1e7)  # else they are in other units
SAME_FOR_ALL = (
    tag.UNITS,
    tag.CORRECTED_IMAGE,
    tag.PATIENT_WEIGHT,
    tag.DECAY_CORRECTION,
    tag.RADIOPHARMACEUTICAL,
    tag.SERIES_TIME,
)


@dataclass(frozen=True)
class Mapping:
    """A linear map of stored values to a unit (UCUM)."""

    slope: float
    intercept: float
    unit: str


def mapping_of(raw: bytes, *, big: bool) -> Mapping | None:
    """Return the one linear mapping of a RealWorldValueMappingSequence; None if there are several, a table, or damage."""
    try:
        found = items(raw, big=big)
        if len(found) != 1:
            return None
        slope, intercept = (numbers(found[0].get(key, b""), "d", big) for key in (tag.REAL_WORLD_SLOPE, tag.REAL_WORLD_INTERCEPT))
        units = items(found[0].get(tag.MEASUREMENT_UNITS, b""), big=big, most=1)
    except NotDicomError:
        return None
    if len(slope) != 1 or len(intercept) != 1 or not math.isfinite(slope[0] + intercept[0]) or not slope[0]:
        return None
    unit = units[0].get(tag.CODE_VALUE, b"").decode("ascii", "replace").strip("\0 ") if units else ""
    return Mapping(slope[0], intercept[0], "HU" if unit == HOUNSFIELD else printable(unit)[:16])


def suv_factor(frames: list[Frame]) -> float | None:
    """Return what a PET value in Bq/ml is multiplied with to be an SUV by body weight (g/ml); None if headers do not allow it.

    Needed are attenuation and decay correction, weight, dose, half-life, and when the tracer was given; decay is from then to the
    time that values are corrected to (QIBA FDG-PET/CT profile, appendix G, without vendors' private attributes).
    """
    header = frames[0].header
    corrected = {part.strip() for part in header.text(tag.CORRECTED_IMAGE).split("\\")}
    weight_kg = header.number(tag.PATIENT_WEIGHT)
    if any(one.header.tags.get(key) != header.tags.get(key) for one in frames for key in SAME_FOR_ALL):
        return None
    if header.text(tag.UNITS) != "BQML" or not {"ATTN", "DECY"} <= corrected or not _within(weight_kg, WEIGHTS_KG):
        return None
    try:
        (tracer,) = items(header.tags.get(tag.RADIOPHARMACEUTICAL, b""), big=header.big)
    except (NotDicomError, ValueError):
        return None
    dose, half_life = (decimals(tracer.get(key, b""), 1) for key in (tag.TOTAL_DOSE, tag.HALF_LIFE))
    if not dose or not half_life or not _within(dose[0], DOSES_BQ) or not _within(half_life[0], HALF_LIVES_S):
        return None
    decay = header.text(tag.DECAY_CORRECTION)
    if decay == "ADMIN":
        waited_s = 0.0
    elif decay == "START":
        waited = _waited_s(frames, tracer)
        if waited is None or waited > LONGEST_HALF_LIVES * half_life[0]:
            return None
        waited_s = waited
    else:
        return None
    assert weight_kg is not None  # it lies within its limits
    return float(weight_kg * 1000 / (dose[0] * 2 ** (-waited_s / half_life[0])))


def quantity_hazards(frames: list[Frame]) -> list[Hazard]:
    """Say what values mean where that is more than their rescale."""
    found, frame = [], frames[0]
    mapping = frame.mapping
    if mapping:
        unit = mapping.unit or "a unit that is not told"
        line = f"{mapping.slope:g} x stored value {'-' if mapping.intercept < 0 else '+'} {abs(mapping.intercept):g}"
        if frame.is_mapped and any(one.mapping != mapping for one in frames):
            line = "each slice by its own"
        if frame.is_mapped:
            words = f"It has no rescale; its values are those of its real-world value mapping ({line}), in {unit}."
            found.append(Hazard("real-world-values", Verdict.NOTED, words))
        elif (mapping.slope, mapping.intercept) != (frame.slope, frame.intercept):
            words = (
                f"Its values are as rescaled; its real-world value mapping is another ({line}, in {unit}) and was not applied."
            )
            found.append(Hazard("real-world-values", Verdict.NOTED, words))
    elif frame.has_mapping:
        words = "It maps its values to several quantities or through a table; they are as rescaled or stored."
        found.append(Hazard("real-world-values", Verdict.NOTED, words))
    if frame.modality == "PT":
        factor = suv_factor(frames)
        if factor:
            words = f"Its values are Bq/ml; times {factor:.6g} they are SUV by body weight, by what its header says."
            found.append(Hazard("suv", Verdict.NOTED, words))
    return found


def _waited_s(frames: list[Frame], tracer: dict[int, bytes]) -> float | None:
    """Return the time from injection to the scan's start: the series' time; None if an image was taken before it."""
    header = frames[0].header
    scan = _moment(header.text(tag.SERIES_DATE) + header.text(tag.SERIES_TIME))
    images = [_moment(one.header.text(tag.ACQUISITION_DATE) + one.header.text(tag.ACQUISITION_TIME)) for one in frames]
    if scan is None or any(image is None or image < scan for image in images):  # a series made later has its making's time
        return None
    given = _moment(tracer.get(tag.TRACER_DATETIME, b"").decode("ascii", "replace"))
    if given is None:
        given = _moment(header.text(tag.SERIES_DATE) + tracer.get(tag.TRACER_TIME, b"").decode("ascii", "replace"))
        if given is not None and given > scan:  # the day before
            given -= timedelta(days=1)
    if given is None:
        return None
    waited_s = (scan - given).total_seconds()
    return waited_s if waited_s >= 0 else None


def _within(value: float | None, limits: tuple[float, float]) -> bool:
    return value is not None and limits[0] <= value <= limits[1]


def _moment(text: str) -> datetime | None:
    """Read a date and a time of hours, minutes or seconds (VR TM, DT); fractions and offsets are left out."""
    digits = text.strip("\0 ").split(".")[0].split("+")[0].split("-")[0]
    if len(digits) not in (10, 12, 14):
        return None
    digits = digits.ljust(14, "0")
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S")  # noqa: DTZ007 - all of one scanner's clock
    except ValueError:
        return None
