"""A structured report comes back as the findings that went in; of others' reports as much as they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest

import medimg
from medimg.errors import ScanError
from medimg.reports import seg as seg_object
from medimg.reports import sr as sr_object
from medimg.values import Code, Prediction, Score, Skipped
from tests.builders.seg_cases import GEOMETRIES
from tests.builders.study import NODULE, balls, grid_of, study_result


@pytest.fixture
def written(tmp_path):
    """A result with its SEG and SR."""
    result = study_result(tmp_path / "source", heat=False)
    (seg,), (sr,) = seg_object.write(result, tmp_path), sr_object.write(result, tmp_path)
    return result, seg, sr


@pytest.mark.parametrize("geometry", [name for name in GEOMETRIES if name != "slices missing"])
def test_the_findings_that_went_in_come_out(tmp_path, geometry):
    result = study_result(tmp_path / "source", heat=False, **GEOMETRIES[geometry])
    (seg,), (sr,) = seg_object.write(result, tmp_path), sr_object.write(result, tmp_path)
    report = medimg.read_sr(sr, segmentation=seg)
    assert report.skipped == ()
    assert [finding.id for finding in report.findings] == [finding.id for finding in result.findings]
    for read, finding in zip(report.findings, result.findings, strict=True):
        assert read.center_mm == pytest.approx(finding.center_mm, abs=0.01)
        for name, value in vars(finding.measures).items():
            assert getattr(read.measures, name) == pytest.approx(value, rel=1e-8)
        same = ("kind", "site", "laterality", "tracking_uid", "detection_probability", "scores", "remarks", "name")
        assert {name: getattr(read, name) for name in same} == {name: getattr(finding, name) for name in same}


def test_without_the_segmentation_it_is_said_what_is_missing(written):
    _, _, sr = written
    report = medimg.read_sr(sr)
    assert report.findings == ()
    first = next(group for group in report.groups if group.segment)
    assert first.missing == ("centre",)
    assert first.segment[1] == 1
    assert first.kind == NODULE
    assert report.to_dict()["incomplete"][0] == {"name": "Nodule 1", "missing": ["centre"]}


def test_lines_come_back_with_the_image_that_they_were_drawn_on(written):
    from medimg.measures import diameters

    result, _, sr = written
    group = next(group for group in medimg.read_sr(sr).groups if group.segment)
    (line,) = group.regions
    size = diameters(result.prediction.mask, label=1)
    source = result.series.slices[size.slice_index]
    assert (line.kind, line.instance_uid) == ("POLYLINE", source.instance_uid)
    grid = result.series.grid
    ends = [grid.to_mm((size.slice_index, row - 0.5, column - 0.5)) for column, row in line.points]
    assert np.abs(np.array(ends) - np.array(size.long_ends_mm)).max() < 0.01


def test_another_segmentation_is_refused(written):
    result, seg, sr = written
    dataset = pydicom.dcmread(seg)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.save_as(seg)
    with pytest.raises(ScanError, match="not the segmentation that the report refers to"):
        medimg.read_sr(sr, segmentation=seg)
    mask = medimg.read_seg(seg, scan=result.series)  # who gives the mask has made sure of it
    assert len(medimg.read_sr(sr, segmentation=mask).findings) == 2


def test_what_was_not_evaluated_is_no_finding(tmp_path):
    result = study_result(tmp_path / "source", heat=False)
    mask = result.prediction.mask
    empty = type(mask)(array=np.zeros(mask.shape, np.uint8), grid=mask.grid)
    for not_evaluated, answer in (((), "Absent"), ((Skipped(what="left lung", reason="collapsed"),), "Undetermined")):
        prediction = Prediction(findings=(), mask=empty, looked_for=NODULE, not_evaluated=not_evaluated)
        (sr,) = sr_object.write(replace(result, prediction=prediction), tmp_path)
        report = medimg.read_sr(sr)
        assert report.findings == ()
        (group,) = report.groups
        assert [(what.meaning, said.meaning) for what, said in group.evaluations] == [("Nodule", answer)]


def test_remarks_and_scores_without_a_meaning(tmp_path):
    result = study_result(tmp_path / "source", heat=False)
    findings = tuple(replace(finding, remarks=("Cut by the edge: its size is rough.",)) for finding in result.findings)
    result = replace(result, prediction=replace(result.prediction, findings=findings))
    (seg,), (sr,) = seg_object.write(result, tmp_path), sr_object.write(result, tmp_path)
    for finding in medimg.read_sr(sr, segmentation=seg).findings:
        assert finding.remarks == ("Cut by the edge: its size is rough.",)
        assert finding.scores[0].meaning.startswith("What radiologists would rate")


def others(tmp_path, *, unit="mm3", **groups):
    """Return a report as others write one: an outline drawn in the patient, centimetres, codes of their own."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    result = study_result(tmp_path / "source", heat=False)
    images = [pydicom.dcmread(source.file) for source in result.series.slices]
    concept = hd.sr.CodedConcept
    measured = [
        hd.sr.Measurement(concept("118565006", "SCT", "Volume"), 2.5, concept("cm3", "UCUM", "cubic centimeter")),
        hd.sr.Measurement(concept("103339001", "SCT", "Long Axis"), 1.8, concept("cm", "UCUM", "centimeter")),
        hd.sr.Measurement(concept("103340004", "SCT", "Short Axis"), 12, concept("mm", "UCUM", "millimeter")),
        hd.sr.Measurement(concept("X1", "99ACME", "Roughness"), 7, concept("1", "UCUM", "no units")),
    ]
    group = hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid="1.2.3.7", identifier="lesion A"),
        finding_type=concept("4147007", "SCT", "Mass"),
        referenced_volume_surface=None,
        referenced_regions=[
            hd.sr.ImageRegion(
                hd.sr.GraphicTypeValues.POLYLINE,
                np.array([[10, 10], [20, 10], [20, 20], [10, 10]], float),
                source_image=hd.sr.SourceImageForRegion(images[3].SOPClassUID, images[3].SOPInstanceUID),
            )
        ],
        measurements=measured,
        qualitative_evaluations=[
            hd.sr.QualitativeEvaluation(concept("C1", "99ACME", "Margin"), concept("C2", "99ACME", "Spiky"))
        ],
    )
    observer = hd.sr.ObserverContext(codes.DCM.Person, hd.sr.PersonObserverIdentifyingAttributes(name="Reader^One"))
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_person_context=observer),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=[group],
    )
    dataset = hd.sr.Comprehensive3DSR(
        evidence=images,
        content=report,
        series_instance_uid="1.2.3.1",
        series_number=1,
        sop_instance_uid="1.2.3.2",
        instance_number=1,
        manufacturer="ACME",
    )
    dataset.save_as(tmp_path / "other.dcm")
    return tmp_path / "other.dcm"


