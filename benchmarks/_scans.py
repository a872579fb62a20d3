"""A CT, a label map and DICOM series of them, kept between runs in a scratch folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np

SCRATCH = Path(os.environ.get("MEDIMG_BENCH_DIR", tempfile.gettempdir())) / "medimg-benchmarks"
SHAPE, SPACING_MM = (300, 512, 512), (1.0, 0.78, 0.78)
SYNTAXES = {
    "JPEG-LS": "1.2.840.10008.1.2.4.80",
    "RLE": "1.2.840.10008.1.2.5",
    "HTJ2K": "1.2.840.10008.1.2.4.201",
    "JPEG lossless": "1.2.840.10008.1.2.4.70",
    "JPEG 2000": "1.2.840.10008.1.2.4.90",
}


def ct() -> np.ndarray:
    """Return HU, int16 (slice, row, column): a body with lungs, vessels and a spine, and noise with a grain of two voxels."""
    kept = SCRATCH / "ct.npy"
    if not kept.exists():
        SCRATCH.mkdir(parents=True, exist_ok=True)
        np.save(kept.with_suffix(".part.npy"), _drawn())
        kept.with_suffix(".part.npy").rename(kept)
    return np.load(kept)


def _drawn() -> np.ndarray:
    from scipy import ndimage

    generator = np.random.default_rng(0)
    y, x = (np.mgrid[: SHAPE[1], : SHAPE[2]] - 255.5) / 512
    array = np.empty(SHAPE, np.int16)
    vessels = generator.uniform((0, -0.25, -0.3, 0.004), (300, 0.25, 0.3, 0.02), (400, 4))
    for number in range(SHAPE[0]):
        plane = np.full(SHAPE[1:], -1000.0)
        plane[(x / 0.42) ** 2 + (y / 0.3) ** 2 < 1] = -100
        plane[(x / 0.39) ** 2 + (y / 0.27) ** 2 < 1] = 45
        size = np.sin(np.pi * (number + 1) / 302) ** 0.5
        for side in (-1, 1):
            plane[((x - side * 0.19) / (0.13 * size)) ** 2 + (y / (0.2 * size)) ** 2 < 1] = -850
        plane[(x / 0.04) ** 2 + ((y - 0.2) / 0.045) ** 2 < 1] = 400
        for place, row, column, radius in vessels:
            if abs(place - number) < 12:
                plane[(x - column) ** 2 + (y - row) ** 2 < radius**2] = 60
        noise = ndimage.gaussian_filter(generator.standard_normal(SHAPE[1:], np.float32), 0.6)
        array[number] = np.clip(ndimage.gaussian_filter(plane, 0.7) + noise * (14 / noise.std()), -1024, 3071)
    return array


def labels() -> np.ndarray:
    """Return a label map, uint8 (slice, row, column): 25 balls with rough borders."""
    generator = np.random.default_rng(1)
    array = np.zeros(SHAPE, np.uint8)
    for label in range(1, 26):
        center, radius = generator.uniform((60, 120, 120), (240, 390, 390)), generator.uniform(20, 60)
        low = np.maximum((center - radius - 2).astype(int), 0)
        box = tuple(slice(a, b) for a, b in zip(low, (center + radius + 3).astype(int), strict=True))
        part = array[box]
        axes = np.ogrid[tuple(slice(a, a + size) for a, size in zip(low, part.shape, strict=True))]
        distance = np.sqrt(sum((axis - place) ** 2 for axis, place in zip(axes, center, strict=True)))
        part[distance + generator.normal(0, 0.7, part.shape) < radius] = label
    return array


def series(count: int, *, syntax: str = "", folder: str = "", files: int = 0) -> Path:
    """Return a folder with a series of `count` slices, or, with `files`, with so many small ones; made if it is not there."""
    import pydicom

    target = SCRATCH / (folder or f"{syntax or 'plain'}-{count}".replace(" ", "-").lower())
    if target.exists():
        return target
    part = target.with_name(target.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    hu = ct()[: count or 1] if not files else np.zeros((1, 64, 64), np.int16)
    order = np.random.default_rng(2).permutation(files or count)
    for number in range(files or count):
        one = _slice(hu[0 if files else number], number)
        if syntax:
            _pack(one, hu[number], syntax)
        pydicom.dcmwrite(part / f"{order[number]:05d}.dcm", one, enforce_file_format=True)
    part.rename(target)
    return target


def _slice(hu: np.ndarray, number: int) -> object:
    """Return a data set with a header of the usual size."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID, one.SOPInstanceUID = CTImageStorage, f"2.25.77.{number + 1}"
    one.SpecificCharacterSet, one.ImageType = "ISO_IR 100", ["ORIGINAL", "PRIMARY", "AXIAL"]
    one.StudyDate = one.SeriesDate = one.AcquisitionDate = one.ContentDate = "20240102"
    one.StudyTime = one.SeriesTime = one.AcquisitionTime = one.ContentTime = "101112.345"
    one.AccessionNumber, one.Modality, one.Manufacturer, one.InstitutionName = "A1", "CT", "PHANTOM", "Hospital"
    one.StudyDescription, one.SeriesDescription, one.ProtocolName = "CT Chest", "Chest 1.0", "Chest"
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CTImageStorage, "2.25.78"
    one.ReferencedImageSequence = [reference]
    one.add_new(0x00090010, "LO", "VENDOR")
    one.add_new(0x00091001, "OB", bytes(1500))
    one.PatientName, one.PatientID, one.PatientSex, one.PatientAge = "Phantom^A", "P1", "F", "050Y"
    one.SliceThickness, one.KVP, one.ConvolutionKernel, one.PatientPosition = 1, 120, "B31f", "HFS"
    one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID = "2.25.77", "2.25.77.0", "2.25.79"
    one.StudyID, one.SeriesNumber, one.AcquisitionNumber, one.InstanceNumber = "1", 2, 1, number + 1
    one.ImagePositionPatient = [-200, -200, number * SPACING_MM[0]]
    one.ImageOrientationPatient, one.PixelSpacing = [1, 0, 0, 0, 1, 0], list(SPACING_MM[1:])
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.Rows, one.Columns = hu.shape
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 1
    one.WindowCenter, one.WindowWidth, one.RescaleIntercept, one.RescaleSlope, one.RescaleType = 40, 400, -1024, 1, "HU"
    one.add_new(0x00291010, "OB", bytes(2000))
    one.PixelData = (hu + 1024).astype("<i2").tobytes()
    one["PixelData"].VR = "OW"
    return one


