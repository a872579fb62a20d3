"""A series without the slices that turned out to be undecodable."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from medimg.errors import ScanError
from medimg.readers._dicom_frames import frames_of
from medimg.readers._dicom_header import read_header
from medimg.readers._dicom_series import series_of

if TYPE_CHECKING:
    from medimg.values import Series


def without(series: Series, damaged: dict[int, str]) -> Series:
    """Describe the series again without the slices of these numbers: shorter where they were at its end, with a gap inside.

    Raises:
        ScanError: too few slices are left, or they make no volume.
    """
    wanted = {(str(item.file), item.frame): number for number, item in enumerate(series.slices)}
    frames = []
    for file in series.files:
        found = frames_of(read_header(str(file)))
        for frame in found if isinstance(found, list) else []:
            number = wanted.get((frame.path, frame.index))
            if number is None:
                continue
            if number in damaged:
                frame.trouble = ("undecodable", damaged[number])
            frames.append(frame)
    made = [item for item in series_of(frames, []) if item.is_readable]
    if len(made) != 1:
        words = next(iter(damaged.values()))
        names = ", ".join(sorted({series.slices[number].file.name for number in damaged})[:3])
        raise ScanError(f"{series.name} cannot be decoded: {names} {words}. Export the series again.")
    fresh = tuple(hazard for hazard in made[0].hazards if hazard.kind not in {known.kind for known in series.hazards})
    return replace(made[0], name=series.name, hazards=series.hazards + fresh)