def test_a_report_of_another_maker_goes_as_far_as_it_says(tmp_path):
    report = medimg.read_sr(others(tmp_path))
    (group,) = report.groups
    assert report.findings == ()
    assert group.missing == ("centre",)
    assert (group.name, group.kind) == ("lesion A", Code("SCT", "4147007", "Mass"))
    assert [(one.concept.meaning, one.value, one.unit.value) for one in group.measurements] == [
        ("Volume", 2.5, "cm3"),
        ("Long Axis", 1.8, "cm"),
        ("Short Axis", 12.0, "mm"),
        ("Roughness", 7.0, "1"),
    ]
    assert group.evaluations == ((Code("99ACME", "C1", "Margin"), Code("99ACME", "C2", "Spiky")),)
    assert group.regions[0].kind == "POLYLINE"


def test_units_become_millimetres_and_a_drawn_centre_counts(tmp_path):
    path = others(tmp_path)
    dataset = pydicom.dcmread(path)
    measurements = next(item for item in dataset.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "126010")
    point = pydicom.Dataset()
    point.RelationshipType, point.ValueType, point.GraphicType = "CONTAINS", "SCOORD3D", "POINT"
    point.GraphicData, point.ReferencedFrameOfReferenceUID = [1.5, -2.0, 30.25], "1.2.9"
    name = pydicom.Dataset()
    name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = "111010", "DCM", "Center"
    point.ConceptNameCodeSequence = [name]
    measurements.ContentSequence[0].ContentSequence.append(point)
    dataset.save_as(path)
    (finding,) = medimg.read_sr(path).findings
    assert finding.center_mm == (1.5, -2.0, 30.25)
    size = finding.measures
    assert (size.volume_mm3, size.longest_diameter_mm, size.short_diameter_mm) == (2500.0, 18.0, 12.0)
    assert finding.detection_probability is None
    assert finding.name == "lesion A"


def test_a_number_that_is_none_is_said(tmp_path):
    path = others(tmp_path)
    dataset = pydicom.dcmread(path)
    measurements = next(item for item in dataset.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "126010")
    number = next(item for item in measurements.ContentSequence[0].ContentSequence if item.ValueType == "NUM")
    number.MeasuredValueSequence = []
    dataset.save_as(path)
    report = medimg.read_sr(path)
    assert "Volume" in report.skipped[0].what
    assert report.groups[0].missing == ("volume", "centre")


