"""Make DICOM images of the phantom, and keep the list of hazards with the truth of each."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    RLELossless,
)

from tests.builders.phantom import CENTRE, RADIUS, SPHERES, STEP_MM, hu_at

if TYPE_CHECKING:
    from collections.abc import Callable

RANDOM = random.Random(0)  # seeded anew for every hazard, so that each is the same however many are made
CLASSES = {
    "CT": CTImageStorage,
    "MR": MRImageStorage,
    "CR": ComputedRadiographyImageStorage,
    "PT": PositronEmissionTomographyImageStorage,
}


@dataclass
class Hazard:
    """A series that is odd in one way.

    `verdict` is what a sound reader does: load (exactly, no complaint needed), warn (exactly, and say what was odd), split (one
    volume a stack, never merged), refuse (no volume, and say why); `accept` are verdicts that can be defended too.
    """

    name: str
    verdict: str
    reason: str
    what: str
    accept: tuple[str, ...]
    make: Callable[[], tuple[list, list[dict]]] = field(repr=False)


HAZARDS: dict[str, Hazard] = {}


def hazard(verdict, reason, what, accept=()):
    """Add a function that returns (files, true stacks) to the list."""

    def add(make):
        HAZARDS[make.__name__] = Hazard(make.__name__, verdict, reason, what, tuple(accept), make)
        return make

    return add


def uid():
    return "2.25." + str(RANDOM.getrandbits(120))


def ds(value):
    """Return a number as a decimal string of six decimals at most."""
    return f"{float(value):.6f}".rstrip("0").rstrip(".") or "0"


def new_study(modality="CT"):
    return {"study": uid(), "series": uid(), "frame": uid(), "modality": modality}


def image(study, plane, number, hu=None, slope=1.0, intercept=-1024.0, signed=False, stored=None, thickness=STEP_MM):
    """Return a single-frame image; `hu` (the phantom, if not given) is stored as (hu - intercept) / slope."""
    modality = study["modality"]
    one = Dataset()
    one.SpecificCharacterSet = "ISO_IR 100"
    one.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"] if modality == "CT" else ["ORIGINAL", "PRIMARY"]
    one.SOPClassUID, one.SOPInstanceUID = CLASSES[modality], uid()
    one.StudyDate = one.SeriesDate = one.AcquisitionDate = one.ContentDate = "20240102"
    one.StudyTime = one.SeriesTime = one.AcquisitionTime = one.ContentTime = "101112"
    one.AccessionNumber, one.Modality, one.Manufacturer = "A1", modality, "phantom"
    one.StudyDescription, one.SeriesDescription = "phantom", "hazard"
    one.ReferringPhysicianName, one.PatientName, one.PatientID = "", "Phantom^Sphere", "PH1"
    one.PatientBirthDate, one.PatientSex, one.StudyID = "19600101", "O", "1"
    one.StudyInstanceUID, one.SeriesInstanceUID = study["study"], study["series"]
    one.SeriesNumber, one.AcquisitionNumber, one.InstanceNumber = 3, 1, number
    one.BodyPartExamined = "CHEST"
    if modality == "CT":
        one.KVP = "120"
    if modality == "MR":
        one.ScanningSequence, one.SequenceVariant, one.ScanOptions = "GR", "NONE", ""
        one.MRAcquisitionType, one.EchoTrainLength, one.EchoTime, one.RepetitionTime = "2D", 1, "5", "50"
    if modality == "PT":
        one.Units, one.DecayCorrection, one.CorrectedImage = "BQML", "START", ["DECY", "ATTN"]
        one.SeriesType = ["WHOLE BODY", "IMAGE"]
    if modality != "CR":
        _place(one, study, plane, thickness)
    hu = hu_at(plane.points()) if hu is None else hu
    pixels = np.rint((hu - (intercept or 0)) / slope) if stored is None else stored
    _pixels(one, plane, pixels, signed)
    if intercept is not None:
        one.RescaleIntercept, one.RescaleSlope = ds(intercept), ds(slope)
        if modality == "CT":
            one.RescaleType = "HU"
    return one


def _place(one, study, plane, thickness):
    one.PatientPosition, one.FrameOfReferenceUID, one.PositionReferenceIndicator = "HFS", study["frame"], ""
    one.ImagePositionPatient = [ds(value) for value in plane.position]
    one.ImageOrientationPatient = [ds(value) for value in plane.orientation]
    one.PixelSpacing = [ds(value) for value in plane.spacing]
    one.SliceThickness = ds(thickness)
    one.SliceLocation = ds(plane.position @ np.cross(plane.orientation[:3], plane.orientation[3:]))


def _pixels(one, plane, pixels, signed):
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.Rows, one.Columns = plane.shape
    bits = 12 if not signed and pixels.max() < 4096 else 16
    one.BitsAllocated, one.BitsStored, one.HighBit = 16, bits, bits - 1
    one.PixelRepresentation = int(signed)
    one.PixelData = pixels.astype("<i2" if signed else "<u2").tobytes()
    one["PixelData"].VR = "OW"


def simple(planes, study=None, **options):
    """Return an image for each plane, all of one series."""
    study = study or new_study()
    return [image(study, plane, number, **options) for number, plane in enumerate(planes, 1)]


def truth_stack(planes, shift=(0, 0, 0)):
    """Return what is true of a stack: its spheres, and where its slices lie."""
    spheres = []
    for name, (centre, value) in SPHERES.items():
        seen = sum(bool((hu_at(plane.points(), shift) == value).any()) for plane in planes)
        place = CENTRE + np.array(centre) + np.array(shift)
        spheres.append({"name": name, "lps": place, "radius": RADIUS, "hu": value, "visible": seen})
    return {"planes": planes, "spheres": spheres}


def files(images, order=None):
    """Name images so that the names' order is the list's, or a shuffled one."""
    names = [f"IM{number + 1:04d}.dcm" for number in range(len(images))]
    if order == "shuffle":
        RANDOM.shuffle(names)
    return list(zip(names, images, strict=True))


def save(path, one, how=None):
    """Write an image as explicit little endian, or as `how` says: big, raw (no preamble), rle, cut."""
    if isinstance(one, bytes):
        path.write_bytes(one)
        return
    one.file_meta = FileMetaDataset()
    one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    one.file_meta.ImplementationClassUID = "2.25.1"
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if how == "big":
        one.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        one.save_as(path, enforce_file_format=True, little_endian=False, implicit_vr=False)
        return
    if how == "raw":
        one.__dict__.pop("file_meta", None)
        one.save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=False)
        return
    if how == "rle":
        one.compress(RLELossless, generate_instance_uid=False)
        one["PixelData"].VR = "OB"
    one.save_as(path, enforce_file_format=True)
    if how == "cut":
        path.write_bytes(path.read_bytes()[: -len(one.PixelData) // 2 - 1])
