"""Frames of enhanced multi-frame objects: each with the place and scale that its functional groups give (PS3.3 C.7.6.16)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medimg.readers import _dicom_tags as tag
from medimg.readers._dicom_frames import Frame, nature, orientation, pixel_spacing, pixel_trouble, position, set_scale
from medimg.readers._dicom_header import decimals

if TYPE_CHECKING:
    from medimg.readers._dicom_header import Header

FRAMES_LIMIT = 100_000  # of one file
# attribute of ours: (functional group, its attribute)
TEXTS = {
    tag.TEMPORAL_POSITION: (("FrameContentSequence", "TemporalPositionIndex"),),
    tag.ACQUISITION_NUMBER: (("FrameContentSequence", "FrameAcquisitionNumber"),),
    tag.STACK: (("FrameContentSequence", "StackID"),),
    tag.ACQUISITION_DATETIME: (
        ("FrameContentSequence", "FrameAcquisitionDateTime"),
        ("FrameContentSequence", "FrameReferenceDateTime"),
    ),
    tag.ECHO_TIME: (("MREchoSequence", "EffectiveEchoTime"), ("MRTimingAndRelatedParametersSequence", "EchoTime")),
    tag.B_VALUE: (("MRDiffusionSequence", "DiffusionBValue"),),
    tag.TRIGGER_TIME: (("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),),
    tag.KERNEL: (("CTReconstructionSequence", "ConvolutionKernel"),),
    tag.IMAGE_TYPE: (
        ("CTImageFrameTypeSequence", "FrameType"),
        ("MRImageFrameTypeSequence", "FrameType"),
        ("PETFrameTypeSequence", "FrameType"),
        ("XRay3DFrameTypeSequence", "FrameType"),
    ),
    tag.RESCALE_TYPE: (("PixelValueTransformationSequence", "RescaleType"),),
}
POSITION_POINTERS = frozenset(
    {tag.POSITION, tag.ORIENTATION, tag.STACK, 0x00209057, 0x00201041}
)  # dimensions that only count places


def frames_of_groups(header: Header, modality: str) -> list[Frame]:
    """Return the frames of an object with functional groups; one with its trouble if they cannot be read."""
    import pydicom

    try:
        dataset = pydicom.dcmread(header.path, stop_before_pixels=True, force=True)
        shared = (dataset.get("SharedFunctionalGroupsSequence") or [{}])[0]
        groups = list(dataset.get("PerFrameFunctionalGroupsSequence") or [])
        count = int(dataset.get("NumberOfFrames", 1))
        others = _other_dimensions(dataset)
    except Exception:  # noqa: BLE001 - pydicom raises many kinds on damaged sequences, RecursionError among them
        return [Frame(header, modality=modality, trouble=("bad-groups", "has functional groups that cannot be read"))]
    if not 0 < count <= FRAMES_LIMIT or len(groups) != count:
        words = f"says that it has {count} frames and describes {len(groups)}"
        return [Frame(header, modality=modality, trouble=("frame-count", words))]
    trouble = pixel_trouble(header, count)
    if trouble:  # of the whole object: what stands in the frames' groups does not matter
        return [Frame(header, modality=modality, trouble=trouble)]
    frames = []
    for index, group in enumerate(groups):
        try:
            frame = _frame(header, modality, index, group, shared, others)
        except Exception:  # noqa: BLE001 - as above, for one frame
            frame = Frame(header, index, modality, trouble=("bad-groups", "has functional groups that cannot be read"))
        frames.append(frame)
    return frames


def _frame(header: Header, modality: str, index: int, group: Any, shared: Any, others: list[int]) -> Frame:
    def find(sequence: str, name: str) -> Any:
        for place in (group, shared):
            items = place.get(sequence)
            if items and items[0].get(name) is not None:
                return items[0].get(name)
        return None

    frame = Frame(header, index, modality)
    frame.rows, frame.columns = header.integer(tag.ROWS) or 0, header.integer(tag.COLUMNS) or 0
    frame.position = position(_decimal(find("PlanePositionSequence", "ImagePositionPatient")))
    frame.orientation = orientation(_decimal(find("PlaneOrientationSequence", "ImageOrientationPatient")))
    frame.spacing = pixel_spacing(_decimal(find("PixelMeasuresSequence", "PixelSpacing")))
    thickness = decimals(_decimal(find("PixelMeasuresSequence", "SliceThickness")), 1)
    frame.thickness = thickness[0] if thickness else None
    frame.own = {
        key: _bytes(value) for key, value in ((key, _first(find, places)) for key, places in TEXTS.items()) if value is not None
    }
    values = find("FrameContentSequence", "DimensionIndexValues")
    if values is not None and others:
        listed = list(values) if hasattr(values, "__len__") else [values]
        frame.own[tag.OTHER_DIMENSIONS] = b",".join(str(listed[at]).encode() for at in others if at < len(listed))
    frame.own.setdefault(tag.STACK, b"")
    frame.nature = nature(tuple(frame.tell(key) for key in tag.NATURE))
    slope, intercept = (find("PixelValueTransformationSequence", name) for name in ("RescaleSlope", "RescaleIntercept"))
    if slope is not None or intercept is not None:
        scales = [decimals(_decimal(value), 1) for value in (slope, intercept)]
        set_scale(frame, *(value[0] if value else None for value in scales))
    elif modality == "CT":
        frame.trouble = ("no-rescale", "has no RescaleSlope and RescaleIntercept, so its values are not Hounsfield units")
    return frame


def _first(find: Any, places: tuple[tuple[str, str], ...]) -> Any:
    return next((value for value in (find(*place) for place in places) if value is not None), None)


def _other_dimensions(dataset: Any) -> list[int]:
    """Return which numbers of DimensionIndexValues count something other than places (time, echo, direction ...)."""
    pointers = [int(item.get("DimensionIndexPointer", 0)) for item in dataset.get("DimensionIndexSequence") or []]
    return [at for at, pointer in enumerate(pointers) if pointer not in POSITION_POINTERS]


def _decimal(value: Any) -> bytes:
    """Return a decimal string as it stands in the file."""
    if value is None:
        return b""
    parts = value if hasattr(value, "__iter__") and not isinstance(value, str) else [value]
    return b"\\".join(str(getattr(part, "original_string", part)).encode() for part in parts)


def _bytes(value: Any) -> bytes:
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return str(value).encode("utf-8", "replace")
    return b"\\".join(str(part).encode("utf-8", "replace") for part in value)
