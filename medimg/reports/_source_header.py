"""The header that objects take patient and study from, with the faults that the source brought itself mended and named."""

from __future__ import annotations

import re
import unicodedata
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from medimg._tools.identity import digest, uid_from
from medimg.errors import ScanError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

    from medimg.values import SourceSlice, StudyResult

MUST_BE_THERE = (  # type 2 of patient and study (PS3.3 C.7.1.1, C.7.2.1): may be empty, not absent
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"),
    *("StudyDate", "StudyTime", "ReferringPhysicianName"),
)
DATES = ("PatientBirthDate", "StudyDate")
TIMES = ("StudyTime", "PatientBirthTime")
CODED = {"PatientSex": ("M", "F", "O"), "PatientIdentityRemoved": ("YES", "NO")}
NUMBERS, AGE = ("PatientSize", "PatientWeight"), "PatientAge"
NAMES = ("PatientName", "ReferringPhysicianName")
SHORT = {"PatientID": 64, "AccessionNumber": 16, "StudyID": 16, "StudyDescription": 64}
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
UID = re.compile(r"(?=.{1,64}$)[0-2](\.(0|[1-9]\d*))+", re.ASCII)  # PS3.5 section 9.1
OF_A_CD = ("PatientID", "StudyID", "StudyDate", "StudyTime")  # keys of a DICOMDIR, which are type 1 there (PS3.3 F.5)
TEXT_VRS = ("LO", "LT", "PN", "SH", "ST", "UC", "UT")
UTF8, DEFAULT_EXTENDED = "ISO_IR 192", "ISO 2022 IR 6"
GBK = "GBK"  # validators of today do not know it yet
MULTI_BYTE = ("ISO 2022 IR 87", "ISO 2022 IR 149", "ISO 2022 IR 159")
COPIED_GROUPS = (0x0008, 0x0010, 0x0012, 0x0020, 0x0032, 0x0038)  # identification, patient, trial, relationship, study, visit
COPIED_BESIDES = (  # body part, thickness, spacings, what was burned in, lossy compression; scanner, reason, specimen
    *(0x00180015, 0x00180050, 0x00180088, 0x00280030, 0x00280301, 0x00282110, 0x00282112, 0x00282114),
    *(0x00181000, 0x00181020, 0x00401012),
    *(0x00400512, 0x00400513, 0x00400515, 0x00400518, 0x0040051A, 0x00400520, 0x00400560),
)
WHOLLY_COPIED = (0x0010, 0x0012, 0x0032, 0x0038)  # groups of the patient, the trial, what was asked for, the visit
COPIED_OF_STUDY = (  # and of the others: study, who asked for and who read it, why (PS3.3 C.7.2.1), and the scanner
    *("IssuerOfAccessionNumberSequence", "StudyDescription", "ReferringPhysicianIdentificationSequence", "PhysiciansOfRecord"),
    *("PhysiciansOfRecordIdentificationSequence", "NameOfPhysiciansReadingStudy", "PhysiciansReadingStudyIdentificationSequence"),
    *("ConsultingPhysicianName", "ConsultingPhysicianIdentificationSequence", "ReferencedStudySequence", "ProcedureCodeSequence"),
    *("ReasonForPerformedProcedureCodeSequence", "AdmittingDiagnosesDescription", "AdmittingDiagnosesCodeSequence"),
    *("ReferencedPatientSequence", "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "DeviceSerialNumber"),
    *("InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName", "StationName", "TimezoneOffsetFromUTC"),
    *("BodyPartExamined", "LossyImageCompressionRatio", "LossyImageCompressionMethod", "PositionReferenceIndicator"),
    *("SeriesDate", "SeriesTime", "AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime", "ContentDate", "ContentTime"),
)
MAY_BE_EMPTY = ("PatientBreedCodeSequence", "BreedRegistrationSequence")  # of sequences of the patient; type 2C, of animals
NAME_FORMS, NAME_LENGTH, NAME_PARTS = 3, 64, 5  # of a name; the last two of each form
STRINGS = ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UI", "UR")
CONTROLS = dict.fromkeys(("LO", "PN", "SH", "UC"), "") | dict.fromkeys(("LT", "ST", "UT"), "\t\n\f\r\x1b")  # that may be there
HOW_REMOVED = ("DeidentificationMethod", "DeidentificationMethodCodeSequence")


def source_header(source: SourceSlice) -> tuple[Dataset, tuple[str, ...]]:
    """Return the header of a source without its pixels, and a sentence for every fault of it that would reach our objects.

    What is missing of type 2 is there, empty. What has an illegal value is emptied, for a copy of it would be an illegal object
    of ours. Text outside of ASCII without a character set is read as UTF-8 if it is that, else as Latin-1, and the header then
    names UTF-8. A sentence names attributes, never their values.

    Raises:
        ScanError: the source was moved or changed since it was read.
    """
    with quiet():
        return _checked(read_header(source))


def _checked(header: Dataset) -> tuple[Dataset, tuple[str, ...]]:
    faults: list[str] = []
    _kinds(header, faults)
    _text(header, faults)
    for keyword in MUST_BE_THERE:
        if keyword not in header:
            faults.append(f"{keyword} is missing, which every object must have: it is written empty.")
            setattr(header, keyword, None)
    if not header.get("StudyInstanceUID"):
        faults.append("StudyInstanceUID is missing: one is made from the series, so results stand in a study of their own.")
        header.StudyInstanceUID = uid_from(header.get("SeriesInstanceUID", ""), "study")
    for keyword in (*DATES, *TIMES, *CODED, *NUMBERS, *NAMES, *SHORT, AGE):
        _legal(header, keyword, faults)
    _forms(header, faults)
    for keyword in UIDS:
        if header.get(keyword) and not UID.fullmatch(str(header[keyword].value)):
            faults.append(f"{keyword} is no UID as DICOM has them: references repeat it as it is, or they would lead nowhere.")
    for keyword in OF_A_CD:
        if not header.get(keyword) and not any(fault.startswith(keyword) for fault in faults):
            faults.append(f"{keyword} is empty, which is legal, but no DICOM CD can file such an object: it stays empty.")
    for keyword in NAMES:
        name = str(header.get(keyword) or "")
        if name and "^" not in name.rstrip("^"):
            faults.append(f"{keyword} has a single component, a retired form that validators warn of: it is copied as it is.")
    if not header.get("BodyPartExamined"):
        faults.append("BodyPartExamined is missing: the part that the findings lie in is written, if it has a word of DICOM's.")
    if header.get("PatientIdentityRemoved") == "YES" and not any(header.get(keyword) for keyword in HOW_REMOVED):
        faults.append("PatientIdentityRemoved is YES, and no method is named: that is said in the results.")
    return header, tuple(faults)


def source_faults(result: StudyResult) -> tuple[str, ...]:
    """Return the faults of the source that would reach our objects, none for a source that is not DICOM.

    Raises:
        ScanError: the source was moved or changed since it was read.
    """
    return source_header(result.source_instances[0])[1] if result.source_instances else ()


def header_digest(header: Dataset) -> bytes:
    """Return a hash of what objects copy from a header: results of a corrected header are other objects."""
    with quiet():
        return digest(*_copied(header))


def read_header(source: SourceSlice, tags: list[str] | None = None) -> Dataset:
    """Return the header of a source, or only some `tags` of it.

    Raises:
        ScanError: the source was moved or changed since it was read.
    """
    import pydicom

    try:
        header = pydicom.dcmread(source.file, stop_before_pixels=True, specific_tags=tags, force=True)
    except (OSError, pydicom.errors.InvalidDicomError) as error:
        raise ScanError(
            f"{source.file.name} can no longer be read. Leave the scan in place until the results are written."
        ) from error
    if header.get("SOPInstanceUID") != source.instance_uid:
        raise ScanError(f"{source.file.name} was changed after it was read. Run it again.")
    return header


def _text(header: Dataset, faults: list[str]) -> None:
    """Give a header a character set that its text can be copied with."""
    from pydicom.charset import python_encoding

    named = header.get("SpecificCharacterSet")
    sets = [named or ""] if isinstance(named, str | None) else [str(one or "") for one in named]
    unknown = [one for one in sets if one and one not in python_encoding]
    if len(sets) > 1 and not sets[0]:
        sets[0] = DEFAULT_EXTENDED  # the same, said
    if not unknown and _can_be_copied(sets):
        header.SpecificCharacterSet = sets[0] if len(sets) == 1 else sets
        return
    changed = False
    for element in _elements(header):
        if element.VR in TEXT_VRS and element.VM == 1 and not str(element.value).isascii():
            element.value = _decoded(str(element.value)) if unknown or not any(sets) else str(element.value)
            changed = True
    if unknown:
        faults.append("SpecificCharacterSet names none of DICOM's: text is read as UTF-8 if it is that, else as Latin-1.")
    elif changed and not any(sets):
        faults.append("Text outside of ASCII without a SpecificCharacterSet: it is read as UTF-8 if it is that, else as Latin-1.")
    if changed:
        header.SpecificCharacterSet = UTF8
    elif "SpecificCharacterSet" in header:
        del header.SpecificCharacterSet


def _can_be_copied(sets: list[str]) -> bool:
    """Say whether highdicom takes these sets: one without code extensions, or several with, the first of single bytes."""
    from highdicom import SpecificCharacterSetValues

    if not set(sets) <= {one.value for one in SpecificCharacterSetValues} - {GBK}:  # the Korean one is missing there
        return False
    if len(sets) == 1:
        return bool(sets[0]) and sets[0] != "ISO_IR 6" and not sets[0].startswith("ISO 2022")
    return sets[0] not in MULTI_BYTE and all(one.startswith("ISO 2022 IR") and one != "ISO 2022 IR 58" for one in sets)


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back warnings of pydicom and highdicom: they quote odd values, which can be a patient's name."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _elements(header: Dataset, *, inside: bool = True) -> Iterator[DataElement]:
    """Give every element that can be read, those within sequences too, or in their place."""
    for tag in sorted(header.keys()):
        try:
            element = header[tag]
        except (ValueError, TypeError, OverflowError, NotImplementedError, KeyError):
            continue  # a value that is none; what objects copy is looked at by name
        if element.VR == "SQ" and inside:
            for item in element.value:
                yield from _elements(item)
        else:
            yield element


def _copied(header: Dataset, where: str = "", *, is_copied: bool = False) -> Iterator[str]:
    """Give what objects copy, each value with its way there: one code says another thing in another sequence."""
    for element in _elements(header, inside=False):
        here = f"{where}{element.tag}"
        is_wanted = is_copied or element.tag.group in COPIED_GROUPS or element.tag in COPIED_BESIDES
        if is_wanted:
            yield f"{here} {element.VR} {len(element.value) if element.VR == 'SQ' else element.value}"
        if element.VR == "SQ":
            for number, item in enumerate(element.value):
                yield from _copied(item, f"{here}[{number}]", is_copied=is_wanted)


def _decoded(text: str) -> str:
    try:
        return text.encode("latin-1").decode("utf-8")  # pydicom has read the bytes as Latin-1
    except UnicodeError:
        return text


def _legal(header: Dataset, keyword: str, faults: list[str]) -> None:
    """Empty an attribute that has an illegal value."""
    if keyword not in header:
        return
    try:
        value = header[keyword].value
        legal = value is None or str(value) == "" or _is_legal(keyword, value, header[keyword].VM)
    except (ValueError, TypeError, OverflowError):
        legal = False
    if legal:
        return
    faults.append(f"{keyword} has a value that DICOM does not allow: it is written empty.")
    if keyword in MUST_BE_THERE:
        setattr(header, keyword, None)
    else:
        del header[keyword]


def _kinds(header: Dataset, faults: list[str]) -> None:
    """Give text that says it is of another kind (VR) than DICOM has for it its own kind."""
    from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag

    for element in list(_elements(header, inside=False)):
        if not _is_copied(element.tag) or not dictionary_has_tag(element.tag):
            continue
        kind = dictionary_VR(element.tag)
        if kind == element.VR or kind not in STRINGS or element.VR not in STRINGS:
            continue
        faults.append(f"{keyword_for_tag(element.tag)} is written as another kind (VR) than DICOM has for it: its text is kept.")
        header.add_new(element.tag, kind, str(element.value) if element.VM == 1 else [str(value) for value in element.value])


def _is_copied(tag: BaseTag) -> bool:
    from pydicom.datadict import keyword_for_tag

    return tag.group in WHOLLY_COPIED or keyword_for_tag(tag) in (*COPIED_OF_STUDY, *MUST_BE_THERE, *UIDS)


def _forms(header: Dataset, faults: list[str]) -> None:
    """Leave out of what is copied whatever has not the form of its kind; a name that has not stays, or nobody had it."""
    from pydicom.datadict import keyword_for_tag

    for tag in [tag for tag in header.keys() if _is_copied(tag)]:  # noqa: SIM118 - one is deleted
        keyword = keyword_for_tag(tag)
        if keyword not in (*NAMES, *MUST_BE_THERE, *UIDS) and not _has_form(header, tag, may_be_empty=keyword in MAY_BE_EMPTY):
            faults.append(f"{keyword or tag} has a value that DICOM does not allow: it is left out.")
            del header[tag]
    for keyword in NAMES:
        if not _is_name(str(header.get(keyword) or "")):
            faults.append(f"{keyword} is longer than DICOM allows or has more parts: it is copied as it is.")


def _is_name(text: str) -> bool:
    forms = text.split("=")
    return len(forms) <= NAME_FORMS and all(len(form) <= NAME_LENGTH and form.count("^") < NAME_PARTS for form in forms)


def _has_form(holder: Dataset, tag: BaseTag, *, may_be_empty: bool = True) -> bool:
    """Say whether an element has values of its kind and as many as it may have; in a sequence all of every item."""
    from pydicom.config import RAISE
    from pydicom.datadict import dictionary_has_tag, dictionary_VM
    from pydicom.valuerep import validate_value

    try:
        element = holder[tag]
        if element.VR == "SQ":
            return (may_be_empty or len(element.value) > 0) and all(
                len(item) and all(_has_form(item, one) for one in item.keys())  # noqa: SIM118 - by tag
                for item in element.value
            )
        values = list(element.value) if element.VM > 1 else [element.value]
        if len(values) > 1 and dictionary_has_tag(tag) and dictionary_VM(tag) == "1":
            return False
        for value in values:
            text = str(getattr(value, "original_string", value) if value is not None else "")
            if element.VR == "PN" and not _is_name(text):
                return False
            if element.VR in CONTROLS and any(
                unicodedata.category(one) == "Cc" for one in text if one not in CONTROLS[element.VR]
            ):
                return False
            if element.VR in STRINGS:
                validate_value(element.VR, text, RAISE)
    except (ValueError, TypeError, OverflowError, NotImplementedError, KeyError):
        return False
    return True


def _is_legal(keyword: str, value: object, count: int) -> bool:
    text = str(value)
    if count > 1:
        return False
    if keyword in DATES:
        return len(text) == 8 and datetime.strptime(text, "%Y%m%d") is not None  # noqa: DTZ007 - a date has no zone
    if keyword in TIMES:
        from pydicom.valuerep import TM

        return TM(text) is not None
    if keyword in CODED:
        return text in CODED[keyword]
    if keyword in NUMBERS:
        return float(text) >= 0
    if keyword == AGE:
        return re.fullmatch(r"\d{3}[DWMY]", text, re.ASCII) is not None
    return keyword not in SHORT or (len(text) <= SHORT[keyword] and not any(unicodedata.category(one) == "Cc" for one in text))
