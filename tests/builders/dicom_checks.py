"""What others say of a DICOM object: the standard's own formula, and a validator."""

from __future__ import annotations

import re
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


def tool(name: str) -> str:
    """Return the path of a program of a Python package, or of the system's; "" where there is none."""
    beside = Path(sys.executable).parent / name  # the current one; an archive of a system may have one that is years older
    return str(beside) if beside.exists() else shutil.which(name) or ""


def dciodvfy(path) -> list[str] | None:
    """Return what dciodvfy complains of, None where it is not installed."""
    if not tool("dciodvfy"):
        return None
    said = subprocess.run([tool("dciodvfy"), "-new", str(path)], capture_output=True, text=True, check=False)
    lines = (line.strip() for line in said.stderr.splitlines() + said.stdout.splitlines())
    return [line for line in lines if line and line not in SAID_OF_EVERY_FILE and line not in ALLOWED]


def dcentvfy(paths) -> list[str] | None:
    """Return what dcentvfy complains of over all files at once, None where it is not installed; files are named, not placed."""
    if not tool("dcentvfy"):
        return None
    said = subprocess.run([tool("dcentvfy"), *map(str, paths)], capture_output=True, text=True, check=False)
    lines = (line.strip() for line in said.stderr.splitlines() + said.stdout.splitlines())
    return [re.sub(r"<[^<>]*/([^<>/]*)>", r"<\1>", line) for line in lines if line]


PIXELMED = Path("/usr/share/java/pixelmed.jar")  # where Debian's libpixelmed-java puts it
NO_LIMITS = [f"-Djdk.xml.{limit}=0" for limit in ("xpathExprOpLimit", "xpathTotalOpLimit", "xpathExprGrpLimit")]
VALIDATOR = "com.pixelmed.validate.DicomSRValidator"
SAID_OF_EVERY_REPORT = {
    "Found Comprehensive3DSR IOD",
    "Found Root Template TID_1500 (MeasurementReport)",
    "Root Template Validation Complete",
    "IOD validation complete",
}


def pixelmed(path) -> list[str] | None:
    """Return what PixelMed's validator of structured reports complains of, None where it is not installed (20 s)."""
    if not (PIXELMED.exists() and shutil.which("java")):
        return None
    said = subprocess.run(["java", *NO_LIMITS, "-cp", PIXELMED, VALIDATOR, path], capture_output=True, text=True, check=False)
    lines = [line.strip() for line in said.stdout.splitlines() + said.stderr.splitlines()]
    assert "IOD validation complete" in lines, lines
    return [line for line in lines if line and line not in SAID_OF_EVERY_REPORT]
