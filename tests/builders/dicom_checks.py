"""What others say of a DICOM object: the standard's own formula, and a validator."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

SAID_OF_EVERY_FILE = {"Segmentation", "LabelMapSegmentation", "Comprehensive3DSR", "SCImage"}  # dciodvfy names the class it found
NOT_KNOWN = "Attribute is not present in standard DICOM IOD"
ALLOWED = {  # exact text: why it is no fault of ours
    f"Warning - </ContributingEquipmentSequence(0018,a001)[{place}]/DeviceUID(0018,1002)> - {NOT_KNOWN}": (
        "PS3.3 table C.12-1 has Device UID in Contributing Equipment Sequence (type 3); the validator does not know it there yet."
    )
    for place in (1, 2)  # the second one where the source names its own equipment
}


def voxels(path):
    """Return the LPS points of all voxels of each segment, by the standard's formula from each frame's own position."""
    import pydicom

    dataset = pydicom.dcmread(path)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    across, down = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float).reshape(2, 3)
    row_step, column_step = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    found = {}
    pixels = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    for frame, group in zip(pixels, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        origin = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        rows, columns = np.nonzero(frame)
        identification = group.get("SegmentIdentificationSequence") or shared.SegmentIdentificationSequence
        points = origin + rows[:, None] * down * row_step + columns[:, None] * across * column_step
        found.setdefault(int(identification[0].ReferencedSegmentNumber), []).append(points)
    return {number: np.concatenate(points) for number, points in found.items()}


def in_order(points):
    rounded = np.round(points, 2) + 0.0
    return rounded[np.lexsort(rounded.T)]


def dciodvfy(path) -> list[str] | None:
    """Return what dciodvfy complains of, None where it is not installed."""
    beside = Path(sys.executable).parent / "dciodvfy"  # the current one; an archive of a system may have one that is years older
    tool = str(beside) if beside.exists() else shutil.which("dciodvfy") or ""
    if not tool:
        return None
    said = subprocess.run([tool, "-new", str(path)], capture_output=True, text=True, check=False)
    lines = (line.strip() for line in said.stderr.splitlines() + said.stdout.splitlines())
    return [line for line in lines if line and line not in SAID_OF_EVERY_FILE and line not in ALLOWED]
