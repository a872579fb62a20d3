"""`sr.dcm` says of each finding what was measured, what a score is and is not, and of nothing found just that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest

from medimg.measures import diameters
from medimg.reports import not_written, sr, write_all
from medimg.reports._dicom import device_uid, plain
from medimg.runs._proof_sr import prove_sr
from medimg.values import Mask, Score, Skipped
from tests.builders.sources import CASES, MIRRORED_ROWS, OBLIQUE, PRONE
from tests.builders.study import STUDY_UID, grid_of, study_result


def walk(item):
    for child in item.get("ContentSequence", ()):
        yield child
        yield from walk(child)


def name(item):
    return item.ConceptNameCodeSequence[0].CodeValue if "ConceptNameCodeSequence" in item else ""


def groups(dataset):
    """Return the measurement groups, each with its template."""
    found = [item for item in walk(dataset) if name(item) == "125007"]
    return [(group.ContentTemplateSequence[0].TemplateIdentifier, group) for group in found]


def codes(dataset):
    return {(name(item), item.ConceptCodeSequence[0].CodeValue) for item in walk(dataset) if item.ValueType == "CODE"}


def written(result, folder):
    (path, *_) = sr.write(result, folder)
    return pydicom.dcmread(path)


def nothing_found(result, **changes):
    empty = Mask(array=np.zeros(result.volume.shape, dtype=np.uint8), grid=result.volume.grid)
    prediction = replace(result.prediction, findings=(), mask=empty)
    return replace(result, prediction=replace(prediction, **changes), heatmaps=())


def test_each_finding_refers_to_its_segment(tmp_path):
    result = study_result(tmp_path / "source")
    write_all(result, tmp_path)
    seg, report = pydicom.dcmread(tmp_path / "seg.dcm"), pydicom.dcmread(tmp_path / "sr.dcm")
    volumes = [group for template, group in groups(report) if template == "1411"]
    assert len(volumes) == len(seg.SegmentSequence) == 2
    for segment, group, finding in zip(seg.SegmentSequence, volumes, result.findings, strict=True):
        told = {name(item): item for item in group.ContentSequence}
        reference = told["121191"].ReferencedSOPSequence[0]
        assert reference.ReferencedSOPInstanceUID == seg.SOPInstanceUID
        assert int(reference.ReferencedSegmentNumber) == segment.SegmentNumber
        assert (told["112039"].TextValue, told["112040"].UID) == (segment.TrackingID, segment.TrackingUID)
        assert finding.tracking_uid == told["112040"].UID
        assert told["363698007"].ContentSequence[0].ConceptCodeSequence[0].CodeMeaning == "Left"
    listed = {
        item.ReferencedSOPInstanceUID
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert listed == {seg.SOPInstanceUID, *(source.instance_uid for source in result.series.slices)}


def test_every_score_says_whether_it_is_calibrated_and_suspicion_is_no_probability_of_cancer(tmp_path):
    result = study_result(tmp_path / "source")
    raw = Score(name="texture", value=0.25, meaning="0 is glass, 1 is solid.")
    odd = Score(name="a score of another model", value=0.5, meaning="Of another model.", calibrated=True)
    findings = tuple(replace(finding, scores=(*finding.scores, raw, odd)) for finding in result.findings)
    report = written(replace(result, prediction=replace(result.prediction, findings=findings)), tmp_path)
    scores = {}
    for item in (item for item in walk(report) if item.ValueType == "NUM"):
        concept = item.ConceptNameCodeSequence[0]
        if concept.CodingSchemeDesignator == "99MEDIMG":
            method = next(child for child in item.ContentSequence if name(child) == "370129005")
            scores.setdefault(concept.CodeMeaning, set()).add(method.ConceptCodeSequence[0].CodeValue)
            assert item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue == "1"
    assert scores == {
        "Detection score: how sure the model is that this is a lesion": {"not-calibrated"},
        "Suspicion as rated by radiologists (not risk of cancer)": {"calibrated"},
        "Texture as rated by radiologists, 0 glass to 1 solid": {"not-calibrated"},
        "Score of a model: a score of another model": {"calibrated"},
    }
    assert not {"111047", "122157", "111012"} & {name(item) for item in walk(report)}  # DICOM's probabilities and certainties
    (scheme,) = report.CodingSchemeIdentificationSequence
    assert (scheme.CodingSchemeDesignator, scheme.CodingSchemeName) == ("99MEDIMG", "medimg")


def test_a_class_is_a_code_beside_its_number(tmp_path):
    result = study_result(tmp_path / "source")
    texture = Score(name="texture", value=0.6, meaning="How solid.", class_name="part-solid")
    odd = Score(
        name="a score of another model", value=0.5, meaning="Of another model.", class_name="words that are too long for a code"
    )
    findings = tuple(replace(finding, scores=(*finding.scores, texture, odd)) for finding in result.findings)
    report = written(replace(result, prediction=replace(result.prediction, findings=findings)), tmp_path)
    values = [item for item in walk(report) if item.ValueType == "CODE" and name(item) == "texture"]
    assert len(values) == len(findings)
    for item in values:
        (code,) = item.ConceptCodeSequence
        assert (code.CodingSchemeDesignator, code.CodeValue, code.CodeMeaning) == ("99MEDIMG", "part-solid", "Part-solid")
    assert "Words that are too long for a code" in {
        item.ConceptCodeSequence[0].CodeMeaning for item in walk(report) if item.ValueType == "CODE"
    }


def test_it_names_the_algorithm_and_its_weights(tmp_path):
    result = study_result(tmp_path / "source")
    report = written(result, tmp_path)
    for item in (item for item in walk(report) if item.ValueType == "NUM"):
        told = {name(child): child.get("TextValue") for child in item.ContentSequence}
        assert (told["111001"], told["111003"]) == ("lung-nodule", "1.0.0")
        assert "ab" * 32 in told["111002"]
    (observer,) = [item for item in walk(report) if name(item) == "121012"]
    ours = [item for item in report.ContributingEquipmentSequence if "DeviceUID" in item]
    assert [observer.UID] == [item.DeviceUID for item in ours] == [device_uid(result)]
    newer = replace(result.provenance, model_version="1.0.1")
    assert device_uid(replace(result, provenance=newer)) != device_uid(result)
    assert device_uid(result) == device_uid(study_result(tmp_path / "other"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.replace(" ", "-"))
def test_lines_lie_where_the_diameters_were_measured(tmp_path, case):
    """By the standard's formula, from the header of the slice that each line refers to."""
    result = study_result(tmp_path / "source", heat=False, **CASES[case])
    report = written(result, tmp_path)
    lines = [group for template, group in groups(report) if template == "1410"]
    assert len(lines) == 4
    mask = result.prediction.mask
    for finding, pair in zip(result.findings, zip(lines[::2], lines[1::2], strict=True), strict=True):
        size = diameters(mask, label=finding.id)
        if result.series.slice_of[size.slice_index] is None:  # that of a slice that was measured, instead
            array = np.where(np.array([origin is not None for origin in result.series.slice_of])[:, None, None], mask.array, 0)
            size = diameters(Mask(array=array, grid=mask.grid), label=finding.id)
        uids = [next(item.UID for item in line.ContentSequence if name(item) == "112040") for line in pair]
        assert uids[0] == finding.tracking_uid != uids[1]
        for line, ends, length in zip(pair, (size.long_ends_mm, size.short_ends_mm), (size.long_mm, size.short_mm), strict=True):
            (region,) = [item for item in line.ContentSequence if item.ValueType == "SCOORD"]
            (number,) = [item for item in line.ContentSequence if item.ValueType == "NUM"]
            points = in_patient(result, region)
            assert np.abs(points - np.array(ends)).max() < 1e-3
            assert np.linalg.norm(points[1] - points[0]) == pytest.approx(length, abs=1e-3)
            assert float(number.MeasuredValueSequence[0].NumericValue) == pytest.approx(length)


