"""`key_1.dcm` and so on: a picture of each finding that any viewer shows (Secondary Capture, colour)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medimg._tools.identity import digest, uid_from
from medimg.drawing import draw_key_image
from medimg.measures import diameters
from medimg.reports._absent import MOST_KEY_IMAGES
from medimg.reports._dicom import (
    MANUFACTURER,
    body_part,
    complete,
    contributing,
    description,
    equipment,
    fix_dates,
    identity,
    plain,
    save,
    source_date,
)
from medimg.reports._source_header import quiet, source_header
from medimg.reports._sources import ONE_FRAME, frame_number
from medimg.reports.seg import tracking

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from medimg.values import Finding, SourceSlice, StudyResult

NEEDS = ("findings", "source_instances", "volume")
FILE = "key_1.dcm"
SERIES_NUMBER = 9003
SIDE_PX = 512
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
NOTICE = "AI OUTPUT, FOR RESEARCH ONLY. Not a medical device; no diagnosis may rest on it."
GIVEN_NOTICE = "OUTLINE GIVEN, FOR RESEARCH ONLY. Measured, not found, by medimg; no diagnosis may rest on it."
NOT_CANCER = "Suspicion is what radiologists would rate; it is not a probability of cancer."
SUSPICION = "suspicion"
SIDES = {"7771000": "L", "24028007": "R"}
UNPAIRED = ("CHEST", "HEAD", "NECK", "ABDOMEN", "PELVIS", "BRAIN", "LIVER", "HEART", "SPINE")


def write(result: StudyResult, folder: Path) -> tuple[Path, ...]:
    """Write `key_1.dcm`, `key_2.dcm` ...: the slice in which each of the first 20 findings is longest, as a colour picture.

    Left: close up with outline and both diameters; right: the evidence, or where there is none the whole slice. The picture says
    of itself that it is AI output, and so do series description, image type and equipment. It names no patient in its pixels.
    All pictures are one series; instance n is the n-th finding. The same result gives the same UIDs and the same bytes.

    Raises:
        ScanError: the source was moved or changed since it was read.
        WriteError: the disk refuses.
    """
    parts = identity(result)
    return tuple(
        save(_key_image(result, finding, number, parts), folder / f"key_{number}.dcm")
        for number, finding in enumerate(result.findings[:MOST_KEY_IMAGES], 1)
    )


def picture(result: StudyResult, finding: Finding) -> NDArray[np.uint8]:
    """Return the picture of a finding, RGB (row, column, 3)."""
    assert result.volume is not None  # NEEDS has looked
    assert result.prediction is not None
    mask = result.prediction.mask
    size = diameters(mask, label=finding.id)
    slices, origins = mask.shape[0], result.series.slice_of
    measured = "" if not origins or origins[size.slice_index] is not None else " (not measured)"
    words = [word.meaning.lower() for word in (finding.laterality, finding.site) if word]
    numbers = [f"{finding.measures.longest_diameter_mm:.1f} x {finding.measures.short_diameter_mm:.1f} mm"]
    numbers += [f"{finding.measures.volume_mm3:,.0f} mm3"]
    numbers += [f"mean {finding.measures.mean_hu:.0f} HU"] if finding.measures.mean_hu is not None else []
    heatmap = next((heatmap for heatmap in result.heatmaps if heatmap.finding_id == finding.id), None)
    suspicion = next((score for score in finding.scores if score.name == SUSPICION), None)
    sure = finding.detection_probability
    scores = [] if sure is None else [f"detection {sure:.2f}"]
    if suspicion:
        state = "calibrated" if suspicion.calibrated else "not calibrated"
        scores = [f"suspicion {suspicion.value:.2f} ({state})", *scores]
    made_by, called = result.provenance, finding.name or finding.kind.meaning
    model = f"{made_by.model} {made_by.model_version}"
    if heatmap:
        model += f"; right: evidence for {heatmap.target} ({heatmap.method})"
    return draw_key_image(
        result.volume,
        mask,
        label=finding.id,
        slice_index=size.slice_index,
        calipers_mm=[size.long_ends_mm, size.short_ends_mm],
        heatmap=heatmap,
        title=[
            plain(f"{called} {finding.id} of {len(result.findings)}, {' '.join(words) or 'site unknown'}"),
            plain("; ".join([*numbers, *scores])),
            plain(f"slice {size.slice_index + 1} of {slices}{measured}; medimg {made_by.medimg_version}, {model}"),
        ],
        notice=f"{NOTICE} {NOT_CANCER}" if suspicion else _notice(result),
        size_px=SIDE_PX,
    )


def _notice(result: StudyResult) -> str:
    return GIVEN_NOTICE if result.provenance.outlines else NOTICE


def _key_image(result: StudyResult, finding: Finding, number: int, parts: tuple[str, ...]) -> Dataset:
    with quiet():
        return _dataset(result, finding, number, parts)


def _dataset(result: StudyResult, finding: Finding, number: int, parts: tuple[str, ...]) -> Dataset:
    import highdicom as hd

    header, _ = source_header(result.source_instances[0])
    header.SOPClassUID = ONE_FRAME  # patient and study are copied by class, and highdicom knows no private ones
    pixels = picture(result, finding)
    dataset: Dataset = hd.sc.SCImage.from_ref_dataset(
        header,
        pixels,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "P"),  # replaced below: two pictures in one have none
        series_instance_uid=uid_from(*parts, "key", "series"),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid_from(*parts, "key", number, digest(pixels.tobytes()).hex()),
        instance_number=number,
        transfer_syntax_uid=EXPLICIT_LITTLE_ENDIAN,
        series_description=description(result, "key images"),
        contributing_equipment=contributing(result),
        **equipment(result),
    )
    dataset.copy_patient_and_study_information(header)
    name, uid = tracking(result, finding, parts)
    dataset.PatientOrientation = None  # type 2C: several orientations in one picture; letters in the picture mark the sides
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    # we write nobody's name into the pixels (PS3.3 C.7.6.1); the source may have
    dataset.BurnedInAnnotation = "YES" if header.get("BurnedInAnnotation") == "YES" else "NO"
    dataset.LossyImageCompression = "00"
    if header.get("LossyImageCompression") == "01":  # what is made of lossy pixels is lossy (PS3.3 C.7.6.1.1.5)
        dataset.LossyImageCompression = "01"
        for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            if header.get(keyword):
                dataset[keyword] = header[keyword]
    dataset.ImageComments = f"{name}. {_notice(result)}"
    dataset.DerivationDescription = f"Drawn by medimg: outline, diameters and evidence of {name}; tracking UID {uid}"
    dataset.SourceImageSequence = [_source(result, finding)]
    dataset.ConversionType = "WSD"  # drawn on a workstation, not digitized
    dataset.SecondaryCaptureDeviceManufacturer = MANUFACTURER
    dataset.SecondaryCaptureDeviceManufacturerModelName = plain(result.provenance.model)[:64]
    dataset.SecondaryCaptureDeviceSoftwareVersions = f"medimg {result.provenance.medimg_version}"
    dataset.DateOfSecondaryCapture, dataset.TimeOfSecondaryCapture = source_date(header)
    fix_dates(dataset, header)
    complete(dataset, header, body_part=body_part(result))
    if dataset.get("BodyPartExamined") not in UNPAIRED:
        _side(dataset, result, finding)
    return dataset


def _side(dataset: Dataset, result: StudyResult, finding: Finding) -> None:
    """Say the side of a part that is or may be paired: of each image, or, where one is not known, of none (PS3.3 C.7.3.1)."""
    sides = [SIDES.get(shown.laterality.value, "") if shown.laterality else "" for shown in result.findings[:MOST_KEY_IMAGES]]
    if all(sides):
        dataset.ImageLaterality = sides[result.findings.index(finding)]
    else:
        dataset.Laterality = None


def _source(result: StudyResult, finding: Finding) -> Dataset:
    """Return the reference to the slice that is shown, or to the nearest one where that was not measured."""
    from pydicom.dataset import Dataset as New

    assert result.prediction is not None  # NEEDS has looked
    shown = diameters(result.prediction.mask, label=finding.id).slice_index
    measured = [(abs(index - shown), origin) for index, origin in enumerate(result.series.slice_of) if origin is not None]
    source: SourceSlice = result.series.slices[min(measured)[1]]
    item = New()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = source.class_uid, source.instance_uid
    number = frame_number(source, result.series.slices)
    if number is not None:
        item.ReferencedFrameNumber = number
    return item
