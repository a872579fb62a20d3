"""`sr.dcm`: findings and their measurements as a DICOM structured report (Comprehensive 3D SR, TID 1500)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medimg._tools.identity import digest, uid_from
from medimg.reports._absent import why_no_seg, why_no_sr
from medimg.reports._dicom import (
    MANUFACTURER,
    complete,
    concept,
    contributing,
    description,
    equipment,
    fix_dates,
    identity,
    save,
)
from medimg.reports._source_header import quiet, source_header
from medimg.reports._sources import ONE_FRAME
from medimg.reports._sr_content import groups, image_library, observer, rest
from medimg.reports.seg import uids
from medimg.values import Code
from medimg.values.code import PRIVATE_SCHEME

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset

    from medimg.values import StudyResult

NEEDS = ("prediction", "source_instances")
FILE = "sr.dcm"
BINARY_FILE = "sr_binary.dcm"  # the same report, which refers to seg_binary.dcm
SERIES_NUMBER = 9002  # SEG is 9001, key images are 9003
PROCEDURES = {  # of CID 100, the only one that the template's validators take; no country's list of procedures
    "CT": Code("LN", "25045-6", "CT unspecified body region"),
    "MR": Code("LN", "25056-3", "MRI unspecified body region"),
    "PT": Code("LN", "44136-0", "PET unspecified body region"),
    "NM": Code("LN", "49118-3", "NM unspecified body region"),
    "CR": Code("LN", "43468-8", "XR unspecified body region"),
    "DX": Code("LN", "43468-8", "XR unspecified body region"),
}
ANY_PROCEDURE = Code("SCT", "363679005", "Imaging procedure")


def write(result: StudyResult, folder: Path) -> tuple[Path, ...]:
    """Write `sr.dcm`: for each finding a group that refers to its segment in `seg.dcm`, with volume, diameters, HU and scores.

    Each score says by its method whether it is calibrated. Long and short axis are there as lines on their slice, too. Suspicion
    is a concept of medimg's own scheme (99MEDIMG): what radiologists would rate, no risk of cancer. A study without findings
    gets a report that says Absent of what was looked for, or Undetermined if anything was not evaluated. It is a preliminary,
    unverified document. With `result.labelmap` there is `sr_binary.dcm`, too, which refers to `seg_binary.dcm`.

    Raises:
        ScanError: the source was moved or changed since it was read.
        WriteError: the disk refuses.
    """
    if why_no_sr(result):
        return ()
    files: tuple[Path, ...] = (save(report(result, labelmap=result.labelmap), folder / FILE),)
    if result.labelmap and not why_no_seg(result):
        files += (save(report(result, labelmap=False), folder / BINARY_FILE),)
    return files


def report(result: StudyResult, *, labelmap: bool) -> Dataset:
    """Return the report of a result, as `write` writes it."""
    with quiet():
        return _report(result, labelmap=labelmap)


def _report(result: StudyResult, *, labelmap: bool) -> Dataset:
    import highdicom as hd
    from highdicom.coding_schemes import CodingSchemeIdentificationItem
    from pydicom.sr.codedict import codes

    assert result.prediction is not None  # NEEDS has looked
    header, _ = source_header(result.source_instances[0])
    parts, has_seg = identity(result), not why_no_seg(result)
    own = (*parts, "sr", str(labelmap), digest(repr(result.prediction.not_evaluated), repr(result.prediction.looked_for)).hex())
    is_rated = any(finding.scores or finding.detection_probability is not None for finding in result.findings)
    content = hd.sr.MeasurementReport(
        observation_context=observer(result),
        procedure_reported=concept(PROCEDURES.get(result.series.modality, ANY_PROCEDURE)),
        imaging_measurements=groups(result, parts, labelmap=labelmap, has_seg=has_seg),
        title=codes.DCM.ImagingMeasurementReport,
    )
    place = next(
        index
        for index, item in enumerate(content[0].ContentSequence)
        if item.ConceptNameCodeSequence[0].CodeValue == codes.DCM.ImagingMeasurements.value
    )
    content[0].ContentSequence.insert(place, image_library(result.series.slices))
    evaluations = rest(result)
    if evaluations is not None:
        content[0].ContentSequence.append(evaluations)
    scheme = CodingSchemeIdentificationItem(PRIVATE_SCHEME, name="medimg", responsible_organization=MANUFACTURER)
    own_class, header.SOPClassUID = header.SOPClassUID, ONE_FRAME  # highdicom copies by class, and knows no private ones
    dataset: Dataset = hd.sr.Comprehensive3DSR(
        evidence=[header, *_evidence(result, header, parts, labelmap=labelmap, has_seg=has_seg)],
        content=_bare(content[0]),
        series_instance_uid=uid_from(*own, "series"),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid_from(*own, "instance"),
        instance_number=1,
        is_complete=True,
        is_final=False,
        series_description=description(result, "findings"),
        coding_schemes=[scheme] if is_rated else None,
        contributing_equipment=contributing(result),
        **equipment(result),
    )
    dataset["ContentSequence"] = content[0]["ContentSequence"]
    for series in dataset.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence:
        for item in series.ReferencedSOPSequence:
            if item.ReferencedSOPInstanceUID == header.SOPInstanceUID:
                item.ReferencedSOPClassUID = own_class
    fix_dates(dataset, header)
    complete(dataset, header, body_part="")
    return dataset


def _bare(root: Dataset) -> Dataset:
    """Return the root of a content tree without what hangs on it.

    highdicom would copy the whole tree, read the copy item by item and search it for what it refers to: two thirds of the time
    that a report of a hundred findings takes. Nothing of that is needed, for every instance of the source is evidence here.
    """
    from pydicom.dataset import Dataset as New

    bare = New()
    for element in root:
        if element.keyword != "ContentSequence":
            bare[element.tag] = element
    bare.ContentSequence = []
    return bare


def _evidence(result: StudyResult, header: Dataset, parts: tuple[str, ...], *, labelmap: bool, has_seg: bool) -> list[Dataset]:
    """Return what the report refers to, as bare as a reference needs it: every source instance, and the segmentation."""
    from pydicom.dataset import Dataset as New

    found = [(source.class_uid, source.instance_uid, str(header.SeriesInstanceUID)) for source in result.series.slices]
    if has_seg:
        series = uid_from(*parts, "labelmap" if labelmap else "seg", "series")
        found.append((*uids(parts, labelmap=labelmap), series))
    evidence = []
    for class_uid, uid, series_uid in dict.fromkeys(found):
        item = New()
        item.SOPClassUID, item.SOPInstanceUID, item.SeriesInstanceUID = class_uid, uid, series_uid
        item.StudyInstanceUID = header.StudyInstanceUID
        evidence.append(item)
    return evidence