@pytest.mark.parametrize(
    "options",
    [{}, {"directions": OBLIQUE}, {"tilt_deg": 18.5}, {"directions": MIRRORED_ROWS}, {"directions": PRONE}],
    ids=["axial", "oblique", "tilted", "mirrored rows", "prone"],
)
def test_lines_of_an_ellipse_end_where_geometry_says(tmp_path, options):
    """Half axes of 20 and 8 mm, turned by 30 degrees in its slice; a pixel is 0.5 mm."""
    grid = grid_of(shape=(4, 120, 120), spacing_mm=(2.5, 0.5, 0.5), **options)
    y, x = (np.mgrid[:120, :120] - 59.5) * 0.5
    turned = np.deg2rad(30)
    along, across = x * np.cos(turned) + y * np.sin(turned), y * np.cos(turned) - x * np.sin(turned)
    array = np.zeros(grid.shape, dtype=np.uint8)
    array[2] = (along / 20) ** 2 + (across / 8) ** 2 <= 1
    result = study_result(tmp_path / "source", mask=Mask(array=array, grid=grid), heat=False)
    report = written(result, tmp_path)
    center, (_, row, column) = grid.to_mm((2, 59.5, 59.5)), grid.directions.T
    axes = (column * np.cos(turned) + row * np.sin(turned)) * 20, (row * np.cos(turned) - column * np.sin(turned)) * 8
    lines = [group for template, group in groups(report) if template == "1410"]
    for line, axis in zip(lines, axes, strict=True):
        (region,) = [item for item in line.ContentSequence if item.ValueType == "SCOORD"]
        points = in_patient(result, region)
        expected = np.array([center - axis, center + axis])
        nearest = min(np.abs(points - ends).max() for ends in (expected, expected[::-1]))
        assert nearest < 2.0, "a flat end may be found a few pixels along the outline"
        assert np.linalg.norm(points[1] - points[0]) == pytest.approx(2 * np.linalg.norm(axis), abs=0.75)
        assert np.abs(points.mean(axis=0) - center).max() < 1.0


