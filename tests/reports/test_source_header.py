"""Patient and study are copied as they are; what the source has wrong is mended where it must be, and named, never told."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pydicom
import pytest

from medimg.errors import ScanError
from medimg.reports import seg as seg_object
from medimg.reports._dicom import source_date
from medimg.reports._source_header import header_digest, source_faults, source_header
from tests.builders.study import study_result


def changed(result, **values):
    """Write other values into the first source, as raw text where pydicom would refuse or re-encode them."""
    source = result.series.slices[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = pydicom.dcmread(source.file)
        for keyword, value in values.items():
            if value is None:
                delattr(data, keyword)
            else:
                setattr(data, keyword, value)
        data.save_as(source.file)
    return source


def test_a_sound_header_has_no_fault_and_stays_as_it_is(tmp_path):
    result = study_result(tmp_path / "source")
    header, faults = source_header(result.series.slices[0])
    assert faults == source_faults(result) == ()
    assert (str(header.PatientName), header.PatientBirthDate, header.SpecificCharacterSet) == (
        "Mustermann^Jörg",
        "19500101",
        "ISO_IR 192",
    )
    assert source_faults(study_result(tmp_path / "other", dicom=False)) == ()


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_text_without_a_character_set_is_read_as_what_it_can_be(tmp_path, encoding):
    result = study_result(tmp_path / "source")
    path = result.series.slices[0].file
    raw = path.read_bytes()
    name = "Mustermann^Jörg".encode()
    other = name if encoding == "utf-8" else "Mustermann^Jörg ".encode("latin-1")  # of the same length
    assert len(other) == len(name)
    path.write_bytes(raw.replace(name, other).replace(b"ISO_IR 192", b"          "))
    header, faults = source_header(result.series.slices[0])
    assert str(header.PatientName).strip() == "Mustermann^Jörg"
    assert header.SpecificCharacterSet == "ISO_IR 192"
    assert ["SpecificCharacterSet" in fault for fault in faults] == [True]


def test_a_single_set_of_code_extensions_is_read_and_written_as_utf_8(tmp_path):
    """Not allowed, and common in Japan."""
    names = ["", "ISO 2022 IR 87"]
    result = study_result(tmp_path / "source", SpecificCharacterSet=names, PatientName="Yamada^Tarou=山田^太郎")
    path = result.series.slices[0].file
    raw = path.read_bytes()
    (place,) = [place for place in range(len(raw)) if raw.startswith(b"\\ISO 2022 IR 87", place)]
    path.write_bytes(raw[:place] + b"ISO 2022 IR 87 " + raw[place + 15 :])
    header, _ = source_header(result.series.slices[0])
    assert (str(header.PatientName), header.SpecificCharacterSet) == ("Yamada^Tarou=山田^太郎", "ISO_IR 192")


@pytest.mark.parametrize(
    ("names", "name"),
    [(["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"), ("GBK", "Wang^XiaoDong=王^小东")],
    ids=["Korean", "Chinese"],
)
def test_a_set_that_highdicom_or_validators_do_not_know_is_written_as_utf_8(tmp_path, names, name):
    result = study_result(tmp_path / "source", SpecificCharacterSet=names, PatientName=name, heat=False)
    header, faults = source_header(result.series.slices[0])
    assert (str(header.PatientName), header.SpecificCharacterSet, faults) == (name, "ISO_IR 192", ())
    (path,) = seg_object.write(result, tmp_path)
    assert str(pydicom.dcmread(path).PatientName) == name


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [(0x00100010, "LO", "Doe^Jane"), (0x00100030, "LO", "19500102"), (0x00200010, "LO", "7"), (0x00101030, "LO", "70")],
    ids=lambda value: f"{value:08x}" if isinstance(value, int) else "",
)
def test_text_of_another_kind_gets_its_own_and_is_named(tmp_path, tag, vr, value):
    result = study_result(tmp_path / "source", heat=False)
    source = result.series.slices[0]
    raw_value(source.file, pydicom.tag.Tag(tag), vr, value)
    header, faults = source_header(source)
    keyword = pydicom.datadict.keyword_for_tag(tag)
    assert pydicom.datadict.dictionary_VR(tag) == header[tag].VR
    assert str(header[tag].value) == value
    assert [fault for fault in faults if fault.startswith(keyword) and "kind" in fault]


def test_a_set_that_is_none_of_dicoms_is_named(tmp_path):
    result = study_result(tmp_path / "source")
    path = result.series.slices[0].file
    path.write_bytes(path.read_bytes().replace(b"ISO_IR 192", b"UTF-8     "))
    header, faults = source_header(result.series.slices[0])
    assert str(header.PatientName) == "Mustermann^Jörg"
    assert "names none of DICOM's" in faults[0]


@pytest.mark.parametrize(
    ("keyword", "value", "left"),
    [
        ("PatientSex", "MALE", None),
        ("PatientBirthDate", "00000000", None),
        ("StudyTime", "99:99", None),
        ("PatientSize", "1,80", "gone"),
        ("StudyID", "x" * 17, None),
        ("PatientIdentityRemoved", "MAYBE", "gone"),
    ],
)
def test_an_illegal_value_is_emptied_and_named_but_not_told(tmp_path, keyword, value, left):
    result = study_result(tmp_path / "source", PatientSize="1.80", PatientIdentityRemoved="NO")
    source = result.series.slices[0]
    element = pydicom.dcmread(source.file)[keyword]
    raw_value(source.file, element.tag, element.VR, value)
    header, faults = source_header(source)
    assert [fault for fault in faults if keyword in fault and value not in fault]
    assert not header.get(keyword) if left is None else keyword not in header


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x00102180, "SH", "a\\b"),  # Occupation has one value
        (0x001021A0, "CS", "never"),  # SmokingStatus
        (0x001021C0, "US", "1234"),  # PregnancyStatus is one number of two bytes
        (0x001021D0, "DA", "2020.1.1"),  # LastMenstrualDate
        (0x00101022, "DS", "24,5"),  # PatientBodyMassIndex
        (0x00104000, "LT", "a\x01"),  # PatientComments
        (0x00081080, "LO", "x" * 66),  # AdmittingDiagnosesDescription
        (0x00081048, "PN", "A^B^C^D^E^F^G^"),  # PhysiciansOfRecord
        (0x00201040, "LO", "x" * 66),  # PositionReferenceIndicator
        (0x00181000, "LO", "a\x01"),  # DeviceSerialNumber
    ],
    ids=lambda value: f"{value:08x}" if isinstance(value, int) else "",
)
def test_whatever_is_copied_and_has_not_its_form_is_left_out_and_named(tmp_path, tag, vr, value):
    result = study_result(tmp_path / "source", heat=False)
    source = result.series.slices[0]
    raw_value(source.file, pydicom.tag.Tag(tag), vr, value)
    header, faults = source_header(source)
    keyword = pydicom.datadict.keyword_for_tag(tag)
    assert [fault for fault in faults if keyword in fault and "left out" in fault]
    assert keyword not in header


def test_an_empty_sequence_is_left_out_and_one_with_items_is_not(tmp_path):
    code = pydicom.Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99TEST", "A procedure"
    result = study_result(tmp_path / "source", ReferencedStudySequence=[], ProcedureCodeSequence=[code], heat=False)
    header, faults = source_header(result.series.slices[0])
    assert "ReferencedStudySequence" not in header
    assert "ProcedureCodeSequence" in header
    assert [fault for fault in faults if "Sequence" in fault] == [faults[0]]


def test_an_illegal_date_of_the_series_is_not_that_of_the_results(tmp_path):
    result = study_result(tmp_path / "source", SeriesDate="20240102", heat=False)
    source = result.series.slices[0]
    assert source_date(source_header(source)[0])[0] == "20240102"
    raw_value(source.file, pydicom.tag.Tag(0x00080021), "DA", "2024.1.2")
    header, faults = source_header(source)
    assert [fault for fault in faults if fault.startswith("SeriesDate")]
    assert source_date(header)[0] in {header.get(keyword) for keyword in ("AcquisitionDate", "ContentDate", "StudyDate")}


def raw_value(path, tag, vr, value):
    """Write a value as bytes, unchecked."""
    data = pydicom.dcmread(path)
    raw = value.encode() + b" " * (len(value) % 2)
    data._dict[tag] = pydicom.dataelem.RawDataElement(tag, vr, len(raw), raw, 0, False, True)
    data.save_as(path)


def test_a_missing_study_is_made_from_the_series(tmp_path):
    result = study_result(tmp_path / "source")
    source = changed(result, StudyInstanceUID=None)
    header, faults = source_header(source)
    assert header.StudyInstanceUID.startswith("2.25.")
    assert "StudyInstanceUID" in faults[0]
    assert header.StudyInstanceUID == source_header(source)[0].StudyInstanceUID


def test_another_name_is_another_object(tmp_path):
    result = study_result(tmp_path / "source")
    before = header_digest(source_header(result.series.slices[0])[0])
    source = changed(result, PatientName="Musterfrau^Jörg")
    assert header_digest(source_header(source)[0]) != before


def test_a_source_that_is_gone_or_another_is_refused(tmp_path):
    result = study_result(tmp_path / "source")
    source = result.series.slices[0]
    with pytest.raises(ScanError, match="was changed"):
        source_header(replace(source, instance_uid="1.2.3"))
    source.file.unlink()
    with pytest.raises(ScanError, match="can no longer be read"):
        source_header(source)


def test_an_illegal_age_is_not_copied(tmp_path):
    result = study_result(tmp_path / "source", PatientAge="012Y")
    assert source_header(result.series.slices[0])[0].PatientAge == "012Y"
    raw_value(result.series.slices[0].file, 0x00101010, "AS", "12")
    header, faults = source_header(result.series.slices[0])
    assert "PatientAge" not in header
    assert any(fault.startswith("PatientAge") for fault in faults)


def test_illegal_uids_are_named(tmp_path):
    result = study_result(tmp_path / "source")
    assert not any("no UID" in fault for fault in source_faults(result))
    raw_value(result.series.slices[0].file, 0x0020000E, "UI", "1.2.x")
    assert any(fault.startswith("SeriesInstanceUID is no UID") for fault in source_faults(result))


def test_text_of_the_patient_that_is_too_long_is_left_out(tmp_path):
    result = study_result(tmp_path / "source", Occupation="Baker", MedicalAlerts="None")
    raw_value(result.series.slices[0].file, 0x00102000, "LO", "x" * 80)
    raw_value(result.series.slices[0].file, 0x00100010, "PN", "A" * 80 + "^B")
    header, faults = source_header(result.series.slices[0])
    assert "MedicalAlerts" not in header
    assert header.Occupation == "Baker"
    assert any(fault.startswith("MedicalAlerts") for fault in faults)
    assert any(fault.startswith("PatientName is longer") for fault in faults)
    assert "AAA" not in "".join(faults)
