"""Write the chest phantom as a CT series, with the truth about its nodules beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg._tools.files import whole_folder
from medimg._tools.identity import digest, uid_from
from medimg.errors import OptionError
from medimg.phantoms._chest import HU_STEP, LEAST_HU, PIXEL_MM, SLICE_MM, VERSION, Made, make

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom import Dataset

TRUTH = "truth.json"
SCHEMA = "medimg.phantom/1"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
JPEG_LS_LOSSLESS = "1.2.840.10008.1.2.4.80"  # the standard fixes every bit of it, so that any encoder writes the same bytes
IMPLEMENTATION = uid_from("medimg phantom", "implementation")
DAY, TIME = "20200101", "120000"  # fixed: the same seed gives the same bytes
WARNING = "Computed phantom: no patient, no scanner"


def write_chest(folder: str | Path, *, seed: int = 1) -> tuple[Path, ...]:
    """Write the chest phantom to `folder`: CT slices as DICOM (JPEG-LS lossless), and `truth.json`; return the paths.

    The folder appears whole, or not at all. The same seed gives the same bytes.

    Raises:
        OptionError: the folder holds something that is not a phantom written before, or the seed is below 0.
        WriteError: the disk refuses.
    """
    folder = Path(folder)
    _require_own(folder)
    made = make(seed)
    with whole_folder(folder) as partial:
        for name, dataset in _instances(made):
            dataset.save_as(partial / name, enforce_file_format=True)
        (partial / TRUTH).write_text(json.dumps(truth(made), indent=2) + "\n", encoding="utf-8")
    return tuple(sorted(folder.iterdir()))


def truth(made: Made) -> dict[str, Any]:
    """Return what is known of the phantom as JSON values.

    Centre, volume and diameter come from the shapes, before any voxel; `mean_hu` from the voxels that a nodule fills by half or
    more.
    """
    identity = _identity(made)
    nodules = [
        {
            "id": nodule.plan.name,
            "label": label,
            "kind": nodule.plan.kind,
            "center_mm": [round(value, 2) for value in nodule.center_mm],
            "volume_mm3": round(nodule.volume_mm3, 1),
            "diameter_mm": round(nodule.diameter_mm, 2),
            "mean_hu": round(float(made.volume.array[made.mask.of(label)].mean()), 1),
        }
        for label, nodule in enumerate(made.nodules, start=1)
    ]
    return {
        "schema": SCHEMA,
        "what": WARNING,
        "seed": made.seed,
        "version": VERSION,
        "coordinates": "LPS mm (x to the left, y to the back, z to the head)",
        "study_uid": identity["study"],
        "series_uid": identity["series"],
        "frame_of_reference": made.volume.grid.frame_of_reference,
        "slices": made.volume.shape[0],
        "nodules": nodules,
    }


def _identity(made: Made) -> dict[str, str]:
    """UIDs of study and series: they follow from the voxels, so that another phantom never has the same."""
    voxels = digest(np.ascontiguousarray(made.volume.array, dtype="<i2").tobytes())
    what = ("medimg phantom", "chest", VERSION, made.seed, voxels)
    return {level: uid_from(*what, level) for level in ("study", "series", "instance")}


def _instances(made: Made) -> list[tuple[str, Dataset]]:
    """Return file names and data sets, from the head down as scanners number them."""
    identity = _identity(made)
    count = made.volume.shape[0]
    return [
        (f"ct_{number:03d}.dcm", _instance(made, identity, number=number, index=count - number)) for number in range(1, count + 1)
    ]


def _instance(made: Made, identity: dict[str, str], *, number: int, index: int) -> Dataset:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    volume = made.volume
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian  # until the pixels are compressed
    dataset.file_meta.ImplementationClassUID = UID(IMPLEMENTATION)
    dataset.file_meta.ImplementationVersionName = "MEDIMG_PHANTOM"
    # SOP common, patient, study
    dataset.SOPClassUID = CT_IMAGE
    dataset.SOPInstanceUID = uid_from(identity["instance"], number)
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = DAY
    dataset.StudyTime = dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = TIME
    dataset.AccessionNumber = "PHANTOM"
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = "Chest CT phantom"
    dataset.PatientName = "Phantom^Chest"
    dataset.PatientID = f"PHANTOM-CHEST-{made.seed}"
    dataset.PatientBirthDate = "19600101"
    dataset.PatientSex = "O"
    dataset.PatientAge = "060Y"
    dataset.PatientComments = WARNING
    dataset.StudyInstanceUID = identity["study"]
    dataset.StudyID = "1"
    # series, frame of reference, equipment
    dataset.Modality = "CT"
    dataset.SeriesDescription = "Chest phantom 2.5 mm, soft kernel"
    dataset.SeriesInstanceUID = identity["series"]
    dataset.SeriesNumber = 2
    dataset.BodyPartExamined = "CHEST"
    dataset.ProtocolName = "Chest phantom"
    dataset.PatientPosition = "HFS"
    dataset.FrameOfReferenceUID = volume.grid.frame_of_reference
    dataset.PositionReferenceIndicator = ""
    dataset.Manufacturer = "medimg"
    dataset.ManufacturerModelName = "medimg.phantoms"
    dataset.SoftwareVersions = f"phantom {VERSION}"
    dataset.DeviceSerialNumber = "0"
    # image
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImageComments = WARNING
    dataset.QualityControlImage = "YES"  # the standard's word for an image of a phantom
    dataset.InstanceNumber = number
    dataset.AcquisitionNumber = 1
    dataset.KVP = 120
    dataset.ConvolutionKernel = "SOFT"
    dataset.GantryDetectorTilt = 0
    dataset.SliceThickness = SLICE_MM
    x, y, z = volume.grid.to_mm((index, 0, 0))
    dataset.ImagePositionPatient = [float(x), float(y), float(z)]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.SliceLocation = float(z)
    dataset.PixelSpacing = [PIXEL_MM, PIXEL_MM]
    dataset.RescaleIntercept = LEAST_HU
    dataset.RescaleSlope = HU_STEP
    dataset.RescaleType = "HU"
    dataset.WindowCenter = [-600, 40]
    dataset.WindowWidth = [1500, 400]
    dataset.WindowCenterWidthExplanation = ["LUNG", "SOFT TISSUE"]
    dataset.BurnedInAnnotation = "NO"
    dataset.LossyImageCompression = "00"
    _put_pixels(dataset, volume.array[index])
    return dataset


def _put_pixels(dataset: Dataset, hu: NDArray[np.int16]) -> None:
    """Put a slice into the data set, compressed without loss."""
    stored = ((hu.astype(np.int32) - LEAST_HU) // HU_STEP).astype("<u2")
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.compress(JPEG_LS_LOSSLESS, generate_instance_uid=False)


def _require_own(folder: Path) -> None:
    """Refuse a folder that holds anything but a phantom: it would be replaced whole."""
    if not folder.exists():
        return
    wanted = "a new folder, an empty one, or one that holds a phantom written before"
    if not folder.is_dir():
        raise OptionError("output", folder.name, wanted)
    names = {path.name for path in folder.iterdir()}
    strangers = {name for name in names if name != TRUTH and not (name.startswith("ct_") and name.endswith(".dcm"))}
    if names and (strangers or TRUTH not in names):
        raise OptionError("output", folder.name, wanted)
