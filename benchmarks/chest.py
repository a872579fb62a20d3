"""A whole chest CT of 512 x 512 x 300 voxels, end to end with the default options: seconds and peak memory, stage by stage.

Usage: python benchmarks/chest.py DATA

The scan is LUNG1-001 of NSCLC-Radiomics (DATA/chest_ct/LUNG1-001/ct, 94 slices of 3 mm), interpolated to 300 slices and written
as an uncompressed DICOM series into a temporary folder.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from _stages import measure, show

SLICES = 300


def write_series(source: Path, folder: Path) -> None:
    """Write the chest of `source` with `SLICES` slices as DICOM into `folder`."""
    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    import medimg
    from medimg.values import Grid

    volume = medimg.read(source)
    affine = volume.grid.affine.copy()
    affine[:3, 0] *= (volume.shape[0] - 1) / (SLICES - 1)
    grid = Grid((SLICES, *volume.shape[1:]), affine, frame_of_reference=volume.grid.frame_of_reference)
    fine = medimg.resample(volume, like=grid)
    header = pydicom.dcmread(next(source.iterdir()))
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.RescaleSlope, header.RescaleIntercept = 1, -1024
    header.PixelRepresentation, header.BitsStored, header.HighBit = 0, 16, 15
    header.SliceThickness = header.SpacingBetweenSlices = f"{np.linalg.norm(affine[:3, 0]):.6f}"
    header.SeriesInstanceUID = generate_uid(entropy_srcs=["medimg benchmark"])
    for number in range(SLICES):
        header.ImagePositionPatient = [f"{value:.6f}" for value in grid.to_mm((number, 0, 0))]
        header.InstanceNumber = number + 1
        header.SOPInstanceUID = generate_uid(entropy_srcs=["medimg benchmark", str(number)])
        header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
        header.PixelData = (np.clip(fine.array[number], -1024, 3071) + 1024).astype("<u2").tobytes()
        header["PixelData"].VR = "OW"
        header["PixelData"].is_undefined_length = False
        header.save_as(folder / f"{number:03d}.dcm", enforce_file_format=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as scan:
        write_series(Path(sys.argv[1]) / "chest_ct" / "LUNG1-001" / "ct", Path(scan))
        show(measure(Path(scan)))
