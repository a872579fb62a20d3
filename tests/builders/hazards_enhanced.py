"""Hazards of enhanced multi-frame objects."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedCTImageStorage

from tests.builders.hazard_kit import RANDOM, ds, files, hazard, image, new_study, truth_stack, uid
from tests.builders.phantom import SLICES, STEP_MM, hu_at, stack

KEPT = [
    "SpecificCharacterSet",
    "StudyDate",
    "StudyTime",
    "SeriesDate",
    "SeriesTime",
    "ContentDate",
    "ContentTime",
    "AccessionNumber",
    "Modality",
    "Manufacturer",
    "StudyDescription",
    "SeriesDescription",
    "ReferringPhysicianName",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "BodyPartExamined",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "InstanceNumber",
    "PatientPosition",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "SamplesPerPixel",
    "Rows",
    "Columns",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
]


def item(**attributes):
    """Return a sequence of one item."""
    one = Dataset()
    for name, value in attributes.items():
        setattr(one, name, value)
    return Sequence([one])


def enhanced(planes, order, per_frame_rescale=False):
    """Return an Enhanced CT whose frames show `planes` in `order`."""
    base = image(new_study(), planes[0], 1)
    one = Dataset()
    for name in KEPT:
        one[name] = base[name]
    one.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    one.SOPClassUID, one.SOPInstanceUID = EnhancedCTImageStorage, uid()
    one.AcquisitionDateTime, one.AcquisitionNumber, one.NumberOfFrames = "20240102101112", 1, len(order)
    organization = uid()
    one.DimensionOrganizationSequence = item(DimensionOrganizationUID=organization)
    one.DimensionIndexSequence = item(
        DimensionOrganizationUID=organization, DimensionIndexPointer=0x00200032, FunctionalGroupPointer=0x00209113
    )
    shared = Dataset()
    shared.PlaneOrientationSequence = item(ImageOrientationPatient=[ds(value) for value in planes[0].orientation])
    shared.PixelMeasuresSequence = item(PixelSpacing=[ds(value) for value in planes[0].spacing], SliceThickness=ds(STEP_MM))
    shared.CTImageFrameTypeSequence = item(FrameType=one.ImageType)
    if not per_frame_rescale:
        shared.PixelValueTransformationSequence = _rescale(1)
    one.SharedFunctionalGroupsSequence = Sequence([shared])
    frames, pixels = [], []
    for number in order:
        frame, slope = Dataset(), 0.5 + 0.05 * number if per_frame_rescale else 1.0
        frame.FrameContentSequence = item(
            FrameAcquisitionNumber=1, StackID="1", InStackPositionNumber=number + 1, DimensionIndexValues=[number + 1]
        )
        frame.PlanePositionSequence = item(ImagePositionPatient=[ds(value) for value in planes[number].position])
        if per_frame_rescale:
            frame.PixelValueTransformationSequence = _rescale(slope)
        pixels.append(np.rint((hu_at(planes[number].points()) + 1024) / slope).astype("<u2"))
        frames.append(frame)
    one.PerFrameFunctionalGroupsSequence = Sequence(frames)
    one.PixelData = np.stack(pixels).tobytes()
    one["PixelData"].VR = "OW"
    return one


def _rescale(slope):
    return item(RescaleIntercept="-1024", RescaleSlope=ds(slope), RescaleType="HU")


@hazard("load", "ok", "Enhanced CT, frames in geometric order")
def enhanced_ct():
    planes = stack()
    return files([enhanced(planes, range(SLICES))]), [truth_stack(planes)]


@hazard("load", "ok", "Enhanced CT, frames shuffled (positions are per frame)")
def enhanced_shuffled():
    planes = stack()
    o = list(range(SLICES))
    RANDOM.shuffle(o)
    return files([enhanced(planes, o)]), [truth_stack(planes)]


@hazard("load", "ok", "Enhanced CT, another RescaleSlope in every frame")
def enhanced_frame_rescale():
    planes = stack()
    return files([enhanced(planes, range(SLICES), True)]), [truth_stack(planes)]


@hazard("warn", "gap", "Enhanced CT, frame 12 absent: a hole of 8 mm", ["refuse"])
def enhanced_gap():
    planes = stack()
    del planes[12]
    return files([enhanced(planes, range(SLICES - 1))]), [truth_stack(planes)]
