"""An object that does not show what was found is never delivered: each kind of difference is seen."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pydicom
import pytest

import medimg
from medimg.cli import main
from medimg.errors import GeometryError, WriteError
from medimg.measures import diameters
from medimg.models import load_package
from medimg.reports import seg, sr, write_all
from medimg.runs._proof import prove
from medimg.runs._proof_seg import frames, prove_seg
from medimg.runs._proof_sr import prove_sr
from medimg.values import Mask, Score
from tests.builders.sources import CASES
from tests.builders.study import study_result


@pytest.fixture(scope="module", params=["BINARY", "LABELMAP"])
def written(request, tmp_path_factory):
    """A result and its objects."""
    folder = tmp_path_factory.mktemp("proof")
    result = replace(study_result(folder / "source", heat=False), labelmap=request.param == "LABELMAP")
    return result, seg.write(result, folder)[0], sr.write(result, folder)[0]


def spoilt(path, folder, change):
    data = pydicom.dcmread(path)
    change(data)
    data.save_as(folder / path.name)
    return folder / path.name


def walk(item):
    for child in item.get("ContentSequence", ()):
        yield child
        yield from walk(child)


def move(data):
    data.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0].ImagePositionPatient[0] += 0.8


def negate_z(data):
    for group in data.PerFrameFunctionalGroupsSequence:
        group.PlanePositionSequence[0].ImagePositionPatient[2] *= -1


def flip(data):
    orientation = data.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
    orientation.ImageOrientationPatient = [1, 0, 0, 0, -1, 0]


def stretch(data):
    data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [0.8, 0.72]


def one_voxel_more(data):
    first = np.frombuffer(data.PixelData, np.uint8).copy()
    first[len(first) // 2 + 3] ^= 1
    data.PixelData = first.tobytes()


def swap_slices(data):
    one, two = data.PerFrameFunctionalGroupsSequence[:2]
    one.PlanePositionSequence, two.PlanePositionSequence = two.PlanePositionSequence, one.PlanePositionSequence


def other_source(data):
    image = data.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    image.ReferencedSOPInstanceUID += "9"


def other_frame_of_reference(data):
    data.FrameOfReferenceUID += "9"


def other_study(data):
    data.StudyInstanceUID += "9"


def other_tracking(data):
    data.SegmentSequence[-1].TrackingUID += "9"


def other_side_of_a_segment(data):
    data.SegmentSequence[-1].AnatomicRegionSequence[0].AnatomicRegionModifierSequence[0].CodeValue = "24028007"


def other_kind_of_segment(data):
    data.SegmentSequence[-1].SegmentedPropertyTypeCodeSequence[0].CodeValue = "4147007"


def a_frame_less(data):
    count = len(data.PerFrameFunctionalGroupsSequence)
    size = data.Rows * data.Columns * data.BitsAllocated // 8
    data.PerFrameFunctionalGroupsSequence = list(data.PerFrameFunctionalGroupsSequence)[: count - 1]
    data.NumberOfFrames = count - 1
    data.PixelData = data.PixelData[: size * (count - 1)]


SPOIL_SEG = [
    *(move, negate_z, flip, stretch, one_voxel_more, swap_slices, other_source, other_frame_of_reference, other_study),
    *(other_tracking, other_side_of_a_segment, other_kind_of_segment, a_frame_less),
]


@pytest.mark.parametrize("change", SPOIL_SEG)
def test_a_segmentation_that_differs_is_seen(written, tmp_path, change):
    result, path, _ = written
    assert prove_seg(result, path).agrees
    assert not prove_seg(result, spoilt(path, tmp_path, change)).agrees


def test_a_distance_is_measured(written, tmp_path):
    result, path, _ = written
    assert prove_seg(result, path).largest_distance_mm < 1e-6

    def shift(data):
        data.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0].ImagePositionPatient[0] += 0.3

    assert prove_seg(result, spoilt(path, tmp_path, shift)).largest_distance_mm == pytest.approx(0.3, abs=1e-6)


def other_number(data):
    next(item for item in walk(data) if item.ValueType == "NUM").MeasuredValueSequence[0].NumericValue = "527.5"


def other_calibration(data):
    for item in walk(data):
        if item.ValueType == "CODE" and item.ConceptCodeSequence[0].CodeValue == "calibrated":
            item.ConceptCodeSequence[0].CodeValue = "not-calibrated"


def other_line(data):
    region = next(item for item in walk(data) if item.ValueType == "SCOORD")
    region.GraphicData = [region.GraphicData[0] + 1, *region.GraphicData[1:]]


def line_on_another_slice(data):
    images = [item for item in walk(data) if item.ValueType == "IMAGE"]
    lines = [item for item in walk(data) if item.ValueType == "SCOORD"]
    lines[0].ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID = (
        images[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    )


def segment(data, number):
    references = [item.ReferencedSOPSequence[0] for item in walk(data) if item.ValueType == "IMAGE"]
    return [reference for reference in references if "ReferencedSegmentNumber" in reference][number]


def other_segment(data):
    segment(data, 0).ReferencedSegmentNumber = 2


def other_segmentation(data):
    segment(data, 1).ReferencedSOPInstanceUID += "9"


def other_tracking_uid(data):
    next(item for item in walk(data) if item.ValueType == "UIDREF" and item.UID == "2.25.1001").UID = "2.25.1002"


def codes_of(data, name):
    items = [item for item in walk(data) if item.ValueType == "CODE" and item.ConceptNameCodeSequence[0].CodeValue == name]
    return [item.ConceptCodeSequence[0] for item in items]


def other_side(data):
    codes_of(data, "272741003")[-1].CodeValue = "24028007"


def other_site(data):
    codes_of(data, "363698007")[0].CodeValue = "10200004"


def other_kind(data):
    codes_of(data, "121071")[0].CodeValue = "4147007"


def line_of_another_finding(data):
    long_axes = [item for item in walk(data) if item.ValueType == "UIDREF" and item.UID == "2.25.1002"]
    long_axes[-1].UID = "2.25.1001"


def an_absence(data):
    code = next(item for item in walk(data) if item.ValueType == "CODE").ConceptCodeSequence[0]
    code.CodeValue, code.CodingSchemeDesignator = "272519000", "SCT"


def an_image_less(data):
    library = next(item for item in walk(data) if item.ConceptNameCodeSequence[0].CodeValue == "111028")
    group = library.ContentSequence[0]
    group.ContentSequence = list(group.ContentSequence)[1:]


SPOIL_SR = [
    *(other_number, other_calibration, other_line, line_on_another_slice, other_segment, other_segmentation),
    *(other_tracking_uid, an_absence, an_image_less, other_side, other_site, other_kind, line_of_another_finding, other_study),
]


@pytest.mark.parametrize("change", SPOIL_SR)
def test_a_report_that_differs_is_seen(written, tmp_path, change):
    result, segmentation, path = written
    assert prove_sr(result, path, segmentation).agrees
    assert not prove_sr(result, spoilt(path, tmp_path, change), segmentation).agrees


def test_absence_that_is_not_sure_is_seen(tmp_path):
    """A report that says Absent of a scan that was not all seen."""
    from medimg.values import Skipped

    result = study_result(tmp_path / "source", heat=False)
    empty = Mask(array=np.zeros(result.volume.shape, dtype=np.uint8), grid=result.volume.grid)
    none = replace(result, prediction=replace(result.prediction, findings=(), mask=empty))
    path = sr.write(none, tmp_path)[0]
    assert prove_sr(none, path, None).agrees
    unseen = replace(none.prediction, not_evaluated=(Skipped(what="between slices", reason="2 slices."),))
    assert not prove_sr(replace(none, prediction=unseen), path, None).agrees


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.replace(" ", "-"))
def test_own_decoding_of_frames_is_pydicoms(tmp_path, case):
    """Bits of frames that do not end on a byte, too."""
    result = study_result(tmp_path / "source", heat=False, **CASES[case])
    data = pydicom.dcmread(seg.write(result, tmp_path)[0])
    expected = data.pixel_array.reshape(-1, data.Rows, data.Columns)
    assert all(np.array_equal(plane, frame) for (_, plane, _), frame in zip(frames(data), expected, strict=True))


def test_what_is_not_proven_is_an_error_and_nothing_is_kept(tmp_path, monkeypatch, capsys):
    study = study_result(tmp_path / "scan", heat=False)
    medimg.infer  # noqa: B018 - loads the module that is changed next

    class Model:
        device, card = "cpu", load_package("lung-nodule").card

        def __call__(self, volume, **_):
            return study.prediction

    monkeypatch.setattr(sys.modules["medimg.runs.infer"], "load_model", lambda *_, **__: Model())
    command = ["infer", str(tmp_path / "scan"), "--explain", "none", "--output", str(tmp_path / "out")]
    assert main([*command, "--labelmap"]) == 0
    (folder,) = (tmp_path / "out").iterdir()
    proof = json.loads((folder / "run.json").read_text())["proof"]
    assert [item["file"] for item in proof] == ["seg.dcm", "sr.dcm", "seg_binary.dcm", "sr_binary.dcm"]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    saved = seg.save
    monkeypatch.setattr("medimg.reports.seg.save", lambda data, path: (move(data), saved(data, path))[1])
    assert main(command) == GeometryError.exit_code
    assert "read back, does not show the outlines" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    monkeypatch.setattr("medimg.reports.seg.save", saved)
    monkeypatch.setattr("medimg.reports.sr.save", lambda data, path: (other_number(data), saved(data, path))[1])
    assert main(command) == WriteError.exit_code
    assert "read back, does not say what was found" in capsys.readouterr().err


def test_the_proof_of_all_objects_is_in_their_order(tmp_path):
    result = replace(study_result(tmp_path / "source", heat=False), labelmap=True)
    files = write_all(result, tmp_path, prove=prove)
    assert [proof.file for proof in prove(result, files)] == ["seg.dcm", "sr.dcm", "seg_binary.dcm", "sr_binary.dcm"]
    assert prove(result, ()) == ()


@pytest.mark.parametrize("off_mm", [0.08, 1.0])
def test_slices_that_a_reader_evens_out_are_proven_where_they_were_measured(tmp_path, off_mm):
    result = study_result(tmp_path / "source", heat=False)
    slices = list(result.series.slices)
    moved = diameters(result.prediction.mask, label=1).slice_index
    place = np.add(slices[moved].position_mm, (0, 0, off_mm))
    data = pydicom.dcmread(slices[moved].file)
    data.ImagePositionPatient = [f"{value:.4f}" for value in place]
    data.save_as(slices[moved].file)
    slices[moved] = replace(slices[moved], position_mm=tuple(place.tolist()))
    uneven = replace(result, series=replace(result.series, slices=tuple(slices)))
    files = write_all(uneven, tmp_path, prove=prove)
    for proof in prove(uneven, files):
        assert proof.agrees
        assert proof.largest_distance_mm < 1e-3
    elsewhere = replace(slices[moved], position_mm=result.series.slices[moved].position_mm)
    slices[moved] = elsewhere
    assert not prove_seg(replace(result, series=replace(result.series, slices=tuple(slices))), tmp_path / "seg.dcm").agrees


def test_a_finding_that_no_measured_slice_carries_has_no_segment_to_refer_to(tmp_path):
    """Such findings are taken out before they are written; a mask of somebody's may still hold one."""
    whole = study_result(tmp_path / "whole", heat=False)
    carried = np.flatnonzero((whole.prediction.mask.array == 2).any(axis=(1, 2)))
    result = study_result(tmp_path / "source", heat=False, gaps=tuple(carried.tolist()))
    proofs = prove(result, write_all(result, tmp_path))
    assert [proof.agrees for proof in proofs] == [True, True]


def test_a_report_that_tells_another_class_is_seen(tmp_path):
    plain = study_result(tmp_path / "source", heat=False)
    texture = Score(name="texture", value=0.6, meaning="How solid.", class_name="part-solid")
    findings = tuple(replace(finding, scores=(*finding.scores, texture)) for finding in plain.findings)
    result = replace(plain, prediction=replace(plain.prediction, findings=findings))
    (tmp_path / "out").mkdir()
    outlines, report = seg.write(result, tmp_path / "out")[0], sr.write(result, tmp_path / "out")[0]
    assert prove_sr(result, report, outlines).agrees

    def solid(data):
        item = next(
            item for item in walk(data) if item.ValueType == "CODE" and item.ConceptCodeSequence[0].CodeValue == "part-solid"
        )
        item.ConceptCodeSequence[0].CodeValue = "solid"

    (tmp_path / "spoilt").mkdir()
    assert not prove_sr(result, spoilt(report, tmp_path / "spoilt", solid), outlines).agrees
