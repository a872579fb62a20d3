"""Make a DICOM series in one line."""

from __future__ import annotations

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian

JPEG = "1.2.840.10008.1.2.4."
SYNTAXES = {
    "implicit": ImplicitVRLittleEndian,
    "explicit": ExplicitVRLittleEndian,
    "deflated": "1.2.840.10008.1.2.1.99",
    "big": "1.2.840.10008.1.2.2",
    "rle": "1.2.840.10008.1.2.5",
    "jpeg-lossless": JPEG + "70",
    "jpeg-ls": JPEG + "80",
    "jpeg-2000": JPEG + "90",
    "htj2k": JPEG + "201",
}


def pixels(shape, seed=0):
    """Return smooth HU with noise, int16 (slices, rows, columns), -1024..3071."""
    slices, rows, columns = np.indices(shape)
    smooth = 900 * np.sin(slices / 3) + 700 * np.cos(rows / 7) + 20 * columns
    noise = np.random.default_rng(seed).normal(0, 20, shape)
    return np.clip(smooth + noise, -1024, 3071).astype(np.int16)


def ct_series(
    folder,
    *,
    slices=12,
    size=(20, 24),
    spacing_mm=(2.5, 0.8, 0.7),
    tilt_deg=0.0,
    orientation=(1, 0, 0, 0, 1, 0),
    origin_mm=(-100.0, -80.0, 40.0),
    places_mm=None,
    transfer_syntax="explicit",
    order=None,
    name="{:04d}.dcm",
    seed=0,
    uid="2.25.1",
    **attributes,
):
    """Write a CT series and return its HU (slices, rows, columns) and the LPS affine of (slice, row, column, 1).

    `places_mm` are the slices' places along their normal (evenly `spacing_mm[0]` apart, if not given); `order` is the order of
    the files' names; `attributes` are set on every slice, a callable is called with the slice's number, None removes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    hu = pixels((slices, *size), seed)
    axes = np.array(orientation, float).reshape(2, 3)
    normal = np.cross(*axes)
    step = normal + np.tan(np.deg2rad(tilt_deg)) * axes[1]
    places = np.arange(slices) * spacing_mm[0] if places_mm is None else np.asarray(places_mm, float)
    for number in range(slices):
        one = ct_image(hu[number], number, uid, spacing_mm)
        one.ImagePositionPatient = [number_text(value) for value in np.array(origin_mm) + places[number] * step]
        one.ImageOrientationPatient = [number_text(value) for value in np.ravel(axes)]
        for key, value in attributes.items():
            value = value(number) if callable(value) else value
            if value is None:
                delattr(one, key)
            else:
                setattr(one, key, value)
        at = number if order is None else order[number]
        write(one, folder / name.format(at), transfer_syntax)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = step * spacing_mm[0], axes[1] * spacing_mm[1], axes[0] * spacing_mm[2]
    affine[:3, 3] = np.array(origin_mm) + places[0] * step
    return hu, affine


def ct_image(hu, number, uid, spacing_mm):
    """Return one slice, without a place."""
    one = Dataset()
    one.SOPClassUID, one.SOPInstanceUID = CTImageStorage, f"{uid}.1.{number + 1}"
    one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID = f"{uid}.2", f"{uid}.3", f"{uid}.4"
    one.Modality, one.ImageType, one.InstanceNumber = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"], number + 1
    one.PatientID, one.PatientName, one.PatientPosition = "P1", "Doe^Jane", "HFS"
    one.SliceThickness, one.PixelSpacing = number_text(spacing_mm[0]), [number_text(value) for value in spacing_mm[1:]]
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.Rows, one.Columns = hu.shape
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 12, 11, 0
    one.RescaleSlope, one.RescaleIntercept, one.RescaleType = "1", "-1024", "HU"
    one.PixelData = (hu + 1024).astype("<u2").tobytes()
    one["PixelData"].VR = "OW"
    return one


def number_text(value):
    """Return a decimal string of at most 16 characters."""
    return f"{float(value):.10g}"[:16]


def write(one, path, transfer_syntax="explicit"):
    """Write an image in a transfer syntax; its pixels are 16-bit little endian."""
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = SYNTAXES[transfer_syntax]
    if transfer_syntax == "big":
        one.PixelData = np.frombuffer(one.PixelData, "<u2").astype(">u2").tobytes()
    elif transfer_syntax not in ("explicit", "implicit", "deflated"):
        one.PixelData = encapsulate([packed(np.frombuffer(one.PixelData, "<u2").reshape(one.Rows, one.Columns), transfer_syntax)])
        one["PixelData"].VR = "OB"
        one["PixelData"].is_undefined_length = True
    one.save_as(path, enforce_file_format=True)


def packed(values, transfer_syntax):
    """Return the code stream of one frame, made by another library's encoder."""
    import imagecodecs
    from pydicom.pixels.encoders import RLELosslessEncoder

    if transfer_syntax == "rle":
        return RLELosslessEncoder.encode(
            values.tobytes(),
            rows=values.shape[0],
            columns=values.shape[1],
            samples_per_pixel=1,
            bits_allocated=16,
            bits_stored=16,
            pixel_representation=0,
            photometric_interpretation="MONOCHROME2",
            number_of_frames=1,
            encoding_plugin="pydicom",
        )
    return bytes(
        {
            "jpeg-lossless": lambda: imagecodecs.ljpeg_encode(values, bitspersample=12),
            "jpeg-ls": lambda: imagecodecs.jpegls_encode(values),
            "jpeg-2000": lambda: imagecodecs.jpeg2k_encode(values, level=0, codecformat="j2k", reversible=True, bitspersample=12),
            "htj2k": lambda: imagecodecs.htj2k_encode(values, reversible=True),
        }[transfer_syntax]()
    )


def change_files(folder, function):
    """Call `function(data, number)` on every DICOM file of a folder, in order of their names, and write it again."""
    for number, path in enumerate(sorted(folder.iterdir())):
        data = pydicom.dcmread(path)
        function(data, number)
        data.save_as(path)