def in_patient(result, region):
    data = np.array(region.GraphicData, float)
    reference = region.ContentSequence[0].ReferencedSOPSequence[0]
    for file in result.series.files:
        header = pydicom.dcmread(file, stop_before_pixels=True)
        if header.SOPInstanceUID == reference.ReferencedSOPInstanceUID:
            break
    if "PerFrameFunctionalGroupsSequence" in header:
        own = header.PerFrameFunctionalGroupsSequence[int(reference.ReferencedFrameNumber) - 1]
        shared = header.SharedFunctionalGroupsSequence[0]
        position = own.PlanePositionSequence[0].ImagePositionPatient
        orientation = (own if "PlaneOrientationSequence" in own else shared).PlaneOrientationSequence[0].ImageOrientationPatient
        spacing = shared.PixelMeasuresSequence[0].PixelSpacing
    else:
        assert "ReferencedFrameNumber" not in reference
        position, orientation, spacing = header.ImagePositionPatient, header.ImageOrientationPatient, header.PixelSpacing
    across, down = np.array(orientation, float).reshape(2, 3)
    rows, columns = map(float, spacing)
    pixels = data.reshape(-1, 2) - 0.5  # 0.5 is the middle of the first pixel (PS3.3 C.18.6.1.2)
    return np.array(position, float) + pixels[:, :1] * across * columns + pixels[:, 1:] * down * rows


def test_nothing_found_is_said_as_absent_and_there_is_no_segmentation(tmp_path):
    result = nothing_found(study_result(tmp_path / "source"))
    files = write_all(result, tmp_path)
    assert {"sr.dcm"} == {path.name for path in files if path.suffix == ".dcm"}
    report = pydicom.dcmread(tmp_path / "sr.dcm")
    ((template, _),) = groups(report)
    assert template == "1501"
    assert ("27925004", "272519000") in codes(report)  # Nodule: Absent
    assert "CodingSchemeIdentificationSequence" not in report
    assert report.StudyInstanceUID == STUDY_UID


@pytest.mark.parametrize(
    "changes",
    [
        {"not_evaluated": (Skipped(what="between slices", reason="2 slices were not measured."),)},
        {"looked_for": None},
    ],
    ids=["not all was seen", "not known what was looked for"],
)
def test_what_was_not_evaluated_never_looks_absent(tmp_path, changes):
    report = written(nothing_found(study_result(tmp_path / "source"), **changes), tmp_path)
    values = {value for _, value in codes(report)}
    assert "272519000" not in values
    assert "373068000" in values  # Undetermined
    assert [item.TextValue for item in walk(report) if name(item) == "121106"]


def test_besides_findings_what_was_not_seen_is_undetermined(tmp_path):
    result = study_result(tmp_path / "source")
    unseen = (Skipped(what="between slices", reason="2 slices were not measured."),)
    report = written(replace(result, prediction=replace(result.prediction, not_evaluated=unseen)), tmp_path)
    assert ("27925004", "373068000") in codes(report)
    assert any("2 slices were not measured" in item.get("TextValue", "") for item in walk(report))


def test_a_source_without_a_frame_of_reference_gets_key_images_only_and_it_is_said(tmp_path):
    result = study_result(tmp_path / "source")
    grid = replace(result.series.grid, frame_of_reference=None)
    mask = Mask(array=result.prediction.mask.array, grid=grid)
    nowhere = replace(
        result,
        series=replace(result.series, grid=grid),
        prediction=replace(result.prediction, mask=mask),
        volume=replace(result.volume, grid=grid),
    )
    files = {path.name for path in write_all(nowhere, tmp_path) if path.suffix == ".dcm"}
    assert files == {"key_1.dcm", "key_2.dcm"}
    said = {item.what: item.reason for item in not_written(nowhere)}
    assert {"seg.dcm", "sr.dcm"} <= set(said)
    assert "key images only" in said["sr.dcm"]


