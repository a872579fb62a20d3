"""What all DICOM objects of a study share: identity, dates, equipment, and bytes that depend on content alone."""

from __future__ import annotations

import unicodedata
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg._tools.files import whole_file
from medimg._tools.identity import digest, uid_from
from medimg.reports._source_header import HOW_REMOVED, header_digest, source_header
from medimg.values import Code

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom.dataset import Dataset

    from medimg.values import Finding, Mask, Series, StudyResult

MANUFACTURER = "medimg"
ABNORMAL = Code("SCT", "49755003", "Morphologically Abnormal Structure")
CONTENT_CREATOR = "medimg^"  # a name of one component is a retired form, which validators warn of
NO_METHOD = "not stated by the source"  # where an identity was removed, one of the two must say how
BODY_PARTS = {"39607008": "CHEST", "10200004": "LIVER", "64033007": "KIDNEY", "76752008": "BREAST", "12738006": "BRAIN"}
WORDS = {"×": "x", "–": "-", "—": "-", "−": "-", "µ": "u", "²": "2", "³": "3", "°": " deg", "≥": ">=", "≤": "<=", "\\": "/"}
DIGITS = 9  # significant ones of a number: a decimal string holds 16 characters
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
    """Return what a result is made from.

    That is: source instances, where they lie, and what their header says of the patient; model, weights, version, options; the
    outlined voxels and every finding with all the digits that are written. UIDs are made from this, so the same UID means the
    same bytes.

    Raises:
        ScanError: the source was moved or changed since it was read.
    """
    assert result.prediction is not None  # NEEDS has looked
    made_by, series, found = result.provenance, result.series, result.prediction
    return (
        series.series_uid,
        digest(*_placed(series), series.modality).hex(),
        header_digest(source_header(result.source_instances[0])[0]).hex(),
        f"{made_by.model} {made_by.model_version} {made_by.medimg_version} {sorted(made_by.weights_sha256.items())}",
        f"{made_by.model_summary} {made_by.outlines}",
        f"{sorted(made_by.parameters.items(), key=str)} {sorted(made_by.versions.items())}",
        digest(*_labelled(found.mask), repr(_told((found.findings, found.looked_for, found.looked_in)))).hex(),
    )


def _placed(series: Series) -> Iterator[object]:
    """Give the source slices, each with its place: a header that was corrected since makes other objects."""
    for source in series.slices:
        yield f"{source.class_uid} {source.instance_uid} {source.frame} {_told(source.position_mm)}"
    yield f"{series.slice_of} {_told(series.grid.affine.ravel().tolist()) if series.grid else ''}"


def _told(value: object) -> object:
    """Return a value with its parts by name and its numbers as they are written: noise in the last bits makes no other object."""
    if isinstance(value, float):
        return f"{value:.{DIGITS}g}"
    if isinstance(value, list | tuple):
        return [_told(part) for part in value]
    if is_dataclass(value):
        return [(part.name, _told(getattr(value, part.name))) for part in fields(value)]
    return value


def _labelled(mask: Mask) -> Iterator[object]:
    """Give what is labelled where, a slice at a time: enough to tell two masks apart, whatever their dtype."""
    yield mask.shape
    for index, plane in enumerate(mask.array):
        places = np.flatnonzero(plane)
        if len(places):
            yield from (index, places.astype("<i8").tobytes(), plane.ravel()[places].astype("<u2").tobytes())


def device_uid(result: StudyResult) -> str:
    """Return the UID of the device that made a result: the same for every result of one version of a model, by its weights."""
    made_by = result.provenance
    return uid_from("medimg", made_by.model, made_by.model_version, *sorted(made_by.weights_sha256.items()))


def contributing(result: StudyResult) -> list[Any]:
    """Return what took part besides the scanner and the maker of the file: medimg with the model, a device of its own."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    made_by = result.provenance
    device = hd.ContributingEquipment(
        manufacturer=MANUFACTURER,
        purpose_of_reference=codes.DCM.ProcessingEquipment,
        manufacturer_model_name=plain(made_by.model)[:64],
        software_versions=[f"medimg {made_by.medimg_version}", plain(f"{made_by.model} {made_by.model_version}")[:64]],
        device_serial_number=plain(f"{made_by.model} {made_by.model_version}")[:64],
        contribution_description=plain(made_by.model_summary)[:1024] or None,
    )
    device.DeviceUID = device_uid(result)
    return [device]


def plain(text: str) -> str:
    """Return text that every character set of DICOM can hold on one line; what has no ASCII form becomes a question mark.

    A backslash becomes a slash, for it would make two values of one.

    >>> plain("12 × 8 mm – r\u00e9sum\u00e9")
    '12 x 8 mm - resume'
    """
    for letter, words in WORDS.items():
        text = text.replace(letter, words)
    letters = [letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter)]
    line = "".join(letter if letter.isprintable() else " " for letter in letters)
    return " ".join(line.encode("ascii", "replace").decode("ascii").split())


def equipment(result: StudyResult) -> dict[str, str]:
    """Return the equipment that made an object: this package, and the model as its own device."""
    made_by = result.provenance
    return {
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": plain(made_by.model)[:64],
        "software_versions": f"medimg {made_by.medimg_version}",
        "device_serial_number": plain(f"{made_by.model} {made_by.model_version}")[:64],
    }


def description(result: StudyResult, what: str) -> str:
    """Return the description of a series of ours, which says that it is no person's work, or that the outlines were given."""
    model = plain(result.provenance.model)
    if result.provenance.outlines:
        return f"medimg {model[: 64 - len(what) - 30]}: {what} (given, research only)"
    return f"medimg {model[: 64 - len(what) - 30]}: {what} (AI, research only)"


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
    for keyword in ("StudyDescription", "TimezoneOffsetFromUTC", *HOW_REMOVED):
        if header.get(keyword):
            dataset[keyword] = header[keyword]
    if dataset.get("PatientIdentityRemoved") == "YES" and not any(dataset.get(keyword) for keyword in HOW_REMOVED):
        dataset.DeidentificationMethod = NO_METHOD
    part = str(header.get("BodyPartExamined") or body_part)
    if part and dataset.Modality != "SR":  # a document has no module that holds it
        dataset.BodyPartExamined = part
    elif dataset.Modality not in ("SR", "SEG"):  # the part may be a paired one: then the side may be unknown, but not absent
        dataset.Laterality = dataset.get("Laterality")


def body_part(result: StudyResult) -> str:
    """Return DICOM's word for where the findings lie, "" where it has none."""
    assert result.prediction is not None  # NEEDS has looked
    sites = [finding.site for finding in result.findings if finding.site] + [result.prediction.looked_in]
    return BODY_PARTS.get(sites[0].value, "") if sites[0] else ""


def category(finding: Finding) -> Any:
    """Return the wider sort of thing that a finding is."""
    return concept(finding.category or ABNORMAL)


def concept(code: Code) -> Any:
    """Return a code as highdicom takes it."""
    import highdicom as hd

    return hd.sr.CodedConcept(value=code.value, scheme_designator=code.scheme, meaning=plain(code.meaning))


def save(dataset: Dataset, path: Path) -> Path:
    """Write a DICOM file, whole or not at all."""
    with whole_file(path) as partial:
        dataset.save_as(partial, enforce_file_format=True)
    return path
