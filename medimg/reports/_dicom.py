"""What all DICOM objects of a study share: identity, dates, equipment, and bytes that depend on content alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medimg._tools.files import whole_file
from medimg._tools.identity import digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom.dataset import Dataset

    from medimg.values import Mask, StudyResult

MANUFACTURER = "medimg"
CONTENT_CREATOR = "medimg^"  # a name of one component is a retired form, which validators warn of
HOW_REMOVED = ("DeidentificationMethod", "DeidentificationMethodCodeSequence")
NO_METHOD = "not stated by the source"  # where an identity was removed, one of the two must say how
NO_DATE, NO_TIME = "19000101", "000000"  # where the source has none at all; the day of writing would change the bytes
DATES = (  # the series the object is made from, then ever wider
    ("SeriesDate", "SeriesTime"),
    ("AcquisitionDate", "AcquisitionTime"),
    ("ContentDate", "ContentTime"),
    ("StudyDate", "StudyTime"),
)


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
    assert result.prediction is not None  # NEEDS has looked
    made_by = result.provenance
    return (
        result.series.series_uid,
        digest(*(source.instance_uid for source in result.series.slices)).hex(),
        f"{made_by.model} {made_by.model_version} {made_by.medimg_version} {sorted(made_by.weights_sha256.items())}",
        f"{sorted(made_by.parameters.items(), key=str)} {sorted(made_by.versions.items())}",
        digest(*_labelled(result.prediction.mask), repr([finding.to_dict() for finding in result.findings])).hex(),
    )


def _labelled(mask: Mask) -> Iterator[object]:
    """Give what is labelled where, a slice at a time: enough to tell two masks apart, whatever their dtype."""
    yield mask.shape
    for index, plane in enumerate(mask.array):
        places = np.flatnonzero(plane)
        if len(places):
            yield from (index, places.astype("<i8").tobytes(), plane.ravel()[places].astype("<u2").tobytes())


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


def complete(dataset: Dataset, header: Dataset, *, body_part: str) -> None:
    """Add what highdicom does not copy from the source: without it, objects of one study differ or miss what a module wants."""
    for keyword in ("StudyDescription", *HOW_REMOVED):
        if header.get(keyword):
            dataset[keyword] = header[keyword]
    if dataset.get("PatientIdentityRemoved") == "YES" and not any(dataset.get(keyword) for keyword in HOW_REMOVED):
        dataset.DeidentificationMethod = NO_METHOD
    body_part = str(header.get("BodyPartExamined") or body_part)
    if body_part:
        dataset.BodyPartExamined = body_part


def save(dataset: Dataset, path: Path) -> Path:
    """Write a DICOM file, whole or not at all."""
    with whole_file(path) as partial:
        dataset.save_as(partial, enforce_file_format=True)
    return path
