"""Read DICOM: any mix of files, parted into series by their headers alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from medimg.errors import ScanError
from medimg.readers._dicom_header import NotDicomError, read_header
from medimg.readers._dicom_header import claims as claims
from medimg.values import Series, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from medimg.values import Volume

    Key = tuple[str, str, bytes]  # study, series, and the patient where there is no series UID


def scan(paths: Iterable[Path]) -> Iterator[Series | Skipped]:
    """Describe every series of the files, whatever folder each file lies in; skip what is no scan and say what it is."""
    from medimg.readers import _dicom_tags as tag
    from medimg.readers._dicom_frames import Frame, frames_of
    from medimg.readers._dicom_series import mixed_patients, series_of

    groups: dict[Key, list[Frame]] = {}
    studies: dict[str, set[bytes]] = {}
    patients: dict[Key, set[tuple[bytes, bytes]]] = {}
    localizers: dict[Key, list[str]] = {}
    for path in paths:
        name = str(path)
        try:
            header = read_header(path)
        except NotDicomError as error:
            yield Skipped(what=name, reason=f"damaged DICOM: {error}")
            continue
        except OSError as error:
            yield Skipped(what=name, reason=f"cannot be opened: {error.strerror}")
            continue
        patient, born = (header.tags.get(key, b"").strip(b"\0 ") for key in (tag.PATIENT_ID, tag.BIRTH_DATE))
        study, series = header.text(tag.STUDY_UID), header.text(tag.SERIES_UID)
        key = (study, series, b"" if series else patient + b" " + born)  # without a UID only one patient's files are a series
        frames = frames_of(header)
        header.content = None  # an inflated file is inflated again when its pixels are read
        if isinstance(frames, str):
            if frames.startswith("a localizer"):
                localizers.setdefault(key, []).append(name)
            yield Skipped(what=name, reason=frames)
            continue
        groups.setdefault(key, []).extend(frames)
        patients.setdefault(key, set()).add((patient, born))
        if patient and study:
            studies.setdefault(study, set()).add(patient)
    for key, frames in groups.items():
        count = max(len(studies.get(key[0], ())), _people(patients[key]))
        if count > 1:
            yield mixed_patients(frames, count)
        else:
            yield from series_of(frames, localizers.get(key, []))


def _people(named: set[tuple[bytes, bytes]]) -> int:
    """Return how many patients (id, birth date) the files of a series name; a file that names none may be anybody's."""
    born = {date for _, date in named if date}
    return max(len({patient for patient, _ in named}), len(born))


def _told(volume: Volume, series: Series) -> tuple[Volume, Series]:
    """Say what is known of values only when they are read: whole numbers too large to be exact in float32."""
    import numpy as np

    from medimg.readers._blocks import EXACT_FLOAT32, ROUNDED
    from medimg.values import Hazard, Verdict

    if volume.array.dtype != np.float32 or not any(_has_long_integers(file) for file in series.files[:1]):
        return volume, series
    if np.abs(volume.array).max() <= EXACT_FLOAT32:
        return volume, series
    return volume, replace(series, hazards=(*series.hazards, Hazard("rounded", Verdict.NOTED, ROUNDED)))


def _has_long_integers(file: Path) -> bool:
    from medimg.readers import _dicom_tags as tag

    header = read_header(file)
    return header.pixel_tag == tag.PIXELS and (header.integer(tag.BITS_ALLOCATED) or 0) > 16


def read(series: Series) -> tuple[Volume, Series]:
    """Read the voxels of a series that `scan` described; without the files that turn out to be undecodable, and then it says so.

    Raises:
        ScanError: a file changed, or nothing can be decoded.
    """
    from medimg.readers._dicom_read import DamagedFramesError, read_volume

    try:
        return _told(read_volume(series), series)
    except DamagedFramesError as error:
        from medimg.readers._dicom_repair import without

        smaller = without(series, error.damaged)
    try:
        return _told(read_volume(smaller), smaller)
    except DamagedFramesError as error:
        names = ", ".join(sorted({series.slices[number].file.name for number in error.damaged})[:3])
        raise ScanError(f"{series.name} cannot be decoded ({names}). Export the series again.") from error
