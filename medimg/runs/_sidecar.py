"""The JSON beside a converted volume, in the manner of BIDS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from medimg._tools.files import whole_file
from medimg.runs._nameless import nameless_series

if TYPE_CHECKING:
    from pathlib import Path

    from medimg.values import Series, Volume

# What a DICOM keyword is called in BIDS (bids-specification.readthedocs.io, "Glossary"), and what turns its unit into BIDS's
FACTS: dict[str, tuple[str, float | None]] = {
    "Manufacturer": ("Manufacturer", None),
    "ManufacturerModelName": ("ManufacturersModelName", None),
    "SoftwareVersions": ("SoftwareVersions", None),
    "MagneticFieldStrength": ("MagneticFieldStrength", 1),
    "ImageType": ("ImageType", None),
    "BodyPartExamined": ("BodyPart", None),
    "PatientPosition": ("PatientPosition", None),
    "ScanningSequence": ("ScanningSequence", None),
    "SequenceVariant": ("SequenceVariant", None),
    "MRAcquisitionType": ("MRAcquisitionType", None),
    "RepetitionTime": ("RepetitionTime", 1e-3),
    "EchoTime": ("EchoTime", 1e-3),
    "InversionTime": ("InversionTime", 1e-3),
    "FlipAngle": ("FlipAngle", 1),
    "SliceThickness": ("SliceThickness", 1),
    "SpacingBetweenSlices": ("SpacingBetweenSlices", 1),
    "KVP": ("KVP", 1),
    "XRayTubeCurrent": ("XRayTubeCurrent", 1),
    "ExposureTime": ("ExposureTime", 1e-3),
    "ConvolutionKernel": ("ConvolutionKernel", None),
    "Units": ("Units", None),
    "DecayCorrection": ("ImageDecayCorrectionMethod", None),
}
IDENTITY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "SeriesDate",
    "AccessionNumber",
    "InstitutionName",
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "StudyInstanceUID",
    "SeriesInstanceUID",
)


def sidecar(series: Series, volume: Volume, path: Path, *, identify: bool) -> Path:
    """Write what a series says of itself; nothing in it names anybody unless `identify`.

    Free text of the header (descriptions, protocol names) can name a patient and stands only there too, as do dates and UIDs.
    """
    import medimg

    content: dict[str, Any] = {"Modality": series.modality} if series.modality else {}
    content |= _of_header(series, identify=identify)
    content["ConversionSoftware"], content["ConversionSoftwareVersion"] = "medimg", medimg.__version__
    named = nameless_series(series).to_dict()
    kept = ("name", "reader", "files", "grid", "verdict", "hazards")
    content["medimg"] = {
        **{key: named[key] for key in kept},
        "unit": volume.unit,
        "inverted": volume.inverted,
        "unmeasured_slices": [place for place, source in enumerate(series.slice_of) if source is None],
    }
    with whole_file(path) as partial:
        partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _of_header(series: Series, *, identify: bool) -> dict[str, Any]:
    """Return what the first file of a DICOM series says; {} for other formats, and where the header cannot be had."""
    if series.reader != "dicom" or not series.files:
        return {}
    import pydicom

    wanted = [*FACTS, *(IDENTITY if identify else ())]
    try:
        header = pydicom.dcmread(series.files[0], stop_before_pixels=True, force=True, specific_tags=wanted)
    except Exception:  # noqa: BLE001 - pydicom raises whatever a damaged element makes it raise; the volume itself was read
        return {}
    facts: dict[str, Any] = {}
    for keyword in wanted:
        name, factor = FACTS.get(keyword, (keyword, None))
        value = _value(header, keyword, factor)
        if value not in (None, "", []):
            facts[name] = value
    return facts


def _value(header: Any, keyword: str, factor: float | None) -> Any:
    from pydicom.multival import MultiValue

    try:
        value = header.get(keyword)
        if value is None:
            return None
        if factor is not None:
            return round(float(value) * factor, 9)
        return [str(one) for one in value] if isinstance(value, MultiValue) else str(value)
    except Exception:  # noqa: BLE001 - see above
        return None
