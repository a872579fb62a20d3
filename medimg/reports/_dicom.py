"""What all DICOM objects of a study share: the source's headers, dates, equipment, and bytes that depend on content alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medimg._tools.files import whole_file
from medimg._tools.identity import digest
from medimg.errors import ScanError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pydicom.dataset import Dataset

    from medimg.values import SourceSlice, StudyResult

MANUFACTURER = "medimg"
CONTENT_CREATOR = "medimg^"  # a name of one component is a retired form, which validators warn of
NO_DATE, NO_TIME = "19000101", "000000"  # where the source has none at all; the day of writing would change the bytes
PER_INSTANCE = [
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Rows", "Columns"),
    *("PixelSpacing", "SliceThickness", "ImagePositionPatient", "ImageOrientationPatient", "NumberOfFrames"),
]
MUST_BE_THERE = (  # type 2 of patient and study: may be empty, not absent, and many a source leaves them out
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"),
    *("StudyDate", "StudyTime", "ReferringPhysicianName"),
)
DATES = (  # the series the object is made from, then ever wider
    ("SeriesDate", "SeriesTime"),
    ("AcquisitionDate", "AcquisitionTime"),
    ("ContentDate", "ContentTime"),
    ("StudyDate", "StudyTime"),
)


def headers(sources: Sequence[SourceSlice]) -> list[Dataset]:
    """Read the headers of source instances, never their pixels: the first one whole, of the others only what places them."""
    import pydicom

    found: list[Dataset] = []
    for source in sources:
        tags = PER_INSTANCE if found else None
        try:
            header = pydicom.dcmread(source.file, stop_before_pixels=True, specific_tags=tags, force=True)
        except (OSError, pydicom.errors.InvalidDicomError) as error:
            raise ScanError(
                f"{source.file.name} can no longer be read. Leave the scan in place until the results are written."
            ) from error
        if header.get("SOPInstanceUID") != source.instance_uid:
            raise ScanError(f"{source.file.name} was changed after it was read. Run it again.")
        found.append(header)
    for keyword in MUST_BE_THERE:
        if found and keyword not in found[0]:
            setattr(found[0], keyword, None)
    return found


def source_date(header: Dataset) -> tuple[str, str]:
    """Return date and time of the source; results carry these, so that the same result is the same bytes."""
    for date, time in DATES:
        if header.get(date):
            return str(header[date].value), str(header.get(time) or NO_TIME)
    return NO_DATE, NO_TIME


def identity(result: StudyResult) -> tuple[str, ...]:
    """Return what a result is made from: source instances, model, weights, version, options, and the voxels of its outlines.

    UIDs are made from this, so the same UID means the same bytes.
    """
    assert result.prediction is not None
    made_by, mask = result.provenance, result.prediction.mask
    box = _labelled(mask)
    return (
        result.series.series_uid,
        digest(*(source.instance_uid for source in result.series.slices)).hex(),
        f"{made_by.model} {made_by.model_version} {made_by.medimg_version} {sorted(made_by.weights_sha256.items())}",
        f"{sorted(made_by.parameters.items(), key=str)} {sorted(made_by.versions.items())}",
        digest(*box, repr([finding.to_dict() for finding in result.findings])).hex(),
    )


def _labelled(mask: Any) -> tuple[object, ...]:
    import numpy as np

    places = np.flatnonzero(mask.array)
    return mask.shape, places.astype("<i8").tobytes(), mask.array.ravel()[places].astype("<u2").tobytes()


def equipment(result: StudyResult) -> dict[str, str]:
    """Return the equipment that made an object: this package, and the model as its own device."""
    made_by = result.provenance
    return {
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": made_by.model,
        "software_versions": f"medimg {made_by.medimg_version}",
        "device_serial_number": f"{made_by.model} {made_by.model_version}",
    }


def fix_dates(dataset: Dataset, header: Dataset) -> None:
    """Give an object the dates of its source in place of the moment it is written."""
    date, time = source_date(header)
    for keyword in ("InstanceCreationDate", "SeriesDate", "ContentDate"):
        setattr(dataset, keyword, date)
    for keyword in ("InstanceCreationTime", "SeriesTime", "ContentTime"):
        setattr(dataset, keyword, time)
    for item in dataset.get("ContributingEquipmentSequence", ()):
        if "ContributionDateTime" in item:
            item.ContributionDateTime = date + time


def in_slice_order(dataset: Dataset, sources: Sequence[SourceSlice]) -> None:
    """Name the source instances in the order of their slices."""
    rank = {source.instance_uid: number for number, source in enumerate(sources)}

    def ordered(references: Sequence[Dataset]) -> list[Dataset]:
        return sorted(references, key=lambda item: rank[item.ReferencedSOPInstanceUID])

    dataset.SourceImageSequence = ordered(dataset.SourceImageSequence)
    for series in dataset.ReferencedSeriesSequence:
        series.ReferencedInstanceSequence = ordered(series.ReferencedInstanceSequence)


def complete(dataset: Dataset, header: Dataset, *, body_part: str) -> None:
    """Add what highdicom does not copy from the source: without it, objects of one study differ or miss what a module wants."""
    if "StudyDescription" in header:
        dataset.StudyDescription = header.StudyDescription
    body_part = str(header.get("BodyPartExamined") or body_part)
    if body_part:
        dataset.BodyPartExamined = body_part


def save(dataset: Dataset, path: Path) -> Path:
    """Write a DICOM file, whole or not at all."""
    with whole_file(path) as partial:
        dataset.save_as(partial, enforce_file_format=True)
    return path
