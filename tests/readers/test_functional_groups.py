"""Functional groups of enhanced objects are read as pydicom reads them, however they are written."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from medimg import readers
from medimg.readers import _dicom_tags as tag
from medimg.readers._dicom_header import NotDicomError, read_header
from medimg.readers._dicom_items import items
from tests.builders.hazards_enhanced import enhanced, item
from tests.builders.phantom import stack

SYNTAXES = {"explicit": ExplicitVRLittleEndian, "implicit": ImplicitVRLittleEndian, "big": ExplicitVRBigEndian}


def saved(path, syntax, *, undefined):
    """Write an Enhanced CT in another order of its frames, with private groups and nested sequences in between."""
    planes = stack()
    one = enhanced(planes, list(reversed(range(len(planes)))), per_frame_rescale=True)
    for number, group in enumerate(one.PerFrameFunctionalGroupsSequence):
        group.add_new(0x00211001, "SQ", item(PatientComments="x", ReferencedImageSequence=item(FrameType=["A", "B"])))
        group.FrameContentSequence[0].FrameAcquisitionNumber = number + 1
        group.FrameContentSequence[0].StackID = "S"
        if undefined:
            group.is_undefined_length_sequence_item = True
            group["FrameContentSequence"].is_undefined_length = True
    if undefined:
        one["PerFrameFunctionalGroupsSequence"].is_undefined_length = True
    if syntax == ExplicitVRBigEndian:
        one.PixelData = np.frombuffer(one.PixelData, "<u2").astype(">u2").tobytes()
        one["PixelData"].VR = "OW"
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = syntax
    one.save_as(path, enforce_file_format=True)


@pytest.mark.parametrize("name", SYNTAXES)
@pytest.mark.parametrize("undefined", [False, True])
def test_groups_are_what_pydicom_says(tmp_path, name, undefined):
    from medimg.readers._dicom_frames import frames_of

    path = tmp_path / "a.dcm"
    saved(path, SYNTAXES[name], undefined=undefined)
    truth = pydicom.dcmread(path)
    frames = frames_of(read_header(path))
    shared = truth.SharedFunctionalGroupsSequence[0]
    for frame, group in zip(frames, truth.PerFrameFunctionalGroupsSequence, strict=True):
        assert frame.trouble is None
        assert frame.position == tuple(map(float, group.PlanePositionSequence[0].ImagePositionPatient))
        assert frame.spacing == tuple(map(float, shared.PixelMeasuresSequence[0].PixelSpacing))
        assert frame.slope == float(group.PixelValueTransformationSequence[0].RescaleSlope)
        assert frame.intercept == float(group.PixelValueTransformationSequence[0].RescaleIntercept)
        assert frame.tell(tag.ACQUISITION_NUMBER) == str(group.FrameContentSequence[0].FrameAcquisitionNumber).encode()
        assert frame.tell(tag.STACK) == b"S"
        assert frame.text(tag.IMAGE_TYPE) == "\\".join(shared.CTImageFrameTypeSequence[0].FrameType)


@pytest.mark.parametrize("undefined", [False, True])
def test_the_volume_is_the_same_in_every_syntax(tmp_path, undefined):
    arrays = []
    for name, syntax in SYNTAXES.items():
        saved(tmp_path / f"{name}.dcm", syntax, undefined=undefined)
        arrays += [volume.array for volume in readers.read_all(tmp_path / f"{name}.dcm")]
    assert all(np.array_equal(array, arrays[0]) for array in arrays)


@pytest.mark.parametrize(
    ("name", "keyword"),
    [
        ("FRAME_CONTENT", "FrameContentSequence"),
        ("PLANE_POSITION", "PlanePositionSequence"),
        ("PLANE_ORIENTATION", "PlaneOrientationSequence"),
        ("PIXEL_MEASURES", "PixelMeasuresSequence"),
        ("VALUE_TRANSFORMATION", "PixelValueTransformationSequence"),
        ("MR_ECHO", "MREchoSequence"),
        ("MR_TIMING", "MRTimingAndRelatedParametersSequence"),
        ("MR_DIFFUSION", "MRDiffusionSequence"),
        ("CARDIAC", "CardiacSynchronizationSequence"),
        ("CT_RECONSTRUCTION", "CTReconstructionSequence"),
        ("FRAME_TYPE", "FrameType"),
        ("TEMPORAL_INDEX", "TemporalPositionIndex"),
        ("FRAME_ACQUISITION_NUMBER", "FrameAcquisitionNumber"),
        ("FRAME_ACQUISITION_DATETIME", "FrameAcquisitionDateTime"),
        ("FRAME_REFERENCE_DATETIME", "FrameReferenceDateTime"),
        ("EFFECTIVE_ECHO_TIME", "EffectiveEchoTime"),
        ("TRIGGER_DELAY", "NominalCardiacTriggerDelayTime"),
        ("DIMENSION_INDEX", "DimensionIndexSequence"),
        ("DIMENSION_POINTER", "DimensionIndexPointer"),
        ("OTHER_DIMENSIONS", "DimensionIndexValues"),
    ],
)
def test_a_tag_is_the_standards(name, keyword):
    assert keyword_for_tag(getattr(tag, name)) == keyword


def test_frame_types_are_those_of_the_four_modalities():
    words = [keyword_for_tag(key) for key in tag.FRAME_TYPES]
    assert words == [
        "CTImageFrameTypeSequence",
        "MRImageFrameTypeSequence",
        "PETFrameTypeSequence",
        "XRay3DFrameTypeSequence",
    ]


@pytest.mark.parametrize("cut", range(8, 18))
def test_a_sequence_that_is_cut_short_is_said(cut):
    inner = b"\x08\x00\x60\x00CS\x02\x00CT"
    raw = b"\xfe\xff\x00\xe0" + len(inner).to_bytes(4, "little") + inner
    assert items(raw) == [{0x00080060: b"CT"}]
    with pytest.raises(NotDicomError):
        items(raw[:cut])
    with pytest.raises(NotDicomError):
        items(inner)
