"""Read DICOM: any mix of files, parted into series by their headers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medimg.errors import ScanError
from medimg.readers._dicom_header import NotDicomError, read_header
from medimg.readers._dicom_header import claims as claims
from medimg.values import Series, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from medimg.values import Volume


def scan(paths: Iterable[Path]) -> Iterator[Series | Skipped]:
    """Describe every series of the files, whatever folder each file lies in; skip what is no scan and say what it is."""
    from medimg.readers import _dicom_tags as tag
    from medimg.readers._dicom_frames import Frame, frames_of
    from medimg.readers._dicom_series import mixed_patients, series_of

    groups: dict[tuple[str, str], list[Frame]] = {}
    patients: dict[str, set[bytes]] = {}
    localizers: dict[tuple[str, str], list[str]] = {}
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
        key = (header.text(tag.STUDY_UID), header.text(tag.SERIES_UID))
        frames = frames_of(header)
        header.content = None  # an inflated file is inflated again when its pixels are read
        if isinstance(frames, str):
            if frames.startswith("a localizer"):
                localizers.setdefault(key, []).append(name)
            yield Skipped(what=name, reason=frames)
            continue
        groups.setdefault(key, []).extend(frames)
        patient = header.tags.get(tag.PATIENT_ID, b"").strip(b"\0 ")
        if patient and key[0]:
            patients.setdefault(key[0], set()).add(patient)
    for key, frames in groups.items():
        if len(patients.get(key[0], ())) > 1:
            yield mixed_patients(frames, len(patients[key[0]]))
        else:
            yield from series_of(frames, localizers.get(key, []))


def read(series: Series) -> tuple[Volume, Series]:
    """Read the voxels of a series that `scan` described; without the files that turn out to be undecodable, and then it says so.

    Raises:
        ScanError: a file changed, or nothing can be decoded.
    """
    from medimg.readers._dicom_read import DamagedFramesError, read_volume

    try:
        return read_volume(series), series
    except DamagedFramesError as error:
        from medimg.readers._dicom_repair import without

        smaller = without(series, error.damaged)
    try:
        return read_volume(smaller), smaller
    except DamagedFramesError as error:
        names = ", ".join(sorted({series.slices[number].file.name for number in error.damaged})[:3])
        raise ScanError(f"{series.name} cannot be decoded ({names}). Export the series again.") from error
