"""One UID means one content: whatever changes a byte of an object changes its UID; and text is one line of one value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest

from medimg.reports import write_all
from medimg.reports._dicom import plain
from medimg.runs._proof import prove
from medimg.values import Code, Mask
from tests.builders.dicom_checks import dciodvfy
from tests.builders.study import study_result

LIVER = Code("SCT", "10200004", "Liver")


def written(result, folder):
    """Write and prove the objects of a result; return their UIDs and bytes by name."""
    folder.mkdir()
    files = [path for path in write_all(result, folder) if path.suffix == ".dcm"]
    prove(result, tuple(files))
    return {path.name: (pydicom.dcmread(path).SOPInstanceUID, path.read_bytes()) for path in files}


def coded(value):
    item = pydicom.Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "99TEST", "A reason"
    return [item]


def clashes(one, other):
    return [name for name in one if name in other and one[name][0] == other[name][0] and one[name][1] != other[name][1]]


def with_findings(result, **changes):
    findings = tuple(replace(finding, **changes) for finding in result.findings)
    return replace(result, prediction=replace(result.prediction, findings=findings))


@pytest.mark.parametrize(
    "change",
    [
        {"BodyPartExamined": "ABDOMEN"},
        {"BurnedInAnnotation": "YES"},
        {"AdmissionID": "4711"},
        {"ReasonForVisit": "Cough"},
        {"SliceThickness": 3},
        {"StudyDescription": "Thorax, corrected"},
        {"DeviceSerialNumber": "4712"},
        {"SoftwareVersions": "VB21"},
        {"ReasonForPerformedProcedureCodeSequence": coded("COUGH")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_corrected_header_makes_other_objects(tmp_path, change):
    before = written(study_result(tmp_path / "a", heat=False), tmp_path / "first")
    assert clashes(before, before) == []
    source = study_result(tmp_path / "b", heat=False)
    for path in (tmp_path / "b").iterdir():
        dataset = pydicom.dcmread(path)
        for keyword, value in change.items():
            setattr(dataset, keyword, value)
        dataset.save_as(path)
    assert clashes(before, written(source, tmp_path / "second")) == []


def test_a_code_that_was_moved_to_another_sequence_makes_other_objects(tmp_path):
    """The same words in another place say another thing."""
    found = []
    for folder, keyword in (("a", "ReasonForRequestedProcedureCodeSequence"), ("b", "ReasonForPerformedProcedureCodeSequence")):
        result = study_result(tmp_path / folder, heat=False)
        for path in (tmp_path / folder).iterdir():
            dataset = pydicom.dcmread(path)
            setattr(dataset, keyword, coded("COUGH"))
            dataset.save_as(path)
        found.append(written(result, tmp_path / f"written {folder}"))
    assert clashes(*found) == []


def test_a_slice_that_was_moved_makes_other_objects(tmp_path):
    result = study_result(tmp_path / "a", heat=False)
    before = written(result, tmp_path / "first")
    source = result.series.slices[5]
    x, y, z = source.position_mm
    dataset = pydicom.dcmread(source.file)
    dataset.ImagePositionPatient = [x, y, z + 0.2]
    dataset.save_as(source.file)
    slices = tuple(replace(one, position_mm=(x, y, z + 0.2)) if one is source else one for one in result.series.slices)
    moved = replace(result, series=replace(result.series, slices=slices))
    assert clashes(before, written(moved, tmp_path / "second")) == []


def test_what_is_said_of_a_finding_makes_other_objects(tmp_path):
    result = study_result(tmp_path / "a", heat=False)
    before = written(result, tmp_path / "first")
    other_code = with_findings(result, site=Code("SCT", "3341006", "Lung"))
    assert clashes(before, written(other_code, tmp_path / "second")) == []
    size = result.findings[0].measures
    one = written(with_findings(result, measures=size), tmp_path / "third")
    other = written(with_findings(result, measures=replace(size, mean_hu=size.mean_hu + 1e-5)), tmp_path / "fourth")
    assert clashes(one, other) == []
    noise = written(with_findings(result, measures=replace(size, mean_hu=size.mean_hu * (1 + 1e-14))), tmp_path / "fifth")
    assert noise == one  # what is not written makes no second object of the same content


def test_where_nothing_was_found_is_part_of_the_report(tmp_path):
    result = study_result(tmp_path / "a", heat=False)
    empty = Mask(array=np.zeros(result.volume.shape, np.uint8), grid=result.volume.grid)
    lung = replace(result, prediction=replace(result.prediction, findings=(), mask=empty))
    liver = replace(lung, prediction=replace(lung.prediction, looked_in=LIVER))
    assert clashes(written(lung, tmp_path / "first"), written(liver, tmp_path / "second")) == []


def test_all_objects_of_a_study_take_the_patient_from_one_header(tmp_path):
    """Slices of one patient can spell the name in two ways; the outlines begin on another slice than the first."""
    result = study_result(tmp_path / "a", heat=False)
    for source in result.series.slices[1:]:
        dataset = pydicom.dcmread(source.file)
        dataset.PatientName, dataset.StudyDescription = "MUSTERMANN^JOERG", "THORAX"
        dataset.save_as(source.file)
    files = written(result, tmp_path / "out")
    objects = [pydicom.dcmread(tmp_path / "out" / name) for name in files]
    assert {str(dataset.PatientName) for dataset in objects} == {"Mustermann^Jörg"}
    assert {dataset.StudyDescription for dataset in objects} == {"Thorax"}


def test_a_source_without_a_study_gets_objects_of_one_study(tmp_path):
    result = study_result(tmp_path / "a", heat=False, leave_out=("StudyInstanceUID",))
    result = replace(result, series=replace(result.series, study_uid=""))
    files = written(result, tmp_path / "out")
    studies = {pydicom.dcmread(tmp_path / "out" / name).StudyInstanceUID for name in files}
    assert len(studies) == 1
    assert "seg.dcm" in files


def test_a_slice_of_a_class_that_may_have_frames(tmp_path):
    """highdicom takes every image of nuclear medicine for one of several frames."""
    nuclear = "1.2.840.10008.5.1.4.1.1.20"
    result = study_result(tmp_path / "a", heat=False, Modality="NM")
    for source in result.series.slices:
        dataset = pydicom.dcmread(source.file)
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = nuclear
        dataset.save_as(source.file)
    slices = tuple(replace(source, class_uid=nuclear) for source in result.series.slices)
    result = replace(result, series=replace(result.series, slices=slices, modality="NM"))
    written(result, tmp_path / "out")
    seg = pydicom.dcmread(tmp_path / "out" / "seg.dcm")
    items = [frame.DerivationImageSequence[0].SourceImageSequence[0] for frame in seg.PerFrameFunctionalGroupsSequence]
    assert {item.ReferencedSOPClassUID for item in items} == {nuclear}
    assert dciodvfy(tmp_path / "out" / "seg.dcm") in ([], None)


def test_a_slice_of_a_class_of_a_maker_s_own(tmp_path):
    """highdicom copies and refers by class, and knows those of the standard."""
    private = "1.2.840.113619.4.30"
    result = study_result(tmp_path / "a", heat=False)
    for source in result.series.slices:
        dataset = pydicom.dcmread(source.file)
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = private
        dataset.save_as(source.file)
    slices = tuple(replace(source, class_uid=private) for source in result.series.slices)
    written(replace(result, series=replace(result.series, slices=slices)), tmp_path / "out")
    own = {source.instance_uid for source in slices}
    for path in (tmp_path / "out").glob("*.dcm"):
        found = {
            str(item.ReferencedSOPClassUID)
            for item in everything(pydicom.dcmread(path))
            if item.get("ReferencedSOPInstanceUID") in own
        }
        assert found == {private}, path.name
        assert not [line for line in dciodvfy(path) or () if "99MEDIMG" not in line], path.name


def everything(dataset):
    """Yield a data set and all that is nested in it."""
    yield dataset
    for element in dataset:
        for item in element.value if element.VR == "SQ" else ():
            yield from everything(item)


@pytest.mark.parametrize("uid", ["", "1.2.826.0.1.3680043.8.498.3.1"], ids=["no UID", "two of one UID"])
def test_slices_that_cannot_be_told_apart_get_no_object(tmp_path, uid):
    result = study_result(tmp_path / "a", heat=False)
    slices = tuple(
        replace(source, instance_uid=uid) if not index else source for index, source in enumerate(result.series.slices)
    )
    slices = (*slices[:3], replace(slices[3], instance_uid=uid), *slices[4:])
    result = replace(result, series=replace(result.series, slices=slices))
    assert written(result, tmp_path / "out") == {}
    assert (tmp_path / "out" / "seg.nii.gz").exists()
    assert (tmp_path / "out" / "run.json").read_text().count("have no SOPInstanceUID or share one") == 3


@pytest.mark.parametrize(
    ("text", "line"), [("GTV\\1", "GTV/1"), ("a\nb\tc", "a b c"), ("a\x1b$Bb", "a $Bb"), ("  two  ", "two"), ("Größe", "Gro?e")]
)
def test_text_is_one_line_of_one_value(text, line):
    assert plain(text) == line


@pytest.mark.parametrize("name", ["GTV\\1", "  ", "腫瘍"])
def test_a_segment_has_one_label_that_can_be_read(tmp_path, name):
    written(with_findings(study_result(tmp_path / "a", heat=False), name=name), tmp_path / "out")
    labels = [segment.SegmentLabel for segment in pydicom.dcmread(tmp_path / "out" / "seg.dcm").SegmentSequence]
    assert labels == (["GTV/1", "GTV/1"] if "GTV" in name else ["Nodule 1", "Nodule 2"])
