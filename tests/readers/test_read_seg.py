"""A DICOM SEG comes back voxel by voxel where it was drawn, or it is said what is off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest

import medimg
from medimg.errors import GeometryError, ManyVolumesError, OptionError, ScanError
from medimg.reports import seg as seg_object
from medimg.values import Mask
from tests.builders.dicom_checks import in_order
from tests.builders.seg_cases import GEOMETRIES, expected, made_by_hand
from tests.builders.study import FRAME, LEFT, LUNG, NODULE, balls, grid_of, study_result, two_nodules, write_ct


@pytest.fixture(scope="module", params=GEOMETRIES, ids=lambda name: name.replace(" ", "-"))
def case(request, tmp_path_factory):
    """A result, its seg.dcm, and the folder of its source."""
    folder = tmp_path_factory.mktemp("seg")
    result = study_result(folder / "source", heat=False, **GEOMETRIES[request.param])
    (path,) = seg_object.write(result, folder)
    return result, path, folder / "source"


@pytest.fixture
def simple(tmp_path):
    """An axial result and its seg.dcm."""
    result = study_result(tmp_path / "source", heat=False)
    (path,) = seg_object.write(result, tmp_path)
    return result, path


def changed(path, change, **attributes):
    """Write the SEG again with something about it changed."""
    dataset = pydicom.dcmread(path)
    if change:
        change(dataset)
    for name, value in attributes.items():
        setattr(dataset, name, value)
    dataset.save_as(path)
    return path


def move(by):
    """Return a change that moves every frame of a SEG."""

    def change(dataset):
        for group in dataset.PerFrameFunctionalGroupsSequence:
            plane = group.PlanePositionSequence[0]
            plane.ImagePositionPatient = [float(value) for value in by(np.array(plane.ImagePositionPatient, float))]

    return change


def without_sources(dataset):
    for group in dataset.PerFrameFunctionalGroupsSequence:
        del group.DerivationImageSequence


def points(mask, label):
    return in_order(mask.grid.to_mm(np.argwhere(mask.of(label))))


def test_it_lies_on_the_scan_as_it_was_outlined(case):
    result, path, _ = case
    mask = medimg.read_seg(path, scan=result.series)
    assert mask.grid == result.series.grid
    assert np.array_equal(mask.array, expected(result))
    assert mask.remarks == ()


def test_a_folder_will_do_for_the_scan(case):
    result, path, folder = case
    mask, wanted = medimg.read_seg(path, scan=folder), Mask(array=expected(result), grid=result.series.grid)
    assert mask.grid == medimg.read(folder).grid
    for label in (1, 2):
        assert np.abs(points(mask, label) - points(wanted, label)).max() < 0.02


def test_without_a_scan_it_lies_where_its_frames_lie(case):
    result, path, _ = case
    measured = np.array([origin is not None for origin in result.series.slice_of])[:, None, None]
    mask = medimg.read_seg(path)
    for label in (1, 2):
        outlined = result.prediction.mask.of(label) & measured
        assert np.abs(points(mask, label) - in_order(result.series.grid.to_mm(np.argwhere(outlined)))).max() < 0.02
    assert mask.grid.is_straight == result.series.grid.is_straight


def test_it_says_what_each_label_is(simple):
    mask = medimg.read_seg(simple[1])
    assert mask.labels == {1: NODULE, 2: NODULE}
    assert mask.names == {1: "Nodule 1", 2: "Nodule 2"}
    assert (mask.segments[1].site, mask.segments[1].laterality) == (LUNG, LEFT)
    assert (mask.segments[1].how_made, mask.segments[1].algorithm) == ("AUTOMATIC", "lung-nodule")
    assert mask.segments[2].tracking_uid == "2.25.1002"
    assert mask.grid.frame_of_reference == FRAME


def test_segments_are_chosen_by_number_or_name(simple):
    result, path = simple
    for chosen in ([2], ["Nodule 2"], ["2"]):
        mask = medimg.read_seg(path, scan=result.volume, segments=chosen)
        assert np.array_equal(mask.array == 2, result.prediction.mask.of(2))
        assert set(np.unique(mask.array)) == {0, 2}
        assert set(mask.labels) == {2}
    with pytest.raises(OptionError, match="Nodule 2"):
        medimg.read_seg(path, segments=["Nodul 2"])


@pytest.mark.parametrize("kind", ["FRACTIONAL", "LABELMAP"])
def test_other_kinds_of_segmentation(tmp_path, kind):
    result = study_result(tmp_path / "source", heat=False)
    mask = result.prediction.mask
    if kind == "LABELMAP":
        path = made_by_hand(tmp_path, result, mask.array, kind=kind)
        assert np.array_equal(medimg.read_seg(path, scan=result.series).array, mask.array)
        assert medimg.read_seg(path, scan=result.series, segments=[1]).array.max() == 1
        return
    pixels = np.where(mask.array == 1, 0.8, np.where(mask.array == 2, 0.4, 0)).astype(np.float32)
    path = made_by_hand(tmp_path, result, pixels, kind=kind, segments=(1,))
    read = medimg.read_seg(path, scan=result.series)
    assert np.array_equal(read.array == 1, mask.array == 1)
    assert "at least 0.5" in read.remarks[0]
    low = medimg.read_seg(path, scan=result.series, threshold=0.3)
    assert np.array_equal(low.array == 1, mask.array > 0)


def test_a_segment_of_the_number_of_none_is_refused(tmp_path):
    """A LABELMAP may name another number than 0 as its background; the voxels of segment 0 would be lost."""
    result = study_result(tmp_path / "source", heat=False)
    path = made_by_hand(tmp_path, result, result.prediction.mask.array, kind="LABELMAP")

    def turned_over(dataset):
        if not any(segment.SegmentNumber == 0 for segment in dataset.SegmentSequence):
            dataset.SegmentSequence[0].SegmentNumber = 0
        dataset.PixelPaddingValue = 7

    with pytest.raises(ScanError, match="the number 0, which in a mask is none"):
        medimg.read_seg(changed(path, turned_over))


def test_a_lost_sign_of_z_is_said_and_the_sources_help(simple):
    result, path = simple
    changed(path, move(lambda place: place * (1, 1, -1)))
    with pytest.raises(GeometryError, match=r"\d mm off the nearest slice; with the sign of z turned.*place_by=\"source\""):
        medimg.read_seg(path, scan=result.series)
    mask = medimg.read_seg(path, scan=result.series, place_by="source")
    assert np.array_equal(mask.array, result.prediction.mask.array)
    assert "laid on the slices that they name" in mask.remarks[0]


def test_a_lost_sign_is_seen_where_the_mirrored_slices_are_there_too(tmp_path):
    """A scan on both sides of z = 0: every mirrored frame lies on a slice, and only its source says that it is another one."""
    grid = grid_of(shape=(17, 40, 48), center=(30.0, -20.0, 0.0))
    result = study_result(tmp_path / "source", heat=False, grid=grid, mask=balls(grid, [((30.0, -20.0, 12.0), 5.0)]))
    (path,) = seg_object.write(result, tmp_path)
    changed(path, move(lambda place: place * (1, 1, -1)))
    with pytest.raises(GeometryError, match=r"from the slice that it names as its source \(with the sign of z turned"):
        medimg.read_seg(path, scan=result.series)
    assert np.array_equal(medimg.read_seg(path, scan=result.series, place_by="source").array, result.prediction.mask.array)


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ((0, 0, 1.2), r"1\.2 mm off the nearest slice"),
        ((0, 0, 0.2), r"0\.2 mm off the nearest slice"),
        ((0.3, 0, 0), r"0\.3 mm off the scan's pixels"),
        ((0, 0, 500.0), r"beyond its ends"),
    ],
)
def test_a_seg_beside_the_slices_is_refused_with_what_is_off(simple, by, words):
    result, path = simple
    changed(path, move(lambda place: place + by))
    for scan in (result.series, result.volume):
        with pytest.raises(GeometryError, match=words):
            medimg.read_seg(path, scan=scan)


def test_rounded_positions_still_lie_on_their_slices(simple):
    result, path = simple
    changed(path, move(lambda place: np.add(place, (0.01, -0.01, 0.04))))
    assert np.array_equal(medimg.read_seg(path, scan=result.series).array, result.prediction.mask.array)


def test_another_frame_of_reference_and_another_patient_are_refused(simple):
    result, path = simple
    changed(path, None, FrameOfReferenceUID="1.2.3")
    with pytest.raises(GeometryError, match="another frame of reference"):
        medimg.read_seg(path, scan=result.series)
    changed(path, None, FrameOfReferenceUID=FRAME, PatientID="Someone else")
    with pytest.raises(ScanError, match="two patients") as told:
        medimg.read_seg(path, scan=result.series)
    assert "Someone" not in str(told.value)
    assert "PID4711" not in str(told.value)


def test_a_seg_of_a_part_of_the_matrix_is_laid_into_it(simple):
    """Some writers crop rows and columns to the segment, and move the position along."""
    result, path = simple
    dataset = pydicom.dcmread(path)
    top, left = 3, 5
    frames = dataset.pixel_array[:, top:, left:]
    grid = result.series.grid
    apart = top * grid.affine[:3, 1] + left * grid.affine[:3, 2]
    move(lambda place: place + apart)(dataset)
    dataset.Rows, dataset.Columns = frames.shape[1:]
    dataset.PixelData = pydicom.pixels.pack_bits(frames)
    dataset.save_as(path)
    assert np.array_equal(medimg.read_seg(path, scan=result.series).array, result.prediction.mask.array)


@pytest.mark.parametrize("turn", ["mirrored", "transposed"])
def test_frames_with_turned_rows_lie_where_they_say(simple, turn):
    result, path = simple
    dataset = pydicom.dcmread(path)
    orientation = dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    grid, frames = result.series.grid, dataset.pixel_array
    if turn == "mirrored":
        frames = frames[:, :, ::-1]
        orientation.ImageOrientationPatient = [-1, 0, 0, 0, 1, 0]
        move(lambda place: place + (frames.shape[2] - 1) * grid.affine[:3, 2])(dataset)
    else:
        frames = frames.transpose(0, 2, 1)
        orientation.ImageOrientationPatient = [0, 1, 0, 1, 0, 0]
        measures.PixelSpacing = list(measures.PixelSpacing)[::-1]
        dataset.Rows, dataset.Columns = frames.shape[1:]
    dataset.PixelData = pydicom.pixels.pack_bits(np.ascontiguousarray(frames))
    dataset.save_as(path)
    assert np.array_equal(medimg.read_seg(path, scan=result.series).array, result.prediction.mask.array)


def test_other_pixels_and_other_planes_are_refused_with_the_way_out(simple):
    result, path = simple

    def wider(dataset):
        dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [1.6, 1.4]

    def turned(dataset):
        dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient = [0, 1, 0, 0, 0, -1]

    with pytest.raises(GeometryError, match=r"1\.6 x 1\.4 mm, and the scan's are of 0\.8 x 0\.7 mm.*medimg\.resample"):
        medimg.read_seg(changed(path, wider), scan=result.series)
    seg_object.write(result, path.parent)
    with pytest.raises(GeometryError, match=r"turned to the slices.*medimg\.resample"):
        medimg.read_seg(changed(path, turned), scan=result.series)


def test_overlapping_segments_are_refused_or_the_smaller_one_stays_whole(tmp_path):
    grid = grid_of()
    x, y, z = grid.to_mm((np.array(grid.shape) - 1) / 2)
    large, small = balls(grid, [((x, y, z), 10.0)]).array > 0, balls(grid, [((x + 8, y, z), 4.0)]).array > 0
    result = study_result(tmp_path / "source", heat=False, mask=two_nodules(grid))
    path = made_by_hand(tmp_path, result, np.stack([large, small], axis=-1))
    shared = int((large & small).sum())
    with pytest.raises(GeometryError, match=rf"1 \(Nodule 1\) and 2 \(Nodule 2\) in {shared} voxels.*segments=\[\.\.\.\]"):
        medimg.read_seg(path, scan=result.series)
    for number, wanted in ((1, large), (2, small)):
        assert np.array_equal(medimg.read_seg(path, scan=result.series, segments=[number]).array > 0, wanted)
    mask = medimg.read_seg(path, scan=result.series, overlap="smallest")
    assert np.array_equal(mask.array == 2, small)
    assert np.array_equal(mask.array == 1, large & ~small)
    assert str(shared) in mask.remarks[-1]


def test_frames_beyond_the_scan_are_refused_or_left_out_with_a_word(simple):
    """A scan that lost its last slices: what was drawn on them has no place."""
    result, path = simple
    kept = 9
    series = replace(
        result.series, grid=result.series.grid.crop((0, 0, 0), (kept, *result.series.grid.shape[1:])),
        slices=result.series.slices[:kept], slice_of=result.series.slice_of[:kept],
    )  # fmt: skip
    with pytest.raises(GeometryError, match="beyond its ends"):
        medimg.read_seg(path, scan=series)
    mask = medimg.read_seg(path, scan=series, cut=True)
    assert np.array_equal(mask.array, result.prediction.mask.array[:kept])
    assert "beyond the ends of the scan and were left out" in mask.remarks[0]


def test_a_seg_of_the_whole_scan_keeps_what_was_drawn_where_a_slice_is_gone(simple):
    """The slice is missing on this disk only; what was drawn on it lies on its place of the grid."""
    result, path = simple
    gap = 4
    assert result.prediction.mask.array[gap].any()
    series = replace(
        result.series,
        slices=tuple(item for place, item in enumerate(result.series.slices) if place != gap),
        slice_of=tuple(None if place == gap else place - (place > gap) for place in range(result.series.grid.shape[0])),
    )
    assert np.array_equal(medimg.read_seg(path, scan=series).array, result.prediction.mask.array)


def test_uneven_slices_need_the_series_not_the_volume(tmp_path):
    """Slices 0.3 mm off their place on the even grid: frames lie on the slices, not on the grid."""
    result = study_result(tmp_path / "source", heat=False)
    slices = []
    for number, item in enumerate(result.series.slices):
        place = np.add(item.position_mm, (0, 0, 0.3 if number % 2 else 0.0))
        data = pydicom.dcmread(item.file)
        data.ImagePositionPatient = [f"{value:.4f}" for value in place]
        data.save_as(item.file)
        slices.append(replace(item, position_mm=tuple(place.tolist())))
    series = replace(result.series, slices=tuple(slices))
    (path,) = seg_object.write(replace(result, series=series), tmp_path)
    assert np.array_equal(medimg.read_seg(path, scan=series).array, result.prediction.mask.array)
    with pytest.raises(GeometryError, match=r"0\.3 mm off the nearest slice.*a Series, which know where each slice"):
        medimg.read_seg(path, scan=result.volume)
    with pytest.raises(GeometryError, match=r"no even grid. Give scan="):
        medimg.read_seg(path)


def test_of_several_series_the_one_that_is_named_is_taken(simple):
    result, path = simple
    write_ct(path.parent / "source" / "thick", result.volume, SeriesInstanceUID="1.2.3.9", SeriesNumber=9)
    for number, file in enumerate(sorted((path.parent / "source" / "thick").iterdir())):
        data = pydicom.dcmread(file)
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.9.{number}"
        data.save_as(file)
    mask = medimg.read_seg(path, scan=path.parent / "source")
    assert np.array_equal(mask.array, result.prediction.mask.array)

    def of_another_series(dataset):
        dataset.ReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3.10"
        without_sources(dataset)

    with pytest.raises(ManyVolumesError, match="Give one of them as scan="):
        medimg.read_seg(changed(path, of_another_series), scan=path.parent / "source")


def test_options_that_cannot_be(simple):
    _, path = simple
    for options in ({"threshold": 0}, {"overlap": "first"}, {"place_by": "guess"}, {"place_by": "source"}):
        with pytest.raises(OptionError):
            medimg.read_seg(path, **options)


def test_two_frames_of_a_segment_on_one_slice_are_refused(simple):
    """Several points in time in one object: which of them holds is not known."""
    result, path = simple
    dataset = pydicom.dcmread(path)
    groups = dataset.PerFrameFunctionalGroupsSequence
    same = [group for group in groups if group.SegmentIdentificationSequence[0].ReferencedSegmentNumber == 1][:2]
    same[1].PlanePositionSequence = same[0].PlanePositionSequence
    same[1].DerivationImageSequence = same[0].DerivationImageSequence
    dataset.save_as(path)
    for scan in (result.series, None):
        with pytest.raises(GeometryError, match="both draw segment 1 on one slice"):
            medimg.read_seg(path, scan=scan)


def test_a_seg_of_another_series_of_the_same_frame_is_laid_where_it_lies_and_said(simple):
    result, path = simple

    def of_another_series(dataset):
        dataset.ReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3.10"
        without_sources(dataset)

    mask = medimg.read_seg(changed(path, of_another_series), scan=result.series)
    assert np.array_equal(mask.array, result.prediction.mask.array)
    assert "another series" in mask.remarks[0]
