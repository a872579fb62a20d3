"""`seg.dcm` is legal DICOM and lies where the outlines lie, read by others, voxel by voxel in patient space."""

from __future__ import annotations

import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest

from medimg.errors import GeometryError, ScanError
from medimg.reports import not_written, write_all
from medimg.reports import seg as seg_object
from medimg.values import Mask
from tests.builders.dicom_checks import dciodvfy, in_order, voxels
from tests.builders.sources import CASES
from tests.builders.study import AXIAL, CT, ENHANCED_CT, SERIES_UID, grid_of, study_result


@pytest.fixture(scope="module", params=CASES, ids=lambda name: name.replace(" ", "-"))
def case(request, tmp_path_factory):
    """A result, and its seg.dcm."""
    folder = tmp_path_factory.mktemp("seg")
    result = study_result(folder / "source", **CASES[request.param])
    (path,) = seg_object.write(result, folder)
    return result, path


def test_every_voxel_lies_where_it_was_outlined(case):
    result, path = case
    mask, found = result.prediction.mask, voxels(path)
    measured = np.array([origin is not None for origin in result.series.slice_of])
    assert sorted(found) == [1, 2]
    for finding in result.findings:
        index = np.argwhere(mask.of(finding.id) & measured[:, None, None])
        assert np.abs(in_order(found[finding.id]) - in_order(mask.grid.to_mm(index))).max() < 0.02


def test_highdicom_reads_it_back_by_its_source_instances(case):
    import highdicom as hd

    result, path = case
    seg, series, mask = hd.seg.segread(path), result.series, result.prediction.mask
    if series.slices[0].class_uid != CT:
        frames = [source.frame + 1 for source in series.slices]
        options = {"ignore_spatial_locations": True, "assert_missing_frames_are_empty": True, "combine_segments": True}
        array = seg.get_pixels_by_source_frame(series.slices[0].instance_uid, frames, **options)
    else:
        uids = [source.instance_uid for source in series.slices]
        options = {"ignore_spatial_locations": True, "assert_missing_frames_are_empty": True, "combine_segments": True}
        array = seg.get_pixels_by_source_instance(uids, **options)
    measured = [index for index, origin in enumerate(series.slice_of) if origin is not None]
    assert np.array_equal(array, mask.array[measured])


def test_the_validator_finds_no_error(case):
    complaints = dciodvfy(case[1])
    if complaints is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    assert complaints == []


def test_it_refers_to_its_source_and_says_what_made_it(tmp_path):
    import pydicom

    result = study_result(tmp_path / "source")
    dataset = pydicom.dcmread(seg_object.write(result, tmp_path)[0])
    assert dataset.SegmentationType == "BINARY"
    assert dataset.SeriesNumber == 9001
    assert (dataset.ContentCreatorName, dataset.BodyPartExamined) == ("medimg^", "CHEST")
    (series,) = dataset.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == SERIES_UID
    assert {item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence} == {
        source.instance_uid for source in result.series.slices
    }
    assert (dataset.ContentDate, dataset.StudyDescription, str(dataset.PatientName)) == ("20240102", "Thorax", "Mustermann^Jörg")
    first = dataset.SegmentSequence[0]
    assert first.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "49755003"
    assert first.SegmentedPropertyTypeCodeSequence[0].CodeValue == "27925004"
    region = first.AnatomicRegionSequence[0]
    assert (region.CodeValue, region.AnatomicRegionModifierSequence[0].CodeMeaning) == ("39607008", "Left")
    algorithm = first.SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("lung-nodule", "1.0.0")
    assert "ab" * 32 in algorithm.AlgorithmParameters
    assert (first.TrackingUID, first.TrackingID) == ("2.25.1001", "Nodule 1")
    assert float(dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices) == 2.5