def test_other_reports_and_other_objects_are_refused(written, tmp_path):
    result, seg, sr = written
    with pytest.raises(ScanError, match="no structured report"):
        medimg.read_sr(seg)
    with pytest.raises(ScanError, match="no SEG"):
        medimg.read_seg(sr)
    with pytest.raises(ScanError, match="no RTSTRUCT"):
        medimg.read_rtstruct(sr, scan=result.series)
    dataset = pydicom.dcmread(sr)
    dataset.ContentSequence = dataset.ContentSequence[:2]
    dataset.save_as(tmp_path / "bare.dcm")
    with pytest.raises(ScanError, match="without Imaging Measurements"):
        medimg.read_sr(tmp_path / "bare.dcm")
    with pytest.raises(ScanError, match="cannot be opened"):
        medimg.read_sr(tmp_path / "none.dcm")
    with pytest.raises(ScanError, match="is not a file"):
        medimg.read_sr(tmp_path)
    (tmp_path / "text.dcm").write_text("no DICOM at all, whatever its name")
    with pytest.raises(ScanError, match="is not DICOM"):
        medimg.read_sr(tmp_path / "text.dcm")


def test_a_group_of_another_segmentation_gets_no_place_of_this_one(written):
    """Two segmentations number their segments alike."""
    _, seg, sr = written
    dataset = pydicom.dcmread(sr)
    for item in dataset.iterall():
        if item.tag == 0x00081199 and item.value[0].get("ReferencedSegmentNumber") == 2:
            item.value[0].ReferencedSOPInstanceUID = "1.2.3"
    dataset.save_as(sr)
    report = medimg.read_sr(sr, segmentation=seg)
    assert [finding.id for finding in report.findings] == [1]
    assert [skipped.reason for skipped in report.skipped] == ["It refers to another segmentation than the one that was given."]
    with pytest.raises(ScanError, match="refers to 2 segmentations"):
        medimg.read_sr(sr, segmentation=medimg.read_seg(seg))


def test_segments_that_overlap_have_their_whole_centre(tmp_path):
    """A lesion in an organ takes nothing of the organ's centre."""
    grid = grid_of()
    x, y, z = grid.to_mm((np.array(grid.shape) - 1) / 2)
    result = study_result(tmp_path / "source", heat=False, mask=balls(grid, [((x, y, z), 5.0), ((x + 8, y, z), 2.5)]))
    (seg,), (sr,) = seg_object.write(result, tmp_path), sr_object.write(result, tmp_path)
    dataset = pydicom.dcmread(seg)
    frames, groups = dataset.pixel_array, dataset.PerFrameFunctionalGroupsSequence
    places = {}
    for index, group in enumerate(groups):
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        places[number, tuple(group.PlanePositionSequence[0].ImagePositionPatient)] = index
    for (number, place), index in places.items():
        if number == 2:
            frames[places[1, place]] |= frames[index]
    dataset.PixelData = np.packbits(frames.ravel(), bitorder="little").tobytes()
    dataset.PixelData += b"\0" * (len(dataset.PixelData) % 2)
    dataset.save_as(seg)
    one, two = medimg.read_sr(sr, segmentation=seg).findings
    both = grid.to_mm(np.argwhere(result.prediction.mask.array > 0)).mean(axis=0)
    assert one.center_mm == pytest.approx(tuple(both), abs=0.01)
    assert two.center_mm == pytest.approx(result.findings[1].center_mm, abs=0.01)


def test_scores_of_other_models_keep_their_names(tmp_path):
    result = study_result(tmp_path / "source", heat=False)
    scores = tuple(Score(name=name, value=0.5, meaning=f"Of {name}.") for name in ("detection", "a_name_longer_than_a_code"))
    findings = tuple(replace(finding, detection_probability=None, scores=scores) for finding in result.findings)
    result = replace(result, prediction=replace(result.prediction, findings=findings))
    (seg,), (sr,) = seg_object.write(result, tmp_path), sr_object.write(result, tmp_path)
    for finding in medimg.read_sr(sr, segmentation=seg).findings:
        assert finding.detection_probability is None
        assert finding.scores == scores


def test_one_lesion_at_two_points_in_time_is_two_outlines(written):
    """Followed by one tracking UID, each with a segment and numbers of its own."""
    _, seg, sr = written
    dataset = pydicom.dcmread(sr)
    for item in dataset.iterall():
        if item.VR == "UI" and item.value == "2.25.1002":
            item.value = "2.25.1001"
    dataset.save_as(sr)
    report = medimg.read_sr(sr, segmentation=seg)
    assert [finding.id for finding in report.findings] == [1, 2]
    assert len({finding.center_mm for finding in report.findings}) == 2
