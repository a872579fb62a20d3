"""From the frames of one SeriesInstanceUID to series with a verdict each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg._tools.identity import short_name
from medimg.errors import GeometryError
from medimg.readers import _dicom_tags as tag
from medimg.readers._dicom_frames import code_string, no_rescale
from medimg.readers._dicom_groups import Part, parted, same_place_mm
from medimg.readers._dicom_objects import PROJECTIONS
from medimg.readers._dicom_places import place
from medimg.readers._dicom_quantities import quantity_hazards, suv_factor
from medimg.readers._dicom_raw import same_pixels
from medimg.values import Grid, Hazard, Series, SourceSlice, Verdict

if TYPE_CHECKING:
    from medimg.readers._dicom_frames import Frame

LISTED = 8  # files that a sentence lists; the hazard's `files` has all
INVERTED = "It is MONOCHROME1 (low values are bright); the values stay as stored."
OFF_FIRST_MM = 0.05  # a corner that is less far off is rounding of directions and spacing
VOXELS_LIMIT = 1 << 33  # of one volume: 16 GiB as int16


def series_of(frames: list[Frame], localizers: list[str]) -> list[Series]:
    """Describe the volumes that the frames of one series make; `localizers` are files of the same series that were skipped."""
    bad = [frame for frame in frames if frame.trouble]
    sound = [frame for frame in frames if not frame.trouble]
    modality = Counter(frame.modality for frame in frames).most_common(1)[0][0]
    if modality in PROJECTIONS and not any(frame.position for frame in sound):
        made = [_projection(frame) for frame in sound] + [_refused([frame], *frame.trouble) for frame in bad if frame.trouble]
        return [_named(series, members) for series, members in made]
    scaled = any(not frame.is_stored for frame in sound)
    for frame in list(sound):
        trouble = _unplaced(frame) or (no_rescale("") if frame.is_stored and scaled else None)
        if trouble:
            frame.trouble = trouble
            sound.remove(frame)
            bad.append(frame)
    whole = {(frame.header.text(tag.SOP_INSTANCE), frame.index) for frame in sound} if bad else set()
    copies = [frame for frame in bad if (frame.header.text(tag.SOP_INSTANCE), frame.index) in whole]
    if len(bad) - len(copies) >= len(sound):
        kind, words = Counter(frame.trouble for frame in bad if frame.trouble).most_common(1)[0][0]
        return [_named(*_refused(frames, kind, _sentence(kind, words, bad, len(frames)), told=True))]
    hazards = _left_out(bad)
    if localizers:
        words = f"{_count(localizers, 'localizer')} in this series: {_some([Path(path).name for path in localizers])}; left out."
        hazards.append(Hazard("localizer", Verdict.NOTED, words, tuple(localizers)))
    parts = parted(sound, same_pixels)
    made = [_volume(part, len(parts), hazards, [frame.path for frame in bad] if len(parts) == 1 else []) for part in parts]
    return [_named(series, members, alone=len(made) == 1) for series, members in made]


def mixed_patients(frames: list[Frame], count: int) -> Series:
    """Refuse a series of a study whose files name several patients: whose it is cannot be known."""
    words = f"The files of one study or series name {count} patients (or none in some), so whose images these are is unknown."
    return _named(*_refused(frames, "mixed-patients", words, told=True))


def _unplaced(frame: Frame) -> tuple[str, str] | None:
    if frame.position is None or frame.orientation is None:
        return "no-position", "has no ImagePositionPatient and ImageOrientationPatient, so its place in the patient is unknown"
    if frame.spacing is None:
        return "no-spacing", "has no PixelSpacing, so the size of its pixels is unknown"
    return None


def _volume(part: Part, parts: int, hazards: list[Hazard], left_out: list[str]) -> tuple[Series, list[Frame]]:
    frames = part.frames
    if part.refusal:
        kind, words = part.refusal
        return _refused(frames, kind, f"{words}; no volume of it could be trusted.", told=True)
    try:
        placed = place(frames)
    except GeometryError:
        return _refused(frames, "bad-geometry", "Its slices span no volume.", told=True)
    found = [*hazards, *placed.hazards]
    if parts > 1:
        why = " and ".join(part.reasons) or "their place"
        words = f"One series holds {parts} volumes, told apart by {why}; this is one of them ({_count(frames, 'slice')})."
        found.append(Hazard("several-volumes", Verdict.SPLIT, words))
    if part.duplicates:
        names = [frame.name for frame in part.duplicates]
        words = f"{_count(names, 'slice')} twice with the same pixels: {_some(names)}; one of each was taken."
        found.append(Hazard("duplicate-slice", Verdict.REPAIRED, words, tuple(frame.path for frame in part.duplicates)))
    if frames[0].text(tag.PHOTOMETRIC) == "MONOCHROME1":
        found.append(Hazard("inverted", Verdict.NOTED, INVERTED))
    found += quantity_hazards(frames)
    off_mm = _off_first_mm(frames)
    if off_mm > OFF_FIRST_MM:
        words = f"Orientation or pixel spacing of its slices differ a little; a corner lies up to {off_mm:.2g} mm off the grid's."
        found.append(Hazard("slight-differences", Verdict.NOTED, words))
    if part.shifted_mm > same_place_mm(frames[0]):
        words = (
            f"The slices lie up to {part.shifted_mm:.2g} mm beside each other; "
            "the grid has them in one column, where they lie on average."
        )
        found.append(Hazard("shifted-slices", Verdict.NOTED, words))
    if int(np.prod(placed.grid.shape, dtype=np.int64)) > VOXELS_LIMIT:
        return _refused(frames, "too-large", "It would have more voxels than are read at once.", told=True)
    slices = tuple(
        SourceSlice(
            file=frame.header.file,
            frame=frame.index,
            position_mm=frame.position,  # type: ignore[arg-type]
            instance_uid=frame.header.uid(tag.SOP_INSTANCE),
            class_uid=frame.header.text(tag.SOP_CLASS),
        )
        for frame in frames
    )
    files = tuple(dict.fromkeys(item.file for item in slices))
    found.sort(key=lambda hazard: -hazard.verdict.severity)
    return _described(
        frames, files=files, grid=placed.grid, slices=slices, slice_of=placed.slice_of, hazards=tuple(found)
    ), frames


def _off_first_mm(frames: list[Frame]) -> float:
    """Return how far a far corner of a slice lies off where the first slice's directions and spacing put it."""
    kinds = {(frame.orientation, frame.spacing) for frame in frames}
    if len(kinds) == 1:
        return 0.0
    first = frames[0]
    sides = np.array([first.columns - 1, first.rows - 1])[:, None]
    edges = [
        np.reshape(orientation, (2, 3)) * np.array(spacing[::-1])[:, None] * sides
        for orientation, spacing in [(first.orientation, first.spacing), *kinds]
        if orientation and spacing
    ]
    return float(max(np.linalg.norm(edge - edges[0], axis=1).sum() for edge in edges))