def test_the_same_result_is_the_same_bytes_and_another_one_has_other_uids(tmp_path):
    import pydicom

    result = study_result(tmp_path / "source")
    (tmp_path / "again").mkdir()
    first, second = (seg_object.write(result, folder)[0] for folder in (tmp_path, tmp_path / "again"))
    assert first.read_bytes() == second.read_bytes()
    uid = pydicom.dcmread(first).SOPInstanceUID
    mask = result.prediction.mask
    array = mask.array.copy()
    array[tuple(np.argwhere(array == 1)[0])] = 0
    smaller = replace(result, prediction=replace(result.prediction, mask=Mask(array=array, grid=mask.grid)))
    other_weights = replace(result, provenance=replace(result.provenance, weights_sha256={"detect.safetensors": "cd" * 32}))
    for other in (smaller, other_weights):
        assert pydicom.dcmread(seg_object.write(other, tmp_path / "again")[0]).SOPInstanceUID != uid


def test_findings_without_a_gap_in_their_numbers_are_not_needed(tmp_path):
    """The model numbers findings by suspicion; one that was taken out leaves a hole that segment numbers must not have."""
    result = study_result(tmp_path / "source")
    only = replace(result, prediction=replace(result.prediction, findings=result.findings[1:]))
    found = voxels(seg_object.write(only, tmp_path)[0])
    assert sorted(found) == [1]
    assert len(found[1]) == np.count_nonzero(result.prediction.mask.array == 2)


def test_no_finding_is_no_seg_and_is_said(tmp_path):
    result = study_result(tmp_path / "source")
    empty = Mask(array=np.zeros(result.volume.shape, dtype=np.uint8), grid=result.volume.grid)
    none = replace(result, prediction=replace(result.prediction, findings=(), mask=empty), heatmaps=())
    files = write_all(none, tmp_path)
    assert "seg.dcm" not in [path.name for path in files]
    assert [item.what for item in not_written(none)] == ["seg.dcm", "key_1.dcm"]


def test_a_source_without_a_frame_of_reference_gets_none_and_it_is_said(tmp_path):
    result = study_result(tmp_path / "source", leave_out=("FrameOfReferenceUID",))
    grid = replace(result.series.grid, frame_of_reference=None)
    result = replace(result, series=replace(result.series, grid=grid))
    assert seg_object.write(result, tmp_path) == ()
    assert "frame of reference" in not_written(result)[0].reason


def test_outlines_of_another_place_are_refused(tmp_path):
    result = study_result(tmp_path / "source")
    moved = grid_of(center=(30, -20, -147.5))
    mask = Mask(array=result.prediction.mask.array, grid=moved)
    with pytest.raises(GeometryError, match="another grid"):
        seg_object.write(replace(result, prediction=replace(result.prediction, mask=mask)), tmp_path)
    shifted = replace(result, series=replace(result.series, slices=result.series.slices[::-1]))
    with pytest.raises(GeometryError, match="does not lie on its source slice"):
        seg_object.write(shifted, tmp_path)


def test_a_source_that_changed_since_is_refused(tmp_path):
    result = study_result(tmp_path / "source")
    study_result(tmp_path / "source", grid=grid_of(center=(30, -20, -100)))
    with pytest.raises(GeometryError, match="elsewhere"):
        seg_object.write(result, tmp_path)
    shutil.rmtree(tmp_path / "source")
    with pytest.raises(ScanError, match="can no longer be read"):
        seg_object.write(result, tmp_path)


def test_uneven_slices_claim_no_spacing(tmp_path):
    import pydicom

    result = study_result(tmp_path / "source", grid=grid_of(directions=AXIAL), gaps=(5,))
    measures = pydicom.dcmread(seg_object.write(result, tmp_path)[0]).SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert "SpacingBetweenSlices" not in measures


