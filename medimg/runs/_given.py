"""Check what the caller gave before any work is done: a refusal after minutes is a bad one."""

from __future__ import annotations

import os
from pathlib import Path

from medimg._tools.files import REMEDY
from medimg.errors import OptionError, WriteError

# DICOM's defined terms (PS3.3 C.7.3.1.1.1) of the modalities that make images of slices or projections
MODALITIES = ("CR", "CT", "DX", "IO", "MG", "MR", "NM", "PT", "RF", "US", "XA")


def require_modality(modality: str | None) -> None:
    """Refuse a word that is no modality.

    Raises:
        OptionError: with the nearest one.
    """
    if modality is not None and modality not in MODALITIES:
        raise OptionError.unknown("modality", modality, MODALITIES)


def require_writable(output: str | Path | None) -> None:
    """Refuse a folder that could not be made or written; nothing is made yet.

    Raises:
        WriteError: something of the path is a file, or the folder may not be written.
    """
    if output is None:
        return
    place = Path(output).absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise WriteError(f"{place.name} is a file, and --output is a folder. {REMEDY}.")
    if not os.access(place, os.W_OK | os.X_OK):
        raise WriteError(f"{place.name or place} may not be written. {REMEDY}.")