def _projection(frame: Frame) -> tuple[Series, list[Frame]]:
    """Describe a projection (CR, DX ...): one picture in the detector's millimetres."""
    down, right = frame.spacing or (1.0, 1.0)
    grid = Grid.straight((1, frame.rows, frame.columns), spacing_mm=(1.0, down, right))
    words = "A projection has no place in the patient: its millimetres are the detector's, its depth of 1 mm means nothing."
    found = [Hazard("projection", Verdict.NOTED, words)]
    if frame.spacing is None:
        words = "It says neither PixelSpacing nor ImagerPixelSpacing; 1 mm is taken, so no length or area in it can be trusted."
        found.insert(0, Hazard("no-spacing", Verdict.REPAIRED, words))
    if frame.text(tag.PHOTOMETRIC) == "MONOCHROME1":
        found.append(Hazard("inverted", Verdict.NOTED, INVERTED))
    source = SourceSlice(
        file=frame.header.file,
        frame=frame.index,
        position_mm=(0.0, 0.0, 0.0),
        instance_uid=frame.header.text(tag.SOP_INSTANCE),
        class_uid=frame.header.text(tag.SOP_CLASS),
    )
    return _described([frame], files=(source.file,), grid=grid, slices=(source,), slice_of=(0,), hazards=tuple(found)), [frame]


def _refused(frames: list[Frame], kind: str, words: str, *, told: bool = False) -> tuple[Series, list[Frame]]:
    files = tuple(dict.fromkeys(frame.path for frame in frames))
    sentence = words if told else _sentence(kind, words, frames, len(frames))
    hazard = Hazard(kind, Verdict.REFUSED, sentence, files)
    return _described(frames, files=tuple(map(Path, files)), hazards=(hazard,)), frames