def _pack(one: object, hu: np.ndarray, syntax: str) -> None:
    import imagecodecs
    from pydicom.encaps import encapsulate

    values = (hu + 1024).astype(np.uint16)
    one.BitsStored, one.HighBit, one.PixelRepresentation = 12, 11, 0
    if syntax == "RLE":
        code = _rle(values)
    else:
        code = {
            "JPEG-LS": lambda: imagecodecs.jpegls_encode(values),
            "JPEG lossless": lambda: imagecodecs.ljpeg_encode(values, bitspersample=12),
            "JPEG 2000": lambda: imagecodecs.jpeg2k_encode(values, level=0, codecformat="j2k", reversible=True, bitspersample=12),
            "HTJ2K": lambda: imagecodecs.htj2k_encode(values, reversible=True),
        }[syntax]()
    one.PixelData = encapsulate([bytes(code)])
    one["PixelData"].VR, one["PixelData"].is_undefined_length = "OB", True
    one.file_meta.TransferSyntaxUID = SYNTAXES[syntax]


def _rle(values: np.ndarray) -> bytes:
    """Return the frame as DICOM RLE: PackBits of the high and of the low bytes, row by row (PS3.5 annex G)."""
    import struct

    import imagecodecs

    segments = []
    for plane in (values >> 8, values & 255):
        code = b"".join(bytes(imagecodecs.packbits_encode(row.astype(np.uint8).tobytes())) for row in plane)
        segments.append(code + b"\0" * (len(code) % 2))
    return struct.pack("<16I", 2, 64, 64 + len(segments[0]), *[0] * 13) + b"".join(segments)
