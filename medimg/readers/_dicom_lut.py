"""Values through a Modality LUT (PS3.3 C.11.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg.readers._dicom_raw import UndecodableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from medimg.readers._dicom_frames import Frame


def lut_unit(frame: Frame) -> str:
    """Return the unit of what a Modality LUT gives (its ModalityLUTType), "" if it is not told or not specified."""
    import pydicom

    try:
        data = pydicom.dcmread(frame.path, stop_before_pixels=True, specific_tags=["ModalityLUTSequence"], force=True)
        told = str(data.ModalityLUTSequence[0].get("ModalityLUTType", ""))
    except Exception:  # noqa: BLE001 - damaged, which reading the values says
        return ""
    return "" if told == "US" else told


def through_lut(frame: Frame, values: NDArray[np.generic]) -> NDArray[np.int64]:
    """Map stored values through the table of the frame's file; values below and above it take its first and last entry.

    Raises:
        UndecodableError: the table is not what its descriptor says.
    """
    import pydicom

    try:
        item = pydicom.dcmread(
            frame.path, stop_before_pixels=True, specific_tags=["ModalityLUTSequence"], force=True
        ).ModalityLUTSequence[0]
        count, first, bits = (int(value) for value in item.LUTDescriptor)
        raw = item.LUTData
    except Exception as error:
        raise UndecodableError("has a Modality LUT that cannot be read") from error
    count = count or 0x10000
    if bits not in range(1, 17):
        raise UndecodableError("has a Modality LUT of a strange width")
    if isinstance(raw, bytes):
        packed = bits <= 8 and len(raw) < 2 * count
        table = np.frombuffer(raw, np.uint8 if packed else ">u2" if frame.header.big else "<u2")
    else:
        table = np.asarray(raw)
    if len(table) < count or (first > 0x7FFF and int(values.min()) < 0):
        raise UndecodableError("has a Modality LUT shorter than it says")
    table = table[:count].astype(np.int64)
    if first > 0x7FFF and frame.header.integer(0x00280103) == 1:
        first -= 0x10000
    found: NDArray[np.int64] = table[np.clip(values.astype(np.int64) - first, 0, count - 1)]
    return found
