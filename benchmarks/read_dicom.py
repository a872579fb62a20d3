"""Reading DICOM folders with `medimg.read` (all checks on) against SimpleITK, dcm2niix and pydicom, in one run.

Usage: python benchmarks/read_dicom.py [plain] [packed] [inspect]
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import numpy as np
from _rounds import compare, peak_mib
from _scans import SYNTAXES, ct, series

if TYPE_CHECKING:
    from pathlib import Path

REACH = {"plain": 0.18, "inspect": 0.15, "JPEG-LS": 0.5, "RLE": 0.5, "HTJ2K": 0.5, "JPEG lossless": 0.65, "JPEG 2000": 0.9}
PACKED_SLICES, FILES = 100, 10_000
READ_MIB = "import medimg, numpy\nfrom medimg import readers\nimport medimg.readers.dicom, medimg.readers._dicom_read"


def by_simpleitk(folder: Path) -> np.ndarray:
    """Read as most people do."""
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    return sitk.GetArrayViewFromImage(image).copy()


def by_pydicom(folder: Path) -> np.ndarray:
    """Read as the tutorials do."""
    import pydicom

    slices = sorted((pydicom.dcmread(path) for path in folder.iterdir()), key=lambda one: one.ImagePositionPatient[2])
    return np.stack([one.pixel_array.astype(np.int16) + np.int16(one.RescaleIntercept) for one in slices])


def by_dcm2niix(folder: Path) -> None:
    """Convert to an uncompressed NIfTI file."""
    with tempfile.TemporaryDirectory() as out:
        subprocess.run(["dcm2niix", "-z", "n", "-b", "n", "-o", out, str(folder)], check=True, stdout=subprocess.DEVNULL)


def plain() -> None:
    """Uncompressed: seconds and memory."""
    import medimg

    folder = series(300)
    assert np.array_equal(medimg.read(folder).array, ct())
    cases = {"medimg.read": lambda: medimg.read(folder), "SimpleITK ImageSeriesReader": lambda: by_simpleitk(folder)}
    compare("Uncompressed, 300 x 512 x 512", "medimg.read", cases, reach=REACH["plain"])
    volume_mib = ct().nbytes / 2**20
    used = peak_mib(READ_MIB, f"volume = medimg.read({str(folder)!r})")
    print(f"  peak memory of medimg.read: the volume + {used - volume_mib:.0f} MiB, to reach: + 20 MiB")


def packed() -> None:
    """Compressed syntaxes against the fastest that reads them right."""
    import medimg

    truth = ct()[:PACKED_SLICES]
    for syntax in SYNTAXES:
        folder = series(PACKED_SLICES, syntax=syntax)
        assert np.array_equal(medimg.read(folder).array, truth), syntax
        cases = {"medimg.read": lambda folder=folder: medimg.read(folder)}
        for name, reader in (("SimpleITK", by_simpleitk), ("pydicom", by_pydicom)):
            try:
                if np.array_equal(reader(folder), truth):
                    cases[name] = lambda reader=reader, folder=folder: reader(folder)
            except Exception as error:  # noqa: BLE001 - a peer that cannot read a syntax is no peer for it
                print(f"  {name} does not read {syntax}: {type(error).__name__}")
        if shutil.which("dcm2niix") and syntax != "HTJ2K":
            cases["dcm2niix (writes a file)"] = lambda folder=folder: by_dcm2niix(folder)
        compare(f"{syntax}, {PACKED_SLICES} x 512 x 512", "medimg.read", cases, reach=REACH[syntax])


def inspect() -> None:
    """Headers of ten thousand files."""
    import pydicom

    import medimg

    folder = series(0, folder=f"files-{FILES}", files=FILES)

    def loop() -> list[object]:
        return [pydicom.dcmread(path, stop_before_pixels=True) for path in folder.iterdir()]

    cases = {"medimg.inspect": lambda: medimg.inspect(folder), "pydicom.dcmread(stop_before_pixels)": loop}
    compare(f"Headers of {FILES} files", "medimg.inspect", cases, reach=REACH["inspect"])


if __name__ == "__main__":
    for name in sys.argv[1:] or ("plain", "packed", "inspect"):
        {"plain": plain, "packed": packed, "inspect": inspect}[name]()