def test_frames_of_several_instances_refer_each_to_its_own(tmp_path):
    """Concatenations, and enhanced objects with one frame each."""
    import pydicom

    result = study_result(tmp_path / "source", enhanced=True)
    source = result.series.files[0]
    dataset, slices = pydicom.dcmread(source), []
    for number, measured in enumerate(result.series.slices):
        one = pydicom.dcmread(source)
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"{SERIES_UID}.5{number}"
        one.PerFrameFunctionalGroupsSequence = [dataset.PerFrameFunctionalGroupsSequence[measured.frame]]
        one.NumberOfFrames, one.PixelData = 1, dataset.pixel_array[measured.frame].tobytes()
        one.save_as(tmp_path / f"one{number}")
        slices.append(replace(measured, file=tmp_path / f"one{number}", frame=0, instance_uid=one.SOPInstanceUID))
    split = replace(result, series=replace(result.series, slices=tuple(slices)))
    path = seg_object.write(split, tmp_path)[0]
    found, mask = voxels(path), result.prediction.mask
    for finding in result.findings:
        assert np.abs(in_order(found[finding.id]) - in_order(mask.grid.to_mm(np.argwhere(mask.of(finding.id))))).max() < 0.02
    seg = pydicom.dcmread(path)
    places = {one.instance_uid: one.position_mm for one in slices}
    for group in seg.PerFrameFunctionalGroupsSequence:
        reference = group.DerivationImageSequence[0].SourceImageSequence[0]
        assert (reference.ReferencedSOPClassUID, reference.ReferencedFrameNumber) == (ENHANCED_CT, 1)
        position = [float(value) for value in group.PlanePositionSequence[0].ImagePositionPatient]
        assert position == pytest.approx(places[reference.ReferencedSOPInstanceUID], abs=0.01)
    assert len(seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence) == len(slices)
    assert dciodvfy(path) in ([], None)


def test_a_volume_that_shares_its_places_with_another_in_one_instance_refers_to_its_own_frames(tmp_path):
    import pydicom

    result = study_result(tmp_path / "source", enhanced=True)
    source = result.series.files[0]
    dataset = pydicom.dcmread(source)
    count = int(dataset.NumberOfFrames)
    dataset.PerFrameFunctionalGroupsSequence = [*dataset.PerFrameFunctionalGroupsSequence] * 2  # e.g. another echo
    dataset.NumberOfFrames, dataset.PixelData = 2 * count, dataset.PixelData * 2
    dataset.save_as(source)
    slices = tuple(replace(measured, frame=measured.frame + count) for measured in result.series.slices)
    seg = pydicom.dcmread(seg_object.write(replace(result, series=replace(result.series, slices=slices)), tmp_path)[0])
    numbers = {
        int(group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber)
        for group in seg.PerFrameFunctionalGroupsSequence
    }
    used = {slices[index].frame + 1 for index in np.flatnonzero(result.prediction.mask.array.any(axis=(1, 2)))}
    assert numbers == used


@pytest.mark.parametrize("method", [None, ""])
def test_a_source_that_does_not_say_how_it_was_de_identified(tmp_path, method):
    result = study_result(tmp_path / "source", PatientIdentityRemoved="YES", DeidentificationMethod=method)
    path = seg_object.write(result, tmp_path)[0]
    assert b"not stated by the source" in path.read_bytes()
    assert dciodvfy(path) in ([], None)


def test_no_warning_tells_a_name(tmp_path):
    with warnings.catch_warnings(record=True) as told:
        result = study_result(tmp_path / "source", PatientName="Mustermann")
        told.clear()
        warnings.simplefilter("always")
        seg_object.write(result, tmp_path)
    assert not told


def test_slices_that_a_reader_evens_out_still_carry_their_outlines(tmp_path):
    """A slice 0.08 mm off its place is nothing to say of; its frame lies where the slice was measured."""
    import pydicom

    result = study_result(tmp_path / "scan", heat=False)
    slices = list(result.series.slices)
    moved = 4
    place = np.add(slices[moved].position_mm, (0, 0, 0.08))
    data = pydicom.dcmread(slices[moved].file)
    data.ImagePositionPatient = [f"{value:.4f}" for value in place]
    data.save_as(slices[moved].file)
    slices[moved] = replace(slices[moved], position_mm=tuple(place.tolist()))
    (path,) = seg_object.write(replace(result, series=replace(result.series, slices=tuple(slices))), tmp_path)
    frames = pydicom.dcmread(path).PerFrameFunctionalGroupsSequence
    heights = [float(frame.PlanePositionSequence[0].ImagePositionPatient[2]) for frame in frames]
    assert any(abs(height - place[2]) < 1e-3 for height in heights)