def test_the_same_result_is_the_same_bytes_and_what_was_not_seen_makes_another_report(tmp_path):
    result = study_result(tmp_path / "source")
    (tmp_path / "again").mkdir()
    first, second = sr.write(result, tmp_path)[0], sr.write(result, tmp_path / "again")[0]
    assert first.read_bytes() == second.read_bytes()
    unseen = (Skipped(what="beyond the scan", reason="Its edge."),)
    other = written(replace(result, prediction=replace(result.prediction, not_evaluated=unseen)), tmp_path / "again")
    assert other.SOPInstanceUID != pydicom.dcmread(first).SOPInstanceUID


def test_a_report_is_complete_preliminary_and_unverified_and_of_the_patient(tmp_path):
    report = written(study_result(tmp_path / "source"), tmp_path)
    assert (report.CompletionFlag, report.PreliminaryFlag, report.VerificationFlag) == ("COMPLETE", "PRELIMINARY", "UNVERIFIED")
    assert (str(report.PatientName), report.PatientID, report.StudyDescription) == ("Mustermann^Jörg", "PID4711", "Thorax")
    assert (report.SeriesNumber, report.ContentDate) == (9002, "20240102")
    assert report.SeriesDescription == "medimg lung-nodule: findings (AI, research only)"


def test_with_a_labelmap_there_is_a_report_for_each_segmentation(tmp_path):
    result = replace(study_result(tmp_path / "source"), labelmap=True)
    write_all(result, tmp_path)
    for seg, report, class_end in (("seg.dcm", "sr.dcm", ".66.7"), ("seg_binary.dcm", "sr_binary.dcm", ".66.4")):
        segmentation = pydicom.dcmread(tmp_path / seg)
        assert segmentation.SOPClassUID.endswith(class_end)
        references = {
            item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
            for item in walk(pydicom.dcmread(tmp_path / report))
            if name(item) == "121191"
        }
        assert references == {segmentation.SOPInstanceUID}
    uids = {pydicom.dcmread(path).SOPInstanceUID for path in tmp_path.glob("*.dcm")}
    assert len(uids) == 6


def test_words_outside_of_ascii_are_written_so_that_every_character_set_holds_them():
    assert plain("Lésion 3 × 4 mm² – ≥ 5 µm, 日") == "Lesion 3 x 4 mm2 - >= 5 um, ?"


def test_no_two_scores_share_a_code(tmp_path):
    """Of other models: names too long for a code, with letters that no code has, and the code of the detection score."""
    names = ("malignancy_by_size_a", "malignancy_by_size_b", "Größe", "detection", "detection_probability")
    result = study_result(tmp_path / "source", heat=False)
    scores = tuple(Score(name=name, value=0.1 * number, meaning="A score.") for number, name in enumerate(names, 1))
    findings = tuple(replace(finding, scores=scores) for finding in result.findings)
    result = replace(result, prediction=replace(result.prediction, findings=findings))
    dataset = written(result, tmp_path)
    group = next(group for template, group in groups(dataset) if template == "1411")
    said = [name(item) for item in group.ContentSequence if item.ValueType == "NUM"]
    rated = [code for code in said if code == "detection" or code.startswith("score-")]
    assert len(rated) == len(set(rated)) == len(names) + 1
    assert max(map(len, rated)) <= 16
    assert prove_sr(result, tmp_path / "sr.dcm", None).numbers > 0


def test_one_frame_of_a_source_that_has_more_is_named(tmp_path):
    """Of a file of several stacks one may be a single frame: a reference without its number would mean every frame."""
    grid = grid_of(shape=(1, 40, 48))
    array = np.zeros(grid.shape, np.uint8)
    array[0, 10:15, 10:20] = 1
    result = study_result(tmp_path / "source", heat=False, enhanced=True, mask=Mask(array=array, grid=grid))
    write_all(result, tmp_path)
    lines = [item for item in walk(pydicom.dcmread(tmp_path / "sr.dcm")) if item.ValueType == "SCOORD"]
    assert [line.ContentSequence[0].ReferencedSOPSequence[0].ReferencedFrameNumber for line in lines] == [1, 1]
    assert pydicom.dcmread(tmp_path / "key_1.dcm").SourceImageSequence[0].ReferencedFrameNumber == 1


def test_hundreds_of_findings_are_not_copied_once_more(tmp_path, monkeypatch):
    """highdicom copies and reads again what it is given: more than the writing itself, with hundreds of findings minutes."""
    from highdicom.sr.value_types import ContentItem

    read_again, original = [], ContentItem._from_dataset_derived.__func__
    monkeypatch.setattr(
        ContentItem, "_from_dataset_derived", classmethod(lambda cls, item: read_again.append(item) or original(cls, item))
    )
    dataset = written(study_result(tmp_path / "source"), tmp_path)
    assert len(list(walk(dataset))) > 100
    assert len(read_again) == 1  # the root alone
