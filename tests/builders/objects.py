"""Write small DICOM objects that any archive takes, in milliseconds: what is tested is their way, not what they show."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
ROOT = "1.2.826.0.1.3680043.8.498.77"
STUDY = f"{ROOT}.1"
PATIENT = "Mustermann^Erika"


def write_object(path: Path, number: int, *, study: str = STUDY, side: int = 8, value: int = 0, **changes: object) -> Path:
    """Write a Secondary Capture of `side` x `side` pixels; the same number is the same UID, another `value` other bytes."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SECONDARY_CAPTURE, f"{study}.2.{number}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    values = {
        "SOPClassUID": SECONDARY_CAPTURE,
        "SOPInstanceUID": f"{study}.2.{number}",
        "StudyInstanceUID": study,
        "SeriesInstanceUID": f"{study}.1",
        "PatientName": PATIENT,
        "PatientID": "PID-4711",
        "PatientBirthDate": "",
        "PatientSex": "",
        "StudyDate": "20240102",
        "StudyTime": "101112",
        "AccessionNumber": "ACC4711",
        "ReferringPhysicianName": "",
        "StudyID": "1",
        "Modality": "OT",
        "SeriesNumber": 9001,
        "InstanceNumber": number,
        "ConversionType": "WSD",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": side,
        "Columns": side,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "PixelData": bytes([(number + value) % 256]) * (side * side + side * side % 2),
    }
    for keyword, one in (values | changes).items():
        if one is not None:
            setattr(dataset, keyword, one)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_objects(folder: Path, count: int, *, start: int = 1, **options: object) -> list[Path]:
    """Write `count` objects of one series, numbered from `start`."""
    return [write_object(folder / f"key_{number}.dcm", number, **options) for number in range(start, start + count)]
