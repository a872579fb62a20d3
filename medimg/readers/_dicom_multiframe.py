"""Frames of enhanced multi-frame objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medimg.readers._dicom_frames import Frame
    from medimg.readers._dicom_header import Header


def frames_of_groups(header: Header, modality: str) -> list[Frame]:
    """Return the frames of an object with functional groups."""
    from medimg.readers._dicom_frames import Frame

    return [Frame(header, modality=modality, trouble=("multi-frame", "is an enhanced multi-frame object, which is not read yet"))]