def _sentence(kind: str, words: str, bad: list[Frame], total: int) -> str:
    same = [frame for frame in bad if frame.trouble and frame.trouble[0] == kind]
    return f"{_each(same or bad)} {words} ({len(same or bad)} of {total})."


def _left_out(bad: list[Frame]) -> list[Hazard]:
    kinds: dict[tuple[str, str], list[Frame]] = {}
    for frame in bad:
        kinds.setdefault(frame.trouble or ("", ""), []).append(frame)
    return [
        Hazard(
            f"left-out-{kind}",
            Verdict.REPAIRED,
            f"{_each(members)} {words}; {'it was' if len(members) == 1 else 'they were'} left out.",
            tuple(dict.fromkeys(frame.path for frame in members)),
        )
        for (kind, words), members in kinds.items()
    ]


def _described(frames: list[Frame], *, files: tuple[Path, ...], hazards: tuple[Hazard, ...], **places: Any) -> Series:
    """Fill in the header's words, those of the first slice where slices differ."""
    first = frames[0]
    header = first.header
    number = header.first_number(tag.SERIES_NUMBER)
    return Series(
        reader="dicom",
        files=files,
        name="",
        hazards=hazards,
        modality=first.modality,
        kernel=_words(first.text(tag.KERNEL)),
        thickness_mm=first.thickness,
        body_part=_words(header.text(tag.BODY_PART)),
        image_type=tuple(part.strip() for part in first.text(tag.IMAGE_TYPE).split("\\") if part.strip()),
        contrast=True if header.text(tag.CONTRAST_AGENT) else None,
        manufacturer=_words(header.text(tag.MANUFACTURER)),
        patient_age_years=_age(header.text(tag.AGE), header.text(tag.BIRTH_DATE), header.text(tag.STUDY_DATE)),
        patient_position=code_string(header.text(tag.PATIENT_POSITION)),
        series_number=int(number) if number is not None and abs(number) < 1e9 else None,
        suv_factor=suv_factor(frames) if first.modality == "PT" else None,
        transfer_syntax=header.text(tag.TRANSFER_SYNTAX),
        study_uid=header.text(tag.STUDY_UID),
        series_uid=header.text(tag.SERIES_UID),
        acquisition=_acquisition(frames),
        **places,
    )


def _named(series: Series, members: list[Frame], *, alone: bool = False) -> Series:
    """Give the series its short name: of its UID alone, or with its first instance where the UID holds several."""
    from dataclasses import replace

    parts: tuple[object, ...] = (series.series_uid,)
    if not alone or not series.series_uid:
        parts += min((frame.header.text(tag.SOP_INSTANCE), frame.index) for frame in members)
    return replace(series, name=short_name("series", *parts))


def _acquisition(frames: list[Frame]) -> str:
    """Return a hash of what reconstructions of one acquisition share; "" if the header does not tell acquisitions apart."""
    first = frames[0]
    times = [frame.text(tag.ACQUISITION_DATETIME) or frame.text(tag.ACQUISITION_TIME) for frame in frames]
    number, start = first.text(tag.ACQUISITION_NUMBER), min(times).split(".")[0]
    study, frame_of_reference = first.header.text(tag.STUDY_UID), first.header.text(tag.FRAME_OF_REFERENCE)
    if not (study and frame_of_reference and (number or start)):
        return ""
    return short_name("acquisition", study, frame_of_reference, number, start, first.header.text(tag.CONTRAST_AGENT) != "")


def _age(age: str, birth: str, study: str) -> float | None:
    units = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
    if len(age) == 4 and age[:3].isdigit() and age[3] in units:
        return round(int(age[:3]) * units[age[3]], 3)
    if len(birth) == len(study) == 8 and birth.isdigit() and study.isdigit():
        years = (int(study) - int(birth)) / 10_000
        return float(int(years)) if 0 <= years < 130 else None
    return None


def _words(text: str) -> str:
    """Header text as it may be shown: printable, one line, short."""
    return "".join(character for character in text if character.isprintable())[:64].strip()


def _count(items: object, word: str) -> str:
    count = len(items)  # type: ignore[arg-type]
    return f"{count} {word}{'' if count == 1 else 's'}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")


def _each(frames: list[Frame]) -> str:
    names = list(dict.fromkeys(frame.name for frame in frames))
    return names[0] if len(names) == 1 else f"Each of {_some(names)}"
